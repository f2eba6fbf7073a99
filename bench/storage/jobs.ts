/**
 * The work of our storage, each job in a process of its own. A job pauses wherever it gives a stage: whoever started it
 * then looks at the process, and lets it go on.
 */
import { readdirSync, statSync } from "node:fs";
import {
  createBlockWriter,
  directoryBlockBytes,
  listBlockFolders,
  newUlid,
  openBlock,
  type Block,
} from "@pleiad/blocks";
import {
  createSharedMemory,
  createXorBulkDecoder,
  encodeXor,
  memoryPageBytes,
  xorBulkRow,
  xorBulkRowBytes,
  xorBulkSlackBytes,
} from "@pleiad/chunks";
import { compactBlocks } from "@pleiad/compaction";
import { defaultHead, openHead, type Head, type SeriesRef } from "@pleiad/head";
import { compareLabels, compareText, emptyLabels, labelsFromSorted, type Result } from "@pleiad/model";
import { createNodePorts } from "@pleiad/node-ports";
import type { Observations, Ports } from "@pleiad/ports";
import { startAgent } from "@pleiad/role-agent";
import { referenceCluster, type FleetOptions } from "../reference-fleet.ts";
import { openSampleRows } from "./sample-rows.ts";

/** What was done up to here; NaN where a stage has no such figure. */
export interface Stage {
  readonly series: number;
  readonly samples: number;
  readonly bytes: number; // on disk, or read
  readonly wallMs: number;
  readonly cpuMs: number;
}

export interface BlockTime {
  readonly minTimeMs: number;
  readonly maxTimeMs: number; // exclusive
}

/** Appends all rows of a folder to a head, a commit for each scrape of a cluster; then cuts its block. */
async function* fillHead(options: {
  readonly rows: string;
  readonly head: string;
  readonly blocks: string;
  readonly time: BlockTime;
}): AsyncGenerator<Stage> {
  const { ports } = portsWithCounts();
  const rows = openSampleRows(options.rows);
  const head = await openBenchHead(options.head, ports);
  const timestampsMs = new Float64Array(rows.series);
  const values = new Float64Array(rows.series);
  const refs = Array.from({ length: rows.clusters }, () => new Float64Array(rows.series));
  let samples = 0;
  const watch = startWatch();
  for (let scrape = 0; scrape < rows.scrapes; scrape++) {
    for (const [cluster, refsOfCluster] of refs.entries()) {
      rows.read(scrape, cluster, timestampsMs, values);
      const appender = head.appender();
      if (scrape === 0) {
        for (const [i, labels] of rows.labels(cluster).entries()) {
          const ref = appender.series(labelsFromSorted(labels));
          if (typeof ref !== "number") throw new Error(ref.kind);
          refsOfCluster[i] = ref;
        }
      }
      for (let i = 0; i < rows.series; i++) {
        const value = values[i] as number;
        if (Number.isNaN(value)) continue;
        appender.append(refsOfCluster[i] as SeriesRef, timestampsMs[i] as number, value);
      }
      samples += valueOf(await appender.commit()).samples;
    }
  }
  rows.close();
  const { series, walBytes, chunkFileBytes } = head.statistics();
  yield { series, samples, bytes: walBytes + chunkFileBytes, ...watch() };
  globalThis.gc?.();
  yield { ...noStage, series };

  const cutWatch = startWatch();
  const range = valueOf(await head.closeRange(options.time));
  await ports.files.makeDirectory(options.blocks);
  const ulid = newUlid(options.time.minTimeMs, ports.random);
  const writer = valueOf(
    await createBlockWriter(ports.files, range.symbols(), newBlock(options.blocks, ulid, options.time)),
  );
  for await (const one of range.series()) valueOf(await writer.add(one.labels, one.chunks));
  const meta = valueOf(await writer.finish());
  const { numSeries = 0, numSamples = 0 } = meta?.stats ?? {};
  yield { series: numSeries, samples: numSamples, bytes: folderBytes(`${options.blocks}/${ulid}`), ...cutWatch() };
}

/** Opens a head that a killed process left. */
async function* replayHead(options: { readonly head: string }): AsyncGenerator<Stage> {
  const { ports } = portsWithCounts();
  const watch = startWatch();
  const head = await openBenchHead(options.head, ports);
  const { series, walBytes, chunkFileBytes, repairedBytes, damagedRecords, skippedSamples } = head.statistics();
  if (repairedBytes + damagedRecords + skippedSamples > 0) throw new Error("the log lost something");
  yield { ...noStage, series, bytes: walBytes + chunkFileBytes, ...watch() };
}

