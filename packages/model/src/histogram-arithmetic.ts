/** Arithmetic of native histograms. All functions are pure: they give new histograms, or the one they got where it fits. */
import { eachBucket } from "./histogram-buckets.ts";
import { hintsCollide } from "./histogram-hints.ts";
import {
  addToHistogramSum,
  equalNumbers,
  equalSpans,
  histogramOfSum,
  spansOf,
  startHistogramSum,
} from "./histogram-sum.ts";
import type { BucketSpan, FloatHistogram } from "./histograms.ts";

export interface HistogramCombination {
  readonly histogram: FloatHistogram; // without empty buckets
  /** One operand tells of a counter reset and the other of none. */
  readonly hintsCollide: boolean;
  /** Custom bounds differed, and only those that both have are left. */
  readonly boundsReconciled: boolean;
}

/** Undefined where one has custom bounds and the other has not. */
export function addHistograms(left: FloatHistogram, right: FloatHistogram): HistogramCombination | undefined {
  return combine(left, right, 1);
}

/** As `addHistograms`. The difference of counters is a gauge, which is for the caller to say. */
export function subtractHistograms(left: FloatHistogram, right: FloatHistogram): HistogramCombination | undefined {
  return combine(left, right, -1);
}

function combine(left: FloatHistogram, right: FloatHistogram, sign: 1 | -1): HistogramCombination | undefined {
  const total = startHistogramSum(left);
  const outcome = addToHistogramSum(total, right, sign);
  if (outcome === "incompatible") return undefined;
  return {
    histogram: histogramOfSum(total),
    hintsCollide: hintsCollide(left.counterReset, right.counterReset),
    boundsReconciled: outcome === "reconciled",
  };
}

/** Multiplies all counts and the sum. A negative factor makes a gauge of it. */
export function multiplyHistogram(histogram: FloatHistogram, factor: number): FloatHistogram {
  return compactHistogram(mapNumbers(histogram, factor < 0, (number) => number * factor));
}

/** Divides all counts and the sum; by zero, no buckets are left. */
export function divideHistogram(histogram: FloatHistogram, divisor: number): FloatHistogram {
  const quotient = mapNumbers(histogram, divisor < 0, (number) => number / divisor);
  if (divisor !== 0) return compactHistogram(quotient);
  return {
    ...quotient,
    positiveSpans: [],
    positiveBuckets: new Float64Array(0),
    negativeSpans: [],
    negativeBuckets: new Float64Array(0),
  };
}

function mapNumbers(histogram: FloatHistogram, isNegated: boolean, map: (number: number) => number): FloatHistogram {
  return {
    ...histogram,
    zeroCount: map(histogram.zeroCount),
    count: map(histogram.count),
    sum: map(histogram.sum),
    positiveBuckets: histogram.positiveBuckets.map(map),
    negativeBuckets: histogram.negativeBuckets.map(map),
    counterReset: isNegated ? "gauge" : histogram.counterReset,
  };
}

/** Without empty buckets, and with no more spans than there are gaps. */
export function compactHistogram(histogram: FloatHistogram): FloatHistogram {
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = histogram;
  if (isCompact(positiveSpans, positiveBuckets) && isCompact(negativeSpans, negativeBuckets)) return histogram;
  const positive = compactSide(positiveSpans, positiveBuckets);
  const negative = compactSide(negativeSpans, negativeBuckets);
  return {
    ...histogram,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  };
}

function isCompact(spans: readonly BucketSpan[], buckets: Float64Array): boolean {
  return !buckets.includes(0) && spans.every(({ offset, length }, i) => length > 0 && (i === 0 || offset > 0));
}

function compactSide(spans: readonly BucketSpan[], buckets: Float64Array) {
  const indices: number[] = [];
  const kept: number[] = [];
  eachBucket(spans, buckets, (index, count) => {
    if (count === 0) return;
    indices.push(index);
    kept.push(count);
  });
  return { spans: spansOf(Int32Array.from(indices)), buckets: Float64Array.from(kept) };
}

/** Whether two histograms are the same but for empty buckets and hints. NaN is the same as NaN. */
export function histogramsEqual(left: FloatHistogram, right: FloatHistogram): boolean {
  if (left === right) return true;
  const a = compactHistogram(left);
  const b = compactHistogram(right);
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    equalNumbers(a.customBounds, b.customBounds) &&
    equalSpans(a.positiveSpans, b.positiveSpans) &&
    equalSpans(a.negativeSpans, b.negativeSpans) &&
    sameNumbers(a.positiveBuckets, b.positiveBuckets) &&
    sameNumbers(a.negativeBuckets, b.negativeBuckets)
  );
}

function sameNumbers(left: Float64Array, right: Float64Array): boolean {
  return left.length === right.length && left.every((number, i) => Object.is(number, right[i]));
}
