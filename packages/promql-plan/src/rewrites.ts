/** Rewrites of a plan that keep its answer. Each gives a new plan, sharing what it leaves alone. */
import { unreachable, type Matcher } from "@pleiad/model";
import { arithmetic, comparisons, isArithmetic, isComparison } from "./float-arithmetic.ts";
import type { PlanNode, SelectNode, StepGrid } from "./plan-node.ts";

/** Computes what is made of numbers alone. Exact: the engine would do the same operation at every step. */
export function foldConstants(node: PlanNode): PlanNode {
  return mapPlan(node, (one) => {
    if (one.kind === "step-invariant" && one.input.kind === "number") return one.input;
    if (one.kind === "negate" && one.input.kind === "number") {
      return { kind: "number", value: -one.input.value, range: one.range };
    }
    if (one.kind === "call" && one.function === "pi") return { kind: "number", value: Math.PI, range: one.range };
    if (one.kind !== "binary" || one.left.kind !== "number" || one.right.kind !== "number") return one;
    const { operator, left, right, range } = one;
    if (isArithmetic(operator)) {
      return { kind: "number", value: arithmetic[operator](left.value, right.value), range };
    }
    if (isComparison(operator)) {
      return { kind: "number", value: Number(comparisons[operator](left.value, right.value)), range };
    }
    return one;
  });
}

/** Leaves out conditions that every series fulfils, so that no source tests them. */
export function simplifyMatchers(node: PlanNode): PlanNode {
  const simplify = (select: SelectNode): SelectNode => {
    // `info` adds the labels that its conditions name, whatever they demand.
    if (select.hints.function === "info" || !select.matchers.some(isIdle)) return select;
    // A second condition on the same label decides which labels `absent` makes up: such pairs stay.
    const counts = new Map<string, number>();
    for (const { name } of select.matchers) counts.set(name, (counts.get(name) ?? 0) + 1);
    const needed = select.matchers.filter((matcher) => !isIdle(matcher) || counts.get(matcher.name) !== 1);
    return needed.length === select.matchers.length ? select : { ...select, matchers: needed };
  };
  return mapPlan(node, (one) => {
    if (one.kind === "select") return simplify(one);
    if (one.kind === "window") return { ...one, select: simplify(one.select) };
    return one;
  });
}

function isIdle({ type, value }: Matcher): boolean {
  return type === "=~" && value === ".*";
}

/**
 * Rebuilds a plan from its leaves up, giving every node, its inputs done, to `rewrite`. What is evaluated elsewhere is a
 * leaf: its query stays as it is.
 */
export function mapPlan(node: PlanNode, rewrite: (node: PlanNode) => PlanNode): PlanNode {
  return rewrite(mapInputs(node, (input) => mapPlan(input, rewrite)));
}

/** The steps at which the inputs of a node are evaluated. */
export function gridBelow(node: PlanNode, grid: StepGrid): StepGrid {
  if (node.kind === "subquery") return node.grid;
  return node.kind === "step-invariant" ? { ...grid, endMs: grid.startMs } : grid;
}

/** The node over other inputs. */
export function mapInputs(node: PlanNode, map: (input: PlanNode) => PlanNode): PlanNode {
  switch (node.kind) {
    case "number":
    case "string":
    case "select":
    case "window":
    case "remote":
      return node;
    case "subquery":
    case "step-invariant":
    case "negate":
      return { ...node, input: map(node.input) };
    case "binary":
      return { ...node, left: map(node.left), right: map(node.right) };
    case "aggregate":
      return { ...node, parameter: node.parameter && map(node.parameter), input: map(node.input) };
    case "call":
      return { ...node, arguments: node.arguments.map(map) };
    default:
      return unreachable(node);
  }
}
