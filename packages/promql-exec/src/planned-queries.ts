/**
 * Plans of queries as they were made last: a tier above asks every cluster of a process the same at the same time, and dashboards ask
 * for the same more than once.
 */
import { ok, type Result } from "@pleiad/model";
import { joinAggregates, planQuery, type PlanFailure, type PlanNode, type QueryWindow } from "@pleiad/promql-plan";
import type { Expression } from "@pleiad/promql-syntax";

export interface PlannedQuery {
  readonly plan: PlanNode;
  /** The plan with what aggregations share; made when it is first asked for. */
  readonly joined: () => PlanNode;
}

export interface PlanningOptions {
  readonly text: string; // of the expression
  readonly window: QueryWindow;
  readonly hintsMatter: boolean; // as in `JoinOptions`
}

export type QueryPlanner = (expression: Expression, options: PlanningOptions) => Result<PlannedQuery, PlanFailure>;

/** Keeps the last plan of each tree, while the tree itself is kept: plans are shared, nobody changes them. */
export function createQueryPlanner(): QueryPlanner {
  const planned = new WeakMap<Expression, { readonly key: string; readonly query: PlannedQuery }>();
  return (expression, options) => {
    const { window, hintsMatter } = options;
    const { startMs, endMs, stepMs, lookbackMs, evaluationIntervalMs } = window;
    const key = [startMs, endMs, stepMs, lookbackMs, evaluationIntervalMs, hintsMatter].join();
    const known = planned.get(expression);
    if (known?.key === key) return ok(known.query);
    const plan = planQuery(expression, window);
    if (!plan.ok) return plan;
    let joined: PlanNode | undefined;
    const query: PlannedQuery = {
      plan: plan.value,
      joined: () => (joined ??= joinAggregates(plan.value, options)),
    };
    planned.set(expression, { key, query });
    return ok(query);
  };
}
