/** The series that scrapes of a made-up cluster give, with their values at any time: those of its page, then its report's. */
import { labelsFromRecord, type Labels } from "@pleiad/model";
import { fillValues, type MadeUpCluster, type TimeColumn } from "./made-up-cluster.ts";

export interface PastSeries {
  readonly labels: Labels;
  /** Writes a value for each instant. */
  readonly fill: (times: TimeColumn, values: Float64Array) => void;
}

/** What the target of the page is called. */
export interface PastTarget {
  readonly job: string;
  readonly instance: string;
}

export function pastSeriesOf(cluster: MadeUpCluster, target: PastTarget): readonly PastSeries[] {
  const page = cluster.series.map((series): PastSeries => ({
    labels: series.labels,
    fill: (times, values) => fillValues(series, times, values, 0),
  }));
  const report = [
    ["up", 1],
    ["scrape_duration_seconds", 0.004],
    ["scrape_samples_scraped", cluster.series.length],
    ["scrape_samples_post_metric_relabeling", cluster.series.length],
    ["scrape_series_added", 0],
  ] as const;
  return [
    ...page,
    ...report.map(([name, value]): PastSeries => ({
      labels: labelsFromRecord({ __name__: name, job: target.job, instance: target.instance }),
      fill: (_, values) => void values.fill(value),
    })),
  ];
}

/** The first scrape from `fromMs` on; scrapes come at multiples of the interval, shifted. */
export function firstScrapeMs(fromMs: number, intervalMs: number, offsetMs: number): number {
  return Math.ceil((fromMs - offsetMs) / intervalMs) * intervalMs + offsetMs;
}

/** The instants of [fromMs, toMs) at which a target is scraped. */
export function scrapeTimes(fromMs: number, toMs: number, intervalMs: number, offsetMs: number): Float64Array {
  const firstMs = firstScrapeMs(fromMs, intervalMs, offsetMs);
  const count = Math.max(0, Math.ceil((toMs - firstMs) / intervalMs));
  return Float64Array.from({ length: count }, (_, i) => firstMs + i * intervalMs);
}

/** Blocks begin at multiples of this, and no chunk crosses one. */
export const blockRangeMs = 2 * 3_600_000;
const samplesPerChunkMax = 120;

/** Where each chunk of a column begins and ends. */
export function chunkBounds(timestampsMs: Float64Array): readonly (readonly [from: number, to: number])[] {
  const bounds: [number, number][] = [];
  const rangeOf = (i: number) => Math.floor((timestampsMs[i] as number) / blockRangeMs);
  for (let from = 0; from < timestampsMs.length;) {
    let to = from + 1;
    while (to < timestampsMs.length && to - from < samplesPerChunkMax && rangeOf(to) === rangeOf(from)) to++;
    bounds.push([from, to]);
    from = to;
  }
  return bounds;
}
