/** What an agent tells beside its series: its targets, what their pages say of their metrics, and exemplars. It has no rules. */
import {
  instantOfMs,
  ok,
  uniteActiveTargets,
  uniteMetadata,
  withLabels,
  zeroInstant,
  type ActiveTarget,
  type Labels,
  type MonitoringSource,
} from "@pleiad/model";
import type { Head } from "@pleiad/head";
import { discoveredLabels, type ScrapePool, type TargetStatus } from "@pleiad/scrape";
import { heldExemplars } from "@pleiad/storeapi";

export interface AgentMonitoringOptions {
  readonly externalLabels: Labels;
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs: number;
}

/** `scraping` gives undefined before anything is scraped: then there are no targets. */
export function agentMonitoring(
  head: Pick<Head, "exemplars">,
  scraping: () => Pick<ScrapePool, "metadata" | "status"> | undefined,
  options: AgentMonitoringOptions,
): Omit<Required<MonitoringSource>, "rules"> {
  const warnings: readonly string[] = [];
  return {
    targets: async ({ state, withoutLabels }) => {
      const active = state === "dropped" ? [] : (scraping()?.status() ?? []).map((one) => activeTarget(one, options));
      // What a target list leaves out was never found: nothing is dropped here.
      return ok({ active: uniteActiveTargets(active, withoutLabels), dropped: [], warnings });
    },
    metadata: async ({ metric, limit }) => {
      const known = scraping()?.metadata() ?? [];
      const wanted = metric === "" ? known : known.filter((one) => one.metric === metric);
      return ok({ metrics: uniteMetadata(wanted, limit), warnings });
    },
    exemplars: async (request) => heldExemplars([head], request),
  };
}

function activeTarget(
  { target, labels, health, lastError = "", lastScrapeMs, lastDurationMs = 0 }: TargetStatus,
  { externalLabels, scrapeIntervalMs, scrapeTimeoutMs }: AgentMonitoringOptions,
): ActiveTarget {
  // What a Prometheus would not show either.
  const scrapeUrl = target.url.replace(/^([a-z]+:\/\/)[^/?#]*@/i, "$1");
  return {
    discoveredLabels: withLabels(discoveredLabels(target, scrapeIntervalMs, scrapeTimeoutMs), externalLabels),
    labels: withLabels(labels, externalLabels),
    scrapePool: target.job,
    scrapeUrl,
    globalUrl: scrapeUrl,
    lastError,
    lastScrape: lastScrapeMs === undefined ? zeroInstant : instantOfMs(lastScrapeMs),
    // To the nanosecond, as Prometheus has it.
    lastScrapeSeconds: Math.round(lastDurationMs * 1e6) / 1e9,
    health,
  };
}
