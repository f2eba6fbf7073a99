/** The folder in which blocks lie, each in a folder of its own. */
import { FileError, type FileSystem } from "@pleiad/ports";
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

/** Removes a folder with all that is in it, or a file; fine if it is not there. */
export async function removeTree(files: FileSystem, path: string): Promise<void> {
  let names: readonly string[];
  try {
    names = await files.list(path);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    if (error.code === "ENOENT") return;
    if (error.code !== "ENOTDIR") throw error;
    await files.unlink(path);
    return;
  }
  for (const name of names) await removeTree(files, `${path}/${name}`);
  await files.removeDirectory(path);
}
