/** One chunk as it lies in a segment file. Byte layout: docs/format/block.md. */
import { chunkSampleCount, crc32c } from "@pleiad/chunks";
import type { Aggregate, ChunkEncoding, EncodedChunk, SourceChunk } from "@pleiad/model";
import { ByteReader } from "./byte-reader.ts";

export const segmentMagic = 0x85bd40dd;
export const segmentVersion = 1;
export const segmentHeaderBytes = 8;
/** Length and encoding before the data, the checksum behind it. */
export const chunkRecordOverheadBytes: number = 5 + 1 + 4;
/** Thanos's chunk of aggregates. */
export const aggregateEncoding = 255;

/** No chunk of any encoding comes near: a damaged length must not reserve memory. */
const chunkBytesMax = 64 * 1024 * 1024;

export type ChunkRecord =
  | { readonly kind: "read"; readonly encoding: ChunkEncoding | 255; readonly data: Uint8Array; readonly end: number }
  /** `need` bytes from its start are needed to tell. */
  | { readonly kind: "short"; readonly need: number }
  | { readonly kind: "corrupt"; readonly reason: string };

/** Reads the chunk at `at` of `bytes`; its data is a view of them. */
export function parseChunkRecord(bytes: Uint8Array, at: number): ChunkRecord {
  const head = new ByteReader(bytes, at, bytes.length);
  const length = head.uvarint();
  if (head.failed) return at + 10 > bytes.length ? { kind: "short", need: 10 } : corrupt("its length is no number");
  if (length > chunkBytesMax) return corrupt(`a chunk of ${length} bytes`);
  const from = head.at; // of the encoding
  const to = from + 1 + length;
  if (to + 4 > bytes.length) return { kind: "short", need: to + 4 - at };
  head.at = to;
  if (head.u32() !== crc32c(bytes, from, to)) return corrupt("the checksum of a chunk does not fit");
  const encoding = bytes[from] as number;
  if (!isEncoding(encoding)) return corrupt(`a chunk of unknown encoding ${encoding}`);
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset + from + 1, length);
  return { kind: "read", encoding, data, end: to + 4 };
}

function isEncoding(encoding: number): encoding is ChunkEncoding | 255 {
  return (encoding >= 1 && encoding <= 6) || encoding === aggregateEncoding;
}

function corrupt(reason: string): ChunkRecord {
  return { kind: "corrupt", reason };
}

/** The chunk as readers of series get it; undefined for aggregates that are cut short. */
export function sourceChunkOf(
  minTimeMs: number,
  maxTimeMs: number,
  encoding: ChunkEncoding | 255,
  data: Uint8Array,
): SourceChunk | undefined {
  if (encoding !== aggregateEncoding) return { minTimeMs, maxTimeMs, content: { kind: "raw", encoding, data } };
  const of = parseAggregates(data);
  return of === undefined ? undefined : { minTimeMs, maxTimeMs, content: { kind: "aggregates", of } };
}

/** How many samples the chunk says that it has; of aggregates, how many windows. */
export function storedSampleCount(encoding: ChunkEncoding | 255, data: Uint8Array): number {
  if (encoding === aggregateEncoding) {
    const [first] = parseAggregates(data)?.values() ?? [];
    return first === undefined ? 0 : storedSampleCount(first.encoding, first.data);
  }
  // Two bits of the histograms with start timestamps tell of counter resets.
  return encoding >= 5 ? chunkSampleCount(data) & 0x3fff : chunkSampleCount(data);
}

/** In the order in which they lie in a chunk. */
export const aggregates: readonly Aggregate[] = ["count", "sum", "min", "max", "counter"];

/** The aggregates of a downsampled chunk; those that are absent are left out. Undefined where the bytes are no such chunk. */
export function parseAggregates(data: Uint8Array): ReadonlyMap<Aggregate, EncodedChunk> | undefined {
  const of = new Map<Aggregate, EncodedChunk>();
  const reader = new ByteReader(data, 0, data.length);
  for (const aggregate of aggregates) {
    const length = reader.uvarint();
    if (reader.failed) return undefined;
    if (length === 0) continue;
    const encoding = reader.u8();
    const from = reader.at;
    if (reader.failed || from + length > data.length || !isEncoding(encoding) || encoding === aggregateEncoding) {
      return undefined;
    }
    of.set(aggregate, { encoding, data: data.subarray(from, from + length) });
    reader.at = from + length;
  }
  return reader.done ? of : undefined;
}
