import { arithmetic } from "@pleiad/promql-plan";
import { describe, expect, it } from "vitest";
import { rowArithmetic } from "./row-arithmetic.ts";

const numbers = [0, -0, 1, -1.5, 1e300, 5e-324, Infinity, -Infinity, NaN];
const many = Float64Array.from(numbers.flatMap((number) => numbers.map(() => number)));
const one = Float64Array.from([7, 7, ...numbers.flatMap(() => numbers)]);

describe("arithmetic of whole rows", () => {
  for (const operator of ["+", "-", "*", "/"] as const) {
    for (const oneIsLeft of [false, true]) {
      it(`is that of single samples: ${oneIsLeft ? "one" : "many"} ${operator} ${oneIsLeft ? "many" : "one"}`, () => {
        const compute = arithmetic[operator];
        const row = many.slice();
        rowArithmetic(operator, oneIsLeft)?.(row, one, 2);
        expect([...row]).toEqual(
          Array.from(many, (value, i) => (oneIsLeft ? compute(one[2 + i], value) : compute(value, one[2 + i]))),
        );
      });
    }
  }
});
