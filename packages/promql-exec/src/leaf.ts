/** The leaves of a query: where series are read and their samples become values at steps. */
import { metricNameLabel } from "@pleiad/model";
import { stepCountOf, type SelectNode, type StepGrid } from "@pleiad/promql-plan";
import type { SourceRange } from "@pleiad/promql-syntax";
import { isSinglePass, kernelNumber } from "./leaf-runner.ts";
import type { LeafFold, LeafKernel, LeafShape } from "./leaf-task.ts";
import type { QueryContext } from "./query-context.ts";

/** A selector alone, or below a function over ranges that takes nothing else. */
export interface Leaf {
  readonly kernel: LeafKernel;
  readonly select: SelectNode;
  /** Whether its results are another metric than its series. */
  readonly dropsName: boolean;
  readonly range: SourceRange; // where the selector stands in the query
}

/**
 * Whether a leaf may be computed in tasks; what its series are made of decides in the end. Start timestamps do not matter:
 * the encoding that tasks read has none.
 */
export function isFitLeaf({ kernel, select }: Leaf, grid: StepGrid): boolean {
  return select.extension === undefined && kernelNumber(kernel) !== undefined && stepCountOf(grid) > 0;
}

/** Whether two series of a leaf may become one for want of their names, and the query then have to fail. */
export function mayMerge({ select, dropsName }: Leaf, context: QueryContext): boolean {
  if (!dropsName || context.delayedNameRemoval) return false;
  return !select.matchers.some(({ name, type, value }) => name === metricNameLabel && type === "=" && value !== "");
}

export function shapeOfLeaf(
  { kernel, select }: Leaf,
  fold: LeafFold,
  grid: StepGrid,
  { queryable }: Pick<QueryContext, "queryable">,
): LeafShape {
  const { offsetMs, atMs, rangeMs, minTimeMs, maxTimeMs } = select;
  const { startMs, stepMs } = grid;
  const windowShare = isSinglePass(kernel) ? 0 : Math.min(1, rangeMs / (maxTimeMs - minTimeMs + 1));
  const countsSamples = queryable !== undefined;
  const stepCount = stepCountOf(grid);
  return { kernel, fold, startMs, stepMs, stepCount, offsetMs, atMs, rangeMs, windowShare, countsSamples };
}
