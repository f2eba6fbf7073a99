/** Downsampled chunks of native histograms. What they hold: docs/format/aggregate-chunk.md. */
import type { BlockChunk } from "@pleiad/blocks";
import { encodeFloatHistograms, isStaleHistogram, type HistogramColumns, type SampleColumns } from "@pleiad/chunks";
import {
  addHistograms,
  addToHistogramSum,
  hasCustomBounds,
  histogramOfSum,
  isHistogramReset,
  reduceToSchema,
  startHistogramSum,
  type Aggregate,
  type FloatHistogram,
  type HistogramSum,
} from "@pleiad/model";
import { AggregateAppenders } from "./aggregate-appenders.ts";
import { eachWindow } from "./downsample-windows.ts";

/** Closes `columns` up over staleness markers and over what goes back in time, from `from` on. */
export function dropUnusableHistograms(columns: HistogramColumns, from: number): void {
  const { timestampsMs, histograms } = columns;
  let kept = from;
  for (let i = from; i < columns.count; i++) {
    const histogram = histograms[i];
    const timestampMs = timestampsMs[i] ?? 0;
    if (histogram === undefined || isStaleHistogram(histogram)) continue;
    if (kept > 0 && timestampMs < (timestampsMs[kept - 1] ?? 0)) continue;
    timestampsMs[kept] = timestampMs;
    histograms[kept++] = histogram;
  }
  columns.count = kept;
}

/**
 * Whether two histograms can be in one downsampled chunk: both counters or both gauges, with one zero bucket, and with the
 * same custom bounds or none.
 */
export function areAlike(one: FloatHistogram, other: FloatHistogram): boolean {
  return (
    (one.counterReset === "gauge") === (other.counterReset === "gauge") &&
    hasCustomBounds(one) === hasCustomBounds(other) &&
    one.zeroThreshold === other.zeroThreshold &&
    (one.customBounds === other.customBounds ||
      (one.customBounds.length === other.customBounds.length &&
        one.customBounds.every((bound, i) => bound === other.customBounds[i])))
  );
}

/**
 * A counter of histograms, across the chunks of a series: it goes on from chunk to chunk, since there is no room for the raw
 * values by which the counters of floats are joined.
 */
export interface HistogramCounter {
  /** What it had at all resets together. */
  beforeResets: FloatHistogram | undefined;
  last: FloatHistogram | undefined;
}

/** One chunk with the windows of histograms [from, to), which are alike; none where all have a sum of NaN. */
export function downsampleHistograms(
  columns: HistogramColumns,
  from: number,
  to: number,
  resolutionMs: number,
  counter: HistogramCounter,
): BlockChunk | undefined {
  const numbers = withoutNaN(columns, from, to);
  if (numbers.count === 0) return undefined;
  const chunk = new AggregateAppenders();
  eachWindow(numbers.timestampsMs, 0, numbers.count, resolutionMs, (start, end, endMs) => {
    chunk.append("count", endMs, end - start);
  });
  putHistograms(chunk, "counter", countersOf(numbers, resolutionMs, counter));
  putHistograms(chunk, "sum", sumsOf(numbers, resolutionMs));
  return chunk.finish();
}

/** One chunk of longer windows, made of the counts, sums and counters of the chunks of shorter ones. */
export function downsampleHistogramAggregates(
  counts: SampleColumns,
  sums: HistogramColumns,
  counters: HistogramColumns,
  resolutionMs: number,
  counter: HistogramCounter,
): BlockChunk | undefined {
  const chunk = new AggregateAppenders();
  eachWindow(counts.timestampsMs, 0, counts.count, resolutionMs, (from, to, endMs) => {
    chunk.append(
      "count",
      endMs,
      counts.values.subarray(from, to).reduce((sum, count) => sum + count, 0),
    );
  });
  if (counters.count > 0) putHistograms(chunk, "counter", countersOf(counters, resolutionMs, counter));
  if (sums.count > 0) putHistograms(chunk, "sum", sumsOf(sums, resolutionMs));
  return chunk.finish();
}

