/**
 * What a fleet needs to have so many clusters: ways to get there, each planned in earnest, with the nodes that it takes,
 * what it moves, what it costs, and the rules that it breaks.
 */
import type { Measured } from "@pleiad/capacity";
import {
  capacityOf,
  formatFleetProblem,
  planFleet,
  type Fleet,
  type FleetFailure,
  type Plan,
  type RoleKey,
  type Tier,
} from "@pleiad/fleet";
import { brokenBounds, fillEvenly, monthsUntil, type BrokenBound } from "./bounds.ts";
import { costOf } from "./cost.ts";
import { freshRegions, withClusters, withNodes, type Additions } from "./grown-fleet.ts";
import { diffPlans } from "./plan-diff.ts";

export type GrowthWay =
  | "fill the regions"
  | "add one region"
  | "add regions"
  | "fill, then add regions"
  | "larger regions"
  | "another tier";

export interface GrowthOption {
  readonly way: GrowthWay;
  readonly regions: readonly { readonly name: string; readonly clusters: number; readonly added: number }[];
  readonly nodesAdded: number; // that the plan needs
  readonly nodesOneARegion: number; // nodes in all, were each new region to get a node of its own
  readonly movedRoles: number;
  readonly movedClusters: number;
  readonly moves: readonly string[]; // `compactor-0 from node-2 to node-7`
  readonly infrastructureMicros: number; // a month, without staff
  readonly broken: readonly string[]; // rules that it breaks; none = it can be done
  readonly tiers: number;
  readonly note: string; // what else is to be said; empty where there is nothing
}

export interface GrowthStep {
  readonly clusters: number;
  readonly months: number | undefined; // until there are so many, at the rate of growth
  readonly options: readonly GrowthOption[];
  readonly best: GrowthWay | undefined; // breaks no rule, adds fewest nodes, then fewest regions
}

export interface Growth {
  readonly currency: string;
  readonly clusters: number; // now
  readonly clustersPerMonth: number | undefined;
  readonly bounds: readonly BrokenBound[]; // of the fleet as it is, the first first
  readonly steps: readonly GrowthStep[];
  readonly ladder: readonly NodeRung[];
}

/** The most clusters that so many nodes hold where each region has a node of its own. */
export interface NodeRung {
  readonly nodes: number;
  readonly keeping: number; // regions as full as they are now
  readonly filling: number; // all regions full
}

export interface GrowthOptions {
  readonly sizes: readonly number[]; // of the whole fleet, each above what it has
  readonly clustersPerMonth: number | undefined;
  readonly measured?: Measured | undefined; // values in place of the capacity model's own
}

/** Nodes beyond which no further ones are tried. */
const nodesAddedMax = 500;

export function growthOf(fleet: Fleet, plan: Plan, { sizes, clustersPerMonth, measured }: GrowthOptions): Growth {
  const rate = clustersPerMonth ?? fleet.growth?.clustersPerMonth;
  const now = fleet.clusters.length;
  return {
    currency: fleet.prices.currency,
    clusters: now,
    clustersPerMonth: rate,
    bounds: brokenBounds(fleet, rate, measured),
    steps: [...new Set(sizes)]
      .sort((a, b) => a - b)
      .map((clusters) => {
        const options = waysTo(fleet, clusters - now).map((way) => optionOf({ fleet, plan, measured }, way));
        return { clusters, months: monthsUntil(clusters - now, rate), options, best: bestOf(options) };
      }),
    ladder: ladderOf(fleet),
  };
}

interface Way {
  readonly way: GrowthWay;
  readonly fleet: Fleet;
  readonly additions: Additions;
}

function waysTo(fleet: Fleet, more: number): readonly Way[] {
  const rule = fleet.policies.clustersPerRegionMax;
  const room = new Map(fleet.regions.map(({ name, clusters }) => [name, Math.max(0, rule - clusters.length)]));
  const roomInAll = [...room.values()].reduce((sum, one) => sum + one, 0);
  const filled = fillEvenly(fleet, more);
  const [region = ""] = freshRegions(fleet, 1);
  const way = (name: GrowthWay, additions: Additions, of = fleet): Way => ({
    way: name,
    fleet: withClusters(of, additions),
    additions,
  });
  const spilled = new Map([
    ...(roomInAll >= more ? filled : new Map([...room].filter(([, one]) => one > 0))),
    ...inNewRegions(fleet, more - Math.min(more, roomInAll)),
  ]);
  return [
    way("fill the regions", filled),
    ...(more > rule ? [way("add one region", new Map([[region, more]]))] : []),
    way("add regions", inNewRegions(fleet, more)),
    ...(roomInAll === 0 ? [] : [way("fill, then add regions", spilled)]),
    way("larger regions", filled, withLargerRegions(fleet, more)),
    way("another tier", spilled, withAnotherTier(fleet, spilled)),
  ];
}

