/**
 * Small files of blocks as they are in the bucket, on the local disk, one after the other in a few packs: a file that was
 * fetched once is not fetched again, also after a restart. Byte layout: docs/format/kept-files.md.
 *
 * Within the bound the oldest packs go first: blocks before their compaction do not live long either. What lies here is
 * not trusted more than what comes over the network: the checksums of the block's own parts are compared by its readers.
 */
import { ByteReader, ByteWriter, crc32c } from "@pleiad/chunks";
import { FileError, type Clock, type File, type FileSystem } from "@pleiad/ports";
import { isUlid } from "./ulid.ts";

export interface KeptFilesOptions {
  /** Absolute; packs and nothing else. */
  readonly directory: string;
  readonly bytesMax: number; // 0: nothing is kept
  /** Larger files are not kept. */
  readonly fileBytesMax: number;
  readonly onWarning: (message: string, reason: string) => void;
}

interface KeptFile {
  readonly pack: Pack;
  readonly offset: number;
  readonly length: number;
}

interface Pack {
  readonly number: number;
  readonly file: File;
  sizeBytes: number;
  readonly keys: Set<string>;
}

const magic = 0x9e1ad0f1;
const headBytes = 4 + 4 + 4;
const sumBytes = 4;
/** A ULID and `chunks/000001` are much shorter. */
const nameBytesMax = 64;
const headBytesMax = headBytes + nameBytesMax + sumBytes;
const packsMax = 8;
const pendingBytesMax = 32 * 1024 * 1024;
const writeBytesMax = 4 * 1024 * 1024;
const pauseMs = 60_000;

export class KeptFiles {
  readonly #files: FileSystem;
  readonly #clock: Clock;
  readonly #options: KeptFilesOptions;
  readonly #kept = new Map<string, KeptFile>();
  /** What is on its way to the disk. */
  readonly #pending = new Map<string, Uint8Array>();
  readonly #packs: Pack[] = []; // the oldest first
  #writing: Pack | undefined;
  #writingAll: Promise<void> | undefined;
  #pendingBytes = 0;
  #pausedUntilMs = -Infinity;
  #isClosed = false;

  constructor(files: FileSystem, clock: Clock, options: KeptFilesOptions) {
    this.#files = files;
    this.#clock = clock;
    this.#options = options;
  }

  get #batchBytesMax(): number {
    return Math.min(writeBytesMax, this.#options.bytesMax / packsMax);
  }

