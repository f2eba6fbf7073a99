/** Where the bytes of a block come from: a folder, or a bucket. */
import { BucketError, FileError, type Bucket, type File, type FileSystem } from "@pleiad/ports";

export interface BlockBytes {
  /** A ULID as a rule; for messages. */
  readonly name: string;
  /** Of `index`, `meta.json`, `tombstones`, `chunks/000001` …; undefined where there is no such file. */
  sizeOf(file: string, signal?: AbortSignal): Promise<number | undefined>;
  /** The names below `chunks/`, in order. */
  chunkFiles(signal?: AbortSignal): Promise<readonly string[]>;
  /** Exactly `length` bytes, or fewer at the end of the file. The result belongs to the caller. Throws as its store does. */
  read(file: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The block in a folder. Files are opened when they are first read, and stay open until `close`. */
export function directoryBlockBytes(files: FileSystem, path: string): BlockBytes {
  const opened = new Map<string, Promise<File>>();
  let isClosed = false;
  const open = async (file: string) => {
    // A reader may outlive the block: what it opened now, nobody would close.
    if (isClosed) throw new Error("the block is closed");
    let handle = opened.get(file);
    if (handle === undefined) {
      handle = files.open(`${path}/${file}`, "read");
      opened.set(file, handle);
      handle.catch(() => opened.delete(file));
    }
    return await handle;
  };
  return {
    name: lastSegment(path),
    async sizeOf(file) {
      try {
        return await (await open(file)).size();
      } catch (error) {
        if (error instanceof FileError && error.code === "ENOENT") return undefined;
        throw error;
      }
    },
    async chunkFiles() {
      return (await files.list(`${path}/chunks`)).filter(isChunkFileName);
    },
    async read(file, offset, length) {
      return (await open(file)).read(offset, length);
    },
    async close() {
      isClosed = true;
      const handles = [...opened.values()];
      opened.clear();
      // One that never opened has nothing to close.
      for (const handle of await Promise.allSettled(handles)) {
        if (handle.status === "fulfilled") await handle.value.close();
      }
    },
  };
}

/** The block below `prefix` in a bucket, by range reads; `prefix` has no `/` at its end. */
export function bucketBlockBytes(bucket: Bucket, prefix: string): BlockBytes {
  return {
    name: lastSegment(prefix),
    async sizeOf(file, signal) {
      try {
        return (await bucket.attributes(`${prefix}/${file}`, signal)).sizeBytes;
      } catch (error) {
        if (error instanceof BucketError && error.kind === "not-found") return undefined;
        throw error;
      }
    },
    async chunkFiles(signal) {
      const names: string[] = [];
      const folder = `${prefix}/chunks/`;
      for await (const key of bucket.list(folder, signal === undefined ? {} : { signal })) {
        const name = key.slice(folder.length);
        if (isChunkFileName(name)) names.push(name);
      }
      return names;
    },
    read: (file, offset, length, signal) => bucket.get(`${prefix}/${file}`, { offset, length }, signal),
    close: async () => {},
  };
}

/** Six digits: what lies beside such files in `chunks/` is not of the block. */
function isChunkFileName(name: string): boolean {
  return /^\d{6}$/.test(name);
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
