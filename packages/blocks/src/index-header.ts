/**
 * Thanos's index-header: those parts of an index in a bucket that every question needs, in a local file, so that opening a
 * block reads nothing of its index. Byte layout: docs/format/index-header.md.
 */
import { ByteReader, ByteWriter, crc32c } from "@pleiad/chunks";
import { fail, ok, type Result } from "@pleiad/model";
import type { BlockBytes } from "./block-bytes.ts";
import { BlockReadError, blockFailureOf, type BlockFailure } from "./block-failure.ts";
import {
  checkIndexHeader,
  indexHeaderBytes,
  indexVersion,
  parseIndexLayout,
  parseIndexSection,
  tocBytes,
  type IndexTables,
} from "./index-layout.ts";

/** How Thanos calls the file, and failures of it. */
export const indexHeaderFile = "index-header";

const magic = 0xbaaad792;
const version = 1;
const headBytes = 4 + 1 + 1 + 8;
const endBytes = 8 + 8 + 4;
/** Symbols, and postings offsets: each is read at once. */
const partBytesMax = 1_000_000_000;

/** Makes the header of an index by four range reads; every checksum was compared. */
export async function buildIndexHeader(
  bytes: BlockBytes,
  signal?: AbortSignal,
): Promise<Result<Uint8Array, BlockFailure>> {
  const block = bytes.name;
  try {
    const size = await bytes.sizeOf("index", signal);
    if (size === undefined || size < indexHeaderBytes + tocBytes) {
      throw corruptAt(block, "index", 0, size === undefined ? "the file is missing" : "the file is cut short");
    }
    const read = async (offset: number, length: number) => {
      if (length > partBytesMax) throw new BlockReadError({ kind: "limit", block, of: "bytes", max: partBytesMax });
      const part = await bytes.read("index", offset, length, signal);
      if (part.length !== length) throw corruptAt(block, "index", offset, "the file is cut short");
      return part;
    };
    checkIndexHeader(await read(0, indexHeaderBytes), block);
    const end = size - tocBytes;
    const layout = parseIndexLayout(await read(end, tocBytes), end, block);
    const symbols = await read(layout.symbols, layout.series - layout.symbols);
    // The table of contents goes along.
    const postingsOffsets = await read(layout.postingsOffsets, size - layout.postingsOffsets);
    const writer = new ByteWriter(headBytes + symbols.length + postingsOffsets.length + endBytes);
    writer.u32(magic);
    writer.u8(version);
    writer.u8(indexVersion);
    writer.i64(layout.postingsOffsets);
    writer.raw(symbols, 0, symbols.length);
    writer.raw(postingsOffsets, 0, postingsOffsets.length);
    const endFrom = writer.length;
    writer.i64(headBytes);
    writer.i64(headBytes + symbols.length);
    writer.u32(crc32c(writer.bytes, endFrom, writer.length));
    const header = writer.view();
    parseIndexHeader(header, size, block);
    return ok(header);
  } catch (error) {
    return fail(blockFailureOf(block, error, signal));
  }
}

/** What the header says of an index of `indexSize` bytes. Throws BlockReadError where it does not belong to it, or is damaged. */
export function parseIndexHeader(bytes: Uint8Array, indexSize: number, block: string): IndexTables {
  try {
    return parseParts(bytes, indexSize, block);
  } catch (error) {
    if (!(error instanceof BlockReadError) || error.failure.kind !== "corrupt") throw error;
    // Whatever part of the index it is a copy of: the file to be made anew is this one.
    throw new BlockReadError({ ...error.failure, file: indexHeaderFile });
  }
}

function parseParts(bytes: Uint8Array, indexSize: number, block: string): IndexTables {
  const corrupt = (offset: number, reason: string) => corruptAt(block, indexHeaderFile, offset, reason);
  if (bytes.length < headBytes + tocBytes + endBytes) throw corrupt(0, "the file is cut short");
  const head = new ByteReader(bytes, 0, headBytes);
  if (head.u32() !== magic) throw corrupt(0, "this is no index-header: the magic number differs");
  const headerVersion = head.u8();
  if (headerVersion !== version) throw corrupt(4, `version ${headerVersion}; read is ${version}`);
  if (head.u8() !== indexVersion) throw corrupt(5, "it is of an index of another version");
  const tableOffset = head.i64();
  const endFrom = bytes.length - endBytes;
  const end = new ByteReader(bytes, endFrom, bytes.length);
  const symbolsAt = end.i64();
  const tableAt = end.i64();
  const sum = end.u32();
  if (head.failed || end.failed || sum !== crc32c(bytes, endFrom, endFrom + 16)) {
    throw corrupt(endFrom, "the checksum of the last part does not fit");
  }
  const tocAt = endFrom - tocBytes;
  const layout = parseIndexLayout(bytes.subarray(tocAt, endFrom), indexSize - tocBytes, block);
  const isWhole =
    symbolsAt === headBytes &&
    tableAt === symbolsAt + layout.series - layout.symbols &&
    tableOffset === layout.postingsOffsets &&
    endFrom - tableAt === indexSize - tableOffset;
  if (!isWhole) throw corrupt(endFrom, `its parts are not those of an index of ${indexSize} bytes`);
  return {
    layout,
    symbols: parseIndexSection(bytes, symbolsAt, layout.symbols, layout.series, block),
    postingsOffsets: parseIndexSection(bytes, tableAt, layout.postingsOffsets, layout.end, block),
  };
}

function corruptAt(block: string, file: string, offset: number, reason: string): BlockReadError {
  return new BlockReadError({ kind: "corrupt", block, file, offset, reason });
}
