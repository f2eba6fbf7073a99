/** How a cluster is coloured: by the age of its newest sample, against its scrape interval. */
import type { Cluster } from "./api.ts";

export type Freshness = "fresh" | "late" | "missing" | "target-down";

export const freshnessText: Readonly<Record<Freshness, string>> = {
  fresh: "fresh",
  late: "late: two scrapes missed",
  missing: "missing: no sample for five minutes",
  "target-down": "its targets do not answer",
};

const lookbackMs = 300_000;

export function freshnessOf(cluster: Cluster, scrapeIntervalMs: number): Freshness {
  if (cluster.ageMs === undefined || cluster.ageMs > lookbackMs) return "missing";
  if (!cluster.up) return "target-down";
  return cluster.ageMs <= 2.5 * scrapeIntervalMs ? "fresh" : "late";
}

export function formatAge(ageMs: number | undefined): string {
  if (ageMs === undefined) return "never seen";
  return ageMs < 120_000 ? `${Math.round(ageMs / 1000)} s ago` : `${Math.round(ageMs / 60_000)} min ago`;
}
