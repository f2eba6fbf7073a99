import { labelsFromRecord } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { labelShare, xxHash64 } from "./label-hash.ts";

describe("xxHash64", () => {
  // The first three are published; the last runs through the four lanes.
  for (const [text, hash] of [
    ["", 0xef46db3751d8e999n],
    ["a", 0xd24ec4f1a98c6e5bn],
    ["abc", 0x44bc2cf5ad770999n],
    ["Nobody inspects the spammish repetition", 0xfbcea83c8a378bf1n],
  ] as const) {
    it(`of ${JSON.stringify(text)}`, () => expect(xxHash64(new TextEncoder().encode(text))).toBe(hash));
  }

  it("gives a label set its share", () => {
    const share = labelShare(labelsFromRecord({ __name__: "x", a: "1".repeat(300) }));
    expect(share).toBeGreaterThanOrEqual(0);
    expect(share).toBeLessThan(1);
  });
});
