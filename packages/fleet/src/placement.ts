/**
 * Who runs where: pinned replicas first, then those that an older plan has somewhere, then those with the fewest nodes to
 * choose from, then the largest. Each goes to a node that has room, in a zone that has fewest of its set, among the least
 * loaded; of nodes about as loaded the one is taken that the names of set and node favour. So a fleet that changes a little
 * keeps most of its replicas where they are even without the older plan, and the same input always gives the same placement.
 *
 * Where policies allow nodes to be lost, room is kept on others for what would be gone with them, as far as there is any.
 */
import { unreachable } from "@pleiad/model";
import type { Fleet, FleetNode, FleetRegion, FleetRole } from "./fleet.ts";
import type { Path } from "./fleet-source.ts";
import { compareNames, didYouMean } from "./name-order.ts";
import { shortList } from "./membership.ts";
import { NodeLoad } from "./node-load.ts";
import type { PlannedShard } from "./plan.ts";
import type { PreviousPlan } from "./previous-plan.ts";
import type { ProblemLog } from "./problem-log.ts";
import type { RoleSize, RoleSizes } from "./role-sizes.ts";
import type { SuperRegion } from "./super-regions.ts";

/** The replicas of one role that back each other up: of the whole fleet, or of one region; of one shard. */
interface ReplicaSet {
  readonly role: FleetRole;
  readonly region: FleetRegion | undefined;
  readonly scopeName: string | undefined; // of the region or super-region
  readonly shard: PlannedShard;
  readonly size: RoleSize;
}

export interface PlacedReplica {
  readonly role: FleetRole;
  readonly region: string | undefined;
  readonly replica: number; // over all shards
  readonly shard: PlannedShard;
  readonly size: RoleSize;
  readonly node: string;
}

/** What is placed, and how large it is. */
export interface PlacementOrder {
  readonly roles: readonly FleetRole[];
  readonly superRegions: readonly SuperRegion[];
  readonly sizes: RoleSizes;
  readonly previous?: PreviousPlan | undefined; // what of it can stay does
  readonly keepsRoom: boolean; // for what would be gone with lost nodes
}

/** Places every replica, in the order of the plan: by role, region, replica. What cannot be placed goes to the log. */
export function placeRoles(
  fleet: Fleet,
  { roles, superRegions, sizes, previous, keepsRoom }: PlacementOrder,
  log: ProblemLog,
): readonly PlacedReplica[] {
  const loads = new Map(fleet.nodes.map((node) => [node.name, emptyLoad(node, fleet)]));
  const sets = roles.flatMap((role) => replicaSets(role, fleet, superRegions, sizes));
  const nodesOf = new Map<ReplicaSet, readonly string[]>();
  for (const set of sets) {
    const pins = pinsOf(set);
    if (pins !== undefined) nodesOf.set(set, pinReplicas(set, pins, roles, fleet, loads, log));
  }
  const cpuMillicores = fleet.nodes.reduce((sum, node) => sum + node.cpuMillicores, 0);
  const memoryBytes = fleet.nodes.reduce((sum, node) => sum + node.memoryBytes, 0);
  // The share of the whole fleet that one replica takes, so that CPU and memory can be compared.
  const share = ({ size }: ReplicaSet) => Math.max(size.cpuMillicores / cpuMillicores, size.memoryBytes / memoryBytes);
  const choicesOf = new Map(
    roles.map((role) => [role, fleet.nodes.filter(({ tier }) => role.tiers.includes(tier)).length]),
  );
  const choices = ({ role }: ReplicaSet) => choicesOf.get(role) ?? 0;
  const automatic = sets.filter((set) => !nodesOf.has(set));
  // Who can be on few nodes only chooses before others fill these. Sorting is stable: the rest is the order of the plan.
  automatic.sort((a, b) => choices(a) - choices(b) || share(b) - share(a));
  const kept = keptNodes(automatic, previous, fleet, loads);
  for (const set of automatic) {
    const nodes = spreadReplicas(set, kept.get(set) ?? [], fleet, loads, log);
    nodesOf.set(set, nodes);
    if (keepsRoom) keepSpare(set, nodes, fleet, loads);
  }
  return sets.flatMap((set) =>
    (nodesOf.get(set) ?? []).map((node, i) => ({
      role: set.role,
      region: set.scopeName,
      replica: replicaOf(set, i),
      shard: set.shard,
      size: set.size,
      node,
    })),
  );
}

