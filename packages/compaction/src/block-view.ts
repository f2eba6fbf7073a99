/** The blocks of a bucket as compaction sees them: which are its business now, and which are there twice. Pure. */
import { ulidTimeMs, type BlockListing, type BlockMeta } from "@pleiad/blocks";

/** Why a block is or is not worked on: the states of Thanos's thanos_blocks_meta_synced. */
export type BlockState =
  | "loaded"
  | "too-fresh"
  | "label-excluded"
  | "no-meta"
  | "corrupted-meta-json"
  | "marked-for-deletion"
  | "marked-for-no-compact"
  | "duplicate";

export const blockStates: readonly BlockState[] = [
  "loaded",
  "too-fresh",
  "label-excluded",
  "no-meta",
  "corrupted-meta-json",
  "marked-for-deletion",
  "marked-for-no-compact",
  "duplicate",
];

export interface BlockViewOptions {
  /** A block is left alone so long after it was made: its upload may not be seen whole by everyone. */
  readonly consistencyDelayMs: number;
  /** Which blocks are this compactor's. */
  readonly isSelected: (meta: BlockMeta) => boolean;
}

/** A block all of whose samples another block has. */
export interface CoveredBlock {
  readonly meta: BlockMeta;
  readonly by: string; // ULID
}

export interface BlockView {
  /** To be worked on. */
  readonly blocks: readonly BlockMeta[];
  readonly noCompact: ReadonlySet<string>;
  readonly noDownsample: ReadonlySet<string>;
  readonly covered: readonly CoveredBlock[];
  readonly states: ReadonlyMap<BlockState, number>;
}

export function viewBlocks(listing: BlockListing, nowMs: number, options: BlockViewOptions): BlockView {
  const states = new Map<BlockState, number>(blockStates.map((state) => [state, 0]));
  const count = (state: BlockState, by = 1) => states.set(state, (states.get(state) ?? 0) + by);
  count("no-meta", listing.partial.size);
  count("corrupted-meta-json", listing.malformed.size);
  const usable: BlockMeta[] = [];
  const noCompact = new Set<string>();
  const noDownsample = new Set<string>();
  for (const { meta, marks } of listing.blocks.values()) {
    // Without external labels there is no telling whose samples these are.
    if (meta.thanos === undefined || !options.isSelected(meta)) count("label-excluded");
    // At once, not after a delay: what is to be deleted is no input for anything.
    else if (marks.has("deletion")) count("marked-for-deletion");
    else if (isTooFresh(meta, nowMs, options.consistencyDelayMs)) count("too-fresh");
    else {
      usable.push(meta);
      if (marks.has("no-compact")) noCompact.add(meta.ulid);
      if (marks.has("no-downsample")) noDownsample.add(meta.ulid);
    }
  }
  const covered = findCovered(usable);
  const coveredUlids = new Set(covered.map(({ meta }) => meta.ulid));
  const blocks = usable.filter(({ ulid }) => !coveredUlids.has(ulid));
  count("duplicate", covered.length);
  count("marked-for-no-compact", blocks.filter(({ ulid }) => noCompact.has(ulid)).length);
  count("loaded", blocks.length);
  return { blocks, noCompact, noDownsample, covered, states };
}

/** What a compactor made was verified in the bucket before anything was done about its inputs. */
const settledSources: ReadonlySet<string> = new Set(["compactor", "compactor.repair", "bucket.repair"]);

function isTooFresh({ ulid, thanos }: BlockMeta, nowMs: number, delayMs: number): boolean {
  return !settledSources.has(thanos?.source ?? "") && ulidTimeMs(ulid) > nowMs - delayMs;
}

/**
 * Blocks whose sources are all among those of another block of the same resolution. Of blocks with equal sources the one
 * of the highest level stays, then the one with the least name: every compactor decides alike, and one always stays.
 */
export function findCovered(blocks: readonly BlockMeta[]): readonly CoveredBlock[] {
  const bySource = new Map<string, BlockMeta[]>();
  for (const meta of blocks) {
    for (const source of sourcesOf(meta)) {
      const key = `${source} ${meta.thanos?.resolutionMs ?? 0}`;
      const others = bySource.get(key);
      if (others === undefined) bySource.set(key, [meta]);
      else others.push(meta);
    }
  }
  const covered: CoveredBlock[] = [];
  for (const meta of blocks) {
    const sources = sourcesOf(meta);
    // Whatever covers it has its first source too.
    const others = bySource.get(`${sources[0] ?? ""} ${meta.thanos?.resolutionMs ?? 0}`) ?? [];
    const by = others.find((other) => covers(other, meta, sources));
    if (by !== undefined) covered.push({ meta, by: by.ulid });
  }
  return covered;
}

function covers(other: BlockMeta, meta: BlockMeta, sources: readonly string[]): boolean {
  if (other.ulid === meta.ulid) return false;
  const otherSources = new Set(sourcesOf(other));
  if (!sources.every((source) => otherSources.has(source))) return false;
  if (otherSources.size !== new Set(sources).size) return true;
  if (other.compaction.level !== meta.compaction.level) return other.compaction.level > meta.compaction.level;
  return other.ulid < meta.ulid;
}

/** A block that names no sources is its own: an empty list would be covered by anything. */
function sourcesOf({ ulid, compaction }: BlockMeta): readonly string[] {
  return compaction.sources.length === 0 ? [ulid] : compaction.sources;
}
