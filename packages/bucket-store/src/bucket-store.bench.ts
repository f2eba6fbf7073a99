/**
 * What questions to a store cost: of seven days, over blocks of two days and their downsampled forms. Large by name:
 * `node packages/bucket-store/src/bucket-store.bench.ts [clusters] [series a cluster] [latency of the bucket in ms]`; small
 * in the tests.
 */
import { pathToFileURL } from "node:url";
import { createBlockWriter, openBlock, directoryBlockBytes, uploadBlock, type BlockMeta } from "@pleiad/blocks";
import { encodeXor } from "@pleiad/chunks";
import { downsampleBlock } from "@pleiad/compaction";
import {
  compareText,
  emptyLabels,
  labelsFromRecord,
  plainSelect,
  type Matcher,
  type SeriesSource,
} from "@pleiad/model";
import { memoryBucket, memoryFiles, testPorts, type MemoryBucket, type MemoryFileSystem } from "@pleiad/ports/testing";
import { epochMs, hourMs, openStore, putTwin, ulidAt } from "./bucket-store.fixtures.ts";

export interface StoreBenchOptions {
  readonly clusterCount: number;
  readonly seriesCount: number; // of one cluster, of one metric in twenty
  readonly roundCount: number; // warm
  readonly latencyMs: number;
}

export interface StoreBench {
  readonly samples: number;
  readonly bucketBytes: number;
  readonly cases: readonly StoreBenchCase[];
  /** Series, chunks and bytes that all the questions gave: a faster wrong answer shows. */
  readonly checksum: number;
}

export interface StoreBenchCase {
  readonly name: string;
  /** Nothing in memory and no index headers on disk; then with headers; then all in memory. */
  readonly firstMs: number;
  readonly firstRequests: number;
  readonly coldMs: readonly number[];
  readonly coldRequests: number;
  readonly warmMs: readonly number[];
}

const days = 14;
const blockHours = 48;
const stepMs = 60_000;
const metricCount = 20;
const fiveMinutesMs = 300_000;

