/** The buckets of a native histogram with their bounds, from the lowest to the highest, as the API lists them. */
import type { BucketSpan, FloatHistogram } from "@pleiad/model";

/** Which bounds belong to the bucket: 0 `(lower, upper]`, 1 `[lower, upper)`, 2 neither, 3 both. */
export type BucketBoundary = 0 | 1 | 2 | 3;

export interface HistogramBucket {
  readonly boundary: BucketBoundary;
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

export const customBoundsSchema = -53;

/** Buckets without observations are left out. */
export function listBuckets(histogram: FloatHistogram): readonly HistogramBucket[] {
  const { schema, zeroThreshold, zeroCount, customBounds } = histogram;
  const negative: HistogramBucket[] = [];
  forEachBucket(histogram.negativeSpans, histogram.negativeBuckets, (index, count) => {
    const lower = -upperBound(schema, index, customBounds);
    negative.push({ boundary: 1, lower, upper: -upperBound(schema, index - 1, customBounds), count });
  });
  const buckets = negative.reverse();
  if (zeroCount !== 0) {
    buckets.push({ boundary: 3, lower: -zeroThreshold, upper: zeroThreshold, count: zeroCount });
  }
  forEachBucket(histogram.positiveSpans, histogram.positiveBuckets, (index, count) => {
    // The first custom bucket starts at -Inf, which it includes.
    const boundary = schema === customBoundsSchema && index === 0 ? 3 : 0;
    const upper = upperBound(schema, index, customBounds);
    buckets.push({ boundary, lower: upperBound(schema, index - 1, customBounds), upper, count });
  });
  return buckets;
}

function forEachBucket(
  spans: readonly BucketSpan[],
  counts: Float64Array,
  visit: (index: number, count: number) => void,
): void {
  let index = 0;
  let at = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++, index++) {
      const count = counts[at++] ?? 0;
      if (count !== 0) visit(index, count);
    }
  }
}

/** Upper bound of bucket `index`; that of `index - 1` is its lower one. */
function upperBound(schema: number, index: number, customBounds: Float64Array): number {
  if (schema === customBoundsSchema) return index < 0 ? -Infinity : (customBounds[index] ?? Infinity);
  const exponent = index * 2 ** -schema;
  // The last bucket of finite numbers ends at the largest of them; only the next one is for infinities.
  return exponent === 1024 ? Number.MAX_VALUE : 2 ** exponent;
}
