/** A bulk session for chunks that were closed elsewhere: history that is older than what the head has. */
import { chunkSampleCount } from "@pleiad/chunks";
import type { Labels, Result } from "@pleiad/model";
import type { ClosedChunk } from "./head-chunk-file.ts";
import type { HeadChunkWriter } from "./head-chunk-writer.ts";
import type { HeadFailure, HeadRefusal } from "./head-failure.ts";
import type { HeadMemory } from "./head-memory.ts";
import type { MemorySeries } from "./memory-series.ts";

/** An XOR chunk with the times of its first and last sample. */
export interface ImportedChunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly data: Uint8Array;
}

export type ImportRefusal =
  | HeadRefusal
  /** The series has samples that are not newer than these chunks, or the chunks are not in order among themselves. */
  | { readonly kind: "overlap" }
  | { readonly kind: "invalid-chunk"; readonly reason: string };

export interface ImportStats {
  readonly series: number;
  readonly chunks: number;
}

/** One use: after `commit` or `rollback` it takes no more. Until then the series that it names are not forgotten. */
export interface HeadImporter {
  /** Takes chunks of one series, in time order, all older than what it has; copies their data. */
  add(labels: Labels, chunks: readonly ImportedChunk[]): ImportRefusal | undefined;
  /** Resolves when all is on disk; readers see it from then on. On failure nothing is shown. */
  commit(): Promise<Result<ImportStats, HeadFailure>>;
  rollback(): void;
}

export interface StagedChunks {
  readonly series: MemorySeries;
  readonly chunks: readonly ClosedChunk[];
}

export type PendingImport = (
  staged: readonly StagedChunks[],
  writer: HeadChunkWriter,
) => Promise<Result<ImportStats, HeadFailure>>;

export class Importer implements HeadImporter {
  readonly id: number;
  readonly #memory: HeadMemory;
  readonly #writer: HeadChunkWriter;
  readonly #commit: PendingImport;
  readonly #end: (id: number) => void;
  readonly #staged: StagedChunks[] = [];
  #isOpen = true;

  constructor(
    id: number,
    memory: HeadMemory,
    writer: HeadChunkWriter,
    commit: PendingImport,
    end: (id: number) => void,
  ) {
    this.id = id;
    this.#memory = memory;
    this.#writer = writer;
    this.#commit = commit;
    this.#end = end;
  }

  add(labels: Labels, chunks: readonly ImportedChunk[]): ImportRefusal | undefined {
    this.#assertOpen();
    let previousMs = -Infinity;
    for (const chunk of chunks) {
      const reason = faultOf(chunk);
      if (reason !== undefined) return { kind: "invalid-chunk", reason };
      if (chunk.minTimeMs <= previousMs) return { kind: "overlap" };
      previousMs = chunk.maxTimeMs;
    }
    const series = this.#memory.findOrCreate(labels);
    if ("kind" in series) return series;
    if (chunks.length === 0) return undefined;
    if (previousMs >= series.minTimeMs || series.floorMs > -Infinity) return { kind: "overlap" };
    series.heldBy = Math.max(series.heldBy, this.id);
    series.heldTimeMs = -Infinity;
    // From now on nothing is appended beneath these chunks.
    series.floorMs = previousMs;
    this.#staged.push({
      series,
      chunks: chunks.map((chunk) => this.#writer.addEncoded(series.ref, chunk.minTimeMs, chunk.maxTimeMs, chunk.data)),
    });
    return undefined;
  }

  async commit(): Promise<Result<ImportStats, HeadFailure>> {
    this.#assertOpen();
    this.#isOpen = false;
    try {
      return await this.#commit(this.#staged, this.#writer);
    } finally {
      this.#release();
    }
  }

  rollback(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#release();
  }

  #release(): void {
    for (const { series } of this.#staged) series.floorMs = -Infinity;
    this.#end(this.id);
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new Error("the importer was committed or rolled back");
  }
}

function faultOf(chunk: ImportedChunk): string | undefined {
  if (chunkSampleCount(chunk.data) === 0) return "a chunk without samples";
  if (!Number.isSafeInteger(chunk.minTimeMs) || !Number.isSafeInteger(chunk.maxTimeMs)) return "a time that is no time";
  return chunk.minTimeMs > chunk.maxTimeMs ? "a chunk that ends before it begins" : undefined;
}
