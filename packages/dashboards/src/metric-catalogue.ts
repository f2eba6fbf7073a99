/**
 * Metrics that the roles of a hierarchy expose, by component and version: a panel or an alert on any other would stay
 * empty without a word. From the sources of Thanos 0.37.2 and 0.42.4, Prometheus 3.14 and Alertmanager 0.34.
 */

export type MetricKind = "counter" | "gauge" | "histogram";

export interface MetricFacts {
  readonly kind: MetricKind;
  /** The first minor version of Thanos that has it, and the first that no longer has it; absent where all known do. */
  readonly since?: string;
  readonly until?: string;
}

/** One line a family: what stands in braces is filled in for each. */
const families: readonly [kind: MetricKind, names: string, versions?: Pick<MetricFacts, "since" | "until">][] = [
  ["gauge", "up scrape_duration_seconds scrape_samples_scraped"],
  ["gauge", "process_resident_memory_bytes process_start_time_seconds go_goroutines go_memstats_heap_inuse_bytes"],
  ["counter", "process_cpu_seconds_total http_requests_total"],
  ["histogram", "http_request_duration_seconds grpc_server_handling_seconds"],
  ["counter", "grpc_server_handled_total grpc_client_handled_total"],
  ["gauge", "thanos_query_concurrent_gate_queries_{in_flight,max}"],
  ["histogram", "thanos_query_concurrent_gate_duration_seconds thanos_store_api_query_duration_seconds"],
  ["histogram", "thanos_query_range_requested_timespan_duration_seconds"],
  ["gauge", "thanos_store_nodes_grpc_connections"],
  ["counter", "thanos_proxy_store_empty_stream_responses_total thanos_query_endpoints_dns_{lookups,failures}_total"],
  ["gauge", "thanos_query_duplicated_store_addresses_total", { until: "0.38" }],
  ["counter", "thanos_frontend_split_queries_total thanos_query_frontend_queries_total"],
  ["gauge", "thanos_bucket_store_blocks_loaded thanos_bucket_store_blocks_last_loaded_timestamp_seconds"],
  ["counter", "thanos_bucket_store_block_{loads,load_failures}_total thanos_bucket_store_queries_dropped_total"],
  ["histogram", "thanos_bucket_store_series_{get_all,merge,gate}_duration_seconds"],
  ["counter", "thanos_store_index_cache_{requests,hits}_total thanos_bucket_store_indexheader_lazy_load_total"],
  ["counter", "thanos_store_bucket_cache_operation_{requests,hits}_total"],
  [
    "gauge",
    "thanos_compact_halted thanos_compact_todo_{compactions,compaction_blocks,downsample_blocks,deletion_blocks}",
  ],
  ["counter", "thanos_compact_{retries,iterations,blocks_cleaned,blocks_marked,garbage_collected_blocks}_total"],
  ["counter", "thanos_compact_group_{compactions,compactions_failures,vertical_compactions}_total"],
  ["counter", "thanos_compact_group_compaction_runs_{started,completed}_total"],
  ["counter", "thanos_compact_downsample_{total,failures_total} thanos_blocks_meta_{syncs,sync_failures}_total"],
  ["gauge", "thanos_blocks_meta_synced thanos_delete_delay_seconds"],
  ["histogram", "thanos_blocks_meta_sync_duration_seconds thanos_objstore_bucket_operation_duration_seconds"],
  ["counter", "thanos_objstore_bucket_{operations,operation_failures,operation_fetched_bytes}_total"],
  ["histogram", "thanos_objstore_bucket_operation_transferred_bytes"],
  ["gauge", "thanos_objstore_bucket_last_successful_upload_time thanos_sidecar_prometheus_up"],
  ["counter", "thanos_shipper_{dir_syncs,dir_sync_failures,uploads,upload_failures}_total"],
  ["counter", "thanos_shipper_corrupted_blocks_total", { since: "0.38" }],
  ["gauge", "thanos_shipper_upload_compacted_done"],
  ["counter", "thanos_rule_evaluation_with_warnings_total thanos_alert_queue_{alerts_dropped,alerts_pushed}_total"],
  ["counter", "thanos_alert_sender_{alerts_sent,alerts_dropped,errors}_total"],
  ["gauge", "thanos_rule_loaded_rules thanos_rule_config_last_reload_successful"],
  ["gauge", "prometheus_tsdb_{head_series,head_chunks,head_min_time,head_max_time,storage_blocks_bytes,blocks_loaded}"],
  ["gauge", "prometheus_tsdb_{lowest_timestamp,wal_storage_size_bytes}"],
  ["counter", "prometheus_tsdb_{head_samples_appended,compactions,compactions_failed,wal_corruptions}_total"],
  ["counter", "prometheus_target_scrapes_{exceeded_sample_limit,sample_out_of_order,sample_duplicate_timestamp}_total"],
  ["counter", "prometheus_rule_evaluation_failures_total prometheus_notifications_dropped_total"],
  ["counter", "prometheus_rule_group_iterations_{total,missed_total}"],
  ["counter", "prometheus_remote_storage_samples_{total,failed_total,dropped_total}"],
  ["gauge", "alertmanager_cluster_members alertmanager_alerts"],
  ["counter", "alertmanager_notifications_{total,failed_total}"],
];

/** Facts by name of the family: a histogram's without `_bucket`, `_sum` and `_count`. */
export const metricCatalogue: ReadonlyMap<string, MetricFacts> = new Map(
  families.flatMap(([kind, names, versions = {}]) =>
    names.split(" ").flatMap((name) => expandBraces(name).map((one) => [one, { kind, ...versions }] as const)),
  ),
);

/** Facts of a name as a query writes it; undefined where no role of that version of Thanos exposes it. */
export function metricFacts(name: string, thanosVersion: string): MetricFacts | undefined {
  const family = metricCatalogue.get(name);
  const facts = family ?? metricCatalogue.get(name.replace(/_(bucket|sum|count)$/, ""));
  // A classic histogram has no series of its own name.
  if (facts === undefined || (facts.kind === "histogram") !== (family === undefined)) return undefined;
  const minor = minorOf(thanosVersion);
  const isThere = minor >= minorOf(facts.since ?? "0.0") && minor < minorOf(facts.until ?? "0.999999");
  return isThere ? facts : undefined;
}

function minorOf(version: string): number {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1_000_000 + minor;
}

function expandBraces(text: string): readonly string[] {
  const [, before = "", inner, after = ""] = /^(.*?)\{(.*?)\}(.*)$/.exec(text) ?? [];
  return inner === undefined ? [text] : inner.split(",").map((one) => `${before}${one}${after}`);
}
