import { newUlid, type BlockListing, type BlockMark, type BlockMarkKind, type BlockMeta } from "@pleiad/blocks";
import { seededRandom } from "@pleiad/ports";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findCovered, viewBlocks } from "./block-view.ts";
import { metaOf } from "./compaction.fixtures.ts";

const coveredBy = (blocks: readonly BlockMeta[]) => findCovered(blocks).map(({ meta, by }) => `${meta.ulid} by ${by}`);

describe("findCovered", () => {
  for (const [rule, blocks, expected] of [
    ["blocks of their own are not covered", [metaOf("A", 0, 2), metaOf("B", 2, 4)], []],
    [
      "the sources of a merged block are",
      [metaOf("A", 0, 2), metaOf("B", 2, 4), metaOf("X", 0, 4, { level: 2, sources: ["A", "B"] })],
      ["A by X", "B by X"],
    ],
    [
      "so is a merged block by a larger one",
      [
        metaOf("X", 0, 4, { level: 2, sources: ["A", "B"] }),
        metaOf("Y", 0, 8, { level: 3, sources: ["A", "B", "C", "D"] }),
      ],
      ["X by Y"],
    ],
    [
      "what shares only some is not: both have samples that the other lacks",
      [
        metaOf("X", 0, 6, { level: 2, sources: ["A", "B", "C"] }),
        metaOf("Y", 2, 8, { level: 2, sources: ["B", "C", "D"] }),
      ],
      [],
    ],
    [
      "of equal sources the higher level stays",
      [metaOf("X", 0, 4, { level: 2, sources: ["A", "B"] }), metaOf("Y", 0, 4, { level: 3, sources: ["B", "A"] })],
      ["X by Y"],
    ],
    [
      "and of equal levels the first name",
      [metaOf("Y", 0, 4, { level: 2, sources: ["A", "B"] }), metaOf("X", 0, 4, { level: 2, sources: ["A", "B"] })],
      ["Y by X"],
    ],
    [
      "a coarser resolution covers nothing finer",
      [metaOf("A", 0, 48), metaOf("B", 0, 48, { sources: ["A"], resolutionMs: 300_000 })],
      [],
    ],
    [
      "a block without sources is its own",
      [metaOf("A", 0, 2, { sources: [] }), metaOf("X", 0, 4, { level: 2, sources: ["B", "C"] })],
      [],
    ],
  ] as const) {
    it(rule, () => expect(coveredBy(blocks)).toEqual(expected));
  }

  it("leaves blocks that have every source, whatever there is", () => {
    const source = fc.constantFrom("A", "B", "C", "D", "E");
    const block = fc.record({
      sources: fc.uniqueArray(source, { minLength: 1 }),
      level: fc.integer({ min: 1, max: 3 }),
      resolutionMs: fc.constantFrom(0, 300_000),
    });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), (traits) => {
        const blocks = traits.map((trait, i) => metaOf(`X${i}`, 0, 2, trait));
        const covered = new Set(findCovered(blocks).map(({ meta }) => meta));
        const keysOf = (some: readonly BlockMeta[]) =>
          new Set(
            some.flatMap(({ compaction, thanos }) => compaction.sources.map((s) => `${s} ${thanos?.resolutionMs}`)),
          );
        expect(keysOf(blocks.filter((one) => !covered.has(one)))).toEqual(keysOf(blocks));
      }),
      { numRuns: 300 },
    );
  });
});

describe("viewBlocks", () => {
  const nowMs = 1_000_000_000_000;
  const ulids = seededRandom(5);
  const made = (ageMs: number, source = "sidecar") => metaOf(newUlid(nowMs - ageMs, ulids), 0, 2, { source });
  const marked = (meta: BlockMeta, ...kinds: readonly BlockMarkKind[]) => {
    const mark = (kind: BlockMarkKind): BlockMark => ({ kind, ulid: meta.ulid, timeMs: 1, details: "", reason: "" });
    return { meta, marks: new Map(kinds.map((kind) => [kind, mark(kind)])) };
  };
  const listing = (blocks: readonly ReturnType<typeof marked>[]): BlockListing => ({
    blocks: new Map(blocks.map((block) => [block.meta.ulid, block])),
    partial: new Map([["P", { ulid: "P", keys: [], deletionMark: undefined }]]),
    malformed: new Map([["M", { ulid: "M", reason: "", deletionMark: undefined }]]),
    faults: [],
  });
  const options = { consistencyDelayMs: 1000, isSelected: () => true };

  it("counts blocks by what becomes of them", () => {
    const [fresh, ripe, settled, gone, kept] = [made(999), made(1000), made(1, "compactor"), made(2000), made(3000)];
    const blocks = [
      marked(fresh),
      marked(ripe),
      marked(settled),
      marked(gone, "deletion"),
      marked(kept, "no-compact", "no-downsample"),
    ];
    const view = viewBlocks(listing(blocks), nowMs, options);
    expect(view.blocks).toEqual([ripe, settled, kept]);
    expect([...view.noCompact]).toEqual([kept.ulid]);
    expect([...view.noDownsample]).toEqual([kept.ulid]);
    expect(Object.fromEntries(view.states)).toEqual({
      loaded: 3,
      "too-fresh": 1,
      "label-excluded": 0,
      "no-meta": 1,
      "corrupted-meta-json": 1,
      "marked-for-deletion": 1,
      "marked-for-no-compact": 1,
      duplicate: 0,
    });
  });

  it("never takes a block that is to be deleted for one that covers others", () => {
    const source = made(5000);
    const merged = metaOf(newUlid(nowMs - 5000, ulids), 0, 4, { level: 2, sources: [source.ulid, "other"] });
    expect(viewBlocks(listing([marked(source), marked(merged)]), nowMs, options).covered).toHaveLength(1);
    expect(viewBlocks(listing([marked(source), marked(merged, "deletion")]), nowMs, options).covered).toEqual([]);
  });

  it("leaves out what is not selected, or has no external labels", () => {
    const [one, other] = [made(5000), { ...made(5000), thanos: undefined }];
    const view = viewBlocks(listing([marked(one), marked(other)]), nowMs, { ...options, isSelected: () => false });
    expect(view.blocks).toEqual([]);
    expect(viewBlocks(listing([marked(one), marked(other)]), nowMs, options).blocks).toEqual([one]);
  });
});
