/** The files of closed chunks: written, made durable, and removed once all of their chunks are too old. */
import type { FileSystem } from "@pleiad/ports";
import type { HeadChunkFile } from "./head-chunk-file.ts";
import type { HeadChunkWriter } from "./head-chunk-writer.ts";
import { removeEntries } from "./write-ahead-log.ts";

export class ClosedChunkFiles {
  /** Takes the chunks as they are closed. */
  readonly writer: HeadChunkWriter;
  readonly #files: FileSystem;
  /** All but those that the writer still has to itself. */
  #complete: HeadChunkFile[];
  /** Paths of files that an earlier process wrote, perhaps without a datasync. */
  readonly #undurable: Set<string>;

  /** `earlier`: files that an earlier process wrote. */
  constructor(writer: HeadChunkWriter, files: FileSystem, earlier: readonly HeadChunkFile[]) {
    this.writer = writer;
    this.#files = files;
    this.#complete = [...earlier];
    this.#undurable = new Set(earlier.map((file) => file.path));
  }

  get sizeBytes(): number {
    return [...this.#complete, ...this.writer.written].reduce((total, file) => total + file.sizeBytes, 0);
  }

  /** Takes over files that are complete and durable: of an import. */
  add(files: readonly HeadChunkFile[]): void {
    this.#complete.push(...files);
  }

  /** Removes the files that end before a time; gives how many. Throws FileError. */
  async dropBefore(cutoffMs: number): Promise<number> {
    const { written } = this.writer;
    // All but the last are complete.
    this.#complete.push(...written.splice(0, written.length - 1));
    const expired = this.#complete.filter((file) => file.maxTimeMs < cutoffMs);
    for (const file of expired) {
      await removeEntries(this.#files, [{ kind: "file", path: file.path }]);
      this.#complete = this.#complete.filter((other) => other !== file);
      this.#undurable.delete(file.path);
    }
    return expired.length;
  }

  /** Makes all closed chunks durable, those of a process that died included. Throws FileError. */
  async settle(): Promise<void> {
    await this.writer.flush();
    await this.writer.datasync();
    for (const path of this.#undurable) {
      const file = await this.#files.open(path, "read");
      try {
        await file.datasync();
      } finally {
        await file.close();
      }
      this.#undurable.delete(path);
    }
  }
}
