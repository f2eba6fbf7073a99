/** The disk of this machine. */
import { constants, type BigIntStats, type Dirent } from "node:fs";
import {
  access,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rmdir,
  statfs,
  unlink,
  type FileHandle,
} from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { lockFile } from "./file-lock.ts";
import {
  FileError,
  type DirectoryEntry,
  type File,
  type FileErrorCode,
  type FileStatus,
  type FileSystem,
} from "@pleiad/ports";

// A link planted in a state folder must not redirect a write. Plain reads follow links: mounted configuration is made of them.
const writeFlags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
const openFlags = {
  read: constants.O_RDONLY,
  "read-no-link": constants.O_RDONLY | constants.O_NOFOLLOW,
  append: writeFlags,
  "create-new": writeFlags | constants.O_EXCL,
} as const;

// Reads up to this size trust the caller; larger ones look first at what there is, as a damaged length may ask for much.
const readUncheckedBytesMax = 1_048_576;

export function nodeFiles(): FileSystem {
  // Writers of one path share a temporary name, so they take turns.
  const atomicWrites = new Map<string, Promise<void>>();

  const writeFileAtomic = async (path: string, bytes: Uint8Array) => {
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      const handle = await open(temporary, writeFlags | constants.O_TRUNC, 0o666);
      try {
        await writeFully(handle, bytes, 0);
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => {
        // Whatever stopped the write may stop this too; the first failure is the one to tell.
      });
      throw error;
    }
    await syncDirectory(dirname(path));
  };

  return {
    open: (path, mode) => translate("open", path, async () => openFile(path, await open(path, openFlags[mode], 0o666))),
    readFile: (path) => translate("readFile", path, async () => plainView(await readFile(path))),
    writeFileAtomic: (path, bytes) =>
      translate("writeFileAtomic", path, async () => {
        const before = atomicWrites.get(path);
        const write = (before ?? Promise.resolve()).catch(() => {}).then(() => writeFileAtomic(path, bytes));
        atomicWrites.set(path, write);
        try {
          await write;
        } finally {
          if (atomicWrites.get(path) === write) atomicWrites.delete(path);
        }
      }),
    rename: (from, to) => translate("rename", from, () => rename(from, to)),
    link: (from, to) => translate("link", from, () => link(from, to)),
    unlink: (path) => translate("unlink", path, () => unlink(path)),
    list: (directory) => translate("list", directory, async () => (await readdir(directory)).sort()),
    entries: (directory) =>
      translate("entries", directory, async () => {
        const entries = await readdir(directory, { withFileTypes: true });
        return entries
          .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
          .sort((a, b) => (a.name < b.name ? -1 : 1));
      }),
    makeDirectory: (path) =>
      translate("makeDirectory", path, async () => void (await mkdir(path, { recursive: true }))),
    removeDirectory: (path) => translate("removeDirectory", path, () => rmdir(path)),
    syncDirectory: (path) => translate("syncDirectory", path, () => syncDirectory(path)),
    exists: (path) =>
      translate("exists", path, async () => {
        try {
          await access(path);
          return true;
        } catch (error) {
          const code = codeOf(error);
          if (code === "ENOENT" || code === "ENOTDIR") return false;
          throw error;
        }
      }),
    status: (path) =>
      translate("status", path, async () => {
        const found = await lstat(path, { bigint: true });
        if (found.isDirectory()) throw new FileError("EISDIR", "status", path);
        if (found.isSymbolicLink()) throw new FileError("EACCES", "status", path);
        return statusOf(found);
      }),
    freeBytes: (path) =>
      translate("freeBytes", path, async () => {
        const { bavail, bsize } = await statfs(path);
        return bavail * bsize;
      }),
    lock: (path) => translate("lock", path, () => lockFile(path)),
  };
}

function kindOf(entry: Dirent): DirectoryEntry["kind"] {
  return entry.isFile() ? "file" : entry.isDirectory() ? "directory" : "other";
}

