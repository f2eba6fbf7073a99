import { labelsFromRecord } from "@pleiad/model";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { ClosedChunk } from "./head-chunk-file.ts";
import { MemorySeries, type SeriesRef } from "./memory-series.ts";

it("takes closed chunks together as it takes them one by one, in whatever order they come", () => {
  const page = new Uint8Array(0);
  const time = fc.tuple(fc.nat(9), fc.nat(3));
  const chunk = time.map(([minTimeMs, spanMs]): ClosedChunk => {
    return { minTimeMs, maxTimeMs: minTimeMs + spanMs, encoding: 1, page, offset: 0, length: 0 };
  });
  const byTime = (a: ClosedChunk, b: ClosedChunk) => a.minTimeMs - b.minTimeMs;
  const chunks = fc.array(chunk, { maxLength: 6 });
  const ordered = chunks.map((some) => some.toSorted(byTime));
  fc.assert(
    fc.property(fc.array(fc.oneof(chunks, ordered), { maxLength: 4 }), (lots) => {
      const labels = labelsFromRecord({ __name__: "up" });
      const [together, single] = [1, 2].map((ref) => new MemorySeries(ref as SeriesRef, labels, undefined, 0));
      for (const lot of lots) {
        together?.insertAll(lot);
        for (const one of lot) single?.insert(one);
      }
      expect(together?.closed).toEqual(single?.closed);
    }),
  );
});
