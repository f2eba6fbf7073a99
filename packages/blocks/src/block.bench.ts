/**
 * What blocks cost: writing, opening, selects cold and warm, merging, memory. Large by name:
 * `node --expose-gc packages/blocks/src/block.bench.ts [blocks] [series a block]`; small in the tests.
 */
import { pathToFileURL } from "node:url";
import { encodeXor } from "@pleiad/chunks";
import {
  compareLabels,
  emptyLabels,
  labelsFromRecord,
  plainSelect,
  type Matcher,
  type SeriesSource,
} from "@pleiad/model";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import { seededRandom } from "@pleiad/ports";
import { directoryBlockBytes } from "./block-bytes.ts";
import { createBlockWriter } from "./block-writer.ts";
import { openTestBlock, startMs, symbolsOf, writerOptions } from "./block.fixtures.ts";
import type { Block } from "./block.ts";
import { mergeSources } from "./merged-source.ts";
import { newUlid } from "./ulid.ts";
import { defaultVerify, verifyBlock } from "./verify-block.ts";

export interface BlockBench {
  readonly writeMs: number;
  readonly openMs: number;
  readonly allColdMs: number;
  readonly allWarmMs: number;
  readonly metricColdMs: number;
  readonly metricWarmMs: number;
  readonly regexMs: number;
  readonly valuesWarmMs: number;
  readonly scanMs: number;
  readonly verifyMs: number;
  readonly samples: number;
  readonly indexBytes: number;
  readonly chunkBytes: number;
  readonly heldBytes: number;
  /** Series and chunks that all the selects gave: a faster wrong answer shows. */
  readonly checksum: number;
}

const samplesPerChunk = 120;
const chunksPerSeries = 2;

function seriesOf(block: number, count: number) {
  const series = Array.from({ length: count }, (_, i) =>
    labelsFromRecord({
      __name__: `metric_${i % 100}_total`,
      cluster: `cluster-${10 * block + (Math.floor(i / 100) % 10)}`,
      job: `job-${i % 7}`,
      namespace: `namespace-${i % 20}`,
      pod: `pod-${block}-${i}`,
      container: `container-${i % 30}`,
    }),
  );
  return series.sort(compareLabels);
}

async function write(files: MemoryFileSystem, ulid: string, labels: ReturnType<typeof seriesOf>): Promise<void> {
  const times = Float64Array.from({ length: samplesPerChunk * chunksPerSeries }, (_, i) => startMs + i * 30_000);
  const values = new Float64Array(times.length);
  const symbols = symbolsOf(labels.map((one) => ({ labels: one })));
  const writer = await createBlockWriter(files, symbols, { ...writerOptions, ulid });
  if (!writer.ok) throw new Error(writer.failure.kind);
  for (let i = 0; i < labels.length; i++) {
    for (let k = 0; k < values.length; k++) values[k] = i % 3 === 0 ? 1 : i * 1000 + k * (i % 17);
    const chunks = Array.from({ length: chunksPerSeries }, (_, c) => ({
      minTimeMs: times[c * samplesPerChunk] ?? 0,
      maxTimeMs: times[(c + 1) * samplesPerChunk - 1] ?? 0,
      sampleCount: samplesPerChunk,
      encoding: 1 as const,
      data: encodeXor(times, values, c * samplesPerChunk, (c + 1) * samplesPerChunk),
    }));
    const added = await writer.value.add(labels[i] ?? emptyLabels, chunks);
    if (!added.ok) throw new Error(added.failure.kind);
  }
  const finished = await writer.value.finish();
  if (!finished.ok) throw new Error(finished.failure.kind);
}

async function count(source: SeriesSource, matchers: readonly Matcher[]): Promise<number> {
  const cursor = source.select({ ...plainSelect, matchers }, new AbortController().signal);
  let sum = 0;
  for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
    for (const { chunks } of batch) sum += 1 + chunks.length;
  }
  if (cursor.failure !== undefined) throw new Error(cursor.failure.kind);
  return sum;
}

