/** Closed chunks cut at a border of time, and overlapping ones made one: decoded and encoded anew, every value by its bits. */
import {
  chunkSampleCount,
  createSampleColumns,
  decodeChunk,
  encodeXor,
  reserveSamples,
  type ChunkFailure,
  type SampleColumns,
} from "@pleiad/chunks";
import { fail, ok, xorEncoding, type EncodedChunk, type Result } from "@pleiad/model";

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
  return { minTimeMs, maxTimeMs, encoding, data, sampleCount: chunkSampleCount(data) };
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
    const columns = createSampleColumns(2 * samplesPerChunk);
    for (const { encoding, data } of group) {
      const failure = decodeChunk(encoding, data, columns);
      if (failure !== undefined) return fail(failure);
    }
    const { timestampsMs, values, count } = ascending(columns);
    let from = 0;
    while (from < count && (timestampsMs[from] ?? 0) < fromMs) from++;
    let to = count;
    while (to > from && (timestampsMs[to - 1] ?? 0) >= toMs) to--;
    for (; from < to; from += samplesPerChunk) {
      const end = Math.min(to, from + samplesPerChunk);
      clipped.push({
        minTimeMs: timestampsMs[from] ?? 0,
        maxTimeMs: timestampsMs[end - 1] ?? 0,
        sampleCount: end - from,
        encoding: xorEncoding,
        data: encodeXor(timestampsMs, values, from, end),
      });
    }
  }
  return ok(clipped);
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
  reserveSamples(sorted, count);
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
