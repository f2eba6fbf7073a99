/** Series of a source as operators read them: labels at once, samples decoded one series at a time. */
import { createSampleColumns, decodeChunk, formatChunkFailure, type SampleColumns } from "@pleiad/chunks";
import { formatSourceFailure, staleHigh, staleLow, type Labels, type SourceChunk } from "@pleiad/model";
import type { SelectNode } from "@pleiad/promql-plan";
import type { QueryContext } from "./query-context.ts";
import { notEvaluated, QueryError } from "./query-error.ts";

export interface SeriesReader {
  readonly labels: readonly Labels[];
  /**
   * Decodes all samples that the selector may need of a series, ascending, each timestamp once, some beyond the range.
   * The columns are reused by the next call.
   */
  samplesOf(seriesId: number): SampleColumns;
}

/** Reads the source to its end. Chunks stay encoded until their series is asked for. */
export async function readSeries(
  select: SelectNode,
  context: QueryContext,
  signal: AbortSignal,
): Promise<SeriesReader> {
  if (select.extension !== undefined) throw notEvaluated(`the modifier ${select.extension} is`);
  const labels: Labels[] = [];
  const chunks: (readonly SourceChunk[])[] = [];
  const cursor = context.source.select(
    {
      minTimeMs: select.minTimeMs,
      maxTimeMs: select.maxTimeMs,
      matchers: select.matchers,
      skipChunks: false,
      withoutLabels: context.settings.withoutLabels,
      maxResolutionMs: context.settings.maxResolutionMs,
      onFailure: context.settings.onFailure,
      seriesMax: 0,
      hints: select.hints,
    },
    signal,
  );
  try {
    for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
      for (const series of batch) {
        if (series.chunks.length === 0) continue;
        labels.push(series.labels);
        chunks.push(series.chunks);
      }
      context.pace.check();
    }
  } finally {
    cursor.close();
  }
  context.pace.check();
  for (const warning of cursor.warnings) context.sourceWarnings.add(warning);
  if (cursor.failure !== undefined) {
    const { failure } = cursor;
    const kind = failure.kind === "canceled" ? "canceled" : failure.kind === "limit" ? "execution" : "source";
    throw new QueryError(kind, formatSourceFailure(failure));
  }
  context.tally.seriesSelected += labels.length;

  const columns = createSampleColumns(256);
  const later = createSampleColumns(256);
  return {
    labels,
    samplesOf(seriesId) {
      columns.count = 0;
      for (const chunk of chunks[seriesId]) {
        if (chunk.maxTimeMs < select.minTimeMs || chunk.minTimeMs > select.maxTimeMs) continue;
        if (columns.count === 0 || chunk.minTimeMs > columns.timestampsMs[columns.count - 1]) {
          decodeInto(columns, chunk);
        } else {
          // Replicas and late blocks overlap what came before: two sorted runs become one.
          later.count = 0;
          decodeInto(later, chunk);
          mergeInto(columns, later);
        }
      }
      context.tally.samplesRead += columns.count;
      return columns;
    },
  };
}

function decodeInto(columns: SampleColumns, chunk: SourceChunk): void {
  if (chunk.content.kind === "aggregates") throw notEvaluated("downsampled chunks are");
  const { encoding, data } = chunk.content;
  const failure = decodeChunk(encoding, data, columns);
  if (failure === undefined) return;
  if (failure.kind === "unsupported-encoding") throw notEvaluated(`samples of chunk encoding ${failure.name} are`);
  throw new QueryError("source", formatChunkFailure(failure));
}

/** Merges `added` into `columns` by time. Of two samples with one time, the one that was there stays. */
function mergeInto(columns: SampleColumns, added: SampleColumns): void {
  const merged = createSampleColumns(columns.count + added.count);
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < columns.count || j < added.count) {
    const fromAdded = i >= columns.count || (j < added.count && added.timestampsMs[j] < columns.timestampsMs[i]);
    const from = fromAdded ? added : columns;
    const at = fromAdded ? j++ : i++;
    const timestampMs = from.timestampsMs[at];
    if (count > 0 && merged.timestampsMs[count - 1] === timestampMs) continue;
    merged.timestampsMs[count] = timestampMs;
    copyBits(merged, count++, from, at);
  }
  columns.timestampsMs = merged.timestampsMs;
  columns.values = merged.values;
  columns.valueWords = merged.valueWords;
  columns.count = count;
}

/** Whether sample i is a staleness marker. */
export function isStaleAt(columns: SampleColumns, i: number): boolean {
  return columns.valueWords[2 * i] === staleLow && columns.valueWords[2 * i + 1] === staleHigh;
}

/** Removes the staleness markers, which no range function sees. */
export function dropStale(columns: SampleColumns): void {
  const { timestampsMs, values, count } = columns;
  let first = 0;
  while (first < count && !(values[first] !== values[first] && isStaleAt(columns, first))) first++;
  if (first === count) return;
  let kept = first;
  for (let i = first + 1; i < count; i++) {
    if (isStaleAt(columns, i)) continue;
    timestampsMs[kept] = timestampsMs[i];
    copyBits(columns, kept++, columns, i);
  }
  columns.count = kept;
}

/** A value moved as two words: moved as a number, a NaN may lose the bits that make it a staleness marker. */
function copyBits(to: SampleColumns, at: number, from: SampleColumns, index: number): void {
  to.valueWords[2 * at] = from.valueWords[2 * index];
  to.valueWords[2 * at + 1] = from.valueWords[2 * index + 1];
}
