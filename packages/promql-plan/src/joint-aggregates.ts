/**
 * Aggregations of one plan over the same groups of the same input, as an average by its parts has them: the input is evaluated once
 * for all. Pure.
 */
import { inputsOf, someNode } from "./partitioned-plan.ts";
import {
  type AggregateNode,
  type JointPlace,
  type OnePassOperator,
  type PlanNode,
  type StepGrid,
} from "./plan-node.ts";
import { gridOf, type QueryWindow } from "./plan-query.ts";
import { gridBelow, mapInputs, mapPlan } from "./rewrites.ts";

export interface JoinOptions {
  readonly window: QueryWindow;
  readonly text: string; // of the query: the same input is spelled the same
  /** Whether what a source gives depends on what it is told of the use, as with downsampled series. */
  readonly hintsMatter: boolean;
}

const onePassOperators: ReadonlySet<string> = new Set<OnePassOperator>([
  ...(["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"] as const),
]);

type OnePassNode = AggregateNode & { readonly operator: OnePassOperator };

export function isOnePass(node: AggregateNode): node is OnePassNode {
  return node.parameter === undefined && onePassOperators.has(node.operator);
}

/** The plan with the `joint` places of aggregations that share an input. Each member of a set has the whole set. */
export function joinAggregates(plan: PlanNode, { window, text, hintsMatter }: JoinOptions): PlanNode {
  const places = new Map<PlanNode, JointPlace>();
  const repeated = new Set<PlanNode>(); // below inputs that are not evaluated
  for (const alike of spelledAlike(plan, gridOf(window), text)) {
    for (const nodes of withEqualInputs(alike, hintsMatter).flatMap(worthJoining)) {
      const own = nodes.filter((node) => !repeated.has(node));
      if (own.length < 2) continue;
      const members = own.map(({ operator, input }) => ({ operator, inputRange: input.range }));
      for (const [place, node] of own.entries()) {
        places.set(node, { set: places.size - place, place, members });
        if (place > 0) addAll(node.input, repeated);
      }
    }
  }
  if (places.size === 0) return plan;
  const mark = (node: PlanNode): PlanNode => {
    const joint = places.get(node);
    const marked = mapInputs(node, mark);
    if (joint === undefined || marked.kind !== "aggregate") return marked;
    return { ...marked, input: hintsMatter ? marked.input : withoutHints(marked.input), joint };
  };
  return mark(plan);
}

function addAll(node: PlanNode, to: Set<PlanNode>): void {
  to.add(node);
  for (const input of inputsOf(node)) addAll(input, to);
}

/** Aggregations by the same groups at the same steps whose inputs are the same text; outer ones before inner ones. */
function spelledAlike(plan: PlanNode, grid: StepGrid, text: string): readonly (readonly OnePassNode[])[] {
  const byText = new Map<string, OnePassNode[]>();
  const look = (node: PlanNode, at: StepGrid): void => {
    if (node.kind === "aggregate" && isOnePass(node) && isShareable(node.input)) {
      const { without, grouping, input } = node;
      const key = JSON.stringify([without, grouping, text.slice(input.range.start, input.range.end), at]);
      const alike = byText.get(key);
      if (alike === undefined) byText.set(key, [node]);
      else alike.push(node);
    }
    for (const input of inputsOf(node)) look(input, gridBelow(node, at));
  };
  look(plan, grid);
  return [...byText.values()].filter(({ length }) => length > 1);
}

/** Parts quote positions of the query, and info series are chosen by hints; what reads nothing costs nothing. */
function isShareable(input: PlanNode): boolean {
  if (someNode(input, (one) => one.kind === "remote" || (one.kind === "call" && one.function === "info"))) return false;
  return someNode(input, (one) => one.kind === "select" || one.kind === "window");
}

/** The same text may be read in other ways: under functions that need only a part of each histogram, for one. */
function withEqualInputs(nodes: readonly OnePassNode[], hintsMatter: boolean): readonly (readonly OnePassNode[])[] {
  const inputOf = (node: OnePassNode) =>
    JSON.stringify(node.input, (name, value: unknown) =>
      name === "range" || (name === "hints" && !hintsMatter) ? undefined : value,
    );
  return [...Map.groupBy(nodes, inputOf).values()];
}

const additions: ReadonlySet<string> = new Set<OnePassOperator>(["sum", "avg", "count", "group"]);

/**
 * Selectors, and functions over their ranges, are aggregated while they are read: additions together, extremes each for itself.
 * Deviations need the values.
 */
function worthJoining(nodes: readonly OnePassNode[]): readonly (readonly OnePassNode[])[] {
  const [first] = nodes;
  const isLeaf =
    first?.input.kind === "select" ||
    (first?.input.kind === "call" && first.input.arguments.some(({ kind }) => kind === "window"));
  if (!isLeaf || nodes.some(({ operator }) => operator === "stddev" || operator === "stdvar")) return [nodes];
  return [nodes.filter(({ operator }) => additions.has(operator))];
}

function withoutHints(input: PlanNode): PlanNode {
  return mapPlan(input, (node) => {
    if (node.kind === "select") return { ...node, hints: {} };
    return node.kind === "window" ? { ...node, select: { ...node.select, hints: {} } } : node;
  });
}
