/**
 * Sums of native histograms: bucket by bucket, after both have been brought to a layout that both can have. What rounding
 * takes from a count is kept beside it, so that the order of many histograms makes no difference that shows.
 */
import { compensate } from "./compensation.ts";
import { bucketUpperBound, customBoundsSchema, eachBucket } from "./histogram-buckets.ts";
import { mergeHints, type CounterResetHint } from "./histogram-hints.ts";
import type { BucketSpan, FloatHistogram } from "./histograms.ts";

/** The buckets of one side by ascending index, each index once. */
interface BucketRun {
  counts: Float64Array;
  /** What rounding took from each count. */
  lost: Float64Array;
  /** Which buckets these are. Spans as long as they are those of a histogram: neighbours nearly always agree in them. */
  layout: readonly BucketSpan[] | Int32Array;
}

/** A sum in the making. It owns its arrays; histograms that are added stay as they are. */
export interface HistogramSum {
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  zeroLost: number;
  count: number;
  countLost: number;
  sum: number;
  sumLost: number;
  positive: BucketRun;
  negative: BucketRun;
  customBounds: Float64Array;
  counterReset: CounterResetHint;
}

/**
 * How an addition went. "incompatible": one has custom bounds and the other has not; nothing was added. "reconciled": the
 * custom bounds differ, and those that both have are left.
 */
export type AdditionOutcome = "added" | "reconciled" | "incompatible";

export function startHistogramSum(histogram: FloatHistogram): HistogramSum {
  return {
    schema: histogram.schema,
    zeroThreshold: histogram.zeroThreshold,
    zeroCount: histogram.zeroCount,
    zeroLost: 0,
    count: histogram.count,
    countLost: 0,
    sum: histogram.sum,
    sumLost: 0,
    positive: runOf(histogram.positiveSpans, histogram.positiveBuckets),
    negative: runOf(histogram.negativeSpans, histogram.negativeBuckets),
    customBounds: histogram.customBounds,
    counterReset: histogram.counterReset,
  };
}

/** Adds `histogram` times `sign`. The hint becomes that of both. */
export function addToHistogramSum(total: HistogramSum, histogram: FloatHistogram, sign: 1 | -1 = 1): AdditionOutcome {
  const isCustom = total.schema === customBoundsSchema;
  if (isCustom !== (histogram.schema === customBoundsSchema)) return "incompatible";
  let outcome: AdditionOutcome = "added";
  let { zeroCount } = histogram;
  if (hasLayoutOf(total, histogram)) {
    addCounts(total.positive, histogram.positiveBuckets, sign);
    addCounts(total.negative, histogram.negativeBuckets, sign);
  } else {
    const other = startHistogramSum(histogram);
    if (isCustom) {
      if (reconcileBounds(total, other)) outcome = "reconciled";
    } else {
      reconcileZeroBuckets(total, other);
      const schema = Math.min(total.schema, other.schema);
      reduceToSchema(total, schema);
      reduceToSchema(other, schema);
    }
    total.positive = mergeRuns(total.positive, other.positive, sign);
    total.negative = mergeRuns(total.negative, other.negative, sign);
    zeroCount = other.zeroCount + other.zeroLost;
  }
  total.zeroLost = compensate(sign * zeroCount, total.zeroCount, total.zeroLost);
  total.zeroCount += sign * zeroCount;
  total.countLost = compensate(sign * histogram.count, total.count, total.countLost);
  total.count += sign * histogram.count;
  total.sumLost = compensate(sign * histogram.sum, total.sum, total.sumLost);
  total.sum += sign * histogram.sum;
  total.counterReset = mergeHints(total.counterReset, histogram.counterReset);
  return outcome;
}

/** Multiplies what is there, as a running mean needs it. */
export function scaleHistogramSum(total: HistogramSum, factor: number): void {
  total.zeroCount *= factor;
  total.zeroLost *= factor;
  total.count *= factor;
  total.countLost *= factor;
  total.sum *= factor;
  total.sumLost *= factor;
  for (const { counts, lost } of [total.positive, total.negative]) {
    for (let i = 0; i < counts.length; i++) {
      counts[i] = (counts[i] ?? 0) * factor;
      lost[i] = (lost[i] ?? 0) * factor;
    }
  }
}

export function copyHistogramSum(total: HistogramSum): HistogramSum {
  return { ...total, positive: copyRun(total.positive), negative: copyRun(total.negative) };
}

/** Whether any number of it is beyond what a float can hold. */
export function hasOverflow({ zeroCount, count, sum, positive, negative }: HistogramSum): boolean {
  return (
    [zeroCount, count, sum].some(isInfinite) || positive.counts.some(isInfinite) || negative.counts.some(isInfinite)
  );
}

