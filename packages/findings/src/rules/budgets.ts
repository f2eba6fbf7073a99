/** What nodes and regions are asked to carry. */
import { remove, set, type FindingRule } from "../finding-rule.ts";

export const budgetRules: readonly FindingRule[] = [
  {
    code: "region-over-rule",
    severity: "high",
    title: "A region is allowed more clusters than a regional querier can serve.",
    why: "Every query of the region opens a stream to every cluster in it. The rule is what one querier was sized for, and a limit of the region's own only silences it.",
    find: ({ fleet }) => {
      const most = fleet.policies.clustersPerRegionMax;
      return fleet.regions
        .filter(({ clusters, clustersMax }) => clusters.length > most && clustersMax > most)
        .map(({ name, clusters }) => ({
          path: ["regions", name, "clustersMax"],
          found: `${name} has ${clusters.length} clusters, ${clusters.length - most} more than the rule of ${most}`,
          instead: `${Math.ceil(clusters.length / most)} regions`,
        }));
    },
  },
  {
    code: "no-system-reserve",
    severity: "low",
    title: "Nodes are budgeted as if all of them were free for roles.",
    why: "The kubelet, the network and storage plugins and the exporters of a node take about a core and 2 GiB of it. A full plan then does not fit.",
    find: ({ fleet: { policies, engine } }) =>
      engine === "thanos" && policies.reserve.cpuMillicores === 0 && policies.reserve.memoryBytes === 0
        ? [
            {
              path: ["policies", "reserve"],
              found: "policies.reserve is not given",
              instead: "reserve: { cpu: 1, memory: 2Gi }",
              edits: [set(["policies", "reserve"], { cpu: 1, memory: "2Gi" })],
            },
          ]
        : [],
  },
];

export const watchingRules: readonly FindingRule[] = [
  {
    code: "nobody-watches",
    severity: "medium",
    title: "Nothing scrapes the monitoring itself.",
    why: "A querier that fails, a compactor that halts or a cluster that went missing is noticed by whoever needs the data first.",
    find: ({ fleet }) =>
      fleet.monitoring === undefined
        ? [
            {
              path: ["roles"],
              found: "there is no monitoring-agent",
              instead: "monitoring-agent: { cpu: 500m, memory: 1Gi }",
              edits: [set(["roles", "monitoring-agent"], { replicas: 1, cpu: "500m", memory: "1Gi" })],
            },
          ]
        : [],
  },
  {
    code: "metric-unknown",
    severity: "medium",
    title: "An alert, dashboard or check reads a metric that no release exports.",
    why: "A query for a name that does not exist gives nothing, and nothing never fires: the alert looks well for ever.",
    find: ({ fleet }) =>
      (fleet.deployment?.metrics ?? []).flatMap((name, index) => {
        const instead = Object.hasOwn(unknownMetrics, name) ? unknownMetrics[name] : undefined;
        return instead === undefined
          ? []
          : [
              {
                path: ["deployment", "metrics", index],
                found: `no release of Thanos exports ${name}`,
                instead,
                edits: [remove(["deployment", "metrics"])],
              },
            ];
      }),
  },
];

/** Names that are often written and that no release from 0.37 to 0.42 exports, each with what says the same. */
const unknownMetrics: Readonly<Record<string, string>> = {
  thanos_query_concurrent_queries: "thanos_query_concurrent_gate_queries_in_flight",
  thanos_query_duration: 'http_request_duration_seconds{handler="query_range"}',
  thanos_store_bucket_cache_operation_duration_seconds: "thanos_objstore_bucket_operation_duration_seconds",
};
