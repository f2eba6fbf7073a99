/** Reads a file of measured values, YAML or JSON, that take the place of the capacity model's own. */
import { readFileSync } from "node:fs";
import { definitions, readMeasured, type Measured } from "@pleiad/capacity";
import { parse, YAMLParseError } from "yaml";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

/** None where no file is named. Throws CommandFailure with a line for each entry that is wrong. */
export function loadMeasured(file: string | undefined): Measured {
  if (file === undefined) return new Map();
  const measured = readMeasured(readYaml(file), definitions);
  if (measured.ok) return measured.value;
  throw new CommandFailure(exitCodes.badInput, measured.failure.map((line) => `${file}: ${line}`).join("\n"));
}

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8"), { maxAliasCount: 0 });
  } catch (error) {
    if (error instanceof YAMLParseError) throw new CommandFailure(exitCodes.badInput, `${file}: ${error.message}`);
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : `cannot be read (${code ?? "unknown"})`;
    throw new CommandFailure(exitCodes.badInput, `${file}: ${reason}`);
  }
}
