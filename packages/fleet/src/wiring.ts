/** Who asks whom: the arrows of the plan, from the side that opens the connection. */
import { unreachable } from "@pleiad/model";
import type { PlannedCluster, PlannedEdge, PlannedRegion, PlannedRole, PlannedSuperRegion, RoleKind } from "./plan.ts";

type Protocol = PlannedEdge["protocol"];

/** All edges, by `from` in the order of roles, then clusters; below that by the order written here. */
export function wireRoles(
  roles: readonly PlannedRole[],
  regions: readonly PlannedRegion[],
  superRegions: readonly PlannedSuperRegion[],
  clusters: readonly PlannedCluster[],
): readonly PlannedEdge[] {
  const byKind = Map.groupBy(roles, ({ kind }) => kind);
  const ofKind = (kind: RoleKind) => byKind.get(kind) ?? [];
  const byKindAndRegion = Map.groupBy(roles, ({ kind, region }) => `${kind} ${region ?? ""}`);
  const ofRegion = (kind: RoleKind, region: string | undefined) => byKindAndRegion.get(`${kind} ${region ?? ""}`) ?? [];
  const membersOf = new Map(superRegions.map((one) => [one.name, one]));
  const topLevel = Math.max(0, ...superRegions.map(({ level }) => level));
  const top = topLevel === 0 ? regions : superRegions.filter(({ level }) => level === topLevel);
  const pulledOf = new Map(
    [...Map.groupBy(clusters, ({ region }) => region)].map(([region, members]) => [
      region,
      members.filter(({ ingest }) => ingest === "pull").map(({ name }) => name),
    ]),
  );
  const queryEntry = ofKind("query-frontend").length > 0 ? "query-frontend" : "global-querier";

  /** Replicas that hold the same: one of them is enough. */
  const oneOf = (from: string, targets: readonly PlannedRole[], protocol: Protocol): PlannedEdge[] =>
    targets.map((to) => ({ from, to: to.id, protocol, group: replicaGroup(to) }));
  /** Each holds what the others do not: all of them are asked. */
  const allOf = (from: string, targets: readonly string[], protocol: Protocol): PlannedEdge[] =>
    targets.map((to) => ({ from, to, protocol, group: undefined }));
  /** The queriers of regions, or of super-regions above them. */
  const queriersOf = (members: readonly string[], level: number) => {
    const kind = level === 0 ? "regional-querier" : "super-regional-querier";
    return members.flatMap((name) => ofRegion(kind, name));
  };

  /** Queriers that ask what has no region, in place of the global ones. */
  const leaves = ofRegion("regional-querier", undefined);
  const ofNoRegion = (from: string): PlannedEdge[] => [
    ...oneOf(from, ofRegion("store-gateway", undefined), "grpc"),
    // Every ruler evaluates for itself, and every agent scrapes for itself: their series differ by replica label.
    ...allOf(from, idsOf(ofKind("ruler")), "grpc"),
    ...allOf(from, idsOf(ofKind("monitoring-agent")), "grpc"),
  ];

  const fromRole = ({ id, kind, region }: PlannedRole): readonly PlannedEdge[] => {
    switch (kind) {
      case "query-frontend":
        return oneOf(id, ofKind("global-querier"), "http");
      case "global-querier":
        return [
          ...oneOf(
            id,
            queriersOf(
              top.map(({ name }) => name),
              topLevel,
            ),
            "grpc",
          ),
          ...(leaves.length > 0 ? oneOf(id, leaves, "grpc") : ofNoRegion(id)),
        ];
      case "super-regional-querier": {
        const { members = [], level = 1 } = membersOf.get(region ?? "") ?? {};
        return oneOf(id, queriersOf(members, level - 1), "grpc");
      }
      case "regional-querier":
        if (region === undefined) return ofNoRegion(id);
        return [
          ...allOf(id, pulledOf.get(region) ?? [], "grpc"),
          // A receiver that was away lacks what was written meanwhile.
          ...allOf(id, idsOf(ofRegion("receiver", region)), "grpc"),
          ...oneOf(id, ofRegion("store-gateway", region), "grpc"),
        ];
      case "store-gateway":
      case "compactor":
      case "receiver":
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
      case "alertmanager":
      case "object-store":
        return [];
      default:
        return unreachable(kind);
    }
  };
  const fromCluster = ({ name, region, ingest }: PlannedCluster): readonly PlannedEdge[] =>
    ingest === "push"
      ? allOf(name, idsOf(ofRegion("receiver", region)), "http")
      : oneOf(name, ofKind("object-store"), "s3");
  return [...roles.flatMap(fromRole), ...clusters.flatMap(fromCluster)];
}

function replicaGroup({ kind, region, shard }: PlannedRole): string {
  const group = region === undefined ? kind : `${kind}-${region}`;
  return shard === undefined ? group : `${group}-shard-${shard.index}`;
}

function idsOf(roles: readonly PlannedRole[]): readonly string[] {
  return roles.map(({ id }) => id);
}
