/**
 * Where chunks that take samples lie. A head has one for each series, of a hundred bytes or so, and all of them grow at the
 * same pace: an array of its own for each would cost more than what is in it, and one that moves into a longer place as it
 * grows leaves behind what nobody else can fill. So each is a chain of blocks of one length, which lie side by side in pages:
 * whatever a chunk leaves, any other takes. Pages stay as long as the room does.
 */

/** A block, by its number; the number of the next one of its chain is in its last four bytes. */
export type BlockNumber = number & { readonly brand: "BlockNumber" };

const linkBytes = 4;

export interface OpenChunkRoomOptions {
  /** The length of a block. */
  readonly blockBytes: number;
  /** Memory is taken for two to the power of this blocks at a time. */
  readonly pageBits: number;
}

/** For chunks of a hundred bytes or so: half of a block is lost on each, and a sixteenth goes into links. */
export const manyChunks: OpenChunkRoomOptions = { blockBytes: 64, pageBits: 8 };
/** For one chunk alone: it mostly stays in one block. */
export const oneChunk: OpenChunkRoomOptions = { blockBytes: 512, pageBits: 0 };

export class OpenChunkRoom {
  readonly #pages: Uint8Array[] = [];
  readonly #blockBytes: number;
  readonly #pageBits: number;
  /** Of a block, what its chunk has for itself. */
  readonly dataBytes: number;
  /** The number of the next block that was never taken. */
  #next = 0;
  /** The first of those that were left: they are a chain too, so long. */
  #left = 0 as BlockNumber;
  #leftCount = 0;

  constructor({ blockBytes, pageBits }: OpenChunkRoomOptions = manyChunks) {
    this.#blockBytes = blockBytes;
    this.#pageBits = pageBits;
    this.dataBytes = blockBytes - linkBytes;
  }

  /** All memory that it has taken. */
  get byteLength(): number {
    return (this.#pages.length << this.#pageBits) * this.#blockBytes;
  }

  /** A block of the caller's own, whatever is in it. */
  take(): BlockNumber {
    if (this.#leftCount > 0) {
      const block = this.#left;
      this.#leftCount--;
      if (this.#leftCount > 0) this.#left = this.after(block);
      return block;
    }
    const block = this.#next++ as BlockNumber;
    if (block >>> this.#pageBits === this.#pages.length) {
      this.#pages.push(new Uint8Array(this.#blockBytes << this.#pageBits));
    }
    return block;
  }

  /** Gives a chain of `count` blocks back, for others to write into. */
  leave(first: BlockNumber, count: number): void {
    let last = first;
    for (let i = 1; i < count; i++) last = this.after(last);
    linkAt(this.pageOf(last), this.startOf(last) + this.dataBytes, this.#left);
    this.#left = first;
    this.#leftCount += count;
  }

  /** The page of a block, which begins in it at `startOf`. */
  pageOf(block: BlockNumber): Uint8Array {
    return this.#pages[block >>> this.#pageBits];
  }

  startOf(block: BlockNumber): number {
    return (block & ((1 << this.#pageBits) - 1)) * this.#blockBytes;
  }

  /** The block after one that is linked. */
  after(block: BlockNumber): BlockNumber {
    const page = this.pageOf(block);
    const at = this.startOf(block) + this.dataBytes;
    const next = page[at] | (page[at + 1] << 8) | (page[at + 2] << 16) | (page[at + 3] << 24);
    return (next >>> 0) as BlockNumber;
  }
}

/** Links a block of `page` to the next one of its chain; `at` is behind the data of the block. */
export function linkAt(page: Uint8Array, at: number, next: BlockNumber): void {
  page[at] = next;
  page[at + 1] = next >>> 8;
  page[at + 2] = next >>> 16;
  page[at + 3] = next >>> 24;
}
