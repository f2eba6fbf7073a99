import { parseExpression } from "@pleiad/promql-syntax";
import { expect, it } from "vitest";
import { createQueryReader } from "./parsed-queries.ts";

it("a text is read as it is, however often and whatever came between", () => {
  const read = createQueryReader({ experimentalFunctions: true });
  const texts = Array.from({ length: 300 }, (_, i) => `sum by (a) (rate(x${String(i)}[5m])) + `.repeat(i % 3) + "y");
  for (const text of [...texts, "sum(", ...texts, "sum("]) {
    expect(read(text)).toEqual(parseExpression(text, { experimentalFunctions: true }));
  }
  expect(read("y")).toBe(read("y"));
});

it("by its own options", () => {
  const text = "mad_over_time(x[5m])";
  expect(createQueryReader({ experimentalFunctions: true })(text).ok).toBe(true);
  expect(createQueryReader({ experimentalFunctions: false })(text).ok).toBe(false);
});
