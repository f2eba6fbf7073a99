import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutPieces, withoutPieces, withPiece, type TimePiece } from "./time-pieces.ts";

const pieces = (...pairs: readonly (readonly [number, number])[]): readonly TimePiece[] =>
  pairs.map(([fromMs, untilMs]) => ({ fromMs, untilMs }));
const pairsOf = (list: readonly TimePiece[]) => list.map(({ fromMs, untilMs }) => [fromMs, untilMs]);
const instants = (list: readonly TimePiece[]) =>
  list.flatMap(({ fromMs, untilMs }) => Array.from({ length: untilMs - fromMs }, (_, i) => fromMs + i));

describe("pieces of time", () => {
  for (const [rule, known, piece, all] of [
    ["a first one", [], [4, 6], [[4, 6]]],
    [
      "one that touches others joins them",
      [
        [0, 4],
        [6, 9],
      ],
      [4, 6],
      [[0, 9]],
    ],
    [
      "one apart stays apart",
      [[6, 9]],
      [0, 4],
      [
        [0, 4],
        [6, 9],
      ],
    ],
    ["one that is there changes nothing", [[0, 9]], [4, 6], [[0, 9]]],
  ] as const) {
    it(`with one more: ${rule}`, () => {
      const [fromMs, untilMs] = piece;
      expect(pairsOf(withPiece(pieces(...known), { fromMs, untilMs }))).toEqual(all);
    });
  }

  it("are cut where a range ends, whatever they begin and end with", () => {
    expect(pairsOf(cutPieces(pieces([3, 21], [30, 40]), 10))).toEqual([
      [3, 10],
      [10, 20],
      [20, 21],
      [30, 40],
    ]);
  });

  it("missing are those that are wanted and not there, instant by instant", () => {
    const list = fc
      .array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 12 })), { maxLength: 6 })
      .map((found) =>
        found.reduce((all, [fromMs, length]) => withPiece(all, { fromMs, untilMs: fromMs + length }), pieces()),
      );
    fc.assert(
      fc.property(list, list, (wanted, taken) => {
        const isTaken = new Set(instants(taken));
        const missing = instants(wanted).filter((instant) => !isTaken.has(instant));
        expect(instants(withoutPieces(wanted, taken))).toEqual(missing);
      }),
      { numRuns: 300 },
    );
  });
});
