/** Object storage that a person names, in the form of Thanos's `--objstore.config-file`. */
import { readFileSync } from "node:fs";
import { parseBucketConfig, type BucketConfig } from "@pleiad/objstore";
import { parse } from "yaml";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

/** What the file says, not checked yet; throws CommandFailure where it cannot be read. */
export function readObjectStorageFile(file: string): unknown {
  try {
    return parseObjectStorage(readFileSync(file, "utf8"), file);
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(exitCodes.badInput, `${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What a text says, not checked yet; throws CommandFailure where it is no YAML. */
export function parseObjectStorage(text: string, place: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new CommandFailure(exitCodes.badInput, `${place}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Throws CommandFailure with every problem, each behind the name of where it stands. */
export function bucketConfigOf(value: unknown, place: string): BucketConfig {
  const config = parseBucketConfig(value);
  if (config.ok) return config.value;
  const problems = config.failure.map((problem) => `${place}: ${problem}`);
  throw new CommandFailure(exitCodes.badInput, problems.join("\n"));
}
