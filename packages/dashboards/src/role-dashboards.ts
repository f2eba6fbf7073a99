/** A dashboard a role of Thanos, and one of object storage as the roles see it. */
import type { Dashboard } from "./dashboard.ts";
import { bucketRates, bucketRow, panel, processRow, quantile, questionRow, services } from "./panel-rows.ts";
import {
  bucketFailuresOfService,
  bucketRequestsOfService,
  bucketSecondsOfService,
  callSecondsOfService,
  type Reader,
} from "./recordings.ts";

export function querierDashboard(read: Reader): Dashboard {
  const { querier } = services;
  return {
    name: "querier",
    title: "Thanos query",
    description: "Global and regional queriers: what they are asked, whom they reach, and whether queries wait.",
    choices: [],
    rows: [
      questionRow(querier, read),
      {
        title: "Capacity",
        panels: [
          panel(
            "At once",
            "Queries that run, and how many may. At the bound, further ones wait.",
            "short",
            ["{{pod}}", `sum by (pod) (thanos_query_concurrent_gate_queries_in_flight{${querier}})`],
            ["bound", `min(thanos_query_concurrent_gate_queries_max{${querier}})`],
          ),
          panel("Stores that answer", "Endpoints that a querier is connected to. It should not fall.", "short", [
            "{{pod}}",
            `sum by (pod) (thanos_store_nodes_grpc_connections{${querier}})`,
          ]),
          panel("Slowest hundredth over gRPC", "Time of calls from queriers above: what regions answer.", "s", [
            "{{service}}",
            quantile(0.99, "service", read(callSecondsOfService, querier)),
          ]),
          panel(
            "Names that do not resolve",
            "Look-ups of endpoints that failed. Whoever hides behind the name is not asked.",
            "reqps",
            ["{{pod}}", `sum by (pod) (rate(thanos_query_endpoints_dns_failures_total{${querier}}[$__rate_interval]))`],
          ),
        ],
      },
      processRow(querier),
    ],
  };
}

export function queryFrontendDashboard(read: Reader): Dashboard {
  const { queryFrontend } = services;
  return {
    name: "query-frontend",
    title: "Thanos query-frontend",
    description:
      "Where dashboards ask: it splits long ranges, keeps answers, and spreads them over the global queriers.",
    choices: [],
    rows: [
      questionRow(queryFrontend, read),
      {
        title: "Splitting and cache",
        panels: [
          panel(
            "Parts that queries were cut into",
            "A long range is cut into days, so that queriers share it.",
            "reqps",
            ["{{pod}}", `sum by (pod) (rate(thanos_frontend_split_queries_total{${queryFrontend}}[$__rate_interval]))`],
          ),
          panel(
            "Cache, share of hits",
            "Of the parts that were looked for. A dashboard that is looked at again should hit.",
            "percentunit",
            [
              "{{name}}",
              `sum by (name) (rate(cortex_cache_hits_total{${queryFrontend}}[1h])) / sum by (name) (rate(cortex_cache_fetched_keys_total{${queryFrontend}}[1h]))`,
            ],
          ),
        ],
      },
      processRow(queryFrontend),
    ],
  };
}

