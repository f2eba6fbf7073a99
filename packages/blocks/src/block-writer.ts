/** Writes a block: symbols, then series in label order with their chunks, then postings and meta.json. */
import { compareLabels, fail, ok, type EncodedChunk, type Labels, type Result } from "@pleiad/model";
import type { FileSystem } from "@pleiad/ports";
import { blockFailureOf, type BlockFailure } from "./block-failure.ts";
import { creationSuffix, removeTree } from "./block-folder.ts";
import { formatBlockMeta, type BlockMeta, type BlockStats } from "./block-meta.ts";
import { FileSink } from "./file-sink.ts";
import { IndexWriter } from "./index-writer.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { formatTombstones, noTombstones } from "./tombstones.ts";

/** A chunk with the times of its first and last sample. Encoding 255 is Thanos's chunk of aggregates. */
export interface BlockChunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly sampleCount: number;
  readonly encoding: EncodedChunk["encoding"] | 255;
  readonly data: Uint8Array;
  /** Of the byte of the encoding and the data, where a reader has verified it: who copies the chunk need not sum it anew. */
  readonly checksum?: number;
}

export interface BlockWriterOptions {
  /** The folder that will hold the block's own folder. */
  readonly directory: string;
  readonly ulid: string;
  readonly minTimeMs: number;
  readonly maxTimeMs: number; // exclusive
  readonly compaction: BlockMeta["compaction"];
  readonly thanos: BlockMeta["thanos"];
  readonly chunkFileBytesMax: number; // 512 MiB as a rule
}

export interface BlockWriter {
  /**
   * Label sets ascend, each once; chunks ascend and do not overlap. `data` is read before the promise resolves and not
   * kept. What is held for a series are its postings and label symbols, never its chunks.
   */
  add(labels: Labels, chunks: readonly BlockChunk[]): Promise<Result<void, BlockFailure>>;
  /** Syncs everything and gives the folder its name; the block is there whole from then on. No series: no block, undefined. */
  finish(): Promise<Result<BlockMeta | undefined, BlockFailure>>;
  /** Removes what was written so far; fine after a failure and after `finish`. */
  abort(): Promise<void>;
}

/**
 * `symbols`: every label name and value that will come, ascending by UTF-8 bytes, each once; more than those is fine.
 * Written at `<ulid>.tmp-for-creation` until `finish`. What breaks the promises of `add` or `symbols` is a bug and thrown.
 */
export async function createBlockWriter(
  files: FileSystem,
  symbols: Iterable<string> | AsyncIterable<string>,
  options: BlockWriterOptions,
): Promise<Result<BlockWriter, BlockFailure>> {
  const path = `${options.directory}/${options.ulid}${creationSuffix}`;
  let sink: FileSink | undefined;
  try {
    // One that a crash left behind.
    await removeTree(files, path);
    await files.makeDirectory(`${path}/chunks`);
    sink = await FileSink.create(files, `${path}/index`);
    const index = new IndexWriter(sink);
    await index.begin(symbols);
    const segments = new SegmentWriter(files, `${path}/chunks`, options.chunkFileBytesMax);
    return ok(new FolderWriter(files, path, options, sink, index, segments));
  } catch (error) {
    await sink?.close();
    // The failure that is told is the first one.
    await removeTree(files, path).catch(() => {});
    return fail(blockFailureOf(options.ulid, error));
  }
}

class FolderWriter implements BlockWriter {
  readonly #files: FileSystem;
  readonly #path: string;
  readonly #options: BlockWriterOptions;
  readonly #sink: FileSink;
  readonly #index: IndexWriter;
  readonly #segments: SegmentWriter;
  readonly #counts = { samples: 0, histograms: 0, chunks: 0 };
  #before: Labels | undefined;
  #failure: BlockFailure | undefined;
  #isOver = false;

  constructor(
    files: FileSystem,
    path: string,
    options: BlockWriterOptions,
    sink: FileSink,
    index: IndexWriter,
    segments: SegmentWriter,
  ) {
    this.#files = files;
    this.#path = path;
    this.#options = options;
    this.#sink = sink;
    this.#index = index;
    this.#segments = segments;
  }

