/** Thanos's chunks of downsampled series: a chunk for each aggregate, one after the other. Byte layout: docs/format/aggregate-chunk.md. */
import { fail, ok, type Aggregate, type ChunkEncoding, type EncodedChunk, type Result } from "@pleiad/model";
import type { ChunkFailure } from "./chunk-failure.ts";

/** The encoding byte of such a chunk in a block. It is none of `ChunkEncoding`: what it holds is. */
export const aggregateEncoding = 255;

/** In the order in which they are stored. */
export const aggregates: readonly Aggregate[] = ["count", "sum", "min", "max", "counter"];

/** A length has 32 bits at most. */
const lengthBytesMax = 5;

/** The aggregates that a chunk has; their data are views of it. */
export function parseAggregateChunk(data: Uint8Array): Result<ReadonlyMap<Aggregate, EncodedChunk>, ChunkFailure> {
  const found = new Map<Aggregate, EncodedChunk>();
  const truncated = { kind: "truncated", bytes: data.length, sampleCount: 0 } as const;
  let at = 0;
  for (const aggregate of aggregates) {
    let length = 0;
    for (let i = 0; ; i++) {
      if (at === data.length) return fail(truncated);
      if (i === lengthBytesMax) return fail({ kind: "corrupt", reason: `the ${aggregate} is longer than any chunk` });
      const byte = data[at++];
      length += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) break;
    }
    if (length === 0) continue;
    // The encoding byte is not counted in.
    if (length + 1 > data.length - at) return fail(truncated);
    const encoding = data[at];
    if (!isChunkEncoding(encoding)) {
      return fail({ kind: "unsupported-encoding", encoding, name: `unknown (${encoding})` });
    }
    found.set(aggregate, { encoding, data: data.subarray(at + 1, at + 1 + length) });
    at += 1 + length;
  }
  if (at < data.length) return fail({ kind: "corrupt", reason: `${data.length - at} bytes follow the last aggregate` });
  return ok(found);
}

/** The bytes of a chunk of these aggregates; those that are not there are stored as such. */
export function encodeAggregateChunk(of: ReadonlyMap<Aggregate, EncodedChunk>): Uint8Array {
  let size = aggregates.length * (lengthBytesMax + 1);
  for (const { data } of of.values()) size += data.length;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const aggregate of aggregates) {
    const chunk = of.get(aggregate);
    let rest = chunk?.data.length ?? 0;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
    bytes[at++] = rest;
    if (chunk === undefined || chunk.data.length === 0) continue;
    bytes[at++] = chunk.encoding;
    bytes.set(chunk.data, at);
    at += chunk.data.length;
  }
  return bytes.slice(0, at);
}

function isChunkEncoding(encoding: number): encoding is ChunkEncoding {
  return encoding >= 1 && encoding <= 6;
}
