/** What the tests of this package share: heads over files in memory, and their contents as text. */
import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import {
  collectSeries,
  emptyLabels,
  formatLabels,
  labelsFromRecord,
  plainSelect,
  type Labels,
  type SelectRequest,
} from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { defaultHead, type HeadOptions } from "./head-options.ts";
import type { Head, HeadPorts } from "./head.ts";
import { openHead } from "./open-head.ts";

export const startMs = 1_700_000_000_000;

export const testOptions: HeadOptions = {
  ...defaultHead,
  directory: "/data",
  externalLabels: emptyLabels,
  intern: (text) => text,
};

export async function openTestHead(ports: HeadPorts = testPorts(), options: Partial<HeadOptions> = {}): Promise<Head> {
  const opened = await openHead({ ...testOptions, ...options }, ports);
  if (!opened.ok) throw new Error(`the head does not open: ${JSON.stringify(opened.failure)}`);
  return opened.value;
}

export function named(name: string, more: Readonly<Record<string, string>> = {}): Labels {
  return labelsFromRecord({ __name__: name, ...more });
}

/** Commits samples, all of which must be taken. */
export async function appendAll(
  head: Head,
  samples: readonly (readonly [labels: Labels, timestampMs: number, value: number])[],
): Promise<void> {
  const appender = head.appender();
  for (const [labels, timestampMs, value] of samples) {
    const ref = appender.series(labels);
    if (typeof ref !== "number") throw new Error(`refused: ${ref.kind}`);
    const outcome = appender.append(ref, timestampMs, value);
    if (outcome !== "appended") throw new Error(`${formatLabels(labels)} at ${timestampMs}: ${outcome}`);
  }
  const committed = await appender.commit();
  if (!committed.ok) throw new Error(`the commit failed: ${JSON.stringify(committed.failure)}`);
}

/** All samples, a line each: `name{a="b"} 1700000000000 3ff0000000000000`, the value by its bits. */
export async function dump(head: Head, request: Partial<SelectRequest> = {}): Promise<string[]> {
  const cursor = head.select({ ...plainSelect, ...request }, new AbortController().signal);
  const { series, failure } = await collectSeries(cursor);
  if (failure !== undefined) throw new Error(`the select failed: ${failure.kind}`);
  const lines: string[] = [];
  for (const { labels, chunks } of series) {
    const columns = createSampleColumns(120);
    for (const { content } of chunks) {
      if (content.kind !== "raw") throw new Error("a head has raw samples only");
      const broken = decodeChunk(content.encoding, content.data, columns);
      if (broken !== undefined) throw new Error(`a chunk does not decode: ${broken.kind}`);
    }
    const bits = new BigUint64Array(columns.values.buffer);
    for (let i = 0; i < columns.count; i++) {
      const hex = (bits[i] ?? 0n).toString(16).padStart(16, "0");
      lines.push(`${formatLabels(labels)} ${columns.timestampsMs[i]} ${hex}`);
    }
  }
  return lines;
}
