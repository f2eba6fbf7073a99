/**
 * The plan: who runs where, with what, wired to whom. Pure data, made from a fleet by `planFleet`, the same for the same
 * fleet file on any machine and in any order of input. Twin, manifests, inventory and console are functions of it.
 */

export type RoleKind =
  | "global-querier"
  | "super-regional-querier"
  | "regional-querier"
  | "query-frontend"
  | "store-gateway"
  | "receiver"
  | "compactor"
  | "ruler"
  | "alertmanager"
  | "grafana"
  | "object-store"
  | "object-store-console"
  | "monitoring-agent";

export type Tier = 1 | 2 | 3;

/** How samples leave a cluster: its sidecar is asked and uploads, or it writes to a receiver of its region. */
export type Ingest = "pull" | "push";

/** Where queries are evaluated: all of it at the root, or regions evaluate what they can. */
export type QueryMode = "fan-out" | "distributed";

/** How queriers make the series of replicas one; "auto" is Pleiad's own, and Thanos's default there. */
export type Deduplication = "auto" | "penalty" | "chain";

/** What holds the bucket: somebody else's S3, or a store on the fleet's own nodes. */
export type StorageKind = "external" | "seaweedfs" | "silo" | "rook" | "minio";

/** Versions of what runs in production, such as `0.42.4`. */
export interface Versions {
  readonly thanos: string;
  readonly prometheus: string;
  readonly alertmanager: string;
  readonly grafana: string;
  readonly kubePrometheusStack: string;
}

export interface PlannedRole {
  readonly id: string; // kind, region where there is one, replica: `regional-querier-a1-0`
  readonly kind: RoleKind;
  readonly region: string | undefined; // undefined = serves all; of a super-regional querier its super-region
  readonly replica: number; // from 0, within kind and region
  /** Which part of the blocks it serves or compacts; absent where it has all of its region. */
  readonly shard?: PlannedShard;
  readonly node: string;
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly diskBytes?: number; // of its volume; absent where the file gives it none
  readonly sizedBy: "file" | "model";
  /** Ports on loopback when the plan runs as a twin; undefined where the role does not listen in that way. */
  readonly httpPort: number | undefined;
  readonly grpcPort: number | undefined;
  /** Of an object store: where its S3 API listens. */
  readonly s3Port?: number;
}

/** Blocks whose number modulo `count` is `index`, and no others. */
export interface PlannedShard {
  readonly index: number; // from 0
  readonly count: number;
}

export interface PlannedNode {
  readonly name: string;
  readonly tier: Tier;
  readonly zone?: string;
  readonly labels: Readonly<Record<string, string>>; // `role`, `tier`: as requirements have them
  readonly cpuMillicores: number; // what the node has
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly cpuMillicoresReserved: number; // of that, for the node's own system
  readonly memoryBytesReserved: number;
  readonly cpuMillicoresUsed: number; // sum over its roles
  readonly memoryBytesUsed: number;
  readonly roles: readonly string[]; // role ids, in the order of the plan
}

export interface PlannedTarget {
  readonly job: string;
  readonly url: string;
}

export interface PlannedCluster {
  readonly name: string;
  readonly number: number; // from 1, in the order of the cluster names, numbers in them counted as numbers
  readonly group: string;
  readonly region: string;
  readonly externalLabels: Readonly<Record<string, string>>; // cluster, cluster_group, region, replica
  readonly series: number; // expected in production
  readonly prometheusReplicas: number;
  readonly ingest: Ingest;
  readonly twinSeries: number; // made up by the twin; 0 when the cluster has only real targets
  readonly scrapeIntervalMs: number;
  readonly retentionMs: number; // kept by the agent itself
  readonly targets: readonly PlannedTarget[]; // real ones, besides the made-up one
  /** Ports of the twin; undefined where the plan does not fit one, as `PlannedTwin.refusal` says. */
  readonly exporterPort: number | undefined; // made-up /metrics
  readonly grpcPort: number | undefined; // StoreAPI of its agent
}

export interface PlannedRegion {
  readonly name: string;
  readonly clusters: readonly string[];
  readonly clustersMax: number;
  readonly queriers: readonly string[]; // role ids
}

