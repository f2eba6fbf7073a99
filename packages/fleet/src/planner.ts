/** From a fleet to its plan. Pure and deterministic: no clock, no randomness, no order but that of names. */
import { fail, ok, type Result } from "@pleiad/model";
import type { Measured } from "@pleiad/capacity";
import { capacityOf } from "./capacity-load.ts";
import { expandLabels } from "./external-labels.ts";
import type { Fleet, FleetCluster, FleetObjectStorage, FleetRole } from "./fleet.ts";
import { shortList } from "./membership.ts";
import { placeRoles, roleId, usable, type PlacedReplica, type PlacementOrder } from "./placement.ts";
import type {
  Plan,
  PlannedCluster,
  PlannedHistory,
  PlannedMonitoring,
  PlannedNode,
  PlannedObjectStorage,
  PlannedRegion,
  PlannedRole,
  PlannedSuperRegion,
  PlanTotals,
} from "./plan.ts";
import { coresText, gibibytesText } from "./plan-table.ts";
import type { PreviousPlan } from "./previous-plan.ts";
import { ProblemLog } from "./problem-log.ts";
import { fleetFailure, type FleetFailure } from "./problems.ts";
import { roleSizes } from "./role-sizes.ts";
import { superRegionsOf, tiersReason, type SuperRegion } from "./super-regions.ts";
import { survivalOf } from "./survival.ts";
import { planPorts, type PortPlan } from "./twin-ports.ts";
import { wireRoles } from "./wiring.ts";

export interface PlanOptions {
  /** Values in place of the capacity model's own, for the roles that it sizes. */
  readonly measured?: Measured | undefined;
  /** An older plan: what can stay where it is there does. */
  readonly previous?: PreviousPlan | undefined;
  /** Whether all is placed anew where what stays leaves no room for the rest; true unless told otherwise. */
  readonly mayPlaceAnew?: boolean;
}

/** Plans a fleet; fails with every bound that it breaks, each at its place in the fleet file. */
export function planFleet(
  fleet: Fleet,
  { measured, previous, mayPlaceAnew = true }: PlanOptions = {},
): Result<Plan, FleetFailure> {
  const superRegions = superRegionsOf(fleet);
  const sizes = roleSizes(fleet, capacityOf(fleet, measured));
  const roles = plannedRoles(fleet, superRegions);
  const orders: PlacementOrder[] = [];
  // Room for lost nodes comes after a plan at all, and both come after moving what is there.
  const ways = fleet.policies.nodesLostMax === 0 ? [false] : [true, false];
  if (previous !== undefined)
    orders.push(...ways.map((keepsRoom) => ({ roles, superRegions, sizes, previous, keepsRoom })));
  if (previous === undefined || mayPlaceAnew)
    orders.push(...ways.map((keepsRoom) => ({ roles, superRegions, sizes, keepsRoom })));
  return firstPlan(fleet, orders);
}

/** The plan of the first order that has one, else the failure of the last. */
function firstPlan(fleet: Fleet, [order, ...others]: readonly PlacementOrder[]): Result<Plan, FleetFailure> {
  if (order === undefined) throw new Error("no order to plan by");
  const plan = planRoles(fleet, order);
  return plan.ok || others.length === 0 ? plan : firstPlan(fleet, others);
}

function planRoles(fleet: Fleet, order: PlacementOrder): Result<Plan, FleetFailure> {
  const log = new ProblemLog(fleet.source);
  checkRegions(fleet, log);
  const placed = placeRoles(fleet, order, log);
  const ports = planPorts(fleet.twin.basePort, {
    roles: placed.length,
    regions: fleet.regions.length,
    clusters: fleet.clusters.length,
  });
  if (!ports.ok) {
    log.atValue(["twin", "basePort"], { code: "PORT_RANGE", ...ports.failure });
    return fail(fleetFailure(log.problems));
  }
  const plan = assemblePlan(fleet, placed, order.superRegions, ports.value);
  checkBudgets(plan, fleet, log);
  checkClusterNames(plan, log);
  checkNodeNames(plan, log);
  return log.problems.length > 0 ? fail(fleetFailure(log.problems)) : ok(plan);
}

