import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLoserTree } from "./loser-tree.ts";

/** Merges lists by a tree; gives what came out and the comparisons it took. */
function merge(lists: readonly (readonly number[])[]): { merged: number[]; comparisons: number } {
  const at = lists.map(() => 0);
  const head = (list: number) => lists[list]?.[at[list] ?? 0] ?? Infinity;
  let comparisons = 0;
  const tree = createLoserTree(lists.length, (a, b) => {
    comparisons++;
    return head(a) < head(b);
  });
  const merged: number[] = [];
  for (; head(tree.winner) !== Infinity; tree.replay()) {
    merged.push(head(tree.winner));
    at[tree.winner] = (at[tree.winner] ?? 0) + 1;
  }
  return { merged, comparisons };
}

describe("loser tree", () => {
  it("merges any sorted lists, with repeats among and in them", () => {
    const list = fc.array(fc.nat({ max: 30 }), { maxLength: 20 }).map((numbers) => numbers.sort((a, b) => a - b));
    fc.assert(
      fc.property(fc.array(list, { minLength: 1, maxLength: 9 }), (lists) => {
        expect(merge(lists).merged).toEqual(lists.flat().sort((a, b) => a - b));
      }),
      { numRuns: 300 },
    );
  });

  it("compares about once where lists have their numbers in a row", () => {
    const lists = Array.from({ length: 64 }, (_, list) => Array.from({ length: 100 }, (_, i) => list * 100 + i));
    const { merged, comparisons } = merge(lists);
    expect(merged).toHaveLength(6400);
    expect(comparisons).toBeLessThan(1.3 * 6400);
  });

  it("compares once a level where they take turns", () => {
    const lists = Array.from({ length: 64 }, (_, list) => Array.from({ length: 100 }, (_, i) => i * 64 + list));
    expect(merge(lists).comparisons).toBeLessThan(6.1 * 6400);
  });
});
