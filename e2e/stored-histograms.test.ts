/**
 * Native histograms in a block of ours, asked of Pleiad and of the real Prometheus: chunks of whole and of float counts, with
 * buckets that come up, resets, gauges, gaps and staleness markers. And what is left of them once they are downsampled.
 */
import { join } from "node:path";
import {
  createBlockWriter,
  directoryBlockBytes,
  newUlid,
  openBlock,
  type Block,
  type BlockChunk,
} from "@pleiad/blocks";
import { encodeFloatHistograms, encodeIntegerHistograms, staleHistogram } from "@pleiad/chunks";
import { downsampleBlock } from "@pleiad/compaction";
import {
  compareLabels,
  compareText,
  emptyLabels,
  labelsFromRecord,
  type FloatHistogram,
  type Labels,
} from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askApi, type ApiReply } from "./answer-difference.ts";
import { portsOfTest, serveSource, startPrometheus, type RunningServer } from "./prometheus-peer.ts";
import { peerMissing, temporaryFolder } from "./twin-under-test.ts";

const prometheusPort = 27_310;
const startMs = Math.floor(1_700_000_000_000 / 7_200_000) * 7_200_000;
const stepMs = 30_000;
const sampleCount = 230;

interface StoredSeries {
  readonly labels: Labels;
  readonly chunks: readonly BlockChunk[];
}

describe("a block of native histograms", { skip: peerMissing("prometheus") }, () => {
  const folder = temporaryFolder();
  const { files } = portsOfTest();
  const series = ["steady", "resetting", "gauge", "stale"].flatMap((kind) =>
    (["integer", "float"] as const).map((counts): StoredSeries => {
      const histograms = historyOf(kind, counts);
      const timestampsMs = Float64Array.from(histograms, (_, i) => startMs + i * stepMs);
      const encode = counts === "integer" ? encodeIntegerHistograms : encodeFloatHistograms;
      const chunks = encode(timestampsMs, histograms).map((chunk): BlockChunk => ({
        ...chunk,
        encoding: counts === "integer" ? 2 : 3,
      }));
      return { labels: labelsFromRecord({ __name__: "latency", kind, counts }), chunks };
    }),
  );
  let ours: RunningServer | undefined;
  let theirs: RunningServer | undefined;
  let rawUlid = "";

  beforeAll(async () => {
    rawUlid = await writeRawBlock();
    theirs = await startPrometheus(join(folder.path, "raw"), join(folder.path, "prometheus"), prometheusPort);
    ours = await serveBlock("raw", rawUlid);
  });
  afterAll(async () => {
    await ours?.end();
    await theirs?.end();
    folder.remove();
  });

  async function writeRawBlock(): Promise<string> {
    const ulid = newUlid(startMs, seededRandom(7));
    const directory = join(folder.path, "raw");
    await files.makeDirectory(directory);
    const symbols = [...new Set(series.flatMap(({ labels }) => [...labels]))].sort(compareText);
    const writer = await createBlockWriter(files, symbols, {
      directory,
      ulid,
      minTimeMs: startMs,
      maxTimeMs: startMs + 7_200_000,
      compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
      thanos: {
        labels: {},
        resolutionMs: 0,
        source: "test",
        files: [],
        indexStats: undefined,
        uploadTimeMs: undefined,
      },
      chunkFileBytesMax: 1 << 29,
    });
    if (!writer.ok) throw new Error(writer.failure.kind);
    for (const { labels, chunks } of [...series].sort((a, b) => compareLabels(a.labels, b.labels))) {
      expect(await writer.value.add(labels, chunks)).toMatchObject({ ok: true });
    }
    expect(await writer.value.finish()).toMatchObject({ ok: true });
    return ulid;
  }

  async function open(name: string, ulid: string): Promise<Block> {
    const opened = await openBlock(directoryBlockBytes(files, join(folder.path, name, ulid)), {
      externalLabels: emptyLabels,
      intern: (text) => text,
      cacheBytesMax: 1 << 24,
    });
    if (!opened.ok) throw new Error(opened.failure.kind);
    return opened.value;
  }

  async function serveBlock(name: string, ulid: string): Promise<RunningServer> {
    const block = await open(name, ulid);
    return await serveSource(block, () => block.close());
  }

  /** Results by labels. */
  async function resultOf(url: string, query: string, more: readonly (readonly [string, string])[] = []) {
    const range = [
      ["start", startMs + 601_001],
      ["end", startMs + 6_600_001],
      ["step", 113],
    ] as const;
    const parameters = range.map(([name, value]) => [name, String(name === "step" ? value : value / 1000)] as const);
    const reply: ApiReply = await askApi(url, {
      path: "query_range",
      parameters: [["query", query], ...parameters, ...more],
    });
    const { data } = reply.body as {
      data?: { result: { metric: Record<string, string>; values?: [number, string][] }[] };
    };
    if (data === undefined) throw new Error(reply.text);
    return data.result.sort((a, b) => compareText(JSON.stringify(a.metric), JSON.stringify(b.metric)));
  }

  it.each([
    "histogram_count(latency)",
    "histogram_sum(latency)",
    "histogram_count(sum by (counts) (latency))",
    "count by (kind) (latency)",
    // Every rate over whole counts is 0 in 2.42, though it gives the samples themselves as they are.
    'histogram_count(rate(latency{kind!="gauge", counts="float"}[5m]))',
    'histogram_sum(rate(latency{kind!="gauge", counts="float"}[5m]))',
    'histogram_count(increase(latency{kind="resetting", counts="float"}[40m]))',
  ])("gives the same in Pleiad and in Prometheus 2.42: %s", async (query) => {
    const [mine, yours] = await Promise.all(
      [ours, theirs].map(async (server) => await resultOf(server?.url ?? "", query)),
    );
    expect(mine?.length).toBeGreaterThan(0);
    expect(roundNumbers(mine)).toEqual(roundNumbers(yours));
  });

  it("has every bucket as Prometheus 2.42 reads it", async () => {
    const [mine, yours] = await Promise.all(
      [ours, theirs].map(async (server) => await resultOf(server?.url ?? "", "latency")),
    );
    expect(mine).toHaveLength(series.length);
    expect(roundNumbers(mine)).toEqual(roundNumbers(yours));
  });

  it("counts and sums the same once it is downsampled", async () => {
    await files.makeDirectory(join(folder.path, "downsampled"));
    const block = await open("raw", rawUlid);
    const ulid = newUlid(startMs, seededRandom(8));
    const made = await downsampleBlock(block, {
      files,
      directory: join(folder.path, "downsampled"),
      ulid,
      resolutionMs: 300_000,
      chunkFileBytesMax: 1 << 29,
      signal: new AbortController().signal,
      yield: async () => {},
    });
    await block.close();
    if (!made.ok) throw new Error(made.failure.kind);
    const server = await serveBlock("downsampled", ulid);
    try {
      // Ranges that hold whole windows.
      const more = [["max_source_resolution", "5m"]] as const;
      const ask = async (url: string, query: string) => {
        const time = String((startMs + 6_600_000 - 1) / 1000);
        const reply = await askApi(url, { path: "query", parameters: [["query", query], ["time", time], ...more] });
        const { data } = reply.body as {
          data: { result: { metric: Record<string, string>; value: [number, string] }[] };
        };
        const lines = data.result.map(
          ({ metric, value }) => `${JSON.stringify(metric)} ${Number(value[1]).toPrecision(9)}`,
        );
        return lines.sort();
      };
      for (const query of [
        "count_over_time(latency[50m])",
        "histogram_sum(sum_over_time(latency[50m]))",
        "histogram_count(sum_over_time(latency[50m]))",
      ]) {
        expect(await ask(server.url, query)).toEqual(await ask(ours?.url ?? "", query));
      }
      const increases = await ask(server.url, "histogram_count(increase(latency{kind!='gauge'}[50m]))");
      expect(increases).toHaveLength(6);
    } finally {
      await server.end();
    }
  });
});

