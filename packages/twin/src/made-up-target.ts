/** The made-up target of a planned cluster, the same for its page, its back-fill and its history. */
import type { PlannedCluster } from "@pleiad/fleet";
import { makeUpCluster, type MadeUpCluster } from "./made-up-cluster.ts";
import type { PastTarget } from "./past-series.ts";

export const madeUpJob = "cluster";

export function madeUpClusterOf({ name, number, twinSeries }: PlannedCluster): MadeUpCluster {
  return makeUpCluster({ name, number, seriesCount: twinSeries });
}

export function madeUpTarget({ exporterPort }: PlannedCluster): PastTarget {
  return { job: madeUpJob, instance: `127.0.0.1:${exporterPort ?? 0}` };
}

/** When samples of the past are; clusters are not scraped all at once. */
export function scrapeGridOf({ number, scrapeIntervalMs }: PlannedCluster): {
  readonly intervalMs: number;
  readonly offsetMs: number;
} {
  return { intervalMs: scrapeIntervalMs, offsetMs: (number * 7919) % scrapeIntervalMs };
}
