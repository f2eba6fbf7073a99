/** From a fleet to its plan. Pure and deterministic: no clock, no randomness, no order but that of names. */
import { fail, ok, type Result } from "@pleiad/model";
import { expandLabels } from "./external-labels.ts";
import type { Fleet, FleetCluster, FleetObjectStorage } from "./fleet.ts";
import { shortList } from "./membership.ts";
import { placeRoles, roleId, type PlacedReplica } from "./placement.ts";
import type {
  Plan,
  PlannedCluster,
  PlannedHistory,
  PlannedMonitoring,
  PlannedNode,
  PlannedObjectStorage,
  PlannedRegion,
  PlannedRole,
  PlanTotals,
} from "./plan.ts";
import { coresText, gibibytesText } from "./plan-table.ts";
import { ProblemLog } from "./problem-log.ts";
import { fleetFailure, type FleetFailure } from "./problems.ts";
import { survivalOf } from "./survival.ts";
import { planPorts, type PortPlan } from "./twin-ports.ts";
import { wireRoles } from "./wiring.ts";

/** Plans a fleet; fails with every bound that it breaks, each at its place in the fleet file. */
export function planFleet(fleet: Fleet): Result<Plan, FleetFailure> {
  const log = new ProblemLog(fleet.source);
  checkRegions(fleet, log);
  const placed = placeRoles(fleet, log);
  const ports = planPorts(fleet.twin.basePort, {
    roles: placed.length,
    regions: fleet.regions.length,
    clusters: fleet.clusters.length,
  });
  if (!ports.ok) {
    log.atValue(["twin", "basePort"], { code: "PORT_RANGE", ...ports.failure });
    return fail(fleetFailure(log.problems));
  }
  const plan = assemblePlan(fleet, placed, ports.value);
  checkBudgets(plan, log);
  checkClusterNames(plan, log);
  checkNodeNames(plan, log);
  return log.problems.length > 0 ? fail(fleetFailure(log.problems)) : ok(plan);
}

function assemblePlan(fleet: Fleet, placed: readonly PlacedReplica[], ports: PortPlan): Plan {
  const roles = placed.map((replica, i) => plannedRole(replica, i, ports));
  const nodes = plannedNodes(fleet, roles);
  const regions = plannedRegions(fleet, roles);
  const clusters = fleet.clusters.map((cluster) => plannedCluster(cluster, ports));
  const monitoring = plannedMonitoring(fleet, roles);
  const { objectStorage, twin } = fleet;
  return {
    version: 1,
    fleet: fleet.name,
    replicaLabels: fleet.replicaLabels,
    nodes,
    roles,
    regions,
    clusters,
    edges: wireRoles(roles, regions, clusters),
    totals: totalsOf(nodes, clusters),
    survival: survivalOf(roles, nodes, regions),
    queryMode: fleet.queryMode,
    versions: fleet.versions,
    ...(monitoring === undefined ? {} : { monitoring }),
    ...(objectStorage === undefined ? {} : { objectStorage: plannedObjectStorage(objectStorage) }),
    twin: {
      ...(ports.refusal === undefined ? {} : { refusal: ports.refusal }),
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
  const { role, region, replica, node } = placed;
  const s3Port = role.kind === "object-store" ? ports.s3Port(replica) : undefined;
  return {
    id: roleId(placed),
    kind: role.kind,
    region,
    replica,
    node,
    cpuMillicores: role.cpuMillicores ?? 0,
    memoryBytes: role.memoryBytes ?? 0,
    ...(role.diskBytes === undefined ? {} : { diskBytes: role.diskBytes }),
    sizedBy: role.cpuMillicores === undefined || role.memoryBytes === undefined ? "model" : "file",
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
  return fleet.regions.map(({ name, clusters, clustersMax }) => ({
    name,
    clusters,
    clustersMax,
    queriers: roles.filter(({ kind, region }) => kind === "regional-querier" && region === name).map(({ id }) => id),
  }));
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

function checkBudgets({ nodes, roles }: Plan, log: ProblemLog): void {
  const roleOf = new Map(roles.map((role) => [role.id, role]));
  for (const node of nodes) {
    const own = node.roles.flatMap((id) => roleOf.get(id) ?? []);
    const hint = "move roles elsewhere with on, or give the node more";
    if (node.cpuMillicoresUsed > node.cpuMillicores) {
      const users = shortList(own.map(({ id, cpuMillicores }) => `${id} ${coresText(cpuMillicores)}`));
      log.atKey(["nodes", node.name], {
        code: "NODE_CPU",
        expected: `roles of at most ${coresText(node.cpuMillicores)} cores`,
        found: `${coresText(node.cpuMillicoresUsed)} cores: ${users}`,
        hint,
      });
    }
    if (node.memoryBytesUsed > node.memoryBytes) {
      const users = shortList(own.map(({ id, memoryBytes }) => `${id} ${gibibytesText(memoryBytes)}`));
      log.atKey(["nodes", node.name], {
        code: "NODE_MEM",
        expected: `roles of at most ${gibibytesText(node.memoryBytes)} GiB`,
        found: `${gibibytesText(node.memoryBytesUsed)} GiB: ${users}`,
        hint,
      });
    }
  }
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