export function storeGatewayDashboard(read: Reader): Dashboard {
  const { storeGateway } = services;
  const hits = `sum by (pod) (rate(thanos_store_index_cache_hits_total{${storeGateway}}[1h]))`;
  const requests = `sum by (pod) (rate(thanos_store_index_cache_requests_total{${storeGateway}}[1h]))`;
  return {
    name: "store-gateway",
    title: "Thanos store",
    description: "Store gateways: the history in the bucket, and how fast it is read.",
    choices: [],
    rows: [
      {
        title: "Blocks",
        panels: [
          panel("Loaded", "Blocks that are served. It grows until the compactor merges them.", "short", [
            "{{pod}}",
            `sum by (pod) (thanos_bucket_store_blocks_loaded{${storeGateway}})`,
          ]),
          panel(
            "That could not be loaded",
            "Blocks within an hour that could not be opened, at a sync or when first asked for: history that answers lack.",
            "short",
            ["{{pod}}", `sum by (pod) (increase(thanos_bucket_store_block_load_failures_total{${storeGateway}}[1h]))`],
            [
              "when asked {{pod}}",
              `sum by (pod) (increase(thanos_bucket_store_indexheader_lazy_load_failed_total{${storeGateway}}[1h]))`,
            ],
          ),
          panel("Since the list of blocks was read", "A gateway that cannot read it serves what it knew.", "s", [
            "{{pod}}",
            `time() - max by (pod) (thanos_bucket_store_blocks_last_loaded_timestamp_seconds{${storeGateway}} > 0)`,
          ]),
        ],
      },
      {
        title: "Questions",
        panels: [
          panel(
            "Series read, slowest hundredth",
            "Time until all blocks have answered, and how long questions waited for others. Over 5 s an alert comes.",
            "s",
            [
              "{{pod}}",
              quantile(0.99, "pod", bucketRates("thanos_bucket_store_series_get_all_duration_seconds", storeGateway)),
            ],
            [
              "waited {{pod}}",
              quantile(
                0.99,
                "pod",
                bucketRates("thanos_bucket_store_series_gate_queries_duration_seconds", storeGateway),
              ),
            ],
          ),
          panel("Slowest hundredth over gRPC", "Time of calls by queriers, to the last series.", "s", [
            "{{service}}",
            quantile(0.99, "service", read(callSecondsOfService, storeGateway)),
          ]),
          panel(
            "Index cache, share of hits",
            "Postings and series that were in memory. Below a half, give it more.",
            "percentunit",
            ["{{pod}}", `${hits} / ${requests}`],
          ),
          panel("Questions over a limit", "Questions that were given up since they needed too much.", "reqps", [
            "{{pod}} {{reason}}",
            `sum by (pod, reason) (rate(thanos_bucket_store_queries_dropped_total{${storeGateway}}[$__rate_interval]))`,
          ]),
        ],
      },
      bucketRow(storeGateway, read),
      processRow(storeGateway),
    ],
  };
}

export function compactorDashboard(read: Reader): Dashboard {
  const { compactor } = services;
  return {
    name: "compactor",
    title: "Thanos compact",
    description:
      "The compactor merges, downsamples and expires. While it stands still the bucket grows and history is slow.",
    choices: [],
    rows: [
      {
        title: "Work",
        panels: [
          panel("Halted", "1: it has met something that it will not touch, and waits for a person.", "short", [
            "{{pod}}",
            `max by (pod) (thanos_compact_halted{${compactor}})`,
          ]),
          panel(
            "To do",
            "It should come back to nothing between uploads. What only grows, it never catches up with.",
            "short",
            ["compactions", `sum(thanos_compact_todo_compactions{${compactor}})`],
            ["blocks to downsample", `sum(thanos_compact_todo_downsample_blocks{${compactor}})`],
            ["blocks to delete", `sum(thanos_compact_todo_deletion_blocks{${compactor}})`],
          ),
          panel(
            "Passes within an hour",
            "Looks over the whole bucket that ended well. None in a day is an alert.",
            "short",
            ["{{pod}}", `sum by (pod) (increase(thanos_compact_iterations_total{${compactor}}[1h]))`],
          ),
          panel(
            "Compactions within an hour",
            "Blocks made of others, and tries that failed.",
            "short",
            ["done", `sum(increase(thanos_compact_group_compactions_total{${compactor}}[1h]))`],
            ["failed", `sum(increase(thanos_compact_group_compactions_failures_total{${compactor}}[1h]))`],
          ),
          panel("Blocks", "What compaction makes of the blocks of the bucket.", "short", [
            "{{state}}",
            `sum by (state) (thanos_blocks_meta_synced{${compactor}})`,
          ]),
          panel(
            "Blocks marked and deleted within an hour",
            "A block is marked first, and goes when everybody has had time to notice.",
            "short",
            ["marked", `sum(increase(thanos_compact_blocks_marked_total{${compactor}}[1h]))`],
            ["deleted", `sum(increase(thanos_compact_blocks_cleaned_total{${compactor}}[1h]))`],
          ),
        ],
      },
      bucketRow(compactor, read),
      processRow(compactor),
    ],
  };
}

