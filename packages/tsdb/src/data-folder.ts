/** What lies in a data folder besides the head: blocks, what a crash left of them, blocks that were set aside. */
import { isUlid, parseBlockMeta, type BlockFailure, type BlockMeta } from "@pleiad/blocks";
import type { Result } from "@pleiad/model";
import { FileError, type FileSystem } from "@pleiad/ports";

/** Blocks that cannot be read are moved here: neither uploaded nor deleted. */
export const quarantineName = "quarantine";

/** A block that is being written, and one that is being removed: neither counts. */
export const creationSuffix = ".tmp-for-creation";
export const deletionSuffix = ".tmp-for-deletion";

export interface FolderInventory {
  /** Names of blocks, oldest first. */
  readonly blocks: readonly string[];
  /** What a process that died was writing or removing. */
  readonly leftovers: readonly string[];
  readonly quarantined: readonly string[];
}

export async function listFolder(files: FileSystem, directory: string): Promise<FolderInventory> {
  const names = await files.list(directory);
  const quarantine = names.includes(quarantineName) ? await files.list(`${directory}/${quarantineName}`) : [];
  return {
    blocks: names.filter(isUlid),
    leftovers: names.filter(isLeftover),
    quarantined: quarantine.filter(isUlid),
  };
}

function isLeftover(name: string): boolean {
  // A plain `.tmp` is what Prometheus before 2.16 called both.
  const ulid = name.replace(/\.(tmp-for-creation|tmp-for-deletion|tmp)$/, "");
  return ulid !== name && isUlid(ulid);
}

/** What a block's own file says of it; a folder without that file is no block, and gives undefined. Throws FileError. */
export async function readBlockMeta(
  files: FileSystem,
  blockDirectory: string,
): Promise<Result<BlockMeta, BlockFailure> | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await files.readFile(`${blockDirectory}/meta.json`);
  } catch (error) {
    if (error instanceof FileError && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
    throw error;
  }
  return parseBlockMeta(bytes, blockDirectory.slice(blockDirectory.lastIndexOf("/") + 1));
}

/** Removes a block: first from sight, then its files. After a crash between the two an opening does the rest. */
export async function removeBlock(files: FileSystem, directory: string, ulid: string): Promise<void> {
  const doomed = `${directory}/${ulid}${deletionSuffix}`;
  await files.rename(`${directory}/${ulid}`, doomed);
  await files.syncDirectory(directory);
  await removeTree(files, doomed);
}

/** Removes a directory and all in it; links are removed, not followed. What is gone already is fine. */
export async function removeTree(files: FileSystem, path: string): Promise<void> {
  try {
    for (const { name, kind } of await files.entries(path)) {
      if (kind === "directory") await removeTree(files, `${path}/${name}`);
      else await files.unlink(`${path}/${name}`);
    }
    await files.removeDirectory(path);
  } catch (error) {
    if (!(error instanceof FileError) || error.code !== "ENOENT") throw error;
  }
}

/** Bytes of all files below a directory. */
export async function treeBytes(files: FileSystem, path: string): Promise<number> {
  let total = 0;
  for (const { name, kind } of await files.entries(path)) {
    if (kind === "directory") total += await treeBytes(files, `${path}/${name}`);
    else if (kind === "file") {
      const file = await files.open(`${path}/${name}`, "read");
      try {
        total += await file.size();
      } finally {
        await file.close();
      }
    }
  }
  return total;
}