/** The identity of a replica: `regional-querier-a1-0`, `compactor-0`. */
export function roleId({ role, region, replica }: Pick<PlacedReplica, "role" | "region" | "replica">): string {
  return region === undefined ? `${role.kind}-${replica}` : `${role.kind}-${region}-${replica}`;
}

/** What roles may use of a node: what it has, less its own system's share, less what the policies keep free. */
export function usable(
  fleet: Fleet,
  node: FleetNode,
): { readonly cpuMillicores: number; readonly memoryBytes: number } {
  const { reserve, headroomRatio } = fleet.policies;
  return {
    cpuMillicores: Math.max(0, Math.floor((node.cpuMillicores - reserve.cpuMillicores) * (1 - headroomRatio))),
    memoryBytes: Math.max(0, Math.floor((node.memoryBytes - reserve.memoryBytes) * (1 - headroomRatio))),
  };
}

function replicaSets(
  role: FleetRole,
  fleet: Fleet,
  superRegions: readonly SuperRegion[],
  sizes: RoleSizes,
): readonly ReplicaSet[] {
  const shardsOf = (region: FleetRegion | undefined, scopeName: string | undefined): ReplicaSet[] => {
    const size = sizes(role, scopeName);
    return Array.from({ length: size.shards }, (_, index) => {
      return { role, region, scopeName, shard: { index, count: size.shards }, size };
    });
  };
  switch (role.scope) {
    case "fleet":
      return shardsOf(undefined, undefined);
    case "region":
      return regionsWith(role, fleet).flatMap((region) => shardsOf(region, region.name));
    case "super-region":
      return superRegions.flatMap(({ name }) => shardsOf(undefined, name));
    default:
      return unreachable(role.scope);
  }
}

/** The regions that need a role: receivers are where clusters push. */
function regionsWith({ kind }: FleetRole, { regions, clusters }: Fleet): readonly FleetRegion[] {
  if (kind !== "receiver") return regions;
  const pushing = new Set(clusters.filter(({ ingest }) => ingest === "push").map(({ region }) => region));
  return regions.filter(({ name }) => pushing.has(name));
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
  roles: readonly FleetRole[],
  fleet: Fleet,
  loads: ReadonlyMap<string, NodeLoad>,
  log: ProblemLog,
): readonly string[] {
  const path = [...pathOf(set), "on"];
  const unknown = pins.flatMap((name, i) => (loads.has(name) ? [] : [[name, i] as const]));
  if (unknown.length > 0) {
    // A region's pins serve all its roles, and a role's all its shards: one report is enough.
    const isFirst = set.region === undefined || roles.find(({ scope }) => scope === "region") === set.role;
    if (isFirst && set.shard.index === 0) {
      for (const [name, i] of unknown) reportUnknownNode(name, [...path, i], fleet, log);
    }
    return [];
  }
  const { replicas } = set.role;
  const nodes = Array.from({ length: replicas }, (_, i) => pins[(set.shard.index * replicas + i) % pins.length] ?? "");
  const distinct = new Set(nodes);
  if (fleet.policies.spreadReplicas && distinct.size < nodes.length) {
    log.atValue(path, {
      code: "HA_SAME_NODE",
      expected: `${nodes.length} different nodes for the ${nodes.length} replicas of ${setText(set)}`,
      found: shortList([...distinct]),
      hint: "one lost node would take replicas with it; policies.spreadReplicas: false allows that knowingly",
    });
  }
  for (const node of nodes) loads.get(node)?.add(set.size);
  return nodes;
}

function reportUnknownNode(name: string, path: Path, fleet: Fleet, log: ProblemLog): void {
  const known = fleet.nodes.map((node) => node.name);
  log.atValue(path, {
    code: "NO_NODE",
    expected: `one of the nodes ${shortList(known)}`,
    found: JSON.stringify(name.slice(0, 80)),
    hint: didYouMean(name, known),
  });
}

