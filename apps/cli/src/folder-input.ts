/** Folders that a person names. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

/** The whole path of a folder that is there; throws CommandFailure where it is not. */
export function existingFolder(path: string): string {
  const directory = resolve(path);
  if (!existsSync(directory)) throw new CommandFailure(exitCodes.badInput, `there is no folder ${directory}`);
  return directory;
}
