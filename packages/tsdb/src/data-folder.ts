/** What lies in a data folder besides the head: blocks, and blocks that were set aside. */
import { isUlid, parseBlockMeta, type BlockFailure, type BlockMeta } from "@pleiad/blocks";
import type { Result } from "@pleiad/model";
import { FileError, type FileSystem } from "@pleiad/ports";

/** Blocks that cannot be read are moved here: neither uploaded nor deleted. */
export const quarantineName = "quarantine";

export interface FolderInventory {
  /** Names of blocks, whole or not, oldest first. */
  readonly blocks: readonly string[];
  readonly quarantined: readonly string[];
}

export async function listFolder(files: FileSystem, directory: string): Promise<FolderInventory> {
  const names = await files.list(directory);
  const quarantine = names.includes(quarantineName) ? await files.list(`${directory}/${quarantineName}`) : [];
  return { blocks: names.filter(isUlid), quarantined: quarantine.filter(isUlid) };
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
