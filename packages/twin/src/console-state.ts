/** What the console shows of a running hierarchy: gathered over its public HTTP APIs alone, so that it fits any engine. */
import type { Plan, PlannedRole, RoleKind } from "@pleiad/fleet";
import type { Network } from "@pleiad/ports";
import { clusterIdentity } from "./cluster-identity.ts";
import { queryVector, type VectorAnswer } from "./global-query.ts";
import { runsInTwin } from "./running-roles.ts";

export type RoleState = "ready" | "not-ready" | "down" | "not-yet-running";

export interface ConsoleRole {
  readonly id: string;
  readonly kind: RoleKind;
  readonly region: string | undefined;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly state: RoleState;
  readonly reason: string | undefined;
  /** What a compactor has to do, in words. */
  readonly activity?: string;
}

export interface ConsoleNode {
  readonly name: string;
  readonly tier: 1 | 2 | 3;
  readonly cpuMillicores: number;
  readonly cpuMillicoresUsed: number;
  readonly memoryBytes: number;
  readonly memoryBytesUsed: number;
  readonly roles: readonly ConsoleRole[];
}

export interface ConsoleCluster {
  readonly name: string;
  readonly region: string;
  readonly group: string;
  readonly series: number;
  /** Age of the newest sample of `up`; undefined where none is seen. */
  readonly ageMs: number | undefined;
  readonly up: boolean; // its targets answered at the last scrape
}

export interface ConsoleState {
  readonly fleet: string;
  readonly takenMs: number;
  readonly scrapeIntervalMs: number;
  readonly nodes: readonly ConsoleNode[];
  readonly regions: readonly { readonly name: string; readonly clusters: number; readonly fresh: number }[];
  readonly clusters: readonly ConsoleCluster[];
  readonly warnings: readonly string[]; // of the answers that this was made from
  /** Undefined where the twin makes none up. */
  readonly history?: ConsoleHistory | undefined;
}

/** How far the made-up history in the bucket is. */
export interface ConsoleHistory {
  readonly spanMs: number;
  readonly blocksDone: number;
  readonly blocks: number;
  readonly isWhole: boolean;
}

const probeTimeoutMs = 2000;

export async function gatherConsoleState(
  plan: Plan,
  options: { readonly apiUrls: readonly string[]; readonly nowMs: number; readonly signal: AbortSignal },
  network: Network,
): Promise<ConsoleState> {
  const [roles, freshness] = await Promise.all([
    Promise.all(plan.roles.map((role) => probeRole(role, plan, options.signal, network))),
    clusterFreshness(plan, options.apiUrls, options.nowMs, options.signal, network),
  ]);
  const byId = new Map(roles.map((role) => [role.id, role]));
  const clusters = plan.clusters.map((cluster) => {
    const seen = freshness.clusters.get(cluster.name);
    return {
      name: cluster.name,
      region: cluster.region,
      group: cluster.group,
      series: cluster.twinSeries,
      ageMs: seen?.ageMs,
      up: seen?.up ?? false,
    };
  });
  const scrapeIntervalMs = Math.max(0, ...plan.clusters.map((cluster) => cluster.scrapeIntervalMs));
  const fresh = (name: string) =>
    clusters.filter((one) => one.region === name && one.ageMs !== undefined && one.ageMs <= 2 * scrapeIntervalMs)
      .length;
  return {
    fleet: plan.fleet,
    takenMs: options.nowMs,
    scrapeIntervalMs,
    nodes: plan.nodes.map((node) => ({
      name: node.name,
      tier: node.tier,
      cpuMillicores: node.cpuMillicores,
      cpuMillicoresUsed: node.cpuMillicoresUsed,
      memoryBytes: node.memoryBytes,
      memoryBytesUsed: node.memoryBytesUsed,
      roles: node.roles.flatMap((id) => byId.get(id) ?? []),
    })),
    regions: plan.regions.map(({ name, clusters: members }) => ({
      name,
      clusters: members.length,
      fresh: fresh(name),
    })),
    clusters,
    warnings: freshness.warnings,
  };
}

