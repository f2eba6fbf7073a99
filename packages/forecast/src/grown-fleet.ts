/** A fleet with more clusters, regions or nodes than its file has: what growth is planned on. */
import {
  compareNames,
  type Fleet,
  type FleetCluster,
  type FleetNode,
  type FleetRegion,
  type Tier,
} from "@pleiad/fleet";

/** How many clusters each region gets in addition, by region; a name that is not there yet is a new region. */
export type Additions = ReadonlyMap<string, number>;

/**
 * The fleet with clusters added, each like those of the group that has most of them. Regions that get more than they are
 * allowed are allowed it: whether that breaks a rule is for the caller to say.
 */
export function withClusters(fleet: Fleet, additions: Additions): Fleet {
  const template = typicalCluster(fleet);
  const names = freshNames(
    fleet.clusters.map(({ name }) => name),
    template.name,
    [...additions.values()].reduce((sum, count) => sum + count, 0),
  );
  let next = 0;
  const added = [...additions].flatMap(([region, count]) =>
    names.slice(next, (next += count)).map((name) => clusterLike(template, name, region)),
  );
  const clusters = [...fleet.clusters, ...added]
    .sort((a, b) => compareNames(a.name, b.name))
    .map((cluster, i) => ({ ...cluster, number: i + 1 }));
  const clustersOf = Map.groupBy(clusters, ({ region }) => region);
  const known = new Map(fleet.regions.map((region) => [region.name, region]));
  const regions = [...new Set([...known.keys(), ...additions.keys()])].sort(compareNames).map((name): FleetRegion => {
    const own = (clustersOf.get(name) ?? []).map(({ name }) => name);
    const most = known.get(name)?.clustersMax ?? fleet.policies.clustersPerRegionMax;
    return { name, clusters: own, clustersMax: Math.max(most, own.length), on: known.get(name)?.on };
  });
  return { ...fleet, clusters, regions };
}

/** The fleet with nodes added, like the last that it has of their tier, or of any where it has none of that. */
export function withNodes(fleet: Fleet, tiers: readonly Tier[]): Fleet {
  const names = freshNames(
    fleet.nodes.map(({ name }) => name),
    fleet.nodes.at(-1)?.name ?? "node-1",
    tiers.length,
  );
  const added = tiers.flatMap((tier, i): readonly FleetNode[] => {
    const template = fleet.nodes.findLast((node) => node.tier === tier) ?? fleet.nodes.at(-1);
    return template === undefined ? [] : [{ ...template, tier, name: names[i] ?? "" }];
  });
  return { ...fleet, nodes: [...fleet.nodes, ...added].sort((a, b) => compareNames(a.name, b.name)) };
}

/** Names for `count` new regions: `region-5`, `region-6`. */
export function freshRegions(fleet: Fleet, count: number): readonly string[] {
  const names = fleet.regions.map(({ name }) => name);
  return freshNames(names, `region-${names.length}`, count);
}

function typicalCluster({ clusters }: Fleet): FleetCluster {
  const groups = [...Map.groupBy(clusters, ({ group }) => group).values()];
  const largest = groups.reduce((most, one) => (one.length > most.length ? one : most), []);
  const last = largest.at(-1);
  if (last === undefined) throw new Error("a fleet has at least one cluster");
  return last;
}

function clusterLike(template: FleetCluster, name: string, region: string): FleetCluster {
  // Placeholders are expanded by now: what is the old name or region becomes the new one.
  const externalLabels = Object.fromEntries(
    Object.entries(template.externalLabels).map(([label, value]) => [
      label,
      value === template.name ? name : value === template.region ? region : value,
    ]),
  );
  return { ...template, name, region, externalLabels };
}

/** Names that go on counting where the highest of the same pattern ends. */
function freshNames(taken: readonly string[], like: string, count: number): readonly string[] {
  const [, prefix = `${like}-`, digits = "1"] = /^(.*?)(\d+)$/.exec(like) ?? [];
  const highest = taken.reduce((most, name) => {
    const number = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    return /^\d{1,12}$/.test(number) ? Math.max(most, Number(number)) : most;
  }, 0);
  const known = new Set(taken);
  const names: string[] = [];
  for (let number = highest + 1; names.length < count; number++) {
    const name = `${prefix}${String(number).padStart(digits.length, "0")}`;
    if (!known.has(name)) names.push(name);
  }
  return names;
}
