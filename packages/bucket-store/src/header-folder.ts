/** Index headers on the local disk, a folder a block as Thanos has it: what is lost or damaged there is made anew. */
import { indexHeaderFile, isUlid, removeTree } from "@pleiad/blocks";
import { FileError, type FileSystem } from "@pleiad/ports";

export class HeaderFolder {
  readonly #files: FileSystem;
  readonly #directory: string;

  constructor(files: FileSystem, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /** Undefined where there is none, or none that can be read. */
  async read(ulid: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#files.readFile(this.#pathOf(ulid));
    } catch (error) {
      if (error instanceof FileError) return undefined;
      throw error;
    }
  }

  /** The failure is a reason for people: without the file, the block is opened all the same. */
  async write(ulid: string, header: Uint8Array): Promise<string | undefined> {
    try {
      await this.#files.makeDirectory(`${this.#directory}/${ulid}`);
      await this.#files.writeFileAtomic(this.#pathOf(ulid), header);
      return undefined;
    } catch (error) {
      if (error instanceof FileError) return error.message;
      throw error;
    }
  }

  async remove(ulid: string): Promise<void> {
    try {
      await removeTree(this.#files, `${this.#directory}/${ulid}`);
    } catch (error) {
      // It takes room until the next start, and nothing else.
      if (!(error instanceof FileError)) throw error;
    }
  }

  /** Removes the headers of blocks that are not among these. */
  async removeOthers(ulids: ReadonlySet<string> | ReadonlyMap<string, unknown>): Promise<void> {
    try {
      if (!(await this.#files.exists(this.#directory))) return;
      for (const name of await this.#files.list(this.#directory)) {
        if (isUlid(name) && !ulids.has(name)) await this.remove(name);
      }
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
    }
  }

  #pathOf(ulid: string): string {
    return `${this.#directory}/${ulid}/${indexHeaderFile}`;
  }
}
