/** The parts of a checked file put together: every default in its place, every list in its order. */
import { expandLabels } from "./external-labels.ts";
import type { FleetFile } from "./fleet-schema.ts";
import type { FleetSource } from "./fleet-source.ts";
import type {
  Fleet,
  FleetCluster,
  FleetObjectStorage,
  FleetPolicies,
  FleetRegion,
  FleetRole,
  FleetStaff,
  RoleKey,
} from "./fleet.ts";
import type { Membership } from "./membership.ts";
import { compareNames } from "./name-order.ts";
import type { PlannedTarget, RoleKind, Tier } from "./plan.ts";

/** Each role's kind and scope, and the tier of the nodes that it runs on unless the file says otherwise. */
const roleKinds: Readonly<Record<RoleKey, readonly [kind: RoleKind, scope: FleetRole["scope"], tier: Tier]>> = {
  "query-frontend": ["query-frontend", "fleet", 1],
  "global-querier": ["global-querier", "fleet", 1],
  "super-regional-querier": ["super-regional-querier", "super-region", 1],
  "regional-querier": ["regional-querier", "region", 2],
  // The same as a regional querier, for what has no region.
  "leaf-querier": ["regional-querier", "fleet", 1],
  "global-store-gateway": ["store-gateway", "fleet", 1],
  "regional-store-gateway": ["store-gateway", "region", 2],
  receiver: ["receiver", "region", 2],
  compactor: ["compactor", "fleet", 1],
  ruler: ["ruler", "fleet", 1],
  alertmanager: ["alertmanager", "fleet", 1],
  grafana: ["grafana", "fleet", 1],
  "object-store": ["object-store", "fleet", 3],
  "object-store-console": ["object-store-console", "fleet", 3],
  "monitoring-agent": ["monitoring-agent", "fleet", 1],
};
// In the order of the plan.
export const roleKeys = Object.keys(roleKinds) as readonly RoleKey[];

/** The fleet of a file whose parts were checked. `source` has the places of all that it names. */
export function assembleFleet(file: FleetFile, membership: Membership, source: FleetSource): Fleet {
  const names = [...membership.groupOf.keys()].sort(compareNames);
  const clusters = names.map((name, i) => cluster(name, i + 1, file, membership));
  const clustersOfRegion = Map.groupBy(clusters, ({ region }) => region);
  const regions = regionNames(file, clustersOfRegion).map((name): FleetRegion => ({
    name,
    clusters: (clustersOfRegion.get(name) ?? []).map(({ name }) => name),
    clustersMax: file.regions?.[name]?.clustersMax ?? file.policies.clustersPerRegionMax,
    on: file.regions?.[name]?.on,
  }));
  const nodes = byName(file.nodes).map(([name, node]) => ({
    name,
    tier: node.tier,
    role: node.role,
    cpuMillicores: node.cores,
    memoryBytes: node.memory,
    diskBytes: node.disk,
    networkBitsPerSecond: node.network,
    zone: node.zone,
    priceMicrosMonth: node.price ?? file.prices.node,
  }));
  const { monitoring, prices, queryLoad, growth } = file;
  const hasMonitoring = file.roles["monitoring-agent"] !== undefined;
  return {
    name: file.name,
    engine: file.engine,
    queryMode: file.queryMode,
    deduplication: file.deduplication,
    versions: file.versions,
    replicaLabels: file.replicaLabels,
    policies: policies(file),
    nodes,
    clusters,
    regions,
    areRegionsAutomatic: file.regions === undefined,
    roles: roleKeys.flatMap((key) => role(key, file)),
    queryLoad: {
      perSecond: queryLoad.perSecond,
      concurrentMax: queryLoad.concurrent,
      concurrentPerQuerierMax: queryLoad.concurrentPerQuerier,
      series: queryLoad.series,
      rangeMs: queryLoad.range,
      historyRatio: queryLoad.history,
    },
    objectStorage: objectStorage(file),
    prices: {
      currency: prices.currency,
      storageMicrosGigabyteMonth: prices.storageGigabyte,
      readMicrosThousand: prices.thousandReads,
      writeMicrosThousand: prices.thousandWrites,
      networkMicrosMonth: prices.network,
      clusterAloneMicrosMonth: prices.clusterAlone,
    },
    staff: staff(file),
    growth:
      growth === undefined ? undefined : { clustersPerMonth: growth.clusters, seriesRatioPerMonth: growth.series },
    monitoring: hasMonitoring
      ? {
          job: monitoring?.job ?? "monitoring",
          scrapeIntervalMs: monitoring?.scrapeInterval ?? file.defaults.scrapeInterval,
          retentionMs: file.defaults.retention,
          externalLabels: monitoring?.externalLabels ?? defaultMonitoringLabels,
        }
      : undefined,
    deployment: file.deployment,
    accepted: file.accept.map(({ finding, at, reason }) => ({ finding, at, reason })),
    twin: {
      basePort: file.twin.basePort,
      backfillMs: file.twin.backfill,
      retentionMs: file.twin.retention,
      historyMs: file.twin.history,
      historyIntervalMs: file.twin.historyInterval,
    },
    source,
  };
}

