/**
 * Which blocks of a group become one: Thanos's planner over Prometheus's ranges. Plans are data; nothing here reads or
 * writes a block.
 */
import type { BlockMeta } from "@pleiad/blocks";
import { formatDuration, unreachable } from "@pleiad/model";
import { compareBlocks } from "./block-group.ts";

export type CompactionPlan =
  /** Neighbours that fill a window of `rangeMs`. */
  | { readonly kind: "merge"; readonly rangeMs: number; readonly blocks: readonly BlockMeta[] }
  /** Blocks that share time: replicas, or the same samples twice. */
  | { readonly kind: "merge-overlapping"; readonly blocks: readonly BlockMeta[] }
  /** One block with so many tombstones that writing it anew saves room. */
  | { readonly kind: "drop-tombstones"; readonly blocks: readonly [BlockMeta] };

/** Why a block is left out of compaction from now on, in Thanos's words. */
export type NoCompactReason = "index-size-exceeding" | "downsample-vertical-compaction";

export interface NoCompactDecision {
  readonly ulid: string;
  readonly reason: NoCompactReason;
  readonly details: string;
}

export interface PlannedCompaction {
  readonly plan: CompactionPlan | undefined;
  /** Blocks to mark before the plan is carried out: it was made as if they were marked. */
  readonly marks: readonly NoCompactDecision[];
}

export interface PlanOptions {
  /** Ascending, each a multiple of the one before. The first is the length of a block as it is uploaded, or less. */
  readonly rangesMs: readonly number[];
  /** The most that the indexes of one plan may have together. */
  readonly indexBytesMax: number;
}

const hourMs = 3_600_000;

export const defaultPlan: PlanOptions = {
  rangesMs: [hourMs, 2 * hourMs, 8 * hourMs, 48 * hourMs, 336 * hourMs],
  // The offsets of an index are 32 bits, in units of 16 bytes.
  indexBytesMax: 64 * 2 ** 30,
};

/** Above this share of a block's series, tombstones are worth a new block. */
const tombstoneRatioMax = 0.05;

/** What to merge next in one group; `noCompact` has the ULIDs that carry the mark. The order of `blocks` is of no matter. */
export function planCompaction(
  blocks: readonly BlockMeta[],
  noCompact: ReadonlySet<string>,
  options: PlanOptions,
): PlannedCompaction {
  const ordered = blocks.toSorted(compareBlocks);
  const marked = new Set(noCompact);
  const marks: NoCompactDecision[] = [];
  for (;;) {
    const plan = choosePlan(ordered, marked, options.rangesMs);
    const more = plan === undefined ? [] : forbiddenBlocks(plan, options.indexBytesMax);
    // Each round marks a block that no mark had, so this ends.
    if (more.length === 0) return { plan, marks };
    for (const mark of more) {
      marks.push(mark);
      marked.add(mark.ulid);
    }
  }
}

/** How much is to be done in a group until nothing is left to merge. */
export interface CompactionBacklog {
  readonly compactions: number;
  readonly blocks: number; // read by those compactions
}

/** Plays the plans of a group to their end. */
export function countBacklog(
  blocks: readonly BlockMeta[],
  noCompact: ReadonlySet<string>,
  options: PlanOptions,
): CompactionBacklog {
  let left: readonly BlockMeta[] = blocks;
  let compactions = 0;
  let read = 0;
  for (;;) {
    const { plan } = planCompaction(left, noCompact, options);
    // A plan of one block gives a block like it, for ever; one is enough to count.
    if (plan === undefined || plan.kind === "drop-tombstones") {
      return plan === undefined ? { compactions, blocks: read } : { compactions: compactions + 1, blocks: read + 1 };
    }
    compactions++;
    read += plan.blocks.length;
    const merged = new Set(plan.blocks);
    left = [...left.filter((block) => !merged.has(block)), mergedBlock(plan.blocks, compactions)];
  }
}

/** The plan as one line: what a status page prints and what tests compare. */
export function formatPlan(plan: CompactionPlan): string {
  const ulids = plan.blocks.map(({ ulid }) => ulid).join(" ");
  switch (plan.kind) {
    case "merge":
      return `merge to ${formatDuration(plan.rangeMs)}: ${ulids}`;
    case "merge-overlapping":
      return `merge overlapping: ${ulids}`;
    case "drop-tombstones":
      return `drop tombstones: ${ulids}`;
    default:
      return unreachable(plan);
  }
}

/** The first run of blocks that share time; `ordered` is by minTimeMs. Empty where none do. */
export function firstOverlap(ordered: readonly BlockMeta[]): readonly BlockMeta[] {
  const run: BlockMeta[] = [];
  let last: BlockMeta | undefined;
  let maxTimeMs = -Infinity;
  for (const block of ordered) {
    if (block.minTimeMs < maxTimeMs) {
      if (run.length === 0 && last !== undefined) run.push(last);
      run.push(block);
    } else if (run.length > 0) break;
    maxTimeMs = Math.max(maxTimeMs, block.maxTimeMs);
    last = block;
  }
  return run;
}

function choosePlan(
  ordered: readonly BlockMeta[],
  marked: ReadonlySet<string>,
  rangesMs: readonly number[],
): CompactionPlan | undefined {
  const overlapping = firstOverlap(ordered.filter(({ ulid }) => !marked.has(ulid)));
  if (overlapping.length > 0) return { kind: "merge-overlapping", blocks: overlapping };
  // The newest block stays as it is for a while: until its successor comes, a person can still take it out.
  const settled = ordered.slice(0, -1);
  return (
    planWindow(settled, marked, rangesMs) ??
    planTombstones(
      settled.filter(({ ulid }) => !marked.has(ulid)),
      rangesMs,
    )
  );
}

