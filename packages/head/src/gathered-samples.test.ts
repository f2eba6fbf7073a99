import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatheredSamples } from "./gathered-samples.ts";

describe("gathered samples", () => {
  it("come by reference, those of one in their order, however far apart the references lie", () => {
    const near = fc.integer({ min: 1, max: 40 });
    const far = fc.integer({ min: 1, max: 0xffff_fffe });
    const property = fc.property(fc.array(fc.oneof(near, far), { maxLength: 300 }), fc.boolean(), (all, onlyNear) => {
      const refs = onlyNear ? all.map((ref) => (ref % 40) + 1) : all;
      const gathered = new GatheredSamples();
      for (const round of [0, 1]) {
        gathered.clear();
        for (const [i, ref] of refs.entries()) gathered.add(ref, 1e12 + i, -i - round, i);
        const places = [...gathered.placesByRef()];
        const wanted = refs.map((_, i) => i).sort((a, b) => (refs[a] ?? 0) - (refs[b] ?? 0) || a - b);
        expect(places).toEqual(wanted);
        for (const i of places) {
          expect([gathered.refs[i], gathered.timestampsMs[i]]).toEqual([refs[i], 1e12 + i]);
          expect([...gathered.words.subarray(2 * i, 2 * i + 2)]).toEqual([(-i - round) | 0, i]);
        }
      }
    });
    fc.assert(property, { numRuns: 60 });
  });
});
