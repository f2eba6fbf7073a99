/** Where the parts of an index file lie. Byte layout: docs/format/block.md. */
import { crc32c } from "@pleiad/chunks";
import { ByteReader } from "./byte-reader.ts";
import { BlockReadError } from "./block-failure.ts";
import type { FileWindows, WindowedFile } from "./file-windows.ts";

export const indexMagic = 0xbaaad700;
export const indexVersion = 2;
export const indexHeaderBytes = 5;
export const tocBytes = 6 * 8 + 4;
/** Series begin at multiples of this; a series reference is the offset divided by it. */
export const seriesAlignment = 16;

/** Symbols and postings offsets are read at once when a block is opened: no larger than this. */
const sectionBytesMax = 1_000_000_000;

/** The offsets of the table of contents; 0 where a part is missing. */
export interface IndexLayout {
  readonly symbols: number;
  readonly series: number;
  readonly labelIndices: number;
  readonly labelOffsets: number;
  readonly postings: number;
  readonly postingsOffsets: number;
  /** Where the table of contents begins. */
  readonly end: number;
}

/** The content of a part of the index, between its length and its checksum. */
export interface IndexSection {
  readonly start: number; // of `bytes` in the file
  readonly bytes: Uint8Array;
}

/** Reads header and table of contents. */
export async function readIndexLayout(
  windows: FileWindows,
  file: WindowedFile,
  block: string,
  signal?: AbortSignal,
): Promise<IndexLayout> {
  const corrupt = (offset: number, reason: string) =>
    new BlockReadError({ kind: "corrupt", block, file: file.name, offset, reason });
  if (file.size < indexHeaderBytes + tocBytes) throw corrupt(0, `an index of ${file.size} bytes is cut short`);
  const header = await windows.read(file, 0, indexHeaderBytes, signal);
  const head = new ByteReader(header, 0, header.length);
  if (head.u32() !== indexMagic) throw corrupt(0, "this is no index: the magic number differs");
  const version = head.u8();
  if (version !== indexVersion) {
    throw new BlockReadError({
      kind: "unsupported",
      block,
      reason: `index version ${version}; read is ${indexVersion}`,
    });
  }
  const end = file.size - tocBytes;
  const bytes = await windows.read(file, end, tocBytes, signal);
  const reader = new ByteReader(bytes, 0, bytes.length);
  const [symbols, series, labelIndices, labelOffsets, postings, postingsOffsets] = [
    reader.i64(),
    reader.i64(),
    reader.i64(),
    reader.i64(),
    reader.i64(),
    reader.i64(),
  ];
  const sum = reader.u32();
  if (reader.failed || sum !== crc32c(bytes, 0, tocBytes - 4)) {
    throw corrupt(end, "the checksum of the table of contents does not fit");
  }
  for (const offset of [symbols, series, postings, postingsOffsets]) {
    if (offset < indexHeaderBytes || offset > end) throw corrupt(end, `a part at byte ${offset} lies outside the file`);
  }
  if (symbols > series || series > postings || postings > postingsOffsets) {
    throw corrupt(end, "the parts of the index are not in order");
  }
  return { symbols, series, labelIndices, labelOffsets, postings, postingsOffsets, end };
}

/** Reads a part that begins with its length and ends with its checksum, before `limit`. */
export async function readIndexSection(
  windows: FileWindows,
  file: WindowedFile,
  offset: number,
  limit: number,
  block: string,
  signal?: AbortSignal,
): Promise<IndexSection> {
  const corrupt = (reason: string) => new BlockReadError({ kind: "corrupt", block, file: file.name, offset, reason });
  if (offset + 8 > limit) throw corrupt("a part of the index is cut short");
  const lengthBytes = await windows.read(file, offset, 4, signal);
  const length = new ByteReader(lengthBytes, 0, 4).u32();
  if (length < 4 || offset + 4 + length + 4 > limit) throw corrupt(`a part of ${length} bytes goes past its end`);
  if (length > sectionBytesMax) {
    throw new BlockReadError({ kind: "limit", block, of: "bytes", max: sectionBytesMax });
  }
  const whole = await windows.read(file, offset + 4, length + 4, signal);
  if (new ByteReader(whole, length, length + 4).u32() !== crc32c(whole, 0, length)) {
    throw corrupt("the checksum does not fit");
  }
  return { start: offset + 4, bytes: whole.subarray(0, length) };
}
