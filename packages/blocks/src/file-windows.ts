/**
 * The files of one block in memory, by windows. What is read is a view of a window, never a copy, unless it is longer
 * than windows overlap; so whatever keeps such a view keeps a window.
 */
import type { BlockBytes } from "./block-bytes.ts";
import { BlockReadError } from "./block-failure.ts";

/** Every window goes on this far into the next, so that what begins in a window mostly ends in it too. */
const overlapBytes = 4 * 1024;

/** How windows are read: alone or together. */
export interface ReadRuns {
  /** The smaller, the less is kept beside what was asked for; the larger, the fewer pieces a long read has. */
  readonly windowBytes: number;
  /** How far windows that are wanted together may lie apart to be read at once: what lies between is not kept. */
  readonly gapBytesMax: number;
  readonly runBytesMax: number;
}

/** As it suits a disk. */
export const diskReadRuns: ReadRuns = {
  windowBytes: 128 * 1024,
  gapBytesMax: 0,
  runBytesMax: 4 * 1024 * 1024,
};

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
  readonly #windowBytes: number;

  constructor(name: string, size: number, windowBytes: number) {
    this.name = name;
    this.size = size;
    this.#windowBytes = windowBytes;
  }

  /** The window in memory in which `offset` lies. */
  windowAt(offset: number): FileWindow | undefined {
    const window = this.windows.get(Math.floor(offset / this.#windowBytes));
    if (window !== undefined) window.isUsed = true;
    return window;
  }
}

export class FileWindows {
  readonly #bytes: BlockBytes;
  readonly #bytesMax: number;
  readonly #onDrop: () => void;
  readonly #windowBytes: number;
  readonly #gapWindowsMax: number;
  readonly #runWindowsMax: number;
  readonly #files: WindowedFile[] = [];
  #heldBytes = 0;

  /** `onDrop` is called when windows are forgotten: views of them are to be forgotten too. */
  constructor(bytes: BlockBytes, bytesMax: number, onDrop: () => void, runs: ReadRuns = diskReadRuns) {
    this.#bytes = bytes;
    this.#bytesMax = bytesMax;
    this.#onDrop = onDrop;
    this.#windowBytes = runs.windowBytes;
    this.#gapWindowsMax = Math.floor(runs.gapBytesMax / runs.windowBytes);
    this.#runWindowsMax = Math.max(1, Math.floor(runs.runBytesMax / runs.windowBytes));
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  add(name: string, size: number): WindowedFile {
    const file = new WindowedFile(name, size, this.#windowBytes);
    this.#files.push(file);
    return file;
  }

  /** Whether somebody waits for windows: what is there already is wanted with those. */
  get isLoading(): boolean {
    return this.#files.some(({ loading }) => loading.size > 0);
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
    if (length > overlapBytes)
      return this.#peekLong(file, offset, length) ?? this.readPast(file, offset, length, signal);
    let window = file.windowAt(offset);
    if (window === undefined) {
      await this.load(file, [offset], signal);
      window = file.windowAt(offset);
    }
    // Another reader may have had it dropped again.
    if (window === undefined) return this.readPast(file, offset, length, signal);
    return window.bytes.subarray(offset - window.start, offset - window.start + length);
  }

  /** A copy of bytes that go over several windows, if all of those are in memory. */
  #peekLong(file: WindowedFile, offset: number, length: number): Uint8Array | undefined {
    const first = file.windowAt(offset);
    if (first === undefined) return undefined;
    const end = offset + length;
    if (end <= first.start + first.bytes.length) return first.bytes.subarray(offset - first.start, end - first.start);
    const joined = new Uint8Array(length);
    for (let at = offset; at < end;) {
      const window = file.windowAt(at);
      if (window === undefined) return undefined;
      const part = window.bytes.subarray(at - window.start, Math.min(this.#windowBytes, end - window.start));
      joined.set(part, at - offset);
      at += part.length;
    }
    return joined;
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
      const number = Math.floor(offset / this.#windowBytes);
      if (file.windows.has(number) || missing.has(number)) continue;
      const loading = file.loading.get(number);
      if (loading === undefined) missing.add(number);
      // Whoever began it may be canceled: then this reader reads for itself what it still misses.
      else waits.push(loading.catch(() => {}));
    }
    const numbers = [...missing].sort((a, b) => a - b);
    for (let i = 0; i < numbers.length;) {
      const first = numbers[i] as number;
      const wanted = [first];
      for (let last = first; ;) {
        const next = numbers[i + wanted.length];
        if (next === undefined || next - last - 1 > this.#gapWindowsMax || next - first >= this.#runWindowsMax) break;
        wanted.push((last = next));
      }
      i += wanted.length;
      const run = this.#loadRun(file, wanted, signal).finally(() => {
        for (const number of wanted) file.loading.delete(number);
      });
      for (const number of wanted) file.loading.set(number, run);
      waits.push(run);
    }
    await Promise.all(waits);
  }

  /** An offset in each window that has some of [from, to). */
  offsetsBetween(from: number, to: number): number[] {
    const offsets: number[] = [];
    for (let at = from; at < to; at = (Math.floor(at / this.#windowBytes) + 1) * this.#windowBytes) offsets.push(at);
    return offsets;
  }

  /** Reads from the first of the windows to the last at once; what lies between them is not kept. */
  async #loadRun(file: WindowedFile, numbers: readonly number[], signal?: AbortSignal): Promise<void> {
    const windowBytes = this.#windowBytes;
    const [first = 0] = numbers;
    const from = first * windowBytes;
    const to = Math.min(((numbers.at(-1) ?? first) + 1) * windowBytes + overlapBytes, file.size);
    const bytes = await this.readPast(file, from, to - from, signal);
    this.#makeRoom(numbers.length * (windowBytes + overlapBytes));
    for (const number of numbers) {
      const start = number * windowBytes;
      // A copy, so that a window does not keep the whole run.
      const part = numbers.length === 1 ? bytes : bytes.slice(start - from, start - from + windowBytes + overlapBytes);
      file.windows.set(number, { bytes: part, start, isUsed: true });
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
