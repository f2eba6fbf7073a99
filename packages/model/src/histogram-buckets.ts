/** The buckets of a native histogram with their bounds, from the lowest to the highest. */
import type { BucketSpan, FloatHistogram } from "./histograms.ts";

/** The schema of histograms whose bounds are their own instead of powers of two. */
export const customBoundsSchema = -53;

export function hasCustomBounds({ schema }: Pick<FloatHistogram, "schema">): boolean {
  return schema === customBoundsSchema;
}

/**
 * Buckets with observations, ascending, one a place in each column. A bucket that the zero bucket overlaps begins or ends
 * at the zero threshold.
 */
export interface BucketColumns {
  readonly lowers: Float64Array;
  readonly uppers: Float64Array;
  readonly counts: Float64Array;
}

export function bucketColumns(histogram: FloatHistogram): BucketColumns {
  const { schema, zeroThreshold, zeroCount, customBounds } = histogram;
  const size = histogram.negativeBuckets.length + histogram.positiveBuckets.length + 1;
  const lowers = new Float64Array(size);
  const uppers = new Float64Array(size);
  const counts = new Float64Array(size);
  let filled = 0;
  const put = (lower: number, upper: number, count: number) => {
    lowers[filled] = lower;
    uppers[filled] = upper;
    counts[filled++] = count;
  };
  eachBucketDescending(histogram.negativeSpans, histogram.negativeBuckets, (index, count) => {
    if (count === 0) return;
    const upper = -bucketUpperBound(schema, index - 1, customBounds);
    const overlaps = upper < 0 && upper > -zeroThreshold;
    put(-bucketUpperBound(schema, index, customBounds), overlaps ? -zeroThreshold : upper, count);
  });
  if (zeroCount > 0 && schema !== customBoundsSchema) put(-zeroThreshold, zeroThreshold, zeroCount);
  eachBucket(histogram.positiveSpans, histogram.positiveBuckets, (index, count) => {
    if (count === 0) return;
    const lower = bucketUpperBound(schema, index - 1, customBounds);
    const overlaps = lower > 0 && lower < zeroThreshold;
    put(overlaps ? zeroThreshold : lower, bucketUpperBound(schema, index, customBounds), count);
  });
  return {
    lowers: lowers.subarray(0, filled),
    uppers: uppers.subarray(0, filled),
    counts: counts.subarray(0, filled),
  };
}

/** Which bounds belong to a bucket, as the API numbers it: 0 the upper, 1 the lower, 3 both. */
export function bucketBoundary(schema: number, lower: number, upper: number): BucketBoundary {
  // The first custom bucket has no other before it.
  if (schema === customBoundsSchema) return lower === -Infinity ? 3 : 0;
  if (lower <= 0 && upper >= 0) return 3;
  // The bound further from zero belongs to the bucket.
  return lower < 0 ? 1 : 0;
}

export type BucketBoundary = 0 | 1 | 3;

/** Visits the buckets of one side by ascending index. */
export function eachBucket(
  spans: readonly BucketSpan[],
  counts: Float64Array,
  visit: (index: number, count: number) => void,
): void {
  let index = 0;
  let place = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) visit(index++, counts[place++] ?? 0);
  }
}

function eachBucketDescending(
  spans: readonly BucketSpan[],
  counts: Float64Array,
  visit: (index: number, count: number) => void,
): void {
  let index = 0;
  for (const { offset, length } of spans) index += offset + length;
  let place = counts.length;
  for (let s = spans.length - 1; s >= 0; s--) {
    const { offset, length } = spans[s] ?? { offset: 0, length: 0 };
    for (let i = 0; i < length; i++) visit(--index, counts[--place] ?? 0);
    index -= offset;
  }
}

/** Upper bound of bucket `index` on the positive side; that of `index - 1` is its lower one. */
export function bucketUpperBound(schema: number, index: number, customBounds: Float64Array): number {
  if (schema === customBoundsSchema) return index < 0 ? -Infinity : (customBounds[index] ?? Infinity);
  if (schema <= 0) return powerOfTwo(index * 2 ** -schema);
  const perOctave = 1 << schema;
  const octave = Math.floor(index / perOctave);
  const fraction = fractionsOf(schema)[index - octave * perOctave] ?? NaN;
  return fraction === 1 ? powerOfTwo(octave) : fraction * 2 ** octave;
}

/** The last bucket of finite numbers ends at the largest of them; only the next one is for infinities. */
function powerOfTwo(exponent: number): number {
  return exponent === 1024 ? Number.MAX_VALUE : 2 ** exponent;
}

const fractionTables: (Float64Array | undefined)[] = [];

/** The bounds from 1 up to below 2. */
function fractionsOf(schema: number): Float64Array {
  return (fractionTables[schema] ??= Float64Array.from({ length: 1 << schema }, (_, i) => 2 ** (i / (1 << schema))));
}
