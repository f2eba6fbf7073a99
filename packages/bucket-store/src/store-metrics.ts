/** What a store tells of itself, under Thanos's names. */
import type { Observations } from "@pleiad/ports";

export type StoreMetrics = ReturnType<typeof storeMetrics>;

const secondBuckets = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120];
const countBuckets = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

/** The counters, gauges and histograms, each declared once. */
export function storeMetrics(observations: Pick<Observations, "counter" | "gauge" | "histogram">) {
  const counter = (name: string, help: string, labels: readonly string[] = []) =>
    observations.counter(`thanos_${name}`, help, labels);
  const gauge = (name: string, help: string, labels: readonly string[] = []) =>
    observations.gauge(`thanos_${name}`, help, labels);
  const histogram = (name: string, help: string, buckets: readonly number[], labels: readonly string[] = []) =>
    observations.histogram(`thanos_${name}`, help, buckets, labels);
  const touchedHelp = "for one question, by what it is.";
  return {
    syncs: counter("blocks_meta_syncs_total", "Times that the list of blocks was read."),
    syncFailures: counter("blocks_meta_sync_failures_total", "Times that the list of blocks could not be read."),
    syncSeconds: histogram("blocks_meta_sync_duration_seconds", "How long it took to list the blocks.", secondBuckets),
    synced: gauge("blocks_meta_synced", "Blocks of the bucket by what the store makes of them.", ["state"]),
    blocksLoaded: gauge("bucket_store_blocks_loaded", "Blocks that are served."),
    blocksLastLoaded: gauge("bucket_store_blocks_last_loaded_timestamp_seconds", "When the list was last read."),
    blockLoads: counter("bucket_store_block_loads_total", "Blocks that came into the list."),
    blockDrops: counter("bucket_store_block_drops_total", "Blocks that left the list."),
    headerLoads: counter("bucket_store_indexheader_lazy_load_total", "Blocks opened for a question."),
    headerLoadFailures: counter("bucket_store_indexheader_lazy_load_failed_total", "Blocks that could not be opened."),
    headerLoadSeconds: histogram(
      "bucket_store_indexheader_lazy_load_duration_seconds",
      "How long it took to open a block.",
      secondBuckets,
    ),
    headerUnloads: counter("bucket_store_indexheader_lazy_unload_total", "Blocks closed: at rest, gone, or damaged."),
    dataTouched: histogram("bucket_store_series_data_touched", `Items needed ${touchedHelp}`, countBuckets, [
      "data_type",
    ]),
    dataFetched: histogram("bucket_store_series_data_fetched", `Items read ${touchedHelp}`, countBuckets, [
      "data_type",
    ]),
    fetchedBytes: histogram(
      "bucket_store_series_data_size_fetched_bytes",
      "Bytes read from the bucket for one question.",
      [1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
    ),
    blocksQueried: histogram("bucket_store_series_blocks_queried", "Blocks that a question needs.", countBuckets),
    resultSeries: histogram("bucket_store_series_result_series", "Series of an answer.", countBuckets),
    getAllSeconds: histogram(
      "bucket_store_series_get_all_duration_seconds",
      "Until every block has answered a question.",
      secondBuckets,
    ),
    mergeSeconds: histogram("bucket_store_series_merge_duration_seconds", "From then to its end.", secondBuckets),
    gateSeconds: histogram(
      "bucket_store_series_gate_queries_duration_seconds",
      "How long a question waited for others to end.",
      secondBuckets,
    ),
    gateInside: gauge("bucket_store_series_gate_queries_in_flight", "Questions that run."),
    gateMax: gauge("bucket_store_series_gate_queries_max", "How many may run at once."),
    questionsDropped: counter("bucket_store_queries_dropped_total", "Questions that went over a limit.", ["reason"]),
    chunkRefetches: counter("bucket_store_chunk_refetches_total", "Blocks read once more after damaged bytes came."),
    successions: observations.counter(
      "pleiad_bucket_store_block_successions_total",
      "Blocks that went while they were read, and whose samples came from others.",
    ),
    indexCacheRequests: counter("store_index_cache_requests_total", "Items of an index that were needed.", [
      "item_type",
    ]),
    indexCacheHits: counter("store_index_cache_hits_total", "Those of them that were in memory.", ["item_type"]),
    bucketCacheRequests: counter("store_bucket_cache_operation_requests_total", "Chunks that were needed.", [
      "operation",
      "config",
    ]),
    bucketCacheHits: counter("store_bucket_cache_operation_hits_total", "Those of them that were in memory.", [
      "operation",
      "config",
    ]),
    cacheBytes: gauge("store_index_cache_total_size_bytes", "What all blocks keep in memory for the next question."),
  };
}
