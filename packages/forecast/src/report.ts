/** Everything that is known of a fleet in one document: its plan, findings, load, growth and cost, with charts beside it. */
import { formatAmount, type CapacityModel, type Measured } from "@pleiad/capacity";
import { countFindings, severities, type Finding } from "@pleiad/findings";
import { capacityOf, planTable, type Fleet, type Plan } from "@pleiad/fleet";
import { barChart } from "./bar-chart.ts";
import type { Cost } from "./cost.ts";
import { fillEvenly } from "./bounds.ts";
import { withClusters } from "./grown-fleet.ts";
import type { Growth } from "./growth.ts";
import { lineChart, type Line } from "./line-chart.ts";
import { formatMoney } from "./money.ts";
import { topologyDiagram } from "./topology-diagram.ts";

export interface ReportInput {
  readonly fleet: Fleet;
  readonly plan: Plan;
  readonly findings: readonly Finding[];
  readonly cost: Cost;
  readonly growth: Growth;
  readonly measured?: Measured | undefined; // that the others were made with
}

export interface ReportFile {
  readonly name: string; // within the report's folder
  readonly text: string;
}

/** The files of a report. The same input gives the same bytes. */
export function reportOf(input: ReportInput): readonly ReportFile[] {
  const { plan } = input;
  return [
    { name: "README.md", text: documentOf(input) },
    { name: "budget-cpu.svg", text: budgetChart(plan, "CPU of the nodes, in cores", "cpuMillicores", 1000) },
    { name: "budget-memory.svg", text: budgetChart(plan, "Memory of the nodes, in GiB", "memoryBytes", 2 ** 30) },
    { name: "growth.svg", text: growthChart(input) },
    { name: "cost.svg", text: costChart(input) },
  ];
}

function documentOf({ fleet, plan, findings, cost, growth, measured }: ReportInput): string {
  const { totals } = planTable(plan);
  return [
    `# ${fleet.name}`,
    "",
    `${plan.clusters.length} clusters in ${plan.regions.length} regions, ${formatAmount(plan.totals.series, "series")}, on ${plan.nodes.length} nodes.`,
    `CPU ${totals.cpu} (${totals.cpuPercent}), memory ${totals.memory} GiB (${totals.memoryPercent}).`,
    "",
    "## Topology",
    "",
    "```mermaid",
    `${topologyDiagram(plan)}\`\`\``,
    "",
    "## Budget",
    "",
    ...tableOf(
      ["Node", "Roles", "CPU", "Memory, GiB"],
      planTable(plan).rows.map(({ node, roles, cpu, memory }) => [node, roles.join("; "), cpu, memory]),
    ),
    "",
    "![CPU of the nodes](budget-cpu.svg)",
    "",
    "![Memory of the nodes](budget-memory.svg)",
    "",
    "## When a node is lost",
    "",
    ...lossTable(plan),
    "",
    "## Findings",
    "",
    ...findingsTable(findings),
    "",
    "## Load",
    "",
    ...loadTable(capacityOf(fleet, measured), plan),
    "",
    "## Growth",
    "",
    ...boundsTable(growth),
    "",
    ...growth.steps.flatMap((step) => stepTable(step, growth)),
    "![Growth](growth.svg)",
    "",
    "## Cost",
    "",
    ...costTables(cost),
    "",
    "![Cost](cost.svg)",
    "",
  ].join("\n");
}

function lossTable({ survival }: Plan): readonly string[] {
  const lost = survival.filter(({ survives }) => !survives);
  if (lost.length === 0) return ["Every role survives the loss of any one node."];
  return tableOf(
    ["Role", "On", "What is gone"],
    lost.map(({ roles, nodes, lost }) => [roles.join(", "), nodes.join(", "), lost ?? ""]),
  );
}

function findingsTable(findings: readonly Finding[]): readonly string[] {
  if (findings.length === 0) return ["None."];
  const counts = countFindings(findings);
  const summary = severities.filter((one) => counts[one] > 0).map((one) => `${counts[one]} ${one}`);
  const accepted = findings.length - severities.reduce((sum, one) => sum + counts[one], 0);
  if (accepted > 0) summary.push(`${accepted} accepted`);
  const rows = findings.map(({ severity, code, line, found, instead, accepted }) => [
    severity,
    code,
    `${line}`,
    found,
    accepted === undefined ? instead : `accepted: ${accepted}`,
  ]);
  return [`${summary.join(", ")}.`, "", ...tableOf(["Severity", "Code", "Line", "Found", "Write instead"], rows)];
}

/** Figures that people ask for first. */
const shownFigures = [
  "object-store.upload",
  "object-store.burst",
  "object-store.burst-seconds",
  "object-store.requests-rate",
  "bucket.growth",
  "bucket.bytes",
  "bucket.blocks",
  "compactor.load",
  "global-querier.memory",
  "fleet.answering",
] as const;

function loadTable({ fleet }: CapacityModel, plan: Plan): readonly string[] {
  if (plan.objectStorage === undefined) return ["There is no object storage: nothing is kept beyond the clusters."];
  const rows = shownFigures.map((name) => {
    const { value, unit, meaning } = fleet.figure(name);
    return [name, formatAmount(value, unit), meaning];
  });
  return tableOf(["Figure", "Value", "Meaning"], rows);
}

function boundsTable({ bounds }: Growth): readonly string[] {
  return tableOf(
    ["What gives way when nothing else changes", "Used now", "Breaks at", "In months"],
    bounds.map(({ bound, atNow, clusters, months }) => [
      bound,
      atNow,
      String(clusters),
      months === undefined ? "?" : String(Math.ceil(months)),
    ]),
  );
}

