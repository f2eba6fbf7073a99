import { describe, expect, it } from "vitest";
import { pairsOf } from "./joined-rows.ts";

/** Matches are numbers; the result of a pair is the number that `results` has for its series of the many side. */
function pairs(many: readonly number[], one: readonly number[], results: readonly number[], isOneToOne = true) {
  const table = {
    matchCount: Math.max(...many, ...one) + 1,
    matchLabels: [],
    leftMatches: Uint32Array.from(many),
    rightMatches: Uint32Array.from(one),
  };
  const none = new Uint32Array(0);
  const ofPair = (manyId: number) => results[manyId] ?? -1;
  return pairsOf(table, { labels: [], dropsName: undefined, ofPair, ofMany: none, ofOne: none }, isOneToOne);
}

describe("labels tell all pairs", () => {
  it("where each series has one partner or none", () => {
    expect(pairs([0, 1, 2], [2, 0], [0, -1, 1])).toEqual({
      oneOf: Int32Array.of(1, -1, 0),
      resultOf: Int32Array.of(0, -1, 1),
    });
  });

  it("where several of the many side have the same partner and are told apart by their labels", () => {
    expect(pairs([0, 0], [0], [0, 1], false)).toEqual({ oneOf: Int32Array.of(0, 0), resultOf: Int32Array.of(0, 1) });
  });

  for (const [rule, many, one, results, isOneToOne] of [
    ["two series may be the partner of one", [0], [0, 0], [0], true],
    ["two series may meet one partner, which is an error at a step that has both", [0, 0], [0], [0, 0], true],
    ["two pairs give one result, which is an error at a step that has both", [0, 1], [0, 1], [0, 0], false],
  ] as const) {
    it(`but not where ${rule}`, () => expect(pairs(many, one, results, isOneToOne)).toBeUndefined());
  }
});
