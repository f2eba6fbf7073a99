/**
 * `node bench/engines.ts`: our engine beside Prometheus and VictoriaMetrics on the same data, asked in turn.
 *
 *   --data FOLDER    where the reference blocks are, or shall be made (default: below the system's temporary folder)
 *   --clusters N     of the reference fleet (220); a fleet of another size needs a folder of its own
 *   --runs N         requests a query and engine at least (20)
 *   --seconds N      more of them while these last, up to 200 (4)
 *   --only A,B       queries by name
 *   --engines A,B    of pleiad, prometheus, victoria-metrics (all)
 *   --port N         the first of three (24600)
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { engineNames, startEngine, type EngineName, type EngineProcess } from "./engine-process.ts";
import { raceEngines, type RaceRow } from "./engine-race.ts";
import { makeReferenceBlocks } from "./reference-data.ts";
import { referenceQueries } from "./reference-queries.ts";

const { values: flags } = parseArgs({
  options: {
    data: { type: "string", default: join(tmpdir(), "pleiad-reference-fleet") },
    clusters: { type: "string", default: "220" },
    runs: { type: "string", default: "20" },
    seconds: { type: "string", default: "4" },
    only: { type: "string" },
    engines: { type: "string", default: "pleiad,prometheus,victoria-metrics" },
    port: { type: "string", default: "24600" },
  },
});

const names = flags.engines.split(",").map((name) => {
  const known = engineNames.find((one) => one === name);
  if (known === undefined) throw new Error(`there is no engine ${name}; there are ${engineNames.join(", ")}`);
  return known;
});
const only = flags.only?.split(",");
const clusters = Number(flags.clusters);
mkdirSync(flags.data, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "pleiad-engines-"));
const engines: EngineProcess[] = [];
let isWrong = false;
try {
  const data = await makeReferenceBlocks(flags.data, { clusters }, (text) => process.stderr.write(`${text}\n`));
  for (const [i, name] of names.entries()) {
    engines.push(await startEngine(name, { data, folder, port: Number(flags.port) + i }));
  }
  process.stdout.write(heading(names));
  for (const query of referenceQueries(clusters)) {
    if (only !== undefined && !only.includes(query.name)) continue;
    const row = await raceEngines(engines, query, data, {
      runsMin: Number(flags.runs),
      secondsUsual: Number(flags.seconds),
    });
    process.stdout.write(rowText(row, names));
    isWrong ||= isDifferent(row);
  }
} finally {
  await Promise.all(engines.map((engine) => engine.end()));
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = isWrong ? 1 : 0;

function heading(names: readonly EngineName[]): string {
  const cells = names.flatMap((name) => [name.slice(0, 10), "cpu ms", "peak MiB"]);
  const ratios = names.slice(1).map((name) => `/ ${name.slice(0, 8)}`);
  return `${"query".padEnd(28)}${"answer".padStart(14)}${[...cells, ...ratios].map((cell) => cell.padStart(11)).join("")}\n`;
}

function rowText({ query, size, laps, difference }: RaceRow, names: readonly EngineName[]): string {
  const cells = names.flatMap((name) => {
    const lap = laps.get(name);
    return [
      (lap?.medianMs ?? NaN).toFixed(2),
      (lap?.cpuMs ?? NaN).toFixed(2),
      ((lap?.peakBytes ?? NaN) / 2 ** 20).toFixed(0),
    ];
  });
  const ours = laps.get(names[0] ?? "pleiad")?.medianMs ?? NaN;
  const ratios = names.slice(1).map((name) => (ours / (laps.get(name)?.medianMs ?? NaN)).toFixed(3));
  const text = `${query.name.padEnd(28)}${size.padStart(14)}${[...cells, ...ratios].map((cell) => cell.padStart(11)).join("")}\n`;
  if (difference?.structure !== undefined) return `${text}    differs: ${difference.structure}\n`;
  if (difference?.example === undefined) return text;
  return `${text}    ${String(difference.differingPoints)} of ${String(difference.points)} points differ: ${difference.example}\n`;
}

/**
 * Prometheus 2.42 extends a window to where a counter would have been zero by another rule than 3.14 does; few counters
 * here are so young.
 */
function isDifferent({ difference }: RaceRow): boolean {
  if (difference === undefined) return false;
  return difference.structure !== undefined || difference.differingPoints > difference.points / 500;
}
