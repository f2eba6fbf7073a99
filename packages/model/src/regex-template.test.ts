import { describe, expect, it } from "vitest";
import { compileRegexTemplate } from "./regex-template.ts";

describe("a template filled from a regular expression", () => {
  for (const [rule, expression, template, text, filled] of [
    ["the whole text must match", "a", "x", "ab", undefined],
    ["alternatives are matched whole", "a|ab", "x", "ab", "x"],
    ["groups go by number", "(.*)-(.*)", "$2:$1", "a-b", "b:a"],
    ["a name is as long as it can be", "(.*)", "$1x", "a", ""],
    ["braces end a name", "(.*)", "${1}x", "a", "ax"],
    ["groups go by name", "(?P<port>\\d+)", "p$port", "80", "p80"],
    ["a group that took no part is empty", "(a)|(b)", "[$1$2]", "b", "[b]"],
    ["two dollars are one", "a", "$$1", "a", "$1"],
    ["a lone dollar stays", "a", "1$", "a", "1$"],
    ["the dot matches a line feed", "a.b", "x", "a\nb", "x"],
  ] as const) {
    it(rule, () => {
      const compiled = compileRegexTemplate(expression, template);
      expect(compiled.ok && compiled.value(text)).toBe(filled);
    });
  }

  it("refuses what RE2 does not know", () => {
    expect(compileRegexTemplate("(?=a)", "x").ok).toBe(false);
  });
});
