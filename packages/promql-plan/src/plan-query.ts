/** From the tree of a query to its plan: times, offsets and durations resolved, parentheses gone, constants folded. */
import { fail, ok, unreachable, type Result, type SelectHints } from "@pleiad/model";
import {
  resolveDurationMs,
  typeOf,
  type DurationExpression,
  type Expression,
  type SourceRange,
  type TimeShift,
  type VectorSelector,
} from "@pleiad/promql-syntax";
import { markHistogramStatistics } from "./histogram-statistics.ts";
import { foldConstants, simplifyMatchers } from "./rewrites.ts";
import type { PlanNode, SelectNode, StepGrid } from "./plan-node.ts";

export interface QueryWindow {
  readonly startMs: number;
  readonly endMs: number; // inclusive
  readonly stepMs: number; // 0 for an instant query
  readonly lookbackMs: number;
  readonly evaluationIntervalMs: number; // the step of a subquery that names none
}

export interface PlanFailure {
  readonly kind: "duration";
  readonly message: string;
  readonly range: SourceRange;
}

/** The plan of a query that the parser accepted. Fails where a duration expression gives none. */
export function planQuery(expression: Expression, window: QueryWindow): Result<PlanNode, PlanFailure> {
  try {
    const node = lower(expression, { window, grid: gridOf(window), invariant: false, hints: {} });
    return ok(markHistogramStatistics(simplifyMatchers(foldConstants(node))));
  } catch (error) {
    if (error instanceof DurationError) return fail({ kind: "duration", message: error.message, range: error.range });
    throw error;
  }
}

/** The steps of a query: an instant query has one. */
export function gridOf({ startMs, endMs, stepMs }: Pick<QueryWindow, "startMs" | "endMs" | "stepMs">): StepGrid {
  if (stepMs <= 0 || endMs <= startMs) return { startMs, endMs: startMs, stepMs: Math.max(stepMs, 1) };
  return { startMs, endMs: startMs + Math.floor((endMs - startMs) / stepMs) * stepMs, stepMs };
}

/** Where a node stands: the steps it is evaluated at, and what its parent will do with it. */
interface Scope {
  readonly window: QueryWindow;
  readonly grid: StepGrid;
  /** Inside a part that is evaluated once. */
  readonly invariant: boolean;
  readonly hints: Pick<SelectHints, "function" | "grouping">;
}

/** Leaves the recursion; caught by `planQuery` alone. */
class DurationError extends Error {
  readonly range: SourceRange;

  constructor(message: string, range: SourceRange) {
    super(message);
    this.range = range;
  }
}

/** Functions whose value depends on the evaluation time although their arguments do not. */
const timeDependentFunctions: ReadonlySet<string> = new Set([
  "days_in_month",
  "day_of_month",
  "day_of_week",
  "day_of_year",
  "hour",
  "minute",
  "month",
  "year",
  "predict_linear",
  "time",
  "timestamp",
]);

function lower(expression: Expression, scope: Scope): PlanNode {
  if (!scope.invariant && isWorthEvaluatingOnce(expression) && isStepInvariant(expression)) {
    const { startMs, stepMs } = scope.grid;
    const input = lower(expression, { ...scope, invariant: true, grid: { startMs, endMs: startMs, stepMs } });
    return { kind: "step-invariant", input, range: expression.range };
  }
  switch (expression.kind) {
    case "number":
      return { kind: "number", value: expression.value, range: expression.range };
    case "string":
      return { kind: "string", value: expression.value, range: expression.range };
    case "paren":
      return lower(expression.input, scope);
    case "vector-selector":
      return lowerSelector(expression, scope.window.lookbackMs, scope, {});
    case "matrix-selector": {
      const rangeMs = durationOf(expression.window, scope, "positive");
      const select = lowerSelector(expression.selector, rangeMs, scope, { rangeMs });
      return { kind: "window", select, range: expression.range };
    }
    case "subquery":
      return lowerSubquery(expression, scope);
    case "unary": {
      if (expression.operator === "+") return lower(expression.input, scope);
      // The least of negated values is not that of the values: the source must not take the hint.
      const input = lower(expression.input, { ...scope, hints: {} });
      return { kind: "negate", input, range: expression.range };
    }
    case "binary":
      return {
        kind: "binary",
        operator: expression.operator,
        bool: expression.bool,
        left: lower(expression.left, { ...scope, hints: {} }),
        right: lower(expression.right, { ...scope, hints: {} }),
        matching: expression.matching,
        range: expression.range,
      };
    case "aggregation": {
      const { operator, without, grouping, range } = expression;
      const hints = { function: operator, grouping: { by: !without, labels: grouping } };
      const parameter = expression.parameter && lower(expression.parameter, { ...scope, hints: {} });
      const input = lower(expression.input, { ...scope, hints });
      return { kind: "aggregate", operator, without, grouping, parameter, input, range };
    }
    case "call": {
      const constant = queryConstant(expression.function, scope.window);
      if (constant !== undefined) return { kind: "number", value: constant, range: expression.range };
      const hints = { ...scope.hints, function: expression.function };
      const given = expression.function === "info" ? withInfoSelector(expression.arguments) : expression.arguments;
      return {
        kind: "call",
        function: expression.function,
        type: typeOf(expression),
        arguments: given.map((argument) => lower(argument, { ...scope, hints })),
        range: expression.range,
      };
    }
    default:
      return unreachable(expression);
  }
}

