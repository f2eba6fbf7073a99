/** Every fault of docs/faults.md has a test behind it that is really there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const rows = readFileSync(join(root, "docs/faults.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (?:fault|-+) /.test(line));

/** `package/file`, where roles are `role-…` and whole-system tests are in `e2e`. */
function pathOf(name: string): string {
  const [folder = "", file = ""] = name.split("/");
  if (folder === "e2e") return name;
  return folder.startsWith("role-") ? `roles/${folder.slice(5)}/src/${file}` : `packages/${folder}/src/${file}`;
}

describe("faults", () => {
  it("are found", () => expect(rows.length).toBeGreaterThan(50));

  for (const row of rows) {
    const [, fault = ""] = row.split("|");
    it(`${fault.trim()}: its tests are there`, () => {
      const tests = [...row.matchAll(/`([\w./-]+) › ([^`]+)`/g)];
      expect(tests.length).toBeGreaterThan(0);
      for (const [, file = "", title = ""] of tests) {
        const path = join(root, pathOf(file));
        expect(existsSync(path) ? "" : `${path} is not there`).toBe("");
        expect(readFileSync(path, "utf8").includes(title) ? "" : `${file} has no test "${title}"`).toBe("");
      }
    });
  }
});
