/** Closed chunks cut at a border of time, and overlapping ones made one: decoded and encoded anew, every value by its bits. */
import {
  chunkSampleCount,
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  encodeFloatHistograms,
  encodeIntegerHistograms,
  encodeXor,
  isHistogramEncoding,
  type ChunkFailure,
  type SampleColumns,
} from "@pleiad/chunks";
import { fail, ok, xorEncoding, type EncodedChunk, type FloatHistogram, type Result } from "@pleiad/model";

/** A chunk with the times of its first and last sample. */
export interface TimedChunk extends EncodedChunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

export interface CountedChunk extends TimedChunk {
  readonly sampleCount: number;
}

export function countedChunk(chunk: TimedChunk): CountedChunk {
  const { minTimeMs, maxTimeMs, encoding, data } = chunk;
  return { minTimeMs, maxTimeMs, encoding, data, sampleCount: chunkSampleCount(data, encoding) };
}

/**
 * The samples of `chunks` at or after `fromMs` and before `toMs`, in chunks that ascend and do not overlap. Of two
 * samples at one time the one in the earlier element stays. Chunks that need no change are given as they are.
 */
export function clipChunks(
  chunks: readonly TimedChunk[],
  fromMs: number,
  toMs: number,
  samplesPerChunk: number,
): Result<CountedChunk[], ChunkFailure> {
  if (isClipped(chunks, fromMs, toMs)) return ok(chunks.map(countedChunk));
  const clipped: CountedChunk[] = [];
  const inRange = chunks.filter((chunk) => chunk.maxTimeMs >= fromMs && chunk.minTimeMs < toMs);
  for (const group of overlapGroups(inRange)) {
    const [first] = group;
    if (first !== undefined && group.length === 1 && first.minTimeMs >= fromMs && first.maxTimeMs < toMs) {
      clipped.push(countedChunk(first));
      continue;
    }
    const hasHistograms = group.some(({ encoding }) => isHistogramEncoding(encoding));
    const encoded = (hasHistograms ? clipMixed : clipFloats)(group, fromMs, toMs, samplesPerChunk);
    if (!encoded.ok) return encoded;
    clipped.push(...encoded.value);
  }
  return ok(clipped);
}

function clipFloats(
  group: readonly TimedChunk[],
  fromMs: number,
  toMs: number,
  samplesPerChunk: number,
): Result<CountedChunk[], ChunkFailure> {
  const columns = createSampleColumns(2 * samplesPerChunk);
  for (const { encoding, data } of group) {
    const failure = decodeChunk(encoding, data, columns);
    if (failure !== undefined) return fail(failure);
  }
  const samples = ascending(columns);
  const { timestampsMs, count } = samples;
  let from = 0;
  while (from < count && (timestampsMs[from] ?? 0) < fromMs) from++;
  let to = count;
  while (to > from && (timestampsMs[to - 1] ?? 0) >= toMs) to--;
  return ok(encodeFloats(samples, from, to, samplesPerChunk));
}

function encodeFloats(
  { timestampsMs, values }: SampleColumns,
  start: number,
  end: number,
  samplesPerChunk: number,
): CountedChunk[] {
  const chunks: CountedChunk[] = [];
  for (let from = start; from < end; from += samplesPerChunk) {
    const to = Math.min(end, from + samplesPerChunk);
    chunks.push({
      minTimeMs: timestampsMs[from] ?? 0,
      maxTimeMs: timestampsMs[to - 1] ?? 0,
      sampleCount: to - from,
      encoding: xorEncoding,
      data: encodeXor(timestampsMs, values, from, to),
    });
  }
  return chunks;
}

/** One sample of a group that has histograms: rare, so that each may be an object. */
interface MixedSample {
  readonly timestampMs: number;
  readonly place: number;
  /** Of whole counts: 2, of others: 3, a float: 1. */
  readonly kind: 1 | 2 | 3;
  readonly high: number;
  readonly low: number;
  readonly histogram: FloatHistogram | undefined;
}