/** Of the whole role or region, over all shards. */
function replicaOf({ shard, role }: ReplicaSet, i: number): number {
  return shard.index * role.replicas + i;
}

/** The nodes that replicas have in the older plan and can stay on, by their place in the set. */
function keptNodes(
  sets: readonly ReplicaSet[],
  previous: PreviousPlan | undefined,
  fleet: Fleet,
  loads: ReadonlyMap<string, NodeLoad>,
): ReadonlyMap<ReplicaSet, readonly (string | undefined)[]> {
  if (previous === undefined) return new Map();
  const old = new Map(previous.roles.map((role) => [role.id, role]));
  const oldOf = (set: ReplicaSet, i: number) =>
    old.get(roleId({ role: set.role, region: set.scopeName, replica: replicaOf(set, i) }));
  const hasGrown = (set: ReplicaSet) =>
    Array.from({ length: set.role.replicas }, (_, i) => oldOf(set, i)).some(
      (one) =>
        one !== undefined && (one.cpuMillicores < set.size.cpuMillicores || one.memoryBytes < set.size.memoryBytes),
    );
  const kept = new Map<ReplicaSet, readonly (string | undefined)[]>();
  const keep = (set: ReplicaSet) => {
    const nodes: (string | undefined)[] = [];
    for (let i = 0; i < set.role.replicas; i++) {
      const load = loads.get(oldOf(set, i)?.node ?? "");
      const canStay =
        load !== undefined &&
        set.role.tiers.includes(load.node.tier) &&
        !(fleet.policies.spreadReplicas && nodes.includes(load.node.name)) &&
        load.holds(set.size);
      nodes.push(canStay ? load.node.name : undefined);
      if (canStay) load.add(set.size);
    }
    kept.set(set, nodes);
  };
  // What has not grown stays wherever it is: who needs more than before is the one to go.
  const [grown, others] = [sets.filter(hasGrown), sets.filter((set) => !hasGrown(set))];
  for (const set of [...others, ...grown]) keep(set);
  return kept;
}

/** Keeps room on other nodes for one replica, where nodes that may be lost at once can have all of them. */
function keepSpare(
  { role, size }: ReplicaSet,
  nodes: readonly string[],
  { policies }: Fleet,
  loads: ReadonlyMap<string, NodeLoad>,
): void {
  const own = [...new Set(nodes)].sort(compareNames);
  if (own.length === 0 || own.length > policies.nodesLostMax) return;
  const lost = own.join(" ");
  // Of the nodes that are lost besides, each may be one that has kept room for it.
  const count = policies.nodesLostMax - own.length + 1;
  const able = [...loads.values()].filter(
    (load) => role.tiers.includes(load.node.tier) && !own.includes(load.node.name) && load.couldSpare(lost, size),
  );
  able.sort((a, b) => a.fillWith(size) - b.fillWith(size));
  for (const load of able.slice(0, count)) load.spare(lost, size);
}

/** Nodes for the replicas that are not kept where they are. */
function spreadReplicas(
  set: ReplicaSet,
  kept: readonly (string | undefined)[],
  fleet: Fleet,
  loads: ReadonlyMap<string, NodeLoad>,
  log: ProblemLog,
): readonly string[] {
  const { role } = set;
  const { spreadReplicas, spreadZones } = fleet.policies;
  const candidates = [...loads.values()].filter(({ node }) => role.tiers.includes(node.tier));
  if (candidates.length === 0 || (spreadReplicas && candidates.length < role.replicas)) {
    reportTooFewNodes(set, candidates, fleet, log);
    return [];
  }
  const key = hashText(`${role.key} ${set.scopeName ?? ""} ${set.shard.index}`);
  const chosen = kept.flatMap((name) => (name === undefined ? [] : (loads.get(name) ?? [])));
  const added: string[] = [];
  while (chosen.length < role.replicas) {
    const free = spreadReplicas ? candidates.filter((load) => !chosen.includes(load)) : candidates;
    const load = choose(spreadZones ? inEmptiestZones(free, chosen) : free, free, set.size, key);
    chosen.push(load);
    added.push(load.node.name);
    load.add(set.size);
  }
  added.sort(compareNames);
  return Array.from({ length: role.replicas }, (_, i) => kept[i] ?? added.shift() ?? "");
}

