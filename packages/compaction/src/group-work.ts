/** The work on a group of blocks: as people are told of it, and what follows from the group for the block to be made. */
import type { BlockMeta } from "@pleiad/blocks";
import type { ReplicaMerge } from "@pleiad/chunks";
import { formatLabels, labelsEqual, labelsFromRecord, labelsToRecord } from "@pleiad/model";
import { groupBlocks, type BlockGroup } from "./block-group.ts";
import { resolutionName } from "./block-lifetime.ts";
import type { OverlapMerge } from "./chunk-merge.ts";
import { outOfOrderHint } from "./compact-blocks.ts";
import type { PlannedWork } from "./halted-streams.ts";

export function workOf({ key, labels }: BlockGroup, plan: string): PlannedWork {
  return { group: key, labels: formatLabels(labels), plan };
}

export function downsamplingOf(meta: BlockMeta, toMs: number, replicaLabels: ReadonlySet<string>): PlannedWork {
  const [group] = groupBlocks([meta], replicaLabels);
  if (group === undefined) throw new Error("a block without a group");
  return workOf(group, `downsample to ${resolutionName(toMs)}: ${meta.ulid}`);
}

export function overlapMerge(blocks: readonly BlockMeta[], replicaMerge: ReplicaMerge): OverlapMerge {
  if (areReplicas(blocks)) return replicaMerge;
  // Samples that came late are in a block of their own beside the others of their time: no one has them twice.
  return blocks.some(({ compaction }) => compaction.hints.includes(outOfOrderHint)) ? "one-to-one" : "identical";
}

/** Whether the blocks are of several producers, so that their samples may differ. */
function areReplicas(blocks: readonly BlockMeta[]): boolean {
  const [first, ...others] = blocks.map(({ thanos }) => labelsFromRecord(thanos?.labels ?? {}));
  return first !== undefined && others.some((labels) => !labelsEqual(labels, first));
}

export function thanosOf({ labels, resolutionMs }: BlockGroup): BlockMeta["thanos"] {
  return {
    labels: labelsToRecord(labels),
    resolutionMs,
    source: "compactor",
    files: [],
    indexStats: undefined,
    // Left out, so that the same inputs give the same bytes.
    uploadTimeMs: undefined,
  };
}
