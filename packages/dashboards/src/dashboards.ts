/** The dashboards of a hierarchy: the fleet, a region, a cluster, each role of Thanos, and object storage. */
import type { Dashboard, Panel, Row } from "./dashboard.ts";

/** A share of requests by time, from a histogram. */
const quantile = (share: number, metric: string, matchers: string, by: string) =>
  `histogram_quantile(${share}, sum by (${by}, le) (rate(${metric}_bucket{${matchers}}[$__rate_interval])))`;

const panel = (title: string, unit: string, ...queries: Panel["queries"]): Panel => ({ title, unit, queries });

/** What every process says of itself. */
function processRow(matchers: string): Row {
  return {
    title: "Processes",
    panels: [
      panel("Up", "short", ["{{service}}", `sum by (service) (up{${matchers}})`]),
      panel("Memory", "bytes", ["{{pod}}", `sum by (pod) (process_resident_memory_bytes{${matchers}})`]),
      panel("CPU", "short", [
        "{{pod}}",
        `sum by (pod) (rate(process_cpu_seconds_total{${matchers}}[$__rate_interval]))`,
      ]),
    ],
  };
}

function requestRow(job: string): Row {
  const queries = `job="${job}", handler=~"query|query_range"`;
  return {
    title: "Questions",
    panels: [
      panel("Questions", "reqps", [
        "{{service}} {{code}}",
        `sum by (service, code) (rate(http_requests_total{${queries}}[$__rate_interval]))`,
      ]),
      panel(
        "Time to the answer",
        "s",
        ["median {{service}}", quantile(0.5, "http_request_duration_seconds", queries, "service")],
        ["slowest hundredth {{service}}", quantile(0.99, "http_request_duration_seconds", queries, "service")],
      ),
    ],
  };
}

function bucketRow(job: string): Row {
  return {
    title: "Object storage",
    panels: [
      panel("Requests", "reqps", [
        "{{operation}}",
        `sum by (operation) (rate(thanos_objstore_bucket_operations_total{job="${job}"}[$__rate_interval]))`,
      ]),
      panel("Failures", "reqps", [
        "{{operation}}",
        `sum by (operation) (rate(thanos_objstore_bucket_operation_failures_total{job="${job}"}[$__rate_interval]))`,
      ]),
      panel("Slowest hundredth", "s", [
        "{{operation}}",
        quantile(0.99, "thanos_objstore_bucket_operation_duration_seconds", `job="${job}"`, "operation"),
      ]),
    ],
  };
}

const fleet: Dashboard = {
  name: "fleet",
  title: "Fleet",
  choices: [],
  rows: [
    {
      title: "Clusters",
      panels: [
        panel("Clusters seen", "short", ["{{region}}", "count by (region) (count by (region, cluster) (up))"]),
        panel("Series", "short", ["{{region}}", "sum by (region) (prometheus_tsdb_head_series)"]),
        panel("Samples", "cps", [
          "{{region}}",
          "sum by (region) (rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))",
        ]),
        panel("Since the last upload", "s", [
          "{{cluster}}",
          "topk(10, time() - max by (cluster) (thanos_objstore_bucket_last_successful_upload_time > 0))",
        ]),
      ],
    },
    requestRow("thanos-query-frontend"),
    processRow('cluster="monitoring"'),
    {
      title: "Alerts",
      panels: [
        panel("Alerts", "short", ["{{state}}", "sum by (state) (alertmanager_alerts)"]),
        panel("Notifications that failed", "reqps", [
          "{{integration}}",
          "sum by (integration) (rate(alertmanager_notifications_failed_total[$__rate_interval]))",
        ]),
      ],
    },
  ],
};

const region: Dashboard = {
  name: "region",
  title: "Region",
  choices: [{ label: "region", of: "up" }],
  rows: [
    {
      title: "Clusters",
      panels: [
        panel("Clusters seen", "short", [
          "{{region}}",
          'count by (region) (count by (region, cluster) (up{region=~"$region"}))',
        ]),
        panel("Series", "short", [
          "{{cluster}}",
          'topk(10, sum by (cluster) (prometheus_tsdb_head_series{region=~"$region"}))',
        ]),
        panel("Targets down", "short", ["{{cluster}}", 'topk(10, count by (cluster) (up{region=~"$region"} == 0))']),
        panel("Since the last upload", "s", [
          "{{cluster}}",
          'topk(10, time() - max by (cluster) (thanos_objstore_bucket_last_successful_upload_time{region=~"$region"} > 0))',
        ]),
      ],
    },
    {
      title: "Regional queriers",
      panels: [
        panel("Stores that answer", "short", [
          "{{pod}} {{store_type}}",
          'sum by (pod, store_type) (thanos_store_nodes_grpc_connections{service=~"regional-querier-.*"})',
        ]),
        panel("Slowest hundredth of what is asked", "s", [
          "{{service}}",
          quantile(0.99, "grpc_server_handling_seconds", 'service=~"regional-querier-.*"', "service"),
        ]),
      ],
    },
  ],
};

