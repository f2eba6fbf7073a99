import { describe, expect, it } from "vitest";
import { foldLines, linesOf } from "./text-lines.ts";

describe("words in lines", () => {
  for (const [rule, text, lines] of [
    ["a short text is one line", "a bc", ["a bc"]],
    ["a line is as full as it may be", "aaaa bbbb cc", ["aaaa bbbb", "cc"]],
    ["a longer word has a line of its own", "a bbbbbbbbbbbb c", ["a", "bbbbbbbbbbbb", "c"]],
    ["nothing is an empty line", "", [""]],
  ] as const) {
    it(rule, () => {
      expect(linesOf(text, 9)).toEqual(lines);
    });
  }
});

it("folds what is wider than a terminal below itself, and nothing else", () => {
  const text = "short\n  compactor.passes = 4 (default: Thanos pkg/compact: levels of 8 h, 2 d)\n";
  expect(foldLines(text, 40)).toBe(
    "short\n  compactor.passes = 4 (default:\n      Thanos pkg/compact: levels of 8 h,\n      2 d)\n",
  );
  expect(foldLines(text, Infinity)).toBe(text);
});
