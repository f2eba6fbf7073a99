import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import type { Labels } from "@pleiad/model";
import { runSeriesSourceAcceptance, type AcceptanceSeries } from "@pleiad/model/acceptance";
import { expect } from "vitest";
import { defaultTsdbView, viewTsdb } from "./tsdb-view.ts";
import { appendAt, laterPorts, openTestTsdb, testOptions } from "./tsdb.fixtures.ts";

const decode = (encoding: number, data: Uint8Array) => {
  const columns = createSampleColumns(120);
  expect(encoding).toBe(1);
  expect(decodeChunk(1, data, columns)).toBeUndefined();
  return Array.from(
    { length: columns.count },
    (_, i) => [columns.timestampsMs[i], columns.values[i]] as [number, number],
  );
};

/** The samples of the suite, most of them in blocks of half an hour. */
async function filled(series: readonly AcceptanceSeries[]) {
  const ports = laterPorts();
  const options = { head: { ...testOptions.head, chunkRangeMs: 1_800_000 } };
  const tsdb = await openTestTsdb(ports, options);
  const byTime = new Map<number, Map<Labels, number>>();
  for (const { labels, samples } of series) {
    for (const [t, value] of samples) byTime.set(t, (byTime.get(t) ?? new Map<Labels, number>()).set(labels, value));
  }
  for (const [t, values] of [...byTime].sort(([x], [y]) => x - y)) await appendAt(tsdb.head, t, values);
  expect((await tsdb.maintain(0)).ok).toBe(true);
  expect(tsdb.statistics().blocks).toBeGreaterThan(3);
  return { tsdb, ports };
}

runSeriesSourceAcceptance("a data folder", async (series) => {
  const { tsdb } = await filled(series);
  return { source: tsdb, decode, close: async () => void (await tsdb.close()) };
});

runSeriesSourceAcceptance("a view of a data folder", async (series) => {
  const { tsdb, ports } = await filled(series);
  await tsdb.close();
  const view = await viewTsdb("/data", defaultTsdbView, ports);
  if (!view.ok) throw new Error(view.failure.kind);
  return { source: view.value, decode, close: async () => await view.value.close() };
});
