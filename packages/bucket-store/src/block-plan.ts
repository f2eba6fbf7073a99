/** Which blocks answer a question: the coarsest that it allows, and finer ones where those are missing. Pure. */
import type { BlockMeta } from "@pleiad/blocks";
import { compareLabels, labelsFromRecord, labelsKey, type Labels } from "@pleiad/model";
import type { CutRange } from "./chunk-cut.ts";

/** The blocks of one stream: those with equal external labels. */
export interface BlockSet {
  readonly labels: Labels;
  /** The coarsest first. */
  readonly levels: readonly { readonly resolutionMs: number; readonly blocks: readonly BlockMeta[] }[];
}

/** A block, for which time it is asked, and where its samples end to be wanted, since others have them too. */
export interface PlannedRead extends CutRange {
  readonly meta: BlockMeta;
  readonly minTimeMs: number; // both inclusive
  readonly maxTimeMs: number;
}

export const uncut: CutRange = { cutFromMs: -Infinity, cutToMs: Infinity };

export interface ReadRange {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly maxResolutionMs: number;
}

export function externalLabelsOf({ thanos }: BlockMeta): Labels {
  return labelsFromRecord(thanos?.labels ?? {});
}

export function resolutionOf({ thanos }: BlockMeta): number {
  return thanos?.resolutionMs ?? 0;
}

/** In label order. */
export function groupBlockSets(blocks: Iterable<BlockMeta>): readonly BlockSet[] {
  const sets = new Map<string, { readonly labels: Labels; readonly levels: Map<number, BlockMeta[]> }>();
  for (const meta of blocks) {
    const labels = externalLabelsOf(meta);
    const key = labelsKey(labels);
    let set = sets.get(key);
    if (set === undefined) sets.set(key, (set = { labels, levels: new Map() }));
    const level = set.levels.get(resolutionOf(meta));
    if (level === undefined) set.levels.set(resolutionOf(meta), [meta]);
    else level.push(meta);
  }
  return [...sets.values()]
    .map(({ labels, levels }) => ({
      labels,
      levels: [...levels]
        .sort(([a], [b]) => b - a)
        .map(([resolutionMs, metas]) => ({ resolutionMs, blocks: metas.sort(compareTimes) })),
    }))
    .sort((a, b) => compareLabels(a.labels, b.labels));
}

/**
 * As Thanos's `getFor`, but that a block which fills a gap is asked for the time of the gap alone: elsewhere its samples
 * are there in coarser form already. One that fills two gaps is there twice.
 */
export function planReads({ levels }: BlockSet, range: ReadRange): readonly PlannedRead[] {
  const reads: PlannedRead[] = [];
  const fill = (number: number, gap: Omit<PlannedRead, "meta">) => {
    const { minTimeMs, maxTimeMs } = gap;
    const level = levels[number];
    if (level === undefined || minTimeMs > maxTimeMs) return;
    let rest = gap;
    for (const meta of level.blocks) {
      if (meta.maxTimeMs <= minTimeMs) continue;
      if (meta.minTimeMs > maxTimeMs) break;
      fill(number + 1, { ...rest, maxTimeMs: meta.minTimeMs - 1, cutToMs: meta.minTimeMs - 1 });
      reads.push({ meta, ...gap });
      const fromMs = Math.max(rest.minTimeMs, meta.maxTimeMs);
      rest = { ...rest, minTimeMs: fromMs, cutFromMs: fromMs };
    }
    fill(number + 1, rest);
  };
  const first = levels.findIndex(({ resolutionMs }) => resolutionMs <= range.maxResolutionMs);
  if (first >= 0) fill(first, { minTimeMs: range.minTimeMs, maxTimeMs: range.maxTimeMs, ...uncut });
  return reads;
}

/** Every block of the time, of whatever resolution: what names and values of labels come from. */
export function blocksOfTime({ levels }: BlockSet, minTimeMs: number, maxTimeMs: number): readonly BlockMeta[] {
  return levels.flatMap(({ blocks }) =>
    blocks.filter((meta) => meta.minTimeMs <= maxTimeMs && meta.maxTimeMs > minTimeMs),
  );
}

/**
 * Blocks that together have all samples of one that is gone, for the time that it was asked for; undefined if there are
 * none. Those of its own resolution come before others that the question allows.
 */
export function planSuccessors(
  gone: PlannedRead,
  blocks: Iterable<BlockMeta>,
  maxResolutionMs: number,
): readonly PlannedRead[] | undefined {
  const lost = new Set(sourcesOf(gone.meta));
  const byResolution = new Map<number, BlockMeta[]>();
  for (const meta of blocks) {
    const resolutionMs = resolutionOf(meta);
    if (meta.ulid === gone.meta.ulid || resolutionMs > maxResolutionMs) continue;
    if (!sourcesOf(meta).some((source) => lost.has(source))) continue;
    const others = byResolution.get(resolutionMs);
    if (others === undefined) byResolution.set(resolutionMs, [meta]);
    else others.push(meta);
  }
  const own = resolutionOf(gone.meta);
  const resolutions = [...byResolution.keys()].sort((a, b) => Number(b === own) - Number(a === own) || b - a);
  for (const resolutionMs of resolutions) {
    const successors = byResolution.get(resolutionMs) ?? [];
    const found = new Set(successors.flatMap(sourcesOf));
    if (![...lost].every((source) => found.has(source))) continue;
    const minTimeMs = Math.max(gone.minTimeMs, gone.cutFromMs, gone.meta.minTimeMs);
    const maxTimeMs = Math.min(gone.maxTimeMs, gone.cutToMs, gone.meta.maxTimeMs - 1);
    return successors
      .filter((meta) => meta.minTimeMs <= maxTimeMs && meta.maxTimeMs > minTimeMs)
      .map((meta) => ({ meta, minTimeMs, maxTimeMs, cutFromMs: minTimeMs, cutToMs: maxTimeMs }));
  }
  return undefined;
}

function compareTimes(a: BlockMeta, b: BlockMeta): number {
  return a.minTimeMs - b.minTimeMs || a.maxTimeMs - b.maxTimeMs || (a.ulid < b.ulid ? -1 : 1);
}

/** A block that names no sources is its own. */
function sourcesOf({ ulid, compaction }: BlockMeta): readonly string[] {
  return compaction.sources.length === 0 ? [ulid] : compaction.sources;
}