async function probeRole(role: PlannedRole, plan: Plan, parent: AbortSignal, network: Network): Promise<ConsoleRole> {
  const { id, kind, region, cpuMillicores, memoryBytes } = role;
  const base = { id, kind, region, cpuMillicores, memoryBytes };
  if (!runsInTwin(role, plan) || role.httpPort === undefined) {
    return { ...base, state: "not-yet-running", reason: undefined };
  }
  try {
    const answer = await network.fetchHttp(`http://127.0.0.1:${role.httpPort}/-/ready`, {
      signal: AbortSignal.any([parent, AbortSignal.timeout(probeTimeoutMs)]),
      bodyBytesMax: 4096,
    });
    if (answer.status === 200) {
      const activity = kind === "compactor" ? await compactorActivity(role.httpPort, parent, network) : undefined;
      return { ...base, state: "ready", reason: undefined, ...(activity === undefined ? {} : { activity }) };
    }
    return { ...base, state: "not-ready", reason: new TextDecoder().decode(answer.body).trim() };
  } catch (error) {
    return { ...base, state: "down", reason: error instanceof Error ? error.message : String(error) };
  }
}

const metricsBytesMax = 4 << 20;

/** By its metrics, which have Thanos's names; undefined before its first pass. */
async function compactorActivity(httpPort: number, parent: AbortSignal, network: Network): Promise<string | undefined> {
  const answer = await network.fetchHttp(`http://127.0.0.1:${httpPort}/metrics`, {
    signal: AbortSignal.any([parent, AbortSignal.timeout(probeTimeoutMs)]),
    bodyBytesMax: metricsBytesMax,
  });
  const page = new TextDecoder().decode(answer.body);
  const valueOf = (name: string) => {
    const found = new RegExp(`^${name} (\\S+)$`, "m").exec(page)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const compactions = valueOf("thanos_compact_todo_compactions");
  const downsamplings = valueOf("thanos_compact_todo_downsample_blocks");
  if (compactions === undefined || downsamplings === undefined) return undefined;
  const isHalted = valueOf("thanos_compact_halted") === 1;
  const todo =
    compactions + downsamplings === 0 ? "nothing to do" : `${compactions} to compact, ${downsamplings} to downsample`;
  return isHalted ? `${todo}, a stream is halted` : todo;
}

interface Freshness {
  readonly clusters: ReadonlyMap<string, { readonly ageMs: number; readonly up: boolean }>;
  readonly warnings: readonly string[];
}

async function clusterFreshness(
  plan: Plan,
  apiUrls: readonly string[],
  nowMs: number,
  signal: AbortSignal,
  network: Network,
): Promise<Freshness> {
  const identity = clusterIdentity(plan);
  const query = async (expression: string) => await queryVector(apiUrls, expression, nowMs, signal, network);
  const [newest, state] = await Promise.all([
    query(`max by (${identity.grouping}) (timestamp(up))`),
    query(`min by (${identity.grouping}) (up)`),
  ]);
  const byCluster = (answer: VectorAnswer | string) =>
    new Map(
      typeof answer === "string" ? [] : answer.data.result.map((one) => [identity.nameOf(one.metric), one.value[1]]),
    );
  const up = byCluster(state);
  const clusters = new Map<string, { ageMs: number; up: boolean }>();
  for (const [name, seconds] of byCluster(newest)) {
    if (name === undefined) continue;
    clusters.set(name, { ageMs: Math.max(0, nowMs - Number(seconds) * 1000), up: up.get(name) === "1" });
  }
  const warnings = [newest, state].flatMap((answer) =>
    typeof answer === "string" ? [answer] : (answer.warnings ?? []),
  );
  return { clusters, warnings: [...new Set(warnings)] };
}