/** The oldest window of the smallest range that is worth merging. */
function planWindow(
  settled: readonly BlockMeta[],
  marked: ReadonlySet<string>,
  rangesMs: readonly number[],
): CompactionPlan | undefined {
  const newestMinMs = settled.at(-1)?.minTimeMs ?? -Infinity;
  for (const rangeMs of rangesMs.slice(1)) {
    for (const window of windowsOf(settled, rangeMs)) {
      const first = window[0];
      const last = window.at(-1);
      if (first === undefined || last === undefined || window.length < 2) continue;
      if (window.some(({ compaction }) => compaction.isFailed)) continue;
      // A window that is not full waits until a later block shows that nothing more comes.
      if (last.maxTimeMs - first.minTimeMs !== rangeMs && last.maxTimeMs > newestMinMs) continue;
      const blocks = firstUnmarkedPiece(window, marked);
      if (blocks.length > 0) return { kind: "merge", rangeMs, blocks };
    }
  }
  return undefined;
}

/** Blocks that lie within the same aligned window; those that stick out of every window are in none. */
function windowsOf(settled: readonly BlockMeta[], rangeMs: number): readonly (readonly BlockMeta[])[] {
  const windows: BlockMeta[][] = [];
  let window: BlockMeta[] = [];
  let endMs = -Infinity;
  for (const block of settled) {
    if (window.length > 0 && block.maxTimeMs <= endMs) {
      window.push(block);
      continue;
    }
    window = [];
    endMs = rangeMs * Math.floor(block.minTimeMs / rangeMs) + rangeMs;
    if (block.maxTimeMs > endMs) continue;
    window.push(block);
    windows.push(window);
  }
  return windows;
}

/** Marked blocks split a window: the first piece of two or more, so that no merged block spans one that is left out. */
function firstUnmarkedPiece(window: readonly BlockMeta[], marked: ReadonlySet<string>): readonly BlockMeta[] {
  let piece: BlockMeta[] = [];
  for (const block of window) {
    if (!marked.has(block.ulid)) {
      piece.push(block);
      continue;
    }
    if (piece.length > 1) return piece;
    piece = [];
  }
  return piece.length > 1 ? piece : [];
}

/** The newest long block that has too many tombstones, up to the first that is not long. */
function planTombstones(settled: readonly BlockMeta[], rangesMs: readonly number[]): CompactionPlan | undefined {
  const longMs = rangesMs[Math.floor(rangesMs.length / 2)] ?? Infinity;
  for (const block of settled.toReversed()) {
    if (block.maxTimeMs - block.minTimeMs < longMs) return undefined;
    if (block.stats.numTombstones / (block.stats.numSeries + 1) > tombstoneRatioMax) {
      return { kind: "drop-tombstones", blocks: [block] };
    }
  }
  return undefined;
}

/** Blocks that must be left out for the plan to be possible at all; none if it is. */
function forbiddenBlocks(plan: CompactionPlan, indexBytesMax: number): readonly NoCompactDecision[] {
  if (plan.kind === "merge-overlapping") {
    const downsampled = plan.blocks.filter(({ thanos }) => (thanos?.resolutionMs ?? 0) > 0);
    if (downsampled.length > 0) {
      const others = plan.blocks.map(({ ulid }) => ulid).join(", ");
      return downsampled.map(({ ulid }) => ({
        ulid,
        reason: "downsample-vertical-compaction",
        details: `overlaps others, and downsampled blocks are not merged with what they overlap: ${others}`,
      }));
    }
  }
  let totalBytes = 0;
  let largest: { readonly ulid: string; readonly bytes: number } | undefined;
  for (const block of plan.blocks) {
    const bytes = block.thanos?.files.find(({ path }) => path === "index")?.sizeBytes ?? 0;
    if (largest === undefined || bytes > largest.bytes) largest = { ulid: block.ulid, bytes };
    totalBytes += bytes;
    if (totalBytes >= indexBytesMax) {
      const details = `merging would give an index of up to ${totalBytes} bytes; the limit is ${indexBytesMax}`;
      return [{ ulid: largest.ulid, reason: "index-size-exceeding", details }];
    }
  }
  return [];
}

/** What a merge would give, as far as planning goes on from it. */
function mergedBlock(blocks: readonly BlockMeta[], number: number): BlockMeta {
  const [first] = blocks;
  if (first === undefined) throw new Error("a plan has blocks");
  const sumOf = (of: (block: BlockMeta) => number) => blocks.reduce((sum, block) => sum + of(block), 0);
  return {
    ...first,
    ulid: `merged-${number}`,
    minTimeMs: Math.min(...blocks.map(({ minTimeMs }) => minTimeMs)),
    maxTimeMs: Math.max(...blocks.map(({ maxTimeMs }) => maxTimeMs)),
    stats: { ...first.stats, numSeries: sumOf(({ stats }) => stats.numSeries), numTombstones: 0 },
    compaction: { ...first.compaction, isFailed: false },
    // Sizes are not known before it is written.
    thanos: first.thanos === undefined ? undefined : { ...first.thanos, files: [] },
  };
}
