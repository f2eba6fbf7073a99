/** Writes the chunk files of a block, a new one where the last is full. Byte layout: docs/format/block.md. */
import { crc32c } from "@pleiad/chunks";
import type { FileSystem } from "@pleiad/ports";
import type { BlockChunk } from "./block-writer.ts";
import { chunkRecordOverheadBytes, segmentHeaderBytes, segmentMagic, segmentVersion } from "./chunk-record.ts";
import { chunkRef, segmentName } from "./chunk-segments.ts";
import { FileSink } from "./file-sink.ts";

export class SegmentWriter {
  readonly #files: FileSystem;
  readonly #directory: string;
  readonly #fileBytesMax: number;
  #sink: FileSink | undefined;
  #segment = -1;
  #chunkBytesMax = 0;

  constructor(files: FileSystem, directory: string, fileBytesMax: number) {
    this.#files = files;
    this.#directory = directory;
    // References have 32 bits for the place in a file.
    this.#fileBytesMax = Math.min(fileBytesMax, 0xffff_ffff);
  }

  /** Of the largest chunk, with what surrounds it. */
  get chunkBytesMax(): number {
    return this.#chunkBytesMax;
  }

  /** Whether `add` may be called for a chunk at once; else `makeRoom` is to be awaited before it. */
  hasRoom(chunk: BlockChunk): boolean {
    return this.#sink !== undefined && !this.#sink.isFull && this.#fits(this.#sink, chunk);
  }

  async makeRoom(chunk: BlockChunk): Promise<void> {
    const sink = this.#sink;
    if (sink?.isFull === true) await sink.flush();
    if (sink === undefined || !this.#fits(sink, chunk)) await this.#cut();
  }

  /** Writes one chunk; gives its reference. */
  add({ data, encoding, checksum }: BlockChunk): number {
    const sink = this.#sink;
    if (sink === undefined) throw new Error("a chunk before there is room for it");
    const { offset, writer } = sink;
    writer.uvarint(data.length);
    const sumFrom = writer.length;
    writer.u8(encoding);
    writer.raw(data, 0, data.length);
    writer.u32(checksum ?? crc32c(writer.bytes, sumFrom, writer.length));
    this.#chunkBytesMax = Math.max(this.#chunkBytesMax, sink.offset - offset);
    return chunkRef(this.#segment, offset);
  }

  /** Everything is on disk when it resolves. */
  async finish(): Promise<void> {
    await this.#sink?.finish();
    this.#sink = undefined;
  }

  async close(): Promise<void> {
    await this.#sink?.close();
    this.#sink = undefined;
  }

  /** A file takes one chunk at least. */
  #fits({ offset }: FileSink, { data }: BlockChunk): boolean {
    return offset + data.length + chunkRecordOverheadBytes <= this.#fileBytesMax || offset <= segmentHeaderBytes;
  }

  async #cut(): Promise<void> {
    await this.finish();
    this.#segment++;
    const sink = await FileSink.create(this.#files, `${this.#directory}/${segmentName(this.#segment)}`);
    sink.writer.u32(segmentMagic);
    sink.writer.u8(segmentVersion);
    sink.writer.zeros(3);
    this.#sink = sink;
  }
}