  async add(labels: Labels, chunks: readonly BlockChunk[]): Promise<Result<void, BlockFailure>> {
    if (this.#failure !== undefined) return fail(this.#failure);
    if (this.#isOver) throw new Error("a series for a block that is finished");
    this.#check(labels, chunks);
    try {
      const fields: number[] = [];
      for (const chunk of chunks) {
        const { minTimeMs, maxTimeMs, sampleCount, encoding } = chunk;
        // A promise for each chunk would be felt: nearly all have room.
        if (!this.#segments.hasRoom(chunk)) await this.#segments.makeRoom(chunk);
        fields.push(minTimeMs, maxTimeMs, this.#segments.add(chunk));
        this.#counts.chunks++;
        this.#counts.samples += sampleCount;
        if (isHistogram(encoding)) this.#counts.histograms += sampleCount;
      }
      this.#index.add(labels, fields);
      if (this.#sink.isFull) await this.#sink.flush();
      return ok(undefined);
    } catch (error) {
      return this.#fail(error);
    }
  }

  async finish(): Promise<Result<BlockMeta | undefined, BlockFailure>> {
    if (this.#failure !== undefined) return fail(this.#failure);
    if (this.#isOver) throw new Error("a block is finished twice");
    const { directory, ulid } = this.#options;
    const files = this.#files;
    try {
      if (this.#index.seriesCount === 0) {
        await this.abort();
        return ok(undefined);
      }
      await this.#segments.finish();
      await this.#index.end();
      await this.#sink.finish();
      await files.writeFileAtomic(`${this.#path}/tombstones`, formatTombstones(noTombstones));
      const meta = this.#meta();
      await files.syncDirectory(`${this.#path}/chunks`);
      await files.writeFileAtomic(`${this.#path}/meta.json`, formatBlockMeta(meta));
      await files.syncDirectory(this.#path);
      await files.rename(this.#path, `${directory}/${ulid}`);
      await files.syncDirectory(directory);
      this.#isOver = true;
      return ok(meta);
    } catch (error) {
      return this.#fail(error);
    }
  }

  async abort(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#sink.close();
    await this.#segments.close();
    await removeTree(this.#files, this.#path);
  }

  #fail(error: unknown): Result<never, BlockFailure> {
    this.#failure = blockFailureOf(this.#options.ulid, error);
    return fail(this.#failure);
  }

  #check(labels: Labels, chunks: readonly BlockChunk[]): void {
    if (this.#before !== undefined && compareLabels(this.#before, labels) >= 0) {
      throw new RangeError(`series must ascend: ${this.#before.join(",")}, then ${labels.join(",")}`);
    }
    this.#before = labels;
    let lastTimeMs = -Infinity;
    for (const { minTimeMs, maxTimeMs } of chunks) {
      if (minTimeMs <= lastTimeMs || maxTimeMs < minTimeMs) {
        throw new RangeError(`chunks must ascend and not overlap: ${minTimeMs} to ${maxTimeMs} after ${lastTimeMs}`);
      }
      lastTimeMs = maxTimeMs;
    }
  }

  #meta(): BlockMeta {
    const { ulid, minTimeMs, maxTimeMs, compaction, thanos } = this.#options;
    const { samples, histograms, chunks } = this.#counts;
    const stats: BlockStats = {
      numSamples: samples,
      numFloatSamples: samples - histograms,
      numHistogramSamples: histograms,
      numSeries: this.#index.seriesCount,
      numChunks: chunks,
      numTombstones: 0,
    };
    const indexStats = {
      seriesBytesMax: this.#index.seriesBytesMax,
      chunkBytesMax: this.#segments.chunkBytesMax,
    };
    return {
      ulid,
      minTimeMs,
      maxTimeMs,
      stats,
      compaction,
      thanos: thanos === undefined ? undefined : { ...thanos, indexStats },
    };
  }
}

function isHistogram(encoding: BlockChunk["encoding"]): boolean {
  return encoding === 2 || encoding === 3 || encoding === 5 || encoding === 6;
}
