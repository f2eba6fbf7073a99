/** The bytes of one block of a bucket, with what its meta.json tells of them: most blocks open without a request. */
import { formatBlockMeta, type BlockBytes, type BlockMeta } from "@pleiad/blocks";
import { BucketError } from "@pleiad/ports";
import type { BucketReads } from "./bucket-reads.ts";

export interface HeldBlockBytes extends BlockBytes {
  /** Whether the bucket said that a file of the block is not there. */
  readonly isGone: boolean;
}

/** `onFetch` is told how much is to be read, and may throw. */
export function heldBlockBytes(
  reads: BucketReads,
  meta: BlockMeta,
  onFetch: (byteCount: number, signal: AbortSignal | undefined) => void,
): HeldBlockBytes {
  const { ulid } = meta;
  const files = new Map(meta.thanos?.files.map(({ path, sizeBytes }) => [path, sizeBytes]));
  const metaBytes = formatBlockMeta(meta);
  let isGone = false;

  async function sizeOf(file: string, signal?: AbortSignal): Promise<number | undefined> {
    const known = files.get(file);
    if (known !== undefined) return known;
    // Whatever the list of files does not name is not of the block.
    if (files.size > 0 && !files.has(file)) return undefined;
    try {
      const size = await reads.sizeOf(`${ulid}/${file}`, signal);
      files.set(file, size);
      return size;
    } catch (error) {
      if (error instanceof BucketError && error.kind === "not-found") return undefined;
      throw error;
    }
  }

  return {
    name: ulid,
    get isGone() {
      return isGone;
    },
    sizeOf,
    async chunkFiles(signal) {
      const prefix = `${ulid}/chunks/`;
      const names: string[] = [];
      for await (const key of reads.list(prefix, signal)) {
        const name = key.slice(prefix.length);
        if (/^\d{6}$/.test(name)) names.push(name);
      }
      return names;
    },
    async read(file, offset, length, signal) {
      if (file === "meta.json") return metaBytes.slice(offset, offset + length);
      const size = await sizeOf(file, signal);
      const wanted = size === undefined ? length : Math.max(0, Math.min(length, size - offset));
      // A store may refuse an empty range.
      if (wanted === 0) return new Uint8Array(0);
      onFetch(wanted, signal);
      try {
        return await reads.read(`${ulid}/${file}`, offset, wanted, signal);
      } catch (error) {
        if (error instanceof BucketError && error.kind === "not-found") isGone = true;
        throw error;
      }
    },
    close: async () => {},
  };
}