/** The sum as a histogram, without empty buckets. */
export function histogramOfSum(total: HistogramSum): FloatHistogram {
  const [positiveSpans, positiveBuckets] = compactRun(total.positive);
  const [negativeSpans, negativeBuckets] = compactRun(total.negative);
  return {
    schema: total.schema,
    zeroThreshold: total.zeroThreshold,
    zeroCount: total.zeroCount + total.zeroLost,
    count: total.count + total.countLost,
    sum: total.sum + total.sumLost,
    positiveSpans,
    positiveBuckets,
    negativeSpans,
    negativeBuckets,
    customBounds: total.customBounds,
    counterReset: total.counterReset,
  };
}

/** Merges buckets until they are those of a coarser exponential schema. */
export function reduceToSchema(total: HistogramSum, schema: number): void {
  if (schema >= total.schema) return;
  const levels = total.schema - schema;
  // Index i ends at 2^(i·2^-schema), so the last of those that merge keeps its bound.
  const reduce = (index: number) => ((index - 1) >> levels) + 1;
  total.positive = renumberRun(total.positive, reduce);
  total.negative = renumberRun(total.negative, reduce);
  total.schema = schema;
}

/**
 * Widens the zero bucket to `threshold`, and beyond where that falls into a bucket that has observations: buckets are
 * taken in whole.
 */
export function widenZeroBucket(total: HistogramSum, threshold: number): void {
  if (threshold <= total.zeroThreshold) return;
  const sides = [total.positive, total.negative];
  let widened = threshold;
  for (let before = NaN; before !== widened;) {
    before = widened;
    for (const run of sides) {
      const indices = indicesOf(run);
      const { counts } = run;
      for (let i = 0; i < indices.length; i++) {
        const index = indices[i] ?? 0;
        if (bucketUpperBound(total.schema, index - 1, total.customBounds) >= widened) break;
        const upper = bucketUpperBound(total.schema, index, total.customBounds);
        if (upper > widened && counts[i] !== 0) widened = upper;
      }
    }
  }
  for (const run of sides) {
    let inside = 0;
    const indices = indicesOf(run);
    for (; inside < indices.length; inside++) {
      const lower = bucketUpperBound(total.schema, (indices[inside] ?? 0) - 1, total.customBounds);
      if (lower >= widened) break;
      const count = (run.counts[inside] ?? 0) + (run.lost[inside] ?? 0);
      total.zeroLost = compensate(count, total.zeroCount, total.zeroLost);
      total.zeroCount += count;
    }
    if (inside === 0) continue;
    run.layout = indices.slice(inside);
    run.counts = run.counts.slice(inside);
    run.lost = run.lost.slice(inside);
  }
  total.zeroThreshold = widened;
}

/** Leaves both with the bounds that both have; tells whether any was dropped. */
export function reconcileBounds(left: HistogramSum, right: HistogramSum): boolean {
  if (equalNumbers(left.customBounds, right.customBounds)) return false;
  const known = new Set(right.customBounds);
  const shared = left.customBounds.filter((bound) => known.has(bound));
  for (const one of [left, right]) {
    const targets = targetsOf(one.customBounds, shared);
    one.positive = renumberRun(one.positive, (index) => targets[index] ?? shared.length);
    one.customBounds = shared;
  }
  return true;
}

/** By bucket: the first of the wider buckets that ends where it does, or later. */
function targetsOf(bounds: Float64Array, shared: Float64Array): Int32Array {
  const targets = new Int32Array(bounds.length);
  let target = 0;
  for (let i = 0; i < bounds.length; i++) {
    while (target < shared.length && (shared[target] ?? NaN) < (bounds[i] ?? NaN)) target++;
    targets[i] = target;
  }
  return targets;
}

function reconcileZeroBuckets(left: HistogramSum, right: HistogramSum): void {
  // Widening one may overshoot, and then the other has to follow.
  while (left.zeroThreshold < right.zeroThreshold || right.zeroThreshold < left.zeroThreshold) {
    widenZeroBucket(left, right.zeroThreshold);
    widenZeroBucket(right, left.zeroThreshold);
  }
}

function hasLayoutOf(total: HistogramSum, histogram: FloatHistogram): boolean {
  return (
    total.schema === histogram.schema &&
    total.zeroThreshold === histogram.zeroThreshold &&
    hasSpans(total.positive, histogram.positiveSpans) &&
    hasSpans(total.negative, histogram.negativeSpans) &&
    equalNumbers(total.customBounds, histogram.customBounds)
  );
}

function hasSpans({ layout }: BucketRun, spans: readonly BucketSpan[]): boolean {
  return !(layout instanceof Int32Array) && equalSpans(layout, spans);
}

/** Whether two lists of spans are the same, span by span. */
export function equalSpans(left: readonly BucketSpan[], right: readonly BucketSpan[]): boolean {
  if (left === right) return true;
  if (left.length !== right.length) return false;
  return left.every(({ offset, length }, i) => right[i]?.offset === offset && right[i].length === length);
}

export function equalNumbers(left: Float64Array, right: Float64Array): boolean {
  return left === right || (left.length === right.length && left.every((number, i) => number === right[i]));
}

