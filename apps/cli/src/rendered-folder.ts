/** A folder that `pleiad render` owns: what is in it, how it differs from what would be rendered, and bringing it there. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { defaultRenderSettings, readRenderSettings, settingsFile, type RenderSettings } from "@pleiad/manifests";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

/** Lists the files that were rendered, so that the next run removes what no longer belongs, and nothing else. */
const listName = ".pleiad-rendered";

export interface FolderDifference {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** How the folder differs from the tree, by path; each list in order. A folder that is not there lacks everything. */
export function compareFolder(folder: string, tree: ReadonlyMap<string, string>): FolderDifference {
  const before = renderedPaths(folder);
  const added: string[] = [];
  const changed: string[] = [];
  for (const [path, text] of tree) {
    const file = join(folder, path);
    if (!existsSync(file)) added.push(path);
    else if (readFileSync(file, "utf8") !== text) changed.push(path);
  }
  return { added, changed, removed: before.filter((path) => !tree.has(path) && existsSync(join(folder, path))) };
}

/** What the folder was rendered with; the defaults where it was not yet. */
export function settingsOfFolder(folder: string): RenderSettings {
  const file = join(folder, settingsFile);
  if (!existsSync(file)) return defaultRenderSettings;
  const settings = readRenderSettings(readFileSync(file, "utf8"));
  if (!settings.ok) throw new CommandFailure(exitCodes.badInput, `${file}: ${settings.failure.message}`);
  return settings.value;
}

/** Makes the folder what the tree says. Files that were never rendered stay; a folder full of others is refused. */
export function writeFolder(folder: string, tree: ReadonlyMap<string, string>): FolderDifference {
  if (existsSync(folder) && !existsSync(join(folder, listName)) && readdirSync(folder).length > 0) {
    throw new CommandFailure(
      exitCodes.badInput,
      `${folder}: holds files that pleiad did not render; name an empty folder`,
    );
  }
  const difference = compareFolder(folder, tree);
  mkdirSync(folder, { recursive: true });
  // Old and new together first: were this run cut short, the next one knows of all that may be there.
  const paths = [...tree.keys()];
  writeList(folder, [...new Set([...renderedPaths(folder), ...paths])]);
  for (const path of [...difference.added, ...difference.changed]) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, tree.get(path) ?? "");
    renameSync(`${file}.new`, file);
  }
  for (const path of difference.removed) {
    rmSync(join(folder, path), { force: true });
    removeEmptyFolders(folder, dirname(path));
  }
  writeList(folder, paths);
  return difference;
}

function renderedPaths(folder: string): readonly string[] {
  const list = join(folder, listName);
  if (!existsSync(list)) return [];
  return readFileSync(list, "utf8")
    .split("\n")
    .filter((path) => path !== "" && !path.startsWith("#") && !path.split("/").includes(".."));
}

function writeList(folder: string, paths: readonly string[]): void {
  const text = ["# What pleiad render wrote here, and removes when it no longer belongs.", ...paths].join("\n");
  writeFileSync(join(folder, listName), `${text}\n`);
}

function removeEmptyFolders(folder: string, path: string): void {
  for (let below = path; below !== "." && below !== ""; below = dirname(below)) {
    const full = join(folder, below);
    if (!existsSync(full) || readdirSync(full).length > 0) return;
    rmdirSync(full);
  }
}