export function rulerDashboard(read: Reader): Dashboard {
  const { ruler } = services;
  return {
    name: "ruler",
    title: "Thanos rule",
    description: "The rulers: whether rules are evaluated, over whole answers, in time, and whether alerts leave.",
    choices: [],
    rows: [
      {
        title: "Rules",
        panels: [
          panel("Evaluations that failed", "A rule that cannot be evaluated alerts nobody.", "reqps", [
            "{{pod}}",
            `sum by (pod) (rate(prometheus_rule_evaluation_failures_total{${ruler}}[$__rate_interval]))`,
          ]),
          panel(
            "Evaluations over partial answers",
            "Rules that were evaluated although something was missing.",
            "reqps",
            ["{{pod}}", `sum by (pod) (rate(thanos_rule_evaluation_with_warnings_total{${ruler}}[$__rate_interval]))`],
          ),
          panel("Groups that came too late", "Evaluations left out since the last one still ran.", "reqps", [
            "{{pod}}",
            `sum by (pod) (rate(prometheus_rule_group_iterations_missed_total{${ruler}}[$__rate_interval]))`,
          ]),
          panel(
            "Alerts",
            "Alerts that reached Alertmanager, and those that never did.",
            "reqps",
            ["sent {{pod}}", `sum by (pod) (rate(thanos_alert_sender_alerts_sent_total{${ruler}}[$__rate_interval]))`],
            [
              "dropped {{pod}}",
              `sum by (pod) (rate(thanos_alert_sender_alerts_dropped_total{${ruler}}[$__rate_interval]))`,
            ],
          ),
        ],
      },
      bucketRow(ruler, read),
      processRow(ruler),
    ],
  };
}

export function receiverDashboard(read: Reader): Dashboard {
  const { receiver } = services;
  return {
    name: "receiver",
    title: "Thanos receive",
    description: "Receivers, for clusters that write rather than are asked.",
    choices: [],
    rows: [
      {
        title: "Writes",
        panels: [
          panel("Requests", "Writes by the status of their answer: what is not 200 the writer sends again.", "reqps", [
            "{{service}} {{code}}",
            `sum by (service, code) (rate(http_requests_total{${receiver}, handler="receive"}[$__rate_interval]))`,
          ]),
          panel("Series", "Series in the heads of all tenants.", "short", [
            "{{pod}}",
            `sum by (pod) (prometheus_tsdb_head_series{${receiver}})`,
          ]),
        ],
      },
      bucketRow(receiver, read),
      processRow(receiver),
    ],
  };
}

export function objectStorageDashboard(read: Reader): Dashboard {
  const chosen = 'service=~"$service", service!=""';
  const failures = `sum by (service) (${read(bucketFailuresOfService, chosen)})`;
  const requests = `sum by (service) (${read(bucketRequestsOfService, chosen)})`;
  return {
    name: "object-storage",
    title: "Object storage",
    description: "The bucket as those who use it see it.",
    choices: [{ label: "service", of: 'thanos_objstore_bucket_operations_total{service!=""}' }],
    rows: [
      {
        title: "Roles",
        panels: [
          panel("Requests", "Requests to the bucket by who asks and for what.", "reqps", [
            "{{service}} {{operation}}",
            `sum by (service, operation) (${read(bucketRequestsOfService, chosen)})`,
          ]),
          panel("Share that fails", "Above one in twenty, an alert comes.", "percentunit", [
            "{{service}}",
            `${failures} / ${requests}`,
          ]),
          panel("Slowest hundredth", "Of the requests that succeeded.", "s", [
            "{{operation}}",
            quantile(0.99, "operation", read(bucketSecondsOfService, chosen)),
          ]),
          panel("Read", "Bytes that come out of the bucket.", "Bps", [
            "{{service}}",
            `sum by (service) (rate(thanos_objstore_bucket_operation_fetched_bytes_total{${chosen}}[$__rate_interval]))`,
          ]),
        ],
      },
      {
        title: "App clusters",
        panels: [
          panel(
            "Blocks within six hours",
            "Blocks that the clusters uploaded, three each in six hours, and uploads that failed.",
            "short",
            ["uploaded {{region}}", 'sum by (region) (increase(thanos_shipper_uploads_total{region!=""}[6h]))'],
            ["failed {{region}}", 'sum by (region) (increase(thanos_shipper_upload_failures_total{region!=""}[6h]))'],
          ),
          panel("Failures", "Requests of sidecars that failed.", "reqps", [
            "{{region}} {{operation}}",
            'sum by (region, operation) (rate(thanos_objstore_bucket_operation_failures_total{region!=""}[$__rate_interval]))',
          ]),
        ],
      },
    ],
  };
}
