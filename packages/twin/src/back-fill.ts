/** Gives a head the past of a made-up cluster, as if its target had been scraped all along. */
import { encodeXor } from "@pleiad/chunks";
import { formatImportFailure, type Head } from "@pleiad/head";
import { fail, ok, type Result } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";
import { timeColumn, type MadeUpCluster } from "./made-up-cluster.ts";
import { chunkBounds, pastSeriesOf, scrapeTimes, type PastTarget } from "./past-series.ts";

export interface BackFillOptions {
  readonly cluster: MadeUpCluster;
  readonly target: PastTarget;
  readonly intervalMs: number;
  readonly offsetMs: number; // of the scrapes inside their interval
  readonly fromMs: number; // inclusive
  readonly toMs: number; // exclusive
}

const pieceMs = 5;

/**
 * Writes the samples of [fromMs, toMs) as closed chunks; durable when it resolves. Gives their number. A series that has
 * a sample of that time keeps it, and is given none.
 */
export async function backFill(
  head: Pick<Head, "importer">,
  { cluster, target, intervalMs, offsetMs, fromMs, toMs }: BackFillOptions,
  clock: Clock,
): Promise<Result<{ readonly samples: number }, string>> {
  const times = timeColumn(scrapeTimes(fromMs, toMs, intervalMs, offsetMs));
  const { timestampsMs } = times;
  const count = timestampsMs.length;
  if (count === 0) return ok({ samples: 0 });
  const bounds = chunkBounds(timestampsMs);
  const values = new Float64Array(count);
  const importer = head.importer();
  let samples = 0;
  let yieldedMs = clock.monotonicMs();
  for (const { labels, fill } of pastSeriesOf(cluster, target)) {
    fill(times, values);
    const chunks = bounds.map(([from, to]) => ({
      minTimeMs: timestampsMs[from] as number,
      maxTimeMs: timestampsMs[to - 1] as number,
      data: encodeXor(timestampsMs, values, from, to),
    }));
    const refusal = importer.add(labels, chunks);
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
