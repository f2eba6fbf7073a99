/** What the tests of this package share: blocks in a bucket in memory, a bucket that misbehaves, answers as text. */
import {
  blockMarkFiles,
  bucketBlockBytes,
  createBlockWriter,
  formatBlockMark,
  formatBlockMeta,
  newUlid,
  openBlock,
  uploadBlock,
  type Block,
  type BlockMeta,
} from "@pleiad/blocks";
import { createSampleColumns, decodeChunk, encodeXor } from "@pleiad/chunks";
import { compactBlocks, downsampleBlock, formatCompactionFailure } from "@pleiad/compaction";
import {
  collectSeries,
  compareLabels,
  compareText,
  emptyLabels,
  formatLabels,
  formatSourceFailure,
  labelsFromRecord,
  plainSelect,
  type EncodedChunk,
  type Labels,
  type SelectRequest,
  type SeriesSource,
} from "@pleiad/model";
import { BucketError, seededRandom, type Bucket } from "@pleiad/ports";
import { memoryBucket, memoryFiles, testPorts, type MemoryBucket, type TestPorts } from "@pleiad/ports/testing";
import { createBucketStore, type BucketStore } from "./bucket-store.ts";
import { defaultBucketStore, type BucketStoreOptions } from "./store-options.ts";

export const hourMs = 3_600_000;
/** All blocks of the tests lie here: a multiple of 14 d. */
export const epochMs: number = 1405 * 336 * hourMs;

export type TestSample = readonly [timestampMs: number, value: number];

export type ExternalLabels = Readonly<Record<string, string>>;

export interface TestBlock {
  /** Hours since `epochMs`. */
  readonly from: number;
  readonly to: number;
  readonly external?: ExternalLabels;
  readonly series: ReadonlyMap<Labels, readonly TestSample[]>;
  readonly resolutionMs?: number;
  readonly sources?: readonly string[];
  readonly level?: number;
}

const ulids = seededRandom(815);

export function ulidAt(hours: number): string {
  return newUlid(epochMs + hours * hourMs, ulids);
}

