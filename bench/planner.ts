/**
 * `node bench/planner.ts [--small]`: how long it takes from the text of a fleet file to its plan, and to the plan's JSON,
 * in a process of its own for each size. Processor time and peak memory are the process's. `--small` takes the first size.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { formatFleetFailure, planFleet, planToJson, readFleet } from "@pleiad/fleet";
import { fleetFileOf, type FleetShape } from "./planner-fleets.ts";

/** With the goal of each, in milliseconds of processor time and bytes of memory at the peak. */
export const plannerSizes: readonly (FleetShape & { readonly goalMs: number; readonly goalBytes: number })[] = [
  { clusters: 220, nodes: 12, goalMs: 100, goalBytes: 2 ** 30 },
  { clusters: 10_000, nodes: 300, goalMs: 2000, goalBytes: 2 ** 30 },
  { clusters: 100_000, nodes: 2600, goalMs: 20_000, goalBytes: 2 ** 30 },
];

export interface PlannerTiming {
  readonly planMs: number; // from text to plan
  readonly jsonMs: number;
  readonly peakBytes: number;
  readonly roles: number;
  readonly regions: number;
  readonly superRegions: number;
  readonly checksum: string; // of the plan's JSON
}

/** Reads and plans a made-up fleet once, in this process. The first size also warms the compiler up before it counts. */
export function timePlanner(shape: FleetShape, warmups: number): PlannerTiming {
  const text = fleetFileOf(shape);
  const plan = () => {
    const fleet = readFleet(text, "bench.yaml");
    const planned = fleet.ok ? planFleet(fleet.value) : fleet;
    if (!planned.ok) throw new Error(formatFleetFailure(planned.failure));
    return planned.value;
  };
  for (let i = 0; i < warmups; i++) plan();
  const start = process.cpuUsage();
  const planned = plan();
  const planMs = processorMsSince(start);
  const jsonStart = process.cpuUsage();
  const hash = createHash("sha256");
  for (const piece of planToJsonPieces(planned)) hash.update(piece);
  return {
    planMs,
    jsonMs: processorMsSince(jsonStart),
    peakBytes: process.resourceUsage().maxRSS * 1024,
    roles: planned.roles.length,
    regions: planned.regions.length,
    superRegions: planned.superRegions?.length ?? 0,
    checksum: hash.digest("hex").slice(0, 16),
  };
}

function planToJsonPieces(plan: Parameters<typeof planToJson>[0]): Iterable<string> {
  return [planToJson(plan)];
}

function processorMsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

function main(): void {
  const { values } = parseArgs({ options: { small: { type: "boolean", default: false }, size: { type: "string" } } });
  const self = fileURLToPath(import.meta.url);
  if (values.size !== undefined) {
    const shape = plannerSizes[Number(values.size)];
    if (shape === undefined) throw new Error(`no size ${values.size}`);
    process.stdout.write(JSON.stringify(timePlanner(shape, values.size === "0" ? 5 : 0)));
    return;
  }
  const header = [
    "clusters",
    "nodes",
    "regions",
    "super",
    "roles",
    "plan ms",
    "goal",
    "json ms",
    "peak MiB",
    "checksum",
  ];
  process.stdout.write(row(header));
  plannerSizes.slice(0, values.small ? 1 : undefined).forEach(({ clusters, nodes, goalMs }, i) => {
    const run = spawnSync(process.execPath, [self, "--size", String(i)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (run.status !== 0) throw new Error(`size ${i} failed`);
    const timing = JSON.parse(run.stdout) as PlannerTiming;
    const { planMs, jsonMs, peakBytes, roles, regions, superRegions, checksum } = timing;
    const cells = [
      clusters,
      nodes,
      regions,
      superRegions,
      roles,
      Math.round(planMs),
      goalMs,
      Math.round(jsonMs),
      Math.round(peakBytes / 2 ** 20),
      checksum,
    ];
    process.stdout.write(row(cells.map(String)));
  });
}

function row(cells: readonly string[]): string {
  return `${cells.map((cell) => cell.padStart(10)).join(" ")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