function statusOf({ size, mtimeNs, dev, ino }: BigIntStats): FileStatus {
  const modifiedMs = Number(mtimeNs / 1_000_000n);
  return { sizeBytes: Number(size), modifiedMs, version: `${dev}-${ino}-${mtimeNs}` };
}

async function openFile(path: string, handle: FileHandle): Promise<File> {
  const opened = await handle.stat();
  if (opened.isDirectory()) {
    await handle.close();
    throw new FileError("EISDIR", "open", path);
  }
  let live = true;
  let sizeBytes = opened.size; // as this handle knows it: one handle appends to a file
  let tornTail = false; // bytes of a failed append may lie past sizeBytes
  let lastWrite: Promise<unknown> = Promise.resolve();

  const use = <T>(operation: string, act: () => Promise<T>) => {
    if (!live) throw new Error(`${operation} on a closed file: ${path}`);
    return translate(operation, path, act);
  };
  /** Appends and truncations happen one after the other, in the order in which they were asked for. */
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const turn = lastWrite.then(act);
    lastWrite = turn.catch(() => {});
    return turn;
  };
  const cutTornTail = async () => {
    await handle.truncate(sizeBytes);
    tornTail = false;
  };

  return {
    append: (bytes) =>
      use("append", () =>
        inTurn(async () => {
          if (tornTail) await cutTornTail();
          try {
            await writeFully(handle, bytes, sizeBytes);
            sizeBytes += bytes.length;
          } catch (error) {
            tornTail = true;
            await cutTornTail().catch(() => {
              // Tried again before the next append, which fails rather than leave a hole behind.
            });
            throw error;
          }
        }),
      ),
    read: (offset, length) =>
      use("read", async () => {
        const there = length <= readUncheckedBytesMax ? length : Math.max(0, (await handle.stat()).size - offset);
        const bytes = new Uint8Array(Math.min(length, there));
        let fill = 0;
        while (fill < bytes.length) {
          const { bytesRead } = await handle.read(bytes, fill, bytes.length - fill, offset + fill);
          if (bytesRead === 0) break;
          fill += bytesRead;
        }
        return fill === bytes.length ? bytes : bytes.slice(0, fill);
      }),
    datasync: () => use("datasync", () => inTurn(() => handle.datasync())),
    truncate: (toBytes) =>
      use("truncate", () =>
        inTurn(async () => {
          await handle.truncate(toBytes);
          sizeBytes = toBytes;
          tornTail = false;
        }),
      ),
    size: () => use("size", async () => (await handle.stat()).size),
    status: () => use("status", async () => statusOf(await handle.stat({ bigint: true }))),
    close: async () => {
      if (!live) return;
      live = false;
      await lastWrite;
      await translate("close", path, () => handle.close());
    },
  };
}

/** Writes all bytes at the position; a short write, as a nearly full disk makes them, is carried on. */
async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function translate<T>(operation: string, path: string, act: () => Promise<T>): Promise<T> {
  if (!isAbsolute(path)) throw new TypeError(`${operation} ${path}: expected an absolute path`);
  try {
    return await act();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const translated = new FileError(errorCodes[code] ?? "EIO", operation, path);
    translated.cause = error;
    throw translated;
  }
}

function codeOf(error: unknown): string | undefined {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
  return typeof code === "string" && typeof syscall === "string" ? code : undefined;
}

/** What the system says in the words of the port; what is not here is an EIO with its cause. */
const errorCodes: Readonly<Record<string, FileErrorCode>> = {
  EACCES: "EACCES",
  EDQUOT: "ENOSPC",
  EEXIST: "EEXIST",
  EISDIR: "EISDIR",
  ELOOP: "EACCES",
  EMFILE: "EMFILE",
  ENFILE: "EMFILE",
  ENOENT: "ENOENT",
  ENOSPC: "ENOSPC",
  ENOTDIR: "ENOTDIR",
  ENOTEMPTY: "ENOTEMPTY",
  EPERM: "EACCES",
  EROFS: "EROFS",
  ETXTBSY: "EACCES",
};

function plainView(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
