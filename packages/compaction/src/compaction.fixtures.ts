/** What the tests of this package share: blocks as meta.json tells them, and real ones in buckets in memory. */
import {
  bucketBlockBytes,
  createBlockLister,
  createBlockWriter,
  newUlid,
  openBlock,
  uploadBlock,
  type BlockChunk,
  type BlockMeta,
} from "@pleiad/blocks";
import { createSampleColumns, decodeChunk, encodeXor } from "@pleiad/chunks";
import { compareLabels, compareText, emptyLabels, formatLabels, labelsFromRecord, type Labels } from "@pleiad/model";
import { seededRandom, type Bucket } from "@pleiad/ports";
import { memoryFiles } from "@pleiad/ports/testing";

export const hourMs = 3_600_000;

/** All blocks of the tests lie here: a multiple of 14 d. */
export const epochMs = 1405 * 336 * hourMs;

/** A block as its meta.json tells it; hours since the epoch. */
export function metaOf(
  ulid: string,
  fromHours: number,
  toHours: number,
  more: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly resolutionMs?: number;
    readonly level?: number;
    readonly sources?: readonly string[];
    readonly isFailed?: boolean;
    readonly tombstoneRatio?: number;
    readonly indexBytes?: number;
    readonly source?: string;
  } = {},
): BlockMeta {
  const seriesCount = 9999;
  return {
    ulid,
    minTimeMs: fromHours * hourMs,
    maxTimeMs: toHours * hourMs,
    stats: {
      numSamples: 100,
      numFloatSamples: 100,
      numHistogramSamples: 0,
      numSeries: seriesCount,
      numChunks: 100,
      numTombstones: Math.round((more.tombstoneRatio ?? 0) * (seriesCount + 1)),
    },
    compaction: {
      level: more.level ?? 1,
      sources: more.sources ?? [ulid],
      parents: [],
      isDeletable: false,
      isFailed: more.isFailed ?? false,
      hints: [],
    },
    thanos: {
      labels: more.labels ?? {},
      resolutionMs: more.resolutionMs ?? 0,
      source: more.source ?? "sidecar",
      files: more.indexBytes === undefined ? [] : [{ path: "index", sizeBytes: more.indexBytes }],
      indexStats: undefined,
      uploadTimeMs: undefined,
    },
  };
}

/** `[time in ms, value]`; the bits of the value count. */
export type TestSample = readonly [timestampMs: number, value: number];

export interface TestBlock {
  /** Hours since `epochMs`. */
  readonly from: number;
  readonly to: number;
  readonly labels: Readonly<Record<string, string>>; // external
  readonly series: ReadonlyMap<Labels, readonly TestSample[]>;
  readonly madeMs?: number; // in its ULID; without it the end of the block
  readonly samplesPerChunk?: number;
  readonly resolutionMs?: number;
  readonly hints?: readonly string[];
}

const ulids = seededRandom(4711);

