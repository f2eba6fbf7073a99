import { compileBlockSelector, type BlockListing, type BlockMeta, type SelectorRule } from "@pleiad/blocks";
import fc from "fast-check";
import { expect, it } from "vitest";
import { ulidAt } from "./bucket-store.fixtures.ts";
import { viewShard } from "./shard-view.ts";

function metaOf(labels: Readonly<Record<string, string>>): BlockMeta {
  const ulid = ulidAt(1);
  return {
    ulid,
    minTimeMs: 0,
    maxTimeMs: 1,
    stats: {
      numSamples: 1,
      numFloatSamples: 1,
      numHistogramSamples: 0,
      numSeries: 1,
      numChunks: 1,
      numTombstones: 0,
    },
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: { labels, resolutionMs: 0, source: "", files: [], indexStats: undefined, uploadTimeMs: undefined },
  };
}

/** The rules of shard i of so many: by a hash, or by the text of a label. */
const shardings: Readonly<Record<string, (shard: number, count: number) => readonly SelectorRule[]>> = {
  "by a hash of the cluster": (shard, count) => hashed(["cluster"], shard, count),
  "by a hash of two labels": (shard, count) => hashed(["region", "cluster"], shard, count),
  "by a hash of the block": (shard, count) => hashed(["__block_id"], shard, count),
  "by what a label begins with": (shard, count) => {
    const regex = `[${"abcdefgh".slice(1, count)}].*`;
    if (count === 1) return [];
    if (shard === 0) return [{ action: "drop", sourceLabels: ["cluster"], separator: ";", regex }];
    return [{ action: "keep", sourceLabels: ["cluster"], separator: ";", regex: `${"abcdefgh"[shard] ?? ""}.*` }];
  },
};

function hashed(sourceLabels: readonly string[], shard: number, modulus: number): readonly SelectorRule[] {
  return [
    { action: "hashmod", sourceLabels, separator: ";", modulus, targetLabel: "shard" },
    { action: "keep", sourceLabels: ["shard"], separator: ";", regex: String(shard) },
  ];
}

for (const [name, rulesOf] of Object.entries(shardings)) {
  it(`every block is of exactly one shard: ${name}`, () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "d", "é", ";", ""), maxLength: 4 });
    const labels = fc.record({ cluster: text, region: text }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.array(labels, { maxLength: 20 }), fc.integer({ min: 1, max: 5 }), (sets, count) => {
        const metas = sets.map(metaOf);
        const blocks = new Map(metas.map((meta) => [meta.ulid, { meta, marks: new Map() }]));
        const listing: BlockListing = { blocks, partial: new Map(), malformed: new Map(), faults: [] };
        const owners = new Map<string, number>();
        for (let shard = 0; shard < count; shard++) {
          const isSelected = compileBlockSelector({
            rules: rulesOf(shard, count),
            minTimeMs: undefined,
            maxTimeMs: undefined,
          });
          if (!isSelected.ok) throw new Error(isSelected.failure);
          const options = { minTime: undefined, maxTime: undefined, ignoreDeletionMarksDelayMs: 0 };
          const view = viewShard(listing, 0, { isSelected: isSelected.value, ...options });
          for (const ulid of view.blocks.keys()) owners.set(ulid, (owners.get(ulid) ?? 0) + 1);
        }
        expect(owners).toEqual(new Map(metas.map(({ ulid }) => [ulid, 1])));
      }),
      { numRuns: 200 },
    );
  });
}