function stepTable({ clusters, options, best }: Growth["steps"][number], { currency }: Growth): readonly string[] {
  const rows = options.map((option) => [
    option.way,
    option.regions.map(({ name, clusters }) => `${name} ${clusters}`).join(", "),
    `+${option.nodesAdded}`,
    String(option.movedRoles),
    formatMoney(option.infrastructureMicros, currency),
    [...option.broken, ...(option.note === "" ? [] : [option.note])].join("; "),
  ]);
  return [
    `### ${clusters} clusters${best === undefined ? "" : `: ${best}`}`,
    "",
    ...tableOf(["Way", "Regions", "Nodes", "Moves", "A month", "Note"], rows),
    "",
  ];
}

function costTables({ lines, totalMicros, comparisons, leftOut, currency }: Cost): readonly string[] {
  const money = (micros: number) => formatMoney(micros, currency);
  const lineRows = lines.map(({ item, amount, unit, sumMicros }) => [
    item,
    `${Math.round(amount * 100) / 100} ${unit}`,
    money(sumMicros),
  ]);
  return [
    ...tableOf(["Item", "Amount", "A month"], [...lineRows, ["all", "", money(totalMicros)]]),
    "",
    ...tableOf(
      ["Compared, with", "Together", "Each alone", "Saved"],
      comparisons.map((one) => [
        one.counted,
        money(one.togetherMicros),
        money(one.aloneMicros),
        money(one.savedMicros),
      ]),
    ),
    "",
    ...(leftOut.length === 0
      ? []
      : tableOf(
          ["Left out above", "Amount", "A month"],
          leftOut.map(({ item, amount, unit, sumMicros }) => [item, `${Math.round(amount)} ${unit}`, money(sumMicros)]),
        )),
  ];
}

function budgetChart(plan: Plan, title: string, of: "cpuMillicores" | "memoryBytes", unit: number): string {
  const amount = (value: number) => String(Math.round((value / unit) * 100) / 100);
  return barChart(
    title,
    plan.nodes.map((node) => {
      const used = of === "cpuMillicores" ? node.cpuMillicoresUsed : node.memoryBytesUsed;
      const own = plan.roles.filter((role) => role.node === node.name);
      const byKind = Map.groupBy(own, ({ kind }) => kindGroup(kind));
      return {
        label: node.name,
        parts: chartGroups.flatMap((name) => {
          const roles = byKind.get(name);
          return roles === undefined
            ? []
            : [{ name, share: roles.reduce((sum, role) => sum + role[of], 0) / node[of] }];
        }),
        text: `${amount(used)}/${amount(node[of])}`,
      };
    }),
  );
}

const chartGroups = ["queries", "history", "rules and alerts", "storage", "other"] as const;

function kindGroup(kind: Plan["roles"][number]["kind"]): (typeof chartGroups)[number] {
  if (kind.includes("quer")) return "queries";
  if (kind === "store-gateway" || kind === "compactor" || kind === "receiver") return "history";
  if (kind === "ruler" || kind === "alertmanager") return "rules and alerts";
  return kind.startsWith("object-store") ? "storage" : "other";
}

/** Bounds over the number of clusters, each as the share of it that is used. */
function growthChart({ fleet, growth, measured }: ReportInput): string {
  const now = fleet.clusters.length;
  const most = Math.max(now * 2, ...growth.steps.map(({ clusters }) => clusters));
  const steps = 8;
  const counts = Array.from({ length: steps + 1 }, (_, i) => Math.round(now + ((most - now) * i) / steps));
  const grown = counts.map((count) => {
    const some = count === now ? fleet : withClusters(fleet, fillEvenly(fleet, count - now));
    return { count, some, capacity: capacityOf(some, measured) };
  });
  const lineOf = (name: string, share: (one: (typeof grown)[number]) => number): Line => ({
    name,
    points: grown.map((one) => [one.count, Math.round(share(one) * 10_000) / 100]),
  });
  const rule = fleet.policies.clustersPerRegionMax;
  const lines = [
    lineOf(
      `rule of ${rule} a region`,
      ({ some }) => Math.max(...some.regions.map(({ clusters }) => clusters.length)) / rule,
    ),
    ...(fleet.objectStorage === undefined
      ? []
      : [
          lineOf("the bucket's capacity", ({ capacity }) => capacity.fleet.figure("bucket.fill").value),
          lineOf("the compactor's time", ({ capacity }) => capacity.fleet.figure("compactor.load").value),
        ]),
  ];
  const options = {
    title: "What is used of each bound when regions are filled",
    xName: "clusters",
    yName: "%",
    limit: 100,
  };
  return lineChart(lines, options);
}

/** What each way to a size costs a month. */
function costChart({ growth, cost }: ReportInput): string {
  const ways = [...new Set(growth.steps.flatMap(({ options }) => options.map(({ way }) => way)))];
  const toUnits = (micros: number) => Math.round(micros / 10_000) / 100;
  const lines = ways.map((way): Line => ({
    name: way,
    points: [
      [growth.clusters, toUnits(cost.infrastructureMicros)] as const,
      ...growth.steps.flatMap(({ clusters, options }) =>
        options.filter((one) => one.way === way).map((one) => [clusters, toUnits(one.infrastructureMicros)] as const),
      ),
    ],
  }));
  const options = { title: "Infrastructure, a month", xName: "clusters", yName: growth.currency };
  return lineChart(lines, options);
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("<", "&lt;")).join(" | ")} |`;
  return [row(head), row(head.map(() => "---")), ...rows.map(row)];
}
