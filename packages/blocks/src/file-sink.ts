/** A file that is written from front to back, in large pieces. */
import { ByteWriter } from "@pleiad/chunks";
import type { File, FileSystem } from "@pleiad/ports";

const pieceBytes = 1024 * 1024;

export class FileSink {
  /** What comes next; `flushIfFull` is to be awaited between writes. */
  readonly writer: ByteWriter = new ByteWriter(pieceBytes + 64 * 1024);
  readonly #file: File;
  #flushed = 0;

  private constructor(file: File) {
    this.#file = file;
  }

  static async create(files: FileSystem, path: string): Promise<FileSink> {
    return new FileSink(await files.open(path, "create-new"));
  }

  /** Where the next byte will lie. */
  get offset(): number {
    return this.#flushed + this.writer.length;
  }

  get isFull(): boolean {
    return this.writer.length >= pieceBytes;
  }

  /** Zeros up to the next multiple. */
  align(multiple: number): void {
    const over = this.offset % multiple;
    if (over > 0) this.writer.zeros(multiple - over);
  }

  async flush(): Promise<void> {
    if (this.writer.length === 0) return;
    await this.#file.append(this.writer.view());
    this.#flushed += this.writer.length;
    this.writer.length = 0;
  }

  /** Everything is on disk when it resolves. */
  async finish(): Promise<void> {
    await this.flush();
    await this.#file.datasync();
    await this.#file.close();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
