/** What becomes of each role when a node or a zone is lost: read from where its replicas are. */
import { unreachable } from "@pleiad/model";
import type { PlannedNode, PlannedRegion, PlannedRole, PlannedSurvival } from "./plan.ts";

/** One entry for each set of replicas that back each other up, in the order of the plan. */
export function survivalOf(
  roles: readonly PlannedRole[],
  nodes: readonly PlannedNode[],
  regions: readonly PlannedRegion[],
): readonly PlannedSurvival[] {
  const zoneOf = new Map(nodes.map(({ name, zone }) => [name, zone]));
  const clusterCountOf = new Map(regions.map(({ name, clusters }) => [name, clusters.length]));
  const sets = Map.groupBy(roles, ({ kind, region, shard }) => `${kind} ${region ?? ""} ${shard?.index ?? 0}`);
  return [...sets.values()].flatMap((replicas) => {
    const [first] = replicas;
    if (first === undefined) return [];
    const nodeNames = [...new Set(replicas.map(({ node }) => node))];
    const zones = [...new Set(nodeNames.flatMap((name) => zoneOf.get(name) ?? []))];
    const survives = nodeNames.length > 1;
    // Nodes that do not say their zone may all be in one.
    const areZonesKnown = nodeNames.every((name) => zoneOf.get(name) !== undefined);
    return [
      {
        roles: replicas.map(({ id }) => id),
        kind: first.kind,
        region: first.region,
        nodes: nodeNames,
        zones,
        survives,
        survivesZone: areZonesKnown ? zones.length > 1 : undefined,
        lost: survives ? undefined : lossOf(first, clusterCountOf.get(first.region ?? "")),
      },
    ];
  });
}

/** What is gone while the only node of a role is, in words. */
function lossOf({ kind, region, shard }: PlannedRole, clusterCount: number | undefined): string {
  const part = shard === undefined ? "" : `shard ${shard.index + 1} of ${shard.count} of `;
  switch (kind) {
    case "global-querier":
      return "every query over more than one region, and so dashboards and global rules";
    case "super-regional-querier":
      return `every global answer's part of ${region ?? "?"}`;
    case "regional-querier":
      if (region === undefined)
        return "what has no region: series of rulers and of the fleet itself, and their history";
      return `the last hours of ${clusterCount ?? 0} clusters: nobody else asks those of region ${region}`;
    case "query-frontend":
      return "the entry of dashboards; global queriers still answer directly";
    case "store-gateway":
      return region === undefined
        ? `${part}the history that object storage has`
        : `${part}the history of region ${region}`;
    case "receiver":
      return `what the clusters of region ${region ?? "?"} write, until it is back or they give up`;
    case "compactor":
      return "nothing at once: blocks wait to be compacted and expired until it runs again";
    case "ruler":
      return "rules over several clusters: their alerts are silent";
    case "alertmanager":
      return "every notification of an alert";
    case "grafana":
      return "every dashboard";
    case "object-store":
      return "the bucket: history, and uploads until it is back; all of it where the disk is lost too";
    case "object-store-console":
      return "the console of the object store";
    case "monitoring-agent":
      return "the metrics of the monitoring roles themselves";
    default:
      return unreachable(kind);
  }
}
