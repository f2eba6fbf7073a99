/** Replicas of one role that back each other up, taken together: what Kubernetes runs as one Deployment or StatefulSet. */
import { workloadName, type Plan, type PlannedRole, type PlannedShard, type RoleKind } from "@pleiad/fleet";

export interface Workload {
  readonly name: string; // `regional-querier-a1`, `store-gateway-a1-0` where it is a shard
  readonly kind: RoleKind;
  readonly region: string | undefined;
  readonly shard: PlannedShard | undefined;
  readonly roles: readonly PlannedRole[]; // by replica, at least one
  readonly nodes: readonly string[]; // of the plan, each once, in the order of the replicas
  readonly tiers: readonly string[]; // values of the label `tier` of these nodes
}

/** All workloads of a plan, in the order of its roles. */
export function workloadsOf(plan: Plan): readonly Workload[] {
  const tierOf = new Map(plan.nodes.map(({ name, tier }) => [name, String(tier)]));
  const groups = Map.groupBy(plan.roles, workloadName);
  return [...groups].map(([name, roles]) => {
    const first = roles[0] as PlannedRole;
    const nodes = [...new Set(roles.map(({ node }) => node))];
    const tiers = [...new Set(nodes.map((node) => tierOf.get(node) ?? ""))].sort();
    return { name, kind: first.kind, region: first.region, shard: first.shard, roles, nodes, tiers };
  });
}

/** One arrow between workloads, or to an app cluster: the plan's edges, replicas taken together. */
export interface WorkloadEdge {
  readonly from: string; // a workload or a cluster
  readonly to: string; // the same
  readonly protocol: "grpc" | "http" | "s3";
}

export function workloadEdges(plan: Plan): readonly WorkloadEdge[] {
  const nameOf = new Map(plan.roles.map((role) => [role.id, workloadName(role)]));
  const edges = new Map<string, WorkloadEdge>();
  for (const { from, to, protocol } of plan.edges) {
    const edge = { from: nameOf.get(from) ?? from, to: nameOf.get(to) ?? to, protocol };
    edges.set(`${edge.from} ${edge.to} ${protocol}`, edge);
  }
  return [...edges.values()];
}
