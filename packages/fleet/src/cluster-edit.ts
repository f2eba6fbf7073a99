/** One cluster more, one less, or one in another region: the fleet file's text with no more changed than that. */
import { fail, ok, unreachable, type Result } from "@pleiad/model";
import { parse } from "yaml";
import { addClusterName, removeClusterName, replaceNumber } from "./cluster-names.ts";
import { nameMismatch } from "./cluster-range.ts";
import { readFleet } from "./fleet-file.ts";
import type { Fleet } from "./fleet.ts";
import { compareNames } from "./name-order.ts";
import { planFleet } from "./planner.ts";
import type { PreviousPlan } from "./previous-plan.ts";
import { formatFleetFailure, type FleetFailure } from "./problems.ts";

export type ClusterChange =
  | { readonly kind: "add"; readonly cluster: string; readonly group: string; readonly region?: string }
  | { readonly kind: "remove"; readonly cluster: string }
  | { readonly kind: "move"; readonly cluster: string; readonly region: string };

export interface ChangedFleetFile {
  readonly text: string;
  readonly regionBefore: string | undefined; // undefined = the cluster was not there
  readonly regionAfter: string | undefined; // undefined = it is gone
}

/** Why a file is not changed, for the one who asked for it. */
export interface ClusterChangeFailure {
  readonly message: string;
}

/**
 * The changed file, which plans. Where several regions could take a new cluster, `roomiestRegion` decides. Regions that the
 * file does not name are those of `previous`, as far as clusters are there.
 */
export function changeCluster(
  text: string,
  fileName: string,
  change: ClusterChange,
  previous?: PreviousPlan,
): Result<ChangedFleetFile, ClusterChangeFailure> {
  const before = readFleet(text, fileName, { previous });
  if (!before.ok) return fail({ message: formatFleetFailure(before.failure) });
  const fleet = before.value;
  const known = fleet.clusters.find(({ name }) => name === change.cluster);
  if (change.kind === "add" && known !== undefined) {
    return refuse(`${change.cluster} is there already, in group ${known.group} and region ${known.region}`);
  }
  if (change.kind !== "add" && known === undefined) return refuse(`the fleet has no cluster ${change.cluster}`);
  const edited = editFile(text, fleet, change);
  if (!edited.ok) return edited;
  const after = readFleet(edited.value, fileName, { previous });
  if (!after.ok) return refuseFile(after.failure);
  const plan = planFleet(after.value, { previous });
  if (!plan.ok) return refuseFile(plan.failure);
  const region = after.value.clusters.find(({ name }) => name === change.cluster)?.region;
  return ok({ text: edited.value, regionBefore: known?.region, regionAfter: region });
}

function editFile(text: string, fleet: Fleet, change: ClusterChange): Result<string, ClusterChangeFailure> {
  const file = membersOf(text);
  switch (change.kind) {
    case "add":
      return addTo(text, fleet, file, change);
    case "remove":
      return removeFrom(text, fleet, file, change.cluster);
    case "move":
      return moveTo(text, fleet, file, change);
    default:
      return unreachable(change);
  }
}

/** The parts of a checked file that say which cluster is where. */
interface MemberFile {
  readonly clusterCount?: number;
  readonly groups: Readonly<Record<string, { readonly count?: number }>>;
  readonly regions?: Readonly<Record<string, { readonly clusters?: unknown; readonly groups?: readonly string[] }>>;
}

function membersOf(text: string): MemberFile {
  return parse(text) as MemberFile; // it was read as a fleet a moment ago
}

function addTo(
  text: string,
  fleet: Fleet,
  { regions, ...file }: MemberFile,
  { cluster, group, region }: ClusterChange & { readonly kind: "add" },
): Result<string, ClusterChangeFailure> {
  const wrong = nameMismatch(cluster);
  if (wrong !== undefined) return refuse(`${JSON.stringify(cluster)}: expected ${wrong.expected}`);
  if (!Object.hasOwn(file.groups, group)) {
    return refuse(`the fleet has no group ${group}: it has ${Object.keys(file.groups).join(", ")}`);
  }
  const added = addClusterName(text, ["groups", group, "clusters"], cluster);
  if (added === undefined) return refuseShape(`groups.${group}.clusters`);
  const counted = countClusters(added, fleet, file, group, 1);
  if (regions === undefined) {
    return region === undefined
      ? ok(counted)
      : refuse("the file names no regions: they follow from the order of clusters");
  }
  const byGroup = Object.keys(regions).find((name) => regions[name]?.groups?.includes(group) === true);
  if (byGroup !== undefined) {
    if (region === undefined || region === byGroup) return ok(counted);
    return refuse(`all of group ${group} belongs to region ${byGroup}, as regions.${byGroup}.groups says`);
  }
  const chosen = region ?? roomiestRegion(fleet, group);
  if (chosen === undefined) return refuse("no region has room: raise its clustersMax, or add a region");
  return joinRegion(counted, regions, cluster, chosen);
}

