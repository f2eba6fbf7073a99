/**
 * A fleet: what a fleet file says, checked, with every cluster in its region and every list in its order. Pure data,
 * made by `readFleet`, the same for any order of the file's nodes, groups and regions (but for `source`).
 */
import type { FleetSource } from "./fleet-source.ts";
import type { PlannedTarget, RoleKind, Tier } from "./plan.ts";

export interface FleetNode {
  readonly name: string;
  readonly tier: Tier;
  readonly role: string; // value of the node's label `role`
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly networkBitsPerSecond: number;
}

export interface FleetCluster {
  readonly name: string;
  readonly number: number; // from 1, in the order of the names
  readonly group: string;
  readonly region: string;
  readonly importance: "high" | "medium" | "low";
  readonly externalLabels: Readonly<Record<string, string>>; // sorted by name
  readonly series: number;
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
export type RoleKey = "global-store-gateway" | "regional-store-gateway" | Exclude<RoleKind, "store-gateway">;

export interface FleetRole {
  readonly key: RoleKey;
  readonly kind: RoleKind;
  readonly scope: "fleet" | "region"; // region: so many replicas in every region
  readonly replicas: number;
  readonly cpuMillicores: number; // of one replica
  readonly memoryBytes: number;
  readonly on: readonly string[] | undefined; // as of a region
  readonly tiers: readonly Tier[]; // of the nodes that automatic placement may choose
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

export interface Fleet {
  readonly name: string;
  readonly replicaLabels: readonly string[];
  readonly spreadReplicas: boolean; // replicas of a role must be on different nodes
  readonly nodes: readonly FleetNode[]; // by name, as are the next two
  readonly clusters: readonly FleetCluster[];
  readonly regions: readonly FleetRegion[];
  readonly roles: readonly FleetRole[]; // in the order of the plan
  readonly objectStorage: { readonly bucket: string; readonly capacityBytes: number } | undefined;
  readonly monitoring: FleetMonitoring | undefined; // undefined = nobody scrapes the fleet's own roles
  readonly twin: FleetTwin;
  readonly source: FleetSource;
}
