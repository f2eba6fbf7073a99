/** What a shard tells of itself to those who may ask it: which streams it has, and of which time. Pure. */
import { compareLabels, type Labels } from "@pleiad/model";
import type { BlockSet } from "./block-plan.ts";
import type { TimeWindow } from "./shard-view.ts";

export interface StreamCoverage {
  readonly labels: Labels;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

export interface Coverage {
  readonly labelSets: readonly Labels[];
  /** A shard without blocks ends before it begins: it is asked for no time. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** One for each stream and stretch of time without a gap. */
  readonly tsdbInfos: readonly StreamCoverage[];
}

export function coverageOf(sets: readonly BlockSet[], window: TimeWindow): Coverage {
  const tsdbInfos = sets
    .flatMap(({ labels, levels }) =>
      stretchesOf(
        labels,
        levels.flatMap(({ blocks }) => blocks),
        window,
      ),
    )
    .sort((a, b) => compareLabels(a.labels, b.labels) || a.minTimeMs - b.minTimeMs);
  return {
    labelSets: sets.map(({ labels }) => labels),
    minTimeMs: tsdbInfos.reduce((least, { minTimeMs }) => Math.min(least, minTimeMs), Number.MAX_SAFE_INTEGER),
    maxTimeMs: tsdbInfos.reduce((most, { maxTimeMs }) => Math.max(most, maxTimeMs), -Number.MAX_SAFE_INTEGER),
    tsdbInfos,
  };
}

function stretchesOf(labels: Labels, blocks: readonly TimeWindow[], window: TimeWindow): readonly StreamCoverage[] {
  const stretches: { labels: Labels; minTimeMs: number; maxTimeMs: number }[] = [];
  for (const block of blocks.toSorted((a, b) => a.minTimeMs - b.minTimeMs)) {
    const minTimeMs = Math.max(block.minTimeMs, window.minTimeMs);
    const maxTimeMs = Math.min(block.maxTimeMs, window.maxTimeMs);
    const last = stretches.at(-1);
    if (last === undefined || last.maxTimeMs < minTimeMs) stretches.push({ labels, minTimeMs, maxTimeMs });
    else last.maxTimeMs = Math.max(last.maxTimeMs, maxTimeMs);
  }
  return stretches;
}