function removeFrom(
  text: string,
  fleet: Fleet,
  { regions = {}, ...file }: MemberFile,
  cluster: string,
): Result<string, ClusterChangeFailure> {
  const { group = "", region = "" } = fleet.clusters.find(({ name }) => name === cluster) ?? {};
  if (fleet.clusters.filter((one) => one.group === group).length === 1) {
    return refuse(`${cluster} is all that group ${group} has: take the group out of the file`);
  }
  const removed = removeClusterName(text, ["groups", group, "clusters"], cluster);
  if (removed === undefined) return refuseShape(`groups.${group}.clusters`);
  const counted = countClusters(removed, fleet, file, group, -1);
  if (regions[region] === undefined || regions[region].groups?.includes(group) === true) return ok(counted);
  return leaveRegion(counted, cluster, region);
}

function moveTo(
  text: string,
  fleet: Fleet,
  { regions }: MemberFile,
  { cluster, region }: ClusterChange & { readonly kind: "move" },
): Result<string, ClusterChangeFailure> {
  if (regions === undefined) return refuse("the file names no regions: they follow from the order of clusters");
  const { group = "", region: from = "" } = fleet.clusters.find(({ name }) => name === cluster) ?? {};
  if (from === region) return refuse(`${cluster} is in region ${region} already`);
  if (regions[from]?.groups?.includes(group) === true) {
    return refuse(`all of group ${group} belongs to region ${from}, as regions.${from}.groups says`);
  }
  const left = leaveRegion(text, cluster, from);
  return left.ok ? joinRegion(left.value, regions, cluster, region) : left;
}

function joinRegion(
  text: string,
  regions: NonNullable<MemberFile["regions"]>,
  cluster: string,
  region: string,
): Result<string, ClusterChangeFailure> {
  if (!Object.hasOwn(regions, region)) {
    return refuse(`the fleet has no region ${region}: it has ${Object.keys(regions).join(", ")}`);
  }
  const joined = addClusterName(text, ["regions", region, "clusters"], cluster);
  return joined === undefined ? refuseShape(`regions.${region}.clusters`) : ok(joined);
}

function leaveRegion(text: string, cluster: string, region: string): Result<string, ClusterChangeFailure> {
  const left = removeClusterName(text, ["regions", region, "clusters"], cluster);
  return left === undefined ? refuseShape(`regions.${region}.clusters`) : ok(left);
}

/**
 * The region that a new cluster of the group joins: one with room, rather where the group is already, then the one with
 * the most room, then the first by name.
 */
function roomiestRegion({ regions, clusters }: Fleet, group: string): string | undefined {
  const withGroup = new Set(clusters.filter((one) => one.group === group).map(({ region }) => region));
  const room = (region: Fleet["regions"][number]) => region.clustersMax - region.clusters.length;
  const [best] = regions
    .filter((region) => room(region) > 0)
    .sort(
      (a, b) =>
        Number(withGroup.has(b.name)) - Number(withGroup.has(a.name)) ||
        room(b) - room(a) ||
        compareNames(a.name, b.name),
    );
  return best?.name;
}

function countClusters(text: string, fleet: Fleet, file: MemberFile, group: string, change: 1 | -1): string {
  const all =
    file.clusterCount === undefined ? text : replaceNumber(text, ["clusterCount"], fleet.clusters.length + change);
  const count = file.groups[group]?.count;
  return count === undefined ? all : replaceNumber(all, ["groups", group, "count"], count + change);
}

function refuse(message: string): Result<never, ClusterChangeFailure> {
  return fail({ message });
}

function refuseShape(path: string): Result<never, ClusterChangeFailure> {
  return refuse(`${path} cannot be changed by itself: nothing would be left of it, or it is an alias. Edit the file`);
}

function refuseFile(failure: FleetFailure): Result<never, ClusterChangeFailure> {
  return refuse(`not changed, for the file would say:\n${formatFleetFailure(failure)}`);
}
