/**
 * From one plan to another: what starts, moves, restarts, re-reads and stops, in an order that keeps answers whole. Who is
 * asked comes up before those who ask, and goes after they were told.
 */
import type { Plan, PlannedCluster, PlannedNode, PlannedRole, RoleKind } from "@pleiad/fleet";
import { nameRanges } from "./name-ranges.ts";

/** The parts of a plan that a deployment is made of: ports of the twin and sums are not compared. */
export type ComparedPlan = Pick<Plan, "replicaLabels" | "nodes" | "roles" | "regions" | "clusters" | "edges">;

export type StepAction = "join" | "start" | "move" | "restart" | "reload" | "re-read" | "stop" | "leave";

export interface DiffStep {
  readonly order: number; // from 1; steps of one order may be taken together
  readonly action: StepAction;
  readonly subject: string; // a node, a role id, or clusters as ranges
  readonly what: string; // from what to what
  readonly note: string; // what to wait for, or what it costs; empty where there is nothing to say
}

export interface PlanDiff {
  readonly steps: readonly DiffStep[];
  readonly movedRoles: number; // to another node
  readonly movedClusters: number; // to another region
  readonly unchangedRoles: number;
}

/** Stages of a change in the order in which they are safe. */
const stages = ["join", "start", "clusters", "endpoints", "change", "stop", "leave"] as const;
type Stage = (typeof stages)[number];

/** Within starting and changing: who is asked before who asks. Stopping goes the other way round. */
const ranks: Readonly<Record<RoleKind, number>> = {
  "object-store": 0,
  "object-store-console": 1,
  receiver: 2,
  "store-gateway": 3,
  "regional-querier": 4,
  "super-regional-querier": 5,
  "global-querier": 6,
  "query-frontend": 7,
  alertmanager: 8,
  ruler: 9,
  grafana: 10,
  compactor: 11,
  "monitoring-agent": 12,
};

interface Move {
  readonly stage: Stage;
  readonly rank: number; // within the stage
  readonly action: StepAction;
  readonly subject: string;
  readonly what: string;
  readonly note: string;
}

export function diffPlans(before: ComparedPlan, after: ComparedPlan): PlanDiff {
  const roles = pairsOf(before.roles, after.roles, ({ id }) => id);
  const moves = [
    ...nodeMoves(before, after),
    ...roles.flatMap(([old, now]) => roleMoves(old, now, before, after)),
    ...clusterMoves(before, after),
    ...endpointMoves(before, after),
  ];
  const ordered = moves
    .map((move, i) => ({ move, i }))
    .sort(
      (a, b) => stages.indexOf(a.move.stage) - stages.indexOf(b.move.stage) || a.move.rank - b.move.rank || a.i - b.i,
    )
    .map(({ move }) => move);
  return {
    steps: numbered(ordered),
    movedRoles: roles.filter(([old, now]) => old !== undefined && now !== undefined && old.node !== now.node).length,
    movedClusters: pairsOf(before.clusters, after.clusters, ({ name }) => name).filter(
      ([old, now]) => old !== undefined && now !== undefined && old.region !== now.region,
    ).length,
    unchangedRoles: roles.filter(([old, now]) => old !== undefined && now !== undefined && sameRole(old, now)).length,
  };
}

function numbered(moves: readonly Move[]): readonly DiffStep[] {
  let order = 0;
  let last: Move | undefined;
  return moves.map((move) => {
    if (last === undefined || last.stage !== move.stage || last.rank !== move.rank) order++;
    last = move;
    const { action, subject, what, note } = move;
    return { order, action, subject, what, note };
  });
}

function nodeMoves(before: ComparedPlan, after: ComparedPlan): readonly Move[] {
  return pairsOf(before.nodes, after.nodes, ({ name }) => name).flatMap(([old, now]): readonly Move[] => {
    if (old === undefined && now !== undefined) {
      return [
        move("join", 0, "join", now.name, sizeOfNode(now), "ready, with its labels, before anything is placed on it"),
      ];
    }
    if (old !== undefined && now === undefined)
      return [move("leave", 0, "leave", old.name, sizeOfNode(old), "empty by now")];
    return [];
  });
}

function sizeOfNode({ tier, cpuMillicores, memoryBytes }: PlannedNode): string {
  return `tier ${tier}, ${cpuMillicores / 1000} cores, ${gibibytes(memoryBytes)} GiB`;
}

