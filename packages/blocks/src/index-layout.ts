/** Where the parts of an index file lie. Byte layout: docs/format/block.md. */
import { ByteReader, crc32c } from "@pleiad/chunks";
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

/** What must be known of an index before it can be asked: its outline, and the parts that are read as a whole. */
export interface IndexTables {
  readonly layout: IndexLayout;
  readonly symbols: IndexSection;
  readonly postingsOffsets: IndexSection;
}

export async function readIndexTables(
  windows: FileWindows,
  file: WindowedFile,
  block: string,
  signal?: AbortSignal,
): Promise<IndexTables> {
  const layout = await readIndexLayout(windows, file, block, signal);
  return {
    layout,
    symbols: await readIndexSection(windows, file, layout.symbols, layout.series, block, signal),
    postingsOffsets: await readIndexSection(windows, file, layout.postingsOffsets, layout.end, block, signal),
  };
}

/** Reads header and table of contents. */
async function readIndexLayout(
  windows: FileWindows,
  file: WindowedFile,
  block: string,
  signal?: AbortSignal,
): Promise<IndexLayout> {
  if (file.size < indexHeaderBytes + tocBytes) {
    throw corruptIndex(block, 0, `an index of ${file.size} bytes is cut short`);
  }
  const header = await windows.read(file, 0, indexHeaderBytes, signal);
  checkIndexHeader(header, block);
  const end = file.size - tocBytes;
  return parseIndexLayout(await windows.read(file, end, tocBytes, signal), end, block);
}

/** Throws where the first bytes of a file are not those of an index that is read here. */
export function checkIndexHeader(header: Uint8Array, block: string): void {
  const reader = new ByteReader(header, 0, header.length);
  if (reader.u32() !== indexMagic) throw corruptIndex(block, 0, "this is no index: the magic number differs");
  const version = reader.u8();
  if (version === indexVersion) return;
  throw new BlockReadError({ kind: "unsupported", block, reason: `index version ${version}; read is ${indexVersion}` });
}

/** Reads a table of contents that begins at `end` of its index. */
export function parseIndexLayout(bytes: Uint8Array, end: number, block: string): IndexLayout {
  const reader = new ByteReader(bytes, 0, tocBytes);
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
    throw corruptIndex(block, end, "the checksum of the table of contents does not fit");
  }
  for (const offset of [symbols, series, postings, postingsOffsets]) {
    if (offset >= indexHeaderBytes && offset <= end) continue;
    throw corruptIndex(block, end, `a part at byte ${offset} lies outside the file`);
  }
  if (symbols > series || series > postings || postings > postingsOffsets) {
    throw corruptIndex(block, end, "the parts of the index are not in order");
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
  if (offset + 8 > limit) throw corruptIndex(block, offset, "a part of the index is cut short");
  const lengthBytes = await windows.read(file, offset, 4, signal);
  const length = checkedLength(lengthBytes, 0, offset, limit, block);
  const whole = await windows.read(file, offset + 4, length + 4, signal);
  return { start: offset + 4, bytes: checkedContent(whole, 0, length, offset, block) };
}

/** The same part out of bytes in memory, in which it begins at `at`. */
export function parseIndexSection(
  bytes: Uint8Array,
  at: number,
  offset: number,
  limit: number,
  block: string,
): IndexSection {
  if (offset + 8 > limit) throw corruptIndex(block, offset, "a part of the index is cut short");
  const length = checkedLength(bytes, at, offset, limit, block);
  return { start: offset + 4, bytes: checkedContent(bytes, at + 4, length, offset, block) };
}

function checkedLength(bytes: Uint8Array, at: number, offset: number, limit: number, block: string): number {
  const length = new ByteReader(bytes, at, at + 4).u32();
  if (length < 4 || offset + 4 + length + 4 > limit) {
    throw corruptIndex(block, offset, `a part of ${length} bytes goes past its end`);
  }
  if (length <= sectionBytesMax) return length;
  throw new BlockReadError({ kind: "limit", block, of: "bytes", max: sectionBytesMax });
}

function checkedContent(bytes: Uint8Array, at: number, length: number, offset: number, block: string): Uint8Array {
  const end = at + length;
  if (new ByteReader(bytes, end, end + 4).u32() === crc32c(bytes, at, end)) return bytes.subarray(at, end);
  throw corruptIndex(block, offset, "the checksum does not fit");
}

function corruptIndex(block: string, offset: number, reason: string): BlockReadError {
  return new BlockReadError({ kind: "corrupt", block, file: "index", offset, reason });
}
