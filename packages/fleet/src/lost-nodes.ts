/**
 * Nodes that policies allow to be lost at once, and whether what would be gone with them finds room on the rest. Read from
 * a finished plan, so that it holds for pinned roles as it does for placed ones.
 */
import type { Fleet, FleetRole } from "./fleet.ts";
import { compareNames } from "./name-order.ts";
import { NodeLoad } from "./node-load.ts";
import { usable } from "./placement.ts";
import type { Plan, PlannedRole, PlannedSurvival, Tier } from "./plan.ts";

/** Nodes without which a role has neither a replica nor a place for one. */
export interface LossWithoutRoom {
  readonly nodes: readonly string[];
  readonly roles: readonly PlannedRole[]; // the first replica of each set that finds no room
}

/** Sets of nodes beyond which no further ones are looked at: far more than any fleet has that is placed with care. */
const lossesMax = 5000;

/**
 * The losses of as many nodes as `policies.nodesLostMax` says that leave a role without a place. A role that is pinned to
 * one node is not among them: nothing could take it.
 */
export function lossesWithoutRoom(fleet: Fleet, plan: Plan): readonly LossWithoutRoom[] {
  const most = fleet.policies.nodesLostMax;
  const atRisk = plan.survival.filter((set) => set.nodes.length <= most && !isPinned(fleet, set));
  const losses = lossesOf(atRisk, most);
  const roleOf = new Map(plan.roles.map((role) => [role.id, role]));
  return losses.flatMap((nodes) => {
    const gone = new Set(fill(nodes, most, plan));
    const roles = withoutRoom(fleet, plan, gone, atRisk, roleOf);
    return roles.length === 0 ? [] : [{ nodes: [...gone].sort(compareNames), roles }];
  });
}

/** The file's role that a planned one is of; undefined for queriers of super-regions that it does not name. */
export function fleetRoleOf(
  { roles }: Fleet,
  { kind, region }: Pick<PlannedRole, "kind" | "region">,
): FleetRole | undefined {
  return roles.find((role) => role.kind === kind && (role.scope === "fleet") === (region === undefined));
}

function isPinned(fleet: Fleet, set: PlannedSurvival): boolean {
  return set.nodes.length === 1 && pinsOf(fleet, set) !== undefined;
}

function pinsOf(fleet: Fleet, set: PlannedSurvival): readonly string[] | undefined {
  const region = fleet.regions.find(({ name }) => name === set.region);
  return region === undefined ? fleetRoleOf(fleet, set)?.on : region.on;
}

/** Every union of the nodes of such sets, of at most `most` nodes: what else is lost takes no role with it. */
function lossesOf(sets: readonly PlannedSurvival[], most: number): readonly (readonly string[])[] {
  const unions = new Map<string, readonly string[]>();
  const add = (nodes: readonly string[]) => {
    if (nodes.length > most || unions.size >= lossesMax) return;
    const sorted = nodes.toSorted(compareNames);
    unions.set(sorted.join(" "), sorted);
  };
  const own = [...new Map(sets.map(({ nodes }) => [nodes.join(" "), nodes])).values()];
  for (const nodes of own) add(nodes);
  for (let round = 1; round < most; round++) {
    for (const one of [...unions.values()]) for (const nodes of own) add([...new Set([...one, ...nodes])]);
  }
  return [...unions.values()];
}

/** As many nodes as may be lost: besides the given ones those with the most memory free, which would be missed most. */
function fill(lost: readonly string[], most: number, { nodes }: Plan): readonly string[] {
  const others = nodes
    .filter(({ name }) => !lost.includes(name))
    .sort((a, b) => b.memoryBytes - b.memoryBytesUsed - (a.memoryBytes - a.memoryBytesUsed));
  const count = Math.min(most - lost.length, Math.max(0, others.length - 1));
  return [...lost, ...others.slice(0, count).map(({ name }) => name)];
}

function withoutRoom(
  fleet: Fleet,
  plan: Plan,
  gone: ReadonlySet<string>,
  atRisk: readonly PlannedSurvival[],
  roleOf: ReadonlyMap<string, PlannedRole>,
): readonly PlannedRole[] {
  const lost = atRisk.filter(({ nodes }) => nodes.every((node) => gone.has(node)));
  const loads = new Map(
    fleet.nodes
      .filter(({ name }) => !gone.has(name))
      .map((node) => [node.name, new NodeLoad(node, usable(fleet, node), 0, 0)]),
  );
  for (const role of plan.roles) loads.get(role.node)?.add(role);
  const orders = lost.flatMap((set) => {
    const role = roleOf.get(set.roles[0] ?? "");
    if (role === undefined) return [];
    const tiers: readonly Tier[] = fleetRoleOf(fleet, set)?.tiers ?? [1];
    const pins = pinsOf(fleet, set);
    const able = [...loads.values()].filter(({ node }) => pins?.includes(node.name) ?? tiers.includes(node.tier));
    return [{ role, able }];
  });
  // Who has the fewest places first, of these the largest: the order in which placement chooses.
  orders.sort((a, b) => a.able.length - b.able.length || b.role.memoryBytes - a.role.memoryBytes);
  return orders.flatMap(({ role, able }) => {
    const fullest = able.filter((load) => load.holds(role)).sort((a, b) => b.fillWith(role) - a.fillWith(role))[0];
    if (fullest === undefined) return [role];
    fullest.add(role);
    return [];
  });
}