function regionNames(file: FleetFile, clustersOfRegion: ReadonlyMap<string, unknown>): readonly string[] {
  return [...(file.regions === undefined ? clustersOfRegion.keys() : Object.keys(file.regions))].sort(compareNames);
}

function policies({ policies }: FleetFile): FleetPolicies {
  const { clustersPerRegionMax, regionsPerQuerierMax, spreadReplicas, spreadZones, nodesLostMax } = policies;
  return {
    clustersPerRegionMax,
    regionsPerQuerierMax,
    spreadReplicas,
    spreadZones,
    reserve: { cpuMillicores: policies.reserve.cpu ?? 0, memoryBytes: policies.reserve.memory ?? 0 },
    headroomRatio: policies.headroom,
    nodesLostMax,
  };
}

function objectStorage({ objectStorage, roles }: FleetFile): FleetObjectStorage | undefined {
  if (objectStorage === undefined) return undefined;
  const { bucket, capacity, retention, endpoint, discovery, deduplicate, price } = objectStorage;
  return {
    kind: objectStorage.kind ?? (roles["object-store"] === undefined ? "external" : "seaweedfs"),
    bucket,
    capacityBytes: capacity,
    retention: { rawMs: retention.raw, fiveMinutesMs: retention["5m"], oneHourMs: retention["1h"] },
    endpoint,
    blockDiscovery: discovery,
    isDeduplicated: deduplicate,
    priceMicrosMonth: price,
  };
}

function staff({ staff }: FleetFile): FleetStaff | undefined {
  if (staff === undefined) return undefined;
  return { people: staff.people, peopleAlone: staff.peopleAlone ?? staff.people, priceMicrosMonth: staff.price };
}

const defaultMonitoringLabels = { cluster: "monitoring", replica: "${replica}" };

function cluster(name: string, number: number, file: FleetFile, { groupOf, regionOf }: Membership): FleetCluster {
  const group = groupOf.get(name) ?? "";
  const region = regionOf.get(name) ?? "";
  const settings = file.groups[group];
  if (settings === undefined) throw new Error(`cluster ${name} has no group`);
  const share = settings.series * file.twin.seriesScale;
  // A small cluster is still one: only nothing of nothing is nothing.
  const made = share > 0 ? Math.max(1, Math.round(share)) : 0;
  return {
    name,
    number,
    group,
    region,
    importance: settings.importance,
    externalLabels: expandLabels(file.externalLabels, { cluster: name, group, region, replica: "0" }),
    series: settings.series,
    churnPerHour: settings.churn ?? file.defaults.churn,
    prometheusReplicas: settings.prometheusReplicas ?? file.defaults.prometheusReplicas,
    ingest: settings.ingest ?? file.defaults.ingest,
    availability: settings.availability ?? file.defaults.availability,
    twinSeries: settings.twinSeries ?? made,
    scrapeIntervalMs: settings.scrapeInterval ?? file.defaults.scrapeInterval,
    retentionMs: settings.retention ?? file.defaults.retention,
    targets: settings.targets.map((target) => targetOf(target, name)),
  };
}

function targetOf({ job, url }: PlannedTarget, cluster: string): PlannedTarget {
  return { job, url: url.replaceAll("${cluster}", cluster) };
}

function role(key: RoleKey, file: FleetFile): readonly FleetRole[] {
  const settings = file.roles[key];
  if (settings === undefined) return [];
  const [kind, scope, tier] = roleKinds[key];
  const { replicas, cpu, memory, disk, tiers } = settings;
  const on = "on" in settings ? settings.on : undefined;
  return [
    {
      key,
      kind,
      scope,
      replicas,
      shards: "shards" in settings ? settings.shards : isDivided(kind) ? undefined : 1,
      concurrency: "concurrency" in settings ? settings.concurrency : undefined,
      cpuMillicores: cpu,
      memoryBytes: memory,
      diskBytes: disk,
      on,
      tiers: tiers === undefined ? [tier] : [...new Set(tiers)].sort(),
    },
  ];
}

/** Blocks may be too many for one of these. */
function isDivided(kind: RoleKind): boolean {
  return kind === "store-gateway" || kind === "compactor";
}

function byName<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => compareNames(a, b));
}