async function write(files: MemoryFileSystem, from: number, seriesCount: number): Promise<string> {
  const ulid = ulidAt(from + blockHours);
  const labels = Array.from({ length: seriesCount }, (_, i) =>
    labelsFromRecord({
      __name__: `metric_${String(i % metricCount).padStart(2, "0")}_total`,
      namespace: `namespace-${i % 7}`,
      pod: `pod-${String(i).padStart(5, "0")}`,
    }),
  ).sort((a, b) => compareText(a.join("\0"), b.join("\0")));
  const writer = await createBlockWriter(files, [...new Set(labels.flat())].sort(compareText), {
    directory: "/data",
    ulid,
    minTimeMs: epochMs + from * hourMs,
    maxTimeMs: epochMs + (from + blockHours) * hourMs,
    compaction: { level: 3, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: {
      labels: { cluster: "cluster-0" },
      resolutionMs: 0,
      source: "compactor",
      files: [],
      indexStats: undefined,
      uploadTimeMs: undefined,
    },
    chunkFileBytesMax: 512 << 20,
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  const count = (blockHours * hourMs) / stepMs;
  const times = Float64Array.from({ length: count }, (_, i) => epochMs + from * hourMs + i * stepMs);
  const values = new Float64Array(count);
  for (const [i, one] of labels.entries()) {
    for (let k = 0; k < count; k++) values[k] = i * 1000 + k * ((i % 17) + (k % 5));
    const chunks = [];
    for (let at = 0; at < count; at += 120) {
      const [minTimeMs = NaN, maxTimeMs = NaN] = [times[at], times[at + 119]];
      const data = encodeXor(times, values, at, at + 120);
      chunks.push({ minTimeMs, maxTimeMs, sampleCount: 120, encoding: 1 as const, data });
    }
    const added = await writer.value.add(one, chunks);
    if (!added.ok) throw new Error(added.failure.kind);
  }
  const finished = await writer.value.finish();
  if (!finished.ok) throw new Error(finished.failure.kind);
  return ulid;
}

/**
 * All clusters have the same samples under labels of their own: one cluster's blocks are made, and put once for each, so
 * that the time goes into the questions.
 */
async function fill(
  bucket: MemoryBucket,
  { clusterCount, seriesCount }: StoreBenchOptions,
  note: (text: string) => void,
): Promise<void> {
  const { signal } = new AbortController();
  for (let from = 0; from < days * 24; from += blockHours) {
    const files = memoryFiles();
    await files.makeDirectory("/data");
    const ulid = await write(files, from, seriesCount);
    const bytes = directoryBlockBytes(files, `/data/${ulid}`);
    const raw = await openBlock(bytes, {
      externalLabels: emptyLabels,
      intern: (text) => text,
      cacheBytesMax: 1 << 24,
    });
    if (!raw.ok) throw new Error(raw.failure.kind);
    const coarse = await downsampleBlock(raw.value, {
      files,
      directory: "/data",
      ulid: ulidAt(from + blockHours),
      resolutionMs: fiveMinutesMs,
      chunkFileBytesMax: 512 << 20,
      signal,
      yield: async () => {},
    });
    if (!coarse.ok || coarse.value === undefined) throw new Error("the block was not downsampled");
    const sources = Array.from({ length: clusterCount }, () => ulidAt(from + blockHours));
    for (const { ulid: made } of [{ ulid }, coarse.value satisfies BlockMeta]) {
      const uploaded = await uploadBlock({ files, path: `/data/${made}`, bucket, signal });
      if (!uploaded.ok) throw new Error(uploaded.failure.kind);
      for (let cluster = 1; cluster < clusterCount; cluster++) {
        const source = sources[cluster] ?? made;
        const external = { cluster: `cluster-${cluster}` };
        await putTwin(bucket, uploaded.value, { ulid: ulidAt(from + blockHours), source, external });
      }
    }
    note(`${(from + blockHours) / 24} of ${days} days are in the bucket`);
  }
}

async function count(source: SeriesSource, matchers: readonly Matcher[], maxResolutionMs: number): Promise<number> {
  const minTimeMs = epochMs + (days - 7) * 24 * hourMs;
  const maxTimeMs = epochMs + days * 24 * hourMs;
  const request = { ...plainSelect, matchers, minTimeMs, maxTimeMs, maxResolutionMs };
  const cursor = source.select(request, new AbortController().signal);
  let sum = 0;
  for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
    for (const { chunks } of batch) {
      sum += 1 + chunks.length;
      for (const { content } of chunks) {
        for (const { data } of content.kind === "raw" ? [content] : content.of.values()) sum += data.length;
      }
    }
  }
  if (cursor.failure !== undefined || cursor.warnings.length > 0) throw new Error("an answer is not whole");
  return sum;
}

export async function benchBucketStore(
  options: StoreBenchOptions,
  nowMs: () => number,
  sleep: (spanMs: number) => Promise<void>,
  note: (text: string) => void = () => {},
): Promise<StoreBench> {
  const { latencyMs, roundCount, clusterCount, seriesCount } = options;
  const memory = memoryBucket();
  await fill(memory, options, note);
  let requests = 0;
  const bucket: MemoryBucket = {
    ...memory,
    get: async (key, range, signal) => {
      requests++;
      if (latencyMs > 0) await sleep(latencyMs);
      return await memory.get(key, range, signal);
    },
  };
  const metric: Matcher = { type: "=", name: "__name__", value: "metric_07_total" };
  const cluster: Matcher = { type: "=", name: "cluster", value: "cluster-0" };
  let checksum = 0;
  const cases: StoreBenchCase[] = [];
  for (const [name, matchers, maxResolutionMs] of [
    ["one metric of one cluster, 5 m", [metric, cluster], fiveMinutesMs],
    ["one metric of one cluster, raw", [metric, cluster], 0],
    ["one metric of all clusters, 5 m", [metric], fiveMinutesMs],
    ["one metric of all clusters, raw", [metric], 0],
    ["all of one cluster, 5 m", [cluster], fiveMinutesMs],
  ] as const) {
    const ports = testPorts({ startMs: epochMs });
    const timed = async (source: SeriesSource) => {
      const from = nowMs();
      checksum += await count(source, matchers, maxResolutionMs);
      return nowMs() - from;
    };
    const open = async () => {
      const opened = await openStore(bucket, { cacheBytesMax: 512 << 20, keptBytesMax: 0 }, ports);
      requests = 0;
      return opened.store;
    };
    const firstMs = await timed(await open());
    const firstRequests = requests;
    const coldMs: number[] = [];
    let store = await open();
    for (let i = 0; i < Math.max(1, roundCount / 5); i++) {
      store = await open();
      coldMs.push(await timed(store));
    }
    const coldRequests = requests;
    const warmMs: number[] = [];
    for (let i = 0; i < roundCount; i++) warmMs.push(await timed(store));
    note(`${name}: asked`);
    cases.push({ name, firstMs, firstRequests, coldMs, coldRequests, warmMs });
  }
  return {
    samples: clusterCount * seriesCount * ((days * 24 * hourMs) / stepMs),
    bucketBytes: [...memory.objects.values()].reduce((sum, { length }) => sum + length, 0),
    cases,
    checksum,
  };
}

/** The value that so large a share of the others does not exceed. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [clusterCount = 10, seriesCount = 1000, latencyMs = 10] = process.argv.slice(2).map(Number);
  const options = { clusterCount, seriesCount, latencyMs, roundCount: 100 };
  const sleep = (spanMs: number) => new Promise<void>((resolve) => setTimeout(resolve, spanMs));
  const bench = await benchBucketStore(
    options,
    () => performance.now(),
    sleep,
    (text) => {
      process.stderr.write(`${text}\n`);
    },
  );
  const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
  const lines = bench.cases.map(
    ({ name, firstMs, firstRequests, coldMs, coldRequests, warmMs }) =>
      `${name.padEnd(34)} first ${ms(firstMs)} (${firstRequests} requests), cold p50 ${ms(quantile(coldMs, 0.5))} ` +
      `p99 ${ms(quantile(coldMs, 0.99))} (${coldRequests}), warm p50 ${ms(quantile(warmMs, 0.5))} p99 ${ms(quantile(warmMs, 0.99))}`,
  );
  const megabytes = (bench.bucketBytes / 1e6).toFixed(0);
  process.stdout.write(
    `${bench.samples / 1e6} M samples, ${megabytes} MB with 5 m, ${latencyMs} ms a request, checksum ${bench.checksum}\n${lines.join("\n")}\n`,
  );
}
