/**
 * Regions where the file names none: the clusters in the order of groups and names, cut where a region is full.
 *
 * So one cluster more moves at most one cluster at each border behind it, and none where it is the last of its group and
 * its group the last. Regions by a hash of the name would move fewer at a border, and mix the groups in every region.
 */
import { compareNames } from "./name-order.ts";

/** The region of every cluster: `region-1`, `region-2`, each with `clustersMax` clusters but for the last. */
export function automaticRegions(
  groupOf: ReadonlyMap<string, string>,
  clustersMax: number,
): ReadonlyMap<string, string> {
  const clustersOf = Map.groupBy(groupOf.keys(), (cluster) => groupOf.get(cluster) ?? "");
  const groups = [...clustersOf.keys()].sort(compareNames);
  const ordered = groups.flatMap((group) => (clustersOf.get(group) ?? []).sort(compareNames));
  return new Map(ordered.map((cluster, i) => [cluster, `region-${Math.floor(i / clustersMax) + 1}`]));
}
