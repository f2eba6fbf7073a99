import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateFormula, namesOf, parseFormula } from "./formula.ts";

const values: Readonly<Record<string, number>> = { a: 2, b: 3, "store-gateway.blocks": 5000 };
const parts: Readonly<Record<string, readonly number[]>> = { "clusters.series": [10, 20, 30] };
const names = {
  valueOf: (name: string) => values[name] ?? Number.NaN,
  valuesOf: (name: string) => parts[name] ?? [],
};
const valueOf = (text: string) => evaluateFormula(parseFormula(text), names);

describe("a formula is computed as it reads", () => {
  for (const [text, value] of [
    ["a + b * 4", 14],
    ["(a + b) * 4", 20],
    ["a - b - 1", -2],
    ["12 / a / b", 2],
    ["b ^ a * 2", 18],
    ["1e6 * 0.5", 500_000],
    ["max(a, b, 1) - min(a, b)", 1],
    ["ceil(b / a) + floor(b / a)", 3],
    ["store-gateway.blocks / 1000", 5],
    ["sum(clusters.series)", 60],
    ["largest(clusters.series)", 30],
    ["product(clusters.series)", 6000],
    ["sum(none.such)", 0],
    ["1 / 0", Infinity],
  ] as const) {
    it(`${text} = ${value}`, () => expect(valueOf(text)).toBe(value));
  }
});

describe("what is no formula is a mistake of a table", () => {
  for (const text of ["", "a +", "(a", "a b", "a, b", "sqrt(a)", "sum(a, b)", "sum(a + b)", "a % b", "A"]) {
    it(JSON.stringify(text), () => expect(() => parseFormula(text)).toThrow(/formula/));
  }
});

it("says which names it has, and which it gathers over parts", () => {
  expect(namesOf(parseFormula("a * max(b, a) + sum(clusters.series)"))).toEqual([
    { name: "a", isGathered: false },
    { name: "b", isGathered: false },
    { name: "clusters.series", isGathered: true },
  ]);
});

it("agrees with the arithmetic of JavaScript on any sum of products", () => {
  const number = fc.integer({ min: 1, max: 999 }).map(String);
  const expression = fc.letrec<{ sum: string; product: string; atom: string }>((tie) => ({
    atom: fc.oneof(
      { maxDepth: 3 },
      number,
      tie("sum").map((inner) => `(${inner})`),
    ),
    product: fc
      .tuple(tie("atom"), fc.array(fc.tuple(fc.constantFrom("*", "/"), tie("atom")), { maxLength: 3 }))
      .map(([first, rest]) => [first, ...rest.flat()].join(" ")),
    sum: fc
      .tuple(tie("product"), fc.array(fc.tuple(fc.constantFrom("+", "-"), tie("product")), { maxLength: 3 }))
      .map(([first, rest]) => [first, ...rest.flat()].join(" ")),
  })).sum;
  fc.assert(
    fc.property(expression, (text) => {
      // oxlint-disable-next-line no-eval -- the text is digits and operators of this test's own making
      expect(valueOf(text)).toBe((0, eval)(text));
    }),
    { numRuns: 300 },
  );
});
