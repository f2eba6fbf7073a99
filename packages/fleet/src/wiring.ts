/** Who asks whom: the arrows of the plan, from the side that opens the connection. */
import { unreachable } from "@pleiad/model";
import type { PlannedCluster, PlannedEdge, PlannedRegion, PlannedRole, RoleKind } from "./plan.ts";

type Protocol = PlannedEdge["protocol"];

/** All edges, by `from` in the order of roles, then clusters; below that by the order written here. */
export function wireRoles(
  roles: readonly PlannedRole[],
  regions: readonly PlannedRegion[],
  clusters: readonly PlannedCluster[],
): readonly PlannedEdge[] {
  const byKind = Map.groupBy(roles, ({ kind }) => kind);
  const ofKind = (kind: RoleKind) => byKind.get(kind) ?? [];
  const clustersOf = new Map(regions.map((region) => [region.name, region.clusters]));
  const queryEntry = ofKind("query-frontend").length > 0 ? "query-frontend" : "global-querier";

  /** Replicas that hold the same: one of them is enough. */
  const oneOf = (from: string, targets: readonly PlannedRole[], protocol: Protocol): PlannedEdge[] =>
    targets.map((to) => ({ from, to: to.id, protocol, group: replicaGroup(to) }));
  /** Each holds what the others do not: all of them are asked. */
  const allOf = (from: string, targets: readonly string[], protocol: Protocol): PlannedEdge[] =>
    targets.map((to) => ({ from, to, protocol, group: undefined }));

  const fromRole = ({ id, kind, region }: PlannedRole): readonly PlannedEdge[] => {
    switch (kind) {
      case "query-frontend":
        return oneOf(id, ofKind("global-querier"), "http");
      case "global-querier":
        return [
          ...oneOf(id, ofKind("regional-querier"), "grpc"),
          ...oneOf(id, ofKind("store-gateway").filter(isGlobal), "grpc"),
          // Every ruler evaluates for itself, and every agent scrapes for itself: their series differ by replica label.
          ...allOf(id, idsOf(ofKind("ruler")), "grpc"),
          ...allOf(id, idsOf(ofKind("monitoring-agent")), "grpc"),
        ];
      case "super-regional-querier":
        return [];
      case "regional-querier":
        return [
          ...allOf(id, clustersOf.get(region ?? "") ?? [], "grpc"),
          ...oneOf(
            id,
            ofKind("store-gateway").filter((store) => store.region === region),
            "grpc",
          ),
        ];
      case "store-gateway":
      case "compactor":
        return oneOf(id, ofKind("object-store"), "s3");
      case "ruler":
        return [
          ...oneOf(id, ofKind("global-querier"), "http"),
          // An alert goes to every Alertmanager: they agree among themselves who notifies.
          ...allOf(id, idsOf(ofKind("alertmanager")), "http"),
          ...oneOf(id, ofKind("object-store"), "s3"),
        ];
      case "grafana":
        return oneOf(id, ofKind(queryEntry), "http");
      case "object-store-console":
        return oneOf(id, ofKind("object-store"), "http");
      case "monitoring-agent":
        return [
          ...allOf(id, idsOf(roles.filter((role) => role.id !== id && role.httpPort !== undefined)), "http"),
          ...oneOf(id, ofKind("object-store"), "s3"),
        ];
      case "receiver":
        return oneOf(id, ofKind("object-store"), "s3");
      case "alertmanager":
      case "object-store":
        return [];
      default:
        return unreachable(kind);
    }
  };
  return [...roles.flatMap(fromRole), ...clusters.flatMap(({ name }) => oneOf(name, ofKind("object-store"), "s3"))];
}

function replicaGroup({ kind, region }: PlannedRole): string {
  return region === undefined ? kind : `${kind}-${region}`;
}

function isGlobal({ region }: PlannedRole): boolean {
  return region === undefined;
}

function idsOf(roles: readonly PlannedRole[]): readonly string[] {
  return roles.map(({ id }) => id);
}
