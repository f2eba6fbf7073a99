/** Gives a head the past of a made-up cluster, as if its target had been scraped all along. */
import { encodeXor } from "@pleiad/chunks";
import type { Head } from "@pleiad/head";
import { labelsFromRecord, ok, type Labels, type Result } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";
import { fillValues, timeColumn, type MadeUpCluster } from "./made-up-cluster.ts";

export interface BackFillOptions {
  readonly cluster: MadeUpCluster;
  readonly target: { readonly job: string; readonly instance: string };
  readonly intervalMs: number;
  readonly offsetMs: number; // of the scrapes inside their interval
  readonly fromMs: number; // inclusive
  readonly toMs: number; // exclusive
}

const samplesPerChunk = 120;
const pieceMs = 5;

/** Writes the samples of [fromMs, toMs); durable when it resolves. Gives their number. */
export async function backFill(
  head: Head,
  options: BackFillOptions,
  clock: Clock,
): Promise<Result<{ readonly samples: number }, string>> {
  const { cluster, intervalMs, offsetMs } = options;
  const firstMs = Math.ceil((options.fromMs - offsetMs) / intervalMs) * intervalMs + offsetMs;
  const count = Math.max(0, Math.ceil((options.toMs - firstMs) / intervalMs));
  if (count === 0) return ok({ samples: 0 });
  const times = timeColumn(Float64Array.from({ length: count }, (_, i) => firstMs + i * intervalMs));
  const values = new Float64Array(count);
  const importer = head.importer();
  let yieldedMs = clock.monotonicMs();

  const add = (labels: Labels) => {
    const chunks = [];
    for (let from = 0; from < count; from += samplesPerChunk) {
      const to = Math.min(count, from + samplesPerChunk);
      chunks.push({
        minTimeMs: times.timestampsMs[from] as number,
        maxTimeMs: times.timestampsMs[to - 1] as number,
        data: encodeXor(times.timestampsMs, values, from, to),
      });
    }
    return importer.add(labels, chunks);
  };

  for (const series of cluster.series) {
    fillValues(series, times, values, 0);
    const added = add(series.labels);
    if (!added.ok) return added;
    if (clock.monotonicMs() - yieldedMs > pieceMs) {
      await clock.yield();
      yieldedMs = clock.monotonicMs();
    }
  }
  for (const [name, value] of [
    ["up", 1],
    ["scrape_duration_seconds", 0.004],
    ["scrape_samples_scraped", cluster.series.length],
    ["scrape_samples_post_metric_relabeling", cluster.series.length],
    ["scrape_series_added", 0],
  ] as const) {
    values.fill(value);
    const added = add(labelsFromRecord({ __name__: name, ...options.target }));
    if (!added.ok) return added;
  }
  const committed = await importer.commit();
  if (!committed.ok) return committed;
  return ok({ samples: count * (cluster.series.length + 5) });
}
