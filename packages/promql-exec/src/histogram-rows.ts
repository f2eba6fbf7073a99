/** Histogram functions series by series: all steps of a histogram are computed once the last of its buckets has come. */
import type { FloatHistogram } from "@pleiad/model";
import type { Bucket } from "./classic-histogram.ts";
import { histogramCost } from "./limits.ts";
import { floatSample, noSample, type RowHistograms, type RowStream, type RowVisitor } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { createRowPages } from "./row-pages.ts";

/** Which series are buckets of which histogram. Lists are in the order of series ids, where nothing else is said. */
export interface HistogramSeries {
  readonly bounds: Float64Array; // by series id; NaN where it is no bucket
  readonly histogramOf: Uint32Array; // by series id
  readonly seriesOf: readonly (readonly number[])[]; // by histogram
  readonly bucketsOf: readonly (readonly number[])[]; // by histogram, those with a bound, in the order of bounds
}

export interface HistogramStepFunction {
  /** The result at a step, of buckets by bound, whose counts it may change, or of a native histogram. */
  readonly compute: (histogram: number, step: number, of: Bucket[] | FloatHistogram) => number;
  /** A series has floats and no bound. */
  readonly warnOfBound: (seriesId: number) => void;
  /** A histogram is there in both forms at a step, so that neither counts. */
  readonly warnOfBoth: (histogram: number) => void;
}

/** Visits the results as rows of histograms. Held are the buckets of those histograms that have begun and not ended. */
export async function eachHistogramRow(
  input: RowStream,
  series: HistogramSeries,
  stepCount: number,
  { compute, warnOfBound, warnOfBoth }: HistogramStepFunction,
  visit: RowVisitor,
  context: QueryContext,
  signal: AbortSignal,
): Promise<void> {
  const { bounds, histogramOf, seriesOf, bucketsOf } = series;
  const { budget, pace } = context;
  const kept = createRowPages(stepCount, budget, context.leafPool().pages);
  const rowOf = new Int32Array(bounds.length).fill(-1); // by series id
  const nativesOf = new Map<number, RowHistograms>(); // by histogram
  const values = new Float64Array(stepCount);
  const present = new Uint8Array(stepCount);
  let next = 0; // the histogram whose turn it is

  const keepNatives = (histogram: number, histograms: RowHistograms) => {
    const held = nativesOf.get(histogram) ?? [];
    nativesOf.set(histogram, held);
    for (let step = 0; step < stepCount; step++) {
      const native = histograms[step];
      if (native === undefined) continue;
      budget.take(histogramCost(native));
      held[step] = native;
    }
  };

  const columnOf = (seriesId: number): BucketColumn => {
    const row = rowOf[seriesId];
    const bucket = { upperBound: bounds[seriesId], count: 0 };
    return { bucket, at: kept.offsetOf(row), ...kept.pageOf(row) };
  };

  const give = (histogram: number) => {
    const columns = bucketsOf[histogram].filter((id) => rowOf[id] >= 0).map(columnOf);
    const natives = nativesOf.get(histogram);
    if (columns.length === 0 && natives === undefined) return;
    let isAny = false;
    for (let step = 0; step < stepCount; step++) {
      const buckets = bucketsAt(columns, step);
      const native = natives?.[step];
      present[step] = noSample;
      if (native !== undefined && buckets.length > 0) warnOfBoth(histogram);
      else if (native !== undefined || buckets.length > 0) {
        values[step] = compute(histogram, step, native ?? buckets);
        present[step] = floatSample;
        isAny = true;
      }
    }
    if (isAny) visit(histogram, values, present);
    for (const id of seriesOf[histogram]) if (rowOf[id] >= 0) kept.free(rowOf[id]);
    for (const native of natives ?? []) if (native !== undefined) budget.give(histogramCost(native));
    nativesOf.delete(histogram);
  };

  const hasEnded = (histogram: number, seriesId: number) => {
    const ids = seriesOf[histogram];
    return ids[ids.length - 1] <= seriesId;
  };

  try {
    await input.each((seriesId, samples, kinds, histograms) => {
      if (histograms !== undefined) keepNatives(histogramOf[seriesId], histograms);
      if (kinds.includes(floatSample)) {
        if (bounds[seriesId] === bounds[seriesId]) rowOf[seriesId] = kept.keep(samples, kinds);
        else warnOfBound(seriesId);
      }
      while (next < seriesOf.length && hasEnded(next, seriesId)) give(next++);
    }, signal);
    while (next < seriesOf.length) {
      give(next++);
      if (pace.due()) await pace.rest();
    }
  } finally {
    kept.release();
  }
}

/** The steps of one bucket. */
interface BucketColumn {
  readonly bucket: Bucket; // one object for all steps
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly at: number; // of the first step
}

/** The buckets that have a count at a step. */
function bucketsAt(columns: readonly BucketColumn[], step: number): Bucket[] {
  const buckets: Bucket[] = [];
  for (const { bucket, values, present, at } of columns) {
    if (present[at + step] !== floatSample) continue;
    bucket.count = values[at + step];
    buckets.push(bucket);
  }
  return buckets;
}
