import type { BlockMeta } from "@pleiad/blocks";
import { describe, expect, it } from "vitest";
import { groupBlockSets, planReads, planSuccessors, uncut } from "./block-plan.ts";
import { hourMs } from "./bucket-store.fixtures.ts";

const resolutions: Readonly<Record<string, number>> = { raw: 0, "5m": 300_000, "1h": 3_600_000 };

/** `name 0-48 5m < a b`: a block of these hours, made of those sources. */
function blockOf(text: string): BlockMeta {
  const [head = "", sources] = text.split(" < ");
  const [ulid = "", hours = "", resolution = "raw"] = head.split(" ");
  const [from = 0, to = 0] = hours.split("-").map(Number);
  return {
    ulid,
    minTimeMs: from * hourMs,
    maxTimeMs: to * hourMs,
    stats: {
      numSamples: 1,
      numFloatSamples: 1,
      numHistogramSamples: 0,
      numSeries: 1,
      numChunks: 1,
      numTombstones: 0,
    },
    compaction: {
      level: 1,
      sources: sources?.split(" ") ?? [ulid],
      parents: [],
      isDeletable: false,
      isFailed: false,
      hints: [],
    },
    thanos: {
      labels: { cluster: "a" },
      resolutionMs: resolutions[resolution] ?? NaN,
      source: "sidecar",
      files: [],
      indexStats: undefined,
      uploadTimeMs: undefined,
    },
  };
}

const formatRead = (read: { readonly meta: BlockMeta; readonly minTimeMs: number; readonly maxTimeMs: number }) =>
  `${read.meta.ulid} ${read.minTimeMs / hourMs}-${(read.maxTimeMs + 1) / hourMs}`;

describe("what a question reads", () => {
  for (const [rule, blocks, resolution, wanted] of [
    ["raw blocks, where nothing coarser is allowed", ["r 0-48", "f 0-48 5m"], "raw", ["r 0-100"]],
    ["the coarsest that is allowed", ["r 0-48", "f 0-48 5m", "h 0-48 1h"], "1h", ["h 0-100"]],
    ["no coarser than allowed", ["r 0-48", "f 0-48 5m", "h 0-48 1h"], "5m", ["f 0-100"]],
    [
      "finer blocks after the last coarse one, for that time alone",
      ["r 0-48", "s 48-96", "f 0-48 5m"],
      "5m",
      ["f 0-100", "s 48-100"],
    ],
    ["finer blocks before the first", ["r 0-48", "s 48-96", "g 48-96 5m"], "1h", ["r 0-48", "g 0-100"]],
    [
      "a finer block in two gaps, once for each",
      ["r 0-96", "f 12-24 5m", "g 36-96 5m"],
      "5m",
      ["r 0-12", "f 0-100", "r 24-36", "g 0-100"],
    ],
    ["all three levels", ["r 0-96", "f 0-72 5m", "h 0-48 1h"], "1h", ["h 0-100", "f 48-100", "r 72-100"]],
    ["nothing, where all is coarser than allowed", ["f 0-48 5m"], "raw", []],
    ["nothing of another time", ["r 100-148", "s 200-248"], "raw", []],
    ["overlapping blocks, both", ["r 0-48", "s 24-72", "f 0-48 5m", "g 24-72 5m"], "5m", ["f 0-100", "g 0-100"]],
  ] as const) {
    it(rule, () => {
      const [set] = groupBlockSets(blocks.map(blockOf));
      if (set === undefined) throw new Error("no blocks");
      const range = { minTimeMs: 0, maxTimeMs: 100 * hourMs - 1, maxResolutionMs: resolutions[resolution] ?? NaN };
      expect(planReads(set, range).map(formatRead)).toEqual(wanted);
    });
  }
});

describe("what has the samples of a block that is gone", () => {
  for (const [rule, blocks, wanted] of [
    ["a block made of it and others, for its time alone", ["n 0-8 < a b c d"], ["n 2-4"]],
    ["several blocks that have parts of it", ["n 0-3 < a1", "m 3-8 < a2"], undefined],
    ["no block that has only part of its sources", ["n 0-8 < x"], undefined],
    ["one of its own resolution, before a coarser one", ["f 0-8 5m < b", "n 0-8 < b"], ["n 2-4"]],
    ["a coarser one, where there is no other", ["f 0-8 5m < b"], ["f 2-4"]],
    ["not itself", ["b 2-4"], undefined],
  ] as const) {
    it(rule, () => {
      const gone = { meta: blockOf("b 2-4"), minTimeMs: 0, maxTimeMs: 100 * hourMs, ...uncut };
      expect(planSuccessors(gone, blocks.map(blockOf), 300_000)?.map(formatRead)).toEqual(wanted);
    });
  }

  it("are several blocks together, where it was made of several itself", () => {
    const gone = { meta: blockOf("c 0-4 < a b"), minTimeMs: 0, maxTimeMs: 100 * hourMs, ...uncut };
    const reads = planSuccessors(gone, ["n 0-2 < a", "m 2-8 < b x"].map(blockOf), 0);
    expect(reads?.map(formatRead)).toEqual(["n 0-4", "m 0-4"]);
  });
});