/** Writes a block and uploads it. */
export async function putBlock(bucket: Bucket, block: TestBlock): Promise<BlockMeta> {
  const files = memoryFiles();
  await files.makeDirectory("/data");
  const ulid = ulidAt(block.to);
  const writer = await createBlockWriter(files, [...new Set([...block.series.keys()].flat())].sort(compareText), {
    directory: "/data",
    ulid,
    minTimeMs: epochMs + block.from * hourMs,
    maxTimeMs: epochMs + block.to * hourMs,
    compaction: {
      level: block.level ?? 1,
      sources: block.sources ?? [ulid],
      parents: [],
      isDeletable: false,
      isFailed: false,
      hints: [],
    },
    thanos: thanosOf(block.external ?? {}, block.resolutionMs ?? 0),
    chunkFileBytesMax: 1 << 20,
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  for (const [labels, samples] of [...block.series].sort(([a], [b]) => compareLabels(a, b))) {
    const times = Float64Array.from(samples, ([time]) => time);
    const values = Float64Array.from(samples, ([, value]) => value);
    const chunks = [];
    for (let from = 0; from < samples.length; from += 120) {
      const to = Math.min(samples.length, from + 120);
      const data = encodeXor(times, values, from, to);
      const [minTimeMs = NaN, maxTimeMs = NaN] = [times[from], times[to - 1]];
      chunks.push({ minTimeMs, maxTimeMs, sampleCount: to - from, encoding: 1 as const, data });
    }
    const added = await writer.value.add(labels, chunks);
    if (!added.ok) throw new Error(added.failure.kind);
  }
  const finished = await writer.value.finish();
  if (!finished.ok || finished.value === undefined) throw new Error("the block was not written");
  return await upload(bucket, files, ulid);
}

/** Puts a block that is in the bucket once more, under other external labels, as if made of the block `source`. */
export async function putTwin(
  bucket: Bucket,
  meta: BlockMeta,
  { ulid, source, external }: { readonly ulid: string; readonly source: string; readonly external: ExternalLabels },
): Promise<BlockMeta> {
  const { thanos } = meta;
  if (thanos === undefined) throw new RangeError("the block has no external labels");
  for (const { path, sizeBytes } of thanos.files) {
    if (sizeBytes !== undefined) await bucket.put(`${ulid}/${path}`, await bucket.get(`${meta.ulid}/${path}`));
  }
  const compaction = { ...meta.compaction, sources: [source] };
  const twin = { ...meta, ulid, compaction, thanos: { ...thanos, labels: external } };
  await bucket.put(`${ulid}/meta.json`, formatBlockMeta(twin));
  return twin;
}

async function upload(bucket: Bucket, files: ReturnType<typeof memoryFiles>, ulid: string): Promise<BlockMeta> {
  const { signal } = new AbortController();
  const uploaded = await uploadBlock({ files, path: `/data/${ulid}`, bucket, signal });
  if (!uploaded.ok) throw new Error(uploaded.failure.kind);
  return uploaded.value;
}

function thanosOf(labels: Readonly<Record<string, string>>, resolutionMs: number): NonNullable<BlockMeta["thanos"]> {
  return { labels, resolutionMs, source: "sidecar", files: [], indexStats: undefined, uploadTimeMs: undefined };
}

async function openInBucket(bucket: Bucket, { ulid }: BlockMeta): Promise<Block> {
  const options = { externalLabels: emptyLabels, intern: (text: string) => text, cacheBytesMax: 1 << 24 };
  const opened = await openBlock(bucketBlockBytes(bucket, ulid), options);
  if (!opened.ok) throw new Error(`${ulid}: ${opened.failure.kind}`);
  return opened.value;
}

/** Puts what compaction makes of these blocks beside them. */
export async function putCompacted(bucket: Bucket, metas: readonly BlockMeta[]): Promise<BlockMeta> {
  const files = memoryFiles();
  await files.makeDirectory("/data");
  const ulid = ulidAt(10_000);
  const made = await compactBlocks(await Promise.all(metas.map((meta) => openInBucket(bucket, meta))), {
    files,
    directory: "/data",
    ulid,
    thanos: thanosOf(metas[0]?.thanos?.labels ?? {}, metas[0]?.thanos?.resolutionMs ?? 0),
    overlap: "one-to-one",
    chunkFileBytesMax: 1 << 20,
    signal: new AbortController().signal,
    yield: async () => {},
  });
  if (!made.ok) throw new Error(formatCompactionFailure(made.failure));
  if (made.value === undefined) throw new Error("nothing was compacted");
  return await upload(bucket, files, ulid);
}

/** Puts the downsampled form of a block beside it. */
export async function putDownsampled(bucket: Bucket, meta: BlockMeta, resolutionMs: number): Promise<BlockMeta> {
  const files = memoryFiles();
  await files.makeDirectory("/data");
  const ulid = ulidAt(20_000);
  const made = await downsampleBlock(await openInBucket(bucket, meta), {
    files,
    directory: "/data",
    ulid,
    resolutionMs,
    chunkFileBytesMax: 1 << 20,
    signal: new AbortController().signal,
    yield: async () => {},
  });
  if (!made.ok || made.value === undefined) throw new Error("nothing was downsampled");
  return await upload(bucket, files, ulid);
}

export async function putDeletionMark(bucket: Bucket, ulid: string, timeMs: number): Promise<void> {
  const mark = formatBlockMark({ kind: "deletion", ulid, timeMs, details: "", reason: "" });
  await bucket.put(`${ulid}/${blockMarkFiles.deletion}`, mark);
}

/** A sample every ten minutes of some hours, of series that are named. */
export function steadySeries(
  names: readonly string[],
  from: number,
  to: number,
  stepMs = 600_000,
): ReadonlyMap<Labels, readonly TestSample[]> {
  const series = new Map<Labels, readonly TestSample[]>();
  for (const [i, name] of names.entries()) {
    const samples: TestSample[] = [];
    for (let time = epochMs + from * hourMs; time < epochMs + to * hourMs; time += stepMs) {
      samples.push([time, i * 1000 + ((time / stepMs) % 97)]);
    }
    series.set(labelsFromRecord({ __name__: name, job: `job-${i % 2}` }), samples);
  }
  return series;
}

export interface TestStore {
  readonly store: BucketStore;
  readonly ports: TestPorts;
}

export async function openStore(
  bucket: Bucket,
  options: Partial<BucketStoreOptions> = {},
  ports: TestPorts = testPorts({ startMs: epochMs }),
): Promise<TestStore> {
  const made = createBucketStore(
    bucket,
    { ...defaultBucketStore, name: "gateway", directory: "/headers", cacheBytesMax: 1 << 24, ...options },
    ports,
  );
  if (!made.ok) throw new Error(made.failure);
  const refreshed = await made.value.refresh();
  if (!refreshed.ok) throw new Error(refreshed.failure);
  return { store: made.value, ports };
}

export interface Answer {
  /** `name{a="b"} 1.5 7`: hours since the epoch, value; aggregates as `count@1.5 3`. */
  readonly lines: readonly string[];
  readonly failure: string | undefined;
  readonly warnings: readonly string[];
}

/** All samples within the range, each once even where blocks overlap. */
export async function ask(source: SeriesSource, request: Partial<SelectRequest> = {}): Promise<Answer> {
  return await answerOf(source, request, new AbortController().signal);
}

export async function answerOf(
  source: SeriesSource,
  request: Partial<SelectRequest>,
  signal: AbortSignal,
): Promise<Answer> {
  const whole = { ...plainSelect, ...request };
  const { series, failure, warnings } = await collectSeries(source.select(whole, signal));
  for (let i = 1; i < series.length; i++) {
    const [before, after] = [series[i - 1], series[i]];
    if (before !== undefined && after !== undefined && compareLabels(before.labels, after.labels) >= 0) {
      throw new Error("series are not in order, or there twice");
    }
  }
  const lines = series.flatMap(({ labels, chunks }) => {
    const samples = new Map<string, number>();
    for (const { content } of chunks) {
      const parts: Iterable<readonly [string, EncodedChunk]> =
        content.kind === "raw" ? [["", content]] : [...content.of].map(([name, chunk]) => [`${name}@`, chunk] as const);
      for (const [name, { encoding, data }] of parts) {
        for (const [time, value] of decode(encoding, data)) {
          if (time < whole.minTimeMs || time > whole.maxTimeMs) continue;
          samples.set(`${name}${(time - epochMs) / hourMs} ${value}`, time);
        }
      }
    }
    return [...samples].sort(([, a], [, b]) => a - b).map(([text]) => `${formatLabels(labels)} ${text}`);
  });
  return { lines, failure: failure === undefined ? undefined : formatSourceFailure(failure), warnings };
}

export function decode(encoding: number, data: Uint8Array): TestSample[] {
  const columns = createSampleColumns(120);
  const failure = decodeChunk(encoding as EncodedChunk["encoding"], data, columns);
  if (failure !== undefined) throw new Error(`a chunk does not decode: ${failure.kind}`);
  return Array.from({ length: columns.count }, (_, i) => [columns.timestampsMs[i] ?? NaN, columns.values[i] ?? NaN]);
}

/** What `ask` should give for these blocks. */
export function linesOf(
  blocks: readonly Pick<TestBlock, "external" | "series">[],
  minTimeMs = -Infinity,
  maxTimeMs = Infinity,
): string[] {
  const bySeries = new Map<string, { readonly labels: Labels; readonly samples: Map<number, number> }>();
  for (const { external = {}, series } of blocks) {
    for (const [labels, samples] of series) {
      const pairs = { ...recordOf(labels), ...external };
      const whole = labelsFromRecord(pairs);
      const key = formatLabels(whole);
      const known = bySeries.get(key) ?? { labels: whole, samples: new Map<number, number>() };
      for (const [time, value] of samples) if (time >= minTimeMs && time <= maxTimeMs) known.samples.set(time, value);
      bySeries.set(key, known);
    }
  }
  return [...bySeries.values()]
    .sort((a, b) => compareLabels(a.labels, b.labels))
    .flatMap(({ labels, samples }) =>
      [...samples]
        .sort(([a], [b]) => a - b)
        .map(([time, value]) => `${formatLabels(labels)} ${(time - epochMs) / hourMs} ${value}`),
    );
}

function recordOf(labels: Labels): Record<string, string> {
  const record: Record<string, string> = {};
  for (let i = 0; i < labels.length; i += 2) record[labels[i] ?? ""] = labels[i + 1] ?? "";
  return record;
}

export interface GetCall {
  readonly key: string;
  readonly range: { readonly offset: number; readonly length: number } | undefined;
}

export interface InterceptedBucket extends MemoryBucket {
  /** Gives the bytes of a get, as they are or changed, or throws, or stalls. */
  answer: (call: GetCall, real: () => Promise<Uint8Array>, signal?: AbortSignal) => Promise<Uint8Array>;
  isListable: boolean;
}

/** A bucket in memory whose answers a test may change. */
export function interceptedBucket(): InterceptedBucket {
  const bucket = memoryBucket();
  const intercepted: InterceptedBucket = {
    ...bucket,
    answer: (_, real) => real(),
    isListable: true,
    get: (key, range, signal) => intercepted.answer({ key, range }, () => bucket.get(key, range, signal), signal),
    list(prefix, options) {
      if (!intercepted.isListable) throw new BucketError("unavailable", prefix, "down");
      return bucket.list(prefix, options);
    },
  };
  return intercepted;
}
