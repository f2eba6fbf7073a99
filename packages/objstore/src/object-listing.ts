/** The keys below a prefix, read off the folders that hold them. */
import { compareText } from "@pleiad/model";
import { FileError, type FileSystem, type ListOptions } from "@pleiad/ports";
import { folderOf, segmentOf } from "./object-path.ts";

export async function* listKeys(
  directory: string,
  files: FileSystem,
  prefix: string,
  { after = "", delimiter, signal }: ListOptions,
): AsyncGenerator<string, void, undefined> {
  /** Keys below `parent`, which ends in a slash or is empty, in byte order. */
  async function* below(parent: string): AsyncGenerator<string, void, undefined> {
    signal?.throwIfAborted();
    const found = new Set<string>();
    for (const entry of await entriesOrNone(files, folderOf(directory, parent))) {
      const segment = segmentOf(entry);
      if (segment !== undefined) found.add(parent + segment);
    }
    // What lies before `after` is left out before the rest is sorted: a bucket is listed page by page.
    const isAfter = (entry: string) =>
      compareText(entry, after) > 0 || (entry.endsWith("/") && after.startsWith(entry));
    const entries = [...found].filter((entry) => overlaps(entry, prefix) && isAfter(entry));
    // A slash sorts behind "-" and ".", so that keys below a folder do not simply follow its name.
    for (const entry of entries.sort(compareText)) {
      if (!entry.endsWith("/")) {
        yield entry;
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

async function entriesOrNone(files: FileSystem, path: string) {
  try {
    return await files.entries(path);
  } catch (error) {
    // A prefix may name what is not there, or go on below an object.
    if (error instanceof FileError && (error.code === "ENOENT" || error.code === "ENOTDIR")) return [];
    throw error;
  }
}