const cluster: Dashboard = {
  name: "cluster",
  title: "Cluster",
  choices: [{ label: "cluster", of: "up" }],
  rows: [
    {
      title: "Prometheus",
      panels: [
        panel("Targets up", "short", ["{{job}}", 'sum by (job) (up{cluster=~"$cluster"})']),
        panel("Series", "short", [
          "{{cluster}} {{pod}}",
          'sum by (cluster, pod) (prometheus_tsdb_head_series{cluster=~"$cluster"})',
        ]),
        panel("Samples", "cps", [
          "{{cluster}}",
          'sum by (cluster) (rate(prometheus_tsdb_head_samples_appended_total{cluster=~"$cluster"}[$__rate_interval]))',
        ]),
        panel("Memory", "bytes", [
          "{{cluster}} {{pod}}",
          'sum by (cluster, pod) (process_resident_memory_bytes{cluster=~"$cluster"})',
        ]),
      ],
    },
    {
      title: "Blocks",
      panels: [
        panel("On disk", "bytes", [
          "{{cluster}}",
          'max by (cluster) (prometheus_tsdb_storage_blocks_bytes{cluster=~"$cluster"})',
        ]),
        panel(
          "Uploads",
          "short",
          [
            "done {{cluster}}",
            'sum by (cluster) (increase(thanos_shipper_uploads_total{cluster=~"$cluster"}[$__rate_interval]))',
          ],
          [
            "failed {{cluster}}",
            'sum by (cluster) (increase(thanos_shipper_upload_failures_total{cluster=~"$cluster"}[$__rate_interval]))',
          ],
        ),
      ],
    },
  ],
};

const querier: Dashboard = {
  name: "querier",
  title: "Thanos query",
  choices: [],
  rows: [
    requestRow("thanos-query"),
    {
      title: "Capacity",
      panels: [
        panel(
          "At once",
          "short",
          ["{{pod}}", "sum by (pod) (thanos_query_concurrent_gate_queries_in_flight)"],
          ["bound", "min(thanos_query_concurrent_gate_queries_max)"],
        ),
        panel("Stores that answer", "short", ["{{pod}}", "sum by (pod) (thanos_store_nodes_grpc_connections)"]),
        panel("Names that do not resolve", "reqps", [
          "{{pod}}",
          "sum by (pod) (rate(thanos_query_endpoints_dns_failures_total[$__rate_interval]))",
        ]),
      ],
    },
    processRow('job="thanos-query"'),
  ],
};

const queryFrontend: Dashboard = {
  name: "query-frontend",
  title: "Thanos query-frontend",
  choices: [],
  rows: [requestRow("thanos-query-frontend"), processRow('job="thanos-query-frontend"')],
};

const storeGateway: Dashboard = {
  name: "store-gateway",
  title: "Thanos store",
  choices: [],
  rows: [
    {
      title: "Blocks",
      panels: [
        panel("Loaded", "short", ["{{pod}}", "sum by (pod) (thanos_bucket_store_blocks_loaded)"]),
        panel("That could not be loaded", "short", [
          "{{pod}}",
          "sum by (pod) (increase(thanos_bucket_store_block_load_failures_total[$__rate_interval]))",
        ]),
        panel(
          "Series read, slowest hundredth",
          "s",
          ["{{pod}}", quantile(0.99, "thanos_bucket_store_series_get_all_duration_seconds", "", "pod")],
          ["waited {{pod}}", quantile(0.99, "thanos_bucket_store_series_gate_duration_seconds", "", "pod")],
        ),
        panel("Index cache, share of hits", "percentunit", [
          "{{pod}}",
          "sum by (pod) (rate(thanos_store_index_cache_hits_total[$__rate_interval])) / sum by (pod) (rate(thanos_store_index_cache_requests_total[$__rate_interval]))",
        ]),
      ],
    },
    bucketRow("thanos-store"),
    processRow('job="thanos-store"'),
  ],
};

