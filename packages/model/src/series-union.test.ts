import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLoserTree } from "./loser-tree.ts";
import type { SourceChunk } from "./series-source.ts";
import { areSortedChunks, compareChunks, uniteChunks } from "./series-union.ts";

const chunk = (minTimeMs: number, maxTimeMs: number, ...data: readonly number[]): SourceChunk => ({
  minTimeMs,
  maxTimeMs,
  content: { kind: "raw", encoding: 1, data: Uint8Array.from(data) },
});

describe("chunks of one series from two sources", () => {
  const sum = (...data: readonly number[]): SourceChunk => ({
    minTimeMs: 0,
    maxTimeMs: 9,
    content: { kind: "aggregates", of: new Map([["sum", { encoding: 1, data: Uint8Array.from(data) }]]) },
  });
  for (const [rule, a, b, united] of [
    ["one after the other", [chunk(0, 9, 1)], [chunk(10, 19, 2)], [chunk(0, 9, 1), chunk(10, 19, 2)]],
    [
      "sorted by start, then by end",
      [chunk(5, 9, 1)],
      [chunk(0, 9, 2), chunk(5, 7, 3)],
      [chunk(0, 9, 2), chunk(5, 7, 3), chunk(5, 9, 1)],
    ],
    [
      "the same chunk stays once",
      [chunk(0, 9, 1), chunk(10, 19, 2)],
      [chunk(0, 9, 1), chunk(10, 19, 2)],
      [chunk(0, 9, 1), chunk(10, 19, 2)],
    ],
    ["the same times with other bytes stay both", [chunk(0, 9, 1)], [chunk(0, 9, 2)], [chunk(0, 9, 1), chunk(0, 9, 2)]],
    [
      "the same bytes among others of those times stay once",
      [chunk(0, 9, 1), chunk(0, 9, 2)],
      [chunk(0, 9, 1)],
      [chunk(0, 9, 1), chunk(0, 9, 2)],
    ],
    ["aggregates are compared one by one", [sum(1)], [sum(1)], [sum(1)]],
    ["aggregates that differ stay both", [sum(1)], [sum(2)], [sum(1), sum(2)]],
    ["aggregates are no raw samples", [sum(1)], [chunk(0, 9, 1)], [sum(1), chunk(0, 9, 1)]],
  ] as const) {
    it(rule, () => expect(uniteChunks(a, b)).toEqual(united));
  }

  it("of any times come out sorted, none lost", () => {
    const chunks = fc
      .array(fc.tuple(fc.nat(5), fc.nat(5), fc.nat(2)), { maxLength: 8 })
      .map((all) => all.map(([from, span, byte]) => chunk(from, from + span, byte)).sort(compareChunks));
    fc.assert(
      fc.property(chunks, chunks, (a, b) => {
        const united = uniteChunks(a, b);
        expect(areSortedChunks(united)).toBe(true);
        for (const one of [...a, ...b]) expect(united).toContainEqual(one);
        for (const one of united) expect([...a, ...b]).toContainEqual(one);
      }),
    );
  });
});

describe("loser tree", () => {
  it("merges any number of sorted lists", () => {
    const lists = fc.array(
      fc.array(fc.nat(50)).map((list) => list.sort((a, b) => a - b)),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(lists, (all) => {
        const at = all.map(() => 0);
        const head = (i: number) => all[i]?.[at[i] ?? 0] ?? Infinity;
        const tree = createLoserTree(all.length, (a, b) => head(a) < head(b));
        const merged: number[] = [];
        for (let next = head(tree.winner); next !== Infinity; next = head(tree.winner)) {
          merged.push(next);
          at[tree.winner] = (at[tree.winner] ?? 0) + 1;
          tree.replay();
        }
        expect(merged).toEqual(all.flat().sort((a, b) => a - b));
      }),
    );
  });
});
