/** Alerts on the hierarchy itself, and the fleet-wide rules of the rulers: only metrics that the pinned versions have. */
import type { Deployment } from "./deployment.ts";
import type { IConfigMap, KubernetesObject } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";
import { portsOf } from "./ports.ts";
import { yamlOf } from "./yaml-text.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: "critical" | "warning" };
  readonly annotations: { readonly summary: string };
}

/** Rules of the monitoring Prometheus. */
export function fleetRules(deployment: Deployment): readonly KubernetesObject[] {
  const { settings, workloads } = deployment;
  const labels = { ...commonLabels };
  const has = (kind: string) => workloads.some((workload) => workload.kind === kind);
  return [
    ...(has("monitoring-agent")
      ? [
          {
            apiVersion: "monitoring.coreos.com/v1" as const,
            kind: "PrometheusRule" as const,
            metadata: { name: "hierarchy", namespace: settings.namespace, labels },
            spec: { groups: [{ name: "hierarchy", rules: hierarchyAlerts(deployment).map(mutable) }] },
          },
        ]
      : []),
  ];
}

function mutable({ labels, annotations, ...rule }: Rule) {
  return { ...rule, labels: { ...labels }, annotations: { ...annotations } };
}

function rule(alert: string, severity: Rule["labels"]["severity"], expr: string, wait: string, summary: string): Rule {
  return { alert, expr, for: wait, labels: { severity }, annotations: { summary } };
}

/** Of the roles, by what they say of themselves. */
export function hierarchyAlerts(deployment: Deployment): readonly Rule[] {
  return [
    rule(
      "PleiadRoleDown",
      "critical",
      `up{job=~"thanos-.*|alertmanager|grafana|object-store"} == 0`,
      "5m",
      "{{ $labels.job }} on {{ $labels.instance }} cannot be scraped.",
    ),
    rule(
      "PleiadUploadsFail",
      "critical",
      `increase(thanos_shipper_upload_failures_total[1h]) > 0`,
      "30m",
      "Blocks of {{ $labels.instance }} do not reach the bucket: what its retention passes is lost.",
    ),
    rule(
      "PleiadUploadsOld",
      "critical",
      `time() - max by (job, instance) (thanos_objstore_bucket_last_successful_upload_time{job!="thanos-compact"} > 0) > 3 * 3600`,
      "15m",
      "{{ $labels.instance }} has uploaded no block for three hours.",
    ),
    rule(
      "PleiadCompactorHalted",
      "critical",
      `thanos_compact_halted == 1`,
      "5m",
      "The compactor {{ $labels.instance }} has halted: the bucket grows, and nothing is downsampled or expired.",
    ),
    rule(
      "PleiadCompactorBehind",
      "warning",
      `thanos_compact_todo_compactions > 500`,
      "12h",
      "The compactor {{ $labels.instance }} does not keep up.",
    ),
    rule(
      "PleiadQueriesFail",
      "warning",
      `sum by (job) (rate(http_requests_total{job="thanos-query", handler=~"query|query_range", code=~"5.."}[5m])) / sum by (job) (rate(http_requests_total{job="thanos-query", handler=~"query|query_range"}[5m])) > 0.05`,
      "10m",
      "More than one query in twenty fails.",
    ),
    rule(
      "PleiadQueriesSlow",
      "warning",
      `histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket{job="thanos-query", handler=~"query|query_range"}[10m]))) > 10`,
      "15m",
      "The slowest hundredth of the queries takes over 10 s.",
    ),
    rule(
      "PleiadQueriersFull",
      "warning",
      `max_over_time(thanos_query_concurrent_gate_queries_in_flight[5m]) / thanos_query_concurrent_gate_queries_max > 0.9`,
      "15m",
      "Queries wait at {{ $labels.instance }}.",
    ),
    rule(
      "PleiadStoreGatewaySlow",
      "warning",
      `histogram_quantile(0.99, sum by (instance, le) (rate(thanos_bucket_store_series_get_all_duration_seconds_bucket[10m]))) > 5`,
      "30m",
      "{{ $labels.instance }} reads series from the bucket in over 5 s.",
    ),
    rule(
      "PleiadClustersMissing",
      "critical",
      `sum by (pod) (thanos_store_nodes_grpc_connections{service=~"regional-querier-.*"}) == 0`,
      "10m",
      "{{ $labels.pod }} reaches no store at all.",
    ),
    rule(
      "PleiadCompactionsFail",
      "warning",
      `increase(thanos_compact_group_compactions_failures_total[1h]) > 0`,
      "30m",
      "Compactions of {{ $labels.pod }} fail.",
    ),
    rule(
      "PleiadBlocksUnreadable",
      "critical",
      `increase(thanos_bucket_store_block_load_failures_total[15m]) > 0`,
      "30m",
      "{{ $labels.pod }} cannot load blocks: history is missing from answers.",
    ),
    rule(
      "PleiadObjectStorageFails",
      "critical",
      `sum by (job) (rate(thanos_objstore_bucket_operation_failures_total[10m])) / sum by (job) (rate(thanos_objstore_bucket_operations_total[10m])) > 0.05`,
      "15m",
      "More than one request in twenty of {{ $labels.job }} to object storage fails.",
    ),
    rule(
      "PleiadRulesFail",
      "critical",
      `increase(prometheus_rule_evaluation_failures_total{job="thanos-rule"}[10m]) > 0`,
      "15m",
      "Rules of {{ $labels.pod }} fail.",
    ),
    rule(
      "PleiadAlertsDropped",
      "critical",
      `increase(thanos_alert_sender_alerts_dropped_total[10m]) > 0`,
      "5m",
      "{{ $labels.pod }} cannot hand its alerts to Alertmanager.",
    ),
    ...replicaAlerts(deployment),
    ...nodeAlerts(deployment),
  ];
}

