/** What becomes of blocks with age: downsampled, then expired. Pure. */
import type { BlockMeta } from "@pleiad/blocks";
import { formatDuration } from "@pleiad/model";
import { compareBlocks } from "./block-group.ts";
import { downsampleSteps, fiveMinutesMs, oneHourMs } from "./downsample-block.ts";

export interface Downsampling {
  readonly meta: BlockMeta;
  readonly toMs: number;
}

/**
 * Blocks that are long enough and have no coarser form yet, finest and oldest first. A block has one if each of its sources
 * is a source of some block of the coarser resolution. Those of `anyLength` count as long enough.
 */
export function planDownsampling(
  blocks: readonly BlockMeta[],
  noDownsample: ReadonlySet<string>,
  anyLength: ReadonlySet<string> = new Set(),
): readonly Downsampling[] {
  const todo: Downsampling[] = [];
  for (const { fromMs, toMs, spanMinMs } of downsampleSteps) {
    const done = sourcesAt(blocks, toMs);
    for (const meta of blocks.toSorted(compareBlocks)) {
      if (meta.thanos?.resolutionMs !== fromMs || noDownsample.has(meta.ulid)) continue;
      const isLong = meta.maxTimeMs - meta.minTimeMs >= spanMinMs || anyLength.has(meta.ulid);
      if (!isLong || hasAll(done, meta)) continue;
      todo.push({ meta, toMs });
    }
  }
  return todo;
}

/** For how long blocks of a resolution stay; 0: for ever. */
export interface Retention {
  readonly rawMs: number;
  readonly fiveMinutesMs: number;
  readonly oneHourMs: number;
}

/** All producers of a bucket are hardly silent for longer; if they are, what is there stays until they are back. */
const silenceMaxMs = 24 * 3_600_000;

export interface ExpiredBlock {
  readonly meta: BlockMeta;
  readonly retentionMs: number;
}

/** With downsampling: which blocks have a coarser form yet to come. */
export interface DownsamplingState {
  readonly noDownsample: ReadonlySet<string>;
  /** Blocks of streams in which there is something left to merge: short ones may become long enough. */
  readonly unmerged: ReadonlySet<string>;
}

/**
 * Blocks whose last sample is older than their resolution is kept, counted from now, but at most from a day behind the
 * newest block: a clock that is years ahead must not expire all there is. With downsampling, one that is or may become long enough
 * for a coarser form stays until that is there, unless the coarser form would be expired as well.
 */
export function findExpired(
  blocks: readonly BlockMeta[],
  nowMs: number,
  retention: Retention,
  downsampling: DownsamplingState | undefined,
): readonly ExpiredBlock[] {
  const newestMs = blocks.reduce((latest, { maxTimeMs }) => Math.max(latest, maxTimeMs), -Infinity);
  const countedFromMs = Math.min(nowMs, newestMs + silenceMaxMs);
  const isPast = ({ maxTimeMs }: BlockMeta, spanMs: number) => spanMs > 0 && maxTimeMs < countedFromMs - spanMs;
  const waiting = new Set<string>();
  if (downsampling !== undefined) {
    const { noDownsample, unmerged } = downsampling;
    for (const { meta, toMs } of planDownsampling(blocks, noDownsample, unmerged)) {
      if (!isPast(meta, retentionOf(toMs, retention))) waiting.add(meta.ulid);
    }
  }
  const expired: ExpiredBlock[] = [];
  for (const meta of blocks) {
    const retentionMs = retentionOf(meta.thanos?.resolutionMs ?? 0, retention);
    if (isPast(meta, retentionMs) && !waiting.has(meta.ulid)) expired.push({ meta, retentionMs });
  }
  return expired;
}

/** What is wrong with a retention; undefined if nothing is. With downsampling, blocks must live to be downsampled. */
export function retentionFault(retention: Retention, isDownsampling: boolean): string | undefined {
  for (const [name, ms] of Object.entries(retention)) {
    if (!Number.isFinite(ms) || ms < 0) return `${name} must be 0 or more: ${ms}`;
  }
  if (!isDownsampling) return undefined;
  for (const { fromMs, toMs, spanMinMs } of downsampleSteps) {
    const keptMs = retentionOf(fromMs, retention);
    if (keptMs === 0 || keptMs >= spanMinMs) continue;
    return (
      `${resolutionName(fromMs)} samples are kept for ${formatDuration(keptMs)}, but are only downsampled to ` +
      `${resolutionName(toMs)} in blocks of ${formatDuration(spanMinMs)}: keep them longer, or switch downsampling off`
    );
  }
  return undefined;
}

/** `raw`, `5m`, `1h`. */
export function resolutionName(resolutionMs: number): string {
  return resolutionMs === 0 ? "raw" : formatDuration(resolutionMs);
}

function retentionOf(resolutionMs: number, retention: Retention): number {
  if (resolutionMs === 0) return retention.rawMs;
  if (resolutionMs === fiveMinutesMs) return retention.fiveMinutesMs;
  // A resolution that nobody knows is not deleted.
  return resolutionMs === oneHourMs ? retention.oneHourMs : 0;
}

function sourcesAt(blocks: readonly BlockMeta[], resolutionMs: number): ReadonlySet<string> {
  const sources = new Set<string>();
  for (const { thanos, compaction } of blocks) {
    if (thanos?.resolutionMs === resolutionMs) for (const source of compaction.sources) sources.add(source);
  }
  return sources;
}

function hasAll(done: ReadonlySet<string>, { compaction }: BlockMeta): boolean {
  return compaction.sources.length > 0 && compaction.sources.every((source) => done.has(source));
}
