import { defaultParseOptions, parseExpression } from "@pleiad/promql-syntax";
import { describe, expect, it } from "vitest";
import { planQuery } from "./plan-query.ts";
import { mapPlan } from "./rewrites.ts";

/** Names of the selectors whose histograms are read without buckets. */
function markedIn(query: string): readonly string[] {
  const expression = parseExpression(query, defaultParseOptions);
  if (!expression.ok) throw new Error(expression.failure.message);
  const window = { startMs: 0, endMs: 0, stepMs: 0, lookbackMs: 300_000, evaluationIntervalMs: 60_000 };
  const plan = planQuery(expression.value, window);
  if (!plan.ok) throw new Error(plan.failure.message);
  const marked: string[] = [];
  mapPlan(plan.value, (node) => {
    const select = node.kind === "select" ? node : node.kind === "window" ? node.select : undefined;
    if (select?.onlyStatistics === true) marked.push(select.matchers.map(({ value }) => value).join());
    return node;
  });
  return marked;
}

describe("histograms are read without buckets", () => {
  for (const [rule, query, marked] of [
    ["where only their count is asked for", "histogram_count(h)", ["h"]],
    ["or their sum, or mean", "histogram_sum(a) / histogram_avg(b)", ["a", "b"]],
    ["through functions and aggregations", "histogram_count(sum by (x) (rate(h[5m])))", ["h"]],
    ["on both sides of an operator", "histogram_count(a + b)", ["a", "b"]],
    ["not where they are taken whole", "h", []],
    ["not by themselves beside such a function", "histogram_count(a) and b", ["a"]],
    ["not where quantiles need them", "histogram_quantile(0.9, h)", []],
    ["nor anywhere under such a function", "histogram_fraction(0, 1, histogram_count(h))", []],
    ["not where they are trimmed", "histogram_count(h </ 5)", []],
    ["not in a subquery, whose samples are compared once more", "histogram_count(rate(h[5m:1m]))", []],
    ["not under a subquery", "max_over_time(histogram_count(h)[5m:1m])", []],
  ] as const) {
    it(`${rule}: ${query}`, () => expect(markedIn(query)).toEqual(marked));
  }
});
