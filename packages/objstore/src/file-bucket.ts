/**
 * Object storage in a directory. A key's segments are directories and a file, under names that keep the two apart, so
 * that `a` and `a/b` can both be there:
 *
 *     a/b/c  →  <directory>/a%/b%/c       (`%` and `\` in a segment become %25 and %5C)
 *
 * Several processes may share the directory. What a crash leaves is in `%staging`, out of sight.
 */
import {
  BucketError,
  FileError,
  type Bucket,
  type BucketErrorKind,
  type Clock,
  type File,
  type FileErrorCode,
  type FileSystem,
  type ListOptions,
  type ObjectAttributes,
} from "@pleiad/ports";
import { compareText } from "@pleiad/model";
import { readAttributes, readObject, writeObject } from "./object-file.ts";
import { checkKey } from "./object-key.ts";

const stagingName = "%staging";
const claimSuffix = "%claim";
const fileNameBytesMax = 255 - claimSuffix.length;
const stagedMsMax = 24 * 3_600_000; // an upload that old has died
const claimPollMs = 50;
const claimPolls = 40; // a claim is held for two file operations: one this old is of a process that died
const raceAttempts = 10;

export function createFileBucket(directory: string, files: FileSystem, clock: Clock): Bucket {
  const staging = `${directory}/${stagingName}`;
  let stagedCount = 0;
  let stagingReady: Promise<void> | undefined;

  const prepareStaging = async () => {
    await files.makeDirectory(staging);
    for (const name of await files.list(staging)) {
      const startedMs = Number(name.split("-", 1)[0]);
      if (startedMs < clock.wallMs() - stagedMsMax) await files.unlink(`${staging}/${name}`).catch(ignoreMissing);
    }
  };

  const openStaged = async (): Promise<{ readonly path: string; readonly file: File }> => {
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

  const stage = async (
    body: Uint8Array | AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly path: string; readonly attributes: ObjectAttributes }> => {
    stagingReady ??= prepareStaging();
    try {
      await stagingReady;
    } catch (error) {
      stagingReady = undefined;
      throw error;
    }
    const { path, file } = await openStaged();
    try {
      return { path, attributes: await writeObject(file, body, () => clock.wallMs(), signal) };
    } catch (error) {
      await files.unlink(path).catch(ignoreAll);
      throw error;
    } finally {
      await file.close();
    }
  };

  /** Repeats the act while a delete elsewhere takes away the directory that it has just made. */
  const inDirectoryOf = async (path: string, act: () => Promise<void>): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await act();
      } catch (error) {
        if (!isFileError(error, "ENOENT") || attempt === raceAttempts) throw error;
        await makeDurableDirectory(parentOf(path));
      }
    }
  };

  const makeDurableDirectory = async (path: string) => {
    await files.makeDirectory(path);
    for (let at = path; at.length > directory.length; at = parentOf(at)) {
      await files.syncDirectory(parentOf(at)).catch(ignoreMissing);
    }
  };

  const publish = (staged: string, path: string) =>
    inDirectoryOf(path, async () => {
      await files.rename(staged, path);
      await files.syncDirectory(parentOf(path)).catch(ignoreMissing);
    });

  /** Publishes if nothing is there; false if something is. One claim file a key keeps the look and the rename together. */
  const publishIfAbsent = async (staged: string, path: string): Promise<boolean> => {
    const claim = path + claimSuffix;
    for (let poll = 0; ; poll++) {
      if (await files.exists(path)) return false;
      try {
        await inDirectoryOf(claim, async () => (await files.open(claim, "create-new")).close());
        break;
      } catch (error) {
        if (!isFileError(error, "EEXIST")) throw error;
      }
      if (poll < claimPolls) await clock.sleep(claimPollMs);
      else await files.unlink(claim).catch(ignoreMissing);
    }
    try {
      if (await files.exists(path)) return false;
      await publish(staged, path);
      return true;
    } finally {
      await files.unlink(claim).catch(ignoreMissing);
    }
  };

  const removeEmptyParents = async (path: string) => {
    try {
      for (let at = parentOf(path); at.length > directory.length; at = parentOf(at)) await files.removeDirectory(at);
    } catch (error) {
      // Not empty, or gone already: both end the way up.
      if (!(error instanceof FileError)) throw error;
    }
  };

  const withObject = async <T>(key: string, signal: AbortSignal | undefined, act: (file: File) => Promise<T>) => {
    const path = pathOf(directory, key);
    signal?.throwIfAborted();
    return translate(key, async () => {
      const file = await files.open(path, "read");
      try {
        return await act(file);
      } finally {
        await file.close();
      }
    });
  };

  return {
    name: `file:${directory}`,
    put: async (key, body, { ifAbsent = false, signal } = {}) => {
      const path = pathOf(directory, key);
      signal?.throwIfAborted();
      return translate(key, async () => {
        const { path: staged, attributes } = await stage(body, signal);
        try {
          if (!ifAbsent) await publish(staged, path);
          else if (!(await publishIfAbsent(staged, path))) {
            await files.unlink(staged);
            throw new BucketError("precondition", key, "there is such an object");
          }
        } catch (error) {
          if (error instanceof FileError) await files.unlink(staged).catch(ignoreAll);
          throw error;
        }
        return attributes;
      });
    },
    get: (key, range, signal) =>
      withObject(key, signal, async (file) => {
        if (range === undefined) return readObject(file, key);
        const { sizeBytes } = await readAttributes(file, key);
        return file.read(range.offset, Math.max(0, Math.min(range.length, sizeBytes - range.offset)));
      }),
    attributes: (key, signal) => withObject(key, signal, (file) => readAttributes(file, key)),
    list: (prefix, options = {}) => translateList(prefix, listKeys(directory, files, prefix, options)),
    delete: async (key, signal) => {
      const path = pathOf(directory, key);
      signal?.throwIfAborted();
      await translate(key, async () => {
        try {
          await files.unlink(path);
        } catch (error) {
          return ignoreMissing(error);
        }
        await files.syncDirectory(parentOf(path)).catch(ignoreMissing);
        await removeEmptyParents(path);
      });
    },
  };
}

