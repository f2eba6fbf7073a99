import { formatExpression } from "@pleiad/promql-syntax";
import { describe, expect, it } from "vitest";
import { reachOf } from "./query-reach.ts";

const minuteMs = 60_000;
const stepMs = minuteMs;

describe("how far a query looks ahead of its steps", () => {
  for (const [query, aheadMs, fixedMs = -Infinity] of [
    ["up", 0],
    ["rate(up[5m] offset 1h)", 0],
    ["up offset -5m", 5 * minuteMs],
    ["sum(up offset -5m) / sum(up offset -7m)", 7 * minuteMs],
    ["max_over_time((up offset -5m)[1h:1m] offset -10m)", 15 * minuteMs],
    ["max_over_time((up offset -5m)[1h:1m] offset 10m)", 0],
    ["up offset (-2 * step())", 2 * stepMs],
    ["rate(up[5m] smoothed)", Infinity],
    ["rate(up[5m] anchored)", 0],
    ["up @ 100", 0, 100_000],
    ["up @ 100 offset -1m", 0, 160_000],
    ["up @ 100 offset 1m", 0, 40_000],
    ["up @ 100 + up @ 200 + up offset -1m", minuteMs, 200_000],
    ["max_over_time((up offset -1m)[5m:1m] @ 100)", 0, 160_000],
    ["max_over_time((up @ 300)[5m:1m] offset -1m)", minuteMs, 300_000],
    ["time()", 0],
    ["1", 0],
  ] as readonly (readonly [string, number, number?])[]) {
    it(query, () => expect(reachOf(query, stepMs)).toMatchObject({ aheadMs, fixedMs }));
  }
});

describe("a query that depends on its range, or does not parse, has none", () => {
  for (const query of [
    "up @ start()",
    "up - up @ end()",
    "max_over_time(up[5m:1m] @ end())",
    "sum(rate((up @ start())[5m:1m]))",
    "rate(up[range()])",
    "up offset range()",
    "max_over_time(up[1h:range()])",
    "sum(",
    "",
  ]) {
    it(query === "" ? "an empty one" : query, () => expect(reachOf(query, stepMs)).toBeUndefined());
  }
});

it("a chain of four hundred operators is walked to its end", () => {
  const reach = reachOf(Array.from({ length: 400 }, () => "up").join(" + "), stepMs);
  expect(reach === undefined ? "" : formatExpression(reach.expression).length).toBe(400 * 5 - 3);
});
