import { describe, expect, it } from "vitest";
import { bucketColumns, bucketUpperBound, customBoundsSchema } from "./histogram-buckets.ts";
import { formatHistogram } from "./histogram-text.ts";
import { histogramOf } from "./histogram.testing.ts";

const noBounds = new Float64Array(0);

describe("bounds", () => {
  for (const [rule, schema, index, bound] of [
    ["schema 0 has powers of two", 0, 3, 8],
    ["a finer schema has roots of two between them", 1, 1, Math.SQRT2],
    ["and the powers themselves, exactly", 8, 512, 4],
    ["a coarser schema leaves powers out", -2, 1, 16],
    ["below 1", 3, -8, 0.5],
    ["the last bucket of finite numbers ends at the largest", 0, 1024, Number.MAX_VALUE],
    ["in every schema", 3, 8192, Number.MAX_VALUE],
    ["beyond are infinities", 0, 1025, Infinity],
  ] as const) {
    it(rule, () => expect(bucketUpperBound(schema, index, noBounds)).toBe(bound));
  }

  it("custom ones are as they are given, from -Inf to +Inf", () => {
    const bounds = Float64Array.of(-1, 2);
    expect([-1, 0, 1, 2].map((index) => bucketUpperBound(customBoundsSchema, index, bounds))).toEqual([
      -Infinity,
      -1,
      2,
      Infinity,
    ]);
  });
});

describe("the columns of buckets", () => {
  it("ascend, without empty ones", () => {
    const { lowers, uppers, counts } = bucketColumns(
      histogramOf({ zeroThreshold: 0.25, zeroCount: 3, positive: { 0: 4, 2: 0, 5: 5 }, negative: { 1: 2, 3: 1 } }),
    );
    expect([...lowers]).toEqual([-8, -2, -0.25, 0.5, 16]);
    expect([...uppers]).toEqual([-4, -1, 0.25, 1, 32]);
    expect([...counts]).toEqual([1, 2, 3, 4, 5]);
  });

  it("begin and end at the zero bucket where that overlaps them", () => {
    const { lowers, uppers } = bucketColumns(
      histogramOf({ zeroThreshold: 0.75, zeroCount: 1, positive: { 0: 1 }, negative: { 0: 1 } }),
    );
    expect([...lowers]).toEqual([-1, -0.75, 0.75]);
    expect([...uppers]).toEqual([-0.75, 0.75, 1]);
  });
});

describe("the text of a histogram", () => {
  for (const [rule, histogram, text] of [
    [
      "brackets show which bounds belong to a bucket",
      histogramOf({ zeroThreshold: 0.001, zeroCount: 2, positive: { 1: 2 }, negative: { 1: 2 }, sum: 10 }),
      "{count:6, sum:10, [-2,-1):2, [-0.001,0.001]:2, (1,2]:2}",
    ],
    [
      "the first custom bucket has both",
      histogramOf({ bounds: [0.5], positive: { 0: 1.5, 1: 2e6 } }),
      "{count:2.0000015e+06, sum:0, [-Inf,0.5]:1.5, (0.5,+Inf]:2e+06}",
    ],
    ["nothing but the totals of an empty one", histogramOf({}), "{count:0, sum:0}"],
  ] as const) {
    it(rule, () => expect(formatHistogram(histogram)).toBe(text));
  }
});
