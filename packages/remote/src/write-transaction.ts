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
} from "@pleiad/model";
import { isStaleHistogram } from "@pleiad/chunks";
import type { SeriesRefs } from "./series-refs.ts";
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
const outcomeReasons: Readonly<Record<Exclude<HistogramOutcome, "appended" | "unknown-series">, string>> = {
  duplicate: "the series has another value at this time",
  "out-of-order": "the series has a later sample",
  "out-of-bounds": "too old, or too far ahead of the clock",
  invalid: "the parts of the histogram do not fit together",
};

/**
 * Appends all series of a request, to which `reader` is reset. `refs` are those of the same head. On a failure the appender
 * is to be rolled back: then the request is no request.
 */
export function appendRequest(
  reader: WriteRequestReader,
  request: Uint8Array,
  appender: HeadAppender,
  refs: SeriesRefs,
  options: WriteTransactionOptions,
): WriteCounts | { readonly failure: WriteRequestFailure } {
  const counts: WriteCounts = { samples: 0, histograms: 0, exemplars: 0, refused: 0, firstRefusal: undefined };
  reader.reset(request);
  while (reader.nextSeries()) {
    const { keyFrom, keyTo } = reader;
    const known = keyTo > keyFrom ? refs.find(request, keyFrom, keyTo) : undefined;
    if (known !== undefined) {
      const { refused, firstRefusal } = counts;
      if (appendSamples(reader, known, appender, counts, options)) continue;
      // All is tried again, and what was refused is refused again.
      Object.assign(counts, { refused, firstRefusal });
    }
    const ref = seriesOf(reader, appender, counts);
    if (ref === undefined) continue;
    if (keyTo > keyFrom) refs.set(request, keyFrom, keyTo, ref);
    appendSamples(reader, ref, appender, counts, options);
  }
  return reader.failure === undefined ? counts : { failure: reader.failure };
}

/** The series of these labels, made if it is not there; undefined where it is refused, which is counted. */
function seriesOf(reader: WriteRequestReader, appender: HeadAppender, counts: WriteCounts): SeriesRef | undefined {
  const labels = reader.labels();
  const ref = labels.ok && labelValue(labels.value, metricNameLabel) !== "" ? appender.series(labels.value) : undefined;
  if (typeof ref === "number") return ref;
  const { samples } = reader;
  counts.refused += Math.max(1, samples.sampleCount + samples.histograms.length);
  if (!labels.ok) counts.firstRefusal ??= labels.failure;
  else if (ref === undefined) counts.firstRefusal ??= `no metric name: ${formatLabels(labels.value)}`;
  else counts.firstRefusal ??= `${formatLabels(labels.value)}: ${formatHeadRefusal(ref)}`;
  return undefined;
}

/** False, and nothing is appended, where the head has forgotten the series. */
function appendSamples(
  reader: WriteRequestReader,
  ref: SeriesRef,
  appender: HeadAppender,
  counts: WriteCounts,
  options: WriteTransactionOptions,
): boolean {
  const { samples } = reader;
  // What is appended once holds the series: only the first can find it gone.
  if (!appendFloats(reader, ref, appender, counts, options)) return false;
  for (const histogram of samples.histograms) {
    if (!appendHistogram(histogram, ref, reader, appender, counts)) return false;
  }
  appendExemplars(samples, ref, appender, counts);
  return true;
}

const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

function appendFloats(
  reader: WriteRequestReader,
  ref: SeriesRef,
  appender: HeadAppender,
  counts: WriteCounts,
  { zeroAtStart }: WriteTransactionOptions,
): boolean {
  const { sampleCount, timestampsMs, valueWords, startTimestampsMs } = reader.samples;
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
    else if (outcome === "unknown-series") return false;
    else refuse(counts, reader, timestampMs, outcomeReasons[outcome]);
  }
  return true;
}

function appendHistogram(
  { histogram, kind, timestampMs, fault }: HistogramMessage,
  ref: SeriesRef,
  reader: WriteRequestReader,
  appender: HeadAppender,
  counts: WriteCounts,
): boolean {
  const reason = fault ?? countFault(histogram, kind);
  const outcome = reason === undefined ? appender.appendHistogram(ref, timestampMs, histogram, kind) : "invalid";
  if (outcome === "unknown-series") return false;
  if (outcome === "appended") counts.histograms++;
  else refuse(counts, reader, timestampMs, reason ?? outcomeReasons[outcome]);
  return true;
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

function refuse(counts: WriteCounts, reader: WriteRequestReader, timestampMs: number, reason: string): void {
  counts.refused++;
  if (counts.firstRefusal !== undefined) return;
  const labels = reader.labels();
  counts.firstRefusal = `${labels.ok ? formatLabels(labels.value) : ""} at ${timestampMs}: ${reason}`;
}
