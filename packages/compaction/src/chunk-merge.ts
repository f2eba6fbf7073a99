/**
 * The chunks of one series from several blocks, as one list that does not overlap. What shares time with nothing is
 * passed on as bytes; the rest is decoded, merged and encoded anew.
 */
import type { BlockChunk } from "@pleiad/blocks";
import {
  createHistogramAppender,
  createHistogramColumns,
  createReplicaPicks,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  encodeXor,
  formatChunkFailure,
  mergeFloatReplicas,
  pickReplicaSamples,
  type HistogramAppender,
  type HistogramColumns,
  type ReplicaMerge,
  type SampleColumns,
  type TimedColumns,
} from "@pleiad/chunks";
import { fail, ok, type FloatHistogram, type Result } from "@pleiad/model";

export type OverlapMerge =
  | ReplicaMerge
  /**
   * One to one, and where two blocks have chunks at the same time they must have the same samples there: else it is a
   * failure. For blocks that are not said to be replicas: what is there twice is dropped, what differs is never mixed.
   */
  | "identical";

export type ChunkMergeFailure =
  /** Chunks that cannot be merged, whatever they hold. */
  | { readonly kind: "unmergeable"; readonly reason: string }
  | { readonly kind: "corrupt-chunk"; readonly input: number; readonly reason: string }
  /** Two inputs have chunks at one time, and not the same samples. */
  | { readonly kind: "conflict"; readonly inputs: readonly [number, number]; readonly timestampMs: number };

/** What Prometheus puts into a chunk. */
const samplesPerChunk = 120;
const xorEncoding = 1;
const aggregateEncoding = 255;

interface InputChunk {
  readonly chunk: BlockChunk;
  readonly input: number;
}

/** `inputs`: the chunks of one series from each block, by time. Those of one input do not overlap each other. */
export function mergeChunks(
  inputs: readonly (readonly BlockChunk[])[],
  merge: OverlapMerge,
): Result<readonly BlockChunk[], ChunkMergeFailure> {
  const [only] = inputs;
  if (only !== undefined && inputs.length === 1) return ok(only);
  if (areApart(inputs)) return ok(inputs.flat());
  const chunks = withoutRepeats(
    inputs.flatMap((list, input) => list.map((chunk) => ({ chunk, input }))).sort(compareInputChunks),
  );
  const merged: BlockChunk[] = [];
  for (let from = 0; from < chunks.length;) {
    const run = overlappingRun(chunks, from);
    const [first] = run;
    if (first !== undefined && run.length === 1) merged.push(first.chunk);
    else {
      const written = mergeRun(run, merge);
      if (!written.ok) return written;
      for (const chunk of written.value) merged.push(chunk);
    }
    from += run.length;
  }
  return ok(merged);
}

/** Whether each list begins behind the end of the one before: blocks of neighbouring times, the usual case. */
function areApart(inputs: readonly (readonly BlockChunk[])[]): boolean {
  let endMs = -Infinity;
  for (const list of inputs) {
    const first = list[0];
    if (first === undefined) continue;
    if (first.minTimeMs <= endMs) return false;
    endMs = list.at(-1)?.maxTimeMs ?? endMs;
  }
  return true;
}

function compareInputChunks(a: InputChunk, b: InputChunk): number {
  return a.chunk.minTimeMs - b.chunk.minTimeMs || a.chunk.maxTimeMs - b.chunk.maxTimeMs || a.input - b.input;
}

/** Replicas that were written by the same hand have the same bytes: one of each is enough. */
function withoutRepeats(sorted: readonly InputChunk[]): readonly InputChunk[] {
  const kept: InputChunk[] = [];
  for (const one of sorted) {
    let isRepeat = false;
    for (let i = kept.length - 1; i >= 0 && !isRepeat; i--) {
      const other = kept[i]?.chunk;
      if (other === undefined || other.minTimeMs !== one.chunk.minTimeMs) break;
      isRepeat = isSameChunk(other, one.chunk);
    }
    if (!isRepeat) kept.push(one);
  }
  return kept;
}

