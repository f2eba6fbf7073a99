/** Writes a block: symbols, then series in label order with their chunks, then postings and meta.json. */
import type { EncodedChunk, Labels, Result } from "@pleiad/model";
import type { FileSystem } from "@pleiad/ports";
import type { BlockFailure } from "./block-failure.ts";
import type { BlockMeta } from "./block-meta.ts";

/** A chunk with the times of its first and last sample. Encoding 255 is Thanos's chunk of aggregates. */
export interface BlockChunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly sampleCount: number;
  readonly encoding: EncodedChunk["encoding"] | 255;
  readonly data: Uint8Array;
}

export interface BlockWriterOptions {
  /** The folder that will hold the block's own folder. */
  readonly directory: string;
  readonly ulid: string;
  readonly minTimeMs: number;
  readonly maxTimeMs: number; // exclusive
  readonly compaction: BlockMeta["compaction"];
  readonly thanos: BlockMeta["thanos"];
  readonly chunkFileBytesMax: number; // 512 MiB as a rule
}

export interface BlockWriter {
  /**
   * Label sets ascend, each once; chunks ascend and do not overlap. `data` is read before the promise resolves and not
   * kept. What is held for a series are its postings and label symbols, never its chunks.
   */
  add(labels: Labels, chunks: readonly BlockChunk[]): Promise<Result<void, BlockFailure>>;
  /** Syncs everything and gives the folder its name; the block is there whole from then on. No series: no block, undefined. */
  finish(): Promise<Result<BlockMeta | undefined, BlockFailure>>;
  /** Removes what was written so far; fine after a failure and after `finish`. */
  abort(): Promise<void>;
}

/**
 * `symbols`: every label name and value that will come, ascending by UTF-8 bytes, each once; more than those is fine.
 * Written at `<ulid>.tmp-for-creation` until `finish`.
 */
export declare function createBlockWriter(
  files: FileSystem,
  symbols: Iterable<string> | AsyncIterable<string>,
  options: BlockWriterOptions,
): Promise<Result<BlockWriter, BlockFailure>>;