function roleMoves(
  old: PlannedRole | undefined,
  now: PlannedRole | undefined,
  before: ComparedPlan,
  after: ComparedPlan,
): readonly Move[] {
  if (now === undefined) {
    return old === undefined
      ? []
      : [move("stop", -rankOf(old), "stop", old.id, `on ${old.node}`, "nobody asks it any more")];
  }
  if (old === undefined) return [move("start", rankOf(now), "start", now.id, `on ${now.node}`, startNote(now, after))];
  if (old.node !== now.node) {
    // What must never run twice ends first; all else comes up before the old one goes.
    const stage = now.kind === "compactor" ? "change" : "start";
    const what = [`from ${old.node} to ${now.node}`, ...roleChanges(old, now, before, after)].join("; ");
    return [move(stage, rankOf(now), "move", now.id, what, moveNote(now, after))];
  }
  const changes = roleChanges(old, now, before, after);
  return changes.length === 0
    ? []
    : [move("change", rankOf(now), "restart", now.id, changes.join("; "), restartNote(now, after))];
}

function roleChanges(old: PlannedRole, now: PlannedRole, before: ComparedPlan, after: ComparedPlan): readonly string[] {
  const labels = (plan: ComparedPlan) => plan.replicaLabels.join(", ");
  const isQuerier = now.kind.endsWith("querier");
  return [
    ...(old.cpuMillicores === now.cpuMillicores
      ? []
      : [`CPU ${old.cpuMillicores / 1000} → ${now.cpuMillicores / 1000} cores`]),
    ...(old.memoryBytes === now.memoryBytes
      ? []
      : [`memory ${gibibytes(old.memoryBytes)} → ${gibibytes(now.memoryBytes)} GiB`]),
    ...(old.diskBytes === now.diskBytes ? [] : [`disk ${diskText(old.diskBytes)} → ${diskText(now.diskBytes)}`]),
    ...(shardText(old) === shardText(now) ? [] : [`shard ${shardText(old)} → ${shardText(now)}`]),
    ...(isQuerier && labels(before) !== labels(after) ? [`replica labels ${labels(before)} → ${labels(after)}`] : []),
  ];
}

function sameRole(old: PlannedRole, now: PlannedRole): boolean {
  return (
    old.node === now.node &&
    old.cpuMillicores === now.cpuMillicores &&
    old.memoryBytes === now.memoryBytes &&
    old.diskBytes === now.diskBytes &&
    shardText(old) === shardText(now)
  );
}

function startNote(role: PlannedRole, { regions }: ComparedPlan): string {
  switch (role.kind) {
    case "store-gateway":
      return "reads the index headers of its blocks; ready before it is asked";
    case "regional-querier": {
      if (role.region === undefined) return "ready before it is asked";
      const count = regions.find(({ name }) => name === role.region)?.clusters.length ?? 0;
      return `sees all ${count} clusters of ${role.region} before it is asked`;
    }
    case "object-store":
      return "takes its share of the data before it counts as a copy";
    case "compactor":
      return "after the store gateways: it rewrites what they serve";
    default:
      return "ready before it is asked";
  }
}

function moveNote(role: PlannedRole, plan: ComparedPlan): string {
  switch (role.kind) {
    case "compactor":
      return "the old one ends first: two at once would write overlapping blocks";
    case "object-store":
      return "its data moves with it: copy it, or let the others restore it";
    case "store-gateway":
      return "reads its index headers again; the old one goes when it is ready";
    default:
      return `${startNote(role, plan)}; then the old one goes`;
  }
}

function restartNote(role: PlannedRole, { roles }: ComparedPlan): string {
  const others = roles.filter(({ kind, region }) => kind === role.kind && region === role.region).length;
  return others > 1 ? "one replica at a time, the next when this one is ready" : "nobody does its work meanwhile";
}

/** Clusters that come, go, change their region or what they are told, gathered by what happens to them. */
function clusterMoves(before: ComparedPlan, after: ComparedPlan): readonly Move[] {
  const byChange = Map.groupBy(
    pairsOf(before.clusters, after.clusters, ({ name }) => name).flatMap(([old, now]) => {
      const change = clusterChange(old, now);
      return change === undefined ? [] : [{ name: now?.name ?? old?.name ?? "", change }];
    }),
    ({ change }) => JSON.stringify(change),
  );
  return [...byChange.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const { action, what, note, stage } = first.change;
    const text = same.length === 1 ? what : `${what}, ${same.length} clusters`;
    return [move(stage, 0, action, nameRanges(same.map(({ name }) => name)), text, note)];
  });
}

