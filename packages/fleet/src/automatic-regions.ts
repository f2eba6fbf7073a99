/**
 * Regions where the file names none: the clusters in the order of groups and names, cut where a region is full.
 *
 * So one cluster more moves at most one cluster at each border behind it, and none where it is the last of its group and
 * its group the last. Regions by a hash of the name would move fewer at a border, and mix the groups in every region.
 * With an older plan none moves: what is new goes where there is room.
 */
import { compareNames } from "./name-order.ts";

/**
 * The region of every cluster: `region-1`, `region-2`, each with `clustersMax` clusters but for the last. Clusters of
 * `previous` stay in the region that they have there, as far as it may have so many.
 */
export function automaticRegions(
  groupOf: ReadonlyMap<string, string>,
  clustersMax: number,
  previous: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const clustersOf = Map.groupBy(groupOf.keys(), (cluster) => groupOf.get(cluster) ?? "");
  const groups = [...clustersOf.keys()].sort(compareNames);
  const ordered = groups.flatMap((group) => (clustersOf.get(group) ?? []).sort(compareNames));
  const regions = new GrowingRegions(clustersMax);
  const [known, others] = [new Map<string, string>(), [] as string[]];
  for (const cluster of ordered) {
    const region = previous.get(cluster);
    if (region !== undefined && regions.hasRoom(region)) {
      regions.add(region, groupOf.get(cluster) ?? "");
      known.set(cluster, region);
    } else others.push(cluster);
  }
  for (const cluster of others) {
    const group = groupOf.get(cluster) ?? "";
    const region = regions.roomFor(group);
    regions.add(region, group);
    known.set(cluster, region);
  }
  return new Map(ordered.map((cluster) => [cluster, known.get(cluster) ?? ""]));
}

/** Regions with room, those of a group first. */
class GrowingRegions {
  readonly #clustersMax: number;
  readonly #sizes = new Map<string, number>();
  readonly #groupsOf = new Map<string, Set<string>>();
  #open: string[] | undefined; // regions with room, by name; made when it is first asked for

  constructor(clustersMax: number) {
    this.#clustersMax = clustersMax;
  }

  hasRoom(region: string): boolean {
    return (this.#sizes.get(region) ?? 0) < this.#clustersMax;
  }

  add(region: string, group: string): void {
    this.#sizes.set(region, (this.#sizes.get(region) ?? 0) + 1);
    const groups = this.#groupsOf.get(region) ?? new Set();
    this.#groupsOf.set(region, groups.add(group));
  }

  roomFor(group: string): string {
    this.#open ??= [...this.#sizes.keys()].sort(compareNames);
    this.#open = this.#open.filter((region) => this.hasRoom(region));
    const found = this.#open.find((region) => this.#groupsOf.get(region)?.has(group) === true) ?? this.#open[0];
    if (found !== undefined) return found;
    const fresh = `region-${this.#freshNumber()}`;
    this.#open.push(fresh);
    return fresh;
  }

  #freshNumber(): number {
    let number = this.#sizes.size + 1;
    while (this.#sizes.has(`region-${number}`)) number++;
    return number;
  }
}
