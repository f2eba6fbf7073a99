import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

/** What a module loads when it runs, and what those of its own package do that it loads. */
function packagesLoadedBy(entry: URL, seen = new Map<string, ReadonlySet<string>>()): ReadonlySet<string> {
  const known = seen.get(entry.href);
  if (known !== undefined) return known;
  const packages = new Set<string>();
  seen.set(entry.href, packages);
  const statements = readFileSync(entry, "utf8").matchAll(/^(import|export) (?!type )[^;]*?from "([^"]+)";/gm);
  for (const [, , source = ""] of statements) {
    if (!source.startsWith(".")) packages.add(source);
    else for (const name of packagesLoadedBy(new URL(source, entry), seen)) packages.add(name);
  }
  return packages;
}

it.each(["cluster-process.ts", "node-process.ts", "history-process.ts"])(
  "%s does not load the planner: it is a quarter of all modules, a dozen processes start, and the plan is in their order",
  (entry) => {
    const loaded = packagesLoadedBy(new URL(entry, import.meta.url));
    expect(loaded.size).toBeGreaterThan(3);
    expect(loaded).not.toContain("@pleiad/fleet");
  },
);