export async function benchBlocks(blockCount: number, seriesCount: number, nowMs: () => number): Promise<BlockBench> {
  const interned = new Map<string, string>();
  const intern = (text: string) => {
    const known = interned.get(text);
    if (known === undefined) interned.set(text, text);
    return known ?? text;
  };
  const files = memoryFiles();
  await files.makeDirectory("/data");
  const random = seededRandom(1);
  const ulids = Array.from({ length: blockCount }, () => newUlid(startMs, random));
  const series = ulids.map((_, block) => seriesOf(block, seriesCount));
  let checksum = 0;
  const timed = async (run: () => Promise<number>, rounds = 1) => {
    let least = Infinity;
    for (let i = 0; i < rounds; i++) {
      const from = nowMs();
      checksum += await run();
      least = Math.min(least, nowMs() - from);
    }
    return least;
  };
  const writeMs = await timed(async () => {
    for (let block = 0; block < blockCount; block++) await write(files, ulids[block] ?? "", series[block] ?? []);
    return 0;
  });
  let blocks: Block[] = [];
  const open = async () => {
    blocks = [];
    for (const ulid of ulids)
      blocks.push(await openTestBlock(files, { ulid, intern, cacheBytesMax: 64 * 1024 * 1024 }));
    return blocks.length;
  };
  const openMs = await timed(open);
  const all: readonly Matcher[] = [];
  const metric: readonly Matcher[] = [{ type: "=", name: "__name__", value: "metric_7_total" }];
  const regex: readonly Matcher[] = [{ type: "=~", name: "pod", value: "pod-[0-9]+-.*7" }];
  const { signal } = new AbortController();
  const metricColdMs = await timed(() => count(mergeSources(blocks), metric));
  const metricWarmMs = await timed(() => count(mergeSources(blocks), metric), 5);
  const regexMs = await timed(() => count(mergeSources(blocks), regex));
  const valuesWarmMs = await timed(async () => {
    const matchers: readonly Matcher[] = [{ type: "=", name: "cluster", value: "cluster-3" }];
    const request = { ...plainSelect, matchers, limit: 0 };
    const answer = await mergeSources(blocks).labelValues("namespace", request, signal);
    return answer.ok ? answer.value.values.length : NaN;
  }, 5);
  await open();
  const allColdMs = await timed(() => count(mergeSources(blocks), all));
  const allWarmMs = await timed(() => count(mergeSources(blocks), all), 5);
  const heldBytes = blocks.reduce((sum, block) => sum + block.heldBytes(), 0);
  const scanMs = await timed(async () => {
    let chunks = 0;
    for (const block of blocks) for await (const one of block.everySeries(signal)) chunks += one.chunks.length;
    return chunks;
  });
  const verifyMs = await timed(async () => {
    let samples = 0;
    for (const ulid of ulids) {
      const report = await verifyBlock(directoryBlockBytes(files, `/data/${ulid}`), defaultVerify, signal);
      if (!report.ok || report.value.findings.length > 0) throw new Error("a block is not what was written");
      samples += report.value.stats.numSamples;
    }
    return samples;
  });
  let indexBytes = 0;
  let chunkBytes = 0;
  for (const [path, bytes] of files.contents) {
    if (path.endsWith("/index")) indexBytes += bytes.length;
    else if (path.includes("/chunks/")) chunkBytes += bytes.length;
  }
  return {
    writeMs,
    openMs,
    allColdMs,
    allWarmMs,
    metricColdMs,
    metricWarmMs,
    regexMs,
    valuesWarmMs,
    scanMs,
    verifyMs,
    samples: blockCount * seriesCount * samplesPerChunk * chunksPerSeries,
    indexBytes,
    chunkBytes,
    heldBytes,
    checksum,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const blockCount = Number(process.argv[2] ?? 22);
  const seriesCount = Number(process.argv[3] ?? 10_000);
  const bench = await benchBlocks(blockCount, seriesCount, () => performance.now());
  const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  const lines = [
    `${blockCount} blocks of ${seriesCount} series, ${bench.samples} samples, checksum ${bench.checksum}`,
    `on disk       ${mb(bench.indexBytes)} index, ${mb(bench.chunkBytes)} chunks`,
    `write         ${ms(bench.writeMs)}, encoding included`,
    `open          ${ms(bench.openMs)}`,
    `all series    ${ms(bench.allColdMs)} cold, ${ms(bench.allWarmMs)} warm`,
    `one metric    ${ms(bench.metricColdMs)} cold, ${ms(bench.metricWarmMs)} warm`,
    `regex on pods ${ms(bench.regexMs)}`,
    `label values  ${ms(bench.valuesWarmMs)} warm`,
    `read through  ${ms(bench.scanMs)}`,
    `verify        ${ms(bench.verifyMs)}`,
    `held          ${mb(bench.heldBytes)}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
