/** A bulk session for chunks that were closed elsewhere: history before or behind all that a series has. */
import { createSampleColumns, decodeChunk, formatChunkFailure } from "@pleiad/chunks";
import { xorEncoding, type Labels, type Result } from "@pleiad/model";
import type { ClosedChunk } from "./head-chunk-file.ts";
import type { HeadChunkWriter } from "./head-chunk-writer.ts";
import { formatHeadFailure, formatHeadRefusal, type HeadFailure, type HeadRefusal } from "./head-failure.ts";
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
  /** The chunks are neither all older nor all newer than what the series has, not in order, or of a time that blocks have. */
  | { readonly kind: "overlap" }
  | { readonly kind: "invalid-chunk"; readonly reason: string };

/** Why an import did not come about. An overlap: a commit that was under way got there first; nothing is imported. */
export type ImportFailure = HeadFailure | Extract<ImportRefusal, { readonly kind: "overlap" }>;

export interface ImportStats {
  readonly series: number;
  readonly chunks: number;
}

/** One use: after `commit` or `rollback` it takes no more. Until then the series that it names are not forgotten. */
export interface HeadImporter {
  /**
   * Takes XOR chunks of one series, in time order, all older or all newer than what it has; copies their data. From now
   * on nothing is appended to the series beneath them.
   */
  add(labels: Labels, chunks: readonly ImportedChunk[]): ImportRefusal | undefined;
  /**
   * Resolves when all is on disk; readers see it from then on. On failure nothing is shown. After a crash all is there
   * or nothing, as long as it fits one file.
   */
  commit(): Promise<Result<ImportStats, ImportFailure>>;
  rollback(): void;
}

export interface StagedChunks {
  readonly series: MemorySeries;
  readonly chunks: readonly ClosedChunk[];
}

/** Decides when appends beneath the chunks are let through again. */
export type PendingImport = (
  staged: readonly StagedChunks[],
  writer: HeadChunkWriter,
) => Promise<Result<ImportStats, ImportFailure>>;

const decoded = createSampleColumns(256);

export class Importer implements HeadImporter {
  readonly id: number;
  readonly #memory: HeadMemory;
  readonly #latestMs: number;
  readonly #writer: HeadChunkWriter;
  readonly #commit: PendingImport;
  readonly #end: (id: number) => void;
  readonly #staged: StagedChunks[] = [];
  #isOpen = true;

  /** `latestMs` is the latest time that a sample may have. */
  constructor(
    id: number,
    memory: HeadMemory,
    latestMs: number,
    writer: HeadChunkWriter,
    commit: PendingImport,
    end: (id: number) => void,
  ) {
    this.id = id;
    this.#memory = memory;
    this.#latestMs = latestMs;
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
    const [first] = chunks;
    if (first === undefined) return undefined;
    if (previousMs > this.#latestMs)
      return { kind: "invalid-chunk", reason: "a chunk that ends too far in the future" };
    const series = this.#memory.findOrCreate(labels);
    if ("kind" in series) return series;
    if (previousMs >= series.minTimeMs && first.minTimeMs <= series.newestMs) return { kind: "overlap" };
    if (series.outOfOrder !== undefined && series.reachesInto(first.minTimeMs, previousMs)) return { kind: "overlap" };
    if (series.floorMs !== undefined || first.minTimeMs < this.#memory.closedBeforeMs) return { kind: "overlap" };
    series.heldBy = Math.max(series.heldBy, this.id);
    series.heldTimeMs = -Infinity;
    series.floorMs = previousMs;
    this.#staged.push({
      series,
      chunks: chunks.map((chunk) => this.#writer.addEncoded(series.ref, { ...chunk, encoding: xorEncoding })),
    });
    return undefined;
  }

  async commit(): Promise<Result<ImportStats, ImportFailure>> {
    this.#assertOpen();
    this.#isOpen = false;
    try {
      return await this.#commit(this.#staged, this.#writer);
    } finally {
      this.#end(this.id);
    }
  }

  rollback(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const { series } of this.#staged) series.floorMs = undefined;
    this.#end(this.id);
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new Error("the importer was committed or rolled back");
  }
}

/** A chunk whose times are not those of its samples would hide samples of the log at the next opening. */
function faultOf({ minTimeMs, maxTimeMs, data }: ImportedChunk): string | undefined {
  decoded.count = 0;
  const failure = decodeChunk(1, data, decoded);
  if (failure !== undefined) return formatChunkFailure(failure);
  const { timestampsMs, count } = decoded;
  if (count === 0) return "a chunk without samples";
  for (let i = 1; i < count; i++) {
    if (!((timestampsMs[i] ?? 0) > (timestampsMs[i - 1] ?? 0))) return "a chunk whose samples do not ascend in time";
  }
  if (timestampsMs[0] !== minTimeMs || timestampsMs[count - 1] !== maxTimeMs) {
    return "a chunk whose first or last sample is not at the time told";
  }
  return undefined;
}

/** One line for people. */
export function formatImportFailure(failure: ImportFailure | ImportRefusal): string {
  switch (failure.kind) {
    case "overlap":
      return "the head has samples of this time already";
    case "invalid-chunk":
      return failure.reason;
    case "invalid-labels":
    case "limit":
      return formatHeadRefusal(failure);
    default:
      return formatHeadFailure(failure);
  }
}