/** Throws BucketError "invalid-key" also for a segment that no file name can hold. */
function pathOf(directory: string, key: string): string {
  checkKey(key);
  const segments = key.split("/").map(encodeSegment);
  for (const segment of segments) {
    const byteCount = new TextEncoder().encode(segment).length;
    if (byteCount > fileNameBytesMax) {
      throw new BucketError("invalid-key", key, `segment of ${byteCount} bytes, a file name holds ${fileNameBytesMax}`);
    }
  }
  return `${directory}/${segments.join("%/")}`;
}

function encodeSegment(segment: string): string {
  return segment.replaceAll("%", "%25").replaceAll("\\", "%5C");
}

function decodeSegment(name: string): string {
  return name.replaceAll("%5C", "\\").replaceAll("%25", "%");
}

/** What a name in a directory stands for: a segment of keys, with its slash if keys go on; undefined for our own files. */
function entryOf(name: string): string | undefined {
  const isDirectory = name.endsWith("%");
  const encoded = isDirectory ? name.slice(0, -1) : name;
  if (/%(?!25|5C)/.test(encoded)) return undefined;
  return isDirectory ? `${decodeSegment(encoded)}/` : decodeSegment(encoded);
}

async function* listKeys(
  directory: string,
  files: FileSystem,
  prefix: string,
  { after = "", delimiter, signal }: ListOptions,
): AsyncGenerator<string, void, undefined> {
  /** Keys below `parent`, which ends in a slash or is empty, in byte order. */
  async function* below(parent: string): AsyncGenerator<string, void, undefined> {
    signal?.throwIfAborted();
    const path = `${directory}/${parent.split("/").map(encodeSegment).join("%/")}`.slice(0, -1);
    const entries: string[] = [];
    for (const name of await listOrNone(files, path)) {
      const entry = entryOf(name);
      if (entry !== undefined) entries.push(parent + entry);
    }
    // A slash sorts behind "-" and ".", so that keys below a directory do not simply follow its name.
    entries.sort(compareText);
    for (const entry of entries) {
      if (!overlaps(entry, prefix)) continue;
      if (!entry.endsWith("/")) {
        if (compareText(entry, after) > 0) yield entry;
      } else if (!after.startsWith(entry) && compareText(entry, after) < 0) {
        continue; // all of it lies before `after`
      } else if (delimiter === undefined || entry.length <= prefix.length) {
        yield* below(entry);
      } else if (entry !== after && !(await below(entry).next()).done) {
        yield entry;
      }
    }
  }

  yield* below(prefix.slice(0, prefix.lastIndexOf("/") + 1));
}

/** Whether keys that are or start with `entry` can have the prefix. */
function overlaps(entry: string, prefix: string): boolean {
  return entry.startsWith(prefix) || (entry.endsWith("/") && prefix.startsWith(entry));
}

async function listOrNone(files: FileSystem, path: string): Promise<readonly string[]> {
  try {
    return await files.list(path);
  } catch (error) {
    ignoreMissing(error);
    return [];
  }
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
  ENOSPC: "unavailable",
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

/** For clearing up after a failure, which is the one to tell. */
function ignoreAll(): void {}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
