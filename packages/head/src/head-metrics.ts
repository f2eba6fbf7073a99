/** What a head counts, under Prometheus's names where it has them. */
import type { Counter, Gauge, Observations } from "@pleiad/ports";

export interface HeadMetrics {
  readonly appended: Counter;
  readonly outOfOrder: Counter;
  readonly exemplars: Counter;
  readonly writeFailures: Counter;
  readonly repairedBytes: Counter;
  readonly damagedRecords: Counter;
  readonly sealed: Gauge;
}

export function headMetrics(observations: Observations): HeadMetrics {
  return {
    appended: observations.counter("prometheus_tsdb_head_samples_appended_total", "Samples committed."),
    outOfOrder: observations.counter(
      "prometheus_tsdb_head_out_of_order_samples_appended_total",
      "Samples committed that came out of order.",
    ),
    exemplars: observations.counter("prometheus_tsdb_exemplar_exemplars_appended_total", "Exemplars kept."),
    writeFailures: observations.counter("pleiad_head_write_failures_total", "Commits that the disk refused."),
    repairedBytes: observations.counter(
      "pleiad_head_repaired_bytes_total",
      "Bytes at damaged ends of files that an opening cut off.",
    ),
    damagedRecords: observations.counter(
      "prometheus_tsdb_wal_corruptions_total",
      "Damaged records of the log that an opening left out.",
    ),
    sealed: observations.gauge("pleiad_head_sealed", "1 while a failed datasync keeps samples out."),
  };
}
