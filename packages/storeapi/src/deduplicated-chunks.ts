/** Replicas of one series made one, and written as chunks. What decides is `chunks/replica-merge`, by the rules of Thanos. */
import {
  CounterJoin,
  createHistogramAppender,
  createReplicaPicks,
  createSampleColumns,
  encodeXor,
  encodeXor2,
  isHistogramEncoding,
  mergeFloatReplicas,
  pickReplicaSamples,
  reserveSamples,
  type HistogramAppender,
  type SampleColumns,
  type TimedColumns,
} from "@pleiad/chunks";
import { xorEncoding, type Aggregate, type EncodedChunk, type SourceChunk } from "@pleiad/model";
import { allOf, type DecodedChunk, type DecodedSamples, type ReplicaLine } from "./replica-lines.ts";

/** What Prometheus puts into a chunk. */
const samplesPerChunk = 120;

export interface TimeRange {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

/** Samples of the range that penalty leaves of several lines. */
export function mergeLines(lines: readonly ReplicaLine[], range: TimeRange): readonly SourceChunk[] {
  return mergeFloatLines(lines, range) ?? mergeMixedLines(lines, range);
}

/**
 * The same for what only rises, so that going over from one replica to another is no reset: each line is added up over its
 * own resets first. Undefined where a line is no counter of floats.
 */
export function mergeCounterLines(lines: readonly ReplicaLine[], range: TimeRange): readonly SourceChunk[] | undefined {
  const totals = allOf(lines, totalsOf);
  return totals && encodeMerged(totals, range, { isCounter: true });
}

/** Nearly all series are of floats alone: no sample of theirs is looked at one by one but for its time. */
function mergeFloatLines(lines: readonly ReplicaLine[], range: TimeRange): readonly SourceChunk[] | undefined {
  const floats = allOf(lines, floatsOf);
  return floats && encodeMerged(floats, range, { isCounter: false });
}

function encodeMerged(
  replicas: readonly SampleColumns[],
  range: TimeRange,
  options: { readonly isCounter: boolean },
): readonly SourceChunk[] {
  const merged = createSampleColumns(Math.max(...replicas.map(({ count }) => count)));
  mergeFloatReplicas(
    "penalty",
    replicas.map((columns) => withinRange(columns, range)),
    merged,
    options,
  );
  const chunks: SourceChunk[] = [];
  for (let from = 0; from < merged.count; from += samplesPerChunk) {
    const to = Math.min(merged.count, from + samplesPerChunk);
    const data = encodeXor(merged.timestampsMs, merged.values, from, to);
    chunks.push({
      minTimeMs: merged.timestampsMs[from] as number,
      maxTimeMs: merged.timestampsMs[to - 1] as number,
      content: { kind: "raw", encoding: xorEncoding, data },
    });
  }
  return chunks;
}

/** A view of the samples in the range. */
function withinRange(columns: SampleColumns, { minTimeMs, maxTimeMs }: TimeRange): SampleColumns {
  const { timestampsMs, values, valueWords, count } = columns;
  let from = 0;
  while (from < count && (timestampsMs[from] as number) < minTimeMs) from++;
  let to = count;
  while (to > from && (timestampsMs[to - 1] as number) > maxTimeMs) to--;
  if (to - from === count) return columns;
  return {
    timestampsMs: timestampsMs.subarray(from, to),
    values: values.subarray(from, to),
    valueWords: valueWords.subarray(2 * from, 2 * to),
    count: to - from,
  };
}

function floatsOf(line: ReplicaLine): SampleColumns | undefined {
  let floats = createSampleColumns(line.reduce((count, { times }) => count + times.count, 0));
  for (const { raw } of line) {
    if (raw?.kind !== "floats" || raw.encoding !== xorEncoding) return undefined;
    floats = appended(floats, raw.columns);
  }
  return floats;
}

/** The samples of both, each time once: in `columns` where the others follow, as they mostly do. */
function appended(columns: SampleColumns, others: SampleColumns): SampleColumns {
  const { count } = others;
  const lastMs = columns.timestampsMs[columns.count - 1] ?? -Infinity;
  if (columns.count > 0 && count > 0 && (others.timestampsMs[0] as number) <= lastMs) {
    const both = createSampleColumns(columns.count + count);
    mergeFloatReplicas("one-to-one", [columns, others], both);
    return both;
  }
  reserveSamples(columns, count);
  columns.timestampsMs.set(others.timestampsMs.subarray(0, count), columns.count);
  // As words: a copy of doubles may change the bits of a staleness marker.
  columns.valueWords.set(others.valueWords.subarray(0, 2 * count), 2 * columns.count);
  columns.count += count;
  return columns;
}

function mergeMixedLines(lines: readonly ReplicaLine[], range: TimeRange): readonly SourceChunk[] {
  const replicas = lines.map((line) => samplesOf(line, range));
  const picks = createReplicaPicks();
  pickReplicaSamples("penalty", replicas, picks);
  const writer = createChunkWriter();
  for (let i = 0; i < picks.count; i++) {
    const replica = replicas[picks.replicas[i] as number] as LineSamples;
    const sample = picks.samples[i] as number;
    writer.append(replica.chunks[replica.chunkOf[sample] as number] as DecodedChunk, replica.placeOf[sample] as number);
  }
  return writer.finish();
}

/** Chunks of a line that are raw and overlap are copies: what one lacks is taken from the other. */
function totalsOf(line: ReplicaLine): SampleColumns | undefined {
  const join = new CounterJoin();
  const totals = createSampleColumns(0);
  let raw = createSampleColumns(0); // not added up yet
  const addUp = () => {
    if (raw.count > 0) join.append(raw, totals);
    raw = createSampleColumns(0);
  };
  for (const { raw: own, aggregates } of line) {
    const counter = own ?? aggregates.get("counter");
    if (counter?.kind !== "floats") return undefined;
    if (own !== undefined) raw = appended(raw, counter.columns);
    else {
      addUp();
      join.append(counter.columns, totals);
    }
  }
  addUp();
  return totals;
}

/** The samples of a line in order of time, each time once: where a sample is. */
interface LineSamples extends TimedColumns {
  readonly chunks: ReplicaLine;
  readonly chunkOf: Uint32Array;
  readonly placeOf: Uint32Array;
}

function samplesOf(chunks: ReplicaLine, { minTimeMs, maxTimeMs }: TimeRange): LineSamples {
  let countMax = 0;
  for (const { times } of chunks) countMax += times.count;
  const timestampsMs = new Float64Array(countMax);
  const chunkOf = new Uint32Array(countMax);
  const placeOf = new Uint32Array(countMax);
  // One by one: chunks of a line overlap only where they are copies, and then lines are few and short.
  const ats = new Uint32Array(chunks.length);
  let first = 0; // chunks before it are read
  let count = 0;
  for (;;) {
    let chosen = -1;
    let chosenMs = Infinity;
    for (let i = first; i < chunks.length; i++) {
      const { times, chunk } = chunks[i] as DecodedChunk;
      if (chosen >= 0 && chunk.minTimeMs > chosenMs) break;
      const at = ats[i] as number;
      if (at >= times.count) {
        if (i === first) first++;
        continue;
      }
      const timeMs = times.timestampsMs[at] as number;
      if (timeMs < chosenMs) [chosen, chosenMs] = [i, timeMs];
    }
    if (chosen < 0) break;
    const place = ats[chosen] as number;
    for (let i = first; i < chunks.length; i++) {
      const { times, chunk } = chunks[i] as DecodedChunk;
      if (chunk.minTimeMs > chosenMs) break;
      const at = ats[i] as number;
      if (at < times.count && times.timestampsMs[at] === chosenMs) ats[i] = at + 1;
    }
    if (chosenMs < minTimeMs || chosenMs > maxTimeMs) continue;
    timestampsMs[count] = chosenMs;
    chunkOf[count] = chosen;
    placeOf[count++] = place;
  }
  return { timestampsMs, count, chunks, chunkOf, placeOf };
}

interface ChunkWriter {
  append(from: DecodedChunk, place: number): void;
  finish(): readonly SourceChunk[];
}

type ColumnName = Aggregate | "raw";

/** Writes samples of any kind: a run of one kind becomes a chunk, of downsampled ones a chunk for each aggregate. */
function createChunkWriter(): ChunkWriter {
  const chunks: SourceChunk[] = [];
  let kind = "";
  let count = 0;
  let minTimeMs = 0;
  let maxTimeMs = 0;
  let columns = new Map<ColumnName, ColumnWriter>();

  function cut() {
    if (count > 0) chunks.push({ minTimeMs, maxTimeMs, content: contentOf(columns) });
    count = 0;
  }

  /** False where a histogram cannot go on in its chunk; nothing is added then. */
  function add(timeMs: number, samples: readonly NamedSamples[], place: number): boolean {
    if (count === 0) columns = new Map(samples.map(([name, one]) => [name, columnWriter(one)]));
    for (const [name, one] of samples) if (columns.get(name)?.append(timeMs, one, place) === false) return false;
    if (count++ === 0) minTimeMs = timeMs;
    maxTimeMs = timeMs;
    return true;
  }

  return {
    append({ raw, aggregates, times }, place) {
      const samples: readonly NamedSamples[] = raw === undefined ? windowsOf(aggregates) : [["raw", raw]];
      const own = samples.map(([name, { encoding }]) => `${name} ${encoding}`).join();
      const histograms = samples.filter(([, one]) => one.kind === "histograms").length;
      // Where the second of two histograms could not go on, the first would have gone on already.
      if (own !== kind || count >= samplesPerChunk || histograms > 1) cut();
      kind = own;
      const timeMs = times.timestampsMs[place] as number;
      if (add(timeMs, samples, place)) return;
      cut();
      add(timeMs, samples, place);
    },
    finish() {
      cut();
      return chunks;
    },
  };
}

type NamedSamples = readonly [name: ColumnName, samples: DecodedSamples];

/** Histograms first. Without counters, which go on from chunk to chunk: those of several replicas do not go together. */
function windowsOf(aggregates: DecodedChunk["aggregates"]): readonly NamedSamples[] {
  const windows = [...aggregates].filter(([name]) => name !== "counter");
  return windows.sort(([, a], [, b]) => Number(a.kind === "floats") - Number(b.kind === "floats"));
}

function contentOf(columns: ReadonlyMap<ColumnName, ColumnWriter>): SourceChunk["content"] {
  const raw = columns.get("raw");
  if (raw !== undefined) return { kind: "raw", ...raw.encode() };
  const of = new Map<Aggregate, EncodedChunk>();
  for (const [name, column] of columns) if (name !== "raw") of.set(name, column.encode());
  return { kind: "aggregates", of };
}

interface ColumnWriter {
  append(timeMs: number, from: DecodedSamples, place: number): boolean;
  encode(): EncodedChunk;
}

function columnWriter(like: DecodedSamples): ColumnWriter {
  return like.kind === "floats" ? floatWriter(like.encoding) : histogramWriter(like);
}

function floatWriter(encoding: EncodedChunk["encoding"]): ColumnWriter {
  const samples = createSampleColumns(samplesPerChunk, { startTimestamps: encoding === 4 });
  return {
    append(timeMs, from, place) {
      if (from.kind !== "floats") return false;
      reserveSamples(samples, 1);
      const to = samples.count++;
      samples.timestampsMs[to] = timeMs;
      // As words: a staleness marker is told by its bits.
      samples.valueWords[2 * to] = from.columns.valueWords[2 * place] as number;
      samples.valueWords[2 * to + 1] = from.columns.valueWords[2 * place + 1] as number;
      if (samples.startTimestampsMs !== undefined) {
        samples.startTimestampsMs[to] = from.columns.startTimestampsMs?.[place] ?? 0;
      }
      return true;
    },
    encode: () => ({
      encoding,
      data:
        encoding === 4
          ? encodeXor2(samples, 0, samples.count)
          : encodeXor(samples.timestampsMs, samples.values, 0, samples.count),
    }),
  };
}

function histogramWriter({ encoding }: DecodedSamples): ColumnWriter {
  if (!isHistogramEncoding(encoding)) throw new Error(`no encoding of histograms: ${encoding}`);
  const appender: HistogramAppender = createHistogramAppender(encoding);
  return {
    append(timeMs, from, place) {
      const histogram = from.kind === "histograms" ? from.columns.histograms[place] : undefined;
      if (histogram === undefined) return false;
      return appender.append(timeMs, histogram, from.columns.startTimestampsMs?.[place] ?? 0);
    },
    encode: () => ({ encoding, data: appender.bytes() }),
  };
}
