/**
 * `node bench/hierarchy.ts`: what a hierarchy should reach, by the design and by us, beside what a twin of it does.
 *
 *   --fleet FILE      whose twin it is (fleets/seven-nodes.yaml)
 *   --running         a twin of that file runs already, at the ports that the file gives; else one is started and ended
 *   --history SPAN    made before the first start of one that is started (4h)
 *   --port N          the first of its ports (20300)
 *   --seconds N       of each load; there are ten (5)
 *   --runs N          of a question whose median is told (5)
 *   --small           the laptop fleet, without history, and short loads
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { planFleet, readFleet, type Plan } from "@pleiad/fleet";
import { parseDuration } from "@pleiad/model";
import { eventually, root, startTwin, temporaryFolder, type RunningTwin } from "../e2e/twin-under-test.ts";
import { figureHeading, formatFigure } from "./hierarchy/figure-table.ts";
import { measureFleet } from "./hierarchy/fleet-figures.ts";

const { values: flags } = parseArgs({
  options: {
    fleet: { type: "string" },
    running: { type: "boolean", default: false },
    history: { type: "string" },
    port: { type: "string", default: "20300" },
    seconds: { type: "string" },
    runs: { type: "string" },
    small: { type: "boolean", default: false },
  },
});
const shipped = join(root, "fleets", flags.small ? "laptop.yaml" : "seven-nodes.yaml");
const file = flags.fleet ?? shipped;
const history = flags.history ?? (flags.small ? "0" : "4h");
const span = parseDuration(history);
if (!span.ok) throw new Error(`--history ${history} is no span of time`);
const loadMs = 1000 * Number(flags.seconds ?? (flags.small ? 0.2 : 5));
const runs = Number(flags.runs ?? (flags.small ? 2 : 5));

/** A history comes in the background; what is not there by then is told. */
const historyMsMax = 45_000;

if (flags.running) {
  await print(file, span.value);
} else {
  const folder = temporaryFolder();
  let twin: RunningTwin | undefined;
  try {
    const moved = join(folder.path, basename(file));
    writeFileSync(moved, withBasePort(readFileSync(file, "utf8"), Number(flags.port)));
    twin = await startTwin(moved, join(folder.path, "state"), ["--history", history]);
    process.stdout.write(`${basename(file)}: up after ${(twin.startMs / 1000).toFixed(1)} s\n`);
    await print(moved, span.value === 0 || (await isWhole(twin)) ? span.value : 0);
  } finally {
    await twin?.end("SIGINT");
    folder.remove();
  }
}

async function print(fleetFile: string, historyMs: number): Promise<void> {
  process.stdout.write(figureHeading);
  const options = { fleetFile, plan: planOf(fleetFile), historyMs, loadMs, runs, clients: [1, 16, 100, 200] };
  for await (const figure of measureFleet(options)) {
    process.stdout.write(formatFigure(figure));
    if (figure.fault === undefined) continue;
    process.stdout.write(`    ${figure.fault}\n`);
    process.exitCode = 1;
  }
}

async function isWhole(twin: RunningTwin): Promise<boolean> {
  try {
    await eventually("the history", historyMsMax, async () =>
      /History .*is whole/.test(twin.output()) ? true : undefined,
    );
    return true;
  } catch (error) {
    process.stdout.write(`${String(error)}: the paths to it are left out\n`);
    return false;
  }
}

function planOf(fleetFile: string): Plan {
  const fleet = readFleet(readFileSync(fleetFile, "utf8"), fleetFile);
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!plan.ok) throw new Error(`${fleetFile} has no plan`);
  return plan.value;
}

function withBasePort(text: string, port: number): string {
  const moved = text.replace(/^( +basePort:) *\d+/m, `$1 ${String(port)}`);
  if (!moved.includes(`basePort: ${String(port)}`)) throw new Error("the fleet file names no basePort");
  return moved;
}
