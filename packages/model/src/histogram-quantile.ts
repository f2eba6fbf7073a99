/**
 * What native histograms estimate of their observations: quantiles, fractions, variance. Within an exponential bucket the
 * observations are taken to be spread evenly on a logarithmic scale; within custom buckets and the zero bucket, linearly.
 */
import { compensate } from "./compensation.ts";
import { bucketColumns, customBoundsSchema, type BucketColumns } from "./histogram-buckets.ts";
import type { FloatHistogram } from "./histograms.ts";

export interface HistogramQuantile {
  readonly value: number;
  /** What observations of NaN, which are in no bucket, did: "result" made it NaN, "skew" moved it up. */
  readonly nanEffect: "result" | "skew" | undefined;
}

const plainQuantile = (value: number): HistogramQuantile => ({ value, nanEffect: undefined });

export function histogramQuantile(phi: number, histogram: FloatHistogram): HistogramQuantile {
  const { count, sum, schema } = histogram;
  if (phi < 0) return plainQuantile(-Infinity);
  if (phi > 1) return plainQuantile(Infinity);
  if (count === 0 || phi !== phi) return plainQuantile(NaN);
  const columns = bucketColumns(histogram);
  const { counts } = columns;
  // With observations of NaN, the buckets hold less than the count: only from below are ranks those of the count.
  const hasNaN = sum !== sum;
  const fromBelow = hasNaN || phi < 0.5;
  let rank = (fromBelow ? phi : 1 - phi) * count;
  const last = counts.length - 1;
  let seen = 0;
  let place = fromBelow ? -1 : last + 1;
  while (seen < rank || place < 0 || place > last) {
    const next = fromBelow ? place + 1 : place - 1;
    if (next < 0 || next > last) break;
    place = next;
    seen += counts[place] ?? 0;
  }
  // No bucket at all counts as one from 0 to 0.
  let lower = columns.lowers[place] ?? 0;
  let upper = columns.uppers[place] ?? 0;
  const isCustom = schema === customBoundsSchema;
  if (isCustom) {
    if (lower === -Infinity) {
      if (upper <= 0) return plainQuantile(upper);
      lower = 0;
    } else if (upper === Infinity) {
      return plainQuantile(lower);
    }
  } else if (lower < 0 && upper > 0) {
    [lower, upper] = narrowZeroBucket(histogram, lower, upper);
  }
  if (seen > count) seen = count;
  if (seen < rank) return hasNaN ? { value: NaN, nanEffect: "result" } : plainQuantile(upper);
  const bucketCount = counts[place] ?? 0;
  rank = fromBelow ? rank - (seen - bucketCount) : seen - rank;
  let nanEffect: HistogramQuantile["nanEffect"];
  if (hasNaN) {
    let total = seen;
    for (let i = place + 1; i <= last; i++) total += counts[i] ?? 0;
    // Else the sum is NaN for having infinities of both signs.
    if (total < count) nanEffect = "skew";
  }
  const fraction = rank / bucketCount;
  return { value: valueInBucket(lower, upper, fraction, isCustom || (lower <= 0 && upper >= 0)), nanEffect };
}

function valueInBucket(lower: number, upper: number, fraction: number, isLinear: boolean): number {
  if (isLinear) return lower + (upper - lower) * fraction;
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  return lower > 0
    ? 2 ** (logLower + (logUpper - logLower) * fraction)
    : -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction)));
}

/** How far into a bucket a value is, 0 to 1. */
export function fractionBelow(value: number, lower: number, upper: number, isLinear: boolean): number {
  if (isLinear) return (value - lower) / (upper - lower);
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  const logValue = Math.log2(Math.abs(value));
  return value > 0 ? (logValue - logLower) / (logUpper - logLower) : 1 - (logValue - logUpper) / (logLower - logUpper);
}

/** Where all other buckets are on one side of zero, so are the observations of the zero bucket. */
function narrowZeroBucket(
  { negativeBuckets, positiveBuckets }: FloatHistogram,
  lower: number,
  upper: number,
): readonly [number, number] {
  if (negativeBuckets.length === 0 && positiveBuckets.length > 0) return [0, upper];
  if (positiveBuckets.length === 0 && negativeBuckets.length > 0) return [lower, 0];
  return [lower, upper];
}

export interface HistogramFraction {
  readonly value: number;
  /** Observations of NaN were left out of every fraction. */
  readonly hasNaN: boolean;
}

/** The share of observations between two values. */
export function histogramFraction(from: number, to: number, histogram: FloatHistogram): HistogramFraction {
  if (histogram.count === 0 || from !== from || to !== to) return { value: NaN, hasNaN: false };
  if (from >= to) return { value: 0, hasNaN: false };
  const columns = bucketColumns(histogram);
  const { count, sum } = histogram;
  let observed = count;
  let hasNaN = false;
  if (sum !== sum) {
    observed = columns.counts.reduce((total, one) => total + one, 0);
    hasNaN = observed < count;
  }
  const rank = (value: number) => Math.min(rankOf(value, histogram, columns) ?? observed, observed);
  return { value: (rank(to) - rank(from)) / count, hasNaN };
}

/** How many observations are below a value; undefined where it is above all buckets. */
function rankOf(value: number, histogram: FloatHistogram, columns: BucketColumns): number | undefined {
  const isCustom = histogram.schema === customBoundsSchema;
  let rank = 0;
  for (const [place, count] of columns.counts.entries()) {
    let lower = columns.lowers[place] ?? 0;
    let upper = columns.uppers[place] ?? 0;
    const isAroundZero = lower <= 0 && upper >= 0;
    if (isAroundZero) [lower, upper] = narrowZeroBucket(histogram, lower, upper);
    if (lower >= value) return rank;
    if (upper > value) {
      // A bucket without a lower end counts whole.
      if ((isCustom || isAroundZero) && lower === -Infinity) return count;
      return rank + count * fractionBelow(value, lower, upper, isCustom || isAroundZero);
    }
    rank += count;
  }
  return undefined;
}

/** The variance, as if all observations of a bucket were in its middle: the geometric one of exponential buckets. */
export function histogramVariance(histogram: FloatHistogram): number {
  const { sum, count, schema } = histogram;
  const { lowers, uppers, counts } = bucketColumns(histogram);
  const mean = sum / count;
  let variance = 0;
  let compensation = 0;
  for (let place = 0; place < counts.length; place++) {
    const lower = lowers[place] ?? 0;
    const upper = uppers[place] ?? 0;
    let middle = 0;
    if (schema === customBoundsSchema) middle = (upper + lower) / 2;
    else if (lower > 0 || upper < 0) middle = Math.sqrt(upper * lower) * (upper < 0 ? -1 : 1);
    const delta = middle - mean;
    const square = (counts[place] ?? 0) * delta * delta;
    compensation = compensate(square, variance, compensation);
    variance += square;
  }
  return (variance + compensation) / count;
}
