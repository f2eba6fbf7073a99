/** `pleiad grow [file] --clusters 300,500`: what more clusters take, and what gives way first when nothing is done. */
import { formatMoney, growthOf, type Growth, type GrowthOption, type GrowthStep } from "@pleiad/forecast";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { loadFleet, planOf } from "../fleet-input.ts";
import { loadMeasured } from "../measured-file.ts";
import { formatTable } from "../table.ts";
import { linesOf } from "../text-lines.ts";
import type { Command } from "commander";
import { readClustersPerMonth, readCounts } from "../command-options.ts";

interface GrowCommandOptions {
  readonly clusters: readonly number[];
  readonly rate: number | undefined; // clusters a month; undefined = that of the file
  readonly json: boolean;
  readonly measured?: string;
}

export function addGrowCommand(program: Command): void {
  program
    .command("grow")
    .description("show what more clusters take, and what gives way first")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .requiredOption("--clusters <count,...>", "of the whole fleet, such as 300,500,700", readCounts)
    .option(
      "--rate <count/month>",
      "new clusters, such as 5/month; default: growth.clusters of the file",
      readClustersPerMonth,
    )
    .option("--measured <file>", "measured values in place of the capacity model's, YAML or JSON")
    .option("--json", "print it as data", false)
    .action((file: string | undefined, options: GrowCommandOptions) => growCommand(file, options));
}

function growCommand(file: string | undefined, { clusters, rate, json, ...options }: GrowCommandOptions): void {
  const fleet = loadFleet(file);
  const measured = loadMeasured(options.measured);
  const plan = planOf(fleet, { measured });
  const small = clusters.find((size) => size <= fleet.clusters.length);
  if (small !== undefined) {
    const reason = `${small} is not above the ${fleet.clusters.length} clusters that the fleet has`;
    throw new CommandFailure(exitCodes.badInput, `--clusters: ${reason}`);
  }
  const growth = growthOf(fleet, plan, { sizes: clusters, clustersPerMonth: rate, measured });
  process.stdout.write(json ? `${JSON.stringify(growth, undefined, 2)}\n` : formatGrowth(growth));
}

const width = 80;
const right = { alignment: "right" } as const;

function formatGrowth(growth: Growth): string {
  return [boundsText(growth), ...growth.steps.map((step) => stepText(step, growth)), ladderText(growth)].join("\n");
}

function boundsText({ clusters, bounds, clustersPerMonth }: Growth): string {
  const rate = clustersPerMonth === undefined ? "at no known rate" : `at ${clustersPerMonth} a month`;
  const head = `${clusters} clusters now, ${rate}. What gives way when nothing else changes:\n\n`;
  const rows = bounds.map(({ bound, clusters: at, atNow, months }) => [
    bound,
    atNow,
    String(at),
    months === 0 ? "now" : months === undefined ? "?" : spanText(months),
  ]);
  const columns = [
    { title: "BOUND" },
    { title: "USED NOW", ...right },
    { title: "BREAKS AT", ...right },
    { title: "IN", ...right },
  ];
  return `${head}${rows.length === 0 ? "nothing that the model knows of\n" : formatTable(columns, rows)}`;
}

function stepText({ clusters, months, options, best }: GrowthStep, growth: Growth): string {
  const when = months === undefined ? "" : `, in ${spanText(months)}`;
  const broken = growth.bounds.filter((one) => one.clusters <= clusters).map(({ bound }) => bound);
  const head = `${clusters} CLUSTERS${when}${best === undefined ? "" : `: ${best}`}\n`;
  const rows = options.map((option) => [
    option.way,
    sizesText(option),
    `+${option.nodesAdded}`,
    String(option.nodesOneARegion),
    String(option.movedRoles),
    formatMoney(option.infrastructureMicros, growth.currency),
    option.broken.length === 0 ? "kept" : "broken",
  ]);
  const columns = [
    { title: "WAY" },
    { title: "REGIONS" },
    { title: "NODES", ...right },
    { title: "1 EACH", ...right },
    { title: "MOVES", ...right },
    { title: "A MONTH", ...right },
    { title: "RULES" },
  ];
  const notes = [
    ...options.flatMap(({ way, broken }) => broken.map((rule) => `${way}: ${rule}`)),
    ...options.flatMap(({ way, note }) => (note === "" ? [] : [`${way}: ${note}`])),
    ...options.flatMap(({ way, moves }) =>
      way === best && moves.length > 0 ? [`${way} moves ${movesText(moves)}`] : [],
    ),
    ...(broken.length === 0 ? [] : [`when nothing else changes, broken by then: ${broken.slice(0, 4).join(", ")}`]),
  ];
  const noteLines = notes.flatMap((note) =>
    linesOf(note, width - 2).map((line, i) => `${i === 0 ? "- " : "  "}${line}\n`),
  );
  return `${head}${formatTable(columns, rows)}${noteLines.join("")}`;
}

/** What moves, no more than fits a few lines: the plan of the grown file and `--against` have the rest. */
function movesText(moves: readonly string[]): string {
  const shown = moves.slice(0, movesShown);
  return moves.length > movesShown ? `${shown.join(", ")} and ${moves.length - movesShown} more` : shown.join(", ");
}

const movesShown = 4;

/** `3×60, 40`: sizes from the largest, equal ones together. */
function sizesText({ regions }: GrowthOption): string {
  const sizes = Map.groupBy(regions, ({ clusters }) => clusters);
  return [...sizes]
    .sort(([a], [b]) => b - a)
    .map(([size, same]) => (same.length === 1 ? String(size) : `${same.length}×${size}`))
    .join(", ");
}

function ladderText({ ladder }: Growth): string {
  if (ladder.length === 0) return "";
  const rows = ladder.map(({ nodes, keeping, filling }) => [String(nodes), String(keeping), String(filling)]);
  const columns = [
    { title: "NODES, ONE A REGION", ...right },
    { title: "AS FULL AS NOW", ...right },
    { title: "ALL FULL", ...right },
  ];
  return formatTable(columns, rows);
}

function spanText(months: number): string {
  if (months < 24) return `${Math.ceil(months)} months`;
  return `${Math.round(months / 12)} years`;
}
