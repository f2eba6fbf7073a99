/** The blocks of a bucket by stream: only blocks of one resolution and one set of external labels are merged. */
import type { BlockMeta } from "@pleiad/blocks";
import { compareText, labelsFromRecord, withoutLabels, xxHash64, type Labels } from "@pleiad/model";

export interface BlockGroup {
  /** `<resolution in ms>@<hash of the labels>`, as Thanos names it in folders and logs. */
  readonly key: string;
  readonly labels: Labels; // external, without replica labels
  readonly resolutionMs: number;
  readonly blocks: readonly BlockMeta[]; // by minTimeMs, then ULID
}

/** Groups in the order of their keys. With `replicaLabels` the blocks of all replicas are one group, and overlap. */
export function groupBlocks(
  blocks: Iterable<BlockMeta>,
  replicaLabels: ReadonlySet<string> = new Set(),
): readonly BlockGroup[] {
  const groups = new Map<string, { readonly labels: Labels; readonly resolutionMs: number; blocks: BlockMeta[] }>();
  for (const meta of blocks) {
    const labels = groupLabels(meta, replicaLabels);
    const resolutionMs = meta.thanos?.resolutionMs ?? 0;
    const key = formatGroupKey(resolutionMs, labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels, resolutionMs, blocks: [meta] });
    else group.blocks.push(meta);
  }
  return [...groups]
    .map(([key, { labels, resolutionMs, blocks }]) => ({
      key,
      labels,
      resolutionMs,
      blocks: blocks.sort(compareBlocks),
    }))
    .sort((a, b) => compareText(a.key, b.key));
}

/** The external labels that a block's group goes by. */
export function groupLabels(meta: BlockMeta, replicaLabels: ReadonlySet<string>): Labels {
  return withoutLabels(labelsFromRecord(meta.thanos?.labels ?? {}), replicaLabels);
}

/** The hash is xxHash64 over each name and value with a byte 0xff behind it, in decimal. */
export function formatGroupKey(resolutionMs: number, labels: Labels): string {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  for (const text of labels) bytes.push(...encoder.encode(text), 0xff);
  return `${resolutionMs}@${xxHash64(Uint8Array.from(bytes))}`;
}

/** By the time of their first sample, then by ULID. */
export function compareBlocks(a: BlockMeta, b: BlockMeta): number {
  return a.minTimeMs - b.minTimeMs || compareText(a.ulid, b.ulid);
}
