/** Trimming of native histograms: the operators `</` and `>/`. */
import { compactHistogram } from "./histogram-arithmetic.ts";
import { bucketUpperBound, customBoundsSchema, eachBucket } from "./histogram-buckets.ts";
import { fractionBelow } from "./histogram-quantile.ts";
import type { FloatHistogram } from "./histograms.ts";

/** Which observations stay: those below the limit, or those above it. */
export type TrimSide = "below" | "above";

/** What stays of a bucket: how many observations, and the value that stands for each of them in the sum. */
interface Remainder {
  readonly count: number;
  readonly middle: number;
}

interface Bucket {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/**
 * The histogram without the observations on the other side of `limit`, estimated within the bucket that has it. Where
 * anything is cut off, count and sum are estimated from what is left.
 */
export function trimHistogram(histogram: FloatHistogram, limit: number, side: TrimSide): FloatHistogram {
  const { schema, customBounds, zeroCount, zeroThreshold } = histogram;
  const isCustom = schema === customBoundsSchema;
  let count = 0;
  let sum = 0;
  let isTrimmed = false;
  const keep = (before: number, rest: Remainder) => {
    count += rest.count;
    sum += rest.middle * rest.count;
    if (rest.count !== before) isTrimmed = true;
    return rest.count;
  };
  const trimSide = (spans: FloatHistogram["positiveSpans"], buckets: Float64Array, sign: 1 | -1) => {
    const kept = buckets.slice();
    let place = 0;
    eachBucket(spans, buckets, (index, before) => {
      const near = sign * bucketUpperBound(schema, index - 1, customBounds);
      const far = sign * bucketUpperBound(schema, index, customBounds);
      const bucket = { lower: Math.min(near, far), upper: Math.max(near, far), count: before };
      if (before !== 0) kept[place] = keep(before, restOfBucket(bucket, limit, side, isCustom ? "linear" : sign));
      place++;
    });
    return kept;
  };
  const positiveBuckets = trimSide(histogram.positiveSpans, histogram.positiveBuckets, 1);
  const negativeBuckets = trimSide(histogram.negativeSpans, histogram.negativeBuckets, -1);
  let keptZeroCount = zeroCount;
  if (zeroCount > 0) {
    const hasNegative = histogram.negativeBuckets.some((one) => one !== 0);
    const hasPositive = histogram.positiveBuckets.some((one) => one !== 0);
    // Where all other buckets are on one side of zero, so are the observations of the zero bucket.
    const lower = hasPositive && !hasNegative ? 0 : -zeroThreshold;
    const upper = hasNegative && !hasPositive ? 0 : zeroThreshold;
    keptZeroCount = keep(zeroCount, restOfZeroBucket({ lower, upper, count: zeroCount }, limit, side));
  }
  if (!isTrimmed) return histogram;
  return compactHistogram({ ...histogram, zeroCount: keptZeroCount, count, sum, positiveBuckets, negativeBuckets });
}

/** How values are spread within a bucket: evenly, or on a logarithmic scale on either side of zero. */
type Spread = "linear" | 1 | -1;

function restOfBucket(bucket: Bucket, limit: number, side: TrimSide, spread: Spread): Remainder {
  const { lower, upper, count } = bucket;
  const isWhole = side === "below" ? upper <= limit : lower >= limit;
  if (isWhole) return { count, middle: middleOf(lower, upper, spread) };
  const isGone = side === "below" ? lower >= limit : upper <= limit;
  if (isGone) return { count: 0, middle: 0 };
  // The limit is inside.
  if (lower === -Infinity) return restOfFirstBucket(bucket, limit, side);
  if (upper === Infinity) return restOfLastBucket(bucket, limit, side);
  const below = count * fractionBelow(limit, lower, upper, spread === "linear");
  return side === "below"
    ? { count: below, middle: middleOf(lower, limit, spread) }
    : { count: count - below, middle: middleOf(limit, upper, spread) };
}

/** A bucket without a lower end is taken to begin at 0 where that is inside; else nobody knows where its values are. */
function restOfFirstBucket({ upper, count }: Bucket, limit: number, side: TrimSide): Remainder {
  const beginsAtZero = upper > 0 && upper < Infinity;
  if (side === "below") {
    if (beginsAtZero && limit > 0) return { count: (count * limit) / upper, middle: limit / 2 };
    return upper <= 0 ? { count, middle: limit } : { count: 0, middle: 0 };
  }
  if (beginsAtZero && limit >= 0) return { count: count * (1 - limit / upper), middle: (limit + upper) / 2 };
  return { count: 0, middle: 0 };
}

/** Of a bucket without an upper end, nothing is known to be below a value inside; what is above is taken to be at it. */
function restOfLastBucket({ count }: Bucket, limit: number, side: TrimSide): Remainder {
  return side === "below" ? { count: 0, middle: 0 } : { count, middle: limit };
}

function restOfZeroBucket({ lower, upper, count }: Bucket, limit: number, side: TrimSide): Remainder {
  const from = side === "below" ? lower : Math.max(lower, limit);
  const to = side === "below" ? Math.min(upper, limit) : upper;
  if (from <= lower && to >= upper) return { count, middle: (lower + upper) / 2 };
  if (from >= to) return { count: 0, middle: 0 };
  return { count: (count * (to - from)) / (upper - lower), middle: (from + to) / 2 };
}

function middleOf(lower: number, upper: number, spread: Spread): number {
  const isOpenBelow = lower === -Infinity;
  const isOpenAbove = upper === Infinity;
  if (isOpenBelow && isOpenAbove) return 0;
  if (isOpenBelow) return upper > 0 ? upper / 2 : upper;
  if (isOpenAbove) return lower;
  return spread === "linear" ? (lower + upper) / 2 : spread * Math.sqrt(Math.abs(lower * upper));
}
