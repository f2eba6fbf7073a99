/**
 * Downsampled series as samples: each window of a chunk has several aggregates, and the function around a selector decides
 * which of them its values are. Raw chunks of the same series, which hold what is younger, go beside them.
 */
import {
  aggregateEncoding,
  chunkSampleCount,
  CounterJoin,
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  encodeAggregateChunk,
  isHistogramEncoding,
  isStaleHistogram,
  parseAggregateChunk,
  reserveSamples,
  type ChunkFailure,
  type HistogramColumns,
  type SampleColumns,
} from "@pleiad/chunks";
import { divideHistogram, type Aggregate, type ChunkEncoding, type EncodedChunk } from "@pleiad/model";
import { mergeHistograms } from "./histogram-samples.ts";

/** What a window's value is: one of its aggregates, or sum by count. */
export type AggregateChoice = Aggregate | "average";

/** A chunk as a series keeps it: raw, or some aggregates as one chunk. */
export interface KeptChunk {
  readonly encoding: ChunkEncoding | typeof aggregateEncoding;
  readonly data: Uint8Array;
}

/**
 * By the innermost function or aggregation around a selector. `resets` is not among those that read the counter, which is
 * added up over resets and so has none.
 */
const choices: ReadonlyMap<string, AggregateChoice> = new Map([
  ["min", "min"],
  ["min_over_time", "min"],
  ["max", "max"],
  ["max_over_time", "max"],
  ["sum_over_time", "sum"],
  ["count_over_time", "count"],
  ["rate", "counter"],
  ["increase", "counter"],
  ["irate", "counter"],
]);

export function aggregateChoiceFor(functionName: string | undefined): AggregateChoice {
  return choices.get(functionName ?? "") ?? "average";
}

/** What a query that may read windows looks back for the latest sample: as far as the windows are long, at the least. */
export function lookbackForResolution(lookbackMs: number, maxResolutionMs: number): number {
  const longestMs = maxResolutionMs > fiveMinutesMs ? hourMs : maxResolutionMs > 0 ? fiveMinutesMs : 0;
  return Math.max(lookbackMs, longestMs);
}

const fiveMinutesMs = 300_000;
const hourMs = 3_600_000;

/** As much of a downsampled chunk as the choice needs; undefined where it is not there. */
export function keepAggregates(
  choice: AggregateChoice,
  of: ReadonlyMap<Aggregate, EncodedChunk>,
): KeptChunk | undefined {
  // Histograms have no least and no greatest: functions that ask for those ignore them, but must see that they are there.
  const wanted: readonly Aggregate[] = choice !== "average" && of.has(choice) ? [choice] : ["sum", "count"];
  const kept = new Map<Aggregate, EncodedChunk>();
  for (const aggregate of wanted) {
    const chunk = of.get(aggregate);
    if (chunk === undefined) return undefined;
    kept.set(aggregate, chunk);
  }
  return { encoding: aggregateEncoding, data: encodeAggregateChunk(kept) };
}

/**
 * Appends the samples of a series to the columns, floats and histograms each in order of time. Chunks ascend by their first
 * time; of those that overlap, what is not later than what was there is left out. Counts and averages come with weights, so
 * that a window counts as the samples it was made of.
 */
export function readKeptChunks(
  chunks: Iterable<KeptChunk>,
  choice: AggregateChoice,
  floats: SampleColumns,
  histograms: HistogramColumns,
): ChunkFailure | undefined {
  const series: SeriesSamples = { choice, floats, histograms, join: new CounterJoin() };
  const from = floats.count;
  if (choice === "count" || choice === "average") floats.weights = new Float64Array(floats.timestampsMs.length).fill(1);
  for (const { encoding, data } of chunks) {
    const failure = encoding === aggregateEncoding ? readAggregates(data, series) : readRaw({ encoding, data }, series);
    if (failure !== undefined) return failure;
  }
  floats.startTimestampsMs?.fill(0, from, floats.count);
  return undefined;
}

interface SeriesSamples {
  readonly choice: AggregateChoice;
  readonly floats: SampleColumns;
  readonly histograms: HistogramColumns;
  readonly join: CounterJoin;
}

function readAggregates(data: Uint8Array, series: SeriesSamples): ChunkFailure | undefined {
  const parsed = parseAggregateChunk(data);
  if (!parsed.ok) return parsed.failure;
  const { choice } = series;
  const chosen = choice === "average" ? undefined : parsed.value.get(choice);
  if (chosen === undefined) return readAverages(parsed.value, series);
  if (isHistogramEncoding(chosen.encoding)) return readHistograms(chosen, series.histograms);
  const windows = createSampleColumns(chunkSampleCount(chosen.data, chosen.encoding));
  const failure = decodeChunk(chosen.encoding, chosen.data, windows);
  if (failure !== undefined) return failure;
  if (choice === "count") windows.weights = windows.values;
  if (choice === "counter") series.join.append(windows, series.floats);
  else appendLater(series.floats, windows);
  return undefined;
}

