/** A chunk of one of the blocks that are to be merged, and what may stand in the way. */
import type { BlockChunk } from "@pleiad/blocks";

export interface InputChunk {
  readonly chunk: BlockChunk;
  /** The number of its block. */
  readonly input: number;
}

export type ChunkMergeFailure =
  /** Chunks that cannot be merged, whatever they hold. */
  | { readonly kind: "unmergeable"; readonly reason: string }
  | { readonly kind: "corrupt-chunk"; readonly input: number; readonly reason: string }
  /** Two inputs have chunks at one time, and not the same samples. */
  | { readonly kind: "conflict"; readonly inputs: readonly [number, number]; readonly timestampMs: number };
