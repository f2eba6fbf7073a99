/** The examples of the pages in docs/findings, as changes of the good fleet. */
import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";

const root = new URL("../../../", import.meta.url);

export function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

export const goodText = read("packages/findings/testdata/good.yaml");

export interface PageExamples {
  readonly found: string;
  readonly instead: string;
}

export function examplesOf(page: string): PageExamples {
  const [, found = "", instead = ""] =
    /^## Found\n+```yaml\n(.*?)```\n+## Write instead\n+```yaml\n(.*?)```/ms.exec(page) ?? [];
  return { found, instead };
}

/** The good fleet with these changes, one after the other. */
export function exampleText(...patches: readonly string[]): string {
  return stringify(patches.reduce((fleet: unknown, patch) => patched(fleet, parse(patch)), parse(goodText)));
}

/** JSON merge patch (RFC 7396). */
function patched(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = patched(result[key], value);
  }
  return result;
}