function isSameChunk(a: BlockChunk, b: BlockChunk): boolean {
  if (a.maxTimeMs !== b.maxTimeMs || a.encoding !== b.encoding || a.data.length !== b.data.length) return false;
  for (let i = 0; i < a.data.length; i++) if (a.data[i] !== b.data[i]) return false;
  return true;
}

function overlappingRun(sorted: readonly InputChunk[], from: number): readonly InputChunk[] {
  let to = from;
  for (let endMs = -Infinity; to < sorted.length; to++) {
    const chunk = sorted[to]?.chunk;
    if (chunk === undefined || (to > from && chunk.minTimeMs > endMs)) break;
    endMs = Math.max(endMs, chunk.maxTimeMs);
  }
  return sorted.slice(from, to);
}

function mergeRun(run: readonly InputChunk[], merge: OverlapMerge): Result<readonly BlockChunk[], ChunkMergeFailure> {
  for (const { chunk } of run) {
    if (chunk.encoding === aggregateEncoding) {
      return fail({ kind: "unmergeable", reason: "downsampled chunks overlap" });
    }
    if (chunk.encoding > 3) {
      return fail({ kind: "unmergeable", reason: `chunks with start timestamps (encoding ${chunk.encoding}) overlap` });
    }
  }
  const replicas = toReplicas(run);
  return run.every(({ chunk }) => chunk.encoding === xorEncoding)
    ? mergeFloats(replicas, merge)
    : mergeMixed(replicas, merge);
}

/** Chunks that follow each other without overlap are one replica: each goes to the first that has room for it. */
function toReplicas(run: readonly InputChunk[]): readonly (readonly InputChunk[])[] {
  const replicas: InputChunk[][] = [];
  for (const one of run) {
    const free = replicas.find((replica) => (replica.at(-1)?.chunk.maxTimeMs ?? -Infinity) < one.chunk.minTimeMs);
    if (free === undefined) replicas.push([one]);
    else free.push(one);
  }
  return replicas;
}

function mergeFloats(
  replicas: readonly (readonly InputChunk[])[],
  merge: OverlapMerge,
): Result<readonly BlockChunk[], ChunkMergeFailure> {
  const columns: SampleColumns[] = [];
  for (const replica of replicas) {
    const samples = createSampleColumns(samplesPerChunk * replica.length);
    for (const { chunk, input } of replica) {
      const failure = decodeChunk(xorEncoding, chunk.data, samples);
      if (failure !== undefined) return fail({ kind: "corrupt-chunk", input, reason: formatChunkFailure(failure) });
    }
    columns.push(samples);
  }
  if (merge === "identical") {
    const conflict = findConflict(replicas, columns, areSameFloats);
    if (conflict !== undefined) return fail(conflict);
  }
  const merged = createSampleColumns(Math.max(...columns.map(({ count }) => count)));
  mergeFloatReplicas(merge === "penalty" ? "penalty" : "one-to-one", columns, merged);
  return ok(encodeFloats(merged));
}

function encodeFloats({ timestampsMs, values, count }: SampleColumns): readonly BlockChunk[] {
  const chunks: BlockChunk[] = [];
  for (let from = 0; from < count; from += samplesPerChunk) {
    const to = Math.min(count, from + samplesPerChunk);
    chunks.push({
      minTimeMs: timestampsMs[from] ?? NaN,
      maxTimeMs: timestampsMs[to - 1] ?? NaN,
      sampleCount: to - from,
      encoding: xorEncoding,
      data: encodeXor(timestampsMs, values, from, to),
    });
  }
  return chunks;
}

/** The samples of one replica whose chunks are of several kinds. */
interface MixedSamples {
  timestampsMs: Float64Array;
  count: number;
  /** By sample: the chunk it came from, and its place there. */
  readonly sources: { readonly content: DecodedChunk; readonly at: number }[];
}

type DecodedChunk =
  | { readonly kind: "floats"; readonly columns: SampleColumns }
  | { readonly kind: "histograms"; readonly encoding: 2 | 3; readonly columns: HistogramColumns };