/**
 * The arguments of `info`, both there: the series to enrich, and which series enrich them. The latter are looked at when the
 * first selector of the former looks.
 */
function withInfoSelector([input, given]: readonly Expression[]): readonly Expression[] {
  if (input === undefined) return [];
  const shift = shiftOfFirstSelector(input, noShift) ?? noShift;
  const selector: VectorSelector =
    given?.kind === "vector-selector"
      ? given
      : {
          kind: "vector-selector",
          matchers: [],
          metricName: undefined,
          extension: undefined,
          ...noShift,
          range: input.range,
        };
  return [input, { ...selector, ...shift }];
}

const noShift: TimeShift = { offset: undefined, at: undefined };

/** Offsets of subqueries around a selector add up, as far out as the first `@`. */
function shiftOfFirstSelector(expression: Expression, around: TimeShift): TimeShift | undefined {
  const first = (inputs: readonly Expression[]) => {
    for (const input of inputs) {
      const shift = shiftOfFirstSelector(input, around);
      if (shift !== undefined) return shift;
    }
    return undefined;
  };
  switch (expression.kind) {
    case "number":
    case "string":
      return undefined;
    case "vector-selector":
      return combineShifts(expression, around);
    case "matrix-selector":
      return combineShifts(expression.selector, around);
    case "subquery":
      return shiftOfFirstSelector(expression.input, combineShifts(expression, around));
    case "paren":
    case "unary":
      return first([expression.input]);
    case "binary":
      return first([expression.left, expression.right]);
    case "aggregation":
      return first(expression.parameter === undefined ? [expression.input] : [expression.input, expression.parameter]);
    case "call":
      return first(expression.arguments);
    default:
      return unreachable(expression);
  }
}

function combineShifts(inner: TimeShift, around: TimeShift): TimeShift {
  if (inner.at !== undefined || around.offset === undefined) {
    return { offset: inner.offset, at: inner.at ?? around.at };
  }
  if (inner.offset === undefined) return around;
  const offset: DurationExpression = {
    kind: "binary",
    operator: "+",
    left: inner.offset,
    right: around.offset,
    range: inner.offset.range,
  };
  return { offset, at: around.at };
}

/** Functions that tell about the query: they are known before it runs, in seconds. */
function queryConstant(name: string, { startMs, endMs, stepMs }: QueryWindow): number | undefined {
  switch (name) {
    case "start":
      return startMs / 1000;
    case "end":
      return endMs / 1000;
    case "range":
      return (endMs - startMs) / 1000;
    case "step":
      return startMs === endMs ? 0 : stepMs / 1000;
    default:
      return undefined;
  }
}

function lowerSelector(
  selector: VectorSelector,
  rangeMs: number,
  scope: Scope,
  windowHints: Pick<SelectHints, "rangeMs">,
): SelectNode {
  const { offsetMs, atMs } = shiftOf(selector, scope);
  const { startMs, endMs, stepMs } = scope.grid;
  const { extension } = selector;
  // An instant selector's window is the lookback already.
  const beforeMs = extension !== undefined && windowHints.rangeMs !== undefined ? scope.window.lookbackMs : 0;
  const afterMs = extension === "smoothed" ? scope.window.lookbackMs : 0;
  return {
    kind: "select",
    matchers: selector.matchers,
    offsetMs,
    atMs,
    rangeMs,
    // Left-open: a sample exactly at the far end is not seen.
    minTimeMs: (atMs ?? startMs) - offsetMs - rangeMs - beforeMs + 1,
    maxTimeMs: (atMs ?? endMs) - offsetMs + afterMs,
    hints: { ...scope.hints, ...windowHints, ...(scope.window.stepMs > 0 ? { stepMs } : {}) },
    extension,
    beforeMs,
    afterMs,
    range: selector.range,
  };
}

