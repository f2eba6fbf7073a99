/**
 * What the agent of an app cluster says of itself, as its cluster takes it in. In production a Prometheus and its sidecar
 * scrape themselves; here these lines stand on the cluster's one page, which already stands for all of its targets.
 */
import type { MetricsPart } from "@pleiad/exposition";
import type { PlannedCluster } from "@pleiad/fleet";

/** The part of the process's metrics that is this agent's, with the labels that the operator's PodMonitor gives. */
export function agentPart(cluster: PlannedCluster): MetricsPart {
  return {
    where: ["cluster", clusterLabel(cluster)],
    labels: [
      ["job", "prometheus"],
      ["instance", `127.0.0.1:${cluster.grpcPort ?? 0}`],
      ["pod", "prometheus-prometheus-0"],
    ],
  };
}

/** What an agent's own metrics have as `cluster`, on the page of the process that it shares with others. */
export function clusterLabel({ name, externalLabels }: PlannedCluster): string {
  return externalLabels["cluster"] ?? name;
}

/**
 * Of a page only the metrics that Prometheus and Thanos have too, and no histograms: hundreds of agents multiply every
 * line, and how long requests to the bucket take, the roles tell.
 */
export function knownMetrics(page: string): string {
  return page
    .split(/^(?=# HELP )/m)
    .filter((family) => /^# HELP (?:prometheus|thanos)_/.test(family) && !/^# TYPE \w+ histogram$/m.test(family))
    .join("");
}