function clusterChange(
  old: PlannedCluster | undefined,
  now: PlannedCluster | undefined,
): { readonly stage: Stage; readonly action: StepAction; readonly what: string; readonly note: string } | undefined {
  if (now === undefined) {
    if (old === undefined) return undefined;
    return {
      stage: "stop",
      action: "leave",
      what: `from ${old.region}`,
      note: "its history stays in the bucket until it expires",
    };
  }
  if (old === undefined) {
    return {
      stage: "clusters",
      action: "join",
      what: `to ${now.region}`,
      note: "its first block is in the bucket after two to three hours",
    };
  }
  if (old.region !== now.region) {
    return {
      stage: "clusters",
      action: "move",
      what: `from ${old.region} to ${now.region}`,
      note: `reloads with other external labels: a new stream of blocks. Blocks until then stay with the store gateways of ${old.region}`,
    };
  }
  const changes = [
    ...(JSON.stringify(old.externalLabels) === JSON.stringify(now.externalLabels) ? [] : ["external labels"]),
    ...(old.scrapeIntervalMs === now.scrapeIntervalMs
      ? []
      : [`scrape interval ${old.scrapeIntervalMs / 1000}s → ${now.scrapeIntervalMs / 1000}s`]),
    ...(old.prometheusReplicas === now.prometheusReplicas
      ? []
      : [`Prometheus replicas ${old.prometheusReplicas} → ${now.prometheusReplicas}`]),
    ...(old.ingest === now.ingest ? [] : [`${old.ingest} → ${now.ingest}`]),
  ];
  // A new retention is a flag of Prometheus, all else is read again.
  if (old.retentionMs !== now.retentionMs) {
    const hours = (ms: number) => `${ms / 3_600_000}h`;
    const what = [`retention ${hours(old.retentionMs)} → ${hours(now.retentionMs)}`, ...changes].join("; ");
    return {
      stage: "clusters",
      action: "restart",
      what,
      note: "Prometheus reads its log again: minutes without scrapes",
    };
  }
  return changes.length === 0
    ? undefined
    : { stage: "clusters", action: "reload", what: changes.join("; "), note: "no restart" };
}

/** Roles that stay where they are, and whose list of whom to ask changes: they read it again, without a restart. */
function endpointMoves(before: ComparedPlan, after: ComparedPlan): readonly Move[] {
  const [old, now] = [askedBy(before), askedBy(after)];
  const nodeOf = new Map(before.roles.map(({ id, node }) => [id, node]));
  return after.roles.flatMap((role): readonly Move[] => {
    // What starts anew reads everything anyway.
    if (nodeOf.get(role.id) !== role.node) return [];
    const [was, is] = [old.get(role.id) ?? new Set<string>(), now.get(role.id) ?? new Set<string>()];
    const added = [...is].filter((to) => !was.has(to));
    const removed = [...was].filter((to) => !is.has(to));
    if (added.length === 0 && removed.length === 0) return [];
    const parts = [
      ...(added.length === 0 ? [] : [`+ ${nameRanges(added, 3)}`]),
      ...(removed.length === 0 ? [] : [`− ${nameRanges(removed, 3)}`]),
    ];
    const note = role.kind.endsWith("querier") ? "its endpoint file; no restart" : "its configuration; no restart";
    return [move("endpoints", rankOf(role), "re-read", role.id, parts.join("; "), note)];
  });
}

/** Whom each role names. Only queriers name every replica: others reach a group of them by one name. */
function askedBy({ edges, roles }: ComparedPlan): ReadonlyMap<string, ReadonlySet<string>> {
  const queriers = new Set(roles.filter(({ kind }) => kind.endsWith("querier")).map(({ id }) => id));
  const asked = Map.groupBy(edges, ({ from }) => from);
  return new Map(
    [...asked].map(([from, list]) => [
      from,
      new Set(list.map(({ to, group }) => (queriers.has(from) ? to : (group ?? to)))),
    ]),
  );
}

/** What is in either list, by key: in the order of `after`, then what only `before` has. */
function pairsOf<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (item: T) => string,
): readonly (readonly [T | undefined, T | undefined])[] {
  const old = new Map(before.map((item) => [keyOf(item), item]));
  const kept = new Set(after.map(keyOf));
  return [
    ...after.map((item) => [old.get(keyOf(item)), item] as const),
    ...before.filter((item) => !kept.has(keyOf(item))).map((item) => [item, undefined] as const),
  ];
}

function move(stage: Stage, rank: number, action: StepAction, subject: string, what: string, note: string): Move {
  return { stage, rank, action, subject, what, note };
}

function rankOf({ kind }: PlannedRole): number {
  return ranks[kind];
}

function gibibytes(bytes: number): string {
  return String(Math.round((bytes / 2 ** 30) * 100) / 100);
}

function diskText(bytes: number | undefined): string {
  return bytes === undefined ? "none" : `${gibibytes(bytes)} GiB`;
}

function shardText({ shard }: PlannedRole): string {
  return shard === undefined ? "1 of 1" : `${shard.index + 1} of ${shard.count}`;
}