interface HistogramWindows {
  readonly endsMs: number[];
  readonly histograms: FloatHistogram[];
}

/** The sum of each window, at the coarsest schema of all; gauges, so that they may fall. */
function sumsOf(columns: HistogramColumns, resolutionMs: number): HistogramWindows {
  const windows: HistogramWindows = { endsMs: [], histograms: [] };
  const schema = coarsestSchema(columns);
  eachWindow(columns.timestampsMs, 0, columns.count, resolutionMs, (from, to, endMs) => {
    let total: HistogramSum | undefined;
    for (const histogram of columns.histograms.slice(from, to)) {
      if (total === undefined) total = startHistogramSum(histogram);
      else addToHistogramSum(total, histogram);
    }
    if (total === undefined) return;
    reduceToSchema(total, schema);
    windows.endsMs.push(endMs);
    windows.histograms.push({ ...histogramOfSum(total), counterReset: "gauge" });
  });
  return windows;
}

/** The counter at the end of each window: the histogram itself, plus what it had at each reset. Moves `counter` on. */
function countersOf(columns: HistogramColumns, resolutionMs: number, counter: HistogramCounter): HistogramWindows {
  const windows: HistogramWindows = { endsMs: [], histograms: [] };
  const schema = coarsestSchema(columns);
  let { beforeResets, last } = counter;
  eachWindow(columns.timestampsMs, 0, columns.count, resolutionMs, (from, to, endMs) => {
    for (const histogram of columns.histograms.slice(from, to)) {
      // Hints say how a chunk was written. Here, one that fell whatever they say would make a counter that falls.
      const isReset =
        last !== undefined &&
        histogram.counterReset !== "gauge" &&
        (histogram.counterReset === "reset" || isHistogramReset({ ...histogram, counterReset: "unknown" }, last));
      if (isReset && last !== undefined) beforeResets = plus(beforeResets, last);
      last = histogram;
    }
    if (last === undefined) return;
    const counterReset = last.counterReset === "gauge" ? "gauge" : "unknown";
    windows.endsMs.push(endMs);
    windows.histograms.push({ ...toSchema(plus(beforeResets, last), schema), counterReset });
  });
  counter.beforeResets = beforeResets;
  counter.last = last;
  return windows;
}

function plus(total: FloatHistogram | undefined, histogram: FloatHistogram): FloatHistogram {
  if (total === undefined) return histogram;
  const sum = addHistograms(total, histogram);
  if (sum === undefined) throw new Error("histograms with custom bounds and without are in one batch");
  return sum.histogram;
}

function putHistograms(
  chunk: AggregateAppenders,
  aggregate: Aggregate,
  { endsMs, histograms }: HistogramWindows,
): void {
  const [whole, ...rest] = encodeFloatHistograms(Float64Array.from(endsMs), histograms);
  if (whole === undefined || rest.length > 0) throw new Error(`the ${aggregate} of one batch does not fit one chunk`);
  chunk.put(aggregate, { encoding: 3, data: whole.data });
}

function coarsestSchema({ histograms, count }: HistogramColumns): number {
  let coarsest = Infinity;
  for (let i = 0; i < count; i++) coarsest = Math.min(coarsest, histograms[i]?.schema ?? Infinity);
  return coarsest;
}

function toSchema(histogram: FloatHistogram, schema: number): FloatHistogram {
  if (histogram.schema <= schema) return histogram;
  const sum = startHistogramSum(histogram);
  reduceToSchema(sum, schema);
  return histogramOfSum(sum);
}

function withoutNaN(columns: HistogramColumns, from: number, to: number): HistogramColumns {
  const timesMs: number[] = [];
  const histograms: FloatHistogram[] = [];
  for (let i = from; i < to; i++) {
    const histogram = columns.histograms[i];
    if (histogram === undefined || histogram.sum !== histogram.sum) continue;
    timesMs.push(columns.timestampsMs[i] ?? 0);
    histograms.push(histogram);
  }
  return { timestampsMs: Float64Array.from(timesMs), histograms, count: histograms.length };
}
