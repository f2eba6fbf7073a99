/** Files of closed chunks, as they lie in `chunks_head`. Byte layout: docs/format/head-chunks.md. */
import { ByteReader, crc32c } from "@pleiad/chunks";
import type { ChunkEncoding } from "@pleiad/model";
import type { TimedChunk } from "./chunk-clip.ts";

/** A chunk that takes no more samples. Its bytes lie in the image of its file, which lives while a chunk of it does. */
export interface ClosedChunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly encoding: ChunkEncoding;
  readonly page: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

/** The chunk with its bytes as a view. */
export function timedChunk({ minTimeMs, maxTimeMs, encoding, page, offset, length }: ClosedChunk): TimedChunk {
  return { minTimeMs, maxTimeMs, encoding, data: new Uint8Array(page.buffer, page.byteOffset + offset, length) };
}

/** A file of closed chunks, and the newest sample in it: past retention it goes as a whole. */
export interface HeadChunkFile {
  readonly number: number;
  readonly path: string;
  maxTimeMs: number;
  sizeBytes: number;
}

/** Magic number, version 1, three zeros. */
export const headChunkFileHeader: Uint8Array = Uint8Array.of(0x01, 0x30, 0xbc, 0x91, 1, 0, 0, 0);

/** Reference, two times and the encoding before the length; the checksum behind the data. */
export const chunkRecordBytesMax = 8 + 8 + 8 + 1 + 5 + 4;

/** An encoding byte with this bit is of a chunk whose samples came out of order. */
export const outOfOrderFlag = 0x80;

export interface HeadChunkFileEnd {
  /** Where the last whole chunk ends. */
  readonly goodBytes: number;
  /** What is wrong behind it; undefined where the file ends as it should. */
  readonly damage: string | undefined;
  /** Chunks of unknown encoding, which are not read. */
  readonly skipped: number;
}

/** Reads a whole file; the chunks keep its bytes. */
export function readHeadChunkFile(
  bytes: Uint8Array,
  onChunk: (ref: number, chunk: ClosedChunk, isOutOfOrder: boolean) => void,
): HeadChunkFileEnd {
  if (bytes.length === 0) return { goodBytes: 0, damage: undefined, skipped: 0 };
  if (bytes.length < headChunkFileHeader.length) return { goodBytes: 0, damage: "the header is cut short", skipped: 0 };
  // A damaged header is no reason to drop chunks: each has a checksum of its own.
  let at = headChunkFileHeader.length;
  let skipped = 0;
  const ended = (damage: string | undefined) => ({ goodBytes: at, damage, skipped });
  while (at < bytes.length) {
    const reader = new ByteReader(bytes, at, bytes.length);
    const ref = reader.i64();
    // Prometheus fills its files with zeros ahead of writing: no series has reference 0.
    if (ref === 0 && bytes.subarray(at).every((byte) => byte === 0)) return ended(undefined);
    const minTimeMs = reader.i64();
    const maxTimeMs = reader.i64();
    const encoding = reader.u8();
    const length = reader.uvarint();
    const offset = reader.at;
    const sumAt = offset + length;
    if (reader.failed || sumAt + 4 > bytes.length) return ended("a chunk is cut short");
    reader.at = sumAt;
    if (reader.u32() !== crc32c(bytes, at, sumAt)) return ended("a chunk's checksum does not fit");
    at = sumAt + 4;
    const plain = encoding & ~outOfOrderFlag;
    if (!isEncoding(plain)) skipped++;
    else onChunk(ref, { minTimeMs, maxTimeMs, encoding: plain, page: bytes, offset, length }, plain !== encoding);
  }
  return ended(undefined);
}

function isEncoding(encoding: number): encoding is ChunkEncoding {
  return encoding >= 1 && encoding <= 6;
}
