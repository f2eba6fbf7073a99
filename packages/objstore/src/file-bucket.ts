/**
 * Object storage in a directory: every object is a plain file with the object's bytes and nothing else, at the path that
 * its key is (object-path.ts). So the directory can be handed to Thanos as its FILESYSTEM bucket, and filled by it.
 *
 * A put is staged and synced under `%pleiad/staging`, then renamed into place (linked, where only one may win). Several
 * processes may share the directory.
 */
import { crc32 } from "node:zlib";
import {
  BucketError,
  FileError,
  type Bucket,
  type BucketErrorKind,
  type Clock,
  type File,
  type FileErrorCode,
  type FileStatus,
  type FileSystem,
  type ObjectAttributes,
} from "@pleiad/ports";
import { createDigestBuilder, createDigestCache, digestFile, type ObjectDigest } from "./digest-cache.ts";
import { listKeys } from "./object-listing.ts";
import { displacedPathOf, ownName, parentOf, pathOf } from "./object-path.ts";

const stagedMsMax = 24 * 3_600_000; // an upload that old has died
const lockPollMs = 20;
const lockPolls = 500; // the lock is held for a few file operations, and is let go when its process dies
const raceAttempts = 10;

export function createFileBucket(directory: string, files: FileSystem, clock: Clock): Bucket {
  const own = `${directory}/${ownName}`;
  const staging = `${own}/staging`;
  let stagedCount = 0;
  let stagingReady: Promise<void> | undefined;
  let lastTurn: Promise<void> = Promise.resolve();

  const prepareStaging = async () => {
    await files.makeDirectory(staging);
    for (const name of await files.list(staging)) {
      const startedMs = Number(name.split("-", 1)[0]);
      if (startedMs < clock.wallMs() - stagedMsMax) await files.unlink(`${staging}/${name}`).catch(ignoreMissing);
    }
  };

  const openStaged = async (): Promise<{ readonly path: string; readonly file: File }> => {
    stagingReady ??= prepareStaging();
    try {
      await stagingReady;
    } catch (error) {
      stagingReady = undefined;
      throw error;
    }
    for (;;) {
      const path = `${staging}/${clock.wallMs()}-${stagedCount++}`;
      try {
        return { path, file: await files.open(path, "create-new") };
      } catch (error) {
        // Another process stages in the same millisecond.
        if (!isFileError(error, "EEXIST")) throw error;
      }
    }
  };
  const digests = createDigestCache(`${own}/digests`, files, openStaged);

  const stage = async (body: Uint8Array | AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) => {
    const { path, file } = await openStaged();
    try {
      const builder = createDigestBuilder();
      const append = async (part: Uint8Array) => {
        signal?.throwIfAborted();
        builder.add(part);
        await file.append(part);
      };
      if (body instanceof Uint8Array) await append(body);
      else for await (const part of body) await append(part);
      await file.datasync();
      return { path, status: await file.status(), digest: builder.digest() };
    } catch (error) {
      await files.unlink(path).catch(ignoreAll);
      throw error;
    } finally {
      await file.close();
    }
  };

  /** Runs the act until it finds the folder of the path, which it makes, and which a delete elsewhere may take away. */
  const inFolderOf = async <T>(path: string, act: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await act();
      } catch (error) {
        const isFolderMissing = isFileError(error, "ENOENT") || isFileError(error, "ENOTDIR");
        if (!isFolderMissing || attempt === raceAttempts) throw error;
        await makeFolder(parentOf(path));
      }
    }
  };

  const makeFolder = async (path: string) => {
    try {
      await files.makeDirectory(path);
    } catch (error) {
      if (!isFileError(error, "ENOTDIR") && !isFileError(error, "EEXIST")) throw error;
      // An object that is put here again at once is found by the next attempt.
      await displaceObjects(path);
    }
    for (let at = path; at.length > directory.length; at = parentOf(at)) {
      await files.syncDirectory(parentOf(at)).catch(ignoreAbsence);
    }
  };

  /**
   * One at a time, of all processes: who moves an object between its path and the place beside it, and who must know that
   * none moves or goes meanwhile.
   */
  const withoutMoves = async <T>(act: () => Promise<T>): Promise<T> => {
    const before = lastTurn;
    const { promise, resolve } = Promise.withResolvers<void>();
    lastTurn = promise;
    await before;
    try {
      const lock = await takeLock(`${own}/displacing`);
      try {
        return await act();
      } finally {
        await lock.release();
      }
    } finally {
      resolve();
    }
  };

  const takeLock = async (path: string) => {
    for (let poll = 0; ; poll++) {
      try {
        return await files.lock(path);
      } catch (error) {
        if (isFileError(error, "ENOENT") && poll === 0) {
          await files.makeDirectory(parentOf(path));
          continue;
        }
        if (!isFileError(error, "EEXIST") || poll === lockPolls) throw error;
      }
      await clock.sleep(lockPollMs);
    }
  };

  /** Moves objects aside that stand where folders of the path must be, and makes those. */
  const displaceObjects = (path: string) =>
    withoutMoves(async () => {
      let folder = directory;
      for (const name of path.slice(directory.length + 1).split("/")) {
        const at = `${folder}/${name}`;
        if (await isFile(at)) {
          await files.rename(at, displacedPathOf(at));
          await files.syncDirectory(folder);
        }
        folder = at;
      }
      await files.makeDirectory(path).catch((error: unknown) => {
        if (!isFileError(error, "ENOTDIR") && !isFileError(error, "EEXIST")) throw error;
      });
    });

  const isFile = async (path: string): Promise<boolean> => {
    try {
      await (await files.open(path, "read")).close();
      return true;
    } catch (error) {
      ignoreAbsence(error);
      return false;
    }
  };

  const publish = (staged: string, path: string) =>
    inFolderOf(path, async () => {
      const displaced = displacedPathOf(path);
      try {
        await files.rename(staged, path);
      } catch (error) {
        if (!isFileError(error, "EISDIR")) throw error;
        await files.rename(staged, displaced);
      }
      // The object may have stood beside a folder that is gone: then it is old, as a file at the path counts before it.
      if (await files.exists(displaced)) {
        await withoutMoves(async () => {
          if (await isFile(path)) await files.unlink(displaced).catch(ignoreMissing);
        });
      }
      await files.syncDirectory(parentOf(path)).catch(ignoreAbsence);
    });

  /** Publishes if nothing is there; false if something is. Of several links to one name the file system lets one win. */
  const publishIfAbsent = (staged: string, path: string): Promise<boolean> =>
    inFolderOf(path, () =>
      withoutMoves(async () => {
        const displaced = displacedPathOf(path);
        if (await files.exists(displaced)) return false;
        if (!(await linked(staged, path))) {
          if ((await isFile(path)) || !(await linked(staged, displaced))) return false;
        }
        await files.syncDirectory(parentOf(path)).catch(ignoreAbsence);
        await files.unlink(staged).catch(ignoreMissing);
        return true;
      }),
    );

  const linked = async (from: string, to: string): Promise<boolean> => {
    try {
      await files.link(from, to);
      return true;
    } catch (error) {
      if (isFileError(error, "EEXIST")) return false;
      throw error;
    }
  };

  const openObject = async (path: string): Promise<File> => {
    const displaced = displacedPathOf(path);
    // Between two looks the object may move from one place to the other.
    for (const candidate of [path, displaced, path, displaced]) {
      try {
        // A link may lead out of the bucket: lists pass it over, and reads refuse it.
        return await files.open(candidate, "read-no-link");
      } catch (error) {
        ignoreAbsence(error);
      }
    }
    throw new FileError("ENOENT", "open", path);
  };

  const withObject = async <T>(
    key: string,
    signal: AbortSignal | undefined,
    act: (file: File, status: FileStatus) => Promise<T>,
  ) => {
    const path = pathOf(directory, key);
    signal?.throwIfAborted();
    return translate(key, async () => {
      const file = await openObject(path);
      try {
        return await act(file, await file.status());
      } finally {
        await file.close();
      }
    });
  };

  /** Of an object at its path whose digest is known, as most are: the file need not be opened. */
  const knownAttributes = async (key: string, signal: AbortSignal | undefined) => {
    const path = pathOf(directory, key);
    signal?.throwIfAborted();
    try {
      const status = await files.status(path);
      const digest = await digests.find(key, status);
      return digest === undefined ? undefined : attributesOf(status, digest);
    } catch (error) {
      if (error instanceof FileError) return undefined;
      throw error;
    }
  };

  /** Also of a file that somebody else put there: then its bytes are read once. */
  const digestOf = async (key: string, file: File, status: FileStatus, signal: AbortSignal | undefined) => {
    const known = await digests.find(key, status);
    if (known !== undefined) return known;
    const digest = await digestFile(file, status.sizeBytes, signal);
    await digests.keep(key, status, digest);
    return digest;
  };

  const removeEmptyParents = async (path: string) => {
    try {
      for (let at = parentOf(path); at.length > directory.length; at = parentOf(at)) await files.removeDirectory(at);
    } catch (error) {
      // Not empty, or gone already: both end the way up.
      if (!(error instanceof FileError)) throw error;
    }
  };

  return {
    name: `file:${directory}`,
    put: async (key, body, { ifAbsent = false, signal } = {}) => {
      const path = pathOf(directory, key);
      signal?.throwIfAborted();
      return translate(key, async () => {
        const staged = await stage(body, signal);
        try {
          if (!ifAbsent) await publish(staged.path, path);
          else if (!(await publishIfAbsent(staged.path, path))) {
            throw new BucketError("precondition", key, "there is such an object");
          }
        } catch (error) {
          await files.unlink(staged.path).catch(ignoreAll);
          throw error;
        }
        await digests.keep(key, staged.status, staged.digest);
        return attributesOf(staged.status, staged.digest);
      });
    },
    get: (key, range, signal) =>
      withObject(key, signal, async (file, status) => {
        if (range !== undefined) {
          return file.read(range.offset, Math.max(0, Math.min(range.length, status.sizeBytes - range.offset)));
        }
        const bytes = await file.read(0, status.sizeBytes);
        const expected = await digests.find(key, status);
        if (expected !== undefined && crc32(bytes) !== expected.crc32) {
          throw new BucketError("corrupt", key, "bytes do not match their checksum");
        }
        return bytes;
      }),
    attributes: async (key, signal) =>
      (await knownAttributes(key, signal)) ??
      (await withObject(key, signal, async (file, status) =>
        attributesOf(status, await digestOf(key, file, status, signal)),
      )),
    list: (prefix, options = {}) => translateList(prefix, listKeys(directory, files, prefix, options)),
    delete: async (key, signal) => {
      const path = pathOf(directory, key);
      signal?.throwIfAborted();
      await translate(key, async () => {
        const displaced = displacedPathOf(path);
        if (!(await files.exists(path)) && !(await files.exists(displaced))) return;
        await withoutMoves(async () => {
          // First what counts less, so that no old object comes back.
          for (const candidate of [displaced, path]) await files.unlink(candidate).catch(ignoreAbsence);
        });
        await files.syncDirectory(parentOf(path)).catch(ignoreAbsence);
        await digests.forget(key);
        await removeEmptyParents(path);
      });
    },
  };
}

