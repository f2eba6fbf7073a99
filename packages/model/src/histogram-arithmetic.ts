/** Arithmetic of native histograms. All functions are pure: they give new histograms, or the one they got where it fits. */
import { eachBucket } from "./histogram-buckets.ts";
import { hintsCollide } from "./histogram-hints.ts";
import {
  addToHistogramSum,
  areApart,
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
  return compactHistogram({
    ...histogram,
    zeroCount: histogram.zeroCount * factor,
    count: histogram.count * factor,
    sum: histogram.sum * factor,
    positiveBuckets: multiplied(histogram.positiveBuckets, factor),
    negativeBuckets: multiplied(histogram.negativeBuckets, factor),
    counterReset: factor < 0 ? "gauge" : histogram.counterReset,
  });
}

function multiplied(numbers: Float64Array, factor: number): Float64Array {
  const products = numbers.slice();
  for (let i = 0; i < products.length; i++) products[i] = (products[i] ?? 0) * factor;
  return products;
}

/** Divides all counts and the sum; by zero, no buckets are left. */
export function divideHistogram(histogram: FloatHistogram, divisor: number): FloatHistogram {
  const quotient: FloatHistogram = {
    ...histogram,
    zeroCount: histogram.zeroCount / divisor,
    count: histogram.count / divisor,
    sum: histogram.sum / divisor,
    counterReset: divisor < 0 ? "gauge" : histogram.counterReset,
  };
  if (divisor === 0) {
    const none = new Float64Array(0);
    return { ...quotient, positiveSpans: [], positiveBuckets: none, negativeSpans: [], negativeBuckets: none };
  }
  return compactHistogram({
    ...quotient,
    positiveBuckets: divided(histogram.positiveBuckets, divisor),
    negativeBuckets: divided(histogram.negativeBuckets, divisor),
  });
}

function divided(numbers: Float64Array, divisor: number): Float64Array {
  const quotients = numbers.slice();
  for (let i = 0; i < quotients.length; i++) quotients[i] = (quotients[i] ?? 0) / divisor;
  return quotients;
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
  return !buckets.includes(0) && areApart(spans);
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