/** The roles of the file, and the queriers of super-regions where it does not name them. */
function plannedRoles({ roles }: Fleet, superRegions: readonly SuperRegion[]): readonly FleetRole[] {
  if (superRegions.length === 0) return roles.filter(({ scope }) => scope !== "super-region");
  const regional = roles.findIndex(({ key }) => key === "regional-querier");
  const below = roles[regional];
  if (below === undefined || roles.some(({ scope }) => scope === "super-region")) return roles;
  const above = roles.find(({ key }) => key === "global-querier");
  const added: FleetRole = {
    ...below,
    key: "super-regional-querier",
    kind: "super-regional-querier",
    scope: "super-region",
    cpuMillicores: undefined,
    memoryBytes: undefined,
    tiers: above?.on === undefined ? (above?.tiers ?? [1]) : [1],
  };
  return roles.toSpliced(regional, 0, added);
}

function assemblePlan(
  fleet: Fleet,
  placed: readonly PlacedReplica[],
  superRegions: readonly SuperRegion[],
  ports: PortPlan,
): Plan {
  const roles = placed.map((replica, i) => plannedRole(replica, i, ports));
  const nodes = plannedNodes(fleet, roles);
  const regions = plannedRegions(fleet, roles);
  const plannedSuperRegions = superRegions.map((one) => plannedSuperRegion(one, roles));
  const clusters = fleet.clusters.map((cluster) => plannedCluster(cluster, ports));
  const monitoring = plannedMonitoring(fleet, roles);
  const { objectStorage, twin } = fleet;
  const pushing = clusters.find(({ ingest }) => ingest === "push");
  const refusal =
    ports.refusal ?? (pushing === undefined ? undefined : `it runs no receivers, and ${pushing.name} pushes`);
  return {
    version: 1,
    fleet: fleet.name,
    replicaLabels: fleet.replicaLabels,
    nodes,
    roles,
    regions,
    ...(superRegions.length === 0
      ? {}
      : { superRegions: plannedSuperRegions, tiersReason: tiersReason(fleet, superRegions) }),
    clusters,
    edges: wireRoles(roles, regions, plannedSuperRegions, clusters),
    totals: totalsOf(nodes, clusters),
    survival: survivalOf(roles, nodes, regions),
    queryMode: fleet.queryMode,
    deduplication: fleet.deduplication,
    versions: fleet.versions,
    ...(monitoring === undefined ? {} : { monitoring }),
    ...(objectStorage === undefined ? {} : { objectStorage: plannedObjectStorage(objectStorage) }),
    twin: {
      ...(refusal === undefined ? {} : { refusal }),
      consolePort: ports.consolePort,
      backfillMs: twin.backfillMs,
      retentionMs: twin.retentionMs,
      ...plannedHistory(fleet, roles),
      clusterProcesses: regions.map((region, i) => ({
        name: `clusters-${region.name}`,
        clusters: region.clusters,
        httpPort: ports.clusterProcessPort(i),
      })),
    },
  };
}

function plannedObjectStorage({ bucket, capacityBytes, kind }: FleetObjectStorage): PlannedObjectStorage {
  return { bucket, capacityBytes, kind };
}

/** As many as the machines that twins run on have cores to spare. */
const historyProcessCount = 2;

/** Nothing where there is no bucket to put it into. */
function plannedHistory(
  { twin, clusters }: Fleet,
  roles: readonly PlannedRole[],
): { readonly history?: PlannedHistory } {
  const made = clusters.filter(({ twinSeries }) => twinSeries > 0).map(({ name }) => name);
  if (twin.historyMs === 0 || made.length === 0 || !roles.some(({ kind }) => kind === "object-store")) return {};
  const processes = Array.from({ length: Math.min(historyProcessCount, made.length) }, (_, i) => ({
    name: `history-${i + 1}`,
    clusters: made.filter((_, n) => n % historyProcessCount === i),
  }));
  return { history: { spanMs: twin.historyMs, intervalMs: twin.historyIntervalMs, processes } };
}

function plannedRole(placed: PlacedReplica, index: number, ports: PortPlan): PlannedRole {
  const { role, region, replica, shard, size, node } = placed;
  const s3Port = role.kind === "object-store" ? ports.s3Port(replica) : undefined;
  return {
    id: roleId(placed),
    kind: role.kind,
    region,
    replica,
    ...(shard.count === 1 ? {} : { shard }),
    node,
    cpuMillicores: size.cpuMillicores,
    memoryBytes: size.memoryBytes,
    ...(size.diskBytes === undefined ? {} : { diskBytes: size.diskBytes }),
    sizedBy: size.sizedBy,
    httpPort: ports.roleHttpPort(index, role.kind),
    grpcPort: ports.roleGrpcPort(index, role.kind),
    ...(s3Port === undefined ? {} : { s3Port }),
  };
}