function attributesOf({ sizeBytes, modifiedMs }: FileStatus, { md5 }: ObjectDigest): ObjectAttributes {
  return { sizeBytes, etag: md5, modifiedMs };
}

async function* translateList(prefix: string, keys: AsyncGenerator<string, void, undefined>) {
  try {
    yield* keys;
  } catch (error) {
    throw translated(prefix, error);
  }
}

async function translate<T>(key: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw translated(key, error);
  }
}

function translated(key: string, error: unknown): unknown {
  return error instanceof FileError ? new BucketError(bucketErrorKinds[error.code], key, error.message) : error;
}

const bucketErrorKinds = {
  EACCES: "access-denied",
  EEXIST: "unavailable",
  EIO: "unavailable",
  EISDIR: "corrupt",
  EMFILE: "throttled",
  ENOENT: "not-found",
  ENOSPC: "full",
  ENOTDIR: "corrupt",
  ENOTEMPTY: "unavailable",
  EROFS: "access-denied",
} as const satisfies Record<FileErrorCode, BucketErrorKind>;

function isFileError(error: unknown, code: FileErrorCode): boolean {
  return error instanceof FileError && error.code === code;
}

function ignoreMissing(error: unknown): void {
  if (!isFileError(error, "ENOENT")) throw error;
}

/** For a path where there is no file: nothing, a folder, or a file where a folder would have to be. */
function ignoreAbsence(error: unknown): void {
  if (!isFileError(error, "EISDIR") && !isFileError(error, "ENOTDIR")) ignoreMissing(error);
}

/** For clearing up after a failure, which is the one to tell. */
function ignoreAll(): void {}
