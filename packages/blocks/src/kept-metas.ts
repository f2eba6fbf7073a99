/**
 * Every meta.json of the bucket, on the local disk: after a restart the list of blocks costs its keys alone. They are of all
 * blocks and not of one shard's: which are its own, their labels tell. The list decides what is there, and a file that is
 * not as it was written is not given. Byte layout: docs/format/kept-files.md.
 */
import { crc32c } from "@pleiad/chunks";
import type { Clock, FileSystem } from "@pleiad/ports";
import type { MetaCache } from "./block-listing.ts";
import { blockMetaBytesMax } from "./block-meta.ts";
import { KeptFiles } from "./kept-files.ts";

export interface KeptMetasOptions {
  /** Absolute; packs and nothing else. */
  readonly directory: string;
  readonly bytesMax: number; // 0: none are kept
  readonly onWarning: (message: string, reason: string) => void;
}

const file = "meta.json";
const sumBytes = 4;

export class KeptMetas implements MetaCache {
  readonly #kept: KeptFiles;

  constructor(files: FileSystem, clock: Clock, options: KeptMetasOptions) {
    this.#kept = new KeptFiles(files, clock, { ...options, fileBytesMax: blockMetaBytesMax + sumBytes });
  }

  get heldBytes(): number {
    return this.#kept.heldBytes;
  }

  /** Finds what an earlier process left. */
  async open(): Promise<void> {
    await this.#kept.open();
  }

  async read(ulid: string): Promise<Uint8Array | undefined> {
    const size = this.#kept.sizeOf(ulid, file);
    if (size === undefined) return undefined;
    const bytes = await this.#kept.read(ulid, file, size, 0, size);
    if (bytes === undefined) return undefined;
    const end = size - sumBytes;
    if (end >= 0 && sumOf(bytes, end) === crc32c(bytes, 0, end)) return bytes.subarray(0, end);
    this.#kept.forget(ulid);
    return undefined;
  }

  async keep(ulid: string, bytes: Uint8Array): Promise<void> {
    const summed = new Uint8Array(bytes.length + sumBytes);
    summed.set(bytes);
    new DataView(summed.buffer).setUint32(bytes.length, crc32c(bytes, 0, bytes.length));
    await this.#kept.keep(ulid, file, summed);
  }

  /** Forgets all blocks but these, and removes packs of which nothing is left. */
  async forgetOthers(ulids: ReadonlyMap<string, unknown>): Promise<void> {
    await this.#kept.forgetOthers(ulids);
  }

  async close(): Promise<void> {
    await this.#kept.close();
  }
}

function sumOf(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);
}
