import { describe, expect, it } from "vitest";
import { formatGroupKey, groupBlocks } from "./block-group.ts";
import { metaOf } from "./compaction.fixtures.ts";
import { labelsFromRecord } from "@pleiad/model";

describe("groupBlocks", () => {
  const blocks = [
    metaOf("D", 2, 4, { labels: { cluster: "a", replica: "1" } }),
    metaOf("B", 0, 2, { labels: { cluster: "b", replica: "0" } }),
    metaOf("C", 2, 4, { labels: { cluster: "a", replica: "0" } }),
    metaOf("A", 0, 2, { labels: { cluster: "a", replica: "0" } }),
    metaOf("E", 0, 2, { labels: { cluster: "a", replica: "0" }, resolutionMs: 300_000 }),
  ];
  const ulidsOf = (replicaLabels: readonly string[]) =>
    groupBlocks(blocks, new Set(replicaLabels))
      .map((group) => group.blocks.map(({ ulid }) => ulid).join(" "))
      .sort();

  it("keeps streams and resolutions apart", () => {
    expect(ulidsOf([])).toEqual(["A C", "B", "D", "E"]);
  });

  it("takes replicas together where their label is named", () => {
    expect(ulidsOf(["replica"])).toEqual(["A C D", "B", "E"]);
  });

  it("gives the same groups in the same order, whatever the order of the blocks", () => {
    expect(groupBlocks(blocks.toReversed())).toEqual(groupBlocks(blocks));
  });
});

describe("formatGroupKey", () => {
  it("hashes each name and value with a byte 0xff behind it", () => {
    // The values are those of the hash library that Thanos uses.
    expect(formatGroupKey(0, labelsFromRecord({}))).toBe("0@17241709254077376921");
    expect(formatGroupKey(300_000, labelsFromRecord({ a: "1", b: "2" }))).toBe("300000@14719918290853119255");
    const external = labelsFromRecord({ region: "a1", cluster: "cluster-001", replica: "0" });
    expect(formatGroupKey(0, external)).toBe("0@4657734234765747241");
  });
});
