import { labelsFromRecord } from "@pleiad/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemorySeries, type SeriesRef } from "./memory-series.ts";
import { RefTable } from "./ref-table.ts";

const labels = labelsFromRecord({ __name__: "a" });

describe("a table of series by reference", () => {
  it("does as a map does, in the order of references", () => {
    const ref = fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 0xffff_fffe }));
    const acts = fc.array(fc.record({ ref, isSet: fc.boolean() }), { maxLength: 60 });
    const property = fc.property(acts, (all) => {
      const table = new RefTable();
      const map = new Map<number, MemorySeries>();
      for (const { ref: one, isSet } of all) {
        if (isSet) {
          const series = new MemorySeries(one as SeriesRef, labels, undefined, 0);
          table.set(one, series);
          map.set(one, series);
        } else {
          table.delete(one);
          map.delete(one);
        }
        expect(table.get(one)).toBe(map.get(one));
        expect(table.size).toBe(map.size);
      }
      expect([...table.values()].map((series) => series.ref)).toEqual([...map.keys()].sort((a, b) => a - b));
    });
    fc.assert(property, { numRuns: 60 });
  });
});
