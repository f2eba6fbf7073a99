/**
 * Writes closed chunks to files. A chunk is laid out once, in the bytes of its file: memory serves readers from there,
 * and `flush` sends the same bytes to disk. Chunks are not added while a flush is under way.
 */
import { ByteWriter, crc32c } from "@pleiad/chunks";
import { xorEncoding, type ChunkEncoding } from "@pleiad/model";
import type { FileSystem } from "@pleiad/ports";
import { AppendFile } from "./append-file.ts";
import type { TimedChunk } from "./chunk-clip.ts";
import {
  chunkRecordBytesMax,
  headChunkFileHeader,
  outOfOrderFlag,
  type ClosedChunk,
  type HeadChunkFile,
} from "./head-chunk-file.ts";
import { encodeOpen, isOpenHistogram, type OpenChunk } from "./memory-series.ts";

export interface HeadChunkWriterOptions {
  readonly directory: string;
  readonly fileBytesMax: number;
  /** A file spans about this much time, so that files pass out of retention one by one. */
  readonly fileSpanMs: number;
  /** The number of the next file; each call gives another. */
  readonly nextFileNumber: () => number;
  /** Whether files have a name that nobody reads until `publish`. */
  readonly isDraft: boolean;
}

/** Bytes that wait for `flush`: a part of one page, for one file. */
interface Piece {
  readonly page: ByteWriter;
  readonly from: number;
  to: number;
  maxTimeMs: number;
  startsFile: boolean;
}

/** What the name of a draft ends in. */
export const draftSuffix = ".tmp";

const pageBytesFirst = 4 * 1024;
const pageBytesUsual = 64 * 1024;

export class HeadChunkWriter {
  readonly #files: FileSystem;
  readonly #options: HeadChunkWriterOptions;
  /** The files that were begun, the current one last. */
  readonly written: HeadChunkFile[] = [];
  readonly #pieces: Piece[] = [];
  #page = new ByteWriter(0);
  #pageBytesNext = pageBytesFirst;
  /** Of the file that the next chunk goes to, flushed or not. */
  #fileBytes = 0;
  #fileFirstTimeMs = 0;
  #file: AppendFile | undefined;

  constructor(files: FileSystem, options: HeadChunkWriterOptions) {
    this.#files = files;
    this.#options = options;
  }

  /** Lays out an open chunk as a closed one. */
  addOpen(ref: number, open: OpenChunk): ClosedChunk {
    const { minTimeMs, maxTimeMs, byteLength } = open;
    if (isOpenHistogram(open)) return this.addEncoded(ref, { minTimeMs, maxTimeMs, ...encodeOpen(open) });
    const { page, start } = this.#beginRecord(ref, minTimeMs, maxTimeMs, xorEncoding, byteLength);
    open.copyTo(page.bytes, page.length);
    return this.#endRecord(start, minTimeMs, maxTimeMs, xorEncoding, byteLength);
  }

  /** Lays out a chunk that was encoded elsewhere; its data is copied. */
  addEncoded(ref: number, { minTimeMs, maxTimeMs, encoding, data }: TimedChunk, isOutOfOrder = false): ClosedChunk {
    const flags = isOutOfOrder ? outOfOrderFlag : 0;
    const { page, start } = this.#beginRecord(ref, minTimeMs, maxTimeMs, encoding | flags, data.length);
    page.bytes.set(data, page.length);
    return this.#endRecord(start, minTimeMs, maxTimeMs, encoding, data.length);
  }

