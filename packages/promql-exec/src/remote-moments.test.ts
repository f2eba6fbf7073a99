/** Variances of shares: that of all samples to 1e-12, or nothing. */
import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { createAccumulator } from "./accumulators.ts";
import { mergeVariances, type Moments } from "./remote-moments.ts";

function aggregateOf(kind: "count" | "avg" | "stdvar", values: readonly number[]): number {
  const accumulator = createAccumulator(kind, 1);
  for (const value of values) accumulator.add(0, value);
  return accumulator.result(0, NaN);
}

function momentsOf(values: readonly number[]): Moments {
  return {
    count: aggregateOf("count", values),
    mean: aggregateOf("avg", values),
    variance: aggregateOf("stdvar", values),
  };
}

const cases: readonly (readonly [
  rule: string,
  shares: readonly (readonly number[])[],
  variance: number | undefined,
])[] = [
  ["one share is passed on", [[1, 2, 3, 4]], 1.25],
  ["shares of one sample each", [[1], [3]], 1],
  ["shares of different sizes", [[1, 2, 3], [4]], 1.25],
  ["equal whole numbers have none", [[7, 7, 7], [7]], 0],
  [
    "zeros have none",
    [
      [0, 0],
      [0, 0, 0],
    ],
    0,
  ],
  ["single equal samples have none", [[0.1], [0.1]], 0],
  ["of others, averages may be rounded to the same", [[0.1, 0.1, 0.1], [0.1]], undefined],
  ["but not within one share", [[0.1, 0.1, 0.1]], 0],
  [
    "NaN spreads",
    [
      [1, NaN],
      [2, 3],
    ],
    NaN,
  ],
  ["infinity is no number to deviate from", [[1, 2], [Infinity]], NaN],
  ["nor is its negative, with the other", [[-Infinity, Infinity], [2]], NaN],
  ["squares too large for a number depend on their order", [[1e200, -1e200], [1]], undefined],
  ["so do differences", [[1.7e308, -1.7e308], [1]], undefined],
  ["squares too small for one have lost digits", [[1e-150, 2e-150], [3e-150]], undefined],
  ["a deviation far below the mean is one of roundings", [[1e9, 1e9 + 1], [1e9 + 2]], undefined],
  ["also within one share", [[1e9, 1e9 + 1]], undefined],
];

describe("variance of shares", () => {
  for (const [rule, shares, variance] of cases) {
    it(rule, () => {
      const merged = mergeVariances(shares.map(momentsOf));
      expect(merged).toEqual(variance);
      if (merged !== undefined) expect(aggregateOf("stdvar", shares.flat())).toEqual(variance);
    });
  }

  it("what is no count of samples gives none", () => {
    for (const count of [0, -1, NaN]) expect(mergeVariances([{ count, mean: 1, variance: 1 }])).toBeUndefined();
  });

  it("is that of all samples to 1e-12, or none, whatever the mean, the deviation and the sizes", () => {
    let mergedCount = 0;
    for (let seed = 0; seed < 1_000; seed++) {
      const random = seededRandom(seed);
      const uniform = () => random.uint32() / 2 ** 32;
      const mean = 10 ** (random.int(12) - 4);
      const deviation = mean * 10 ** (1 - random.int(7));
      const isSorted = random.int(4) === 0;
      const shares = Array.from({ length: 1 + random.int(30) }, () => {
        const shift = random.int(3) === 0 ? deviation * 10 * uniform() : 0;
        const size = 1 + random.int(random.int(5) === 0 ? 2_000 : 50);
        const values = Array.from({ length: size }, () => mean + shift + deviation * (uniform() + uniform() - 1));
        return isSorted ? values.sort((a, b) => a - b) : values;
      });
      const merged = mergeVariances(shares.map(momentsOf));
      if (merged === undefined) continue;
      const whole = aggregateOf("stdvar", shares.flat());
      mergedCount++;
      const difference = whole === merged ? 0 : Math.abs(merged - whole) / whole;
      expect([seed, difference < 1e-12]).toEqual([seed, true]);
    }
    expect(mergedCount).toBeGreaterThan(400);
  });
});