/** The bounds of buckets come out of a table in Prometheus, and differ in the last digits from powers of two. */
function roundNumbers(json: unknown): unknown {
  const text = JSON.stringify(json, (_, value: unknown) =>
    typeof value === "string" && value !== "" && Number.isFinite(Number(value)) ? Number(value).toPrecision(14) : value,
  );
  return JSON.parse(text);
}

/** A series that counts latencies: `resetting` begins anew now and then, `stale` ends and comes back. */
function historyOf(kind: string, counts: "integer" | "float"): FloatHistogram[] {
  const random = seededRandom(kind.length);
  const factor = counts === "integer" ? 1 : 0.25;
  let buckets = new Map<number, number>();
  let zeroCount = 0;
  let sum = 0;
  return Array.from({ length: sampleCount }, (_, i): FloatHistogram => {
    if (kind === "stale" && i % 60 >= 50) return staleHistogram;
    if (kind === "gauge" || (kind === "resetting" && i % 71 === 70)) {
      buckets = new Map();
      zeroCount = 0;
      sum = 0;
    }
    for (let seen = 0; seen < 6; seen++) {
      const index = Math.floor(random.float() * random.float() * 20) - 6;
      buckets.set(index, (buckets.get(index) ?? 0) + 1);
      sum += 2 ** (index / 2);
    }
    if (random.float() < 0.2) zeroCount++;
    const sorted = [...buckets].sort(([a], [b]) => a - b);
    const spans: { offset: number; length: number }[] = [];
    let next = 0;
    for (const [index] of sorted) {
      const last = spans.at(-1);
      if (last !== undefined && index === next) last.length++;
      else spans.push({ offset: index - next, length: 1 });
      next = index + 1;
    }
    return {
      schema: 1,
      zeroThreshold: 2 ** -128,
      zeroCount: zeroCount * factor,
      count: (zeroCount + sorted.reduce((total, [, count]) => total + count, 0)) * factor,
      sum: sum * factor,
      positiveSpans: spans,
      positiveBuckets: Float64Array.from(sorted, ([, count]) => count * factor),
      negativeSpans: [],
      negativeBuckets: new Float64Array(0),
      customBounds: new Float64Array(0),
      counterReset: kind === "gauge" ? "gauge" : "unknown",
    };
  });
}
