/** The folder in which blocks lie, each in a folder of its own. */
import { FileError, type DirectoryEntry, type FileSystem } from "@pleiad/ports";
import { isUlid } from "./ulid.ts";

/** Folders that end so are no blocks: not yet, or no longer. */
export const creationSuffix = ".tmp-for-creation";
const deletionSuffix = ".tmp-for-deletion";

/** The blocks in a folder, by name: those that are there whole. Throws FileError. */
export async function listBlockFolders(files: FileSystem, directory: string): Promise<readonly string[]> {
  const ulids: string[] = [];
  for (const name of await files.list(directory)) {
    if (isUlid(name) && (await files.exists(`${directory}/${name}/meta.json`))) ulids.push(name);
  }
  return ulids;
}

/** Removes a block; a crash on the way leaves the block, or leftovers. Fine if it is not there. Throws FileError. */
export async function deleteBlockFolder(files: FileSystem, directory: string, ulid: string): Promise<void> {
  const path = `${directory}/${ulid}`;
  if (!(await files.exists(path))) return;
  await removeTree(files, `${path}${deletionSuffix}`);
  await files.rename(path, `${path}${deletionSuffix}`);
  await files.syncDirectory(directory);
  await removeTree(files, `${path}${deletionSuffix}`);
}

/** Removes what crashes left behind; to be called while nothing is written there. Throws FileError. */
export async function removeLeftovers(files: FileSystem, directory: string): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of await files.list(directory)) {
    if (!name.endsWith(creationSuffix) && !name.endsWith(deletionSuffix)) continue;
    await removeTree(files, `${directory}/${name}`);
    removed.push(name);
  }
  return removed;
}

/**
 * Removes a folder with all that is in it, or a file; fine if it is not there. A link goes, and what it leads to stays.
 * Throws FileError.
 */
export async function removeTree(files: FileSystem, path: string): Promise<void> {
  const slash = path.lastIndexOf("/");
  const [parent, name] = [path.slice(0, slash) || "/", path.slice(slash + 1)];
  // A link looks like what it leads to, but for the entry in its folder.
  const entry = (await entriesOf(files, parent)).find((one) => one.name === name);
  if (entry !== undefined) await removeEntry(files, parent, entry);
}

async function removeEntry(files: FileSystem, parent: string, { name, kind }: DirectoryEntry): Promise<void> {
  const path = `${parent === "/" ? "" : parent}/${name}`;
  if (kind !== "directory") return await files.unlink(path);
  for (const entry of await entriesOf(files, path)) await removeEntry(files, path, entry);
  await files.removeDirectory(path);
}

/** None of a folder that is not there. */
async function entriesOf(files: FileSystem, directory: string): Promise<readonly DirectoryEntry[]> {
  try {
    return await files.entries(directory);
  } catch (error) {
    if (error instanceof FileError && error.code === "ENOENT") return [];
    throw error;
  }
}
