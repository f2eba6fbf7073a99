import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { defaultHead, openHead, type Head } from "@pleiad/head";
import { collectSeries, emptyLabels, labelValue, plainSelect } from "@pleiad/model";
import { testPorts, type TestPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { backFill } from "./back-fill.ts";
import { makeUpCluster } from "./made-up-cluster.ts";

const hourMs = 3_600_000;
const nowMs = 1_700_000_000_000;
const intervalMs = 30_000;
const seriesCount = 120;
const reportSeriesCount = 5;
const cluster = makeUpCluster({ name: "a1", number: 1, seriesCount });

async function openOver(ports: TestPorts): Promise<Head> {
  const options = { ...defaultHead, directory: "/head", externalLabels: emptyLabels, intern: (text: string) => text };
  const opened = await openHead({ ...options, retentionMs: 6 * hourMs }, ports);
  if (!opened.ok) throw new Error(opened.failure.kind);
  return opened.value;
}

async function fill(head: Head, ports: TestPorts, fromMs: number, toMs: number): Promise<number> {
  const target = { job: "cluster", instance: "a1:1" };
  const filled = await backFill(head, { cluster, target, intervalMs, offsetMs: 7, fromMs, toMs }, ports.clock);
  if (!filled.ok) throw new Error(filled.failure);
  return filled.value.samples;
}

/** Distances between neighbouring samples, and how many samples there are, of each series. */
async function spacingOf(head: Head): Promise<ReadonlyMap<string, ReadonlySet<string | number>>> {
  const { series } = await collectSeries(head.select(plainSelect, new AbortController().signal));
  return new Map(
    series.map(({ labels, chunks }, i) => {
      const columns = createSampleColumns(1024);
      for (const { content } of chunks) {
        if (content.kind === "raw") expect(decodeChunk(content.encoding, content.data, columns)).toBeUndefined();
      }
      const times = columns.timestampsMs.subarray(0, columns.count);
      const distances = new Set(times.subarray(1).map((t, at) => t - (times[at] ?? 0)));
      return [`${i} ${labelValue(labels, "__name__")}`, new Set([`${columns.count} samples`, ...distances])];
    }),
  );
}

describe("the past of a cluster", () => {
  it("is whole in every series, where nothing is there and where the twin was off for two hours", async () => {
    const ports = testPorts({ startMs: nowMs });
    const all = seriesCount + reportSeriesCount;
    let head = await openOver(ports);
    expect(await fill(head, ports, nowMs - 4 * hourMs, nowMs - 2 * hourMs)).toBe(all * 240);
    await head.close();
    head = await openOver(ports);
    const walBytes = head.statistics().walBytes;
    expect(await fill(head, ports, head.statistics().maxTimeMs + intervalMs / 2, nowMs)).toBe(all * 240);
    expect(head.statistics().walBytes).toBe(walBytes);
    for (const one of [head, await openOver(ports)]) {
      const spacing = await spacingOf(one);
      expect(spacing.size).toBe(all);
      for (const [name, found] of spacing) expect(found, name).toEqual(new Set(["480 samples", intervalMs]));
    }
  });

  it("gives a series nothing that has samples of that time", async () => {
    const ports = testPorts({ startMs: nowMs });
    const head = await openOver(ports);
    const appender = head.appender();
    const ref = appender.series(cluster.series[0]?.labels ?? emptyLabels);
    if (typeof ref === "number") appender.append(ref, nowMs - hourMs, 1);
    await appender.commit();
    expect(await fill(head, ports, nowMs - 2 * hourMs, nowMs)).toBe((seriesCount + reportSeriesCount - 1) * 240);
  });

  it("may be nothing", async () => {
    const ports = testPorts({ startMs: nowMs });
    expect(await fill(await openOver(ports), ports, nowMs, nowMs - hourMs)).toBe(0);
  });
});
