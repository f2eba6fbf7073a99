/**
 * Downsampling a series: raw samples to windows of 5 minutes, those to windows of an hour. What the chunks hold and how long
 * they are: docs/format/aggregate-chunk.md.
 */
import type { BlockChunk } from "@pleiad/blocks";
import {
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  isHistogramEncoding,
  parseAggregateChunk,
  reserveSamples,
  type ChunkFailure,
  type HistogramColumns,
  type SampleColumns,
} from "@pleiad/chunks";
import { fail, ok, type Aggregate, type FloatHistogram, type Result } from "@pleiad/model";
import type { DownsampleFailure } from "./downsample-failure.ts";
import { downsampleFloatAggregates, downsampleFloats, dropUnusable, joinCounters } from "./downsample-floats.ts";
import {
  areAlike,
  downsampleHistogramAggregates,
  downsampleHistograms,
  dropUnusableHistograms,
  type HistogramCounter,
} from "./downsample-histograms.ts";
import { chunkCountFor, eachBatch } from "./downsample-windows.ts";

/** Raw samples are taken to be this far apart when chunks are sized, even if they are closer. */
const rawIntervalMs = 60_000;

const floatAggregates = ["count", "sum", "min", "max"] as const satisfies readonly Aggregate[];

/** The chunks of a series, ascending and not overlapping, as chunks of aggregates over windows of `resolutionMs`. */
export function downsampleRaw(
  chunks: readonly BlockChunk[],
  resolutionMs: number,
): Result<readonly BlockChunk[], DownsampleFailure> {
  const overlap = overlapIn(chunks);
  if (overlap !== undefined) return fail(overlap);
  const out: BlockChunk[] = [];
  for (const run of runsOf(chunks, ({ encoding }, next) => isHistogram(encoding) === isHistogram(next.encoding))) {
    const failure = isHistogram(run[0]?.encoding ?? 1)
      ? downsampleHistogramRun(run, resolutionMs, out)
      : downsampleFloatRun(run, resolutionMs, out);
    if (failure !== undefined) return fail(failure);
  }
  return ok(out);
}

/**
 * The chunks of a series with windows of `fromResolutionMs` as such with longer windows. A raw chunk among them, which a
 * careless writer may have left, is downsampled on the way.
 */
export function downsampleAggregates(
  chunks: readonly BlockChunk[],
  fromResolutionMs: number,
  resolutionMs: number,
): Result<readonly BlockChunk[], DownsampleFailure> {
  const overlap = overlapIn(chunks);
  if (overlap !== undefined) return fail(overlap);
  const inputs: AggregateInput[] = [];
  for (const chunk of chunks) {
    const whole = chunk.encoding === 255 ? ok([chunk]) : downsampleRaw([chunk], fromResolutionMs);
    if (!whole.ok) return whole;
    for (const one of whole.value) {
      const input = openAggregates(one);
      if (!input.ok) return fail({ kind: "damaged-chunk", startMs: one.minTimeMs, failure: input.failure });
      inputs.push(input.value);
    }
  }
  const out: BlockChunk[] = [];
  for (const run of runsOf(inputs, canJoin)) {
    const sampleCount = run.reduce((sum, { chunk }) => sum + chunk.sampleCount, 0);
    const minTimeMs = run[0]?.chunk.minTimeMs ?? 0;
    const maxTimeMs = run[run.length - 1]?.chunk.maxTimeMs ?? 0;
    const chunkCount = chunkCountFor(minTimeMs, maxTimeMs, sampleCount, fromResolutionMs, resolutionMs);
    // Chunks stay whole: their counters begin and end with the true values of the series.
    const batchSize = Math.max(1, Math.floor(run.length / chunkCount));
    const counter: HistogramCounter = { beforeResets: undefined, last: undefined };
    for (let start = 0; start < run.length; start += batchSize) {
      const chunk = downsampleBatch(run.slice(start, start + batchSize), resolutionMs, counter);
      if (chunk !== undefined) out.push(chunk);
    }
  }
  return ok(out);
}

/** A downsampled chunk, decoded. */
interface AggregateInput {
  readonly chunk: BlockChunk;
  readonly floats: ReadonlyMap<Aggregate, SampleColumns>;
  readonly histograms: ReadonlyMap<Aggregate, HistogramColumns>;
}

function openAggregates(chunk: BlockChunk): Result<AggregateInput, ChunkFailure> {
  const parsed = parseAggregateChunk(chunk.data);
  if (!parsed.ok) return parsed;
  const floats = new Map<Aggregate, SampleColumns>();
  const histograms = new Map<Aggregate, HistogramColumns>();
  for (const [aggregate, { encoding, data }] of parsed.value) {
    if (isHistogram(encoding)) {
      const columns = createHistogramColumns();
      const failure = decodeHistogramChunk(encoding, data, columns);
      if (failure !== undefined) return fail(failure);
      dropUnusableHistograms(columns, 0);
      histograms.set(aggregate, columns);
    } else {
      const columns = createSampleColumns(0);
      const failure = decodeChunk(encoding, data, columns);
      if (failure !== undefined) return fail(failure);
      if (aggregate !== "counter") dropUnusable(columns, 0);
      floats.set(aggregate, columns);
    }
  }
  return ok({ chunk, floats, histograms });
}

function canJoin(one: AggregateInput, other: AggregateInput): boolean {
  const first = firstHistogram(one);
  const second = firstHistogram(other);
  if (first === undefined || second === undefined) return first === second;
  return areAlike(first, second);
}

function firstHistogram({ histograms }: AggregateInput): FloatHistogram | undefined {
  return (histograms.get("counter") ?? histograms.get("sum"))?.histograms[0];
}

