/** The chunk files of a block, read by the references of its index. */
import type { SourceChunk } from "@pleiad/model";
import { BlockReadError } from "./block-failure.ts";
import { parseChunkRecord, sourceChunkOf, segmentHeaderBytes, type ChunkRecord } from "./chunk-record.ts";
import type { FileWindows, WindowedFile } from "./file-windows.ts";

const segmentScale = 0x1_0000_0000;

export class ChunkSegments {
  readonly #windows: FileWindows;
  readonly #block: string;
  /** By number, from 0. */
  readonly #files: readonly (WindowedFile | undefined)[];

  constructor(windows: FileWindows, block: string, files: readonly (WindowedFile | undefined)[]) {
    this.#windows = windows;
    this.#block = block;
    this.#files = files;
  }

  get files(): readonly (WindowedFile | undefined)[] {
    return this.#files;
  }

  /** The chunk, if its bytes are in memory. Its checksum is verified. */
  peek(minTimeMs: number, maxTimeMs: number, ref: number): SourceChunk | undefined {
    const file = this.#files[Math.floor(ref / segmentScale)];
    const offset = ref % segmentScale;
    const window = file?.windowAt(offset);
    if (window === undefined) return undefined;
    const record = parseChunkRecord(window.bytes, offset - window.start);
    return record.kind === "short" ? undefined : this.#chunk(minTimeMs, maxTimeMs, ref, record);
  }

  /** Brings the chunks into memory, so that `peek` mostly finds them. */
  async load(refs: readonly number[], signal?: AbortSignal): Promise<void> {
    if (refs.length === 0) return;
    const missing = new Map<WindowedFile, number[]>();
    for (const ref of refs) {
      const file = this.fileOf(ref);
      const offset = ref % segmentScale;
      if (file.windowAt(offset) !== undefined) continue;
      const others = missing.get(file);
      if (others === undefined) missing.set(file, [offset]);
      else others.push(offset);
    }
    if (missing.size === 0) return;
    await Promise.all([...missing].map(([file, offsets]) => this.#windows.load(file, offsets, signal)));
  }

  async read(minTimeMs: number, maxTimeMs: number, ref: number, signal?: AbortSignal): Promise<SourceChunk> {
    return this.#chunk(minTimeMs, maxTimeMs, ref, await this.#record(ref, signal));
  }

  /** The file in which a chunk lies; corrupt where there is none, or the place is outside it. */
  fileOf(ref: number): WindowedFile {
    const number = Math.floor(ref / segmentScale);
    const file = this.#files[number];
    const offset = ref % segmentScale;
    if (file === undefined) throw this.corruptAt(ref, "the file of a chunk is missing");
    if (offset < segmentHeaderBytes || offset >= file.size) throw this.corruptAt(ref, "a chunk lies outside its file");
    return file;
  }

  corruptAt(ref: number, reason: string): BlockReadError {
    const file = `chunks/${segmentName(Math.floor(ref / segmentScale))}`;
    return new BlockReadError({ kind: "corrupt", block: this.#block, file, offset: ref % segmentScale, reason });
  }

  async #record(ref: number, signal?: AbortSignal): Promise<ChunkRecord> {
    const file = this.fileOf(ref);
    const offset = ref % segmentScale;
    let need = Math.min(1024, file.size - offset);
    for (;;) {
      const record = parseChunkRecord(await this.#windows.readPast(file, offset, need, signal), 0);
      if (record.kind !== "short") return record;
      if (need === file.size - offset || offset + record.need > file.size) {
        return { kind: "corrupt", reason: "a chunk is cut short" };
      }
      ({ need } = record);
    }
  }

  #chunk(minTimeMs: number, maxTimeMs: number, ref: number, record: ChunkRecord): SourceChunk {
    if (record.kind !== "read") {
      throw this.corruptAt(ref, record.kind === "corrupt" ? record.reason : "a chunk is cut short");
    }
    const chunk = sourceChunkOf(minTimeMs, maxTimeMs, record.encoding, record.data);
    if (chunk === undefined) throw this.corruptAt(ref, "the aggregates of a chunk are cut short");
    return chunk;
  }
}

/** The reference of a chunk by its file, numbered from 0, and its place there. */
export function chunkRef(segment: number, offset: number): number {
  return segment * segmentScale + offset;
}

/** `000001` for the first. */
export function segmentName(segment: number): string {
  return String(segment + 1).padStart(6, "0");
}