/** Blocks of ten clusters each, encoded from samples: what promtool makes from text. */
async function* writeBlocks(options: {
  readonly fleet: FleetOptions;
  readonly directory: string;
  readonly time: BlockTime;
  readonly clustersPerBlock: number;
}): AsyncGenerator<Stage> {
  const { fleet, directory, time, clustersPerBlock } = options;
  const { ports } = portsWithCounts();
  await ports.files.makeDirectory(directory);
  let total: Stage = { series: 0, samples: 0, bytes: 0, wallMs: 0, cpuMs: 0 };
  for (let first = 1; first <= fleet.clusters; first += clustersPerBlock) {
    const count = Math.min(clustersPerBlock, fleet.clusters - first + 1);
    const clusters = Array.from({ length: count }, (_, i) => referenceCluster(first + i, fleet));
    const series = clusters.flatMap((cluster) =>
      cluster.map((one) => {
        const kept = (_: number, i: number) => !Number.isNaN(one.values[i]);
        const samples = { timestampsMs: one.timestampsMs.filter(kept), values: one.values.filter(kept) };
        return { labels: labelsFromSorted(one.labels), ...samples };
      }),
    );
    series.sort((a, b) => compareLabels(a.labels, b.labels));
    const symbols = [...new Set(series.flatMap(({ labels }) => labels))].sort(compareText);
    const ulid = newUlid(time.minTimeMs, ports.random);
    const watch = startWatch();
    const writer = valueOf(await createBlockWriter(ports.files, symbols, newBlock(directory, ulid, time)));
    for (const one of series) valueOf(await writer.add(one.labels, encodeChunks(one)));
    const meta = valueOf(await writer.finish());
    const { wallMs, cpuMs } = watch();
    total = {
      series: total.series + (meta?.stats.numSeries ?? 0),
      samples: total.samples + (meta?.stats.numSamples ?? 0),
      bytes: total.bytes + folderBytes(`${directory}/${ulid}`),
      wallMs: total.wallMs + wallMs,
      cpuMs: total.cpuMs + cpuMs,
    };
  }
  yield total;
}

/** An agent that scrapes pages until it is ended; a stage says what it has stored so far. */
async function* scrapePages(options: {
  readonly directory: string;
  readonly grpcAddress: string;
  readonly intervalMs: number;
  readonly targets: readonly { readonly cluster: string; readonly url: string }[];
}): AsyncGenerator<Stage> {
  const { ports, counts } = portsWithCounts();
  const { directory, grpcAddress, intervalMs, targets } = options;
  const agent = valueOf(
    await startAgent(
      {
        name: "bench",
        directory,
        externalLabels: emptyLabels,
        grpcAddress,
        targets: targets.map(({ cluster, url }) => ({ job: cluster, url, labels: { cluster } })),
        scrapeIntervalMs: intervalMs,
        retentionMs: defaultHead.retentionMs,
        intern: sharedTexts(),
      },
      ports,
    ),
  );
  for (;;) {
    const { series } = agent.statistics().head;
    const samples = counts.get("prometheus_tsdb_head_samples_appended_total") ?? 0;
    yield { ...noStage, series, samples };
  }
}

/** Makes all blocks of a folder one, in another folder. */
async function* compactFolder(options: { readonly from: string; readonly to: string }): AsyncGenerator<Stage> {
  const { ports } = portsWithCounts();
  const { files, clock, random } = ports;
  await files.makeDirectory(options.to);
  const watch = startWatch();
  const blocks = await openBlocks(options.from, ports);
  const ulid = newUlid(clock.wallMs(), random);
  const meta = valueOf(
    await compactBlocks(blocks, {
      ...{ files, directory: options.to, ulid, thanos: undefined, overlap: "one-to-one", chunkFileBytesMax },
      signal: new AbortController().signal,
      yield: () => clock.yield(),
    }),
  );
  const { numSeries = 0, numSamples = 0 } = meta?.stats ?? {};
  yield { series: numSeries, samples: numSamples, bytes: folderBytes(`${options.to}/${ulid}`), ...watch() };
}