function reportTooFewNodes(set: ReplicaSet, candidates: readonly NodeLoad[], fleet: Fleet, log: ProblemLog): void {
  const { role } = set;
  // A role of regions is short of nodes for all of them alike: the first speaks for the rest.
  const isFirst = set.region === undefined || set.region === fleet.regions.find(({ on }) => on === undefined);
  if (!isFirst || set.shard.index > 0) return;
  const tiersText = role.tiers.length === 1 ? `tier ${role.tiers[0]}` : `tiers ${role.tiers.join(" and ")}`;
  if (candidates.length === 0) {
    log.atKey(["roles", role.key], {
      code: "NO_NODE",
      expected: `a node of ${tiersText} for ${role.key}`,
      found: "none",
      hint: `${set.region === undefined ? "pin it with on" : "pin its regions with on"}, or name other tiers, as in ${tiersHint(fleet)}`,
    });
    return;
  }
  log.atKey(["roles", role.key], {
    code: "UNSCHEDULABLE",
    expected: `${role.replicas} nodes of ${tiersText} for ${role.replicas} replicas on different nodes`,
    found: `${candidates.length}: ${shortList(candidates.map(({ node }) => node.name))}`,
    hint: "name more tiers, ask for fewer replicas, or set policies.spreadReplicas: false knowingly",
  });
}

/** The tiers that there are nodes of, as the key is written: `tiers: [1, 2]`. */
function tiersHint({ nodes }: Fleet): string {
  return `tiers: [${[...new Set(nodes.map(({ tier }) => tier))].sort().join(", ")}]`;
}

/** Nodes in the zones that have fewest of the set already. A node that names no zone is a zone by itself. */
function inEmptiestZones(free: readonly NodeLoad[], chosen: readonly NodeLoad[]): readonly NodeLoad[] {
  if (chosen.length === 0) return free;
  const countOf = ({ node }: NodeLoad) =>
    node.zone === undefined ? 0 : chosen.filter((other) => other.node.zone === node.zone).length;
  const fewest = free.reduce((least, load) => Math.min(least, countOf(load)), Infinity);
  return free.filter((load) => countOf(load) === fewest);
}

/** Nodes whose fill differs by less than this share are taken for as loaded. */
const fillSlack = 0.05;

/**
 * The node for one more replica, of `preferred` where one of these has room, else of `others`. Where no node has room the
 * least full is taken, and its budget tells.
 */
function choose(preferred: readonly NodeLoad[], others: readonly NodeLoad[], size: RoleSize, key: number): NodeLoad {
  const room = (nodes: readonly NodeLoad[]) => {
    const beside = nodes.filter((load) => load.holdsBesideSpare(size));
    return beside.length > 0 ? beside : nodes.filter((load) => load.holds(size));
  };
  const near = room(preferred);
  const roomy = near.length > 0 ? near : room(others);
  const from = roomy.length > 0 ? roomy : others;
  const least = from.reduce((fill, load) => Math.min(fill, load.fillWith(size)), Infinity);
  const slack = roomy.length > 0 ? fillSlack : 0;
  let best: NodeLoad | undefined;
  for (const load of from) {
    if (load.fillWith(size) > least + slack) continue;
    // Equal hashes keep the first: nodes come by name.
    if (best === undefined || mixHash(key, load.hash) > mixHash(key, best.hash)) best = load;
  }
  if (best === undefined) throw new Error("no node to choose from");
  return best;
}

function setText({ role, region }: ReplicaSet): string {
  return region === undefined ? role.kind : `${role.kind} ${region.name}`;
}

function emptyLoad(node: FleetNode, fleet: Fleet): NodeLoad {
  return new NodeLoad(node, usable(fleet, node), hashText(node.name), fleet.policies.nodesLostMax);
}

/** FNV-1a over UTF-16 units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Two hashes as one, so that every set has its own order of nodes (rendezvous hashing). */
function mixHash(a: number, b: number): number {
  let hash = Math.imul(a ^ (b + 0x9e3779b9), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
