/**
 * The files of one block in memory, by windows. What is read is a view of a window, never a copy, unless it is longer
 * than windows overlap; so whatever keeps such a view keeps a window.
 */
import type { BlockBytes } from "./block-bytes.ts";
import { BlockReadError } from "./block-failure.ts";

const windowBytes = 128 * 1024;
/** Every window goes on this far into the next, so that what begins in a window mostly ends in it too. */
const overlapBytes = 4 * 1024;
/** Neighbouring windows are read at once, up to so many. */
const runWindowsMax = 32;

export interface FileWindow {
  readonly bytes: Uint8Array;
  readonly start: number;
  isUsed: boolean;
}

export class WindowedFile {
  readonly name: string;
  readonly size: number;
  readonly windows = new Map<number, FileWindow>();
  readonly loading = new Map<number, Promise<void>>();

  constructor(name: string, size: number) {
    this.name = name;
    this.size = size;
  }

  /** The window in memory in which `offset` lies. */
  windowAt(offset: number): FileWindow | undefined {
    const window = this.windows.get(Math.floor(offset / windowBytes));
    if (window !== undefined) window.isUsed = true;
    return window;
  }
}

export class FileWindows {
  readonly #bytes: BlockBytes;
  readonly #bytesMax: number;
  readonly #onDrop: () => void;
  readonly #files: WindowedFile[] = [];
  #heldBytes = 0;

  /** `onDrop` is called when windows are forgotten: views of them are to be forgotten too. */
  constructor(bytes: BlockBytes, bytesMax: number, onDrop: () => void) {
    this.#bytes = bytes;
    this.#bytesMax = bytesMax;
    this.#onDrop = onDrop;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  add(name: string, size: number): WindowedFile {
    const file = new WindowedFile(name, size);
    this.#files.push(file);
    return file;
  }

  /** Forgets all windows. */
  clear(): void {
    for (const file of this.#files) file.windows.clear();
    this.#heldBytes = 0;
    this.#onDrop();
  }

  /** Exactly these bytes, as a view where a window has them; corrupt where the file ends before. */
  async read(file: WindowedFile, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (offset + length > file.size) this.#endsEarly(file, offset, length);
    if (length > overlapBytes) return this.readPast(file, offset, length, signal);
    let window = file.windowAt(offset);
    if (window === undefined) {
      await this.load(file, [offset], signal);
      window = file.windowAt(offset);
    }
    // Another reader may have had it dropped again.
    if (window === undefined) return this.readPast(file, offset, length, signal);
    return window.bytes.subarray(offset - window.start, offset - window.start + length);
  }

  /** Exactly these bytes, read anew: for what is large or read once. */
  async readPast(file: WindowedFile, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (offset + length > file.size) this.#endsEarly(file, offset, length);
    const bytes = await this.#bytes.read(file.name, offset, length, signal);
    if (bytes.length !== length) this.#endsEarly(file, offset, length);
    return bytes;
  }

  /** Brings the windows of all offsets into memory; neighbours come with one read. */
  async load(file: WindowedFile, offsets: Iterable<number>, signal?: AbortSignal): Promise<void> {
    const missing = new Set<number>();
    const waits: Promise<void>[] = [];
    for (const offset of offsets) {
      if (offset >= file.size) this.#endsEarly(file, offset, 1);
      const number = Math.floor(offset / windowBytes);
      if (file.windows.has(number) || missing.has(number)) continue;
      const loading = file.loading.get(number);
      if (loading === undefined) missing.add(number);
      // Whoever began it may be canceled: then this reader reads for itself what it still misses.
      else waits.push(loading.catch(() => {}));
    }
    const numbers = [...missing].sort((a, b) => a - b);
    for (let i = 0; i < numbers.length;) {
      const first = numbers[i] as number;
      let count = 1;
      while (count < runWindowsMax && numbers[i + count] === first + count) count++;
      i += count;
      const run = this.#loadRun(file, first, count, signal).finally(() => {
        for (let k = 0; k < count; k++) file.loading.delete(first + k);
      });
      for (let k = 0; k < count; k++) file.loading.set(first + k, run);
      waits.push(run);
    }
    await Promise.all(waits);
  }

  async #loadRun(file: WindowedFile, first: number, count: number, signal?: AbortSignal): Promise<void> {
    const from = first * windowBytes;
    const to = Math.min(from + count * windowBytes + overlapBytes, file.size);
    const bytes = await this.readPast(file, from, to - from, signal);
    this.#makeRoom(bytes.length);
    for (let k = 0; k < count; k++) {
      const at = k * windowBytes;
      // A copy, so that a window does not keep the whole run.
      const part = count === 1 ? bytes : bytes.slice(at, at + windowBytes + overlapBytes);
      file.windows.set(first + k, { bytes: part, start: from + at, isUsed: true });
      this.#heldBytes += part.length;
    }
  }

  /** Forgets windows that nobody used since the last time, then others, until `more` bytes have room. */
  #makeRoom(more: number): void {
    if (this.#heldBytes + more <= this.#bytesMax) return;
    for (const spareUsed of [true, false]) {
      for (const file of this.#files) {
        for (const [number, window] of file.windows) {
          if (this.#heldBytes + more <= this.#bytesMax / 2) break;
          if (spareUsed && window.isUsed) window.isUsed = false;
          else {
            file.windows.delete(number);
            this.#heldBytes -= window.bytes.length;
          }
        }
      }
    }
    this.#onDrop();
  }

  #endsEarly(file: WindowedFile, offset: number, length: number): never {
    throw new BlockReadError({
      kind: "corrupt",
      block: this.#bytes.name,
      file: file.name,
      offset,
      reason: `the file of ${file.size} bytes ends before the ${length} bytes that belong here`,
    });
  }
}
