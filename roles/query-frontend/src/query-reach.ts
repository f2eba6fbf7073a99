/** Which samples a query looks at, seen from its steps: what decides whether it can be cut by time, and what may be kept. */
import { unreachable } from "@pleiad/model";
import {
  childExpressions,
  experimentalParseOptions,
  parseExpression,
  resolveDurationMs,
  type DurationExpression,
  type Expression,
  type TimeShift,
} from "@pleiad/promql-syntax";

/** Of a query whose value at one step depends on no other step, and not on where the range begins and ends. */
export interface QueryReach {
  /** The expression, to be printed in one spelling. */
  readonly expression: Expression;
  /** No sample later than a step by more than this is looked at for it; infinite where that is not known. */
  readonly aheadMs: number;
  /** The latest of the fixed times that `@` names, with what is read ahead of them; -Infinity where there is none. */
  readonly fixedMs: number;
}

/** Undefined where the query does not parse, or names its range: `start()`, `end()`, `range()`. */
export function reachOf(query: string, stepMs: number): QueryReach | undefined {
  const parsed = parseExpression(query, experimentalParseOptions);
  if (!parsed.ok) return undefined;
  const expression = parsed.value;
  const found = { aheadMs: 0, fixedMs: -Infinity };
  // A walk with a list of its own: chains of operators are deep.
  const open: { readonly node: Expression; readonly base: Base }[] = [{ node: expression, base: stepBase }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, base } = next;
    const inner = innerBase(node, base, stepMs);
    if (inner === undefined) return undefined;
    const latest = inner.aheadMs;
    if (inner.fixedMs === undefined) found.aheadMs = Math.max(found.aheadMs, latest);
    else found.fixedMs = Math.max(found.fixedMs, inner.fixedMs + latest);
    // The selector of a matrix carries the shift of the whole: it is looked at once, as its child.
    for (const child of childExpressions(node)) open.push({ node: child, base: inner });
  }
  return { expression, ...found };
}

/** The time at which an expression is evaluated: the step or a fixed time, and so much later. */
interface Base {
  readonly fixedMs: number | undefined;
  readonly aheadMs: number;
}

const stepBase: Base = { fixedMs: undefined, aheadMs: 0 };

/** The base of what is inside a node, or of the samples that it reads; undefined where it depends on the range. */
function innerBase(node: Expression, base: Base, stepMs: number): Base | undefined {
  switch (node.kind) {
    case "vector-selector": {
      const shifted = shiftedBase(node, base, stepMs);
      // A smoothed range looks past its end for the next sample, as far as the lookback that only the querier knows.
      return node.extension === "smoothed" && shifted !== undefined ? { ...shifted, aheadMs: Infinity } : shifted;
    }
    case "matrix-selector":
      return namesRange(node.window) ? undefined : base;
    case "subquery":
      if (namesRange(node.window) || (node.step !== undefined && namesRange(node.step))) return undefined;
      return shiftedBase(node, base, stepMs);
    default:
      return base;
  }
}

function shiftedBase({ at, offset }: TimeShift, base: Base, stepMs: number): Base | undefined {
  if (at !== undefined && at.kind !== "time") return undefined;
  const from = at === undefined ? base : { fixedMs: at.timestampMs, aheadMs: 0 };
  if (offset === undefined) return from;
  if (namesRange(offset)) return undefined;
  const offsetMs = resolveDurationMs(offset, { stepMs, queryRangeMs: 0 });
  return { ...from, aheadMs: from.aheadMs - (offsetMs.ok ? offsetMs.value : -Infinity) };
}

function namesRange(duration: DurationExpression): boolean {
  switch (duration.kind) {
    case "constant":
    case "step":
      return false;
    case "query-range":
      return true;
    case "identity":
    case "negate":
      return namesRange(duration.operand);
    case "binary":
      return namesRange(duration.left) || namesRange(duration.right);
    default:
      return unreachable(duration);
  }
}
