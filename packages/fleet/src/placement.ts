/**
 * Who runs where: pinned replicas first, then the others, largest first, each on the least loaded node that may have it.
 * The same fleet always gives the same placement.
 */
import type { Fleet, FleetNode, FleetRegion, FleetRole } from "./fleet.ts";
import type { Path } from "./fleet-source.ts";
import { compareNames, didYouMean } from "./name-order.ts";
import { shortList } from "./membership.ts";
import type { ProblemLog } from "./problem-log.ts";

/** The replicas of one role that back each other up: of the whole fleet, or of one region. */
interface ReplicaSet {
  readonly role: FleetRole;
  readonly region: FleetRegion | undefined;
}

export interface PlacedReplica {
  readonly role: FleetRole;
  readonly region: string | undefined;
  readonly replica: number;
  readonly node: string;
}

interface NodeLoad {
  readonly node: FleetNode;
  readonly cpuMillicoresUsed: number;
  readonly memoryBytesUsed: number;
  readonly roleCount: number;
}

/** Places every replica, in the order of the plan: by role, region, replica. What cannot be placed goes to the log. */
export function placeRoles(fleet: Fleet, log: ProblemLog): readonly PlacedReplica[] {
  const loads = new Map(fleet.nodes.map((node) => [node.name, emptyLoad(node)]));
  const sets = fleet.roles.flatMap((role): ReplicaSet[] =>
    role.scope === "fleet" ? [{ role, region: undefined }] : fleet.regions.map((region) => ({ role, region })),
  );
  const nodesOf = new Map<ReplicaSet, readonly string[]>();
  for (const set of sets) {
    const pins = pinsOf(set);
    if (pins !== undefined) nodesOf.set(set, pinReplicas(set, pins, fleet, loads, log));
  }
  const automatic = sets.filter((set) => !nodesOf.has(set));
  // Sorting is stable: sets of one size keep the order of the plan.
  automatic.sort((a, b) => sizeOf(b.role, fleet) - sizeOf(a.role, fleet));
  for (const set of automatic) nodesOf.set(set, spreadReplicas(set, fleet, loads, log));
  return sets.flatMap((set) =>
    (nodesOf.get(set) ?? []).map((node, replica) => ({ role: set.role, region: set.region?.name, replica, node })),
  );
}

/** The identity of a replica: `regional-querier-a1-0`, `compactor-0`. */
export function roleId({ role, region, replica }: PlacedReplica): string {
  return region === undefined ? `${role.kind}-${replica}` : `${role.kind}-${region}-${replica}`;
}

function pinsOf({ role, region }: ReplicaSet): readonly string[] | undefined {
  return region === undefined ? role.on : region.on;
}

function pathOf({ role, region }: ReplicaSet): Path {
  return region === undefined ? ["roles", role.key] : ["regions", region.name];
}

function pinReplicas(
  set: ReplicaSet,
  pins: readonly string[],
  fleet: Fleet,
  loads: Map<string, NodeLoad>,
  log: ProblemLog,
): readonly string[] {
  const path = [...pathOf(set), "on"];
  const unknown = pins.flatMap((name, i) => (loads.has(name) ? [] : [[name, i] as const]));
  if (unknown.length > 0) {
    for (const [name, i] of unknown) reportUnknownNode(name, [...path, i], set, fleet, log);
    return [];
  }
  const nodes = Array.from({ length: set.role.replicas }, (_, replica) => pins[replica % pins.length] ?? "");
  const distinct = new Set(nodes);
  if (fleet.policies.spreadReplicas && distinct.size < nodes.length) {
    log.atValue(path, {
      code: "HA_SAME_NODE",
      expected: `${nodes.length} different nodes for the ${nodes.length} replicas of ${setText(set)}`,
      found: shortList([...distinct]),
      hint: "one lost node would take replicas with it; policies.spreadReplicas: false allows that knowingly",
    });
  }
  for (const node of nodes) addLoad(loads, node, set.role);
  return nodes;
}

function reportUnknownNode(
  name: string,
  path: Path,
  { role, region }: ReplicaSet,
  fleet: Fleet,
  log: ProblemLog,
): void {
  // A region's pins serve all its roles: one report is enough.
  if (region !== undefined && fleet.roles.find(({ scope }) => scope === "region") !== role) return;
  const known = fleet.nodes.map((node) => node.name);
  log.atValue(path, {
    code: "NO_NODE",
    expected: `one of the nodes ${shortList(known)}`,
    found: JSON.stringify(name.slice(0, 80)),
    hint: didYouMean(name, known),
  });
}