function plannedNodes(fleet: Fleet, roles: readonly PlannedRole[]): readonly PlannedNode[] {
  const rolesOf = Map.groupBy(roles, ({ node }) => node);
  return fleet.nodes.map((node) => {
    const own = rolesOf.get(node.name) ?? [];
    return {
      name: node.name,
      tier: node.tier,
      ...(node.zone === undefined ? {} : { zone: node.zone }),
      labels: { role: node.role, tier: String(node.tier) },
      cpuMillicores: node.cpuMillicores,
      memoryBytes: node.memoryBytes,
      diskBytes: node.diskBytes,
      cpuMillicoresReserved: fleet.policies.reserve.cpuMillicores,
      memoryBytesReserved: fleet.policies.reserve.memoryBytes,
      cpuMillicoresUsed: sum(own, ({ cpuMillicores }) => cpuMillicores),
      memoryBytesUsed: sum(own, ({ memoryBytes }) => memoryBytes),
      roles: own.map(({ id }) => id),
    };
  });
}

function plannedRegions(fleet: Fleet, roles: readonly PlannedRole[]): readonly PlannedRegion[] {
  const queriersOf = Map.groupBy(
    roles.filter(({ kind }) => kind === "regional-querier"),
    ({ region }) => region,
  );
  return fleet.regions.map(({ name, clusters, clustersMax }) => ({
    name,
    clusters,
    clustersMax,
    queriers: (queriersOf.get(name) ?? []).map(({ id }) => id),
  }));
}

function plannedSuperRegion({ name, level, members }: SuperRegion, roles: readonly PlannedRole[]): PlannedSuperRegion {
  const queriers = roles.filter(({ kind, region }) => kind === "super-regional-querier" && region === name);
  return { name, level, members, queriers: queriers.map(({ id }) => id) };
}

function plannedCluster(cluster: FleetCluster, ports: PortPlan): PlannedCluster {
  return {
    name: cluster.name,
    number: cluster.number,
    group: cluster.group,
    region: cluster.region,
    externalLabels: cluster.externalLabels,
    series: cluster.series,
    prometheusReplicas: cluster.prometheusReplicas,
    ingest: cluster.ingest,
    twinSeries: cluster.twinSeries,
    scrapeIntervalMs: cluster.scrapeIntervalMs,
    retentionMs: cluster.retentionMs,
    targets: cluster.targets,
    exporterPort: ports.exporterPort(cluster.number),
    grpcPort: ports.clusterGrpcPort(cluster.number),
  };
}

function plannedMonitoring({ monitoring }: Fleet, roles: readonly PlannedRole[]): PlannedMonitoring | undefined {
  if (monitoring === undefined) return undefined;
  const { job, scrapeIntervalMs, retentionMs, externalLabels } = monitoring;
  const agents = roles
    .filter(({ kind }) => kind === "monitoring-agent")
    .map(({ id, replica }) => ({
      role: id,
      externalLabels: expandLabels(externalLabels, { replica: String(replica) }),
    }));
  return { job, scrapeIntervalMs, retentionMs, agents };
}

function totalsOf(nodes: readonly PlannedNode[], clusters: readonly PlannedCluster[]): PlanTotals {
  return {
    clusters: clusters.length,
    series: sum(clusters, ({ series }) => series),
    cpuMillicores: sum(nodes, ({ cpuMillicores }) => cpuMillicores),
    cpuMillicoresUsed: sum(nodes, ({ cpuMillicoresUsed }) => cpuMillicoresUsed),
    memoryBytes: sum(nodes, ({ memoryBytes }) => memoryBytes),
    memoryBytesUsed: sum(nodes, ({ memoryBytesUsed }) => memoryBytesUsed),
    diskBytes: sum(nodes, ({ diskBytes }) => diskBytes),
  };
}