/** Writes a block as an agent would, and uploads it. */
export async function putBlock(bucket: Bucket, block: TestBlock): Promise<BlockMeta> {
  const ulid = newUlid(block.madeMs ?? epochMs + block.to * hourMs, ulids);
  const files = memoryFiles();
  await files.makeDirectory("/data");
  const symbols = new Set([...block.series.keys()].flat());
  const writer = await createBlockWriter(files, [...symbols].sort(compareText), {
    directory: "/data",
    ulid,
    minTimeMs: epochMs + block.from * hourMs,
    maxTimeMs: epochMs + block.to * hourMs,
    compaction: {
      level: 1,
      sources: [ulid],
      parents: [],
      isDeletable: false,
      isFailed: false,
      hints: block.hints ?? [],
    },
    thanos: {
      labels: block.labels,
      resolutionMs: block.resolutionMs ?? 0,
      source: "sidecar",
      files: [],
      indexStats: undefined,
      uploadTimeMs: undefined,
    },
    chunkFileBytesMax: 1 << 20,
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  for (const [labels, samples] of [...block.series].sort(([a], [b]) => compareLabels(a, b))) {
    const added = await writer.value.add(labels, chunksOf(samples, block.samplesPerChunk ?? 120));
    if (!added.ok) throw new Error(added.failure.kind);
  }
  const finished = await writer.value.finish();
  if (!finished.ok || finished.value === undefined) throw new Error("the block was not written");
  const { signal } = new AbortController();
  const uploaded = await uploadBlock({ files, path: `/data/${ulid}`, bucket, signal });
  if (!uploaded.ok) throw new Error(uploaded.failure.kind);
  return uploaded.value;
}

export function chunksOf(samples: readonly TestSample[], samplesPerChunk: number): BlockChunk[] {
  const times = Float64Array.from(samples, ([time]) => time);
  const values = Float64Array.from(samples, ([, value]) => value);
  const chunks: BlockChunk[] = [];
  for (let from = 0; from < samples.length; from += samplesPerChunk) {
    const to = Math.min(samples.length, from + samplesPerChunk);
    chunks.push({
      minTimeMs: times[from] ?? NaN,
      maxTimeMs: times[to - 1] ?? NaN,
      sampleCount: to - from,
      encoding: 1,
      data: encodeXor(times, values, from, to),
    });
  }
  return chunks;
}

/** A sample every `stepMs` of a block, of series that are named. */
export function steadySeries(
  names: readonly string[],
  from: number,
  to: number,
  stepMs = 600_000,
  shiftMs = 0,
): ReadonlyMap<Labels, readonly TestSample[]> {
  const series = new Map<Labels, readonly TestSample[]>();
  for (const [i, name] of names.entries()) {
    const samples: TestSample[] = [];
    for (let time = epochMs + from * hourMs + shiftMs; time < epochMs + to * hourMs; time += stepMs) {
      samples.push([time, i * 1000 + ((time / stepMs) % 97)]);
    }
    series.set(labelsFromRecord({ __name__: name, job: `job-${i % 2}` }), samples);
  }
  return series;
}

/** The blocks of a bucket that are whole, marked or not. */
export async function listBlocks(bucket: Bucket): Promise<ReadonlyMap<string, BlockMeta>> {
  const listing = await createBlockLister(bucket).refresh(new AbortController().signal);
  if (!listing.ok) throw listing.failure;
  return new Map([...listing.value.blocks].map(([ulid, { meta }]) => [ulid, meta]));
}

/** Blocks that are whole and not marked for deletion, oldest first: `0-8 raw L2 {cluster="a"}`. */
export async function describeBlocks(bucket: Bucket): Promise<string[]> {
  const listing = await createBlockLister(bucket).refresh(new AbortController().signal);
  if (!listing.ok) throw listing.failure;
  return [...listing.value.blocks.values()]
    .filter(({ marks }) => !marks.has("deletion"))
    .map(({ meta }) => meta)
    .sort((a, b) => a.minTimeMs - b.minTimeMs || (a.thanos?.resolutionMs ?? 0) - (b.thanos?.resolutionMs ?? 0))
    .map(({ minTimeMs, maxTimeMs, compaction, thanos }) => {
      const hours = [minTimeMs, maxTimeMs].map((ms) => (ms - epochMs) / hourMs).join("-");
      const labels = formatLabels(labelsFromRecord(thanos?.labels ?? {}));
      const resolution = { 0: "raw", 300_000: "5m", 3_600_000: "1h" }[thanos?.resolutionMs ?? 0];
      return `${hours} ${resolution} L${compaction.level} ${labels}`;
    });
}

/** Every raw sample of one block, a line each, with external labels; throws where the block cannot be read. */
export async function readSamples(bucket: Bucket, ulid: string): Promise<readonly string[]> {
  const opened = await openBlock(bucketBlockBytes(bucket, ulid), {
    externalLabels: emptyLabels,
    intern: (text) => text,
    cacheBytesMax: 1 << 20,
  });
  if (!opened.ok) throw new Error(`${ulid}: ${opened.failure.kind}`);
  const { meta } = opened.value;
  const external = formatLabels(labelsFromRecord(meta.thanos?.labels ?? {}));
  const lines: string[] = [];
  for await (const { labels, chunks } of opened.value.everySeries(new AbortController().signal)) {
    const columns = createSampleColumns(120);
    for (const { encoding, data } of chunks) {
      if (encoding === 255) throw new Error("a downsampled chunk has no raw samples");
      const failure = decodeChunk(encoding, data, columns);
      if (failure !== undefined) throw new Error(failure.kind);
    }
    const bits = new BigUint64Array(columns.values.buffer);
    for (let i = 0; i < columns.count; i++) {
      lines.push(`${external} ${formatLabels(labels)} ${columns.timestampsMs[i]} ${(bits[i] ?? 0n).toString(16)}`);
    }
  }
  await opened.value.close();
  return lines;
}

/** What a reader of all raw blocks sees: every sample once. */
export async function readAll(bucket: Bucket): Promise<readonly string[]> {
  const lines = new Set<string>();
  for (const [ulid, { thanos }] of await listBlocks(bucket)) {
    if (thanos?.resolutionMs !== 0) continue;
    for (const line of await readSamples(bucket, ulid)) lines.add(line);
  }
  return [...lines].sort();
}
