import { experimentalParseOptions, parseExpression } from "@pleiad/promql-syntax";
import { describe, expect, it } from "vitest";
import { formatPlan } from "./format-plan.ts";
import type { PlanNode } from "./plan-node.ts";
import { planQuery, type QueryWindow } from "./plan-query.ts";

/** From 1000 s to 1600 s in steps of 60 s. */
const window: QueryWindow = {
  startMs: 1_000_000,
  endMs: 1_600_000,
  stepMs: 60_000,
  lookbackMs: 300_000,
  evaluationIntervalMs: 60_000,
};

function planText(text: string, over: Partial<QueryWindow> = {}) {
  const parsed = parseExpression(text, experimentalParseOptions);
  if (!parsed.ok) throw new Error(parsed.failure.message);
  return planQuery(parsed.value, { ...window, ...over });
}

function plan(text: string, over: Partial<QueryWindow> = {}): PlanNode {
  const planned = planText(text, over);
  if (!planned.ok) throw new Error(planned.failure.message);
  return planned.value;
}

describe("the plan of a query", () => {
  for (const [rule, text, line] of [
    ["a selector is its matchers", `up{job="a"}`, `{job="a",__name__="up"}`],
    ["parentheses are gone", "((up))", `{__name__="up"}`],
    ["numbers are computed", "1 + 2 * 3 ^ 2", "19"],
    ["so are comparisons of numbers", "1 < bool 2", "1"],
    ["division by zero is a number", "1 / 0", "+Inf"],
    ["offsets are milliseconds", "up offset 5m", `{__name__="up"} offset 5m`],
    ["a negative offset looks ahead", "up offset -5m", `{__name__="up"} offset -5m`],
    ["a fixed time makes a part the same at every step", "up @ 10", `once({__name__="up"} @ 10.000)`],
    ["start() is the start of the query", "up @ start()", `once({__name__="up"} @ 1000.000)`],
    ["end() is the end of the query", "up @ end() offset 1m", `once({__name__="up"} @ 1600.000 offset 1m)`],
    [
      "as much as possible is evaluated once",
      "sum(rate(x[5m] @ 10)) + y",
      `(once(sum by () (rate({__name__="x"}[5m] @ 10.000))) + {__name__="y"})`,
    ],
    [
      "what depends on the step's time is not",
      "predict_linear(x[5m] @ 10, 60)",
      `predict_linear({__name__="x"}[5m] @ 10.000, 60)`,
    ],
    ["a sample's own time is fixed with it", "timestamp(x @ 10)", `once(timestamp({__name__="x"} @ 10.000))`],
    ["the time of a result is not", "timestamp(abs(x @ 10))", `timestamp(once(abs({__name__="x"} @ 10.000)))`],
    [
      "a subquery without a step takes the server's",
      "max_over_time(x[10m:])",
      `max_over_time(({__name__="x"})[10m:1m])`,
    ],
    [
      "inside of a subquery too",
      "max_over_time((x @ 10)[10m:1m])",
      `max_over_time((once({__name__="x"} @ 10.000))[10m:1m])`,
    ],
    ["a condition that always holds is left out", `up{job=~".*"}`, `{__name__="up"}`],
    ["unless another is on the same label", `up{job=~".*",job="a"}`, `{job=~".*",job="a",__name__="up"}`],
    ["durations are computed", "rate(x[2m*2+step()])", `rate({__name__="x"}[5m])`],
    ["functions about the query are numbers", "range() + step()", "660"],
    ["a plus sign does nothing", "+up", `{__name__="up"}`],
    ["matching is kept", "a * on (b) group_left (c) d", `({__name__="a"} * on (b) group_left (c) {__name__="d"})`],
  ] as const) {
    it(rule, () => expect(formatPlan(plan(text))).toBe(line));
  }

  for (const [rule, text, minTimeMs, maxTimeMs] of [
    ["an instant selector reads the lookback, its far end excluded", "up", 700_001, 1_600_000],
    ["the last step decides, not the end of the range", "up", 700_001, 1_600_000],
    ["an offset moves both ends", "up offset 100s", 600_001, 1_500_000],
    ["a window takes the place of the lookback", "rate(x[10m])", 400_001, 1_600_000],
    ["a fixed time needs one window", "rate(x[10m] @ 2000)", 1_400_001, 2_000_000],
    ["a subquery begins at a multiple of its step", "max_over_time(x[10m:70s])", 120_001, 1_540_000 + 0],
  ] as const) {
    it(`samples to read: ${rule}`, () => {
      const selects: PlanNode[] = [];
      collectSelects(plan(text), selects);
      expect(selects).toMatchObject([{ minTimeMs, maxTimeMs }]);
    });
  }

  it("tells the source what is done with the samples", () => {
    const selects: PlanNode[] = [];
    collectSelects(plan("sum by (a) (rate(x[5m]))"), selects);
    expect(selects).toMatchObject([
      { hints: { function: "rate", rangeMs: 300_000, stepMs: 60_000, grouping: { by: true, labels: ["a"] } } },
    ]);
  });

  for (const [text, message] of [
    ["rate(x[5m-5m])", "duration must be greater than 0"],
    ["rate(x[5m/(step()-step())])", "division by zero"],
    ["x offset (1h%(step()-step()))", "modulo by zero"],
  ] as const) {
    it(`refuses ${text}`, () => {
      const planned = planText(text);
      expect(planned.ok ? "a plan" : planned.failure.message).toContain(message);
    });
  }
});

function collectSelects(node: PlanNode, found: PlanNode[]): void {
  switch (node.kind) {
    case "select":
      found.push(node);
      break;
    case "window":
      found.push(node.select);
      break;
    case "call":
      for (const argument of node.arguments) collectSelects(argument, found);
      break;
    case "subquery":
    case "step-invariant":
    case "negate":
    case "aggregate":
      collectSelects(node.input, found);
      break;
    case "binary":
      collectSelects(node.left, found);
      collectSelects(node.right, found);
      break;
    case "number":
    case "string":
      break;
  }
}
