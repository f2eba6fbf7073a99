/**
 * Makes the catalogue of metrics that each supported version of a program exposes, so that a panel or an alert cannot ask
 * for one that nobody has. From pages of metrics (scripts/metric-pages.ts; of any near version), and from the sources of
 * each version: what a page shows is taken for a version whose sources have its name, and what has labels and shows
 * nothing yet is taken from the sources alone.
 *
 *   node scripts/metric-catalogue.ts PAGES_FOLDER PROGRAM@VERSION=SOURCES... (oldest first)
 *     > packages/dashboards/src/metric-families.ts
 *
 * Sources are Go modules, such as `go mod download -json github.com/thanos-io/thanos@v0.42.4` names the folder of; those of
 * Prometheus 3.14 are github.com/prometheus/prometheus@v0.314.0. Give the version that a page is of as well.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

type Kind = "counter" | "gauge" | "histogram" | "summary";

interface SourceNames {
  readonly full: ReadonlyMap<string, Kind>; // those that the program gives no further prefix
  readonly endings: ReadonlySet<string>; // all names as written, of which prefixes may be added
}

const [pagesFolder = "", ...given] = process.argv.slice(2);
// What Go's runtime and its client say of themselves, hundreds of families that no dashboard of this kind needs.
const left = /^(?:go_(?!goroutines$|memstats_heap_inuse_bytes$)|promhttp_|net_conntrack_|otelcol_|goroutine_)/;
// Names of the program itself: a name that begins otherwise is put together elsewhere.
const ownPrefix = {
  thanos: /^(?:thanos|cortex)_/,
  prometheus: /^prometheus_/,
  alertmanager: /^alertmanager_/,
} as const;
type ProgramName = keyof typeof ownPrefix;

const versions = given.map((argument) => {
  const [, program = "", version = "", folder = ""] = /^(\w+)@([\d.]+)=(.*)$/.exec(argument) ?? [];
  if (!(program in ownPrefix)) throw new Error(`not PROGRAM@VERSION=SOURCES: ${argument}`);
  return { program: program as ProgramName, version, names: namesInSources(folder) };
});

const lines = [
  "/**",
  " * The metrics that each version of a program exposes. Of a program the oldest version lists all, each later one what it",
  " * changed: `-` marks what is gone. Made by scripts/metric-catalogue.ts.",
  " */",
  "export const metricFamilies = {",
];
for (const [program, ofProgram] of Map.groupBy(versions, (one) => one.program)) {
  const pages = familiesOfPages(join(pagesFolder, program));
  lines.push(`  ${JSON.stringify(program)}: {`);
  let before = new Map<string, Kind>();
  for (const { version, names } of ofProgram) {
    const others = ofProgram.map((one) => one.names).filter((one) => one !== names);
    const families = new Map<string, Kind>();
    for (const [name, kind] of pages) if (isIn(name, names, others)) families.set(name, kind);
    for (const [name, kind] of names.full)
      if (ownPrefix[program].test(name)) families.set(name, families.get(name) ?? kind);
    lines.push(
      `    ${JSON.stringify(version)}: \``,
      ...changesOf(before, families).map((one) => `      ${one}`),
      "    `,",
    );
    before = families;
  }
  lines.push("  },");
}
lines.push("} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;");
process.stdout.write(`${lines.join("\n")}\n`);

/** A name of a page ends as some source has it; where only other versions have that, this version has no such metric. */
function isIn(name: string, own: SourceNames, others: readonly SourceNames[]): boolean {
  const longest = (names: SourceNames) =>
    Math.max(
      0,
      ...[...names.endings].filter((one) => name === one || name.endsWith(`_${one}`)).map((one) => one.length),
    );
  const length = longest(own);
  return others.every((other) => longest(other) <= length);
}

function changesOf(before: ReadonlyMap<string, Kind>, after: ReadonlyMap<string, Kind>): readonly string[] {
  const gone = [...before.keys()].filter((name) => !after.has(name)).sort();
  const come = [...after].filter(([name, kind]) => before.get(name) !== kind);
  return [...gone.map((name) => `-${name}`), ...come.map(([name, kind]) => `${name} ${kind}`).sort()];
}

function familiesOfPages(folder: string): ReadonlyMap<string, Kind> {
  const families = new Map<string, Kind>();
  for (const file of readdirSync(folder)) {
    const page = readFileSync(join(folder, file), "utf8");
    for (const [, name = "", kind] of page.matchAll(/^# TYPE (\S+) (counter|gauge|histogram|summary)$/gm)) {
      if (!left.test(name)) families.set(name, kind as Kind);
    }
  }
  return families;
}

function namesInSources(folder: string): SourceNames {
  const full = new Map<string, Kind>();
  const endings = new Set<string>();
  for (const file of goFiles(folder)) {
    const text = readFileSync(file, "utf8");
    for (const [, kind = "", body = ""] of text.matchAll(
      /prometheus\.(Counter|Gauge|Histogram|Summary)Opts\{([^}]*)/g,
    )) {
      const part = (key: string) => new RegExp(`\\b${key}:\\s*"([a-z0-9_:]*)"`).exec(body)?.[1];
      const name = part("Name");
      if (name === undefined) continue;
      endings.add(name);
      // A part that is no text stands for one that is not known here.
      const isKnown = ["Namespace", "Subsystem"].every((key) => !body.includes(`${key}:`) || part(key) !== undefined);
      const whole = [part("Namespace"), part("Subsystem"), name]
        .filter((one) => one !== undefined && one !== "")
        .join("_");
      endings.add(whole);
      if (isKnown) full.set(whole, kind.toLowerCase() as Kind);
    }
    // A collector of its own describes what it will show without saying what kind that is.
    for (const [, name = ""] of text.matchAll(/prometheus\.NewDesc\(\s*"([a-z0-9_:]+)"/g)) {
      endings.add(name);
      full.set(name, name.endsWith("_total") ? "counter" : "gauge");
    }
  }
  return { full, endings };
}

function* goFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!/^(?:test|testdata|examples|documentation|node_modules|\..*)$/.test(entry.name)) yield* goFiles(path);
    } else if (entry.name.endsWith(".go") && !entry.name.endsWith("_test.go")) {
      yield path;
    }
  }
}
