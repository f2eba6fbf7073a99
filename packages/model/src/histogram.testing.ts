/** Native histograms for tests: short ones written by hand, and arbitrary ones. */
import fc from "fast-check";
import { customBoundsSchema } from "./histogram-buckets.ts";
import { spansOf } from "./histogram-sum.ts";
import type { FloatHistogram } from "./histograms.ts";

/** The buckets of one side: index → count. */
export type BucketCounts = Readonly<Record<number, number>>;

export interface HistogramParts extends Partial<
  Pick<FloatHistogram, "schema" | "zeroThreshold" | "zeroCount" | "sum">
> {
  readonly positive?: BucketCounts;
  readonly negative?: BucketCounts;
  readonly bounds?: readonly number[]; // custom ones
  readonly counterReset?: FloatHistogram["counterReset"];
  readonly count?: number; // default: that of all buckets
}

export function histogramOf(parts: HistogramParts): FloatHistogram {
  const [positiveSpans, positiveBuckets] = sideOf(parts.positive ?? {});
  const [negativeSpans, negativeBuckets] = sideOf(parts.negative ?? {});
  const zeroCount = parts.zeroCount ?? 0;
  const total = [...positiveBuckets, ...negativeBuckets].reduce((sum, one) => sum + one, zeroCount);
  return {
    schema: parts.bounds === undefined ? (parts.schema ?? 0) : customBoundsSchema,
    zeroThreshold: parts.zeroThreshold ?? 0,
    zeroCount,
    count: parts.count ?? total,
    sum: parts.sum ?? 0,
    positiveSpans,
    positiveBuckets,
    negativeSpans,
    negativeBuckets,
    customBounds: Float64Array.from(parts.bounds ?? []),
    counterReset: parts.counterReset ?? "unknown",
  };
}

function sideOf(buckets: BucketCounts) {
  const indices = Object.keys(buckets)
    .map(Number)
    .sort((a, b) => a - b);
  return [spansOf(Int32Array.from(indices)), Float64Array.from(indices, (index) => buckets[index] ?? 0)] as const;
}

/** Counts are whole numbers, so that sums of them are exact. */
export const exponentialHistograms: fc.Arbitrary<FloatHistogram> = fc
  .record({
    schema: fc.integer({ min: -4, max: 8 }),
    zeroThreshold: fc.constantFrom(0, 2 ** -20, 0.25, 1),
    zeroCount: fc.integer({ min: 0, max: 50 }),
    sum: fc.integer({ min: -1000, max: 1000 }),
    positive: bucketCounts(-40, 40),
    negative: bucketCounts(-40, 40),
  })
  .map(histogramOf);

export const customHistograms: fc.Arbitrary<FloatHistogram> = fc
  .record({
    bounds: fc.uniqueArray(fc.integer({ min: -5, max: 15 }), { minLength: 1, maxLength: 8 }),
    positive: bucketCounts(0, 8),
    sum: fc.integer({ min: -1000, max: 1000 }),
  })
  .map(({ bounds, positive, sum }) => {
    const sorted = bounds.sort((a, b) => a - b);
    // There is one bucket more than there are bounds.
    const inside = Object.entries(positive).filter(([index]) => Number(index) <= sorted.length);
    return histogramOf({ bounds: sorted, positive: Object.fromEntries(inside), sum });
  });

function bucketCounts(indexMin: number, indexMax: number): fc.Arbitrary<Record<number, number>> {
  return fc
    .uniqueArray(fc.tuple(fc.integer({ min: indexMin, max: indexMax }), fc.integer({ min: 0, max: 100 })), {
      selector: ([index]) => index,
      maxLength: 12,
    })
    .map((entries) => Object.fromEntries(entries));
}
