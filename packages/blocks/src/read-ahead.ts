/** A file that is read from front to back, in large pieces. */
import type { FileWindows, WindowedFile } from "./file-windows.ts";

const readAheadBytes = 1024 * 1024;

/** A piece of a file, read ahead of its use. A new piece is a new buffer: views of the old one stay as they are. */
export class ReadAhead {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  readonly #windows: FileWindows;
  readonly #file: WindowedFile;
  readonly #end: number;

  constructor(windows: FileWindows, file: WindowedFile, end: number) {
    this.#windows = windows;
    this.#file = file;
    this.#end = end;
  }

  /** Whether `length` bytes from `offset` are there, or all up to the end. */
  has(offset: number, length: number): boolean {
    return offset >= this.start && Math.min(offset + length, this.#end) <= this.start + this.bytes.length;
  }

  async read(offset: number, length: number, signal: AbortSignal): Promise<void> {
    const wanted = Math.min(Math.max(length, readAheadBytes), this.#end - offset);
    this.bytes = await this.#windows.readPast(this.#file, offset, wanted, signal);
    this.start = offset;
  }
}
