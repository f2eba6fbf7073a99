/** Gives a head the past of a made-up cluster, as if its target had been scraped all along. */
import { encodeXor } from "@pleiad/chunks";
import { formatImportFailure, type Head } from "@pleiad/head";
import { fail, labelsFromRecord, ok, type Labels, type Result } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";
import { fillValues, timeColumn, type MadeUpCluster, type TimeColumn } from "./made-up-cluster.ts";

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

/**
 * Writes the samples of [fromMs, toMs) as closed chunks; durable when it resolves. Gives their number. A series that has
 * a sample of that time keeps it, and is given none.
 */
export async function backFill(
  head: Head,
  options: BackFillOptions,
  clock: Clock,
): Promise<Result<{ readonly samples: number }, string>> {
  const { intervalMs, offsetMs } = options;
  const firstMs = Math.ceil((options.fromMs - offsetMs) / intervalMs) * intervalMs + offsetMs;
  const count = Math.max(0, Math.ceil((options.toMs - firstMs) / intervalMs));
  if (count === 0) return ok({ samples: 0 });
  const times = timeColumn(Float64Array.from({ length: count }, (_, i) => firstMs + i * intervalMs));
  const values = new Float64Array(count);
  const importer = head.importer();
  let samples = 0;
  let yieldedMs = clock.monotonicMs();
  for (const labels of pastOf(options, times, values)) {
    const refusal = importer.add(labels, closedChunks(times.timestampsMs, values));
    if (refusal === undefined) samples += count;
    else if (refusal.kind !== "overlap") {
      importer.rollback();
      return fail(formatImportFailure(refusal));
    }
    if (clock.monotonicMs() - yieldedMs > pieceMs) {
      await clock.yield();
      yieldedMs = clock.monotonicMs();
    }
  }
  const committed = await importer.commit();
  return committed.ok ? ok({ samples }) : fail(formatImportFailure(committed.failure));
}

/** Fills `values` for one series of the cluster after the other: those of its page, then those of the scrapes. */
function* pastOf({ cluster, target }: BackFillOptions, times: TimeColumn, values: Float64Array): Generator<Labels> {
  for (const series of cluster.series) {
    fillValues(series, times, values, 0);
    yield series.labels;
  }
  for (const [name, value] of [
    ["up", 1],
    ["scrape_duration_seconds", 0.004],
    ["scrape_samples_scraped", cluster.series.length],
    ["scrape_samples_post_metric_relabeling", cluster.series.length],
    ["scrape_series_added", 0],
  ] as const) {
    values.fill(value);
    yield labelsFromRecord({ __name__: name, ...target });
  }
}

function closedChunks(timestampsMs: Float64Array, values: Float64Array) {
  const chunks = [];
  for (let from = 0; from < timestampsMs.length; from += samplesPerChunk) {
    const to = Math.min(timestampsMs.length, from + samplesPerChunk);
    chunks.push({
      minTimeMs: timestampsMs[from] as number,
      maxTimeMs: timestampsMs[to - 1] as number,
      data: encodeXor(timestampsMs, values, from, to),
    });
  }
  return chunks;
}
