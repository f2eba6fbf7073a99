/** Alerts on the roles of the hierarchy, by what they say of themselves. Only metrics that the pinned versions have. */
import { alertRule, certificateEnds, type AlertRule } from "./alert-rule.ts";
import type { Deployment } from "./deployment.ts";
import { portsOf } from "./ports.ts";

const queriers = 'service=~"query-frontend|.+-querier.*"';
/** Statuses of gRPC that are the fault of who answers. */
const serverFaults = 'grpc_code=~"Unknown|ResourceExhausted|Internal|Unavailable|DataLoss|DeadlineExceeded"';

/** A share of events by label, where there are any events at all. */
const share = (by: string, some: string, all: string) => `sum by (${by}) (${some}) / (sum by (${by}) (${all}) > 0)`;

export function hierarchyAlerts(deployment: Deployment): readonly AlertRule[] {
  const has = (kind: string) => deployment.workloads.some((workload) => workload.kind === kind);
  return [
    alertRule(
      "PleiadWatchdog",
      "none",
      "vector(1)",
      "0s",
      "Always fires. Whoever does not get it any more knows that no alert gets through.",
    ),
    ...roleAlerts(deployment),
    ...queryAlerts,
    ...storageAlerts,
    ...(has("ruler") ? rulerAlerts : []),
    ...(has("receiver") ? receiverAlerts : []),
    ...(has("alertmanager") ? alertmanagerAlerts(deployment) : []),
    ...nodeAlerts(deployment),
    ...certificateAlerts(deployment),
  ];
}

/** What the plan counts on being there, and is not. */
function roleAlerts({ workloads }: Deployment): readonly AlertRule[] {
  const scraped = workloads.filter(
    ({ kind }) => kind !== "monitoring-agent" && portsOf(kind).some(({ name }) => name === "http"),
  );
  return [
    alertRule(
      "PleiadRoleDown",
      "warning",
      'up{job=~"thanos-.*|alertmanager|grafana|object-store"} == 0',
      "5m",
      "{{ $labels.pod }} cannot be scraped.",
    ),
    ...scraped.map(({ name, roles }) =>
      alertRule(
        "PleiadServiceDown",
        "critical",
        `(sum(up{service="${name}"}) or vector(0)) == 0`,
        "5m",
        `${roles.length === 1 ? "The only replica" : `None of the ${roles.length} replicas`} of ${name} is up.`,
        { service: name },
      ),
    ),
    ...scraped
      .filter(({ roles }) => roles.length > 1)
      .map(({ name, roles }) =>
        alertRule(
          "PleiadReplicasDown",
          "warning",
          `(sum(up{service="${name}"}) or vector(0)) < ${roles.length}`,
          "15m",
          `Of the ${roles.length} replicas of ${name}, {{ $value }} are up.`,
          { service: name },
        ),
      ),
  ];
}

const queryAlerts: readonly AlertRule[] = [
  alertRule(
    "PleiadQueriesFail",
    "warning",
    `${share("service", `service_code:http_requests:rate5m{${queriers}, code=~"5.."}`, `service_code:http_requests:rate5m{${queriers}}`)} > 0.05`,
    "10m",
    "Of the queries to {{ $labels.service }}, {{ $value | humanizePercentage }} fail.",
  ),
  alertRule(
    "PleiadQueriesSlow",
    "warning",
    `histogram_quantile(0.99, sum by (service, le) (service:http_request_duration_seconds_bucket:rate5m{${queriers}})) > 10`,
    "15m",
    "The slowest hundredth of the queries to {{ $labels.service }} takes {{ $value | humanizeDuration }}.",
  ),
  alertRule(
    "PleiadQueriersFull",
    "warning",
    "max_over_time(thanos_query_concurrent_gate_queries_in_flight[5m]) / thanos_query_concurrent_gate_queries_max > 0.9",
    "15m",
    "Queries wait at {{ $labels.pod }}.",
  ),
  alertRule(
    "PleiadQuerierAlone",
    "critical",
    'sum by (pod) (thanos_store_nodes_grpc_connections{service=~".+-querier.*"}) == 0',
    "10m",
    "{{ $labels.pod }} reaches no store at all.",
  ),
  alertRule(
    "PleiadNamesDoNotResolve",
    "warning",
    "sum by (pod) (rate(thanos_query_endpoints_dns_failures_total[5m])) / (sum by (pod) (rate(thanos_query_endpoints_dns_lookups_total[5m])) > 0) > 0.01",
    "15m",
    "{{ $labels.pod }} does not find the addresses of its endpoints.",
  ),
  alertRule(
    "PleiadCallsFail",
    "warning",
    `${share("service", `rate(grpc_server_handled_total{${serverFaults}}[5m])`, "rate(grpc_server_handled_total[5m])")} > 0.05`,
    "10m",
    "Of the calls to {{ $labels.service }}, {{ $value | humanizePercentage }} fail.",
  ),
  alertRule(
    "PleiadCallsSlow",
    "warning",
    'histogram_quantile(0.99, sum by (service, le) (service:grpc_server_handling_seconds_bucket:rate5m{service=~".+-querier.*|store-gateway.*"})) > 20',
    "15m",
    "The slowest hundredth of the calls to {{ $labels.service }} takes {{ $value | humanizeDuration }}.",
  ),
  alertRule(
    "PleiadStoreGatewaySlow",
    "warning",
    "histogram_quantile(0.99, sum by (pod, le) (rate(thanos_bucket_store_series_get_all_duration_seconds_bucket[10m]))) > 5",
    "30m",
    "{{ $labels.pod }} takes {{ $value | humanizeDuration }} to read series from the bucket.",
  ),
  alertRule(
    "PleiadBlocksUnreadable",
    "critical",
    "sum by (pod) (increase(thanos_bucket_store_block_load_failures_total[15m])) > 0 or sum by (pod) (increase(thanos_bucket_store_indexheader_lazy_load_failed_total[15m])) > 0",
    "30m",
    "{{ $labels.pod }} cannot load blocks: history is missing from answers.",
  ),
];