function checkRegions(fleet: Fleet, log: ProblemLog): void {
  for (const { name, clusters, clustersMax } of fleet.regions) {
    if (clusters.length > clustersMax) {
      log.atKey(["regions", name], {
        code: "REGION_CAPACITY",
        expected: `at most ${clustersMax} clusters`,
        found: String(clusters.length),
        hint: `split the region, or allow more knowingly: regions.${name}.clustersMax, policies.clustersPerRegionMax`,
      });
    }
    if (clusters.length === 0) {
      log.atKey(["regions", name], {
        code: "REGION_EMPTY",
        expected: "at least one cluster",
        found: "none",
        hint: "a region without clusters has nothing to answer",
      });
    }
  }
}

function checkBudgets({ nodes, roles }: Plan, fleet: Fleet, log: ProblemLog): void {
  const roleOf = new Map(roles.map((role) => [role.id, role]));
  const fleetNodeOf = new Map(fleet.nodes.map((node) => [node.name, node]));
  for (const node of nodes) {
    const fleetNode = fleetNodeOf.get(node.name);
    if (fleetNode === undefined) continue;
    const own = node.roles.flatMap((id) => roleOf.get(id) ?? []);
    const { cpuMillicores, memoryBytes } = usable(fleet, fleetNode);
    const diskBytesUsed = sum(own, ({ diskBytes }) => diskBytes ?? 0);
    if (node.cpuMillicoresUsed > cpuMillicores) {
      const users = shortList(own.map(({ id, cpuMillicores }) => `${id} ${coresText(cpuMillicores)}`));
      log.atKey(["nodes", node.name], {
        code: "NODE_CPU",
        expected: `roles of at most ${coresText(cpuMillicores)} cores${keptFree(fleet, coresText(node.cpuMillicores))}`,
        found: `${coresText(node.cpuMillicoresUsed)} cores: ${users}`,
        hint: budgetHint,
      });
    }
    if (node.memoryBytesUsed > memoryBytes) {
      const users = shortList(own.map(({ id, memoryBytes }) => `${id} ${gibibytesText(memoryBytes)}`));
      log.atKey(["nodes", node.name], {
        code: "NODE_MEM",
        expected: `roles of at most ${gibibytesText(memoryBytes)} GiB${keptFree(fleet, gibibytesText(node.memoryBytes))}`,
        found: `${gibibytesText(node.memoryBytesUsed)} GiB: ${users}`,
        hint: budgetHint,
      });
    }
    if (diskBytesUsed > node.diskBytes) {
      const users = own.flatMap(({ id, diskBytes }) =>
        diskBytes === undefined ? [] : [`${id} ${gibibytesText(diskBytes)}`],
      );
      log.atKey(["nodes", node.name], {
        code: "NODE_DISK",
        expected: `volumes of at most ${gibibytesText(node.diskBytes)} GiB`,
        found: `${gibibytesText(diskBytesUsed)} GiB: ${shortList(users)}`,
        hint: budgetHint,
      });
    }
  }
}

const budgetHint = "move roles elsewhere with on, or give the node more";

/** ` (of 16, less reserve and headroom of the policies)`; nothing where they keep nothing free. */
function keptFree({ policies }: Fleet, whole: string): string {
  const { reserve, headroomRatio } = policies;
  if (reserve.cpuMillicores === 0 && reserve.memoryBytes === 0 && headroomRatio === 0) return "";
  return ` (of ${whole}, less what policies.reserve and policies.headroom keep)`;
}

/** An edge names roles and clusters alike. */
function checkClusterNames({ roles, clusters }: Plan, log: ProblemLog): void {
  const roleIds = new Set(roles.map(({ id }) => id));
  for (const { name, group } of clusters) {
    if (!roleIds.has(name)) continue;
    log.atValue(["groups", group, "clusters"], {
      code: "NAME_TAKEN",
      expected: "cluster names that no role has",
      found: name,
    });
  }
}

/** The twin names its processes, and their logs, after nodes and after the regions whose clusters they hold. */
function checkNodeNames({ nodes, twin }: Plan, log: ProblemLog): void {
  const processes = new Set([...twin.clusterProcesses, ...(twin.history?.processes ?? [])].map(({ name }) => name));
  for (const { name } of nodes) {
    if (!processes.has(name)) continue;
    log.atKey(["nodes", name], {
      code: "NAME_TAKEN",
      expected: "a node name that no other process of the twin has",
      found: name,
    });
  }
}

function sum<T>(items: readonly T[], amount: (item: T) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}
