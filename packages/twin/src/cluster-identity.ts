/** Which app cluster a series belongs to, told by the external labels that the plan gives every cluster. Pure. */
import type { Plan } from "@pleiad/fleet";
import { formatLabelName } from "@pleiad/model";

export interface ClusterIdentity {
  /** Label names for `by (…)`, written as PromQL writes them. */
  readonly grouping: string;
  /** The cluster whose labels a group has; undefined for what is no app cluster, such as the monitoring job. */
  nameOf(metric: Readonly<Record<string, string>>): string | undefined;
}

export function clusterIdentity(plan: Plan): ClusterIdentity {
  // Replica labels are gone from answers; without them the labels of all clusters differ, or the fleet was refused.
  const replicaLabels = new Set(plan.replicaLabels);
  const labelNames = [...new Set(plan.clusters.flatMap((cluster) => Object.keys(cluster.externalLabels)))]
    .filter((name) => !replicaLabels.has(name))
    .sort();
  const keyOf = (labels: Readonly<Record<string, string>>) =>
    JSON.stringify(labelNames.map((name) => labels[name] ?? ""));
  const names = new Map(plan.clusters.map((cluster) => [keyOf(cluster.externalLabels), cluster.name]));
  return {
    grouping: labelNames.map(formatLabelName).join(", "),
    nameOf: (metric) => names.get(keyOf(metric)),
  };
}
