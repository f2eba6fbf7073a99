import { readFileSync } from "node:fs";
import type { BlockMeta } from "@pleiad/blocks";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countBacklog, defaultPlan, formatPlan, planCompaction, type PlanOptions } from "./compaction-plan.ts";
import { metaOf } from "./compaction.fixtures.ts";

interface Case {
  readonly rule: string;
  readonly blocks: readonly BlockMeta[];
  readonly noCompact: ReadonlySet<string>;
  readonly expected: readonly string[];
}

function parseCases(text: string): readonly Case[] {
  const paragraphs = text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .split(/\n\n+/);
  return paragraphs.filter((paragraph) => paragraph.trim() !== "").map(parseCase);
}

function parseCase(paragraph: string): Case {
  const [rule = "", ...lines] = paragraph.trim().split("\n");
  const noCompact = new Set<string>();
  const blocks: BlockMeta[] = [];
  const expected: string[] = [];
  for (const line of lines.map((each) => each.trim())) {
    if (line.startsWith("=> ")) expected.push(line.slice(3));
    else for (const word of line.split(" ")) blocks.push(parseBlock(word, noCompact));
  }
  return { rule, blocks, noCompact, expected };
}

function parseBlock(word: string, noCompact: Set<string>): BlockMeta {
  const parts = /^(\w+):(-?\d+)\.\.(-?\d+)((?:,[^,]+)*)$/.exec(word);
  if (parts === null) throw new Error(`not a block: ${word}`);
  const [, ulid = "", from, to, rest = ""] = parts;
  const traits = rest.split(",").slice(1);
  const numberOf = (trait: RegExp) => Number(trait.exec(rest)?.[1] ?? 0);
  for (const trait of traits) {
    if (!/^(?:failed|no-compact|5m|tombstones=\d+%|index=\d+G)$/.test(trait)) throw new Error(`what is ${trait}?`);
  }
  if (traits.includes("no-compact")) noCompact.add(ulid);
  return metaOf(ulid, Number(from), Number(to), {
    isFailed: traits.includes("failed"),
    resolutionMs: traits.includes("5m") ? 300_000 : 0,
    tombstoneRatio: numberOf(/tombstones=(\d+)%/) / 100,
    indexBytes: numberOf(/index=(\d+)G/) * 2 ** 30,
  });
}

describe("planCompaction", () => {
  const cases = parseCases(readFileSync(new URL("../testdata/plans.txt", import.meta.url), "utf8"));
  for (const { rule, blocks, noCompact, expected } of cases) {
    it(rule, () => {
      const { plan, marks } = planCompaction(blocks, noCompact, defaultPlan);
      const lines = marks.map(({ ulid, reason }) => `mark ${ulid} ${reason}`);
      lines.push(plan === undefined ? "nothing" : formatPlan(plan));
      expect(lines).toEqual(expected);
    });
  }

  it("plans nothing beyond the limit of index bytes, whatever the sizes", () => {
    const options: PlanOptions = { ...defaultPlan, indexBytesMax: 100 };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 80 }), { maxLength: 40 }), (sizes) => {
        const blocks = sizes.map((indexBytes, i) => metaOf(`B${i}`, 2 * i, 2 * i + 2, { indexBytes }));
        const { plan } = planCompaction(blocks, new Set(), options);
        const total = (plan?.blocks ?? []).reduce((sum, { thanos }) => sum + (thanos?.files[0]?.sizeBytes ?? 0), 0);
        expect(total).toBeLessThan(100);
      }),
      { numRuns: 200 },
    );
  });
});

describe("countBacklog", () => {
  it("plays the plans to the end", () => {
    // Four days in blocks of two hours, the last of which stays: 11 windows of 8 h, one whole window of 2 d.
    const blocks = Array.from({ length: 48 }, (_, i) => metaOf(`B${i}`, 2 * i, 2 * i + 2));
    expect(countBacklog(blocks, new Set(), defaultPlan)).toEqual({ compactions: 12, blocks: 11 * 4 + 6 });
  });

  it("ends for any blocks", () => {
    const block = fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 60 }));
    fc.assert(
      fc.property(fc.array(block, { maxLength: 30 }), (spans) => {
        const blocks = spans.map(([from, length], i) =>
          metaOf(`B${i}`, from, from + length, { tombstoneRatio: i % 2 }),
        );
        const { compactions } = countBacklog(blocks, new Set(), defaultPlan);
        expect(compactions).toBeLessThanOrEqual(blocks.length);
      }),
      { numRuns: 200 },
    );
  });
});
