/** One block, open for reading. */
import type { Labels, Result, SeriesSource } from "@pleiad/model";
import type { BlockBytes } from "./block-bytes.ts";
import type { BlockFailure } from "./block-failure.ts";
import type { BlockMeta } from "./block-meta.ts";
import type { BlockChunk } from "./block-writer.ts";

/** One series of a block as it lies there, for compaction, verification and dumps. */
export interface BlockSeries {
  readonly labels: Labels; // without external labels
  readonly chunks: readonly BlockChunk[]; // samples under tombstones are still in
}

export interface Block extends SeriesSource {
  readonly meta: BlockMeta;
  /** All symbols, ascending by UTF-8 bytes. */
  symbols(): AsyncIterable<string>;
  /** Every series in label order, read in windows: memory does not grow with the block. Throws BlockReadError. */
  everySeries(signal: AbortSignal): AsyncIterable<BlockSeries>;
  /** Bytes of memory that the open block and its caches hold. */
  heldBytes(): number;
  close(): Promise<void>;
}

export interface BlockOptions {
  /** Attached to every series that is read; where a series has such a label itself, these win. */
  readonly externalLabels: Labels;
  readonly intern: (text: string) => string;
  /** How much of index and chunks may be kept for the next question. */
  readonly cacheBytesMax: number;
}

/** What `everySeries` throws: a failure in the middle of a stream. */
export class BlockReadError extends Error {
  readonly failure: BlockFailure;
  constructor(failure: BlockFailure) {
    super(`block ${failure.block}: ${failure.kind}`);
    this.name = "BlockReadError";
    this.failure = failure;
  }
}

export declare function openBlock(bytes: BlockBytes, options: BlockOptions): Promise<Result<Block, BlockFailure>>;
