/** From the plan's edges to the endpoints of one querier: whom it asks, and whom it must hear of. Pure. */
import type { Plan, PlannedCluster, PlannedRole } from "@pleiad/fleet";
import { labelsFromRecord, type Labels } from "@pleiad/model";
import { runsInTwin } from "./running-roles.ts";

export interface WiredEndpoint {
  readonly address: string;
  readonly name: string;
  readonly group?: string; // endpoints of one group are replicas
  readonly expects: readonly { readonly name: string; readonly labels: Labels }[];
}

/** The endpoints of a querier, in the order of the plan. Roles that do not run yet are left out. */
export function endpointsOf(plan: Plan, querier: string): readonly WiredEndpoint[] {
  const roles = new Map(plan.roles.map((role) => [role.id, role]));
  const clusters = new Map(plan.clusters.map((cluster) => [cluster.name, cluster]));
  return plan.edges
    .filter((edge) => edge.from === querier && edge.protocol === "grpc")
    .flatMap((edge): readonly WiredEndpoint[] => {
      const cluster = clusters.get(edge.to);
      if (cluster?.grpcPort !== undefined) {
        return [{ address: loopback(cluster.grpcPort), name: cluster.name, expects: [expectation(cluster)] }];
      }
      const role = roles.get(edge.to);
      if (role === undefined || role.grpcPort === undefined || !runsInTwin(role, plan)) return [];
      return [
        {
          address: loopback(role.grpcPort),
          name: role.id,
          ...(edge.group === undefined ? {} : { group: edge.group }),
          expects: expectationsOf(role, plan),
        },
      ];
    });
}

/** The HTTP API of the queriers behind a query frontend. */
export function downstreamsOf(plan: Plan, frontend: string): readonly string[] {
  const asked = new Set(
    plan.edges.filter(({ from, protocol }) => from === frontend && protocol === "http").map(({ to }) => to),
  );
  return apiUrlsOf(plan, (role) => role.kind === "global-querier" && asked.has(role.id));
}

/** The HTTP APIs that people ask, in the order to be tried: query frontends where there are any, and who is behind them. */
export function entryUrlsOf(plan: Plan): readonly string[] {
  return (["query-frontend", "global-querier"] as const).flatMap((kind) =>
    apiUrlsOf(plan, (role) => role.kind === kind),
  );
}

function apiUrlsOf(plan: Plan, isAsked: (role: PlannedRole) => boolean): readonly string[] {
  return plan.roles
    .filter(isAsked)
    .flatMap(({ httpPort }) => (httpPort === undefined ? [] : [`http://${loopback(httpPort)}`]));
}

/** External labels of an agent that scrapes the hierarchy itself. */
export function monitoringLabels(plan: Plan, role: PlannedRole): Labels {
  const agent = plan.monitoring?.agents.find((one) => one.role === role.id);
  return labelsFromRecord(agent?.externalLabels ?? {});
}

function expectationsOf(role: PlannedRole, plan: Plan): WiredEndpoint["expects"] {
  // What the bucket has of a cluster is not known: an empty one lacks nothing. One that is away is named by itself.
  if (role.kind === "store-gateway") return [];
  if (role.kind === "monitoring-agent") return [{ name: role.id, labels: monitoringLabels(plan, role) }];
  // A querier of what has no region answers for whom it asks.
  if (role.region === undefined) return endpointsOf(plan, role.id).flatMap(({ expects }) => expects);
  return plan.clusters.filter((cluster) => cluster.region === role.region).map(expectation);
}

function expectation(cluster: PlannedCluster): WiredEndpoint["expects"][number] {
  return { name: cluster.name, labels: labelsFromRecord(cluster.externalLabels) };
}

function loopback(port: number): string {
  return `127.0.0.1:${port}`;
}
