/** What the capacity model has to know of a fleet: its clusters by region and kind, and what the file says of the rest. */
import { capacityModel, type CapacityModel, type Given, type LoadScope, type Measured } from "@pleiad/capacity";
import type { Fleet, FleetCluster, FleetRegion, FleetRole } from "./fleet.ts";
import { pathText, type Path } from "./fleet-source.ts";
import { superRegionsOf, topMembers } from "./super-regions.ts";

/** The capacity model of a fleet. Values carry their place in the fleet file where it says them. */
export function capacityOf(fleet: Fleet, measured?: Measured): CapacityModel {
  return capacityModel(loadOf(fleet), fleet.engine, measured);
}

/** The same for the fleet as its twin runs it: Pleiad's own roles, on the series that it makes up. */
export function capacityOfTwin(fleet: Fleet, measured?: Measured): CapacityModel {
  const clusters = fleet.clusters.map((cluster) => ({
    ...cluster,
    series: cluster.twinSeries,
    prometheusReplicas: 1,
    retentionMs: fleet.twin.retentionMs,
  }));
  return capacityOf({ ...fleet, engine: "embedded", clusters }, measured);
}

function loadOf(fleet: Fleet): LoadScope {
  const clustersOf = Map.groupBy(fleet.clusters, ({ region }) => region);
  return {
    name: "fleet",
    level: "fleet",
    given: fleetGiven(fleet),
    parts: fleet.regions.map((region) => regionScope(region, clustersOf.get(region.name) ?? [], fleet)),
  };
}

function regionScope({ name }: FleetRegion, clusters: readonly FleetCluster[], fleet: Fleet): LoadScope {
  const store = roleOf(fleet, "regional-store-gateway");
  // Clusters of a group are alike, but for a fleet that was made by a program.
  const kinds = Map.groupBy(
    clusters,
    (one) =>
      `${one.group} ${one.series} ${one.scrapeIntervalMs} ${one.churnPerHour} ${one.prometheusReplicas} ${one.ingest} ${one.availability} ${one.retentionMs}`,
  );
  return {
    name,
    level: "region",
    given: shardsGiven(store, fleet),
    parts: [...kinds.values()].flatMap((alike) => {
      const [first] = alike;
      return first === undefined ? [] : [clustersScope(first, alike.length, fleet)];
    }),
  };
}

function clustersScope(cluster: FleetCluster, count: number, fleet: Fleet): LoadScope {
  const { group, region } = cluster;
  const setting = (key: string, value: number): Given => given(fleet, value, ["groups", group, key], ["defaults", key]);
  return {
    name: `${group} in ${region}`,
    alsoCalled: group,
    level: "clusters",
    given: {
      clusters: given(fleet, count, ["groups", group, "clusters"]),
      "prometheus.series": setting("series", cluster.series),
      "prometheus.interval": setting("scrapeInterval", cluster.scrapeIntervalMs / 1000),
      "prometheus.churn": setting("churn", cluster.churnPerHour),
      "prometheus.replicas": setting("prometheusReplicas", cluster.prometheusReplicas),
      "prometheus.retention": setting("retention", cluster.retentionMs / 1000),
      "cluster.availability": setting("availability", cluster.availability),
      "cluster.pushes": setting("ingest", cluster.ingest === "push" ? 1 : 0),
    },
    parts: [],
  };
}

function fleetGiven(fleet: Fleet): Record<string, Given> {
  const { objectStorage, queryLoad } = fleet;
  const load = (key: string, value: number) => given(fleet, value, ["queryLoad", key]);
  const superRegions = superRegionsOf(fleet);
  const children = topMembers(fleet, superRegions).length;
  const leaf = roleOf(fleet, "leaf-querier");
  const childKey = superRegions.length === 0 ? "regional-querier" : "super-regional-querier";
  return {
    ...replicasGiven(fleet),
    ...shardsGiven(roleOf(fleet, "global-store-gateway"), fleet),
    ...shardsGiven(roleOf(fleet, "compactor"), fleet),
    ...concurrencyGiven(fleet),
    ...bucketGiven(fleet),
    "fleet.regions": { value: fleet.regions.length },
    "global-querier.children": { value: children },
    "leaf-querier.replicas": { value: leaf?.replicas ?? 0 },
    "leaf-querier.is-there": { value: leaf === undefined ? 0 : 1 },
    "global-querier.child-replicas": {
      value: roleOf(fleet, childKey)?.replicas ?? roleOf(fleet, "regional-querier")?.replicas ?? 1,
    },
    "global-store-gateway.is-only": {
      value: objectStorage !== undefined && roleOf(fleet, "regional-store-gateway") === undefined ? 1 : 0,
    },
    "monitoring-agent.targets": { value: replicaCount(fleet) },
    "queries.per-second": load("perSecond", queryLoad.perSecond),
    "queries.concurrent": load("concurrent", queryLoad.concurrentMax),
    "queries.per-querier": load("concurrentPerQuerier", queryLoad.concurrentPerQuerierMax),
    "queries.series": load("series", queryLoad.series),
    "queries.range": load("range", queryLoad.rangeMs / 1000),
    "queries.history": load("history", queryLoad.historyRatio),
    "queries.distributed": given(fleet, fleet.queryMode === "distributed" ? 1 : 0, ["queryMode"]),
  };
}

