/**
 * XOR chunks by the hundred: a WebAssembly module that decodes all of a table into columns, in a memory that the caller
 * has and may share between threads. Its source is in `assembly/`.
 */
import type { ChunkFailure } from "./chunk-failure.ts";
import { instantiateWasm, type SharedMemory } from "./wasm.ts";
import { xorBulkWasm } from "./xor-bulk.wasm.ts";

/** Where a call reads and writes: offsets in bytes into the memory. Regions must not overlap. */
export interface XorBulkRegions {
  /** Rows of `xorBulkRowBytes`: see `xorBulkRow`. At a multiple of 4. */
  readonly table: number;
  readonly chunkCount: number;
  /** Room to work in: the length of the longest chunk and `xorBulkSlackBytes` more. At a multiple of 8. */
  readonly words: number;
  readonly wordsLength: number;
  /** Columns of Float64, at multiples of 8. Values keep their bits. */
  readonly timestampsMs: number;
  readonly values: number;
  readonly capacity: number; // samples
  /** A chunk ends before the first sample later than this; Infinity decodes all. */
  readonly untilMs: number;
}

export interface XorBulkDecoder {
  /**
   * Decodes the chunks of the table one after the other, without gaps between their samples; gives the number of samples.
   * Writes for each chunk how many are its own, and why there are none: `xorBulkFailure` has words for that. Damaged bytes
   * fail their chunk and no other; regions that are not in the memory are the caller's mistake, and throw.
   */
  decode(regions: XorBulkRegions): number;
}

/** A row of the table as indices of a Uint32Array: two that the caller writes, two that `decode` does. */
export const xorBulkRow = { offset: 0, length: 1, sampleCount: 2, failure: 3 } as const;
export const xorBulkRowBytes = 16;
/** What must be free in `words` beside the longest chunk, and to read in the memory after the last one. */
export const xorBulkSlackBytes = 48;

/** A decoder on a memory: to be made once a memory and thread. */
export function createXorBulkDecoder(memory: SharedMemory): XorBulkDecoder {
  const { decode } = instantiateWasm(xorBulkWasm, memory);
  return {
    decode: ({ table, chunkCount, words, wordsLength, timestampsMs, values, capacity, untilMs }) =>
      decode(table, chunkCount, words, wordsLength, timestampsMs, values, capacity, untilMs) >>> 0,
  };
}

/** What the row of a chunk of `bytes` bytes and, by its first two, `sampleCount` samples says; undefined for no failure. */
export function xorBulkFailure(failure: number, bytes: number, sampleCount: number): ChunkFailure | undefined {
  const sample = failure >>> 8;
  switch (failure & 0xff) {
    case 0:
      return undefined;
    case 1:
      return { kind: "truncated", bytes, sampleCount };
    case 2:
      return { kind: "corrupt", reason: "the first timestamp is longer than ten bytes" };
    case 3:
      return { kind: "corrupt", reason: "the second timestamp is longer than ten bytes" };
    case 4:
      return { kind: "corrupt", reason: `sample ${sample} has a value of more than 64 bits` };
    case 5:
      return { kind: "corrupt", reason: `the timestamp of sample ${sample} is out of range` };
    case 6:
      throw new RangeError(`no room for a chunk of ${bytes} bytes and ${sampleCount} samples`);
    default:
      throw new RangeError(`unknown failure ${failure}`);
  }
}
