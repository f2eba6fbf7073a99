/** Gives a head the past of a made-up cluster, as if its target had been scraped all along. */
import { encodeXor } from "@pleiad/chunks";
import { formatHeadFailure, formatHeadRefusal, type Head, type HeadImporter } from "@pleiad/head";
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
const samplesPerCommit = 50_000;
const pieceMs = 5;

/**
 * Writes the samples of [fromMs, toMs); durable when it resolves. Gives their number. An empty head takes closed chunks
 * in bulk; one that has samples takes the rest of them one by one, as from scrapes.
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
  const isEmpty = head.statistics().series === 0;
  return isEmpty ? await importPast(head, options, times, clock) : await appendPast(head, options, times, clock);
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

async function importPast(
  head: Head,
  options: BackFillOptions,
  times: TimeColumn,
  clock: Clock,
): Promise<Result<{ readonly samples: number }, string>> {
  const { timestampsMs } = times;
  const count = timestampsMs.length;
  const values = new Float64Array(count);
  const importer = head.importer();
  let samples = 0;
  let yieldedMs = clock.monotonicMs();
  for (const labels of pastOf(options, times, values)) {
    const refusal = importer.add(labels, closedChunks(timestampsMs, values));
    if (refusal !== undefined) {
      importer.rollback();
      return fail(formatImportRefusal(refusal));
    }
    samples += count;
    if (clock.monotonicMs() - yieldedMs > pieceMs) {
      await clock.yield();
      yieldedMs = clock.monotonicMs();
    }
  }
  const committed = await importer.commit();
  return committed.ok ? ok({ samples }) : fail(formatHeadFailure(committed.failure));
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

function formatImportRefusal(refusal: NonNullable<ReturnType<HeadImporter["add"]>>): string {
  switch (refusal.kind) {
    case "overlap":
      return "the head has samples of this time already";
    case "invalid-chunk":
      return refusal.reason;
    default:
      return formatHeadRefusal(refusal);
  }
}

async function appendPast(
  head: Head,
  options: BackFillOptions,
  times: TimeColumn,
  clock: Clock,
): Promise<Result<{ readonly samples: number }, string>> {
  const { timestampsMs } = times;
  const values = new Float64Array(timestampsMs.length);
  let appender = head.appender();
  let pending = 0;
  let samples = 0;
  for (const labels of pastOf(options, times, values)) {
    const ref = appender.series(labels);
    if (typeof ref === "object") {
      appender.rollback();
      return fail(formatHeadRefusal(ref));
    }
    for (let i = 0; i < timestampsMs.length; i++) {
      // A series that has a later sample than the rest keeps it.
      if (appender.append(ref, timestampsMs[i] as number, values[i] as number) === "appended") pending++;
    }
    if (pending < samplesPerCommit) continue;
    const committed = await appender.commit();
    if (!committed.ok) return fail(formatHeadFailure(committed.failure));
    samples += pending;
    pending = 0;
    appender = head.appender();
    await clock.yield();
  }
  const committed = await appender.commit();
  return committed.ok ? ok({ samples: samples + pending }) : fail(formatHeadFailure(committed.failure));
}
