/** The rules of the house that no other tool checks: floors, declared edges, and the outside world kept outside. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Package {
  readonly folder: string;
  readonly name: string;
  readonly floor: number;
  readonly beside: readonly string[]; // packages of its own floor that it may import all the same
  readonly dependencies: readonly string[]; // of this house
  readonly sources: readonly { readonly path: string; readonly text: string; readonly isTest: boolean }[];
}

function sourcesBelow(folder: string): Package["sources"] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => ({
      path: `${folder}/${path}`,
      text: readFileSync(join(root, folder, path), "utf8"),
      isTest: /(\.test|\.bench)\.tsx?$|acceptance\.ts$|testing\.ts$/.test(path),
    }));
}

const packages: readonly Package[] = ["packages", "roles", "apps"].flatMap((shelf) =>
  readdirSync(join(root, shelf)).map((entry) => {
    const folder = `${shelf}/${entry}`;
    const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as {
      name: string;
      pleiad: { floor: number; beside?: string[] };
      dependencies?: Record<string, string>;
    };
    return {
      folder,
      name: manifest.name,
      floor: manifest.pleiad.floor,
      beside: manifest.pleiad.beside ?? [],
      dependencies: Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith("@pleiad/")),
      sources: sourcesBelow(`${folder}/src`),
    };
  }),
);
const byName = new Map(packages.map((one) => [one.name, one]));

/** Packages of this house that a source names in an import or export, types included. */
function importedPackages(text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(@pleiad\/[a-z0-9-]+)(?:\/[a-z-]+)?"/g)].map(
    ([, name]) => name as string,
  );
}

describe("floors", () => {
  it("has the packages that this test thinks it has", () => {
    expect(packages.length).toBeGreaterThanOrEqual(20);
    expect(packages.flatMap((one) => one.sources).length).toBeGreaterThan(50);
  });

  for (const one of packages) {
    it(`${one.name} (floor ${one.floor}) imports only what it declares, and only from floors below`, () => {
      const wrong: string[] = [];
      for (const source of one.sources) {
        for (const name of importedPackages(source.text)) {
          const other = byName.get(name);
          if (other === undefined) wrong.push(`${source.path}: ${name} does not exist`);
          else if (name === one.name) continue;
          else if (!one.dependencies.includes(name)) wrong.push(`${source.path}: ${name} is not in package.json`);
          else if (other.floor === one.floor && one.beside.includes(name)) continue;
          else if (other.floor >= one.floor) wrong.push(`${source.path}: ${name} is on floor ${other.floor}`);
        }
        if (/from "(?:\.\.\/)+(?:packages|roles|apps)\//.test(source.text)) {
          wrong.push(`${source.path}: imports a file of another package`);
        }
      }
      expect(wrong).toEqual([]);
    });

    it(`${one.name} has its declared edges in its tsconfig, so that its types are built in order`, () => {
      const config = JSON.parse(readFileSync(join(root, one.folder, "tsconfig.json"), "utf8")) as {
        references: { path: string }[];
      };
      const referenced = config.references.map(({ path }) => path.replace("../../", "")).sort();
      expect(referenced).toEqual(one.dependencies.map((name) => byName.get(name)?.folder).sort());
    });
  }
});

describe("neighbours on one floor", () => {
  it("never import each other in a circle", () => {
    const reaches = (from: string, to: string): boolean =>
      (byName.get(from)?.beside ?? []).some((next) => next === to || reaches(next, to));
    expect(packages.filter((one) => reaches(one.name, one.name)).map((one) => one.name)).toEqual([]);
  });
});

describe("the outside world", () => {
  const inside = packages.filter(
    (one) => one.floor <= 4 && one.name !== "@pleiad/node-ports" && !one.name.startsWith("@pleiad/cli"),
  );
  for (const one of inside) {
    it(`${one.name} takes time and chance from its ports`, () => {
      const wrong = one.sources
        .filter((source) => !source.isTest)
        .filter(({ text }) => /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(/.test(text))
        .map(({ path }) => path);
      expect(wrong).toEqual([]);
    });
  }
});

describe("modules", () => {
  it("no package re-exports everything of another module", () => {
    const wrong = packages.flatMap((one) => one.sources).filter(({ text }) => /^export \* from/m.test(text));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it("no drawer for everything", () => {
    const wrong = packages
      .flatMap((one) => one.sources)
      .filter(({ path }) =>
        /(?:^|[/-])(?:utils?|helpers?|common|misc|manager)(?:[-.]|$)/.test(path.split("/").at(-1) ?? ""),
      );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe("what docs/ARCHITECTURE.md says of the edges", () => {
  it("only storeapi and remote import wire", () => {
    const users = packages.filter((one) => one.dependencies.includes("@pleiad/wire")).map((one) => one.name);
    expect(users.sort()).toEqual(["@pleiad/remote", "@pleiad/storeapi"]);
  });

  it("promql-plan never awaits", () => {
    const plan = byName.get("@pleiad/promql-plan");
    const wrong = plan?.sources.filter(({ isTest, text }) => !isTest && /\b(?:await|async)\b/.test(text));
    expect(wrong?.map(({ path }) => path)).toEqual([]);
  });

  it("names every package, on its floor", () => {
    const text = readFileSync(join(root, "docs/ARCHITECTURE.md"), "utf8");
    let floor = -1;
    const found = new Map<string, number>();
    for (const line of text.split("\n")) {
      const cells = line.split("|").map((cell) => cell.trim());
      const head = /^(\d) \w+$/.exec(cells[1] ?? "");
      if (head !== null) floor = Number(head[1]);
      const folder = /^`((?:packages|roles|apps)\/[a-z0-9-]+)`$/.exec(cells[2] ?? "");
      if (folder !== null) found.set(folder[1] as string, floor);
    }
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(packages.map((one) => [one.folder, one.floor])));
  });
});

describe("what docs/decisions/dependencies.md says", () => {
  it("names every dependency, and none that is gone", () => {
    const manifests = ["", ...packages.map((one) => `${one.folder}/`)].map(
      (folder) =>
        JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Record<string, Record<string, string>>,
    );
    const declared = manifests
      .flatMap((one) =>
        ["dependencies", "devDependencies", "optionalDependencies"].flatMap((key) => Object.keys(one[key] ?? {})),
      )
      .filter((name) => !name.startsWith("@pleiad/"));
    const text = readFileSync(join(root, "docs/decisions/dependencies.md"), "utf8");
    const named = text
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name as string));
    expect(named.sort()).toEqual([...new Set(declared)].sort());
  });
});

describe("packages", () => {
  for (const one of packages) {
    it(`${one.name} has a README of one screen`, () => {
      const lines = readFileSync(join(root, one.folder, "README.md"), "utf8").split("\n");
      expect(lines.length).toBeLessThanOrEqual(60);
    });
  }
});
