/** The scrape loops of a list of targets that may change: new ones begin, those that are gone leave markers behind. */
import type { Head } from "@pleiad/head";
import type { MetricMetadata } from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import { createMetadataStore, defaultMetadataStore, type MetadataStoreOptions } from "./metadata-store.ts";
import { createScrapeLoop, type ScrapeLoop, type ScrapeOptions, type TargetStatus } from "./scrape-loop.ts";
import type { ScrapeTarget } from "./scrape-target.ts";

export interface ScrapePool {
  /**
   * The targets from now on. One that was there already goes on undisturbed; the series of one that is not there any more
   * get staleness markers. A target that is listed twice is scraped once.
   */
  setTargets(targets: readonly ScrapeTarget[]): void;
  /** Of the targets in the list, in its order. */
  status(): readonly TargetStatus[];
  /** What the targets say of their metrics. */
  metadata(): readonly MetricMetadata[];
  /** Ends all loops. Nothing gets a marker any more: the targets are still there, it is the process that ends. */
  stop(): Promise<void>;
}

export function createScrapePool(
  targets: readonly ScrapeTarget[],
  head: Pick<Head, "appender">,
  ports: Pick<Ports, "clock" | "network" | "observations">,
  options: ScrapeOptions,
  metadataOptions: MetadataStoreOptions = defaultMetadataStore,
): ScrapePool {
  const metadata = createMetadataStore(ports.clock, metadataOptions);
  const stopping = new AbortController();
  let loops: ReadonlyMap<string, ScrapeLoop> = new Map();
  const retiring = new Set<Promise<void>>();

  function retire(loop: ScrapeLoop): void {
    const retired = loop.retire(stopping.signal).finally(() => retiring.delete(retired));
    retiring.add(retired);
  }

  function setTargets(wanted: readonly ScrapeTarget[]): void {
    if (stopping.signal.aborted) throw new Error("targets for a pool that is stopped");
    const next = new Map<string, ScrapeLoop>();
    for (const target of wanted) {
      const key = keyOf(target);
      if (next.has(key)) continue;
      next.set(key, loops.get(key) ?? createScrapeLoop(target, head, ports, { ...options, metadata }));
    }
    for (const [key, loop] of loops) if (!next.has(key)) retire(loop);
    loops = next;
  }

  setTargets(targets);
  return {
    setTargets,
    metadata: () => metadata.list(),
    status: () => [...loops.values()].map((loop) => loop.status()),
    stop: async () => {
      stopping.abort();
      await Promise.all([...retiring, ...[...loops.values()].map((loop) => loop.stop())]);
    },
  };
}

/** Two targets are the same if all that is said of them is. */
function keyOf({ job, url, instance, labels = {}, honorLabels, honorTimestamps }: ScrapeTarget): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([job, url, instance, sorted, honorLabels ?? false, honorTimestamps ?? true]);
}
