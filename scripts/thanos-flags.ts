/**
 * Makes the catalogue of flags that each supported version of Thanos knows, from the help texts in that version's own
 * `docs/components`: so that a flag which a version lacks cannot be rendered for it.
 *
 *   node scripts/thanos-flags.ts VERSION=DOCS_FOLDER... (oldest first) > packages/manifests/src/thanos-flags.ts
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const components = ["sidecar", "query", "query-frontend", "store", "compact", "rule", "receive"] as const;

// Known to the programs, kept out of their help.
const hiddenFlags: Readonly<Record<string, readonly string[]>> = {
  store: ["store.caching-bucket.config", "store.caching-bucket.config-file"],
  compact: ["debug.halt-on-error?", "compact.enable-vertical-compaction?"],
};

function flagsOf(folder: string, component: string): string[] {
  const help = helpText(folder, component);
  const flags: string[] = [...(hiddenFlags[component] ?? [])];
  // A flag starts a paragraph; its description is indented further.
  for (const paragraph of help.split(/\n(?= {2}(?:-\w, | {4})--)/).slice(1)) {
    const [, name, equals] = /^ +(?:-\w, )?--(?:\[no-\])?([a-z0-9._-]+)(=?)/.exec(paragraph) ?? [];
    if (name === undefined || name === "help" || name === "version") continue;
    flags.push(`${name}${equals === "=" ? "" : "?"}${/deprecated/i.test(paragraph) ? "!" : ""}`);
  }
  return [...new Set(flags)].sort();
}

function helpText(folder: string, component: string): string {
  const path = join(folder, "flags", `${component}.txt`);
  if (existsSync(path)) return readFileSync(path, "utf8");
  const text = readFileSync(join(folder, `${component}.md`), "utf8");
  const block = new RegExp(`\`\`\`\\$ mdox-exec="thanos ${component} --help"\\n([\\s\\S]*?)\n\`\`\``).exec(text);
  if (block === null) throw new Error(`${component}.md holds no help text`);
  return block[1] as string;
}

const lines = [
  "/**",
  " * The flags that each version of Thanos knows, from its own help. The oldest version lists all of a component's, each",
  " * later one what it changed: `-` marks one that is gone, `?` one that takes no value, `!` one that is deprecated. Made",
  " * by scripts/thanos-flags.ts.",
  " */",
  `export type ThanosComponent = ${components.map((name) => JSON.stringify(name)).join(" | ")};`,
  "",
  "export const thanosFlags = {",
];
let before: Readonly<Record<string, readonly string[]>> = {};
for (const argument of process.argv.slice(2)) {
  const [version = "", folder = ""] = argument.split("=");
  const flags = Object.fromEntries(components.map((component) => [component, flagsOf(folder, component)]));
  lines.push(`  ${JSON.stringify(version)}: {`);
  for (const component of components) {
    const changes = changesOf(before[component] ?? [], flags[component] ?? []);
    lines.push(`    ${JSON.stringify(component)}: \``, ...changes.map((change) => `      ${change}`), "    `,");
  }
  lines.push("  },");
  before = flags;
}
lines.push("} as const satisfies Readonly<Record<string, Readonly<Record<ThanosComponent, string>>>>;");
process.stdout.write(`${lines.join("\n")}\n`);

function changesOf(before: readonly string[], after: readonly string[]): readonly string[] {
  const nameOf = (flag: string) => flag.replace(/[?!]+$/, "");
  const names = new Set(after.map(nameOf));
  const gone = before.map(nameOf).filter((name) => !names.has(name));
  return [...gone.map((name) => `-${name}`), ...after.filter((flag) => !before.includes(flag))];
}