/** A tier between regions and global queriers, of which there is one where regions are too many for a querier. */
export interface PlannedSuperRegion {
  readonly name: string;
  readonly level: number; // 1 = above regions, 2 = above super-regions of level 1, and so on
  readonly members: readonly string[]; // regions, or super-regions of the level below
  readonly queriers: readonly string[]; // role ids
}

/** What becomes of the replicas of one role, in one region, when any one node is lost. */
export interface PlannedSurvival {
  readonly roles: readonly string[]; // role ids that back each other up
  readonly kind: RoleKind;
  readonly region: string | undefined;
  readonly nodes: readonly string[]; // on which they are, each once
  readonly zones: readonly string[];
  readonly survives: boolean; // the loss of any one node
  readonly survivesZone: boolean | undefined; // the loss of any one zone; undefined = nodes have none
  readonly lost: string | undefined; // what is gone where it does not, in words
}

/** One arrow of the wiring. `to` names a role id or a cluster. Endpoints of one group are replicas: ask one of them. */
export interface PlannedEdge {
  readonly from: string;
  readonly to: string;
  readonly protocol: "grpc" | "http" | "s3";
  readonly group: string | undefined;
}

export interface PlanTotals {
  readonly clusters: number;
  readonly series: number;
  readonly cpuMillicores: number;
  readonly cpuMillicoresUsed: number;
  readonly memoryBytes: number;
  readonly memoryBytesUsed: number;
  readonly diskBytes: number;
}

export interface Plan {
  readonly version: 1;
  readonly fleet: string;
  readonly replicaLabels: readonly string[]; // the same on every querier
  readonly nodes: readonly PlannedNode[];
  readonly roles: readonly PlannedRole[];
  readonly regions: readonly PlannedRegion[];
  /** Absent where three tiers are enough. */
  readonly superRegions?: readonly PlannedSuperRegion[];
  readonly tiersReason?: string; // why there are more than three
  readonly clusters: readonly PlannedCluster[];
  readonly edges: readonly PlannedEdge[];
  readonly totals: PlanTotals;
  readonly survival: readonly PlannedSurvival[];
  readonly queryMode: QueryMode;
  readonly deduplication: Deduplication; // the same on every querier
  readonly versions: Versions;
  /** Absent where no monitoring agent is planned: nobody scrapes the roles themselves. */
  readonly monitoring?: PlannedMonitoring;
  /** Absent where no role uses a bucket. */
  readonly objectStorage?: PlannedObjectStorage;
  readonly twin: PlannedTwin;
}

/** The job that scrapes the `/metrics` of every role; which ones, the http edges of the agents say. */
export interface PlannedMonitoring {
  readonly job: string;
  readonly scrapeIntervalMs: number;
  readonly retentionMs: number;
  readonly agents: readonly PlannedMonitoringAgent[];
}

export interface PlannedMonitoringAgent {
  readonly role: string; // role id
  readonly externalLabels: Readonly<Record<string, string>>;
}

export interface PlannedObjectStorage {
  readonly bucket: string;
  readonly capacityBytes: number;
  readonly kind: StorageKind;
}

/** How the plan runs on one machine. Ports are on loopback. */
export interface PlannedTwin {
  /** Why the plan does not fit one machine: too many ports; absent where it does. */
  readonly refusal?: string;
  readonly consolePort: number;
  readonly backfillMs: number;
  readonly retentionMs: number;
  /** Absent where the bucket gets no made-up history. */
  readonly history?: PlannedHistory;
  /** App clusters share processes: each entry is one process and the clusters in it. */
  readonly clusterProcesses: readonly PlannedClusterProcess[];
}

/** What of the time before the first start the twin makes up in the bucket, and who does it. */
export interface PlannedHistory {
  readonly spanMs: number; // back from the first start
  readonly intervalMs: number | undefined; // between samples; undefined = as each cluster is scraped
  readonly processes: readonly PlannedHistoryProcess[];
}

export interface PlannedHistoryProcess {
  readonly name: string; // `history-1`
  readonly clusters: readonly string[];
}

export interface PlannedClusterProcess {
  readonly name: string; // `clusters-a1`
  readonly clusters: readonly string[];
  readonly httpPort: number | undefined; // /metrics and /-/ready of the process
}