/** What the plan counts on being there twice, and is not. */
function replicaAlerts({ workloads }: Deployment): readonly Rule[] {
  return workloads
    .filter(({ kind, roles }) => roles.length > 1 && portsOf(kind).some(({ name }) => name === "http"))
    .map(({ name, roles }) =>
      rule(
        "PleiadReplicasDown",
        "warning",
        `(sum(up{service="${name}"}) or vector(0)) < ${roles.length}`,
        "15m",
        `Of the ${roles.length} replicas of ${name}, {{ $value }} are up.`,
      ),
    );
}

/** A node whose roles hold more memory than the plan gave them has none left for the next failure. */
function nodeAlerts({ plan }: Deployment): readonly Rule[] {
  return plan.nodes
    .filter(({ memoryBytesUsed }) => memoryBytesUsed > 0)
    .map(({ name, memoryBytesUsed }) =>
      rule(
        "PleiadNodeOverBudget",
        "warning",
        `sum(process_resident_memory_bytes{node="${name}"}) > ${memoryBytesUsed}`,
        "30m",
        `The roles of ${name} hold {{ $value | humanize1024 }}B, and the plan gave them ${(memoryBytesUsed / 2 ** 30).toFixed(1)} GiB.`,
      ),
    );
}

/** Names of the ConfigMaps that hold the rulers' rules: one a region. */
export function ruleConfigMaps({ plan }: Deployment): readonly string[] {
  return plan.regions.map(({ name }) => `rules-${name}`);
}

/**
 * Rules of the rulers for one region. Asked at the top: a cluster that is missing says nothing of itself. They stand with
 * the region's endpoints, since both say which clusters there are.
 */
export function regionRules({ settings, workloads, plan }: Deployment, region: string): readonly IConfigMap[] {
  const clusters = plan.regions.find(({ name }) => name === region)?.clusters ?? [];
  if (clusters.length === 0 || !workloads.some(({ kind }) => kind === "ruler")) return [];
  const within = `region="${region}"`;
  const rules = [
    rule(
      "PleiadRegionIncomplete",
      "critical",
      `(count(count by (cluster) (up{${within}})) or vector(0)) < ${clusters.length}`,
      "10m",
      `Of the ${clusters.length} clusters of region ${region}, {{ $value }} are seen.`,
    ),
    rule(
      "PleiadClusterMissing",
      "critical",
      `group by (cluster) (max_over_time(up{${within}}[1d])) unless group by (cluster) (up{${within}})`,
      "10m",
      "The cluster {{ $labels.cluster }} was seen within a day, and is not now.",
    ),
    rule(
      "PleiadClusterUploadsOld",
      "critical",
      `time() - max by (cluster) (thanos_objstore_bucket_last_successful_upload_time{${within}} > 0) > 3 * 3600`,
      "15m",
      "The cluster {{ $labels.cluster }} has uploaded no block for three hours: what its retention passes is lost.",
    ),
  ];
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `rules-${region}`, namespace: settings.namespace, labels: { ...commonLabels } },
      data: { [`${region}.yaml`]: yamlOf({ groups: [{ name: region, rules }] }) },
    },
  ];
}
