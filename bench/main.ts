/**
 * `node bench/main.ts [--small] [--runs N]`: boots a twin in a folder of its own, says how long that took and what
 * memory it holds, and times the questions of queries.ts. `--small` takes the laptop fleet and few runs.
 */
import { parseArgs } from "node:util";
import { fleetFileAt, startTwin, temporaryFolder } from "../e2e/twin-under-test.ts";
import { benchQueries } from "./queries.ts";
import { timeQuery } from "./twin-query.ts";

const { values: flags } = parseArgs({
  options: { small: { type: "boolean", default: false }, runs: { type: "string" } },
});
const fleet = flags.small ? "laptop.yaml" : "seven-nodes.yaml";
const runs = Number(flags.runs ?? (flags.small ? 3 : 10));
const folder = temporaryFolder();

try {
  const file = fleetFileAt(folder.path, fleet, 24_500);
  const first = await startTwin(file, `${folder.path}/state`);
  process.stdout.write(`fleet ${fleet}\nfirst start ${(first.startMs / 1000).toFixed(1)} s\n`);
  await first.end("SIGINT");
  const twin = await startTwin(file, `${folder.path}/state`);
  process.stdout.write(`second start ${(twin.startMs / 1000).toFixed(1)} s\n\n`);
  try {
    const url = twin.apiUrls[0] as string;
    const endSeconds = Math.floor(Date.now() / 1000);
    process.stdout.write(line(["query", "median ms", "least", "most", "series", "points", "bytes", "warnings"]));
    for (const one of benchQueries) {
      const timing = await timeQuery(url, one, runs, endSeconds);
      const { name, medianMs, leastMs, mostMs, series, points, bytes, warnings } = timing;
      process.stdout.write(
        line([
          name,
          medianMs.toFixed(1),
          leastMs.toFixed(1),
          mostMs.toFixed(1),
          String(series),
          String(points),
          String(bytes),
          String(warnings),
        ]),
      );
    }
    const processes = twin.processes();
    const residentBytes = processes.reduce((sum, one) => sum + one.residentBytes, 0);
    process.stdout.write(`\nresident ${(residentBytes / 2 ** 20).toFixed(0)} MiB in ${processes.length} processes\n`);
    for (const one of processes) {
      process.stdout.write(line([`  ${one.name}`, (one.residentBytes / 2 ** 20).toFixed(0)]));
    }
  } finally {
    await twin.end("SIGINT");
  }
} finally {
  folder.remove();
}

function line(cells: readonly string[]): string {
  return `${cells.map((cell, i) => (i === 0 ? cell.padEnd(20) : cell.padStart(10))).join("")}\n`;
}
