import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { compareFolder, writeFolder } from "./rendered-folder.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "pleiad-rendered-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tree = (files: Readonly<Record<string, string>>) => new Map(Object.entries(files));
const first = tree({ "a.yaml": "1\n", "b/c.yaml": "2\n", "b/d.yaml": "3\n" });

it("writes a tree, says what is new, and the second time that nothing is", () => {
  expect(compareFolder(folder, first).added).toEqual(["a.yaml", "b/c.yaml", "b/d.yaml"]);
  expect(writeFolder(folder, first)).toEqual({ added: ["a.yaml", "b/c.yaml", "b/d.yaml"], changed: [], removed: [] });
  expect(readFileSync(join(folder, "b/c.yaml"), "utf8")).toBe("2\n");
  expect(writeFolder(folder, first)).toEqual({ added: [], changed: [], removed: [] });
});

it("removes what it wrote and no longer belongs, with the folders that are then empty, and nothing of others", () => {
  writeFolder(folder, first);
  writeFileSync(join(folder, "mine.txt"), "notes");
  expect(writeFolder(folder, tree({ "a.yaml": "1, changed\n" }))).toEqual({
    added: [],
    changed: ["a.yaml"],
    removed: ["b/c.yaml", "b/d.yaml"],
  });
  expect(existsSync(join(folder, "b"))).toBe(false);
  expect(readFileSync(join(folder, "mine.txt"), "utf8")).toBe("notes");
});

it("finds a file that somebody changed or removed by hand", () => {
  writeFolder(folder, first);
  writeFileSync(join(folder, "a.yaml"), "by hand");
  rmSync(join(folder, "b/d.yaml"));
  expect(compareFolder(folder, first)).toEqual({ added: ["b/d.yaml"], changed: ["a.yaml"], removed: [] });
});

it("refuses a folder of somebody else's files", () => {
  writeFileSync(join(folder, "important"), "x");
  expect(() => writeFolder(folder, first)).toThrow(/holds files that pleiad did not render/);
});

it("follows no path out of its folder, whatever its list says", () => {
  writeFolder(folder, first);
  const list = join(folder, ".pleiad-rendered");
  writeFileSync(list, `${readFileSync(list, "utf8")}../outside.txt\n`);
  expect(compareFolder(folder, tree({})).removed).toEqual(["a.yaml", "b/c.yaml", "b/d.yaml"]);
});
