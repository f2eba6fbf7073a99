/** Every `pleiad` command of the guide to production, held against the command itself. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const guide = readFileSync(new URL("../../../docs/guide/production.md", import.meta.url), "utf8");
const main = fileURLToPath(new URL("./main.ts", import.meta.url));
const run = promisify(execFile);

/** Lines of shell that begin with `pleiad`. */
const commands = [...guide.matchAll(/```sh\n(.*?)```/gs)]
  .flatMap(([, block = ""]) => block.split("\n"))
  .filter((line) => line.startsWith("pleiad "));

/** `cluster add`, then what follows it. */
function partsOf(line: string): { readonly path: readonly string[]; readonly flags: readonly string[] } {
  const [, first = "", second = ""] = line.split(" ");
  const path = first === "cluster" ? [first, second] : [first];
  return { path, flags: [...line.matchAll(/(?<= )--?[a-z][a-z-]*/g)].map(([flag]) => flag) };
}

describe("commands of the guide", () => {
  const byPath = Map.groupBy(commands, (line) => partsOf(line).path.join(" "));
  it("are more than a few", () => expect(byPath.size).toBeGreaterThan(7));
  for (const [path, lines] of byPath) {
    it(`pleiad ${path} has the flags that it is shown with, and those that it needs`, async () => {
      const { stdout } = await run(process.execPath, [main, ...path.split(" "), "--help"]);
      expect(stdout).toContain(`Usage: pleiad ${path} `);
      const known = new Set([...stdout.matchAll(/(?<=[ ,])--?[a-z][a-z-]*(?=[ ,])/g)].map(([flag]) => flag));
      for (const line of lines) expect(partsOf(line).flags.filter((flag) => !known.has(flag))).toEqual([]);
    });
  }
  it("flags in the text between are those of some command", async () => {
    const named = new Set([...guide.matchAll(/`(--[a-z-]+)/g)].map(([, flag = ""]) => flag));
    const pages = await Promise.all(
      ["render", "certs"].map(async (command) => (await run(process.execPath, [main, command, "--help"])).stdout),
    );
    expect([...named].filter((flag) => !pages.some((page) => page.includes(`${flag} `)))).toEqual([]);
  });
});
