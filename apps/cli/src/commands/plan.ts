/** `pleiad plan [file]`: who runs where, with what, and what is gone when a node is lost. */
import { planTable, planToJson, type Plan } from "@pleiad/fleet";
import { planDiffCommand } from "./plan-diff.ts";
import { loadFleet, planOf } from "../fleet-input.ts";
import { previousOption } from "../command-options.ts";
import { loadMeasured } from "../measured-file.ts";
import { loadOlderPlan } from "../previous-plan.ts";
import { formatTable, type Column } from "../table.ts";
import type { Command } from "commander";
import { explainCommand } from "./explain.ts";

interface PlanCommandOptions {
  readonly json: boolean;
  readonly measured?: string;
  readonly previous?: string; // an older plan as JSON: what can stay as it is there does
  readonly against?: string; // the same, and what changes from it is shown
}

export function addPlanCommand(program: Command): void {
  program
    .command("plan")
    .description("show which role runs on which node, with what")
    .argument("[fleet]", "fleet file; default: fleets/seven-nodes.yaml")
    .option("--json", "print the whole plan as data", false)
    .option("--measured <file>", "measured values in place of the capacity model's, YAML or JSON")
    .option("--explain <figure>", "explain a figure of the capacity model instead, such as store-gateway.memory")
    .addOption(previousOption)
    .option("--against <plan.json>", "the same, and show what changes from it, in order")
    .action((file: string | undefined, { explain, ...options }: PlanCommandOptions & { explain?: string }) =>
      explain === undefined ? planCommand(file, options) : explainCommand(explain, file, options),
    );
}

function planCommand(file: string | undefined, options: PlanCommandOptions): void {
  const older = options.against ?? options.previous;
  const previous = older === undefined ? undefined : loadOlderPlan(older);
  const plan = planOf(loadFleet(file, { previous }), { previous, measured: loadMeasured(options.measured) });
  if (options.against !== undefined && previous !== undefined) {
    planDiffCommand(plan, previous, options.json);
    return;
  }
  process.stdout.write(options.json ? planToJson(plan) : planText(plan));
}

function planText(plan: Plan): string {
  return [nodesText(plan), regionsText(plan), superRegionsText(plan), survivalText(plan)]
    .filter((part) => part !== "")
    .join("\n");
}

function nodesText(plan: Plan): string {
  const table = planTable(plan);
  const columns = [
    { title: "NODE" },
    { title: "ROLES" },
    { title: "CPU", alignment: "right" },
    { title: "MEMORY GiB", alignment: "right" },
  ] as const;
  const rows = table.rows.flatMap((row) =>
    (row.roles.length === 0 ? ["–"] : row.roles).map((role, i) =>
      i === 0 ? [row.node, role, row.cpu, row.memory] : ["", role, "", ""],
    ),
  );
  const { cpu, cpuPercent, memory, memoryPercent } = table.totals;
  const totals = ["all", "", `${cpu} (${cpuPercent})`, `${memory} (${memoryPercent})`];
  return formatTable(columns, [...rows, totals]);
}

function regionsText(plan: Plan): string {
  const nodeOf = new Map(plan.roles.map(({ id, node }) => [id, node]));
  return formatTable(
    [
      { title: "REGION" },
      { title: "CLUSTERS", alignment: "right" },
      { title: "AT MOST", alignment: "right" },
      { title: "QUERIERS" },
    ],
    plan.regions.map((region) => [
      region.name,
      String(region.clusters.length),
      String(region.clustersMax),
      region.queriers.map((id) => `${id} on ${nodeOf.get(id) ?? "?"}`).join(", "),
    ]),
  );
}

function superRegionsText({ superRegions, tiersReason }: Plan): string {
  if (superRegions === undefined) return "";
  const rows = superRegions.map(({ name, members, queriers }) => [
    name,
    String(members.length),
    `${members[0] ?? ""} to ${members.at(-1) ?? ""}`,
    queriers.join(", "),
  ]);
  const columns: readonly Column[] = [
    { title: "SUPER-REGION" },
    { title: "OF", alignment: "right" },
    { title: "MEMBERS" },
    { title: "QUERIERS" },
  ];
  return `${tiersReason ?? ""}\n${formatTable(columns, rows)}`;
}

/** Roles on one node, and what is gone with it. */
function survivalText({ survival }: Plan): string {
  const lost = survival.filter(({ survives }) => !survives);
  if (lost.length === 0) return "Every role survives the loss of any one node.\n";
  const rows = lost.map(({ kind, region, nodes, lost }) => [
    nodes.join(", "),
    region === undefined ? kind : `${kind} ${region}`,
    lost ?? "",
  ]);
  return formatTable([{ title: "WITHOUT" }, { title: "NO" }, { title: "AND SO NO MORE" }], rows);
}
