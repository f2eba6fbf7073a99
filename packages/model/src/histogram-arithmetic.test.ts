import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compactHistogram, divideHistogram, histogramsEqual, multiplyHistogram } from "./histogram-arithmetic.ts";
import { exponentialHistograms, histogramOf } from "./histogram.testing.ts";

const histogram = histogramOf({ zeroThreshold: 0.5, zeroCount: 2, positive: { 1: 4, 3: 6 }, sum: 10 });

describe("scaling", () => {
  it("multiplies every count and the sum", () => {
    expect(multiplyHistogram(histogram, 2.5)).toEqual(
      histogramOf({ zeroThreshold: 0.5, zeroCount: 5, positive: { 1: 10, 3: 15 }, sum: 25 }),
    );
  });

  it("makes a gauge where the factor is negative", () => {
    expect(multiplyHistogram(histogram, -1).counterReset).toBe("gauge");
    expect(divideHistogram(histogram, -1).counterReset).toBe("gauge");
    expect(multiplyHistogram(histogram, 0).counterReset).toBe("unknown");
  });

  it("leaves no buckets after a division by zero", () => {
    expect(divideHistogram(histogram, 0)).toEqual(
      histogramOf({ zeroThreshold: 0.5, zeroCount: Infinity, count: Infinity, sum: Infinity }),
    );
  });

  it("is undone by dividing by a power of two", () => {
    fc.assert(
      fc.property(exponentialHistograms, (one) => {
        expect(histogramsEqual(divideHistogram(multiplyHistogram(one, 8), 8), one)).toBe(true);
      }),
    );
  });
});

describe("compacting", () => {
  it("drops empty buckets and joins spans that touch", () => {
    const spread = {
      ...histogramOf({}),
      positiveSpans: [
        { offset: 0, length: 2 },
        { offset: 0, length: 2 },
        { offset: 3, length: 0 },
        { offset: 1, length: 1 },
      ],
      positiveBuckets: Float64Array.of(0, 1, 2, 0, 3),
    };
    expect(compactHistogram(spread)).toEqual(histogramOf({ count: 0, positive: { 1: 1, 2: 2, 8: 3 } }));
  });

  it("gives the same object where there is nothing to do", () => {
    expect(compactHistogram(histogram)).toBe(histogram);
  });
});

describe("equality", () => {
  for (const [rule, other, equal] of [
    ["hints make no difference", { ...histogram, counterReset: "reset" }, true],
    [
      "nor do empty buckets",
      histogramOf({ zeroThreshold: 0.5, zeroCount: 2, positive: { 1: 4, 2: 0, 3: 6 }, sum: 10 }),
      true,
    ],
    ["the sum does", { ...histogram, sum: 11 }, false],
    ["the zero threshold does", { ...histogram, zeroThreshold: 0.25 }, false],
    ["the schema does", { ...histogram, schema: 1 }, false],
    ["a bucket does", histogramOf({ zeroThreshold: 0.5, zeroCount: 2, positive: { 1: 4, 4: 6 }, sum: 10 }), false],
  ] as const) {
    it(rule, () => expect(histogramsEqual(histogram, other)).toBe(equal));
  }

  it("holds between sums of NaN", () => {
    expect(histogramsEqual({ ...histogram, sum: NaN }, { ...histogram, sum: NaN })).toBe(true);
  });
});