const storageAlerts: readonly AlertRule[] = [
  alertRule(
    "PleiadUploadsFail",
    "critical",
    "increase(thanos_shipper_upload_failures_total[1h]) > 0",
    "30m",
    "Blocks of {{ $labels.pod }} do not reach the bucket: what its retention passes is lost.",
  ),
  alertRule(
    "PleiadUploadsOld",
    "critical",
    'time() - max by (job, pod) (thanos_objstore_bucket_last_successful_upload_time{job!="thanos-compact"} > 0) > 3 * 3600',
    "15m",
    "{{ $labels.pod }} has uploaded no block for {{ $value | humanizeDuration }}.",
  ),
  alertRule(
    "PleiadCompactorHalted",
    "critical",
    "thanos_compact_halted == 1",
    "5m",
    "{{ $labels.pod }} has halted: the bucket grows, and nothing is downsampled or expired.",
  ),
  alertRule(
    "PleiadCompactorTwice",
    "critical",
    'count by (service) (up{job="thanos-compact"} == 1) > 1',
    "5m",
    "{{ $value }} of {{ $labels.service }} run at once: two compactors destroy each other's blocks.",
  ),
  alertRule(
    "PleiadCompactorIdle",
    "critical",
    // One that has just started may be on its first pass.
    'sum by (service) (increase(thanos_compact_iterations_total[1d])) == 0 and on (service) time() - max by (service) (process_start_time_seconds{job="thanos-compact"}) > 86400',
    "1h",
    "{{ $labels.service }} has not gone through the bucket for a day.",
  ),
  alertRule(
    "PleiadCompactorBehind",
    "warning",
    "thanos_compact_todo_compactions > 500 or thanos_compact_todo_downsample_blocks > 500",
    "12h",
    "{{ $labels.pod }} does not keep up: {{ $value }} are to be done.",
  ),
  alertRule(
    "PleiadCompactionsFail",
    "warning",
    "sum by (pod) (increase(thanos_compact_group_compactions_failures_total[1h])) > 0",
    "30m",
    "Compactions of {{ $labels.pod }} fail.",
  ),
  alertRule(
    "PleiadObjectStorageFails",
    "critical",
    `${share("service", "service_operation:thanos_objstore_bucket_operation_failures:rate5m", "service_operation:thanos_objstore_bucket_operations:rate5m")} > 0.05`,
    "15m",
    "Of the requests of {{ $labels.service }} to object storage, {{ $value | humanizePercentage }} fail.",
  ),
  alertRule(
    "PleiadObjectStorageSlow",
    "warning",
    'histogram_quantile(0.99, sum by (service, le) (service_operation:thanos_objstore_bucket_operation_duration_seconds_bucket:rate5m{operation=~"get|get_range|attributes|exists"})) > 5',
    "15m",
    "The slowest hundredth of what {{ $labels.service }} reads from object storage takes {{ $value | humanizeDuration }}.",
  ),
];

