/**
 * The chunks of one series from several blocks, as one list that does not overlap. What shares time with nothing is
 * passed on as bytes; the rest is decoded, merged and encoded anew.
 */
import type { BlockChunk } from "@pleiad/blocks";
import {
  createReplicaPicks,
  createSampleColumns,
  decodeChunk,
  formatChunkFailure,
  isHistogramEncoding,
  mergeFloatReplicas,
  pickReplicaSamples,
  type ReplicaMerge,
  type SampleColumns,
} from "@pleiad/chunks";
import { fail, ok, xorEncoding, type Result } from "@pleiad/model";
import type { ChunkMergeFailure, InputChunk } from "./input-chunk.ts";
import {
  createMergedChunkWriter,
  encodeFloats,
  samplesPerChunk,
  type MergedChunkWriter,
  type MergedEncoding,
} from "./merged-chunk-writer.ts";
import { areSameFloats, areSameSamples, decodeMixed, type DecodedChunk, type MixedSamples } from "./mixed-samples.ts";
import { findConflict } from "./replica-conflict.ts";

export type OverlapMerge =
  | ReplicaMerge
  /**
   * One to one, and where two blocks have chunks at the same time they must have the same samples there: else it is a
   * failure. For blocks that are not said to be replicas: what is there twice is dropped, what differs is never mixed.
   */
  | "identical";

const aggregateEncoding = 255;

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
  if (run.some(({ chunk }) => chunk.encoding === aggregateEncoding)) {
    return fail({ kind: "unmergeable", reason: "downsampled chunks overlap" });
  }
  const replicas = toReplicas(run);
  return run.every(({ chunk }) => chunk.encoding === xorEncoding)
    ? mergeFloats(replicas, merge)
    : mergeMixed(replicas, merge, hasStarts(run));
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
  return ok(encodeFloats(merged, xorEncoding));
}

function mergeMixed(
  replicas: readonly (readonly InputChunk[])[],
  merge: OverlapMerge,
  withStarts: boolean,
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
  let writer: MergedChunkWriter | undefined;
  for (let i = 0; i < picks.count; i++) {
    const samples = decoded[picks.replicas[i] ?? 0];
    const at = picks.samples[i] ?? 0;
    const source = samples?.sources[at];
    if (samples === undefined || source === undefined) continue;
    const encoding = mergedEncodingOf(source.content, withStarts);
    if (writer?.encoding !== encoding) {
      writer?.finish();
      writer = createMergedChunkWriter(encoding, chunks);
    }
    writer.append(samples.timestampsMs[at] ?? NaN, source);
  }
  writer?.finish();
  return ok(chunks);
}

/** Whether samples of a run say when their series began to count: then all are written so, or chunks would be many. */
function hasStarts(run: readonly InputChunk[]): boolean {
  return run.some(({ chunk }) => chunk.encoding > 3);
}

function mergedEncodingOf({ encoding }: DecodedChunk, withStarts: boolean): MergedEncoding {
  if (!isHistogramEncoding(encoding)) return withStarts ? 4 : xorEncoding;
  const isInteger = encoding === 2 || encoding === 5;
  if (withStarts) return isInteger ? 5 : 6;
  return isInteger ? 2 : 3;
}
