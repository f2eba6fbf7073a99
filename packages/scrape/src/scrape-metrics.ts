/** What scrape loops count, under Prometheus's names where it has them. */
import type { Counter, Observations } from "@pleiad/ports";

export interface ScrapeMetrics {
  readonly scrapes: Counter;
  readonly failures: Counter; // by reason
  readonly outOfOrder: Counter;
  readonly outOfBounds: Counter;
  readonly duplicates: Counter;
  readonly exemplarsOutOfOrder: Counter;
  readonly bodiesTooLarge: Counter;
  readonly tooManySamples: Counter;
}

export function scrapeMetrics(observations: Observations): ScrapeMetrics {
  const counter = (name: string, help: string, labelNames?: readonly string[]) =>
    observations.counter(name, help, labelNames);
  return {
    scrapes: counter("pleiad_scrapes_total", "Scrapes done, failed ones included."),
    failures: counter("pleiad_scrape_failures_total", "Scrapes that failed, by reason.", ["reason"]),
    outOfOrder: counter(
      "prometheus_target_scrapes_sample_out_of_order_total",
      "Scraped samples not stored since a newer one of their series is.",
    ),
    outOfBounds: counter(
      "prometheus_target_scrapes_sample_out_of_bounds_total",
      "Scraped samples not stored since their time is too far from now.",
    ),
    duplicates: counter(
      "prometheus_target_scrapes_sample_duplicate_timestamp_total",
      "Scraped samples not stored since one of the same series and time is.",
    ),
    exemplarsOutOfOrder: counter(
      "prometheus_target_scrapes_exemplar_out_of_order_total",
      "Scraped exemplars not kept since a newer one of their series is.",
    ),
    bodiesTooLarge: counter(
      "prometheus_target_scrapes_exceeded_body_size_limit_total",
      "Scrapes that failed since the page was too large.",
    ),
    tooManySamples: counter(
      "prometheus_target_scrapes_exceeded_sample_limit_total",
      "Scrapes that failed since the page had too many samples.",
    ),
  };
}