function downsampleBatch(
  batch: readonly AggregateInput[],
  resolutionMs: number,
  counter: HistogramCounter,
): BlockChunk | undefined {
  if (batch.some(({ histograms }) => histograms.size > 0)) {
    return downsampleHistogramAggregates(
      concatFloats(batch, "count"),
      concatHistograms(batch, "sum"),
      concatHistograms(batch, "counter"),
      resolutionMs,
      counter,
    );
  }
  const { joined, lastValue } = joinCounters(
    batch.flatMap(({ floats }) => {
      const counter = floats.get("counter");
      return counter === undefined ? [] : [counter];
    }),
  );
  const aggregates = new Map<Aggregate, SampleColumns>([["counter", joined]]);
  for (const aggregate of floatAggregates) aggregates.set(aggregate, concatFloats(batch, aggregate));
  return downsampleFloatAggregates(aggregates, lastValue, resolutionMs);
}

function concatFloats(batch: readonly AggregateInput[], aggregate: Aggregate): SampleColumns {
  const all = createSampleColumns(0);
  for (const { floats } of batch) {
    const columns = floats.get(aggregate);
    if (columns === undefined) continue;
    reserveSamples(all, columns.count);
    all.timestampsMs.set(columns.timestampsMs.subarray(0, columns.count), all.count);
    all.values.set(columns.values.subarray(0, columns.count), all.count);
    all.count += columns.count;
  }
  return all;
}

function concatHistograms(batch: readonly AggregateInput[], aggregate: Aggregate): HistogramColumns {
  const timesMs: number[] = [];
  const histograms: FloatHistogram[] = [];
  for (const input of batch) {
    const columns = input.histograms.get(aggregate);
    if (columns === undefined) continue;
    for (let i = 0; i < columns.count; i++) {
      const histogram = columns.histograms[i];
      if (histogram === undefined) continue;
      timesMs.push(columns.timestampsMs[i] ?? 0);
      histograms.push(histogram);
    }
  }
  return { timestampsMs: Float64Array.from(timesMs), histograms, count: histograms.length };
}

function downsampleFloatRun(
  run: readonly BlockChunk[],
  resolutionMs: number,
  out: BlockChunk[],
): DownsampleFailure | undefined {
  const samples = createSampleColumns(0);
  for (const chunk of run) {
    if (chunk.encoding === 255) return { kind: "downsampled-already", startMs: chunk.minTimeMs };
    const from = samples.count;
    const failure = decodeChunk(chunk.encoding, chunk.data, samples);
    if (failure !== undefined) return { kind: "damaged-chunk", startMs: chunk.minTimeMs, failure };
    dropUnusable(samples, from);
  }
  eachRawBatch(samples, 0, samples.count, resolutionMs, (from, to) => {
    const chunk = downsampleFloats(samples, from, to, resolutionMs);
    if (chunk !== undefined) out.push(chunk);
  });
  return undefined;
}

function downsampleHistogramRun(
  run: readonly BlockChunk[],
  resolutionMs: number,
  out: BlockChunk[],
): DownsampleFailure | undefined {
  const columns = createHistogramColumns();
  for (const chunk of run) {
    if (chunk.encoding === 255) return { kind: "downsampled-already", startMs: chunk.minTimeMs };
    const from = columns.count;
    const failure = decodeHistogramChunk(chunk.encoding, chunk.data, columns);
    if (failure !== undefined) return { kind: "damaged-chunk", startMs: chunk.minTimeMs, failure };
    dropUnusableHistograms(columns, from);
  }
  for (let start = 0; start < columns.count;) {
    const first = columns.histograms[start];
    let end = start + 1;
    for (; end < columns.count; end++) {
      const next = columns.histograms[end];
      if (first !== undefined && next !== undefined && !areAlike(first, next)) break;
    }
    const counter: HistogramCounter = { beforeResets: undefined, last: undefined };
    eachRawBatch(columns, start, end, resolutionMs, (from, to) => {
      const chunk = downsampleHistograms(columns, from, to, resolutionMs, counter);
      if (chunk !== undefined) out.push(chunk);
    });
    start = end;
  }
  return undefined;
}

function eachRawBatch(
  { timestampsMs }: { readonly timestampsMs: Float64Array },
  from: number,
  to: number,
  resolutionMs: number,
  visit: (from: number, to: number) => void,
): void {
  if (from === to) return;
  const firstMs = timestampsMs[from] ?? 0;
  const lastMs = timestampsMs[to - 1] ?? 0;
  const chunkCount = chunkCountFor(firstMs, lastMs, to - from, rawIntervalMs, resolutionMs);
  eachBatch(timestampsMs, from, to, chunkCount, resolutionMs, visit);
}

/** The longest runs in which each item goes with the one before. */
function runsOf<T>(items: readonly T[], goesOn: (before: T, item: T) => boolean): T[][] {
  const runs: T[][] = [];
  let before: T | undefined;
  for (const item of items) {
    const run = runs[runs.length - 1];
    if (run !== undefined && before !== undefined && goesOn(before, item)) run.push(item);
    else runs.push([item]);
    before = item;
  }
  return runs;
}

function isHistogram(encoding: BlockChunk["encoding"]): boolean {
  return encoding !== 255 && isHistogramEncoding(encoding);
}

function overlapIn(chunks: readonly BlockChunk[]): DownsampleFailure | undefined {
  for (const [i, chunk] of chunks.entries()) {
    const before = chunks[i - 1];
    if (before !== undefined && before.maxTimeMs >= chunk.minTimeMs) {
      return { kind: "overlap", endMs: before.maxTimeMs, startMs: chunk.minTimeMs };
    }
  }
  return undefined;
}