function spreadReplicas(
  set: ReplicaSet,
  fleet: Fleet,
  loads: Map<string, NodeLoad>,
  log: ProblemLog,
): readonly string[] {
  const { role } = set;
  const candidates = fleet.nodes.filter(({ tier }) => role.tiers.includes(tier)).map(({ name }) => name);
  const tiersText = role.tiers.length === 1 ? `tier ${role.tiers[0]}` : `tiers ${role.tiers.join(" and ")}`;
  // A role of regions is short of nodes for all of them alike: the first speaks for the rest.
  const reports = set.region === undefined || set.region === fleet.regions.find(({ on }) => on === undefined);
  if (candidates.length === 0) {
    if (reports) {
      log.atKey(["roles", role.key], {
        code: "NO_NODE",
        expected: `a node of ${tiersText} for ${role.key}`,
        found: "none",
        hint: `${set.region === undefined ? "pin it with on" : "pin its regions with on"}, or name other tiers, as in ${tiersHint(fleet)}`,
      });
    }
    return [];
  }
  if (fleet.policies.spreadReplicas && candidates.length < role.replicas) {
    if (reports) {
      log.atKey(["roles", role.key], {
        code: "UNSCHEDULABLE",
        expected: `${role.replicas} nodes of ${tiersText} for ${role.replicas} replicas on different nodes`,
        found: `${candidates.length}: ${shortList(candidates)}`,
        hint: "name more tiers, ask for fewer replicas, or set policies.spreadReplicas: false knowingly",
      });
    }
    return [];
  }
  const chosen: string[] = [];
  for (let replica = 0; replica < role.replicas; replica++) {
    const free = fleet.policies.spreadReplicas ? candidates.filter((name) => !chosen.includes(name)) : candidates;
    const node = leastLoaded(free, role, loads);
    chosen.push(node);
    addLoad(loads, node, role);
  }
  return chosen.sort(compareNames);
}

/** The tiers that there are nodes of, as the key is written: `tiers: [1, 2]`. */
function tiersHint({ nodes }: Fleet): string {
  return `tiers: [${[...new Set(nodes.map(({ tier }) => tier))].sort().join(", ")}]`;
}

/** Of the nodes with room the one that is least full afterwards; of none with room the same, its budget tells. */
function leastLoaded(names: readonly string[], role: FleetRole, loads: ReadonlyMap<string, NodeLoad>): string {
  let best: { readonly name: string; readonly fill: number; readonly roleCount: number } | undefined;
  for (const name of names) {
    const load = loads.get(name);
    if (load === undefined) continue;
    const fill = fillWith(load, role);
    const { roleCount } = load;
    // Ties keep the first: nodes come by name.
    if (best === undefined || fill < best.fill || (fill === best.fill && roleCount < best.roleCount)) {
      best = { name, fill, roleCount };
    }
  }
  if (best === undefined) throw new Error("no node to choose from");
  return best.name;
}

/** How full a node would be with one more replica: the larger share of CPU and memory. Above 1 it does not fit. */
function fillWith({ node, cpuMillicoresUsed, memoryBytesUsed }: NodeLoad, role: FleetRole): number {
  return Math.max(
    (cpuMillicoresUsed + (role.cpuMillicores ?? 0)) / node.cpuMillicores,
    (memoryBytesUsed + (role.memoryBytes ?? 0)) / node.memoryBytes,
  );
}

/** The share of the whole fleet's nodes that one replica takes, so that CPU and memory can be compared. */
function sizeOf(role: FleetRole, { nodes }: Fleet): number {
  const cpuMillicores = nodes.reduce((sum, node) => sum + node.cpuMillicores, 0);
  const memoryBytes = nodes.reduce((sum, node) => sum + node.memoryBytes, 0);
  return Math.max((role.cpuMillicores ?? 0) / cpuMillicores, (role.memoryBytes ?? 0) / memoryBytes);
}

function setText({ role, region }: ReplicaSet): string {
  return region === undefined ? role.kind : `${role.kind} ${region.name}`;
}

function emptyLoad(node: FleetNode): NodeLoad {
  return { node, cpuMillicoresUsed: 0, memoryBytesUsed: 0, roleCount: 0 };
}

function addLoad(loads: Map<string, NodeLoad>, name: string, role: FleetRole): void {
  const load = loads.get(name);
  if (load === undefined) throw new Error(`no node ${name}`);
  loads.set(name, {
    node: load.node,
    cpuMillicoresUsed: load.cpuMillicoresUsed + (role.cpuMillicores ?? 0),
    memoryBytesUsed: load.memoryBytesUsed + (role.memoryBytes ?? 0),
    roleCount: load.roleCount + 1,
  });
}
