/** What the tests of this package share: data folders in memory, samples, and their contents as text. */
import { defaultHead, type HeadImporter, type SeriesRef } from "@pleiad/head";
import {
  collectSeries,
  emptyLabels,
  formatLabels,
  labelsFromRecord,
  plainSelect,
  type Labels,
  type SelectRequest,
  type SeriesSource,
} from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { formatTsdbFailure } from "./tsdb-failure.ts";
import { defaultTsdb, openTsdb, type Tsdb, type TsdbOptions, type TsdbPorts } from "./tsdb.ts";

export const hourMs = 3_600_000;
/** A multiple of two hours. */
export const rangeStartMs = 1_699_992_000_000;
export const at = (hours: number) => rangeStartMs + hours * hourMs;

export const testOptions: TsdbOptions = {
  ...defaultTsdb,
  head: { ...defaultHead, externalLabels: emptyLabels, intern: (text) => text },
};

/** A clock far ahead of all samples, so that none is from the future. */
export const laterPorts = () => testPorts({ startMs: at(1000) });

export async function openTestTsdb(
  ports: TsdbPorts = laterPorts(),
  options: Partial<TsdbOptions> = {},
  directory = "/data",
): Promise<Tsdb> {
  const opened = await openTsdb(directory, { ...testOptions, ...options }, { ...ports, random: seededRandom(7) });
  if (!opened.ok) throw new Error(formatTsdbFailure(opened.failure));
  return opened.value;
}

export function named(name: string, more: Readonly<Record<string, string>> = {}): Labels {
  return labelsFromRecord({ __name__: name, ...more });
}

type Appending = Pick<Tsdb["head"], "appender"> & { importer?: () => HeadImporter };

/** Commits one sample of each series, all of which must be taken. */
export async function appendAt(head: Appending, timestampMs: number, values: ReadonlyMap<Labels, number>) {
  const appender = head.appender();
  for (const [labels, value] of values) {
    const ref = appender.series(labels);
    if (typeof ref !== "number") throw new Error(`refused: ${ref.kind}`);
    const outcome = appender.append(ref satisfies SeriesRef, timestampMs, value);
    if (outcome !== "appended") throw new Error(`${formatLabels(labels)} at ${timestampMs}: ${outcome}`);
  }
  const committed = await appender.commit();
  if (!committed.ok) throw new Error(`the commit failed: ${committed.failure.kind}`);
}

/** Each chunk as a line: its series, then its first and its last time in hours. */
export async function chunkLines(source: SeriesSource, request: Partial<SelectRequest> = {}): Promise<string[]> {
  const cursor = source.select({ ...plainSelect, ...request }, new AbortController().signal);
  const { series, failure, warnings } = await collectSeries(cursor);
  if (failure !== undefined) throw new Error(`the select failed: ${failure.kind}`);
  const hours = (ms: number) => Number(((ms - rangeStartMs) / hourMs).toFixed(2));
  return [
    ...series.flatMap(({ labels, chunks }) =>
      chunks.map((chunk) => `${formatLabels(labels)} ${hours(chunk.minTimeMs)}..${hours(chunk.maxTimeMs)}`),
    ),
    ...warnings,
  ];
}

/** The times of all samples of a series, in the order in which they come: by the count of its chunks alone. */
export async function sampleCount(source: SeriesSource): Promise<number> {
  const { series } = await collectSeries(source.select(plainSelect, new AbortController().signal));
  let count = 0;
  for (const { chunks } of series) {
    for (const { content } of chunks) {
      if (content.kind === "raw") count += ((content.data[0] ?? 0) << 8) | (content.data[1] ?? 0);
    }
  }
  return count;
}
