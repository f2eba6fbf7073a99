import { describe, expect, it } from "vitest";
import { xxHash64 } from "./xx-hash.ts";

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
});
