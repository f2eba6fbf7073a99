/** The plan as the budget table of people: texts only, laid out by whoever prints them. */
import type { Plan, PlannedRole } from "./plan.ts";

export interface PlanTableRow {
  readonly node: string;
  readonly roles: readonly string[]; // `regional-querier a1 ×2 4c/8Gi`, in the order of the plan
  readonly cpu: string; // used of cores: `11.5/16`
  readonly memory: string; // used of GiB: `16.5/32`
}

export interface PlanTable {
  readonly rows: readonly PlanTableRow[];
  readonly totals: {
    readonly cpu: string; // `71/112`
    readonly cpuPercent: string; // `63 %`
    readonly memory: string;
    readonly memoryPercent: string;
  };
}

export function planTable(plan: Plan): PlanTable {
  const rolesOf = Map.groupBy(plan.roles, ({ node }) => node);
  const { totals } = plan;
  return {
    rows: plan.nodes.map((node) => ({
      node: node.name,
      roles: roleTexts(rolesOf.get(node.name) ?? []),
      cpu: `${coresText(node.cpuMillicoresUsed)}/${coresText(node.cpuMillicores)}`,
      memory: `${gibibytesText(node.memoryBytesUsed)}/${gibibytesText(node.memoryBytes)}`,
    })),
    totals: {
      cpu: `${coresText(totals.cpuMillicoresUsed)}/${coresText(totals.cpuMillicores)}`,
      cpuPercent: percentText(totals.cpuMillicoresUsed, totals.cpuMillicores),
      memory: `${gibibytesText(totals.memoryBytesUsed)}/${gibibytesText(totals.memoryBytes)}`,
      memoryPercent: percentText(totals.memoryBytesUsed, totals.memoryBytes),
    },
  };
}

/** The plan as JSON. Keys keep the order in which `planFleet` writes them, so equal plans give equal texts. */
export function planToJson(plan: Plan): string {
  return `${JSON.stringify(plan, undefined, 2)}\n`;
}

/** 11500 is `11.5`. */
export function coresText(millicores: number): string {
  return String(millicores / 1000);
}

/** Bytes in GiB with at most three decimals: `16.5`. */
export function gibibytesText(bytes: number): string {
  // Division by a power of two is exact, so only the rounding to three decimals rounds.
  return String(Math.round((bytes / 2 ** 30) * 1000) / 1000);
}

function percentText(used: number, all: number): string {
  return `${all === 0 ? 0 : Math.round((used / all) * 100)} %`;
}

/** Replicas of one role and region on the node share a text. */
function roleTexts(roles: readonly PlannedRole[]): readonly string[] {
  const replicas = Map.groupBy(roles, ({ kind, region }) => (region === undefined ? kind : `${kind} ${region}`));
  return [...replicas].map(([name, [first, ...others]]) => {
    const times = others.length === 0 ? "" : ` ×${others.length + 1}`;
    const size = first === undefined ? "" : ` ${coresText(first.cpuMillicores)}c/${gibibytesText(first.memoryBytes)}Gi`;
    return `${name}${times}${size}`;
  });
}
