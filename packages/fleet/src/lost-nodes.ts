/**
 * Nodes that policies allow to be lost at once, and whether what would be gone with them finds room on the rest. Read from
 * a finished plan, so that it holds for pinned roles as it does for placed ones.
 */
import type { Fleet, FleetRole } from "./fleet.ts";
import { compareNames } from "./name-order.ts";
import { NodeLoad } from "./node-load.ts";
import { usable } from "./placement.ts";
import type { Plan, PlannedRole, PlannedSurvival, Tier } from "./plan.ts";

/** Nodes without which a role has neither a replica nor, as far as is found, a place for one. */
export interface LossWithoutRoom {
  readonly nodes: readonly string[]; // no more than it takes: who else is lost besides does not matter
  readonly roles: readonly PlannedRole[]; // the first replica of each set that finds no room
}

/** Sets of nodes beyond which no further ones are looked at: far more than any fleet has that is placed with care. */
const lossesMax = 5000;

/**
 * The losses of up to `policies.nodesLostMax` nodes that leave a role without a place, smaller ones first; of larger ones
 * those that leave another role without a place than smaller ones within them do. A role that is pinned to one node is not
 * among them: nothing could take it.
 *
 * What is not reported fits, whichever nodes are lost, if there are no more than `lossesMax` losses to look at. What is
 * reported may fit after all where several roles are lost: they are given places one after the other, not in every way.
 */
export function lossesWithoutRoom(fleet: Fleet, plan: Plan): readonly LossWithoutRoom[] {
  const most = fleet.policies.nodesLostMax;
  const atRisk = plan.survival.filter((set) => set.nodes.length <= most && !isPinned(fleet, set));
  const own = [...new Map(atRisk.map(({ nodes }) => [nodes.join(" "), nodes])).values()];
  const roleOf = new Map(plan.roles.map((role) => [role.id, role]));
  const reported: LossWithoutRoom[] = [];
  const losses = new LossQueue(most);
  for (const nodes of own) losses.add(nodes);
  for (const nodes of losses.bySize()) {
    const { homeless, places } = rehouse(fleet, plan, new Set(nodes), atRisk, roleOf);
    const known = reported.filter((loss) => loss.nodes.every((node) => nodes.includes(node)));
    const isKnown = (role: PlannedRole) => known.some(({ roles }) => roles.includes(role));
    if (!homeless.every(isKnown)) reported.push({ nodes, roles: homeless });
    // Nodes that neither take a role with them nor have just taken one in are missed by nobody, whatever their number.
    for (const place of places) if (nodes.length + 1 < fleet.nodes.length) losses.add([...nodes, place]);
    for (const others of own) losses.add([...nodes, ...others]);
  }
  return reported;
}

/** Sets of nodes to look at, each once, while new ones come in. */
class LossQueue {
  readonly #most: number;
  readonly #keys = new Set<string>();
  readonly #ofSize: (readonly string[])[][];

  /** `most`: sets of more nodes are left out. */
  constructor(most: number) {
    this.#most = most;
    this.#ofSize = Array.from({ length: most + 1 }, () => []);
  }

  /** Names may repeat. */
  add(nodes: readonly string[]): void {
    if (this.#keys.size >= lossesMax) return;
    const distinct = new Set(nodes);
    if (distinct.size > this.#most) return;
    const sorted = [...distinct].sort(compareNames);
    const key = sorted.join(" ");
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    this.#ofSize[distinct.size]?.push(sorted);
  }

  /** Smaller ones first; who adds while this runs adds sets larger than the one in hand. */
  *bySize(): Generator<readonly string[], void> {
    for (const sets of this.#ofSize) yield* sets;
  }
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

/** What is gone with nodes, on the rest: who finds no room there, and the nodes that have taken the others in. */
interface Rehousing {
  readonly homeless: readonly PlannedRole[];
  readonly places: ReadonlySet<string>;
}

function rehouse(
  fleet: Fleet,
  plan: Plan,
  gone: ReadonlySet<string>,
  atRisk: readonly PlannedSurvival[],
  roleOf: ReadonlyMap<string, PlannedRole>,
): Rehousing {
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
  const homeless: PlannedRole[] = [];
  const places = new Set<string>();
  for (const { role, able } of orders) {
    const fullest = able.filter((load) => load.holds(role)).sort((a, b) => b.fillWith(role) - a.fillWith(role))[0];
    if (fullest === undefined) {
      homeless.push(role);
      continue;
    }
    fullest.add(role);
    places.add(fullest.node.name);
  }
  return { homeless, places };
}
