/** Chunks without the samples that tombstones cover. */
import {
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  encodeFloatHistograms,
  encodeIntegerHistograms,
  encodeXor,
  encodeXor2,
  formatChunkFailure,
} from "@pleiad/chunks";
import { fail, ok, unreachable, type ChunkEncoding, type Result } from "@pleiad/model";
import type { BlockChunk } from "./block-writer.ts";
import { coversAll, touchesAny, type TimeSpan } from "./tombstones.ts";

/**
 * What is left of a chunk: itself, nothing, or what was encoded anew (of histograms maybe several chunks). The failure is
 * a reason for people.
 */
export function withoutDeleted(chunk: BlockChunk, spans: readonly TimeSpan[]): Result<readonly BlockChunk[], string> {
  const { minTimeMs, maxTimeMs, encoding } = chunk;
  if (!touchesAny(spans, minTimeMs, maxTimeMs)) return ok([chunk]);
  if (coversAll(spans, minTimeMs, maxTimeMs)) return ok([]);
  switch (encoding) {
    case 1:
    case 4:
      return floatsLeft(encoding, chunk.data, spans);
    case 2:
    case 3:
    case 5:
    case 6:
      return histogramsLeft(encoding, chunk.data, spans);
    case 255:
      return fail("a tombstone covers part of a chunk of aggregates");
    default:
      return unreachable(encoding);
  }
}

function floatsLeft(
  encoding: 1 | 4,
  data: Uint8Array,
  spans: readonly TimeSpan[],
): Result<readonly BlockChunk[], string> {
  const columns = createSampleColumns(256, { startTimestamps: encoding === 4 });
  const broken = decodeChunk(encoding, data, columns);
  if (broken !== undefined) return fail(formatChunkFailure(broken));
  const { timestampsMs, values, valueWords: words, startTimestampsMs: starts } = columns;
  if (!ascends(timestampsMs, columns.count)) return fail(notAscending);
  let left = 0;
  for (let i = 0; i < columns.count; i++) {
    const timestampMs = timestampsMs[i] as number;
    if (touchesAny(spans, timestampMs, timestampMs)) continue;
    timestampsMs[left] = timestampMs;
    words[2 * left] = words[2 * i] as number;
    words[2 * left + 1] = words[2 * i + 1] as number;
    if (starts !== undefined) starts[left] = starts[i] as number;
    left++;
  }
  if (left === 0) return ok([]);
  return ok([
    {
      minTimeMs: timestampsMs[0] as number,
      maxTimeMs: timestampsMs[left - 1] as number,
      sampleCount: left,
      encoding,
      data: encoding === 1 ? encodeXor(timestampsMs, values, 0, left) : encodeXor2(columns, 0, left),
    },
  ]);
}

function histogramsLeft(
  encoding: ChunkEncoding,
  data: Uint8Array,
  spans: readonly TimeSpan[],
): Result<readonly BlockChunk[], string> {
  // Whole counts with start timestamps have no encoder of their own: floats keep both.
  const hasStarts = encoding >= 5;
  const columns = createHistogramColumns(64, { startTimestamps: hasStarts });
  const broken = decodeHistogramChunk(encoding, data, columns);
  if (broken !== undefined) return fail(formatChunkFailure(broken));
  const { timestampsMs, histograms, startTimestampsMs } = columns;
  if (!ascends(timestampsMs, columns.count)) return fail(notAscending);
  const kept = Array.from({ length: columns.count }, (_, i) => i).filter((i) => {
    const timestampMs = timestampsMs[i] as number;
    return !touchesAny(spans, timestampMs, timestampMs);
  });
  const times = Float64Array.from(kept, (i) => timestampsMs[i] as number);
  const left = histograms.filter((_, i) => kept.includes(i));
  const starts = hasStarts ? Float64Array.from(kept, (i) => startTimestampsMs?.[i] ?? 0) : undefined;
  const chunks = encoding === 2 ? encodeIntegerHistograms(times, left) : encodeFloatHistograms(times, left, starts);
  const written = encoding === 2 ? 2 : hasStarts ? 6 : 3;
  return ok(chunks.map((chunk) => ({ ...chunk, encoding: written })));
}

const notAscending = "the times of a chunk do not ascend";

function ascends(timestampsMs: Float64Array, count: number): boolean {
  for (let i = 1; i < count; i++) if ((timestampsMs[i - 1] as number) >= (timestampsMs[i] as number)) return false;
  return true;
}
