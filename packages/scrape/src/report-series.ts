/** The series that every scrape writes about itself. */
import { labelsFromPairs, metricNameLabel, withLabels, type Labels } from "@pleiad/model";

export interface ScrapeReport {
  readonly up: boolean;
  readonly durationSeconds: number;
  readonly samplesScraped: number;
  readonly samplesStored: number; // those left by metric relabelling
  readonly seriesAdded: number; // not seen on the pages before
}

/** Name and value of each report series, in a fixed order. */
export function reportSamples(report: ScrapeReport): readonly (readonly [metricName: string, value: number])[] {
  return [
    ["up", report.up ? 1 : 0],
    ["scrape_duration_seconds", report.durationSeconds],
    ["scrape_samples_scraped", report.samplesScraped],
    ["scrape_samples_post_metric_relabeling", report.samplesStored],
    ["scrape_series_added", report.seriesAdded],
  ];
}

/** The names of the report series. */
export const reportMetrics: readonly string[] = [
  "up",
  "scrape_duration_seconds",
  "scrape_samples_scraped",
  "scrape_samples_post_metric_relabeling",
  "scrape_series_added",
];

export function reportLabels(metricName: string, ofTarget: Labels): Labels {
  return withLabels(ofTarget, labelsFromPairs([[metricNameLabel, metricName]]));
}
