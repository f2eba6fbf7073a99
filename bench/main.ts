/**
 * `node bench/main.ts [--small] [--runs N] [--history SPAN]`: boots a twin in a folder of its own, says how long that took
 * and what memory it holds, and times the questions of queries.ts. `--small` takes the laptop fleet and few runs;
 * `--history 14d` asks as far back as that, when it is whole and compacted. Without it the twin has none.
 */
import { parseArgs } from "node:util";
import { parseDuration } from "@pleiad/model";
import { eventually, fleetFileAt, startTwin, temporaryFolder, type RunningTwin } from "../e2e/twin-under-test.ts";
import { benchQueries } from "./queries.ts";
import { measurePushDown } from "./push-down.ts";
import { timeQuery } from "./twin-query.ts";

const { values: flags } = parseArgs({
  options: {
    small: { type: "boolean", default: false },
    runs: { type: "string" },
    history: { type: "string", default: "0" },
  },
});
const fleet = flags.small ? "laptop.yaml" : "seven-nodes.yaml";
const runs = Number(flags.runs ?? (flags.small ? 3 : 10));
const folder = temporaryFolder();
const waitMsMax = 2 * 3_600_000;

try {
  const file = fleetFileAt(folder.path, fleet, 24_500);
  const options = ["--history", flags.history];
  const first = await startTwin(file, `${folder.path}/state`, options);
  process.stdout.write(`fleet ${fleet}\nfirst start ${(first.startMs / 1000).toFixed(1)} s\n`);
  const historyMs = await wholeHistory(first);
  await first.end("SIGINT");
  const twin = await startTwin(file, `${folder.path}/state`, options);
  process.stdout.write(`second start ${(twin.startMs / 1000).toFixed(1)} s\n\n`);
  try {
    const url = twin.apiUrls[0] as string;
    const endSeconds = Math.floor(Date.now() / 1000);
    process.stdout.write(line(["query", "median ms", "least", "most", "series", "points", "bytes", "warnings"]));
    for (const one of benchQueries) {
      if ((one.historyMs ?? 0) > historyMs) continue;
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
    const asked = benchQueries.filter((one) => (one.historyMs ?? 0) <= historyMs);
    process.stdout.write(`\n${line(["push-down", "mode", "median ms", "least", "points", "bytes", "warnings"])}`);
    for (const one of await measurePushDown(file, asked, runs, endSeconds)) {
      const { name, mode, medianMs, leastMs, points, receivedBytes, warnings } = one;
      const numbers = [medianMs.toFixed(1), leastMs.toFixed(1), points, receivedBytes.toFixed(0), warnings].map(String);
      process.stdout.write(line([name, mode, ...numbers]));
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

/** Waits until the history is in the bucket and nothing of it is left to compact; gives its span, 0 without any. */
async function wholeHistory(twin: RunningTwin): Promise<number> {
  const span = parseDuration(flags.history);
  if (!span.ok || span.value === 0) return 0;
  const startedMs = performance.now();
  await eventually("the history", waitMsMax, async () => (/History .*is whole/.test(twin.output()) ? true : undefined));
  process.stdout.write(
    `history of ${flags.history} whole after ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`,
  );
  await eventually("its compaction", waitMsMax, async () => {
    const response = await fetch(`${twin.consoleUrl}/console/state`);
    const state = (await response.json()) as { nodes: { roles: { activity?: string }[] }[] };
    const activities = state.nodes.flatMap(({ roles }) => roles.flatMap(({ activity }) => activity ?? []));
    return activities.every((text) => text === "nothing to do") ? true : undefined;
  });
  process.stdout.write(`compacted after ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`);
  return span.value;
}

function line(cells: readonly string[]): string {
  return `${cells.map((cell, i) => (i === 0 ? cell.padEnd(20) : cell.padStart(12))).join("")}\n`;
}
