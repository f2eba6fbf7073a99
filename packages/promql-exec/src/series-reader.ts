/** Series of a source as operators read them: labels at once, samples decoded one series at a time. */
import {
  aggregateEncoding,
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  formatChunkFailure,
  isHistogramEncoding,
  reserveSamples,
  type HistogramColumns,
  type SampleColumns,
} from "@pleiad/chunks";
import {
  formatSourceFailure,
  staleHigh,
  staleLow,
  xorEncoding,
  type ChunkEncoding,
  type Labels,
  type SeriesCursor,
} from "@pleiad/model";
import type { SelectNode } from "@pleiad/promql-plan";
import { aggregateChoiceFor, keepAggregates, readKeptChunks, type KeptChunk } from "./aggregate-reader.ts";
import { createChunkStore } from "./chunk-store.ts";
import { keepStatistics, mergeHistograms } from "./histogram-samples.ts";
import type { QueryContext } from "./query-context.ts";
import { notEvaluated, QueryError } from "./query-error.ts";

export interface SeriesReader {
  readonly labels: readonly Labels[];
  /**
   * Decodes all samples that the selector may need of a series, ascending, each timestamp once, some beyond the range.
   * The columns are reused by the next call. To be called once a series: its chunks are let go.
   */
  samplesOf(seriesId: number): SampleColumns;
  /** The native histograms of the series that `samplesOf` was called for last, in the same way. Nearly always none. */
  readonly histograms: HistogramColumns;
  /** The chunks of a series as they are, by first time, where all of them are of XOR encoding; else undefined. */
  xorChunksOf(seriesId: number): readonly Uint8Array[] | undefined;
  /** Instead of `samplesOf`, for who has decoded the chunks: lets them go. */
  release(seriesId: number, sampleCount: number): void;
}

/** What the labels of a series take of the budget. */
const bytesPerLabels = 128;

/**
 * Reads the source to its end. Chunks stay encoded until their series is asked for. `startTimestamps`: whether the columns
 * are to have them as well.
 */
export async function readSeries(
  select: SelectNode,
  context: QueryContext,
  signal: AbortSignal,
  options: { readonly startTimestamps: boolean } = { startTimestamps: false },
): Promise<SeriesReader> {
  const labels: Labels[] = [];
  const store = createChunkStore(context.leafPool().pages);
  const choice = aggregateChoiceFor(select.hints.function);
  const downsampled = new Set<number>();
  const cursor = openSelect(select, context, signal);
  try {
    for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
      for (const series of batch) {
        if (series.chunks.length === 0) continue;
        labels.push(series.labels);
        store.beginSeries();
        let bytes = 0;
        for (const { minTimeMs, maxTimeMs, content } of series.chunks) {
          if (maxTimeMs < select.minTimeMs || minTimeMs > select.maxTimeMs) continue;
          const kept = content.kind === "raw" ? content : keepAggregates(choice, content.of);
          if (kept === undefined) throw new QueryError("source", `a downsampled chunk has no ${choice}`);
          if (kept.encoding === aggregateEncoding) downsampled.add(labels.length - 1);
          store.add(minTimeMs, kept);
          bytes += kept.data.length;
        }
        context.budget.takeBytes(bytesFor(bytes));
      }
      context.pace.check();
      if (context.pace.due()) await context.pace.rest();
    }
  } finally {
    cursor.close();
  }
  endSelect(cursor, context);
  context.tally.seriesSelected += labels.length;

  // Without room at first: mostly tasks decode, and memory of its own for every query is what small queries cost most.
  const columns = createSampleColumns(0, options);
  let later: SampleColumns | undefined;
  const histograms = createHistogramColumns(0, options);
  return {
    labels,
    histograms,
    xorChunksOf(seriesId) {
      const chunks: Uint8Array[] = [];
      const end = store.firstChunk(seriesId + 1);
      for (let chunk = store.firstChunk(seriesId); chunk < end; chunk++) {
        if (store.encoding(chunk) !== xorEncoding) return undefined;
        chunks.push(store.data(chunk));
      }
      return chunks;
    },
    release(seriesId, sampleCount) {
      let bytes = 0;
      const end = store.firstChunk(seriesId + 1);
      for (let chunk = store.firstChunk(seriesId); chunk < end; chunk++) bytes += store.byteLength(chunk);
      store.release(seriesId);
      context.budget.giveBytes(bytesFor(bytes));
      context.tally.samplesRead += sampleCount;
    },
    samplesOf(seriesId) {
      columns.count = 0;
      columns.weights = undefined;
      histograms.count = 0;
      let bytes = 0;
      const kept: KeptChunk[] = [];
      const isDownsampled = downsampled.has(seriesId);
      const end = store.firstChunk(seriesId + 1);
      for (let chunk = store.firstChunk(seriesId); chunk < end; chunk++) {
        const data = store.data(chunk);
        bytes += data.length;
        const encoding = store.encoding(chunk);
        if (isDownsampled || encoding === aggregateEncoding) kept.push({ encoding, data });
        else if (isHistogramEncoding(encoding)) {
          decodeHistogramsInto(histograms, encoding, data, options);
        } else if (columns.count === 0 || store.minTimeMs(chunk) > columns.timestampsMs[columns.count - 1]) {
          decodeInto(columns, encoding, data);
        } else {
          // Replicas and late blocks overlap what came before: two sorted runs become one.
          later ??= createSampleColumns(0, options);
          later.count = 0;
          decodeInto(later, encoding, data);
          mergeInto(columns, later);
        }
      }
      if (kept.length > 0) {
        const failure = readKeptChunks(kept, choice, columns, histograms);
        if (failure !== undefined) throw new QueryError("source", formatChunkFailure(failure));
      }
      if (select.onlyStatistics === true) keepStatistics(histograms, select.minTimeMs);
      store.release(seriesId);
      context.budget.giveBytes(bytesFor(bytes));
      context.tally.samplesRead += columns.count + histograms.count;
      return columns;
    },
  };
}

