import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { experimentalParseOptions, type BinaryOperator, type DurationExpression, type Expression } from "./ast.ts";
import { anyQuery, withoutRanges } from "./expression.testing.ts";
import { parseExpression } from "./parse-expression.ts";
import { formatExpression } from "./printer.ts";

const options = experimentalParseOptions;

describe("random queries", () => {
  it("print back to themselves", () => {
    const seen = { parsed: 0, refused: 0 };
    fc.assert(
      fc.property(anyQuery, (text) => {
        const parsed = parseExpression(text, options);
        if (!parsed.ok) {
          seen.refused++;
          return;
        }
        seen.parsed++;
        const printed = formatExpression(parsed.value);
        const again = parseExpression(printed, options);
        expect(again.ok ? withoutRanges(again.value) : again.failure.message, printed).toBe(
          withoutRanges(parsed.value),
        );
        // What was printed once stays as it is.
        if (again.ok) expect(formatExpression(again.value)).toBe(printed);
      }),
      { numRuns: 1500 },
    );
    // The generator is worth its name only while most of what it makes is valid.
    expect(seen.parsed).toBeGreaterThan(seen.refused);
  });
});

describe("trees of other makers", () => {
  const range = { start: 0, end: 0 };
  const shift = { offset: undefined, at: undefined };
  const number = (value: number): Expression => ({ kind: "number", value, isDuration: false, range });
  const selector = (name: string, offset?: DurationExpression): Expression => ({
    kind: "vector-selector",
    matchers: [{ type: "=", name: "__name__", value: name }],
    metricName: name,
    extension: undefined,
    at: undefined,
    offset,
    range,
  });
  const binary = (left: Expression, operator: BinaryOperator, right: Expression): Expression => ({
    kind: "binary",
    operator,
    bool: false,
    left,
    right,
    matching: undefined,
    range,
  });
  const window: DurationExpression = { kind: "constant", ms: 60_000, range };
  const sum: DurationExpression = { kind: "binary", operator: "+", left: window, right: window, range };
  const a = selector("a");
  const b = selector("b");

  for (const [rule, tree, text] of [
    ["a weak operator inside a strong one", binary(binary(a, "+", b), "*", a), "(a + b) * a"],
    ["to the right of its equal", binary(a, "-", binary(b, "-", a)), "a - (b - a)"],
    ["a power to the left of another", binary(binary(a, "^", b), "^", a), "(a ^ b) ^ a"],
    ["a negative base", binary(number(-2), "^", number(2)), "(-2) ^ 2"],
    ["a sign before a product", { kind: "unary", operator: "-", input: binary(a, "*", b), range }, "-(a * b)"],
    [
      "a subquery of an operator",
      { kind: "subquery", input: binary(a, "or", b), window, step: undefined, ...shift, range },
      "(a or b)[1m:]",
    ],
    ["an offset that would take the operator along", binary(selector("a", sum), "+", b), "a offset +(1m + 1m) + b"],
    ["an offset behind which nothing can be taken", binary(selector("a", sum), "or", b), "a offset (1m + 1m) or b"],
    ["a name that cannot stand bare", selector("metric.name"), '{__name__="metric.name"}'],
    ["a keyword that cannot be a name", selector("Bool"), '{__name__="Bool"}'],
  ] as const satisfies readonly (readonly [string, Expression, string])[]) {
    it(`get parentheses or quotes: ${rule}`, () => {
      expect(formatExpression(tree)).toBe(text);
      expect(parseExpression(text).ok).toBe(true);
    });
  }
});
