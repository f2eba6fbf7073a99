/** Several blocks of one group as one block. */
import { withoutDeleted, type Block, type BlockChunk, type BlockMeta } from "@pleiad/blocks";
import { compareText, fail, formatLabels, ok, unreachable, type Result } from "@pleiad/model";
import type { FileSystem } from "@pleiad/ports";
import { compareBlocks } from "./block-group.ts";
import { writeBlock, type OutputSeries } from "./block-output.ts";
import { mergeChunks, type OverlapMerge } from "./chunk-merge.ts";
import type { CompactionFailure } from "./compaction-failure.ts";
import { mergeSeries, mergeSymbols, type MatchingSeries } from "./series-merge.ts";

export interface CompactBlocksOptions {
  readonly files: FileSystem;
  /** The folder that will hold the new block's folder. */
  readonly directory: string;
  readonly ulid: string;
  readonly thanos: BlockMeta["thanos"];
  /** What becomes of samples at times that several blocks have. */
  readonly overlap: OverlapMerge;
  readonly chunkFileBytesMax: number; // 512 MiB as a rule
  readonly signal: AbortSignal;
  /** Awaited now and then, so that others run. */
  readonly yield: () => Promise<void>;
}

/**
 * Merges blocks in label order, with memory that does not grow with them, and reads the result back. Samples under
 * tombstones are left out. Gives the meta of the new block, undefined where no sample is left. The order of the blocks is
 * of no matter; they stay open.
 */
export async function compactBlocks(
  blocks: readonly Block[],
  options: CompactBlocksOptions,
): Promise<Result<BlockMeta | undefined, CompactionFailure>> {
  const ordered = blocks.toSorted((a, b) => compareBlocks(a.meta, b.meta));
  const metas = ordered.map(({ meta }) => meta);
  const { overlap, signal, ...writing } = options;
  const series = mergeSeries(ordered.map((block) => block.everySeries(signal)));
  return await writeBlock(
    mergeSymbols(ordered.map((block) => block.symbols())),
    mergedSeries(series, ordered, overlap),
    { ...writing, signal, ...timeRangeOf(metas), compaction: mergedCompaction(metas) },
  );
}

/** From the beginning of the first block to the end of the last. */
export function timeRangeOf(metas: readonly BlockMeta[]): { readonly minTimeMs: number; readonly maxTimeMs: number } {
  return {
    minTimeMs: Math.min(...metas.map(({ minTimeMs }) => minTimeMs)),
    maxTimeMs: Math.max(...metas.map(({ maxTimeMs }) => maxTimeMs)),
  };
}

/** On a block of samples that came too late for the block of their time: Prometheus's word. */
export const outOfOrderHint = "from-out-of-order";

/** One level above the highest, from all their sources. */
export function mergedCompaction(metas: readonly BlockMeta[]): BlockMeta["compaction"] {
  return {
    level: Math.max(...metas.map(({ compaction }) => compaction.level)) + 1,
    sources: [...new Set(metas.flatMap(({ compaction }) => compaction.sources))].sort(compareText),
    parents: metas.map(({ ulid, minTimeMs, maxTimeMs }) => ({ ulid, minTimeMs, maxTimeMs })),
    isDeletable: false,
    isFailed: false,
    hints: metas.every(({ compaction }) => compaction.hints.includes(outOfOrderHint)) ? [outOfOrderHint] : [],
  };
}

async function* mergedSeries(
  series: AsyncIterable<MatchingSeries>,
  blocks: readonly Block[],
  overlap: OverlapMerge,
): AsyncGenerator<Result<OutputSeries, CompactionFailure>> {
  for await (const one of series) yield mergeOne(one, blocks, overlap);
}

function mergeOne(
  { labels, parts, inputs }: MatchingSeries,
  blocks: readonly Block[],
  overlap: OverlapMerge,
): Result<OutputSeries, CompactionFailure> {
  const ulidsOf = (ofParts: readonly number[]) =>
    ofParts.map((part) => blocks[inputs[part] ?? 0]?.meta.ulid ?? "").filter((ulid) => ulid !== "");
  const lists: (readonly BlockChunk[])[] = [];
  for (const [part, { ref, chunks }] of parts.entries()) {
    const kept = withoutTombstones(chunks, blocks[inputs[part] ?? 0], ref);
    if (!kept.ok) {
      return fail({ kind: "series", blocks: ulidsOf([part]), series: formatLabels(labels), reason: kept.failure });
    }
    lists.push(kept.value);
  }
  const merged = mergeChunks(lists, overlap);
  if (merged.ok) return ok({ labels, chunks: merged.value });
  const { failure } = merged;
  const name = formatLabels(labels);
  switch (failure.kind) {
    case "conflict":
      return fail({
        kind: "conflict",
        blocks: ulidsOf(failure.inputs),
        series: name,
        timestampMs: failure.timestampMs,
      });
    case "corrupt-chunk":
      return fail({ kind: "series", blocks: ulidsOf([failure.input]), series: name, reason: failure.reason });
    case "unmergeable":
      return fail({ kind: "series", blocks: ulidsOf([...inputs.keys()]), series: name, reason: failure.reason });
    default:
      return unreachable(failure);
  }
}

function withoutTombstones(
  chunks: readonly BlockChunk[],
  block: Block | undefined,
  ref: number,
): Result<readonly BlockChunk[], string> {
  const spans = block?.tombstones.get(ref);
  if (spans === undefined) return ok(chunks);
  const kept: BlockChunk[] = [];
  for (const chunk of chunks) {
    const left = withoutDeleted(chunk, spans);
    if (!left.ok) return left;
    kept.push(...left.value);
  }
  return ok(kept);
}
