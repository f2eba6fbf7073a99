import type { SeriesRef } from "@pleiad/head";
import fc from "fast-check";
import { expect, it } from "vitest";
import { SeriesRefs } from "./series-refs.ts";

const ref = (number: number) => number as SeriesRef;

it("finds by bytes what was set last, wherever they lie, and never another's", () => {
  const key = fc.uint8Array({ maxLength: 6, max: 2 });
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.nat(5)), { maxLength: 60 }), (steps) => {
      const refs = new SeriesRefs();
      const model = new Map<string, number>();
      steps.forEach(([bytes, shift], i) => {
        const shifted = new Uint8Array(bytes.length + shift + 1).fill(9);
        shifted.set(bytes, shift);
        expect(refs.find(shifted, shift, shift + bytes.length)).toBe(model.get(bytes.join()));
        refs.set(shifted, shift, shift + bytes.length, ref(i));
        model.set(bytes.join(), i);
        expect(refs.size).toBe(model.size);
      });
    }),
    { numRuns: 200 },
  );
});

it("keeps thousands", () => {
  const refs = new SeriesRefs();
  const keys = Array.from({ length: 5000 }, (_, i) => new TextEncoder().encode(`series ${i}`));
  keys.forEach((bytes, i) => refs.set(bytes, 0, bytes.length, ref(i)));
  expect(keys.every((bytes, i) => refs.find(bytes, 0, bytes.length) === i)).toBe(true);
});

for (const [bound, options] of [
  ["entries", { entriesMax: 3, bytesMax: 100 }],
  ["bytes", { entriesMax: 100, bytesMax: 6 }],
] as const) {
  it(`is bounded by its ${bound}: full, it starts over`, () => {
    const refs = new SeriesRefs(options);
    const keys = [1, 2, 3, 4].map((n) => Uint8Array.of(n, n));
    keys.forEach((bytes, i) => refs.set(bytes, 0, 2, ref(i)));
    expect(keys.map((bytes) => refs.find(bytes, 0, 2))).toEqual([undefined, undefined, undefined, 3]);
    refs.set(new Uint8Array(200), 0, 200, ref(9));
    expect(refs.find(new Uint8Array(200), 0, 200)).toBeUndefined();
  });
}