const compactor: Dashboard = {
  name: "compactor",
  title: "Thanos compact",
  choices: [],
  rows: [
    {
      title: "Work",
      panels: [
        panel("Halted", "short", ["{{pod}}", "max by (pod) (thanos_compact_halted)"]),
        panel(
          "To do",
          "short",
          ["compactions", "sum(thanos_compact_todo_compactions)"],
          ["blocks to downsample", "sum(thanos_compact_todo_downsample_blocks)"],
          ["blocks to delete", "sum(thanos_compact_todo_deletion_blocks)"],
        ),
        panel(
          "Compactions",
          "short",
          ["done", "sum(increase(thanos_compact_group_compactions_total[$__rate_interval]))"],
          ["failed", "sum(increase(thanos_compact_group_compactions_failures_total[$__rate_interval]))"],
        ),
        panel("Blocks", "short", ["{{state}}", 'sum by (state) (thanos_blocks_meta_synced{job="thanos-compact"})']),
      ],
    },
    bucketRow("thanos-compact"),
    processRow('job="thanos-compact"'),
  ],
};

const ruler: Dashboard = {
  name: "ruler",
  title: "Thanos rule",
  choices: [],
  rows: [
    {
      title: "Rules",
      panels: [
        panel("Evaluations that failed", "reqps", [
          "{{pod}}",
          'sum by (pod) (rate(prometheus_rule_evaluation_failures_total{job="thanos-rule"}[$__rate_interval]))',
        ]),
        panel("Evaluations over partial answers", "reqps", [
          "{{pod}}",
          "sum by (pod) (rate(thanos_rule_evaluation_with_warnings_total[$__rate_interval]))",
        ]),
        panel(
          "Alerts",
          "reqps",
          ["sent {{pod}}", "sum by (pod) (rate(thanos_alert_sender_alerts_sent_total[$__rate_interval]))"],
          ["dropped {{pod}}", "sum by (pod) (rate(thanos_alert_sender_alerts_dropped_total[$__rate_interval]))"],
        ),
      ],
    },
    bucketRow("thanos-rule"),
    processRow('job="thanos-rule"'),
  ],
};

const receiver: Dashboard = {
  name: "receiver",
  title: "Thanos receive",
  choices: [],
  rows: [
    {
      title: "Writes",
      panels: [
        panel("Requests", "reqps", [
          "{{service}} {{code}}",
          'sum by (service, code) (rate(http_requests_total{job="thanos-receive", handler="receive"}[$__rate_interval]))',
        ]),
        panel("Series", "short", ["{{pod}}", 'sum by (pod) (prometheus_tsdb_head_series{job="thanos-receive"})']),
      ],
    },
    bucketRow("thanos-receive"),
    processRow('job="thanos-receive"'),
  ],
};

const objectStorage: Dashboard = {
  name: "object-storage",
  title: "Object storage",
  choices: [{ label: "job", of: "thanos_objstore_bucket_operations_total" }],
  rows: [
    {
      title: "As its clients see it",
      panels: [
        panel("Requests", "reqps", [
          "{{job}} {{operation}}",
          'sum by (job, operation) (rate(thanos_objstore_bucket_operations_total{job=~"$job"}[$__rate_interval]))',
        ]),
        panel("Share that fails", "percentunit", [
          "{{job}}",
          'sum by (job) (rate(thanos_objstore_bucket_operation_failures_total{job=~"$job"}[$__rate_interval])) / sum by (job) (rate(thanos_objstore_bucket_operations_total{job=~"$job"}[$__rate_interval]))',
        ]),
        panel("Slowest hundredth", "s", [
          "{{operation}}",
          quantile(0.99, "thanos_objstore_bucket_operation_duration_seconds", 'job=~"$job"', "operation"),
        ]),
        panel("Read", "Bps", [
          "{{job}}",
          'sum by (job) (rate(thanos_objstore_bucket_operation_fetched_bytes_total{job=~"$job"}[$__rate_interval]))',
        ]),
      ],
    },
  ],
};

/** All of them, in the order in which a fault is looked for. */
export const dashboards: readonly Dashboard[] = [
  fleet,
  region,
  cluster,
  queryFrontend,
  querier,
  storeGateway,
  compactor,
  ruler,
  receiver,
  objectStorage,
];