  /** Sends what is laid out to its files. After a rejection nothing is lost: the next flush goes on with it. */
  async flush(): Promise<void> {
    for (let piece = this.#pieces[0]; piece !== undefined; piece = this.#pieces[0]) {
      if (piece.startsFile) {
        await this.#startFile();
        piece.startsFile = false;
      }
      const info = this.written.at(-1);
      if (this.#file === undefined || info === undefined) throw new Error("chunks are laid out for no file");
      await this.#file.append(piece.page.bytes.subarray(piece.from, piece.to));
      info.maxTimeMs = Math.max(info.maxTimeMs, piece.maxTimeMs);
      info.sizeBytes = this.#file.sizeBytes;
      this.#pieces.shift();
    }
  }

  /** The next chunk begins a file. */
  endFile(): void {
    this.#fileBytes = 0;
  }

  /** What was flushed survives the death of the machine when it resolves. */
  async datasync(): Promise<void> {
    await this.#file?.datasync();
  }

  /** What a failed datasync said: nothing more is written then. */
  get sealedBy(): string | undefined {
    return this.#file?.sealedBy;
  }

  /** Makes what was flushed durable and lets go of the file, whatever comes of it. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.release();
  }

  /** Gives drafts their names, durably. They are flushed and closed, and none is written afterwards. */
  async publish(): Promise<void> {
    for (const { path } of this.written) await this.#files.rename(path + draftSuffix, path);
    if (this.written.length > 0) await this.#files.syncDirectory(this.#options.directory);
  }

  /** Removes drafts, published or not. On a rejection some may be left. */
  async discard(): Promise<void> {
    await this.#file?.abandon();
    this.#file = undefined;
    for (const { path } of this.written) {
      for (const name of [path, path + draftSuffix]) if (await this.#files.exists(name)) await this.#files.unlink(name);
    }
  }

  async #startFile(): Promise<void> {
    const { directory, nextFileNumber, isDraft } = this.#options;
    await this.#file?.finish();
    this.#file = undefined;
    const number = nextFileNumber();
    const path = `${directory}/${String(number).padStart(6, "0")}`;
    const name = isDraft ? path + draftSuffix : path;
    this.#file = new AppendFile(await this.#files.open(name, "create-new"), name);
    this.written.push({ path, number, maxTimeMs: -Infinity, sizeBytes: 0 });
    if (!isDraft) await this.#files.syncDirectory(directory);
  }

  /** Writes what precedes the data and makes room for it. `start` is where the record begins. */
  #beginRecord(ref: number, minTimeMs: number, maxTimeMs: number, encodingByte: number, dataBytes: number) {
    const bytes = dataBytes + chunkRecordBytesMax;
    const startsFile =
      this.#fileBytes === 0 ||
      this.#fileBytes + bytes > this.#options.fileBytesMax ||
      maxTimeMs > this.#fileFirstTimeMs + this.#options.fileSpanMs;
    if (this.#page.length + headChunkFileHeader.length + bytes > this.#page.bytes.length) {
      this.#page = new ByteWriter(Math.max(this.#pageBytesNext, headChunkFileHeader.length + bytes));
      this.#pageBytesNext = Math.min(pageBytesUsual, this.#pageBytesNext * 2);
    }
    const page = this.#page;
    if (startsFile || this.#pieces.at(-1)?.page !== page) {
      this.#pieces.push({ page, from: page.length, to: page.length, maxTimeMs, startsFile });
    }
    if (startsFile) {
      page.raw(headChunkFileHeader, 0, headChunkFileHeader.length);
      this.#fileBytes = headChunkFileHeader.length;
      this.#fileFirstTimeMs = minTimeMs;
    }
    const start = page.length;
    page.i64(ref);
    page.i64(minTimeMs);
    page.i64(maxTimeMs);
    page.u8(encodingByte);
    page.uvarint(dataBytes);
    return { page, start };
  }

  #endRecord(
    start: number,
    minTimeMs: number,
    maxTimeMs: number,
    encoding: ChunkEncoding,
    dataBytes: number,
  ): ClosedChunk {
    const page = this.#page;
    const offset = page.length;
    page.length += dataBytes;
    page.u32(crc32c(page.bytes, start, page.length));
    this.#fileBytes += page.length - start;
    const piece = this.#pieces.at(-1);
    if (piece !== undefined) {
      piece.to = page.length;
      piece.maxTimeMs = Math.max(piece.maxTimeMs, maxTimeMs);
    }
    return { minTimeMs, maxTimeMs, encoding, page: page.bytes, offset, length: dataBytes };
  }
}