function inNewRegions(fleet: Fleet, more: number): Additions {
  const rule = fleet.policies.clustersPerRegionMax;
  const names = freshRegions(fleet, Math.ceil(more / rule));
  return new Map(names.map((name, i) => [name, Math.min(rule, more - i * rule)]));
}

/** The rule raised to what fills the regions there are, with queriers as large as the model then says. */
function withLargerRegions(fleet: Fleet, more: number): Fleet {
  const sizes = fillEvenly(fleet, more);
  const largest = Math.max(...fleet.regions.map(({ name, clusters }) => clusters.length + (sizes.get(name) ?? 0)));
  const sized: readonly RoleKey[] = ["regional-querier", "regional-store-gateway"];
  return {
    ...fleet,
    policies: { ...fleet.policies, clustersPerRegionMax: Math.max(largest, fleet.policies.clustersPerRegionMax) },
    roles: fleet.roles.map((role) =>
      sized.includes(role.key) ? { ...role, cpuMillicores: undefined, memoryBytes: undefined } : role,
    ),
  };
}

/** Queriers between regions and root, each over about as many regions as there are groups of them. */
function withAnotherTier(fleet: Fleet, additions: Additions): Fleet {
  const regions = new Set([...fleet.regions.map(({ name }) => name), ...additions.keys()]).size;
  const most = Math.max(2, Math.ceil(Math.sqrt(regions)));
  return {
    ...fleet,
    policies: { ...fleet.policies, regionsPerQuerierMax: Math.min(most, fleet.policies.regionsPerQuerierMax) },
  };
}

/** What a fleet is before it grows. */
interface GrowthStart {
  readonly fleet: Fleet;
  readonly plan: Plan;
  readonly measured: Measured | undefined;
}

function optionOf({ fleet: before, plan, measured }: GrowthStart, { way, fleet, additions }: Way): GrowthOption {
  const inPlace = withEnoughNodes(fleet, plan, measured);
  // What is where it is may be in the way: then all is placed anew.
  const placed = inPlace.plan === undefined ? withEnoughNodes(fleet, undefined, measured) : inPlace;
  const diff = placed.plan === undefined ? undefined : diffPlans(plan, placed.plan);
  const known = new Set(before.regions.map(({ name }) => name));
  const newRegions = fleet.regions.filter(({ name }) => !known.has(name)).length;
  return {
    way,
    regions: fleet.regions.map(({ name, clusters }) => ({
      name,
      clusters: clusters.length,
      added: additions.get(name) ?? 0,
    })),
    nodesAdded: placed.fleet.nodes.length - before.nodes.length,
    nodesOneARegion: before.nodes.length + newRegions,
    movedRoles: diff?.movedRoles ?? 0,
    movedClusters: diff?.movedClusters ?? 0,
    moves: (diff?.steps ?? []).flatMap(({ action, subject, what }) =>
      action === "move" ? [`${subject} ${what}`] : [],
    ),
    infrastructureMicros: costOf(withRoomInBucket(placed.fleet, measured), measured).infrastructureMicros,
    broken: [...rulesBroken(fleet), ...(placed.failure === undefined ? [] : [firstProblem(placed.failure)])],
    note: noteOf(before, fleet, placed.plan),
    tiers:
      placed.plan?.superRegions === undefined ? 3 : 3 + Math.max(...placed.plan.superRegions.map(({ level }) => level)),
  };
}

/** What does not fit into the bucket costs nothing there: the price is that of a bucket that holds it. */
function withRoomInBucket(fleet: Fleet, measured: Measured | undefined): Fleet {
  const { objectStorage } = fleet;
  if (objectStorage === undefined) return fleet;
  const bytes = capacityOf(fleet, measured).fleet.figure("bucket.bytes").value;
  return { ...fleet, objectStorage: { ...objectStorage, capacityBytes: Math.max(objectStorage.capacityBytes, bytes) } };
}

