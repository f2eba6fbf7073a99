/** Which aggregations of a plan are computed in one pass: each set by the operators in it. */
import { experimentalParseOptions, parseExpression } from "@pleiad/promql-syntax";
import { describe, expect, it } from "vitest";
import { formatPlan } from "./format-plan.ts";
import { joinAggregates } from "./joint-aggregates.ts";
import type { PlanNode } from "./plan-node.ts";
import { planQuery } from "./plan-query.ts";
import { mapPlan } from "./rewrites.ts";

const window = { startMs: 0, endMs: 3_600_000, stepMs: 60_000, lookbackMs: 300_000, evaluationIntervalMs: 60_000 };

function joined(query: string, hintsMatter = false): PlanNode {
  const parsed = parseExpression(query, experimentalParseOptions);
  if (!parsed.ok) throw new Error(parsed.failure.message);
  const plan = planQuery(parsed.value, window);
  if (!plan.ok) throw new Error(plan.failure.message);
  const result = joinAggregates(plan.value, { window, text: query, hintsMatter });
  expect(formatPlan(result)).toBe(formatPlan(plan.value));
  return result;
}

/** "sum+count" for each set, and that every member is where its place says. */
function setsOf(plan: PlanNode): readonly string[] {
  const sets = new Map<number, string>();
  mapPlan(plan, (node) => {
    if (node.kind !== "aggregate" || node.joint === undefined) return node;
    const { set, place, members } = node.joint;
    expect(members[place]).toEqual({ operator: node.operator, inputRange: node.input.range });
    sets.set(set, members.map(({ operator }) => operator).join("+"));
    return node;
  });
  return [...sets.values()];
}

describe("aggregations that share an input", () => {
  for (const [rule, query, sets] of [
    ["of the same groups", "sum by (a) (x / y) / count by (a) (x / y)", ["sum+count"]],
    ["any that take one sample after the other", "min(x + y) + max(x + y) + stddev(x + y)", ["min+max+stddev"]],
    ["an operator may be there twice", "sum(x + y) / (1 + sum(x + y))", ["sum+sum"]],
    ["whatever stands around them", "1 - abs(sum(x ^ 2)) or -count(x ^ 2)", ["sum+count"]],
    ["by other groups", "sum by (a) (x / y) / sum by (b) (x / y)", []],
    ["with and without", "sum by (a) (x / y) / sum without (a) (x / y)", []],
    ["of other text", "sum(x / y) / count(x/y)", []],
    ["of another time", "sum(x / y) - sum(x / y offset 1m)", []],
    ["at other steps", "sum(x / y) + sum_over_time(count(x / y)[5m:1m])", []],
    ["at the same steps of one subquery", "sum_over_time((sum(x / y) / count(x / y))[5m:1m])", ["sum+count"]],
    ["once for all steps", "sum(x @ 60 / y @ 60) / count(x @ 60 / y @ 60)", ["sum+count"]],
    ["with a parameter", "quantile(0.5, x / y) / sum(x / y)", []],
    ["of a selector or a range of one: additions", "sum(x) / count(x) + avg(x) + group(x)", ["sum+count+avg+group"]],
    ["but no extremes, which are computed while it is read", "max(x) - min(x)", []],
    ["of these", "max(rate(x[5m])) - min(rate(x[5m])) + sum(rate(x[5m])) / count(rate(x[5m]))", ["sum+count"]],
    ["unless values are needed anyway", "max(x) - stddev(x)", ["max+stddev"]],
    ["read as a whole here, and as statistics there", "histogram_count(sum(x)) / count(x)", []],
    ["what reads nothing", "sum(vector(1)) / count(vector(1))", []],
    ["with more labels", "sum(info(x)) / count(info(x))", []],
    [
      "inner ones with the outer ones: what is not evaluated is in no set",
      "sum(x / on () count(y + 1)) / max(x / on () count(y + 1))",
      ["sum+max"],
    ],
    [
      "inner ones that stand alone too",
      "sum(x / on () count(y + 1)) / max(x / on () count(y + 1)) / sum(y + 1)",
      ["count+sum", "sum+max"],
    ],
  ] as const) {
    it(`${rule}: ${query}`, () => expect([...setsOf(joined(query))].sort()).toEqual([...sets]));
  }

  it("differ where a source gives other samples for another use", () => {
    expect(setsOf(joined("sum(x) / count(x)", true))).toEqual([]);
    expect(setsOf(joined("sum(rate(x[5m])) / count(rate(x[5m]))", true))).toEqual(["sum+count"]);
  });

  it("are as they were where nothing is shared", () => {
    const plan = joined("sum(x) + 1");
    expect(joinAggregates(plan, { window, text: "sum(x) + 1", hintsMatter: false })).toBe(plan);
  });
});
