/** The logical plan of a query: pure data, resolved in time, rewritten by pure functions, never changed in place. */
import { unreachable, type Matcher, type SelectHints } from "@pleiad/model";
import type {
  AggregationOperator,
  BinaryOperator,
  SourceRange,
  ValueType,
  VectorMatching,
} from "@pleiad/promql-syntax";

/** The times at which a part of a plan is evaluated: start, start + step … and `endMs`, which is the last of them. */
export interface StepGrid {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number; // above 0, also where there is one step only
}

/** A selector: which series, and which of their samples a step at time t sees. */
export interface SelectNode {
  readonly kind: "select";
  readonly matchers: readonly Matcher[];
  /** A step at t looks at `(atMs ?? t) - offsetMs`. */
  readonly offsetMs: number;
  readonly atMs: number | undefined;
  /** How far back from there the last sample may lie; the window of a range selector. Left end excluded. */
  readonly rangeMs: number;
  /** Every sample that any step may need, both ends included. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly hints: SelectHints;
  /** Of native histograms, nothing but count and sum is looked at. */
  readonly onlyStatistics?: true;
  readonly extension: "anchored" | "smoothed" | undefined;
  /** How far an extension looks beyond the window, before and after: the lookback, or not at all. */
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly range: SourceRange;
}

export interface WindowNode {
  readonly kind: "window";
  readonly select: SelectNode;
  readonly range: SourceRange;
}

export interface SubqueryNode {
  readonly kind: "subquery";
  readonly input: PlanNode;
  /** Where the input is evaluated: absolute multiples of the step, enough for every step of the parent. */
  readonly grid: StepGrid;
  readonly offsetMs: number;
  readonly atMs: number | undefined;
  readonly rangeMs: number;
  readonly range: SourceRange;
}

export interface AggregateNode {
  readonly kind: "aggregate";
  readonly operator: AggregationOperator;
  readonly without: boolean;
  readonly grouping: readonly string[];
  readonly parameter: PlanNode | undefined;
  readonly input: PlanNode;
  /** Where it stands among aggregations of the plan over the same groups of the same input: one pass computes all. */
  readonly joint?: JointPlace;
  readonly range: SourceRange;
}

/** Aggregations that take one sample after the other, and no parameter. */
export type OnePassOperator = "sum" | "avg" | "count" | "min" | "max" | "group" | "stddev" | "stdvar";

export interface JointPlace {
  readonly set: number; // of the plan
  readonly place: number; // in `members`
  readonly members: readonly { readonly operator: OnePassOperator; readonly inputRange: SourceRange }[];
}

export interface BinaryNode {
  readonly kind: "binary";
  readonly operator: BinaryOperator;
  readonly bool: boolean;
  readonly left: PlanNode;
  readonly right: PlanNode;
  readonly matching: VectorMatching | undefined; // there when both sides are vectors
  readonly range: SourceRange;
}

export interface CallNode {
  readonly kind: "call";
  readonly function: string;
  readonly type: ValueType;
  readonly arguments: readonly PlanNode[];
  readonly range: SourceRange;
}

/** A vector that parts of the source evaluate, each over its own series; as many series as they give, equal labels included. */
export interface RemoteNode {
  readonly kind: "remote";
  readonly partition: number; // of those that the plan was distributed over
  readonly parts: readonly string[]; // names of those who are asked
  /** Whether the query is evaluated here too, over what no part has. */
  readonly hasRest: boolean;
  readonly query: PlanNode;
  /**
   * What a part gives: results of its own, partial ones of any kind, sums of which others have a share, the counts that
   * go with such sums, or, of groups of which others have a share, count, average and variance: the query is the last.
   */
  readonly gives: "results" | "partial-results" | "sums" | "counts-of-sums" | "moments";
  /**
   * What may be asked for in one question: aggregations of the same input, this one among them, in the order of their places in
   * the text; of those at one place, whose remarks count is the last.
   */
  readonly asked?: readonly AggregateNode[];
  /** The steps: from `startMs` to `endMs`, or one where `stepMs` is 0. */
  readonly window: { readonly startMs: number; readonly endMs: number; readonly stepMs: number };
  readonly range: SourceRange;
}

export type PlanNode =
  | { readonly kind: "number"; readonly value: number; readonly range: SourceRange }
  | { readonly kind: "string"; readonly value: string; readonly range: SourceRange }
  | SelectNode
  | WindowNode
  | SubqueryNode
  /** The input gives the same at every step: it is evaluated once, at the first step, and repeated. */
  | { readonly kind: "step-invariant"; readonly input: PlanNode; readonly range: SourceRange }
  | { readonly kind: "negate"; readonly input: PlanNode; readonly range: SourceRange }
  | BinaryNode
  | AggregateNode
  | CallNode
  | RemoteNode;

/** What the node gives at each step. */
export function planType(node: PlanNode): ValueType {
  switch (node.kind) {
    case "number":
      return "scalar";
    case "string":
      return "string";
    case "select":
    case "aggregate":
    case "remote":
      return "vector";
    case "window":
    case "subquery":
      return "matrix";
    case "step-invariant":
    case "negate":
      return planType(node.input);
    case "binary":
      return planType(node.left) === "scalar" && planType(node.right) === "scalar" ? "scalar" : "vector";
    case "call":
      return node.type;
    default:
      return unreachable(node);
  }
}

/** How many times the grid has. */
export function stepCountOf(grid: StepGrid): number {
  return grid.endMs < grid.startMs ? 0 : Math.floor((grid.endMs - grid.startMs) / grid.stepMs) + 1;
}