/** What a way takes besides nodes: another rule and the queriers that go with it, or queriers of another tier. */
function noteOf(before: Fleet, { policies }: Fleet, plan: Plan | undefined): string {
  const rule = policies.clustersPerRegionMax;
  if (plan?.superRegions !== undefined) {
    const queriers = plan.superRegions.reduce((sum, one) => sum + one.queriers.length, 0);
    return `${queriers} queriers more between the regions and the root`;
  }
  if (rule === before.policies.clustersPerRegionMax) return "";
  const querier = plan?.roles.find(({ kind }) => kind === "regional-querier");
  const size =
    querier === undefined
      ? ""
      : `, with queriers of ${querier.cpuMillicores / 1000} cores and ${(querier.memoryBytes / 2 ** 30).toFixed(1)} GiB`;
  return `the rule becomes ${rule}${size}`;
}

interface PlacedFleet {
  readonly fleet: Fleet;
  readonly plan?: Plan;
  readonly failure?: FleetFailure;
}

/**
 * Adds nodes of the tiers that are short of room, twice as many each time, until the plan holds; then as few of those as
 * still do. What `previous` has somewhere stays there if it can.
 */
function withEnoughNodes(fleet: Fleet, previous: Plan | undefined, measured: Measured | undefined): PlacedFleet {
  const placedWith = (tiers: readonly Tier[]): PlacedFleet => {
    const grown = withNodes(fleet, tiers);
    const plan = planFleet(grown, { previous, measured, mayPlaceAnew: false });
    return plan.ok ? { fleet: grown, plan: plan.value } : { fleet: grown, failure: plan.failure };
  };
  let added: readonly Tier[] = [];
  let placed = placedWith(added);
  for (let count = 1; placed.failure !== undefined; count *= 2) {
    const short = tiersShort(placed.fleet, placed.failure);
    if (short.length === 0 || added.length >= nodesAddedMax) return { fleet, failure: placed.failure };
    added = [...added, ...Array.from({ length: count }, () => short).flat()];
    placed = placedWith(added);
  }
  let [short, enough] = [-1, added.length];
  while (enough - short > 1) {
    const middle = Math.floor((short + enough) / 2);
    const tried = placedWith(added.slice(0, middle));
    if (tried.plan === undefined) short = middle;
    else [enough, placed] = [middle, tried];
  }
  return placed;
}

const roomCodes: readonly string[] = ["NODE_CPU", "NODE_MEM", "NODE_DISK", "UNSCHEDULABLE", "NO_NODE"];

function tiersShort({ nodes, roles }: Fleet, { problems }: FleetFailure): readonly Tier[] {
  const tiers = problems.flatMap(({ code, path }): readonly Tier[] => {
    if (!roomCodes.includes(code)) return [];
    const [section, name] = path.split(".");
    if (section === "nodes") return nodes.filter((node) => node.name === name).map(({ tier }) => tier);
    if (section === "roles") {
      const role = roles.find(({ key }) => key === name);
      // Queriers of another tier may be the planner's own, and run where the global ones do.
      return role === undefined ? [1] : role.tiers.slice(0, 1);
    }
    return [2];
  });
  return [...new Set(tiers)].sort();
}

function rulesBroken({ regions, policies }: Fleet): readonly string[] {
  const rule = policies.clustersPerRegionMax;
  const over = regions.filter(({ clusters }) => clusters.length > rule);
  const [first] = over;
  if (first === undefined) return [];
  const most = Math.max(...over.map(({ clusters }) => clusters.length));
  const where = over.length === 1 ? first.name : `${over.length} regions`;
  return [`${where} with ${most} clusters: ${most - rule} above the rule of ${rule}`];
}

function firstProblem({ problems }: FleetFailure): string {
  const [problem] = problems;
  return problem === undefined ? "cannot be planned" : `cannot be planned: ${formatFleetProblem(problem)}`;
}

function bestOf(options: readonly GrowthOption[]): GrowthWay | undefined {
  const possible = options.filter(({ broken, way }) => broken.length === 0 && way !== "larger regions");
  return possible.toSorted(
    (a, b) => a.nodesAdded - b.nodesAdded || a.tiers - b.tiers || a.regions.length - b.regions.length,
  )[0]?.way;
}

/** Rungs from the nodes there are to 15, and to twice as many: one node more, one region more. */
function ladderOf({ nodes, regions, clusters, policies }: Fleet): readonly NodeRung[] {
  const rule = policies.clustersPerRegionMax;
  const others = nodes.length - regions.length; // nodes that are no region's
  const rungs = Math.max(2 * nodes.length, 15) - nodes.length + 1;
  if (others < 0) return [];
  return Array.from({ length: rungs }, (_, more) => ({
    nodes: nodes.length + more,
    keeping: clusters.length + rule * more,
    filling: rule * (regions.length + more),
  }));
}
