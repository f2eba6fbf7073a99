import { bucketBlockBytes, createBlockLister, openBlock, verifyBlock, defaultVerify } from "@pleiad/blocks";
import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { collectSeries, labelsFromRecord, plainSelect } from "@pleiad/model";
import { BucketError, type Bucket } from "@pleiad/ports";
import { memoryBucket, testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { historyStream, writeHistoryBlock } from "./history-block.ts";
import { makeUpCluster, timeColumn } from "./made-up-cluster.ts";
import { pastSeriesOf, scrapeTimes } from "./past-series.ts";

const hourMs = 3_600_000;
/** A multiple of two hours. */
const evenMs = 1_699_992_000_000;
const externalLabels = labelsFromRecord({ cluster: "a1", replica: "0" });
const past = pastSeriesOf(makeUpCluster({ name: "a1", number: 1, seriesCount: 120 }), {
  job: "cluster",
  instance: "a1:1",
});
const stream = historyStream(past, { externalLabels, intervalMs: 30_000, offsetMs: 7 });
const { signal } = new AbortController();

async function openWorld() {
  const ports = testPorts({ startMs: evenMs + 30 * hourMs });
  await ports.files.makeDirectory("/work");
  return { ports, to: { bucket: memoryBucket(), workDirectory: "/work" } };
}

async function keysOf(bucket: Bucket): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const key of bucket.list("")) keys.push(key);
  return keys;
}

describe("a block of history", () => {
  it("has every series and every scrape, under the external labels, and is whole", async () => {
    const { ports, to } = await openWorld();
    const piece = { fromMs: evenMs, untilMs: evenMs + 2 * hourMs };
    expect(await writeHistoryBlock(stream, piece, to, ports, signal)).toEqual({
      ok: true,
      value: { samples: 125 * 240 },
    });
    expect(await ports.files.list("/work")).toEqual([]);
    const listing = await createBlockLister(to.bucket).refresh(signal);
    if (!listing.ok) throw listing.failure;
    const metas = [...listing.value.blocks.values()].map(({ meta }) => meta);
    const ulid = metas[0]?.ulid ?? "";
    expect(metas).toMatchObject([
      {
        minTimeMs: piece.fromMs,
        maxTimeMs: piece.untilMs,
        compaction: { level: 1, sources: [ulid] },
        thanos: { labels: { cluster: "a1", replica: "0" }, resolutionMs: 0 },
      },
    ]);
    const bytes = () => bucketBlockBytes(to.bucket, ulid);
    expect(await verifyBlock(bytes(), defaultVerify, signal)).toMatchObject({
      ok: true,
      value: { findings: [], untold: 0 },
    });
    const opened = await openBlock(bytes(), { externalLabels, intern: (text) => text, cacheBytesMax: 1 << 20 });
    if (!opened.ok) throw new Error(opened.failure.kind);
    const { series } = await collectSeries(opened.value.select(plainSelect, signal));
    expect(series).toHaveLength(125);
    const times = timeColumn(scrapeTimes(piece.fromMs, piece.untilMs, 30_000, 7));
    const expected = new Float64Array(240);
    for (const [i, { chunks }] of series.entries()) {
      const columns = createSampleColumns(240);
      for (const { content } of chunks) {
        if (content.kind === "raw") expect(decodeChunk(content.encoding, content.data, columns)).toBeUndefined();
      }
      stream.series[i]?.fill(times, expected);
      expect(columns.timestampsMs.subarray(0, columns.count)).toEqual(times.timestampsMs);
      expect(columns.values.subarray(0, columns.count)).toEqual(expected);
    }
  });

  it("written twice is the same block, byte for byte but for the time of its upload", async () => {
    const { ports, to } = await openWorld();
    const piece = { fromMs: evenMs + 1234, untilMs: evenMs + 2 * hourMs };
    await writeHistoryBlock(stream, piece, to, ports, signal);
    const keys = await keysOf(to.bucket);
    const index = await to.bucket.get(keys.find((key) => key.endsWith("index")) ?? "");
    await writeHistoryBlock(stream, piece, to, ports, signal);
    expect(await keysOf(to.bucket)).toEqual(keys);
    expect(await to.bucket.get(keys.find((key) => key.endsWith("index")) ?? "")).toEqual(index);
  });

  it("of another cluster, time or interval is another", async () => {
    const { ports, to } = await openWorld();
    const first = { fromMs: evenMs, untilMs: evenMs + hourMs / 60 };
    await writeHistoryBlock(stream, first, to, ports, signal);
    await writeHistoryBlock({ ...stream, intervalMs: 20_000 }, first, to, ports, signal);
    await writeHistoryBlock(stream, { ...first, fromMs: evenMs + 1 }, to, ports, signal);
    const other = labelsFromRecord({ cluster: "a2", replica: "0" });
    await writeHistoryBlock({ ...stream, externalLabels: other }, first, to, ports, signal);
    const listing = await createBlockLister(to.bucket).refresh(signal);
    expect(listing.ok && listing.value.blocks.size).toBe(4);
  });

  it("without a scrape in its time is none", async () => {
    const { ports, to } = await openWorld();
    const none = { fromMs: evenMs + 8, untilMs: evenMs + 30_000 };
    expect(await writeHistoryBlock(stream, none, to, ports, signal)).toEqual({ ok: true, value: { samples: 0 } });
    expect(await keysOf(to.bucket)).toEqual([]);
  });

  it("that the bucket refuses is told, and leaves nothing in the work folder", async () => {
    const { ports, to } = await openWorld();
    const put = async (key: string) => await Promise.reject(new BucketError("unavailable", key, "no space"));
    const bucket = { ...to.bucket, put };
    const piece = { fromMs: evenMs, untilMs: evenMs + hourMs };
    const refused = await writeHistoryBlock(stream, piece, { ...to, bucket }, ports, signal);
    expect(!refused.ok && refused.failure).toMatch(/no space/);
    expect(await ports.files.list("/work")).toEqual([]);
  });
});