function mergeMixed(
  replicas: readonly (readonly InputChunk[])[],
  merge: OverlapMerge,
): Result<readonly BlockChunk[], ChunkMergeFailure> {
  const decoded: MixedSamples[] = [];
  for (const replica of replicas) {
    const samples = decodeMixed(replica);
    if (!samples.ok) return samples;
    decoded.push(samples.value);
  }
  if (merge === "identical") {
    const conflict = findConflict(replicas, decoded, areSameSamples);
    if (conflict !== undefined) return fail(conflict);
  }
  const picks = createReplicaPicks();
  pickReplicaSamples(merge === "penalty" ? "penalty" : "one-to-one", decoded, picks);
  const chunks: BlockChunk[] = [];
  let writer: ChunkWriter | undefined;
  for (let i = 0; i < picks.count; i++) {
    const samples = decoded[picks.replicas[i] ?? 0];
    const at = picks.samples[i] ?? 0;
    const source = samples?.sources[at];
    if (samples === undefined || source === undefined) continue;
    const kind = source.content.kind === "floats" ? 1 : source.content.encoding;
    if (writer?.encoding !== kind) {
      writer?.finish();
      writer = kind === 1 ? floatWriter(chunks) : histogramWriter(kind, chunks);
    }
    writer.append(samples.timestampsMs[at] ?? NaN, source.content, source.at);
  }
  writer?.finish();
  return ok(chunks);
}

function decodeMixed(replica: readonly InputChunk[]): Result<MixedSamples, ChunkMergeFailure> {
  const timestampsMs: number[] = [];
  const sources: MixedSamples["sources"] = [];
  for (const { chunk, input } of replica) {
    const content = decodeOne(chunk);
    if (!content.ok) return fail({ kind: "corrupt-chunk", input, reason: content.failure });
    const { columns } = content.value;
    for (let at = 0; at < columns.count; at++) {
      timestampsMs.push(columns.timestampsMs[at] ?? NaN);
      sources.push({ content: content.value, at });
    }
  }
  return ok({ timestampsMs: Float64Array.from(timestampsMs), count: timestampsMs.length, sources });
}

function decodeOne({ encoding, data }: BlockChunk): Result<DecodedChunk, string> {
  if (encoding === 2 || encoding === 3) {
    const columns = createHistogramColumns();
    const failure = decodeHistogramChunk(encoding, data, columns);
    return failure === undefined ? ok({ kind: "histograms", encoding, columns }) : fail(formatChunkFailure(failure));
  }
  const columns = createSampleColumns(samplesPerChunk);
  const failure = decodeChunk(xorEncoding, data, columns);
  return failure === undefined ? ok({ kind: "floats", columns }) : fail(formatChunkFailure(failure));
}

/** Writes samples of one kind into chunks behind each other. */
interface ChunkWriter {
  readonly encoding: 1 | 2 | 3;
  append(timestampMs: number, content: DecodedChunk, at: number): void;
  finish(): void;
}

function floatWriter(chunks: BlockChunk[]): ChunkWriter {
  const samples = createSampleColumns(samplesPerChunk);
  const finish = () => {
    chunks.push(...encodeFloats(samples));
    samples.count = 0;
  };
  return {
    encoding: 1,
    append(timestampMs, content, at) {
      if (content.kind !== "floats") throw new Error("a histogram in a run of floats");
      const to = samples.count++;
      samples.timestampsMs[to] = timestampMs;
      samples.valueWords[2 * to] = content.columns.valueWords[2 * at] ?? 0;
      samples.valueWords[2 * to + 1] = content.columns.valueWords[2 * at + 1] ?? 0;
      if (samples.count === samplesPerChunk) finish();
    },
    finish,
  };
}

function histogramWriter(encoding: 2 | 3, chunks: BlockChunk[]): ChunkWriter {
  const appender: HistogramAppender = createHistogramAppender(encoding);
  const finish = () => {
    if (appender.count === 0) return;
    const { count: sampleCount, minTimeMs, maxTimeMs } = appender;
    chunks.push({ minTimeMs, maxTimeMs, sampleCount, encoding, data: appender.bytes() });
    appender.cut();
  };
  return {
    encoding,
    append(timestampMs, content, at) {
      if (content.kind !== "histograms") throw new Error("a float in a run of histograms");
      const histogram = content.columns.histograms[at];
      if (histogram === undefined) throw new Error("a sample without its histogram");
      if (appender.count === samplesPerChunk) finish();
      if (appender.append(timestampMs, histogram)) return;
      finish();
      appender.append(timestampMs, histogram);
    },
    finish,
  };
}

