/** Scalars: a number for every step, computed before the vectors that use them. */
import { unreachable } from "@pleiad/model";
import {
  arithmetic,
  comparisons,
  formatPlan,
  isArithmetic,
  isComparison,
  stepCountOf,
  type CallNode,
  type PlanNode,
  type StepGrid,
} from "@pleiad/promql-plan";
import { greaterOf, lesserOf } from "./float-extremes.ts";
import { batchStepsMax, createStepBatch, type Operator, type StepBatch } from "./operator.ts";
import { contextOfOnce, type QueryContext } from "./query-context.ts";
import { notEvaluated } from "./query-error.ts";
import { stepTimes } from "./step-grid.ts";

/** Computes the column. Called once. */
export type ScalarColumn = (signal: AbortSignal) => Promise<Float64Array>;

/** Makes the operator of a plan node of type vector. */
export type VectorBuilder = (node: PlanNode, grid: StepGrid, context: QueryContext) => Operator;

/** The column of a plan node of type scalar. `buildVector` makes the operator under `scalar(…)`. */
export function createScalarColumn(
  node: PlanNode,
  grid: StepGrid,
  context: QueryContext,
  buildVector: VectorBuilder,
): ScalarColumn {
  const stepCount = stepCountOf(grid);
  const columnOf = (input: PlanNode) => createScalarColumn(input, grid, context, buildVector);
  switch (node.kind) {
    case "number":
      return async () => new Float64Array(stepCount).fill(node.value);
    case "negate": {
      const input = columnOf(node.input);
      return async (signal) => (await input(signal)).map((value) => -value);
    }
    case "step-invariant": {
      const once = { ...grid, endMs: grid.startMs };
      const input = createScalarColumn(node.input, once, contextOfOnce(context, stepCount), buildVector);
      return async (signal) => new Float64Array(stepCount).fill((await input(signal))[0]);
    }
    case "binary": {
      const left = columnOf(node.left);
      const right = columnOf(node.right);
      const combine = scalarOperation(node.operator);
      return async (signal) => {
        const lefts = await left(signal);
        context.budget.take(stepCount);
        const rights = await right(signal);
        context.budget.give(stepCount);
        if (context.pace.due()) await context.pace.rest();
        return lefts.map((value, step) => combine(value, rights[step]));
      };
    }
    case "call":
      return scalarCall(node, grid, context, buildVector);
    case "string":
    case "select":
    case "window":
    case "subquery":
    case "aggregate":
    case "remote":
      throw new Error(`not a scalar: ${formatPlan(node)}`);
    default:
      return unreachable(node);
  }
}

function scalarOperation(operator: Extract<PlanNode, { kind: "binary" }>["operator"]) {
  if (isArithmetic(operator)) return arithmetic[operator];
  if (isComparison(operator)) {
    const compare = comparisons[operator];
    return (left: number, right: number) => Number(compare(left, right));
  }
  throw new Error(`no scalar operator: ${operator}`);
}

function scalarCall(node: CallNode, grid: StepGrid, context: QueryContext, buildVector: VectorBuilder): ScalarColumn {
  if (node.function === "time") return async () => stepTimes(grid).map((timeMs) => timeMs / 1000);
  if (node.function === "scalar") {
    const input = buildVector(node.arguments[0], grid, context);
    return async (signal) => await readOnlySamples(input, stepCountOf(grid), context, signal);
  }
  if (node.function === "min_of" || node.function === "max_of") {
    const pick = node.function === "min_of" ? lesserOf : greaterOf;
    const columns = node.arguments.map((argument) => createScalarColumn(argument, grid, context, buildVector));
    return async (signal) => {
      let result = await columns[0](signal);
      for (const column of columns.slice(1)) {
        const other = await column(signal);
        result = result.map((value, step) => pick(value, other[step]));
      }
      return result;
    };
  }
  throw notEvaluated(`the function ${node.function} is`);
}

/** For each step the value of the only float; NaN where there is none or more than one. */
async function readOnlySamples(
  input: Operator,
  stepCount: number,
  context: QueryContext,
  signal: AbortSignal,
): Promise<Float64Array> {
  await input.series(signal);
  const column = new Float64Array(stepCount).fill(NaN);
  const batch = createStepBatch(Math.min(batchStepsMax, stepCount));
  let at = 0;
  for (let steps = await input.next(batch, signal); steps > 0; steps = await input.next(batch, signal)) {
    let from = 0;
    for (let step = 0; step < steps; step++) {
      const to = batch.sampleEnds[step];
      column[at] = onlyFloat(batch, from, to);
      from = to;
      at++;
    }
    if (context.pace.due()) await context.pace.rest();
  }
  return column;
}

/** Histograms are passed over. */
function onlyFloat({ values, histograms }: StepBatch, from: number, to: number): number {
  if (histograms.length === 0) return to - from === 1 ? values[from] : NaN;
  let found = NaN;
  let count = 0;
  for (let i = from; i < to; i++) {
    if (histograms[i] !== undefined) continue;
    found = values[i];
    count++;
  }
  return count === 1 ? found : NaN;
}