/** Decodes all chunks of a folder's blocks again and again, a stage a round; the first warms up. */
async function* decodeChunks(options: { readonly from: string; readonly rounds: number }): AsyncGenerator<Stage> {
  const { ports } = portsWithCounts();
  const chunks: Uint8Array[] = [];
  let samples = 0;
  let series = 0;
  for (const block of await openBlocks(options.from, ports)) {
    for await (const one of block.everySeries(new AbortController().signal)) {
      series++;
      for (const { data, sampleCount } of one.chunks) {
        chunks.push(data.slice());
        samples += sampleCount;
      }
    }
    await block.close();
  }
  const longest = chunks.reduce((most, { length }) => Math.max(most, length), 0);
  const bytes = chunks.reduce((total, { length }) => total + length, 0);
  const wordsLength = (longest + xorBulkSlackBytes + 7) & ~7;
  const capacity = chunksPerCall * chunkSamplesMost;
  const words = chunks.length * xorBulkRowBytes;
  const timestampsMs = words + wordsLength;
  const values = timestampsMs + capacity * Float64Array.BYTES_PER_ELEMENT;
  const data = values + capacity * Float64Array.BYTES_PER_ELEMENT;
  const pages = Math.ceil((data + bytes + xorBulkSlackBytes) / memoryPageBytes);
  const memory = createSharedMemory(pages, pages);
  const table = new Uint32Array(memory.buffer, 0, words / Uint32Array.BYTES_PER_ELEMENT);
  const rowLength = xorBulkRowBytes / Uint32Array.BYTES_PER_ELEMENT;
  let at = data;
  for (const [i, chunk] of chunks.entries()) {
    new Uint8Array(memory.buffer).set(chunk, at);
    table[i * rowLength + xorBulkRow.offset] = at;
    table[i * rowLength + xorBulkRow.length] = chunk.length;
    at += chunk.length;
  }
  const decoder = createXorBulkDecoder(memory);
  for (let round = 0; round < options.rounds; round++) {
    const watch = startWatch();
    let decoded = 0;
    for (let first = 0; first < chunks.length; first += chunksPerCall) {
      decoded += decoder.decode({
        ...{ table: first * xorBulkRowBytes, chunkCount: Math.min(chunksPerCall, chunks.length - first) },
        ...{ words, wordsLength, timestampsMs, values, capacity, untilMs: Infinity },
      });
    }
    if (decoded !== samples) throw new Error(`${String(decoded)} samples of ${String(samples)} were decoded`);
    yield { series, samples, bytes, ...watch() };
  }
}

export const jobs = { fillHead, replayHead, writeBlocks, scrapePages, compactFolder, decodeChunks } satisfies Record<
  string,
  (options: never) => AsyncGenerator<Stage>
>;

export type JobName = keyof typeof jobs;

/** As a query has them: columns that stay in the cache. */
const chunksPerCall = 64;
const samplesPerChunk = 120;
/** Of a chunk that Prometheus or we cut. */
const chunkSamplesMost = 2 * samplesPerChunk;
const chunkFileBytesMax = 512 * 1024 * 1024;

const noStage: Stage = { series: NaN, samples: NaN, bytes: NaN, wallMs: NaN, cpuMs: NaN };

/** Starts to measure; what it gives says how much has passed. */
function startWatch(): () => Pick<Stage, "wallMs" | "cpuMs"> {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { wallMs: performance.now() - startMs, cpuMs: (user + system) / 1000 };
  };
}

/** As the tsdb opens it: nothing goes but into blocks. */
async function openBenchHead(directory: string, ports: Ports): Promise<Head> {
  const options = { directory, externalLabels: emptyLabels, intern: sharedTexts(), retentionMs: Infinity };
  return valueOf(await openHead({ ...defaultHead, ...options }, ports));
}

async function openBlocks(directory: string, ports: Ports): Promise<readonly Block[]> {
  const blocks: Block[] = [];
  const options = { externalLabels: emptyLabels, intern: sharedTexts(), cacheBytesMax: 1024 * 1024 };
  for (const ulid of await listBlockFolders(ports.files, directory)) {
    blocks.push(valueOf(await openBlock(directoryBlockBytes(ports.files, `${directory}/${ulid}`), options)));
  }
  return blocks;
}

function newBlock(directory: string, ulid: string, time: BlockTime) {
  const compaction = { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] };
  return { directory, ulid, ...time, compaction, thanos: undefined, chunkFileBytesMax };
}

function encodeChunks({
  timestampsMs,
  values,
}: {
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
}) {
  const chunks = [];
  for (let from = 0; from < values.length; from += samplesPerChunk) {
    const to = Math.min(from + samplesPerChunk, values.length);
    chunks.push({
      minTimeMs: timestampsMs[from] ?? NaN,
      maxTimeMs: timestampsMs[to - 1] ?? NaN,
      sampleCount: to - from,
      encoding: 1,
      data: encodeXor(timestampsMs, values, from, to),
    } as const);
  }
  return chunks;
}

/** The ports of Node, with the counters that the storage keeps, and its warnings on the standard error. */
function portsWithCounts(): { readonly ports: Ports; readonly counts: ReadonlyMap<string, number> } {
  const counts = new Map<string, number>();
  const observations: Observations = {
    counter: (name) => ({ add: (amount) => void counts.set(name, (counts.get(name) ?? 0) + amount) }),
    gauge: () => ({ set: () => {} }),
    histogram: () => ({ observe: () => {} }),
    log: (level, message, fields) => {
      if (level !== "debug" && level !== "info") process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
    },
  };
  return { ports: createNodePorts({ observations }), counts };
}

function sharedTexts(): (text: string) => string {
  const texts = new Map<string, string>();
  return (text) => {
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return known ?? text;
  };
}

function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(`${entry.parentPath}/${entry.name}`).size;
  }
  return bytes;
}

function valueOf<T>(result: Result<T, unknown>): T {
  if (result.ok) return result.value;
  throw new Error(JSON.stringify(result.failure));
}
