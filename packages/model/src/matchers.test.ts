import { describe, expect, it } from "vitest";
import { compileMatcher, compileMatchers, compileRegex, formatMatchers, literalAlternatives } from "./matchers.ts";
import { labelsFromRecord } from "./labels.ts";

describe("regular expressions of matchers", () => {
  for (const [rule, expression, matching, other] of [
    ["the whole value must match", "ab", "ab", "abc"],
    ["alternatives without syntax", "a|b|", "", "c"],
    ["a dot matches a newline", "a.b", "a\nb", "ab"],
    [".* matches the absent label", ".*", "", undefined],
    [".+ does not", ".+", "a", ""],
    ["a prefix", "clus.+", "cluster", "clus"],
    ["a prefix with .*", "clus.*", "clus", "clu"],
    ["RE2 classes", "[[:alpha:]]+", "abc", "ab1"],
    ["escaped characters", "a\\.b|\\/\\|\\-", "a.b", "axb"],
    ["RE2 quoting", "\\Qa.b\\E", "a.b", "axb"],
    ["case folding", "(?i)Up", "uP", "upp"],
    ["named groups", "(?P<x>a)b", "ab", "b"],
  ] as const) {
    it(`${expression}: ${rule}`, () => {
      const test = compileRegex(expression);
      if (!test.ok) throw new Error(test.failure);
      expect(test.value(matching)).toBe(true);
      if (other !== undefined) expect(test.value(other)).toBe(false);
    });
  }

  for (const expression of ["(", "a(?=b)", "(a)\\1", "a{1001}", "[z-a]"]) {
    it(`${expression} is not RE2 and is refused`, () => {
      expect(compileRegex(expression).ok).toBe(false);
    });
  }

  it("takes time linear in the value", () => {
    const test = compileRegex("(a+)+$");
    expect(test.ok && test.value(`${"a".repeat(5000)}b`)).toBe(false);
  });

  it("has a bound on expressions, but for alternatives that are literal", () => {
    const many = (text: string) => Array.from({ length: 60_000 }, () => text).join("|");
    expect(compileRegex(many("a.+b"))).toEqual({
      ok: false,
      failure: "error parsing regexp: expression is longer than 262144 characters",
    });
    expect(compileRegex(many("a\\.b")).ok).toBe(true);
  });

  it("tells literals from expressions", () => {
    expect(literalAlternatives("a|b")).toEqual(["a", "b"]);
    expect(literalAlternatives("a|b.")).toBeUndefined();
    expect(literalAlternatives("10\\.0\\.0\\.1:9100|\\||\\-\\_|")).toEqual(["10.0.0.1:9100", "|", "-_", ""]);
    expect(literalAlternatives("a\\.b|c.")).toBeUndefined();
    expect(literalAlternatives("a\\.b\\d")).toBeUndefined();
    expect(literalAlternatives("a\\.\\")).toBeUndefined();
  });
});

describe("matchers", () => {
  const labels = labelsFromRecord({ job: "api", code: "500" });
  for (const [matcher, holds] of [
    [{ type: "=", name: "job", value: "api" }, true],
    [{ type: "!=", name: "job", value: "api" }, false],
    [{ type: "=", name: "absent", value: "" }, true],
    [{ type: "=~", name: "code", value: "5.." }, true],
    [{ type: "!~", name: "code", value: "5.." }, false],
    [{ type: "!~", name: "absent", value: ".+" }, true],
  ] as const) {
    it(`${formatMatchers([matcher])} ${holds ? "holds" : "fails"}`, () => {
      const test = compileMatchers([matcher]);
      expect(test.ok && test.value(labels)).toBe(holds);
    });
  }

  it("say what is wrong with an expression", () => {
    const test = compileMatcher({ type: "=~", name: "a", value: "(" });
    expect(test.ok ? "" : test.failure.reason).toBe("error parsing regexp: missing closing ): `(`");
  });
});
