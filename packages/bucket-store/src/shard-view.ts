/** Which blocks of a bucket one shard serves now, and why not the others. Pure. */
import type { BlockListing, BlockMeta, BlockSelector } from "@pleiad/blocks";
import { findCovered } from "@pleiad/compaction";

/** An end of the time that a shard serves. */
export type TimeBound =
  | { readonly kind: "at"; readonly timeMs: number }
  | { readonly kind: "ago"; readonly spanMs: number };

/** The states of Thanos's thanos_blocks_meta_synced, as far as readers know them. */
export type BlockState =
  | "loaded"
  | "no-meta"
  | "corrupted-meta-json"
  | "time-excluded"
  | "label-excluded"
  | "marked-for-deletion"
  | "duplicate";

export const blockStates: readonly BlockState[] = [
  "loaded",
  "no-meta",
  "corrupted-meta-json",
  "time-excluded",
  "label-excluded",
  "marked-for-deletion",
  "duplicate",
];

export interface ShardOptions {
  readonly isSelected: BlockSelector;
  readonly minTime: TimeBound | undefined;
  readonly maxTime: TimeBound | undefined;
  /** A block is served so long after it was marked for deletion: what replaces it is seen by then. */
  readonly ignoreDeletionMarksDelayMs: number;
}

export interface ShardView {
  readonly blocks: ReadonlyMap<string, BlockMeta>; // by ULID
  /** Blocks that are whole but not served, since others have all their samples; ULID to ULID. */
  readonly covered: ReadonlyMap<string, string>;
  readonly states: ReadonlyMap<BlockState, number>;
}

export interface TimeWindow {
  readonly minTimeMs: number; // both inclusive
  readonly maxTimeMs: number;
}

/** The time that a shard serves now. */
export function timeWindowOf(
  { minTime, maxTime }: Pick<ShardOptions, "minTime" | "maxTime">,
  nowMs: number,
): TimeWindow {
  const timeOf = (bound: TimeBound) => (bound.kind === "at" ? bound.timeMs : nowMs - bound.spanMs);
  return {
    minTimeMs: minTime === undefined ? -Infinity : timeOf(minTime),
    maxTimeMs: maxTime === undefined ? Infinity : timeOf(maxTime),
  };
}

export function viewShard(listing: BlockListing, nowMs: number, options: ShardOptions): ShardView {
  const window = timeWindowOf(options, nowMs);
  const states = new Map<BlockState, number>(blockStates.map((state) => [state, 0]));
  const count = (state: BlockState, by = 1) => states.set(state, (states.get(state) ?? 0) + by);
  count("no-meta", listing.partial.size);
  count("corrupted-meta-json", listing.malformed.size);
  const blocks = new Map<string, BlockMeta>();
  for (const { meta, marks } of listing.blocks.values()) {
    const marked = marks.get("deletion");
    if (meta.maxTimeMs <= window.minTimeMs || meta.minTimeMs > window.maxTimeMs) count("time-excluded");
    else if (!options.isSelected(meta)) count("label-excluded");
    else if (marked !== undefined && nowMs - marked.timeMs > options.ignoreDeletionMarksDelayMs) {
      count("marked-for-deletion");
    } else blocks.set(meta.ulid, meta);
  }
  const covered = new Map<string, string>();
  // Only among the blocks of this shard: what another one serves is not known to be seen there already.
  for (const { meta, by } of findCovered([...blocks.values()])) covered.set(meta.ulid, by);
  for (const ulid of covered.keys()) blocks.delete(ulid);
  count("duplicate", covered.size);
  count("loaded", blocks.size);
  return { blocks, covered, states };
}