/** The first time at which two chunks that cover it differ. `columns` are the samples of the replicas. */
function findConflict<T extends TimedColumns>(
  replicas: readonly (readonly InputChunk[])[],
  columns: readonly T[],
  areSame: (a: T, i: number, b: T, k: number) => boolean,
): ChunkMergeFailure | undefined {
  for (const [first, a] of columns.entries()) {
    for (const [second, b] of columns.entries()) {
      if (second <= first) continue;
      for (const one of replicas[first] ?? []) {
        for (const other of replicas[second] ?? []) {
          const fromMs = Math.max(one.chunk.minTimeMs, other.chunk.minTimeMs);
          const toMs = Math.min(one.chunk.maxTimeMs, other.chunk.maxTimeMs);
          if (fromMs > toMs) continue;
          const timestampMs = firstDifference(a, b, fromMs, toMs, areSame);
          if (timestampMs === undefined) continue;
          const inputs = [one.input, other.input] as const;
          return { kind: "conflict", inputs: inputs[0] < inputs[1] ? inputs : [inputs[1], inputs[0]], timestampMs };
        }
      }
    }
  }
  return undefined;
}

/** Within [fromMs, toMs]. */
function firstDifference<T extends TimedColumns>(
  a: T,
  b: T,
  fromMs: number,
  toMs: number,
  areSame: (a: T, i: number, b: T, k: number) => boolean,
): number | undefined {
  let i = firstFrom(a, fromMs);
  let k = firstFrom(b, fromMs);
  for (; ; i++, k++) {
    const timestampMs = i < a.count ? (a.timestampsMs[i] ?? Infinity) : Infinity;
    const otherMs = k < b.count ? (b.timestampsMs[k] ?? Infinity) : Infinity;
    const nextMs = Math.min(timestampMs, otherMs);
    if (nextMs > toMs) return undefined;
    if (timestampMs !== otherMs || !areSame(a, i, b, k)) return nextMs;
  }
}

/** The number of the first sample that is not before a time. */
function firstFrom({ timestampsMs, count }: TimedColumns, timeMs: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timestampsMs[middle] ?? Infinity) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function areSameFloats(a: SampleColumns, i: number, b: SampleColumns, k: number): boolean {
  return a.valueWords[2 * i] === b.valueWords[2 * k] && a.valueWords[2 * i + 1] === b.valueWords[2 * k + 1];
}

function areSameSamples(a: MixedSamples, i: number, b: MixedSamples, k: number): boolean {
  const first = a.sources[i];
  const second = b.sources[k];
  if (first === undefined || second === undefined) return first === second;
  if (first.content.kind === "floats" && second.content.kind === "floats") {
    return areSameFloats(first.content.columns, first.at, second.content.columns, second.at);
  }
  if (first.content.kind === "histograms" && second.content.kind === "histograms") {
    return areSameHistograms(first.content.columns.histograms[first.at], second.content.columns.histograms[second.at]);
  }
  return false;
}

/** Counter resets are left out: they depend on where a chunk begins. */
function areSameHistograms(a: FloatHistogram | undefined, b: FloatHistogram | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const numbers = (one: FloatHistogram) => [
    one.schema,
    one.zeroThreshold,
    one.zeroCount,
    one.count,
    one.sum,
    ...one.positiveSpans.flatMap(({ offset, length }) => [offset, length]),
    NaN,
    ...one.positiveBuckets,
    NaN,
    ...one.negativeSpans.flatMap(({ offset, length }) => [offset, length]),
    NaN,
    ...one.negativeBuckets,
    NaN,
    ...one.customBounds,
  ];
  const first = numbers(a);
  const second = numbers(b);
  return first.length === second.length && first.every((number, i) => Object.is(number, second[i]));
}
