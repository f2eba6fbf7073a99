import { describe, expect, it } from "vitest";
import { nameRanges } from "./name-ranges.ts";

describe("names in few words", () => {
  for (const [rule, names, text] of [
    ["neighbours are a range", ["c-003", "c-001", "c-002"], "c-{001..003}"],
    ["two are no range", ["c-1", "c-2"], "c-1, c-2"],
    ["a gap ends a range", ["c-1", "c-2", "c-3", "c-5"], "c-{1..3}, c-5"],
    ["names without numbers stay", ["office", "warehouse"], "office, warehouse"],
    ["numbers that are not padded grow", ["n-9", "n-10", "n-11"], "n-{9..11}"],
    ["padded and not padded are different names", ["n-09", "n-10", "n-8"], "n-8, n-09, n-10"],
    ["no names, no text", [], ""],
  ] as const) {
    it(rule, () => {
      expect(nameRanges(names)).toBe(text);
    });
  }

  it("says how many are left out", () => {
    expect(nameRanges(["a-1", "a-3", "a-5", "a-7", "a-8"], 2)).toBe("a-1, a-3 and 3 more");
  });
});
