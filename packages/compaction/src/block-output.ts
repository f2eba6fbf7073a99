/** A new block from a stream of series: written, then read back and checked before anyone relies on it. */
import {
  BlockReadError,
  createBlockWriter,
  deleteBlockFolder,
  directoryBlockBytes,
  openBlock,
  type BlockChunk,
  type BlockMeta,
} from "@pleiad/blocks";
import { emptyLabels, fail, formatLabels, ok, type Labels, type Result } from "@pleiad/model";
import { FileError, type FileSystem } from "@pleiad/ports";
import type { CompactionFailure } from "./compaction-failure.ts";

export interface BlockOutputOptions {
  readonly files: FileSystem;
  /** The folder that will hold the new block's folder. */
  readonly directory: string;
  readonly ulid: string;
  readonly minTimeMs: number;
  readonly maxTimeMs: number; // exclusive
  readonly compaction: BlockMeta["compaction"];
  readonly thanos: BlockMeta["thanos"];
  readonly chunkFileBytesMax: number;
  readonly signal: AbortSignal;
  /** Awaited now and then, so that others run. */
  readonly yield: () => Promise<void>;
}

export interface OutputSeries {
  readonly labels: Labels;
  readonly chunks: readonly BlockChunk[]; // none: the series is left out
}

/** Series between two pauses. */
const seriesAtOnce = 64;

/** The meta of the block that then lies in the folder; undefined where there was no series. A failure leaves no block. */
export async function writeBlock(
  symbols: AsyncIterable<string>,
  series: AsyncIterable<Result<OutputSeries, CompactionFailure>>,
  options: BlockOutputOptions,
): Promise<Result<BlockMeta | undefined, CompactionFailure>> {
  const { files, signal, yield: pause, ...writing } = options;
  try {
    const writer = await createBlockWriter(files, symbols, writing);
    if (!writer.ok) return fail({ kind: "block", failure: writer.failure });
    try {
      let count = 0;
      for await (const one of series) {
        if (!one.ok) return one;
        if (one.value.chunks.length === 0) continue;
        const added = await writer.value.add(one.value.labels, one.value.chunks);
        if (!added.ok) return fail({ kind: "block", failure: added.failure });
        if (++count % seriesAtOnce === 0) {
          await pause();
          if (signal.aborted) return fail({ kind: "block", failure: { kind: "canceled", block: options.ulid } });
        }
      }
      const finished = await writer.value.finish();
      if (!finished.ok) return fail({ kind: "block", failure: finished.failure });
      if (finished.value === undefined) return ok(undefined);
      const fault = await verifyBlock(finished.value, options);
      if (fault === undefined) return ok(finished.value);
      await deleteBlockFolder(files, options.directory, options.ulid).catch(ignoreFileError);
      return fail(fault);
    } finally {
      // What a failing disk keeps has a name that is no block's.
      await writer.value.abort().catch(ignoreFileError);
    }
  } catch (error) {
    // What the inputs throw in the middle of their streams.
    if (error instanceof BlockReadError) return fail({ kind: "block", failure: error.failure });
    throw error;
  }
}

function ignoreFileError(error: unknown): void {
  if (!(error instanceof FileError)) throw error;
}

/** Reads every series and every chunk, with their checksums. */
async function verifyBlock(meta: BlockMeta, options: BlockOutputOptions): Promise<CompactionFailure | undefined> {
  const { files, directory, ulid, signal, minTimeMs, maxTimeMs } = options;
  const badOutput = (reason: string): CompactionFailure => ({
    kind: "bad-output",
    ulid,
    blocks: meta.compaction.parents.map((parent) => parent.ulid),
    reason,
  });
  const opened = await openBlock(directoryBlockBytes(files, `${directory}/${ulid}`), {
    externalLabels: emptyLabels,
    intern: (text) => text,
    cacheBytesMax: 16 * 1024 * 1024,
  });
  if (!opened.ok) return badOutput(opened.failure.kind === "corrupt" ? opened.failure.reason : opened.failure.kind);
  const counts = { series: 0, chunks: 0, samples: 0 };
  try {
    for await (const { labels, chunks } of opened.value.everySeries(signal)) {
      let lastMs = -Infinity;
      for (const chunk of chunks) {
        if (chunk.minTimeMs <= lastMs) return badOutput(`chunks of ${formatLabels(labels)} overlap`);
        if (chunk.minTimeMs < minTimeMs || chunk.maxTimeMs >= maxTimeMs) {
          return badOutput(`a chunk of ${formatLabels(labels)} lies outside of the block's time`);
        }
        lastMs = chunk.maxTimeMs;
        counts.samples += chunk.sampleCount;
      }
      counts.series++;
      counts.chunks += chunks.length;
      if (counts.series % seriesAtOnce === 0) await options.yield();
    }
  } catch (error) {
    if (!(error instanceof BlockReadError)) throw error;
    if (error.failure.kind !== "corrupt") return { kind: "block", failure: error.failure };
    return badOutput(`${error.failure.file}: ${error.failure.reason}`);
  } finally {
    await opened.value.close();
  }
  const { numSeries, numChunks, numSamples } = meta.stats;
  if (counts.series !== numSeries || counts.chunks !== numChunks || counts.samples !== numSamples) {
    return badOutput(
      `it has ${counts.series} series, ${counts.chunks} chunks and ${counts.samples} samples; ` +
        `written were ${numSeries}, ${numChunks} and ${numSamples}`,
    );
  }
  return undefined;
}
