/** One chunk as it lies in a segment file. Byte layout: docs/format/block.md. */
import { aggregateEncoding, ByteReader, chunkSampleCount, crc32c, parseAggregateChunk } from "@pleiad/chunks";
import type { ChunkEncoding, SourceChunk } from "@pleiad/model";

export const segmentMagic = 0x85bd40dd;
export const segmentVersion = 1;
export const segmentHeaderBytes = 8;
/** Length and encoding before the data, the checksum behind it. */
export const chunkRecordOverheadBytes: number = 5 + 1 + 4;

/** No chunk of any encoding comes near: a damaged length must not reserve memory. */
const chunkBytesMax = 64 * 1024 * 1024;

export type ChunkRecord =
  | {
      readonly kind: "read";
      readonly encoding: ChunkEncoding | 255;
      readonly data: Uint8Array;
      readonly checksum: number; // of the encoding and the data
      readonly end: number;
    }
  /** `need` bytes from its start are needed to tell. */
  | { readonly kind: "short"; readonly need: number }
  | { readonly kind: "corrupt"; readonly reason: string };

/** What is wrong with the first bytes of a chunk file. */
export function faultOfSegmentHeader(header: Uint8Array): string | undefined {
  const reader = new ByteReader(header, 0, header.length);
  if (reader.u32() !== segmentMagic) return "these are no chunks: the magic number differs";
  const version = reader.u8();
  return version === segmentVersion ? undefined : `version ${version}`;
}

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
  const checksum = head.u32();
  if (checksum !== crc32c(bytes, from, to)) return corrupt("the checksum of a chunk does not fit");
  const encoding = bytes[from] as number;
  if (!isEncoding(encoding)) return corrupt(`a chunk of unknown encoding ${encoding}`);
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset + from + 1, length);
  return { kind: "read", encoding, data, checksum, end: to + 4 };
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
  const of = parseAggregateChunk(data);
  return of.ok ? { minTimeMs, maxTimeMs, content: { kind: "aggregates", of: of.value } } : undefined;
}

/** How many samples the chunk says that it has; of aggregates, how many windows. */
export function storedSampleCount(encoding: ChunkEncoding | 255, data: Uint8Array): number {
  if (encoding === aggregateEncoding) {
    const of = parseAggregateChunk(data);
    const [first] = of.ok ? of.value.values() : [];
    return first === undefined ? 0 : storedSampleCount(first.encoding, first.data);
  }
  return chunkSampleCount(data, encoding);
}
