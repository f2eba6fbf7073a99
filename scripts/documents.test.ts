/** What the documents promise, as far as a test can read it: links lead somewhere, commands exist, paths are there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

const documents = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
  (path) => path.endsWith(".md") && !/(?:^|\/)(?:node_modules|dist|\.pleiad)\//.test(path),
);
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };

function codeBlocks(text: string): string[] {
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, code]) => code as string);
}

describe("documents", () => {
  it("are found", () => {
    expect(documents).toEqual(expect.arrayContaining(["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md"]));
  });

  for (const path of documents) {
    const text = readFileSync(join(root, path), "utf8");

    it(`${path}: its links lead somewhere`, () => {
      const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target as string);
      const wrong = targets.filter(
        (target) => !/^https?:/.test(target) && !existsSync(join(root, dirname(path), target)),
      );
      expect(wrong).toEqual([]);
    });

    it(`${path}: its commands are there`, () => {
      const wrong: string[] = [];
      for (const line of codeBlocks(text).flatMap((block) => block.split("\n"))) {
        const script = /^npm (?:run )?([a-z]+)/.exec(line)?.[1];
        if (script !== undefined && scripts[script] === undefined) wrong.push(line);
        for (const [, file] of line.matchAll(
          /(?:^|\s)((?:bench|packages|scripts|fleets|apps)\/[\w./-]+\.(?:ts|mjs|yaml))/g,
        )) {
          if (!existsSync(join(root, file as string))) wrong.push(line);
        }
      }
      expect(wrong).toEqual([]);
    });
  }

  it("README begins with the two commands that need nothing else", () => {
    const first = codeBlocks(readFileSync(join(root, "README.md"), "utf8"))[0] ?? "";
    expect(first.split("\n").map((line) => line.replace(/ +#.*/, ""))).toEqual(["npm start", "npm test", ""]);
  });
});
