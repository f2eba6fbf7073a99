import { formatPlan, planQuery } from "@pleiad/promql-plan";
import { parseExpression } from "@pleiad/promql-syntax";
import { expect, it } from "vitest";
import { createQueryPlanner } from "./planned-queries.ts";

function expressionOf(text: string) {
  const parsed = parseExpression(text);
  if (!parsed.ok) throw new Error(parsed.failure.message);
  return parsed.value;
}

const text = "sum(rate(x[5m])) / count(rate(x[5m])) + start_time";
const base = { startMs: 0, endMs: 3_600_000, stepMs: 60_000, lookbackMs: 300_000, evaluationIntervalMs: 60_000 };

it("a plan is made anew for another window, and is otherwise the last one", () => {
  const planner = createQueryPlanner();
  const expression = expressionOf(text);
  const planOf = (window: typeof base, hintsMatter = false) => {
    const planned = planner(expression, { text, window, hintsMatter });
    if (!planned.ok) throw new Error(planned.failure.message);
    return planned.value;
  };
  for (const window of [
    base,
    { ...base, startMs: 60_000 },
    { ...base, endMs: 60_000 },
    { ...base, stepMs: 30_000 },
    { ...base, lookbackMs: 1000 },
    { ...base, evaluationIntervalMs: 1000 },
  ]) {
    const fresh = planQuery(expression, window);
    expect(fresh).toEqual({ ok: true, value: planOf(window).plan });
    expect(planOf(window)).toBe(planOf({ ...window }));
    expect(planOf(window).joined()).toBe(planOf(window).joined());
    expect(formatPlan(planOf(window).joined())).toBe(formatPlan(planOf(window).plan));
    const before = planOf(window);
    expect(planOf(window, true)).not.toBe(before);
  }
});

it("another tree has its own", () => {
  const planner = createQueryPlanner();
  const options = { text, window: base, hintsMatter: false };
  const [one, other] = [planner(expressionOf(text), options), planner(expressionOf(text), options)];
  expect(one).not.toBe(other);
  expect(one.ok && one.value.plan).toEqual(other.ok && other.value.plan);
});