  get heldBytes(): number {
    return this.#packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Whether a file of this size should be fetched as a whole and kept. */
  takes(sizeBytes: number): boolean {
    const { bytesMax, fileBytesMax } = this.#options;
    return (
      sizeBytes <= fileBytesMax && sizeBytes * packsMax <= bytesMax && this.#clock.monotonicMs() >= this.#pausedUntilMs
    );
  }

  has(ulid: string, file: string): boolean {
    const key = keyOf(ulid, file);
    return this.#kept.has(key) || this.#pending.has(key);
  }

  /** Of a file that is kept. */
  sizeOf(ulid: string, file: string): number | undefined {
    const key = keyOf(ulid, file);
    return this.#pending.get(key)?.length ?? this.#kept.get(key)?.length;
  }

  /** Whether so much more can be kept, and nothing need go for it. */
  hasRoomFor(sizeBytes: number): boolean {
    const { bytesMax } = this.#options;
    return this.heldBytes + this.#pendingBytes + sizeBytes + bytesMax / packsMax <= bytesMax;
  }

  /** Finds what an earlier process left. What is damaged is left out, and what cannot be read is no failure. */
  async open(): Promise<void> {
    const { directory, bytesMax } = this.#options;
    try {
      await this.#files.makeDirectory(directory);
      for (const name of await this.#files.list(directory)) {
        if (!/^\d{6}$/.test(name)) continue;
        if (bytesMax === 0) await this.#files.unlink(`${directory}/${name}`);
        else await this.#adopt(Number(name));
      }
      await this.#makeRoom(0);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Some of a file that is kept; undefined where it is not, or not with this size. */
  async read(
    ulid: string,
    file: string,
    sizeBytes: number,
    offset: number,
    length: number,
  ): Promise<Uint8Array | undefined> {
    const key = keyOf(ulid, file);
    const pending = this.#pending.get(key);
    if (pending?.length === sizeBytes) return pending.slice(offset, offset + length);
    const kept = this.#kept.get(key);
    if (kept === undefined || kept.length !== sizeBytes) return undefined;
    try {
      const bytes = await kept.pack.file.read(kept.offset + offset, length);
      if (bytes.length === length) return bytes;
    } catch (error) {
      // A pack that has gone meanwhile is closed.
      if (this.#packs.includes(kept.pack) && !(error instanceof FileError)) throw error;
    }
    this.#forgetKey(key);
    return undefined;
  }

  /**
   * Keeps a file, whose bytes stay as they are; whether it comes to that is nobody's affair. Resolves when there is room
   * for the next: a disk that is slower than the bucket slows its readers down, and never piles up memory.
   */
  async keep(ulid: string, file: string, bytes: Uint8Array): Promise<void> {
    if (this.#isClosed || this.has(ulid, file) || !this.takes(bytes.length)) return;
    this.#pending.set(keyOf(ulid, file), bytes);
    this.#pendingBytes += bytes.length;
    this.#writingAll ??= this.#writePending().finally(() => {
      this.#writingAll = undefined;
    });
    if (this.#pendingBytes > pendingBytesMax) await this.#writingAll;
  }

  /** Forgets a block: its bytes were damaged, or it is not served any more. */
  forget(ulid: string): void {
    for (const key of [...this.#kept.keys(), ...this.#pending.keys()]) {
      if (ulidOf(key) === ulid) this.#forgetKey(key);
    }
  }

  /** Forgets all blocks but these, and removes packs of which nothing is left. */
  async forgetOthers(ulids: ReadonlyMap<string, unknown>): Promise<void> {
    for (const key of [...this.#kept.keys(), ...this.#pending.keys()]) {
      if (!ulids.has(ulidOf(key))) this.#forgetKey(key);
    }
    try {
      await this.#removeEmpty();
    } catch (error) {
      this.#fail(error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writingAll;
    this.#kept.clear();
    for (const { file } of this.#packs.splice(0)) await file.close();
  }

  /** Until nothing is pending: as much at once as has come meanwhile. */
  async #writePending(): Promise<void> {
    while (this.#pending.size > 0) {
      const batch: (readonly [key: string, bytes: Uint8Array])[] = [];
      let batchBytes = 0;
      for (const [key, bytes] of this.#pending) {
        if (batchBytes > 0 && batchBytes + bytes.length + headBytesMax > this.#batchBytesMax) break;
        batch.push([key, bytes]);
        batchBytes += bytes.length + headBytesMax;
      }
      try {
        if (this.#clock.monotonicMs() >= this.#pausedUntilMs) await this.#write(batch);
      } catch (error) {
        this.#fail(error);
      }
      for (const [key] of batch) this.#pending.delete(key);
      this.#pendingBytes = 0;
      for (const { length } of this.#pending.values()) this.#pendingBytes += length;
    }
  }

  async #write(batch: readonly (readonly [key: string, bytes: Uint8Array])[]): Promise<void> {
    const records = new ByteWriter(batch.reduce((sum, [, { length }]) => sum + headBytesMax + length, 0));
    const offsets = batch.map(([key, bytes]) => {
      appendHead(records, key, bytes.length);
      records.raw(bytes, 0, bytes.length);
      return records.length - bytes.length;
    });
    const pack = await this.#packFor(records.length);
    try {
      await pack.file.append(records.view());
    } catch (error) {
      // Half of it may be there.
      this.#writing = undefined;
      throw error;
    }
    for (const [i, [key, { length }]] of batch.entries()) {
      // Some may have been forgotten meanwhile.
      if (!this.#pending.has(key)) continue;
      this.#kept.set(key, { pack, offset: pack.sizeBytes + (offsets[i] as number), length });
      pack.keys.add(key);
    }
    pack.sizeBytes += records.length;
  }

  async #packFor(byteCount: number): Promise<Pack> {
    const packBytesMax = this.#options.bytesMax / packsMax;
    if (this.#writing !== undefined && this.#writing.sizeBytes + byteCount <= packBytesMax) return this.#writing;
    await this.#makeRoom(byteCount);
    const number = (this.#packs.at(-1)?.number ?? 0) + 1;
    const file = await this.#files.open(this.#pathOf(number), "create-new");
    this.#writing = { number, file, sizeBytes: 0, keys: new Set() };
    this.#packs.push(this.#writing);
    return this.#writing;
  }

  async #removeEmpty(): Promise<void> {
    for (const pack of [...this.#packs]) {
      if (pack !== this.#writing && pack.keys.size === 0) await this.#remove(pack);
    }
  }

  /** Removes the oldest packs until a new one has room. */
  async #makeRoom(byteCount: number): Promise<void> {
    const { bytesMax } = this.#options;
    await this.#removeEmpty();
    while (this.#packs.length > 0 && this.heldBytes + Math.max(byteCount, bytesMax / packsMax) > bytesMax) {
      await this.#remove(this.#packs[0] as Pack);
    }
  }

  async #remove(pack: Pack): Promise<void> {
    const at = this.#packs.indexOf(pack);
    if (at < 0) return;
    this.#packs.splice(at, 1);
    for (const key of pack.keys) this.#kept.delete(key);
    pack.keys.clear();
    if (this.#writing === pack) this.#writing = undefined;
    await pack.file.close();
    await this.#files.unlink(this.#pathOf(pack.number));
  }

  /** Reads the heads of a pack, up to one that is torn. */
  async #adopt(number: number): Promise<void> {
    const file = await this.#files.open(this.#pathOf(number), "read");
    const pack: Pack = { number, file, sizeBytes: await file.size(), keys: new Set() };
    this.#packs.push(pack);
    for (let at = 0; at < pack.sizeBytes;) {
      const bytes = await file.read(at, headBytesMax);
      const head = parseHead(bytes);
      if (head === undefined) return;
      const offset = at + head.byteCount;
      at = offset + head.length;
      if (at > pack.sizeBytes) return;
      this.#forgetKey(head.key);
      this.#kept.set(head.key, { pack, offset, length: head.length });
      pack.keys.add(head.key);
    }
  }

  #forgetKey(key: string): void {
    this.#kept.get(key)?.pack.keys.delete(key);
    this.#kept.delete(key);
    this.#pending.delete(key);
  }

  /** A disk that is full or broken is left alone for a while: what would be kept comes from the bucket. */
  #fail(error: unknown): void {
    if (!(error instanceof FileError)) throw error;
    this.#pausedUntilMs = this.#clock.monotonicMs() + pauseMs;
    this.#options.onWarning("Files of blocks cannot be kept on disk.", error.message);
  }

  #pathOf(number: number): string {
    return `${this.#options.directory}/${String(number).padStart(6, "0")}`;
  }
}

function appendHead(writer: ByteWriter, key: string, length: number): void {
  const from = writer.length;
  const name = new TextEncoder().encode(key);
  writer.u32(magic);
  writer.u32(length);
  writer.u32(name.length);
  writer.raw(name, 0, name.length);
  writer.u32(crc32c(writer.bytes, from, writer.length));
}

function parseHead(
  bytes: Uint8Array,
): { readonly key: string; readonly length: number; readonly byteCount: number } | undefined {
  if (bytes.length < headBytes) return undefined;
  const reader = new ByteReader(bytes, 0, bytes.length);
  if (reader.u32() !== magic) return undefined;
  const length = reader.u32();
  const nameEnd = headBytes + reader.u32();
  if (nameEnd + sumBytes > bytes.length) return undefined;
  if (new ByteReader(bytes, nameEnd, nameEnd + sumBytes).u32() !== crc32c(bytes, 0, nameEnd)) return undefined;
  const key = new TextDecoder().decode(bytes.subarray(headBytes, nameEnd));
  return isUlid(ulidOf(key)) ? { key, length, byteCount: nameEnd + sumBytes } : undefined;
}

function keyOf(ulid: string, file: string): string {
  return `${ulid}/${file}`;
}

function ulidOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}
