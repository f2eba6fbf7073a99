/** Where Prometheus's own test scripts lie, and what is in them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseTestScript, type ScriptCommand } from "./test-script.ts";

const repository = join(import.meta.dirname, "../../..");
export const conformanceFolder =
  process.env["PLEIAD_PROMQL_CONFORMANCE"] ?? join(repository, "../shared/conformance/promql");

export const conformanceScripts: readonly string[] = existsSync(conformanceFolder)
  ? readdirSync(conformanceFolder).filter((name) => name.endsWith(".test"))
  : [];

export function commandsOf(name: string): readonly ScriptCommand[] {
  const commands = parseTestScript(readFileSync(join(conformanceFolder, name), "utf8"));
  if (!commands.ok) throw new Error(`${name}:${commands.failure.line}: ${commands.failure.reason}`);
  return commands.value;
}
