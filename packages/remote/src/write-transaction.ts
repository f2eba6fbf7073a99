/** One remote write request becomes one transaction of a head: what is good is taken, what is not is counted. */
import {
  formatHeadRefusal,
  type AppendOutcome,
  type HeadAppender,
  type HistogramOutcome,
  type SeriesRef,
} from "@pleiad/head";
import {
  customBoundsSchema,
  formatLabels,
  labelValue,
  metricNameLabel,
  staleHigh,
  staleLow,
  type FloatHistogram,
  type Labels,
} from "@pleiad/model";
import { isStaleHistogram } from "@pleiad/chunks";
import type { HistogramMessage, WriteRequestFailure, WriteRequestReader, WrittenSamples } from "@pleiad/wire";

/** What a transaction has of a request. Exemplars that are not kept are no refusal: the bound on them is the receiver's. */
export interface WriteCounts {
  samples: number;
  histograms: number;
  exemplars: number;
  /** Samples and histograms that the head does not take; a series with bad labels counts at least once. */
  refused: number;
  /** Of the first of them: which series, when, why. */
  firstRefusal: string | undefined;
}

export interface WriteTransactionOptions {
  /** Whether a counter is 0 at the time that a sample says it began, so that its first value counts as an increase. */
  readonly zeroAtStart: boolean;
}

/** Why the head did not take a sample, in words. */
const outcomeReasons: Readonly<Record<Exclude<HistogramOutcome, "appended">, string>> = {
  duplicate: "the series has another value at this time",
  "out-of-order": "the series has a later sample",
  "out-of-bounds": "too old, or too far ahead of the clock",
  "unknown-series": "the series is not known any more",
  invalid: "the parts of the histogram do not fit together",
};

/**
 * Appends all series of a request, which `reader` was reset to. On a failure the appender is to be rolled back: then the
 * request is no request.
 */
export function appendRequest(
  reader: WriteRequestReader,
  appender: HeadAppender,
  options: WriteTransactionOptions,
): WriteCounts | { readonly failure: WriteRequestFailure } {
  const counts: WriteCounts = { samples: 0, histograms: 0, exemplars: 0, refused: 0, firstRefusal: undefined };
  while (reader.nextSeries()) appendSeries(reader, appender, counts, options);
  return reader.failure === undefined ? counts : { failure: reader.failure };
}

function appendSeries(
  reader: WriteRequestReader,
  appender: HeadAppender,
  counts: WriteCounts,
  options: WriteTransactionOptions,
): void {
  const { samples } = reader;
  const labels = reader.labels();
  const fault = !labels.ok
    ? labels.failure
    : labelValue(labels.value, metricNameLabel) === ""
      ? `no metric name: ${formatLabels(labels.value)}`
      : undefined;
  if (!labels.ok || fault !== undefined) {
    counts.refused += Math.max(1, samples.sampleCount + samples.histograms.length);
    counts.firstRefusal ??= fault;
    return;
  }
  const ref = appender.series(labels.value);
  if (typeof ref !== "number") {
    counts.refused += Math.max(1, samples.sampleCount + samples.histograms.length);
    counts.firstRefusal ??= `${formatLabels(labels.value)}: ${formatHeadRefusal(ref)}`;
    return;
  }
  appendFloats(samples, ref, labels.value, appender, counts, options);
  for (const histogram of samples.histograms) appendHistogram(histogram, ref, labels.value, appender, counts);
  appendExemplars(samples, ref, appender, counts);
}

const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

function appendFloats(
  { sampleCount, timestampsMs, valueWords, startTimestampsMs }: WrittenSamples,
  ref: SeriesRef,
  labels: Labels,
  appender: HeadAppender,
  counts: WriteCounts,
  { zeroAtStart }: WriteTransactionOptions,
): void {
  for (let i = 0; i < sampleCount; i++) {
    const timestampMs = timestampsMs[i] ?? 0;
    const low = valueWords[2 * i] ?? 0;
    const high = valueWords[2 * i + 1] ?? 0;
    const startMs = startTimestampsMs[i] ?? 0;
    // Mostly it is there already, or the series has later samples: both are as it should be.
    if (zeroAtStart && startMs > 0 && startMs < timestampMs) appender.append(ref, startMs, 0);
    let outcome: AppendOutcome;
    if (high === staleHigh && low === staleLow) outcome = appender.appendStale(ref, timestampMs);
    else {
      scratchWords[0] = low;
      scratchWords[1] = high;
      outcome = appender.append(ref, timestampMs, scratchValue[0] ?? 0);
    }
    if (outcome === "appended") counts.samples++;
    else refuse(counts, labels, timestampMs, outcomeReasons[outcome]);
  }
}

function appendHistogram(
  { histogram, kind, timestampMs, fault }: HistogramMessage,
  ref: SeriesRef,
  labels: Labels,
  appender: HeadAppender,
  counts: WriteCounts,
): void {
  const reason = fault ?? countFault(histogram, kind);
  if (reason !== undefined) return refuse(counts, labels, timestampMs, reason);
  const outcome = appender.appendHistogram(ref, timestampMs, histogram, kind);
  if (outcome === "appended") counts.histograms++;
  else refuse(counts, labels, timestampMs, outcomeReasons[outcome]);
}

/** As Prometheus has it: whole counts add up, unless there were observations of NaN, which are in no bucket. */
function countFault(histogram: FloatHistogram, kind: HistogramMessage["kind"]): string | undefined {
  if (kind === "float" || isStaleHistogram(histogram)) return undefined;
  const { count, zeroCount, sum, schema, positiveBuckets, negativeBuckets } = histogram;
  let inBuckets = schema === customBoundsSchema ? 0 : zeroCount;
  for (const bucket of positiveBuckets) inBuckets += bucket;
  for (const bucket of negativeBuckets) inBuckets += bucket;
  const fits = Number.isNaN(sum) ? inBuckets <= count : inBuckets === count;
  return fits ? undefined : `a histogram of ${count}, with ${inBuckets} in its buckets`;
}

function appendExemplars(
  { exemplars, timestampsMs, sampleCount }: WrittenSamples,
  ref: SeriesRef,
  appender: HeadAppender,
  counts: WriteCounts,
): void {
  for (const { labels, value, timestampMs } of exemplars) {
    if (labels === undefined) continue;
    // One without a time belongs to the newest sample beside it.
    const atMs = timestampMs === 0 && sampleCount > 0 ? (timestampsMs[sampleCount - 1] ?? 0) : timestampMs;
    const outcome = appender.appendExemplar(ref, { labels, value, timestampMs: atMs });
    if (outcome === "appended") counts.exemplars++;
  }
}

function refuse(counts: WriteCounts, labels: Labels, timestampMs: number, reason: string): void {
  counts.refused++;
  counts.firstRefusal ??= `${formatLabels(labels)} at ${timestampMs}: ${reason}`;
}
