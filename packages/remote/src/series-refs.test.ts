import type { SeriesRef } from "@pleiad/head";
import fc from "fast-check";
import { expect, it } from "vitest";
import { SeriesRefs, SeriesRefsPool } from "./series-refs.ts";

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

it("a pool empties the tables that were unused for longest, whatever the number of tables", () => {
  const bytesMax = 2 << 20;
  const pool = new SeriesRefsPool(bytesMax);
  const tables = Array.from({ length: 200 }, () => new SeriesRefs());
  const key = (table: number, i: number) => new TextEncoder().encode(`tenant ${table} ${"x".repeat(100)} ${i}`);
  for (let round = 0; round < 3; round++) {
    for (const [number, table] of tables.entries()) {
      for (let i = 0; i < 100; i++) {
        const bytes = key(number, i);
        table.set(bytes, 0, bytes.length, ref(i));
      }
      pool.used(table);
      expect(pool.byteLength).toBeLessThanOrEqual(bytesMax);
      expect(pool.byteLength).toBeGreaterThan(table.byteLength - 1);
    }
  }
  const full = tables.map((table) => table.size > 0);
  // The last ones used are whole; all before them are empty, and good to be used again.
  expect(full.indexOf(true)).toBeGreaterThan(100);
  expect(full.slice(full.indexOf(true)).every(Boolean)).toBe(true);
  const first = tables[0];
  first?.set(key(0, 7), 0, 5, ref(3));
  expect(first?.find(key(0, 7), 0, 5)).toBe(3);
});

it("a table that is larger than its pool is emptied itself", () => {
  const pool = new SeriesRefsPool(50_000);
  const table = new SeriesRefs();
  const bytes = new Uint8Array(60_000);
  table.set(bytes, 0, bytes.length, ref(1));
  pool.used(table);
  expect([table.size, pool.byteLength]).toEqual([0, 0]);
});
