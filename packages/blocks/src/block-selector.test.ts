import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { BlockMeta } from "./block-meta.ts";
import { compileBlockSelector, type BlockSelectorOptions, type SelectorRule } from "./block-selector.ts";

const hourMs = 3_600_000;

const metaOf = (cluster: string, fromHours = 0): BlockMeta => ({
  ulid: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  minTimeMs: fromHours * hourMs,
  maxTimeMs: (fromHours + 2) * hourMs,
  stats: { numSamples: 1, numFloatSamples: 1, numHistogramSamples: 0, numSeries: 1, numChunks: 1, numTombstones: 0 },
  compaction: { level: 1, sources: [], parents: [], isDeletable: false, isFailed: false, hints: [] },
  thanos: {
    labels: { cluster, region: "a1" },
    resolutionMs: 0,
    source: "sidecar",
    files: [],
    indexStats: undefined,
    uploadTimeMs: undefined,
  },
});

function selectorOf(options: Partial<BlockSelectorOptions>) {
  const selector = compileBlockSelector({ rules: [], minTimeMs: undefined, maxTimeMs: undefined, ...options });
  if (!selector.ok) throw new Error(selector.failure);
  return selector.value;
}

const clusters = ["alpha", "beta", "gamma"];
const selected = (rules: readonly SelectorRule[]) =>
  clusters.filter((cluster) => selectorOf({ rules })(metaOf(cluster)));
const text = (action: "keep" | "drop", regex: string, sourceLabels: readonly string[] = ["cluster"]) => ({
  action,
  sourceLabels,
  separator: ";",
  regex,
});
const hashmod = (modulus: number) =>
  ({ action: "hashmod", sourceLabels: ["cluster"], separator: ";", modulus, targetLabel: "shard" }) as const;

describe("compileBlockSelector", () => {
  for (const [rule, rules, expected] of [
    ["without rules everything is selected", [], clusters],
    ["keep selects what matches", [text("keep", "alpha|beta")], ["alpha", "beta"]],
    ["drop selects what does not", [text("drop", "b.*")], ["alpha", "gamma"]],
    ["a regular expression is anchored", [text("keep", "alph")], []],
    ["labels are joined by the separator", [text("keep", "beta;a1", ["cluster", "region"])], ["beta"]],
    ["a label that is not there is empty", [text("keep", "", ["zone"])], clusters],
    ["rules are applied in order", [text("drop", "alpha"), text("keep", "alpha|beta")], ["beta"]],
    ["the ULID can be told", [text("keep", "01ARZ.*", ["__block_id"])], clusters],
  ] as const) {
    it(rule, () => expect(selected(rules)).toEqual(expected));
  }

  it("shards give every block to exactly one, by the end of MD5", () => {
    const shards = [0, 1, 2].map((shard) => selected([hashmod(3), text("keep", String(shard), ["shard"])]));
    expect(shards.flat().sort()).toEqual(clusters);
    const digest = createHash("md5").update("alpha").digest();
    expect(shards[Number(digest.readBigUInt64BE(8) % 3n)]).toContain("alpha");
  });

  for (const [rule, range, expected] of [
    ["all of time", {}, [0, 2, 4]],
    ["blocks that end before are left out", { minTimeMs: 2 * hourMs }, [2, 4]],
    ["blocks that begin later are left out", { maxTimeMs: 2 * hourMs }, [0, 2]],
  ] as const) {
    it(`a range of time: ${rule}`, () => {
      expect([0, 2, 4].filter((from) => selectorOf(range)(metaOf("alpha", from)))).toEqual(expected);
    });
  }

  it.each([
    [{ rules: [text("keep", "(")] }, "rule 1 (keep)"],
    [{ rules: [text("keep", "a"), hashmod(0)] }, "rule 2 (hashmod): the modulus must be 1 or more: 0"],
    [{ minTimeMs: 2, maxTimeMs: 1 }, "ends (1) before it begins (2)"],
  ])("%j is refused", (options, reason) => {
    const selector = compileBlockSelector({ rules: [], minTimeMs: undefined, maxTimeMs: undefined, ...options });
    expect(selector.ok ? "" : selector.failure).toContain(reason);
  });
});
