/**
 * A fleet: what a fleet file says, checked, with every cluster in its region and every list in its order. Pure data,
 * made by `readFleet`, the same for any order of the file's nodes, groups and regions (but for `source`).
 *
 * Money is in millionths of the currency unit, so that list prices of single requests are whole numbers too.
 */
import type { FleetDeployment } from "./deployment-schema.ts";
import type { FleetSource } from "./fleet-source.ts";
import type { Deduplication, Ingest, PlannedTarget, QueryMode, RoleKind, StorageKind, Tier, Versions } from "./plan.ts";

export interface FleetNode {
  readonly name: string;
  readonly tier: Tier;
  readonly role: string; // value of the node's label `role`
  readonly zone: string | undefined; // what may fail together with other nodes; undefined = not told
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly networkBitsPerSecond: number;
  readonly priceMicrosMonth: number;
}

export interface FleetCluster {
  readonly name: string;
  readonly number: number; // from 1, in the order of the names
  readonly group: string;
  readonly region: string;
  readonly importance: "high" | "medium" | "low";
  readonly externalLabels: Readonly<Record<string, string>>; // sorted by name
  readonly series: number; // active at once, of one Prometheus replica
  readonly churnPerHour: number; // share of the series that others take the place of within an hour
  readonly prometheusReplicas: number;
  readonly ingest: Ingest;
  readonly availability: number; // share of the time that its answer arrives, 0..1
  readonly twinSeries: number; // 0 = nothing made up
  readonly scrapeIntervalMs: number;
  readonly retentionMs: number;
  readonly targets: readonly PlannedTarget[];
}

export interface FleetRegion {
  readonly name: string;
  readonly clusters: readonly string[];
  readonly clustersMax: number;
  /** Nodes of the region's replicas: 0 on the first, 1 on the second, from the start again past the end. */
  readonly on: readonly string[] | undefined; // undefined = placed automatically
}

/** Key of `roles` in the file: kinds of which a region may have its own are told apart by their scope. */
export type RoleKey =
  | "leaf-querier"
  | "global-store-gateway"
  | "regional-store-gateway"
  | Exclude<RoleKind, "store-gateway">;

export interface FleetRole {
  readonly key: RoleKey;
  readonly kind: RoleKind;
  readonly scope: "fleet" | "region" | "super-region"; // region: so many replicas in every region
  readonly replicas: number; // of each shard
  readonly shards: number | undefined; // parts that the role's blocks are divided into; undefined = by the capacity model
  readonly concurrency: number | undefined; // of a compactor: groups at once; undefined = by the capacity model
  readonly cpuMillicores: number | undefined; // of one replica; undefined = by the capacity model
  readonly memoryBytes: number | undefined;
  readonly diskBytes: number | undefined; // of one replica's volume; undefined = the file gives it none
  readonly on: readonly string[] | undefined; // as of a region
  readonly tiers: readonly Tier[]; // of the nodes that automatic placement may choose
}

/** Rules that a plan keeps, or says that it cannot. */
export interface FleetPolicies {
  readonly clustersPerRegionMax: number;
  readonly regionsPerQuerierMax: number; // more need another tier between regions and global queriers
  readonly spreadReplicas: boolean; // replicas of a role must be on different nodes
  readonly spreadZones: boolean; // and in different zones, as far as there are zones
  readonly reserve: { readonly cpuMillicores: number; readonly memoryBytes: number }; // of each node, for its own system
  readonly headroomRatio: number; // share of what is left that roles must leave free, 0..1
  readonly nodesLostMax: number; // how many nodes may be lost at once without losing a role
}

/** What people and rules ask of the fleet. */
export interface FleetQueryLoad {
  readonly perSecond: number;
  readonly concurrentMax: number; // at once, over the whole fleet
  readonly concurrentPerQuerierMax: number; // further ones wait
  readonly series: number; // that a large query (95 of 100 are smaller) selects
  readonly rangeMs: number; // that it spans
  readonly historyRatio: number; // share of queries that reach past what the clusters keep, 0..1
}

/** How long each resolution is kept in the bucket; undefined = for ever. */
export interface FleetBucketRetention {
  readonly rawMs: number | undefined;
  readonly fiveMinutesMs: number | undefined;
  readonly oneHourMs: number | undefined;
}

export interface FleetObjectStorage {
  readonly kind: StorageKind;
  readonly bucket: string;
  readonly capacityBytes: number;
  readonly retention: FleetBucketRetention;
  readonly endpoint: string | undefined; // `s3.eu-central-1.amazonaws.com`; undefined = the fleet's own, or not told
  readonly blockDiscovery: "recursive" | "concurrent"; // how Thanos finds blocks: by listing, or by a request a block
  readonly isDeduplicated: boolean; // replicas are merged when their blocks are compacted
  readonly priceMicrosMonth: number | undefined; // flat; undefined = by `prices`
}

export interface FleetPrices {
  readonly currency: string; // `USD`
  readonly storageMicrosGigabyteMonth: number; // of 10^9 bytes in the bucket
  readonly readMicrosThousand: number; // GET and HEAD
  readonly writeMicrosThousand: number; // PUT and LIST
  readonly networkMicrosMonth: number;
  readonly clusterAloneMicrosMonth: number; // one cluster monitored on its own
}

export interface FleetStaff {
  readonly people: number;
  readonly peopleAlone: number; // were each cluster monitored on its own
  readonly priceMicrosMonth: number; // of one
}

export interface FleetGrowth {
  readonly clustersPerMonth: number;
  readonly seriesRatioPerMonth: number; // share by which the series of a cluster grow
}

export interface FleetMonitoring {
  readonly job: string;
  readonly scrapeIntervalMs: number;
  readonly retentionMs: number;
  readonly externalLabels: Readonly<Record<string, string>>; // `${replica}` still in place
}

export interface FleetTwin {
  readonly basePort: number;
  readonly backfillMs: number;
  readonly retentionMs: number;
  readonly historyMs: number; // made up in the bucket; 0 = none
  readonly historyIntervalMs: number | undefined; // between its samples; undefined = as each cluster is scraped
}

/** A finding that people know of and live with. */
export interface FleetAcceptance {
  readonly finding: string; // its code
  readonly at: string | undefined; // the path that it is about, or one around it; undefined = wherever it is found
  readonly reason: string;
}

export interface Fleet {
  readonly name: string;
  readonly engine: "thanos" | "embedded"; // whose needs the capacity model tells
  readonly queryMode: QueryMode;
  readonly deduplication: Deduplication;
  readonly versions: Versions;
  readonly replicaLabels: readonly string[];
  readonly policies: FleetPolicies;
  readonly nodes: readonly FleetNode[]; // by name, as are the next two
  readonly clusters: readonly FleetCluster[];
  readonly regions: readonly FleetRegion[];
  readonly areRegionsAutomatic: boolean; // the file names none
  readonly roles: readonly FleetRole[]; // in the order of the plan
  readonly queryLoad: FleetQueryLoad;
  readonly objectStorage: FleetObjectStorage | undefined;
  readonly deployment: FleetDeployment | undefined; // undefined = Pleiad writes it
  readonly prices: FleetPrices;
  readonly staff: FleetStaff | undefined;
  readonly growth: FleetGrowth | undefined;
  readonly monitoring: FleetMonitoring | undefined; // undefined = nobody scrapes the fleet's own roles
  readonly twin: FleetTwin;
  readonly accepted: readonly FleetAcceptance[]; // in the order of the file
  readonly source: FleetSource;
}