function lowerSubquery(expression: Extract<Expression, { kind: "subquery" }>, scope: Scope): PlanNode {
  const rangeMs = durationOf(expression.window, scope, "positive");
  const { offsetMs, atMs } = shiftOf(expression, scope);
  const stepMs =
    expression.step === undefined
      ? scope.window.evaluationIntervalMs
      : durationOf(expression.step, scope, "positive") || scope.window.evaluationIntervalMs;
  const fromMs = (atMs ?? scope.grid.startMs) - offsetMs - rangeMs;
  const toMs = (atMs ?? scope.grid.endMs) - offsetMs;
  // The first absolute multiple of the step after the left end, which is excluded.
  const startMs = (Math.floor(fromMs / stepMs) + 1) * stepMs;
  const stepsAfterStart = Math.floor((toMs - startMs) / stepMs);
  const grid = { startMs, endMs: startMs + stepsAfterStart * stepMs, stepMs };
  const input = lower(expression.input, { ...scope, grid, invariant: false, hints: {} });
  return { kind: "subquery", input, grid, offsetMs, atMs, rangeMs, range: expression.range };
}

function shiftOf(shift: TimeShift, scope: Scope): { readonly offsetMs: number; readonly atMs: number | undefined } {
  const offsetMs = shift.offset === undefined ? 0 : durationOf(shift.offset, scope, "any");
  if (shift.at === undefined) return { offsetMs, atMs: undefined };
  switch (shift.at.kind) {
    case "time":
      return { offsetMs, atMs: shift.at.timestampMs };
    case "start":
      return { offsetMs, atMs: scope.window.startMs };
    case "end":
      return { offsetMs, atMs: scope.window.endMs };
    default:
      return unreachable(shift.at);
  }
}

function durationOf(duration: DurationExpression, scope: Scope, sign: "positive" | "any"): number {
  const { startMs, endMs, stepMs } = scope.window;
  const resolved = resolveDurationMs(duration, { stepMs, queryRangeMs: endMs - startMs });
  const refusal = !resolved.ok
    ? resolved.failure
    : sign === "positive" && resolved.value <= 0
      ? "duration must be greater than 0"
      : undefined;
  if (refusal === undefined && resolved.ok) return resolved.value;
  const { start, end } = duration.range;
  throw new DurationError(`${start}:${end}: ${refusal}`, duration.range);
}

/** Literals cost nothing, and range vectors are read by the function around them. */
function isWorthEvaluatingOnce(expression: Expression): boolean {
  switch (expression.kind) {
    case "number":
    case "string":
    case "matrix-selector":
    case "subquery":
      return false;
    case "paren":
      return isWorthEvaluatingOnce(expression.input);
    case "unary":
      return isWorthEvaluatingOnce(expression.input);
    default:
      return true;
  }
}

/** Whether the expression gives the same at every step of the query. */
function isStepInvariant(expression: Expression): boolean {
  switch (expression.kind) {
    case "number":
    case "string":
      return true;
    case "vector-selector":
      return expression.at !== undefined;
    case "matrix-selector":
      return expression.selector.at !== undefined;
    case "subquery":
      return expression.at !== undefined;
    case "paren":
    case "unary":
      return isStepInvariant(expression.input);
    case "binary":
      return isStepInvariant(expression.left) && isStepInvariant(expression.right);
    case "aggregation":
      return (
        isStepInvariant(expression.input) &&
        (expression.parameter === undefined || isStepInvariant(expression.parameter))
      );
    case "call": {
      if (!expression.arguments.every(isStepInvariant)) return false;
      if (!timeDependentFunctions.has(expression.function)) return true;
      // The sample's own time is as fixed as the sample; the time of anything else is the step's.
      return expression.function === "timestamp" && withoutParens(expression.arguments[0])?.kind === "vector-selector";
    }
    default:
      return unreachable(expression);
  }
}

function withoutParens(expression: Expression | undefined): Expression | undefined {
  return expression?.kind === "paren" ? withoutParens(expression.input) : expression;
}