function runOf(spans: readonly BucketSpan[], buckets: Float64Array): BucketRun {
  return { counts: buckets.slice(), lost: new Float64Array(buckets.length), layout: spans };
}

function copyRun({ counts, lost, layout }: BucketRun): BucketRun {
  return { counts: counts.slice(), lost: lost.slice(), layout };
}

/** The index of each bucket. */
export function indicesOf({ counts, layout }: BucketRun): Int32Array {
  if (layout instanceof Int32Array) return layout;
  const indices = new Int32Array(counts.length);
  let place = 0;
  eachBucket(layout, counts, (index) => {
    indices[place++] = index;
  });
  return indices;
}

/** Adds counts to those in the same places. */
function addCounts({ counts, lost }: BucketRun, buckets: Float64Array, sign: number): void {
  for (let i = 0; i < counts.length; i++) {
    const value = sign * (buckets[i] ?? 0);
    const count = counts[i] ?? 0;
    lost[i] = compensate(value, count, lost[i] ?? 0);
    counts[i] = count + value;
  }
}

/** Gives buckets other indices, which must ascend as the old ones do; those that get the same one are added up. */
function renumberRun(run: BucketRun, renumber: (index: number) => number): BucketRun {
  const old = indicesOf(run);
  const size = old.length;
  const indices = new Int32Array(size);
  const counts = new Float64Array(size);
  const lost = new Float64Array(size);
  let last = -1;
  for (let i = 0; i < size; i++) {
    const index = renumber(old[i] ?? 0);
    const count = run.counts[i] ?? 0;
    if (last >= 0 && indices[last] === index) {
      const before = counts[last] ?? 0;
      lost[last] = compensate(count, before, (lost[last] ?? 0) + (run.lost[i] ?? 0));
      counts[last] = before + count;
    } else {
      indices[++last] = index;
      counts[last] = count;
      lost[last] = run.lost[i] ?? 0;
    }
  }
  const kept = last + 1;
  return { counts: counts.subarray(0, kept), lost: lost.subarray(0, kept), layout: indices.subarray(0, kept) };
}

function mergeRuns(left: BucketRun, right: BucketRun, sign: number): BucketRun {
  const lefts = indicesOf(left);
  const rights = indicesOf(right);
  const size = lefts.length + rights.length;
  const indices = new Int32Array(size);
  const counts = new Float64Array(size);
  const lost = new Float64Array(size);
  let l = 0;
  let r = 0;
  let place = 0;
  for (; l < lefts.length || r < rights.length; place++) {
    const leftIndex = lefts[l] ?? Infinity;
    const rightIndex = rights[r] ?? Infinity;
    indices[place] = Math.min(leftIndex, rightIndex);
    if (leftIndex <= rightIndex) {
      counts[place] = left.counts[l] ?? 0;
      lost[place] = left.lost[l++] ?? 0;
    }
    if (rightIndex <= leftIndex) {
      const value = sign * (right.counts[r] ?? 0);
      const before = counts[place] ?? 0;
      lost[place] = compensate(value, before, (lost[place] ?? 0) + sign * (right.lost[r++] ?? 0));
      counts[place] = before + value;
    }
  }
  return { counts: counts.subarray(0, place), lost: lost.subarray(0, place), layout: indices.subarray(0, place) };
}

/** Spans and counts of the buckets that are not empty. */
function compactRun(run: BucketRun): readonly [readonly BucketSpan[], Float64Array] {
  const { counts, lost, layout } = run;
  const buckets = new Float64Array(counts.length);
  let hasEmpty = false;
  for (let i = 0; i < buckets.length; i++) {
    const count = (counts[i] ?? 0) + (lost[i] ?? 0);
    buckets[i] = count;
    if (count === 0) hasEmpty = true;
  }
  if (!hasEmpty && !(layout instanceof Int32Array) && areApart(layout)) return [layout, buckets];
  const indices = indicesOf(run);
  if (!hasEmpty) return [spansOf(indices), buckets];
  const kept = indices.filter((_, i) => buckets[i] !== 0);
  return [spansOf(kept), buckets.filter((count) => count !== 0)];
}

/** Whether there is a gap between all spans, and something in each. */
export function areApart(spans: readonly BucketSpan[]): boolean {
  return spans.every(({ offset, length }, i) => length > 0 && (i === 0 || offset > 0));
}

/** The spans of ascending indices. */
export function spansOf(indices: Int32Array): readonly BucketSpan[] {
  const spans: { offset: number; length: number }[] = [];
  let end = 0; // the index after the last one
  for (const index of indices) {
    const last = spans[spans.length - 1];
    if (last !== undefined && index === end) last.length++;
    else spans.push({ offset: index - end, length: 1 });
    end = index + 1;
  }
  return spans;
}

function isInfinite(number: number): boolean {
  return number === Infinity || number === -Infinity;
}
