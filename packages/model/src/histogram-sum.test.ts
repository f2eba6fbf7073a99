import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addHistograms, compactHistogram, histogramsEqual, subtractHistograms } from "./histogram-arithmetic.ts";
import { hintsCollide, mergeHints } from "./histogram-hints.ts";
import { addToHistogramMean, histogramOfMean, startHistogramMean } from "./histogram-mean.ts";
import { addToHistogramSum, histogramOfSum, reduceToSchema, startHistogramSum } from "./histogram-sum.ts";
import { customHistograms, exponentialHistograms, histogramOf } from "./histogram.testing.ts";
import type { FloatHistogram } from "./histograms.ts";

const observed = ({ zeroCount, positiveBuckets, negativeBuckets }: FloatHistogram) =>
  [...positiveBuckets, ...negativeBuckets].reduce((sum, one) => sum + one, zeroCount);

describe("a sum of histograms", () => {
  const eitherKind = fc.oneof(
    fc.tuple(exponentialHistograms, exponentialHistograms),
    fc.tuple(customHistograms, customHistograms),
  );

  it("is the same whichever comes first", () => {
    fc.assert(
      fc.property(eitherKind, ([a, b]) => {
        const sum = addHistograms(a, b)?.histogram;
        const turned = addHistograms(b, a)?.histogram;
        expect(sum && turned && histogramsEqual(sum, turned)).toBe(true);
      }),
    );
  });

  it("loses no observation", () => {
    fc.assert(
      fc.property(eitherKind, ([a, b]) => {
        const sum = addHistograms(a, b)?.histogram;
        expect(sum && observed(sum)).toBe(observed(a) + observed(b));
        expect(sum?.count).toBe(a.count + b.count);
      }),
    );
  });

  it("less one of its parts is the other, in the layout of the sum", () => {
    fc.assert(
      fc.property(eitherKind, ([a, b]) => {
        const sum = addHistograms(a, b)?.histogram;
        const rest = sum && subtractHistograms(sum, b)?.histogram;
        // Added to nothing in the layout of the sum, the part takes that layout.
        const nothing = sum && subtractHistograms(sum, sum)?.histogram;
        const part = nothing && addHistograms(nothing, a)?.histogram;
        expect(rest && part && histogramsEqual(rest, part)).toBe(true);
      }),
    );
  });

  it("keeps the count when its schema is reduced", () => {
    fc.assert(
      fc.property(exponentialHistograms, fc.integer({ min: -4, max: 8 }), (histogram, schema) => {
        const sum = startHistogramSum(histogram);
        reduceToSchema(sum, schema);
        expect(sum.schema).toBe(Math.min(schema, histogram.schema));
        expect(observed(histogramOfSum(sum))).toBe(observed(histogram));
      }),
    );
  });

  it("leaves what is added as it was", () => {
    fc.assert(
      fc.property(eitherKind, ([a, b]) => {
        const before = structuredClone([a, b]);
        addHistograms(a, b);
        subtractHistograms(b, a);
        expect([a, b]).toEqual(before);
      }),
    );
  });

  for (const [rule, left, right, sum] of [
    [
      "buckets of a finer schema are merged",
      { schema: 1, positive: { 1: 1, 2: 2, 3: 4 } },
      { schema: 0, positive: { 1: 10 } },
      { schema: 0, positive: { 1: 13, 2: 4 } },
    ],
    [
      "the wider zero bucket takes buckets in whole",
      { zeroThreshold: 1, zeroCount: 3 },
      { zeroThreshold: 0.25, zeroCount: 1, positive: { 0: 2, 1: 4 }, negative: { 0: 8 } },
      { zeroThreshold: 1, zeroCount: 14, positive: { 1: 4 } },
    ],
    [
      "a zero threshold within a bucket that has observations moves to its end, for both",
      { zeroThreshold: 0.75, zeroCount: 3, positive: { 1: 1 } },
      { zeroCount: 1, positive: { 0: 2, 2: 4 } },
      { zeroThreshold: 1, zeroCount: 6, positive: { 1: 1, 2: 4 } },
    ],
    [
      "an empty bucket there does not hold it up",
      { zeroThreshold: 0.75, zeroCount: 3 },
      { zeroCount: 1, positive: { 0: 0, 2: 4 } },
      { zeroThreshold: 0.75, zeroCount: 4, positive: { 2: 4 } },
    ],
    [
      "custom bounds that only one has are dropped",
      { bounds: [1, 2, 5], positive: { 0: 1, 1: 2, 2: 4, 3: 8 } },
      { bounds: [2, 3, 5], positive: { 0: 10, 1: 20, 2: 40, 3: 80 } },
      { bounds: [2, 5], positive: { 0: 13, 1: 64, 2: 88 } },
    ],
  ] as const) {
    it(rule, () => {
      const total = addHistograms(histogramOf(left), histogramOf(right));
      expect(total?.histogram).toEqual(histogramOf(sum));
      expect(total?.boundsReconciled).toBe(rule.startsWith("custom"));
    });
  }

  it("is none of custom and exponential buckets", () => {
    const custom = histogramOf({ bounds: [1], positive: { 0: 1 } });
    expect(addHistograms(custom, histogramOf({ positive: { 0: 1 } }))).toBeUndefined();
    expect(addToHistogramSum(startHistogramSum(custom), histogramOf({}))).toBe("incompatible");
  });

  it("keeps small counts beside large ones", () => {
    const sum = startHistogramSum(histogramOf({ positive: { 0: 1 } }));
    addToHistogramSum(sum, histogramOf({ positive: { 0: 1e100 } }));
    addToHistogramSum(sum, histogramOf({ positive: { 0: 1 } }));
    addToHistogramSum(sum, histogramOf({ positive: { 0: 1e100 } }), -1);
    expect(histogramOfSum(sum)).toEqual(histogramOf({ positive: { 0: 2 } }));
  });
});

describe("a mean of histograms", () => {
  it("is the sum divided", () => {
    const mean = startHistogramMean(histogramOf({ positive: { 0: 1 }, sum: 3 }));
    addToHistogramMean(mean, histogramOf({ positive: { 0: 2, 1: 4 }, sum: 5 }));
    expect(histogramOfMean(mean)).toEqual(histogramOf({ positive: { 0: 1.5, 1: 2 }, sum: 4 }));
  });

  it("does not overflow where the sum would", () => {
    const large = histogramOf({ positive: { 0: Number.MAX_VALUE }, sum: Number.MAX_VALUE });
    const mean = startHistogramMean(large);
    addToHistogramMean(mean, large);
    addToHistogramMean(mean, large);
    expect(compactHistogram(histogramOfMean(mean)).positiveBuckets[0]).toBeCloseTo(Number.MAX_VALUE, -300);
    expect(histogramOfMean(mean).sum).toBeLessThan(Infinity);
  });
});

describe("hints", () => {
  for (const [left, right, merged, collide] of [
    ["reset", "reset", "reset", false],
    ["not-reset", "not-reset", "not-reset", false],
    ["unknown", "reset", "unknown", false],
    ["unknown", "not-reset", "unknown", false],
    ["gauge", "reset", "gauge", false],
    ["gauge", "unknown", "gauge", false],
    ["reset", "not-reset", "unknown", true],
  ] as const) {
    it(`${left} and ${right} make ${merged}`, () => {
      for (const [a, b] of [
        [left, right],
        [right, left],
      ] as const) {
        expect(mergeHints(a, b)).toBe(merged);
        expect(hintsCollide(a, b)).toBe(collide);
      }
    });
  }
});