const rulerAlerts: readonly AlertRule[] = [
  alertRule(
    "PleiadRulesFail",
    "critical",
    'increase(prometheus_rule_evaluation_failures_total{job="thanos-rule"}[10m]) > 0',
    "15m",
    "Rules of {{ $labels.pod }} fail.",
  ),
  alertRule(
    "PleiadRulesPartial",
    "warning",
    "sum by (pod) (increase(thanos_rule_evaluation_with_warnings_total[15m])) > 0",
    "15m",
    "{{ $labels.pod }} evaluates rules over answers that lack something.",
  ),
  alertRule(
    "PleiadRulesLate",
    "warning",
    'sum by (pod) (increase(prometheus_rule_group_iterations_missed_total{job="thanos-rule"}[15m])) > 0',
    "15m",
    "{{ $labels.pod }} leaves evaluations out, since the last ones still run.",
  ),
  alertRule(
    "PleiadRulesNotLoaded",
    "warning",
    "thanos_rule_config_last_reload_successful == 0",
    "5m",
    "{{ $labels.pod }} goes by old rules: the new ones cannot be read.",
  ),
  alertRule(
    "PleiadAlertsDropped",
    "critical",
    "increase(thanos_alert_sender_alerts_dropped_total[10m]) > 0 or increase(thanos_alert_queue_alerts_dropped_total[10m]) > 0",
    "5m",
    "{{ $labels.pod }} cannot hand its alerts to Alertmanager.",
  ),
];

const receiverAlerts: readonly AlertRule[] = [
  alertRule(
    "PleiadWritesFail",
    "critical",
    `${share("service", 'rate(http_requests_total{handler="receive", code=~"5.."}[5m])', 'rate(http_requests_total{handler="receive"}[5m])')} > 0.05`,
    "10m",
    "Of the writes to {{ $labels.service }}, {{ $value | humanizePercentage }} fail.",
  ),
];

function alertmanagerAlerts({ workloads }: Deployment): readonly AlertRule[] {
  const replicas = workloads.find(({ kind }) => kind === "alertmanager")?.roles.length ?? 0;
  return [
    alertRule(
      "PleiadNotificationsFail",
      "critical",
      "sum by (integration) (rate(alertmanager_notifications_failed_total[5m])) / (sum by (integration) (rate(alertmanager_notifications_total[5m])) > 0) > 0.01",
      "5m",
      "Notifications by {{ $labels.integration }} reach nobody.",
    ),
    ...(replicas < 2
      ? []
      : [
          alertRule(
            "PleiadAlertmanagerAlone",
            "warning",
            `alertmanager_cluster_members < ${replicas}`,
            "15m",
            `{{ $labels.pod }} sees {{ $value }} of ${replicas} replicas: an alert may be sent twice.`,
          ),
        ]),
  ];
}

/** A node whose roles hold more than the plan gave them has none left for the next failure. */
function nodeAlerts({ plan }: Deployment): readonly AlertRule[] {
  return plan.nodes
    .filter(({ memoryBytesUsed }) => memoryBytesUsed > 0)
    .flatMap(({ name, memoryBytesUsed, cpuMillicoresUsed }) => [
      alertRule(
        "PleiadNodeMemoryOverBudget",
        "warning",
        `sum(process_resident_memory_bytes{node="${name}"}) > ${memoryBytesUsed}`,
        "30m",
        `The roles of ${name} hold {{ $value | humanize1024 }}B, and the plan gave them ${(memoryBytesUsed / 2 ** 30).toFixed(1)} GiB.`,
        { node: name },
      ),
      alertRule(
        "PleiadNodeCpuOverBudget",
        "warning",
        `sum(rate(process_cpu_seconds_total{node="${name}"}[5m])) > ${cpuMillicoresUsed / 1000}`,
        "30m",
        `The roles of ${name} use {{ $value | humanize }} processors, and the plan gave them ${cpuMillicoresUsed / 1000}.`,
        { node: name },
      ),
    ]);
}

/** Of the monitoring cluster itself. Keys that `pleiad certs` made are watched by whoever reads Secrets. */
function certificateAlerts({ settings }: Deployment): readonly AlertRule[] {
  const [ends, named] =
    settings.certificates === "cert-manager"
      ? [certificateEnds(settings.namespace), "name"]
      : [`x509_cert_not_after{secret_namespace="${settings.namespace}"}`, "secret_name"];
  return [
    alertRule(
      "PleiadCertificateEnds",
      "critical",
      `min by (${named}) (${ends}) - time() < 14 * 86400`,
      "1h",
      `The certificate {{ $labels.${named} }} ends in {{ $value | humanizeDuration }}: nobody gets an answer then.`,
    ),
    alertRule("PleiadCertificatesUnwatched", "warning", `absent(${ends})`, "1h", "Nobody says when certificates end."),
  ];
}
