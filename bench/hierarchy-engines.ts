/**
 * `node bench/hierarchy-engines.ts`: the reference fleet behind two tiers, 220 clusters in 4 regions, beside one Prometheus that
 * has all the data, asked in turn.
 *
 *   --data FOLDER    where the reference blocks are, or shall be made (default: below the system's temporary folder)
 *   --clusters N     of the reference fleet (220)
 *   --runs N         requests a query and engine (5)
 *   --settle S       seconds in which each is asked all the questions before any is timed (10): so long after its start, each
 *                    process of the tiers has asked or answered a few hundred times, as one in use has
 *   --only A,B       queries by name; else all that aggregate
 *   --port N         of Prometheus (24610)
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startEngine, type EngineProcess } from "./engine-process.ts";
import { raceEngines } from "./engine-race.ts";
import { startReferenceTiers } from "./hierarchy/reference-tiers.ts";
import { makeReferenceBlocks } from "./reference-data.ts";
import { pathOf, referenceQueries } from "./reference-queries.ts";

const { values: flags } = parseArgs({
  options: {
    data: { type: "string", default: join(tmpdir(), "pleiad-reference-fleet") },
    clusters: { type: "string", default: "220" },
    runs: { type: "string", default: "5" },
    settle: { type: "string", default: "10" },
    only: { type: "string" },
    port: { type: "string", default: "24610" },
  },
});
const clusters = Number(flags.clusters);
const only = flags.only?.split(",");
const ratiosMax = { "heavy range": 0.5, "heavy instant": 1, dashboard: 1 } as const;

mkdirSync(flags.data, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "pleiad-tiers-"));
const peerFolder = mkdtempSync(join(tmpdir(), "pleiad-tiers-peer-"));
const engines: EngineProcess[] = [];
try {
  const made = await makeReferenceBlocks(flags.data, { clusters }, (text) => process.stderr.write(`${text}\n`));
  // Where that is a link, its copy would be one too.
  const data = { ...made, blocks: realpathSync(made.blocks) };
  const tiers = await startReferenceTiers(data, folder);
  engines.push(tiers.engine);
  engines.push(await startEngine("prometheus", { data, folder: peerFolder, port: Number(flags.port) }));
  const queries = referenceQueries(clusters).filter(({ kind, name }) =>
    only === undefined ? kind !== "raw" && kind !== "metadata" : only.includes(name),
  );
  for (const engine of engines) {
    const untilMs = performance.now() + Number(flags.settle) * 1000;
    for (let i = 0; queries.length > 0 && performance.now() < untilMs; i++) {
      const query = queries[i % queries.length];
      if (query !== undefined) await engine.ask(pathOf(query, data));
    }
  }
  process.stdout.write(line(["query", "tiers ms", "prometheus", "ratio", "goal", "peak MiB"]));
  for (const query of queries) {
    const { kind, name } = query;
    const goal = kind === "raw" || kind === "metadata" ? NaN : ratiosMax[kind];
    const { laps, difference } = await raceEngines(engines, query, data, {
      runsMin: Number(flags.runs),
      secondsUsual: 0,
    });
    const [ours, theirs] = [laps.get("pleiad"), laps.get("prometheus")];
    const ratio = (ours?.medianMs ?? NaN) / (theirs?.medianMs ?? NaN);
    const peakBytes = Math.max(...tiers.querierPeaks().map((one) => one.peakBytes));
    const times = [ours?.medianMs ?? NaN, theirs?.medianMs ?? NaN].map((ms) => ms.toFixed(1));
    process.stdout.write(
      line([name, ...times, ratio.toFixed(3), `<= ${String(goal)}`, (peakBytes / 2 ** 20).toFixed(0)]),
    );
    const differing = difference?.structure ?? difference?.example;
    if (differing !== undefined) process.stdout.write(`    differs: ${differing}\n`);
    if (difference?.structure !== undefined) process.exitCode = 1;
  }
} finally {
  await Promise.all(engines.map((engine) => engine.end()));
  for (const one of [folder, peerFolder]) rmSync(one, { recursive: true, force: true });
}

function line(cells: readonly string[]): string {
  return `${cells.map((cell, i) => (i === 0 ? cell.padEnd(28) : cell.padStart(12))).join("")}\n`;
}
