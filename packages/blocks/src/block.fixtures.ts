/** What the tests of this package share: blocks over files in memory, and their contents as text. */
import { createSampleColumns, decodeChunk, encodeXor } from "@pleiad/chunks";
import {
  collectSeries,
  compareLabels,
  compareText,
  emptyLabels,
  formatLabels,
  plainSelect,
  type Labels,
  type SelectRequest,
  type SeriesSource,
} from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import { directoryBlockBytes } from "./block-bytes.ts";
import { formatBlockFailure } from "./block-failure.ts";
import type { BlockMeta } from "./block-meta.ts";
import { createBlockWriter, type BlockChunk, type BlockWriterOptions } from "./block-writer.ts";
import { openBlock, type Block, type BlockOptions } from "./block.ts";
import { newUlid } from "./ulid.ts";

export const startMs = 1_700_000_000_000;
export const spanMs = 7_200_000;
export const testUlid: string = newUlid(startMs, seededRandom(1));

export interface TestSeries {
  readonly labels: Labels;
  readonly samples: readonly (readonly [timestampMs: number, value: number])[];
}

export const writerOptions: BlockWriterOptions = {
  directory: "/data",
  ulid: testUlid,
  minTimeMs: startMs,
  maxTimeMs: startMs + spanMs,
  compaction: { level: 1, sources: [testUlid], parents: [], isDeletable: false, isFailed: false, hints: [] },
  thanos: undefined,
  chunkFileBytesMax: 512 * 1024 * 1024,
};

export const openOptions: BlockOptions = {
  externalLabels: emptyLabels,
  intern: (text) => text,
  cacheBytesMax: 16 * 1024 * 1024,
};

export function xorChunks(samples: TestSeries["samples"], samplesPerChunk = 120): BlockChunk[] {
  const chunks: BlockChunk[] = [];
  for (let from = 0; from < samples.length; from += samplesPerChunk) {
    const part = samples.slice(from, from + samplesPerChunk);
    const times = Float64Array.from(part, ([timestampMs]) => timestampMs);
    const values = Float64Array.from(part, ([, value]) => value);
    chunks.push({
      minTimeMs: times[0] ?? 0,
      maxTimeMs: times[times.length - 1] ?? 0,
      sampleCount: part.length,
      encoding: 1,
      data: encodeXor(times, values, 0, part.length),
    });
  }
  return chunks;
}

export function symbolsOf(series: readonly { readonly labels: Labels }[]): string[] {
  return [...new Set(series.flatMap((one) => [...one.labels]))].sort(compareText);
}

/** Writes a block of these series, in any order; gives its meta. */
export async function writeBlock(
  files: MemoryFileSystem,
  series: readonly TestSeries[],
  options: Partial<BlockWriterOptions> & { readonly samplesPerChunk?: number } = {},
): Promise<BlockMeta> {
  const chunked = series.map(({ labels, samples }) => ({
    labels,
    chunks: xorChunks(samples, options.samplesPerChunk),
  }));
  return writeChunked(files, chunked, options);
}

export async function writeChunked(
  files: MemoryFileSystem,
  series: readonly { readonly labels: Labels; readonly chunks: readonly BlockChunk[] }[],
  options: Partial<BlockWriterOptions> = {},
): Promise<BlockMeta> {
  const all = { ...writerOptions, ...options };
  await files.makeDirectory(all.directory);
  const writer = await createBlockWriter(files, symbolsOf(series), all);
  if (!writer.ok) throw new Error(formatBlockFailure(writer.failure));
  for (const { labels, chunks } of [...series].sort((a, b) => compareLabels(a.labels, b.labels))) {
    const added = await writer.value.add(labels, chunks);
    if (!added.ok) throw new Error(formatBlockFailure(added.failure));
  }
  const finished = await writer.value.finish();
  if (!finished.ok) throw new Error(formatBlockFailure(finished.failure));
  if (finished.value === undefined) throw new Error("no series, no block");
  return finished.value;
}

export async function openTestBlock(
  files: MemoryFileSystem,
  options: Partial<BlockOptions> & { readonly ulid?: string } = {},
): Promise<Block> {
  const bytes = directoryBlockBytes(files, `/data/${options.ulid ?? testUlid}`);
  const opened = await openBlock(bytes, { ...openOptions, ...options });
  if (!opened.ok) throw new Error(formatBlockFailure(opened.failure));
  return opened.value;
}

/** A block of these series, open. */
export async function blockOf(
  series: readonly TestSeries[],
  options: Partial<BlockOptions & BlockWriterOptions> & { readonly samplesPerChunk?: number } = {},
): Promise<Block> {
  const files = memoryFiles();
  await writeBlock(files, series, options);
  return openTestBlock(files, options);
}

/** The file of a block in memory. */
export function fileOf(files: MemoryFileSystem, file: string, ulid: string = testUlid): Uint8Array {
  const bytes = files.contents.get(`/data/${ulid}/${file}`);
  if (bytes === undefined) throw new Error(`no file ${file}`);
  return bytes;
}

export function decode(encoding: number, data: Uint8Array): (readonly [timestampMs: number, value: number])[] {
  if (encoding !== 1) throw new Error(`encoding ${encoding}`);
  const columns = createSampleColumns(120);
  const broken = decodeChunk(encoding, data, columns);
  if (broken !== undefined) throw new Error(`a chunk does not decode: ${broken.kind}`);
  return Array.from({ length: columns.count }, (_, i) => [columns.timestampsMs[i] ?? NaN, columns.values[i] ?? NaN]);
}

/** All samples within the range, a line each: `name{a="b"} 1700000000000 1`. Throws where the select fails. */
export async function dump(source: SeriesSource, request: Partial<SelectRequest> = {}): Promise<string[]> {
  const whole = { ...plainSelect, ...request };
  const { series, failure } = await collectSeries(source.select(whole, new AbortController().signal));
  if (failure !== undefined) throw new Error(`the select failed: ${JSON.stringify(failure)}`);
  return series.flatMap(({ labels, chunks }) =>
    chunks.flatMap(({ content }) => {
      if (content.kind !== "raw") throw new Error("raw samples were expected");
      return decode(content.encoding, content.data)
        .filter(([timestampMs]) => timestampMs >= whole.minTimeMs && timestampMs <= whole.maxTimeMs)
        .map(([timestampMs, value]) => `${formatLabels(labels)} ${timestampMs} ${value}`);
    }),
  );
}

/** What `dump` should give of these series. */
export function linesOf(series: readonly TestSeries[]): string[] {
  return [...series]
    .sort((a, b) => compareLabels(a.labels, b.labels))
    .flatMap(({ labels, samples }) => samples.map(([t, value]) => `${formatLabels(labels)} ${t} ${value}`));
}
