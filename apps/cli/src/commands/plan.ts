/** `pleiad plan [file]`: who runs where, with what. */
import { planTable, planToJson } from "@pleiad/fleet";
import { loadPlan } from "../fleet-input.ts";
import { formatTable } from "../table.ts";

export interface PlanCommandOptions {
  readonly json: boolean;
}

export function planCommand(file: string | undefined, options: PlanCommandOptions): void {
  const plan = loadPlan(file);
  if (options.json) {
    process.stdout.write(planToJson(plan));
    return;
  }
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
  process.stdout.write(formatTable(columns, [...rows, totals]));
  process.stdout.write("\n");
  process.stdout.write(
    formatTable(
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
        region.queriers.map((id) => `${id} on ${plan.roles.find((role) => role.id === id)?.node ?? "?"}`).join(", "),
      ]),
    ),
  );
}