/** Asks the source of the query for the series of a selector. */
export function openSelect(select: SelectNode, context: QueryContext, signal: AbortSignal): SeriesCursor {
  const { minTimeMs, maxTimeMs, matchers, hints } = select;
  const { withoutLabels, maxResolutionMs, onFailure } = context.settings;
  const request = { minTimeMs, maxTimeMs, matchers, skipChunks: false, seriesMax: 0, hints };
  return context.source.select({ ...request, withoutLabels, maxResolutionMs, onFailure }, signal);
}

/** To be called when the cursor has given all: takes over its warnings, and throws a QueryError where it failed. */
export function endSelect(cursor: SeriesCursor, context: QueryContext): void {
  context.pace.check();
  for (const warning of cursor.warnings) context.sourceWarnings.add(warning);
  if (cursor.failure === undefined) return;
  const { failure } = cursor;
  const kind = failure.kind === "canceled" ? "canceled" : failure.kind === "limit" ? "execution" : "source";
  throw new QueryError(kind, formatSourceFailure(failure));
}

/** What the labels of a series and its encoded chunks take of the budget. */
export function bytesFor(encodedBytes: number): number {
  return bytesPerLabels + encodedBytes;
}

function decodeInto(columns: SampleColumns, encoding: ChunkEncoding, data: Uint8Array): void {
  const failure = decodeChunk(encoding, data, columns);
  if (failure === undefined) return;
  if (failure.kind === "unsupported-encoding") throw notEvaluated(`samples of chunk encoding ${failure.name} are`);
  throw new QueryError("source", formatChunkFailure(failure));
}

function decodeHistogramsInto(
  columns: HistogramColumns,
  encoding: ChunkEncoding,
  data: Uint8Array,
  options: { readonly startTimestamps: boolean },
): void {
  const added = createHistogramColumns(0, options);
  const failure = decodeHistogramChunk(encoding, data, columns.count === 0 ? columns : added);
  if (failure !== undefined) throw new QueryError("source", formatChunkFailure(failure));
  if (added.count > 0) mergeHistograms(columns, added);
}

/**
 * Merges `added` into `columns` by time, moving only what is later than its first sample. Of two samples with one time,
 * the one that was there stays. Changes both.
 */
export function mergeInto(columns: SampleColumns, added: SampleColumns): void {
  let from = columns.count;
  while (from > 0 && columns.timestampsMs[from - 1] >= added.timestampsMs[0]) from--;
  const news = dropKnownTimes(added, columns, from);
  reserveSamples(columns, news);
  // From the back, so that every sample is moved once, to a place that is free.
  let i = columns.count - 1;
  let j = news - 1;
  for (let at = columns.count + news - 1; j >= 0; at--) {
    const isOld = i >= from && columns.timestampsMs[i] > added.timestampsMs[j];
    if (isOld) moveSample(columns, at, columns, i--);
    else moveSample(columns, at, added, j--);
  }
  columns.count += news;
}

/** Closes up `added` over the times that `columns` has from `from` on; gives how many samples are left. */
function dropKnownTimes(added: SampleColumns, columns: SampleColumns, from: number): number {
  let kept = 0;
  let i = from;
  for (let j = 0; j < added.count; j++) {
    while (i < columns.count && columns.timestampsMs[i] < added.timestampsMs[j]) i++;
    if (i < columns.count && columns.timestampsMs[i] === added.timestampsMs[j]) continue;
    moveSample(added, kept++, added, j);
  }
  return kept;
}

/** Whether sample i is a staleness marker. */
export function isStaleAt(columns: SampleColumns, i: number): boolean {
  return columns.valueWords[2 * i] === staleLow && columns.valueWords[2 * i + 1] === staleHigh;
}

/** Removes the staleness markers, which no range function sees. */
export function dropStale(columns: SampleColumns): void {
  const { values, count } = columns;
  let first = 0;
  while (first < count && !(values[first] !== values[first] && isStaleAt(columns, first))) first++;
  if (first === count) return;
  let kept = first;
  for (let i = first + 1; i < count; i++) if (!isStaleAt(columns, i)) moveSample(columns, kept++, columns, i);
  columns.count = kept;
}

/** The value goes as two words: as a number, a NaN may lose the bits that make it a staleness marker. */
function moveSample(to: SampleColumns, at: number, from: SampleColumns, index: number): void {
  to.timestampsMs[at] = from.timestampsMs[index];
  if (to.startTimestampsMs !== undefined && from.startTimestampsMs !== undefined) {
    to.startTimestampsMs[at] = from.startTimestampsMs[index];
  }
  if (to.weights !== undefined) to.weights[at] = from.weights?.[index] ?? 1;
  to.valueWords[2 * at] = from.valueWords[2 * index];
  to.valueWords[2 * at + 1] = from.valueWords[2 * index + 1];
}