function readAverages(of: ReadonlyMap<Aggregate, EncodedChunk>, series: SeriesSamples): ChunkFailure | undefined {
  const sum = of.get("sum");
  const count = of.get("count");
  if (sum === undefined || count === undefined) return { kind: "corrupt", reason: "it has no sum or no count" };
  const counts = createSampleColumns(0);
  const failure = decodeChunk(count.encoding, count.data, counts);
  if (failure !== undefined) return failure;
  if (isHistogramEncoding(sum.encoding)) {
    const sums = createHistogramColumns();
    const damage = decodeHistogramChunk(sum.encoding, sum.data, sums) ?? misaligned(sums, counts);
    if (damage !== undefined) return damage;
    for (let i = 0; i < sums.count; i++) sums.histograms[i] = divideHistogram(sums.histograms[i], counts.values[i]);
    mergeHistograms(series.histograms, sums);
    return undefined;
  }
  const sums = createSampleColumns(0);
  const damage = decodeChunk(sum.encoding, sum.data, sums) ?? misaligned(sums, counts);
  if (damage !== undefined) return damage;
  for (let i = 0; i < sums.count; i++) sums.values[i] /= counts.values[i];
  sums.weights = counts.values;
  appendLater(series.floats, sums);
  return undefined;
}

/** What is wrong where a sum and its count are not those of the same windows. */
function misaligned(
  sums: { readonly timestampsMs: Float64Array; readonly count: number },
  counts: SampleColumns,
): ChunkFailure | undefined {
  let same = sums.count === counts.count;
  for (let i = 0; same && i < counts.count; i++) same = sums.timestampsMs[i] === counts.timestampsMs[i];
  return same ? undefined : { kind: "corrupt", reason: "its sum and its count are not of the same windows" };
}

function readRaw(chunk: EncodedChunk, series: SeriesSamples): ChunkFailure | undefined {
  if (isHistogramEncoding(chunk.encoding)) {
    return series.choice === "count" ? countHistograms(chunk, series.floats) : readHistograms(chunk, series.histograms);
  }
  const samples = createSampleColumns(chunkSampleCount(chunk.data, chunk.encoding));
  const failure = decodeChunk(chunk.encoding, chunk.data, samples);
  if (failure !== undefined) return failure;
  if (series.choice === "counter") series.join.append(samples, series.floats);
  else appendLater(series.floats, samples);
  return undefined;
}

function readHistograms(chunk: EncodedChunk, histograms: HistogramColumns): ChunkFailure | undefined {
  const added = createHistogramColumns();
  const failure = decodeHistogramChunk(chunk.encoding, chunk.data, added);
  if (failure === undefined && added.count > 0) mergeHistograms(histograms, added);
  return failure;
}

/** Raw histograms as floats: counts of windows are floats as well, and only how many there are is asked for. */
function countHistograms(chunk: EncodedChunk, floats: SampleColumns): ChunkFailure | undefined {
  const histograms = createHistogramColumns();
  const failure = decodeHistogramChunk(chunk.encoding, chunk.data, histograms);
  if (failure !== undefined) return failure;
  const ones = createSampleColumns(histograms.count);
  for (let i = 0; i < histograms.count; i++) {
    if (isStaleHistogram(histograms.histograms[i])) continue;
    ones.timestampsMs[ones.count] = histograms.timestampsMs[i];
    ones.values[ones.count++] = 1;
  }
  appendLater(floats, ones);
  return undefined;
}

/** Appends the samples that are later than all in `columns`, by the bits of their values. */
function appendLater(columns: SampleColumns, added: SampleColumns): void {
  reserveSamples(columns, added.count);
  const lastMs = columns.count === 0 ? -Infinity : columns.timestampsMs[columns.count - 1];
  for (let i = 0; i < added.count; i++) {
    if (added.timestampsMs[i] <= lastMs) continue;
    const at = columns.count++;
    columns.timestampsMs[at] = added.timestampsMs[i];
    if (columns.weights !== undefined) columns.weights[at] = added.weights?.[i] ?? 1;
    columns.valueWords[2 * at] = added.valueWords[2 * i];
    columns.valueWords[2 * at + 1] = added.valueWords[2 * i + 1];
  }
}
