/** What questions over many small blocks cost a store gateway: cold, warm, in requests, bytes, time and memory. */
import { performance } from "node:perf_hooks";
import { createBucketStore, defaultBucketStore, type BucketStore, type BucketStoreOptions } from "@pleiad/bucket-store";
import { plainSelect } from "@pleiad/model";
import { createNodePorts } from "@pleiad/node-ports";
import { createS3Bucket } from "@pleiad/objstore";
import type { Bucket } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import type { MeasuredProcess } from "../measured-process.ts";
import type { ServedStore } from "../object-store-job.ts";
import { blockMs, metricName, seriesPerMetric, type SmallBlocks } from "./small-blocks.ts";

export interface AskedOnce {
  readonly name: string;
  readonly wallMs: number;
  readonly cpuMs: number; // of the gateway
  readonly storeCpuMs: number; // of the object store
  readonly requests: number;
  readonly bytes: number;
}

export interface SmallBlockFigures {
  readonly steps: readonly AskedOnce[];
  readonly warmMs: readonly number[];
  /** Memory beside what the process holds without a gateway: with warm caches, and of which those say they are so much. */
  readonly warmBytes: number;
  readonly cacheBytes: number;
  /** The same without caches: blocks that are open, and of which their tables say they are so much. */
  readonly openBytes: number;
  readonly tableBytes: number;
  /** Of the answer of a day: series and chunks. */
  readonly series: number;
  readonly chunks: number;
}

export async function measureSmallBlocks(
  blocks: SmallBlocks,
  served: ServedStore,
  process_: MeasuredProcess,
  options: { readonly directory: string; readonly rounds: number; readonly note: (text: string) => void },
): Promise<SmallBlockFigures> {
  const ports = createNodePorts({ observations: silentObservations() });
  const counted = countGets(
    createS3Bucket({ ...served, bucket: served.bucket, endpoint: `http://${served.address}`, pathStyle: true }, ports),
  );
  const open = (changes: Partial<BucketStoreOptions> = {}): BucketStore => {
    const made = createBucketStore(
      counted.bucket,
      { ...defaultBucketStore, name: "gateway", directory: options.directory, ...changes },
      ports,
    );
    if (!made.ok) throw new Error(made.failure);
    return made.value;
  };
  const steps: AskedOnce[] = [];
  const step = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const { gets: getsBefore, bytes: bytesBefore } = counted.count;
    const cpu = process.cpuUsage();
    const storeCpuMs = process_.cpuMs();
    const startMs = performance.now();
    const value = await work();
    const wallMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(cpu);
    const { gets, bytes } = counted.count;
    steps.push({
      ...{ name, wallMs, cpuMs: (user + system) / 1000, storeCpuMs: process_.cpuMs() - storeCpuMs },
      ...{ requests: gets - getsBefore, bytes: bytes - bytesBefore },
    });
    options.note(formatStep(steps.at(-1)));
    return value;
  };
  const beforeBytes = heldBytes();
  let store = open();
  const synced = async () => {
    const outcome = await store.refresh();
    if (!outcome.ok) throw new Error(outcome.failure);
  };
  await step("the list of blocks", synced);
  const asked = await step("a day, nothing on disk", () => askDay(store, blocks));
  await store.stop();
  store = open();
  await step("the list of blocks again", synced);
  await step("a day, index headers on disk", () => askDay(store, blocks));
  await step("another metric of the day", () => askDay(store, blocks, 1));
  const warmMs: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const startMs = performance.now();
    const again = await askDay(store, blocks);
    warmMs.push(performance.now() - startMs);
    if (again.checksum !== asked.checksum) throw new Error("a warm answer differs");
  }
  const { cacheBytes } = store.status();
  const warmBytes = heldBytes() - beforeBytes;
  await store.stop();
  // All blocks are open, and next to nothing of them is kept but what that takes.
  store = open({ cacheBytesMax: 1024 * 1024 });
  await synced();
  await step("a day, nothing kept in memory", () => askDay(store, blocks));
  const openBytes = heldBytes() - beforeBytes;
  const { tableBytes } = store.status();
  await store.stop();
  const figures = { steps, warmMs, warmBytes, cacheBytes, openBytes, tableBytes };
  return { ...figures, series: asked.series, chunks: asked.chunks };
}

interface DayAnswer {
  readonly series: number;
  readonly chunks: number;
  readonly checksum: number;
}

/** Throws where the answer is not whole: all clusters, and all chunks of each series. */
async function askDay(store: BucketStore, blocks: SmallBlocks, metric = 0): Promise<DayAnswer> {
  const { startMs, blocksPerCluster, clusters } = blocks;
  const matchers = [{ type: "=", name: "__name__", value: metricName(metric) }] as const;
  const request = { ...plainSelect, matchers, minTimeMs: startMs, maxTimeMs: startMs + blocksPerCluster * blockMs };
  const cursor = store.select(request, new AbortController().signal);
  let [series, chunks, checksum] = [0, 0, 0];
  for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
    series += batch.length;
    for (const one of batch) {
      chunks += one.chunks.length;
      for (const { content } of one.chunks) checksum += content.kind === "raw" ? content.data.length : NaN;
    }
  }
  if (cursor.failure !== undefined) throw new Error(`the answer failed: ${cursor.failure.kind}`);
  if (cursor.warnings.length > 0) throw new Error(`the answer is not whole: ${cursor.warnings.join("; ")}`);
  if (series !== clusters * seriesPerMetric) throw new Error(`${String(series)} series came`);
  if (chunks !== series * blocksPerCluster * 4) throw new Error(`${String(chunks)} chunks came`);
  return { series, chunks, checksum };
}

export function formatStep(step: AskedOnce | undefined): string {
  if (step === undefined) return "";
  const { name, wallMs, cpuMs, storeCpuMs, requests, bytes } = step;
  const columns = [`${wallMs.toFixed(0)} ms`, `${cpuMs.toFixed(0)} ms`, `${storeCpuMs.toFixed(0)} ms`];
  columns.push(`${String(requests)} GETs`, `${(bytes / 1e6).toFixed(1)} MB`);
  return `${name.padEnd(32)}${columns.map((text) => text.padStart(12)).join("")}`;
}

function countGets(bucket: Bucket) {
  const count = { gets: 0, bytes: 0 };
  return {
    count,
    bucket: {
      ...bucket,
      async get(...call: Parameters<Bucket["get"]>) {
        count.gets++;
        const bytes = await bucket.get(...call);
        count.bytes += bytes.length;
        return bytes;
      },
    } satisfies Bucket,
  };
}

function heldBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
