/**
 * The bytes of one block of a bucket, with what its meta.json tells of them: most blocks open without a request. Small
 * files come as a whole, by one request each, and from the local disk from then on.
 */
import { formatBlockMeta, type BlockBytes, type BlockMeta, type KeptFiles } from "@pleiad/blocks";
import { BucketError } from "@pleiad/ports";
import type { BucketReads } from "./bucket-reads.ts";

export interface HeldBlockBytes extends BlockBytes {
  /** Whether the bucket said that a file of the block is not there. */
  readonly isGone: boolean;
  /** Whether the file is small enough to come as a whole. */
  isSmall(file: string): boolean;
  /** Brings small files to the local disk that are not there, as long as none must go for them. */
  fetchAhead(signal: AbortSignal): Promise<void>;
  /** From now on small files that are read stay in memory, until `letGo`. */
  hold(): void;
  letGo(): void;
}

export interface HeldBlockSource {
  readonly reads: BucketReads;
  readonly kept: KeptFiles;
  /** Told how much is to be read from the bucket; may throw. */
  readonly onFetch: (byteCount: number, signal: AbortSignal | undefined) => void;
}

export function heldBlockBytes({ reads, kept, onFetch }: HeldBlockSource, meta: BlockMeta): HeldBlockBytes {
  const { ulid } = meta;
  const files = new Map(meta.thanos?.files.map(({ path, sizeBytes }) => [path, sizeBytes]));
  const metaBytes = formatBlockMeta(meta);
  const held = new Map<string, Uint8Array>();
  const fetching = new Map<string, Promise<Uint8Array>>();
  let isHolding = false;
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

  async function fetch(file: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    onFetch(length, signal);
    try {
      return await reads.read(`${ulid}/${file}`, offset, length, signal);
    } catch (error) {
      if (error instanceof BucketError && error.kind === "not-found") isGone = true;
      throw error;
    }
  }

  /** One request for all who want some of a small file now, and none for those who come later. */
  async function fetchWhole(file: string, size: number, signal?: AbortSignal): Promise<Uint8Array> {
    // Whoever began it may be canceled: then this reader reads for itself.
    const begun = await fetching.get(file)?.catch(() => undefined);
    if (begun !== undefined) return begun;
    const whole = fetch(file, 0, size, signal);
    fetching.set(file, whole);
    try {
      const bytes = await whole;
      await kept.keep(ulid, file, bytes);
      return bytes;
    } finally {
      if (fetching.get(file) === whole) fetching.delete(file);
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
      if (size === undefined) return await fetch(file, offset, wanted, signal);
      if (isHolding && kept.takes(size)) {
        const whole =
          held.get(file) ?? (await kept.read(ulid, file, size, 0, size)) ?? (await fetchWhole(file, size, signal));
        held.set(file, whole);
        return whole.slice(offset, offset + wanted);
      }
      const onDisk = await kept.read(ulid, file, size, offset, wanted);
      if (onDisk !== undefined) return onDisk;
      if (!kept.takes(size)) return await fetch(file, offset, wanted, signal);
      return (await fetchWhole(file, size, signal)).slice(offset, offset + wanted);
    },
    isSmall: (file) => kept.takes(files.get(file) ?? Infinity),
    async fetchAhead(signal) {
      for (const [file, size = Infinity] of files) {
        if (kept.takes(size) && !kept.has(ulid, file) && kept.hasRoomFor(size)) await fetchWhole(file, size, signal);
      }
    },
    hold: () => {
      isHolding = true;
    },
    letGo: () => {
      isHolding = false;
      held.clear();
    },
    close: async () => {},
  };
}
