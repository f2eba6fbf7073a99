/** Alerts on the hierarchy itself, and the fleet-wide rules of the rulers: only metrics that the pinned versions have. */
import type { Deployment } from "./deployment.ts";
import type { IConfigMap, KubernetesObject } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";
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

/** Of the roles, by what they say of themselves. */
export function hierarchyAlerts({ plan }: Deployment): readonly Rule[] {
  const rule = (
    alert: string,
    severity: Rule["labels"]["severity"],
    expr: string,
    wait: string,
    summary: string,
  ): Rule => ({
    alert,
    expr,
    for: wait,
    labels: { severity },
    annotations: { summary },
  });
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
      `sum by (instance) (thanos_store_nodes_grpc_connections{store_type="sidecar"}) < ${plan.clusters.length > 0 ? 1 : 0}`,
      "10m",
      "{{ $labels.instance }} reaches no cluster at all.",
    ),
  ];
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
  const rule: Rule = {
    alert: "PleiadRegionIncomplete",
    expr: `(count(count by (cluster) (up{region="${region}"})) or vector(0)) < ${clusters.length}`,
    for: "10m",
    labels: { severity: "critical" },
    annotations: { summary: `Of the ${clusters.length} clusters of region ${region}, {{ $value }} are seen.` },
  };
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `rules-${region}`, namespace: settings.namespace, labels: { ...commonLabels } },
      data: { [`${region}.yaml`]: yamlOf({ groups: [{ name: region, rules: [rule] }] }) },
    },
  ];
}
