/** Who asks whom, as a Mermaid flowchart: nodes as boxes of roles, clusters of a region as one. */
import type { Plan } from "@pleiad/fleet";

/** Edges that people draw: how queries and blocks go. Scrapes of the fleet itself would cover the rest. */
const drawnProtocols: readonly string[] = ["grpc", "s3", "http"];

export function topologyDiagram(plan: Plan): string {
  const setOf = new Map(
    plan.roles.map((role) => [role.id, role.region === undefined ? role.kind : `${role.kind}-${role.region}`]),
  );
  const regionOf = new Map(plan.clusters.map(({ name, region }) => [name, `clusters-${region}`]));
  const sets = Map.groupBy(plan.roles, ({ id }) => setOf.get(id) ?? id);
  const tiers = Map.groupBy([...sets], ([, roles]) => tierOf(plan, roles[0]?.node));
  const boxes = [...tiers]
    .sort(([a], [b]) => a - b)
    .flatMap(([tier, some]) => [
      `  subgraph tier-${tier}["tier ${tier}"]`,
      ...some.map(
        ([set, roles]) => `    ${set}["${set}${roles.length > 1 ? ` ×${roles.length}` : ""}<br/>${nodesText(roles)}"]`,
      ),
      "  end",
    ]);
  const clusters = plan.regions.map(
    ({ name, clusters }) => `  clusters-${name}(["${clusters.length} clusters of ${name}"])`,
  );
  const monitoring = new Set(plan.roles.filter(({ kind }) => kind === "monitoring-agent").map(({ id }) => id));
  const arrows = plan.edges
    .filter(({ from, protocol }) => drawnProtocols.includes(protocol) && !monitoring.has(from))
    .map(({ from, to, protocol }) => {
      const ends = [setOf.get(from) ?? regionOf.get(from), setOf.get(to) ?? regionOf.get(to)];
      return `  ${ends[0] ?? from} ${protocol === "s3" ? "-.->" : "-->"} ${ends[1] ?? to}`;
    });
  return ["flowchart LR", ...boxes, ...clusters, ...new Set(arrows), ""].join("\n");
}

function tierOf({ nodes }: Plan, name: string | undefined): number {
  return nodes.find((node) => node.name === name)?.tier ?? 0;
}

function nodesText(roles: Plan["roles"]): string {
  return [...new Set(roles.map(({ node }) => node))].join(", ");
}
