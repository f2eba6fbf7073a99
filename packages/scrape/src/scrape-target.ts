/** One place where metrics are fetched, and what its series are called. */
import { formatDuration, labelsFromPairs, labelValue, metricNameLabel, withLabels, type Labels } from "@pleiad/model";

export interface ScrapeTarget {
  readonly job: string;
  readonly url: string; // http or https, with path and query
  readonly instance?: string; // host and port as in the URL by default
  readonly labels?: Readonly<Record<string, string>>; // further labels of every series
  /** Where a series has a label of the target's itself: keep its own, rather than rename that to `exported_…`. */
  readonly honorLabels?: boolean; // false by default
  /** Whether timestamps on the page are kept; without them every sample has the time of the scrape. */
  readonly honorTimestamps?: boolean; // true by default
}

/** The labels that a target gives to each of its series: `job`, `instance` and its own. */
export function targetLabels(target: ScrapeTarget): Labels {
  return labelsFromPairs([
    ["job", target.job],
    ["instance", target.instance ?? hostOf(target.url)],
    ...Object.entries(target.labels ?? {}),
  ]);
}

/** What a Prometheus would have found of the target before it relabelled anything. */
export function discoveredLabels(target: ScrapeTarget, intervalMs: number, timeoutMs: number): Labels {
  const [, scheme = "http", path = "/"] = /^([a-z]+):\/\/[^/?#]*([^?#]*)/i.exec(target.url) ?? [];
  return labelsFromPairs([
    ["__address__", hostOf(target.url)],
    ["__metrics_path__", path === "" ? "/" : path],
    ["__scheme__", scheme],
    ["__scrape_interval__", formatDuration(intervalMs)],
    ["__scrape_timeout__", formatDuration(timeoutMs)],
    ["job", target.job],
    ...Object.entries(target.labels ?? {}),
  ]);
}

/** As written: no port is added or taken away. */
function hostOf(url: string): string {
  return /^[a-z]+:\/\/(?:[^/?#]*@)?([^/?#]+)/i.exec(url)?.[1] ?? url;
}

/**
 * The labels of a series as stored: those of the page and those of the target. Where both have a name, the target's
 * stays, and the page's is kept under `exported_` before its name, repeated until that is free.
 */
export function resolveLabels(scraped: Labels, ofTarget: Labels, honorLabels: boolean): Labels {
  if (honorLabels) return withLabels(ofTarget, scraped);
  const merged = withLabels(scraped, ofTarget);
  if (merged.length === scraped.length + ofTarget.length) return merged;
  let renamed = merged;
  for (const [name, value] of conflictsOf(scraped, ofTarget)) {
    let exported = `exported_${name}`;
    while (labelValue(renamed, exported) !== "") exported = `exported_${exported}`;
    renamed = withLabels(renamed, labelsFromPairs([[exported, value]]));
  }
  return renamed;
}

/** Pairs of the page whose names the target has, shortest name first: `exported_a` must not take the place of `a`'s. */
function conflictsOf(scraped: Labels, ofTarget: Labels): readonly (readonly [string, string])[] {
  const conflicts: (readonly [string, string])[] = [];
  for (let i = 0; i < scraped.length; i += 2) {
    const name = scraped[i] ?? "";
    if (name !== metricNameLabel && labelValue(ofTarget, name) !== "") conflicts.push([name, scraped[i + 1] ?? ""]);
  }
  return conflicts.sort(([a], [b]) => a.length - b.length);
}