function clipMixed(
  group: readonly TimedChunk[],
  fromMs: number,
  toMs: number,
  samplesPerChunk: number,
): Result<CountedChunk[], ChunkFailure> {
  const samples: MixedSample[] = [];
  for (const [place, { encoding, data }] of group.entries()) {
    if (isHistogramEncoding(encoding)) {
      const columns = createHistogramColumns();
      const failure = decodeHistogramChunk(encoding, data, columns);
      if (failure !== undefined) return fail(failure);
      const kind = encoding === 2 || encoding === 5 ? 2 : 3;
      for (let i = 0; i < columns.count; i++) {
        const timestampMs = columns.timestampsMs[i] ?? 0;
        samples.push({ timestampMs, place, kind, high: 0, low: 0, histogram: columns.histograms[i] });
      }
    } else {
      const columns = createSampleColumns(2 * samplesPerChunk);
      const failure = decodeChunk(encoding, data, columns);
      if (failure !== undefined) return fail(failure);
      const { timestampsMs, valueWords, count } = columns;
      for (let i = 0; i < count; i++) {
        const [low = 0, high = 0] = valueWords.subarray(2 * i, 2 * i + 2);
        samples.push({ timestampMs: timestampsMs[i] ?? 0, place, kind: 1, high, low, histogram: undefined });
      }
    }
  }
  samples.sort((a, b) => a.timestampMs - b.timestampMs || a.place - b.place);
  const kept = samples.filter(({ timestampMs }, i) => {
    return timestampMs >= fromMs && timestampMs < toMs && samples[i - 1]?.timestampMs !== timestampMs;
  });
  const chunks: CountedChunk[] = [];
  for (let from = 0; from < kept.length;) {
    const kind = kept[from]?.kind ?? 1;
    let to = from + 1;
    while (to < kept.length && kept[to]?.kind === kind) to++;
    chunks.push(...encodeRun(kept.slice(from, to), kind, samplesPerChunk));
    from = to;
  }
  return ok(chunks);
}

/** Samples of one kind. */
function encodeRun(run: readonly MixedSample[], kind: 1 | 2 | 3, samplesPerChunk: number): readonly CountedChunk[] {
  const timestampsMs = Float64Array.from(run, ({ timestampMs }) => timestampMs);
  if (kind === 1) {
    const columns = createSampleColumns(run.length);
    columns.timestampsMs.set(timestampsMs);
    for (const [i, { high, low }] of run.entries()) columns.valueWords.set([low, high], 2 * i);
    return encodeFloats(columns, 0, run.length, samplesPerChunk);
  }
  const histograms = run.flatMap(({ histogram }) => histogram ?? []);
  const encode = kind === 2 ? encodeIntegerHistograms : encodeFloatHistograms;
  return encode(timestampsMs, histograms).map((chunk) => ({ ...chunk, encoding: kind }));
}

/** Whether all chunks lie in the range, ascend, and do not overlap: the usual case. */
function isClipped(chunks: readonly TimedChunk[], fromMs: number, toMs: number): boolean {
  let previousMs = -Infinity;
  for (const { minTimeMs, maxTimeMs } of chunks) {
    if (minTimeMs < fromMs || maxTimeMs >= toMs || minTimeMs <= previousMs) return false;
    previousMs = maxTimeMs;
  }
  return true;
}

/** Chunks by time, those that overlap together; within a group in the order in which they came. */
function* overlapGroups(chunks: readonly TimedChunk[]): Generator<readonly TimedChunk[]> {
  const places = new Map(chunks.map((chunk, place) => [chunk, place]));
  const byTime = [...chunks].sort((a, b) => a.minTimeMs - b.minTimeMs);
  const inOrder = (group: readonly TimedChunk[]) =>
    [...group].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
  let group: TimedChunk[] = [];
  let endMs = -Infinity;
  for (const chunk of byTime) {
    if (group.length > 0 && chunk.minTimeMs > endMs) {
      yield inOrder(group);
      group = [];
    }
    group.push(chunk);
    endMs = Math.max(endMs, chunk.maxTimeMs);
  }
  if (group.length > 0) yield inOrder(group);
}

/** The samples in the order of time, each time once: the first that came stays. */
function ascending(columns: SampleColumns): SampleColumns {
  const { timestampsMs, valueWords, count } = columns;
  let isAscending = true;
  for (let i = 1; i < count && isAscending; i++) isAscending = (timestampsMs[i - 1] ?? 0) < (timestampsMs[i] ?? 0);
  if (isAscending) return columns;
  const order = Array.from({ length: count }, (_, i) => i);
  order.sort((a, b) => (timestampsMs[a] ?? 0) - (timestampsMs[b] ?? 0) || a - b);
  const sorted = createSampleColumns(count);
  for (const i of order) {
    const at = sorted.count;
    const timestampMs = timestampsMs[i] ?? 0;
    if (at > 0 && sorted.timestampsMs[at - 1] === timestampMs) continue;
    sorted.timestampsMs[at] = timestampMs;
    sorted.valueWords[2 * at] = valueWords[2 * i] ?? 0;
    sorted.valueWords[2 * at + 1] = valueWords[2 * i + 1] ?? 0;
    sorted.count++;
  }
  return sorted;
}
