/** A new block from a stream of series: written, then read back and checked before anyone relies on it. */
import {
  BlockReadError,
  checkWrittenBlock,
  createBlockWriter,
  deleteBlockFolder,
  directoryBlockBytes,
  type BlockChunk,
  type BlockMeta,
} from "@pleiad/blocks";
import { fail, ok, type Labels, type Result } from "@pleiad/model";
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
      const fault = await findFault(finished.value, options);
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

/** Why nobody may rely on the block. */
async function findFault(meta: BlockMeta, options: BlockOutputOptions): Promise<CompactionFailure | undefined> {
  const { files, directory, ulid, signal, yield: pause } = options;
  const checked = await checkWrittenBlock(directoryBlockBytes(files, `${directory}/${ulid}`), meta, pause, signal);
  if (checked.ok) return undefined;
  const { failure } = checked;
  if (failure.kind !== "corrupt") return { kind: "block", failure };
  const blocks = meta.compaction.parents.map((parent) => parent.ulid);
  return { kind: "bad-output", ulid, blocks, reason: `${failure.file}: ${failure.reason}` };
}