/** Roles whose figures depend on how many of them there are. */
const countedRoles = [
  "global-querier",
  "regional-querier",
  "query-frontend",
  "global-store-gateway",
  "regional-store-gateway",
  "receiver",
  "ruler",
  "monitoring-agent",
  "object-store",
] as const;

function replicasGiven(fleet: Fleet): Record<string, Given> {
  const found: Record<string, Given> = {};
  for (const key of countedRoles) {
    const role = roleOf(fleet, key);
    if (role !== undefined) found[`${key}.replicas`] = given(fleet, role.replicas, ["roles", key, "replicas"]);
  }
  return found;
}

function shardsGiven(role: FleetRole | undefined, fleet: Fleet): Record<string, Given> {
  if (role?.shards === undefined) return {};
  return { [`${role.key}.shards`]: given(fleet, role.shards, ["roles", role.key, "shards"]) };
}

function concurrencyGiven(fleet: Fleet): Record<string, Given> {
  const concurrency = roleOf(fleet, "compactor")?.concurrency;
  if (concurrency === undefined) return {};
  return { "compactor.concurrency": given(fleet, concurrency, ["roles", "compactor", "concurrency"]) };
}

function bucketGiven(fleet: Fleet): Record<string, Given> {
  const { objectStorage } = fleet;
  // A fleet without a bucket has no bound that a bucket sets.
  if (objectStorage === undefined) return { "bucket.capacity": { value: Number.POSITIVE_INFINITY } };
  const { capacityBytes, retention, blockDiscovery, isDeduplicated } = objectStorage;
  const at = (key: string, value: number) => given(fleet, value, ["objectStorage", key]);
  const kept = (name: string, key: string, ms: number | undefined): Record<string, Given> =>
    ms === undefined ? {} : { [name]: given(fleet, ms / 1000, ["objectStorage", "retention", key]) };
  const storeNode = storageNetworkBitsPerSecond(fleet);
  return {
    "bucket.capacity": at("capacity", capacityBytes),
    "bucket.recursive": at("discovery", blockDiscovery === "recursive" ? 1 : 0),
    "bucket.deduplicates": at("deduplicate", isDeduplicated ? 1 : 0),
    ...kept("bucket.retention-raw", "raw", retention.rawMs),
    ...kept("bucket.retention-five-minutes", "5m", retention.fiveMinutesMs),
    ...kept("bucket.retention-one-hour", "1h", retention.oneHourMs),
    ...(storeNode === undefined ? {} : { "object-store.network": storeNode }),
  };
}

/** The slowest node that the object store may be on; undefined where it is somebody else's. */
function storageNetworkBitsPerSecond(fleet: Fleet): Given | undefined {
  const role = roleOf(fleet, "object-store");
  if (role === undefined) return undefined;
  const nodes = fleet.nodes.filter(({ name, tier }) => role.on?.includes(name) ?? role.tiers.includes(tier));
  const [slowest] = nodes.sort((a, b) => a.networkBitsPerSecond - b.networkBitsPerSecond);
  if (slowest === undefined) return undefined;
  return given(fleet, slowest.networkBitsPerSecond, ["nodes", slowest.name, "network"]);
}

function replicaCount({ roles, regions }: Fleet): number {
  return roles.reduce((sum, { scope, replicas }) => sum + replicas * (scope === "region" ? regions.length : 1), 0);
}

function roleOf({ roles }: Fleet, key: FleetRole["key"]): FleetRole | undefined {
  return roles.find((role) => role.key === key);
}

/** A value with the first of the places that the file has. */
function given({ source }: Fleet, value: number, ...paths: readonly Path[]): Given {
  const place = paths.map(pathText).find((text) => source.keyPlaces.has(text));
  return place === undefined ? { value } : { value, place };
}
