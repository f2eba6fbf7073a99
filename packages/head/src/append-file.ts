/**
 * A file that grows by whole appends: what a failed one may have left is cut off before the next.
 *
 * After a failed datasync nobody knows what reached the disk, and a second one would say that all is well: the file then
 * refuses everything.
 */
import { FileError, type File } from "@pleiad/ports";

export class AppendFile {
  readonly path: string;
  /** Bytes that were appended as a whole. */
  sizeBytes = 0;
  readonly #file: File;
  #isTorn = false;
  #isDirty = false;
  #syncError: FileError | undefined;

  constructor(file: File, path: string) {
    this.#file = file;
    this.path = path;
  }

  /** What a failed datasync said; undefined while none failed. */
  get sealedBy(): string | undefined {
    return this.#syncError?.message;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#syncError !== undefined) throw this.#syncError;
    if (this.#isTorn) {
      await this.#file.truncate(this.sizeBytes);
      this.#isTorn = false;
    }
    this.#isTorn = true;
    await this.#file.append(bytes);
    this.#isTorn = false;
    this.#isDirty = true;
    this.sizeBytes += bytes.length;
  }

  async datasync(): Promise<void> {
    if (this.#syncError !== undefined) throw this.#syncError;
    if (!this.#isDirty) return;
    try {
      await this.#file.datasync();
    } catch (error) {
      if (error instanceof FileError) this.#syncError = error;
      throw error;
    }
    this.#isDirty = false;
  }

  /** Cuts off what a failed append left, makes the rest durable, and lets go of the file; on a rejection it is kept. */
  async finish(): Promise<void> {
    await this.#settle();
    await this.#file.close();
  }

  /** As `finish`, but lets go of the file whatever comes of it; one whose datasync failed before stays as it is. */
  async release(): Promise<void> {
    try {
      if (this.#syncError === undefined) await this.#settle();
    } finally {
      await this.#file.close();
    }
  }

  /** Lets go of the file as it is. */
  async abandon(): Promise<void> {
    await this.#file.close();
  }

  async #settle(): Promise<void> {
    if (this.#isTorn) {
      await this.#file.truncate(this.sizeBytes);
      this.#isTorn = false;
    }
    await this.datasync();
  }
}
