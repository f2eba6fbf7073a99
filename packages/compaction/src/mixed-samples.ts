/** The samples of one replica whose chunks are of several kinds: floats, histograms, with start timestamps or without. */
import {
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  formatChunkFailure,
  isHistogramEncoding,
  isStaleHistogram,
  type HistogramColumns,
  type SampleColumns,
} from "@pleiad/chunks";
import { fail, histogramsEqual, ok, type ChunkEncoding, type FloatHistogram, type Result } from "@pleiad/model";
import type { BlockChunk } from "@pleiad/blocks";
import type { ChunkMergeFailure, InputChunk } from "./input-chunk.ts";

export interface MixedSamples {
  readonly timestampsMs: Float64Array;
  readonly count: number;
  /** By sample: the chunk it came from, and its place there. */
  readonly sources: readonly MixedSample[];
}

export interface MixedSample {
  readonly content: DecodedChunk;
  readonly at: number;
}

export type DecodedChunk =
  | { readonly kind: "floats"; readonly encoding: ChunkEncoding; readonly columns: SampleColumns }
  | { readonly kind: "histograms"; readonly encoding: ChunkEncoding; readonly columns: HistogramColumns };

export function decodeMixed(replica: readonly InputChunk[]): Result<MixedSamples, ChunkMergeFailure> {
  const timestampsMs: number[] = [];
  const sources: MixedSample[] = [];
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
  if (encoding === 255) return fail("it is of aggregates");
  const starts = { startTimestamps: true };
  if (isHistogramEncoding(encoding)) {
    const columns = createHistogramColumns(0, starts);
    const failure = decodeHistogramChunk(encoding, data, columns);
    return failure === undefined ? ok({ kind: "histograms", encoding, columns }) : fail(formatChunkFailure(failure));
  }
  const columns = createSampleColumns(0, starts);
  const failure = decodeChunk(encoding, data, columns);
  return failure === undefined ? ok({ kind: "floats", encoding, columns }) : fail(formatChunkFailure(failure));
}

/** When the series began to count, as a sample says; 0 where it does not. */
export function startOf({ content, at }: MixedSample): number {
  return content.columns.startTimestampsMs?.[at] ?? 0;
}

/** Whether two samples of one time are the same; a start timestamp that only one of them has is no difference. */
export function areSameSamples(a: MixedSamples, i: number, b: MixedSamples, k: number): boolean {
  const first = a.sources[i];
  const second = b.sources[k];
  if (first === undefined || second === undefined) return first === second;
  const [startMs, otherStartMs] = [startOf(first), startOf(second)];
  if (startMs !== otherStartMs && startMs !== 0 && otherStartMs !== 0) return false;
  if (first.content.kind === "floats" && second.content.kind === "floats") {
    return areSameFloats(first.content.columns, first.at, second.content.columns, second.at);
  }
  if (first.content.kind === "histograms" && second.content.kind === "histograms") {
    return areSameHistograms(first.content.columns.histograms[first.at], second.content.columns.histograms[second.at]);
  }
  return false;
}

export function areSameFloats(a: SampleColumns, i: number, b: SampleColumns, k: number): boolean {
  return a.valueWords[2 * i] === b.valueWords[2 * k] && a.valueWords[2 * i + 1] === b.valueWords[2 * k + 1];
}

function areSameHistograms(a: FloatHistogram | undefined, b: FloatHistogram | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return isStaleHistogram(a) === isStaleHistogram(b) && histogramsEqual(a, b);
}
