/**
 * The plan of a query over parts that can evaluate by themselves: the largest pieces that parts may answer each for its
 * own series become `remote` nodes, and what remains is evaluated over their answers. Pure.
 */
import { emptyLabels, labelsEqual, type Labels, type Matcher } from "@pleiad/model";
import { isOnePass } from "./joint-aggregates.ts";
import { gridBelow, mapInputs, mapPlan } from "./rewrites.ts";
import {
  inputsOf,
  isSameEverywhere,
  partitionedPlan,
  type PartitionedPlan,
  type PartLabels,
} from "./partitioned-plan.ts";
import {
  planType,
  stepCountOf,
  type AggregateNode,
  type PlanNode,
  type RemoteNode,
  type SelectNode,
  type StepGrid,
} from "./plan-node.ts";
import { gridOf, type QueryWindow } from "./plan-query.ts";

/** Who has the series of a piece: those who evaluate, each with its external labels, and the rest. */
export interface PlanPartition {
  readonly number: number; // by which the nodes of the plan name it
  readonly parts: readonly { readonly name: string; readonly labelSets: readonly Labels[] }[];
  /** External labels of what has to be evaluated here; undefined where there is nothing of that. */
  readonly restLabelSets: readonly Labels[] | undefined;
}

export interface Piece {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly selections: readonly (readonly Matcher[])[];
}

export interface DistributionOptions {
  readonly window: QueryWindow;
  readonly text: string; // of the query: parts are asked by pieces of it
  readonly partitionOf: (piece: Piece) => PlanPartition;
}

/** A piece with more selectors is taken apart: who has their series would take too long to tell. */
const selectorsMax = 64;

interface PlacedPiece {
  readonly of: PlanPartition;
  readonly labels: PartLabels;
  readonly plan: PartitionedPlan; // the same for the same labels
}

export function distributePlan(plan: PlanNode, options: DistributionOptions): PlanNode {
  const partitions = new Map<string, PlacedPiece>();

  const partitionFor = (node: PlanNode) => {
    const selects = selectsOf(node);
    if (selects.length === 0 || selects.length > selectorsMax) return undefined;
    const piece = pieceOf(selects);
    const key = JSON.stringify(piece);
    let partition = partitions.get(key);
    if (partition === undefined) {
      const of = options.partitionOf(piece);
      const labels = of.parts.map(({ labelSets }) => labelSets);
      if (of.restLabelSets !== undefined) labels.push(of.restLabelSets);
      const known = [...partitions.values()].find((one) => haveSameLabels(one.labels, labels));
      partition = { of, labels, plan: known?.plan ?? partitionedPlan(labels) };
      partitions.set(key, partition);
    }
    return partition.of.parts.length === 0 ? undefined : partition;
  };

  const distribute = (node: PlanNode, grid: StepGrid): PlanNode => {
    if (node.kind === "select" || node.kind === "window") return node;
    const pushed = push(node, grid);
    if (pushed !== undefined) return pushed;
    return mapInputs(node, (input) => distribute(input, gridBelow(node, grid)));
  };

  const push = (node: PlanNode, grid: StepGrid): PlanNode | undefined => {
    // What is evaluated once is sent as such: from inside, where its grid has one step.
    if (planType(node) !== "vector" || node.kind === "step-invariant") return undefined;
    const partition = partitionFor(node);
    if (partition === undefined || !isSameText(node, grid, options) || looksOutside(node)) return undefined;
    const remote = (query: PlanNode, gives: RemoteNode["gives"] = "results"): RemoteNode => ({
      kind: "remote",
      gives,
      partition: partition.of.number,
      parts: partition.of.parts.map(({ name }) => name),
      hasRest: partition.of.restLabelSets !== undefined,
      query,
      window: windowOf(grid, options.window),
      range: query.range,
    });
    if (partition.plan.isLocal(node)) {
      // Ranked once more, so that the answer is in order of value.
      if (isRanking(node)) return { ...node, input: { ...remote(node), range: node.input.range } };
      return reducesSeries(node) || isSmallerThanChunks(node, grid) ? remote(node) : undefined;
    }
    return node.kind === "aggregate" && partition.plan.isLocal(node.input) ? splitAggregate(node, remote) : undefined;
  };

  return joinQuestions(distribute(plan, gridOf(options.window)), options.text);
}

function haveSameLabels(a: PartLabels, b: PartLabels): boolean {
  return (
    a.length === b.length &&
    a.every((sets, part) => {
      const others = b[part] ?? [];
      return sets.length === others.length && sets.every((set, i) => labelsEqual(set, others[i] ?? emptyLabels));
    })
  );
}

/** Lets what is asked of the same parts about the same input be asked in one question: they evaluate the input once. */
function joinQuestions(plan: PlanNode, text: string): PlanNode {
  const byInput = new Map<string, Map<string, RemoteNode & { readonly query: AggregateNode }>>();
  mapPlan(plan, (node) => {
    if (node.kind !== "remote" || node.gives === "moments") return node;
    const { query, partition, window } = node;
    if (query.kind !== "aggregate" || !isOnePass(query)) return node;
    const { start, end } = query.input.range;
    const key = JSON.stringify([partition, window, query.without, query.grouping, text.slice(start, end)]);
    const byOperator = byInput.get(key) ?? new Map<string, RemoteNode & { readonly query: AggregateNode }>();
    byInput.set(key, byOperator);
    if (!byOperator.has(query.operator)) byOperator.set(query.operator, { ...node, query });
    return node;
  });
  const joined = new Map<PlanNode, readonly AggregateNode[]>();
  for (const byOperator of byInput.values()) {
    if (byOperator.size < 2) continue;
    const isQuoted = ({ gives }: RemoteNode) => Number(gives !== "counts-of-sums");
    const nodes = [...byOperator.values()];
    nodes.sort((a, b) => a.query.range.start - b.query.range.start || isQuoted(a) - isQuoted(b));
    const asked = nodes.map(({ query }) => query);
    for (const query of asked) joined.set(query, asked);
  }
  if (joined.size === 0) return plan;
  return mapPlan(plan, (node) => {
    const asked = node.kind === "remote" ? joined.get(node.query) : undefined;
    return node.kind === "remote" && asked !== undefined ? { ...node, asked } : node;
  });
}

/** An aggregation of what the parts aggregate; undefined where that is not the same. */
function splitAggregate(
  node: AggregateNode,
  remote: (query: PlanNode, gives: RemoteNode["gives"]) => RemoteNode,
): PlanNode | undefined {
  const over = (query: PlanNode, gives: RemoteNode["gives"]) => ({ ...remote(query, gives), range: node.input.range });
  const again: Again = (operator, query, gives = "partial-results") => ({
    ...node,
    operator,
    parameter: undefined,
    input: over(query, gives),
  });
  switch (node.operator) {
    case "sum":
      return again("sum", node, "sums");
    case "min":
    case "max":
    case "group":
      return again(node.operator, node);
    case "count":
      return again("sum", node);
    case "avg": {
      // The join of the two would drop a name that the groups have.
      if (!node.without && node.grouping.some((name) => name.startsWith("__"))) return undefined;
      const sums = again("sum", { ...node, operator: "sum" }, "sums");
      const counts = again("sum", { ...node, operator: "count" }, "counts-of-sums");
      const { range } = node;
      return { kind: "binary", operator: "/", bool: false, left: sums, right: counts, matching: sameLabels, range };
    }
    case "topk":
    case "bottomk": {
      const { parameter } = node;
      // Which of equal samples is kept is a matter of order: that of the labels, as for one metric's own series.
      if (parameter === undefined || !isSameEverywhere(parameter) || !isInLabelOrder(node.input)) return undefined;
      return { ...node, input: over(node, "partial-results") };
    }
    case "count_values":
      return splitCountValues(node, again);
    case "stddev":
    case "stdvar":
      return { ...node, input: over({ ...node, operator: "stdvar" }, "moments") };
    // Of quantiles there are no parts; which series `limitk` and `limit_ratio` keep depends on all that there are.
    default:
      return undefined;
  }
}

/** An aggregation with another operator over what the parts give of a query. */
type Again = (operator: AggregateNode["operator"], query: AggregateNode, gives?: RemoteNode["gives"]) => AggregateNode;

function splitCountValues(node: AggregateNode, again: Again): PlanNode | undefined {
  const { parameter, grouping, without } = node;
  if (parameter?.kind !== "string" || parameter.value.startsWith("__")) return undefined;
  if (without) return grouping.includes(parameter.value) ? undefined : again("sum", node);
  return { ...again("sum", node), grouping: [...grouping, parameter.value] };
}

const sameLabels = {
  cardinality: "one-to-one",
  on: false,
  labels: [],
  include: [],
  fillLeft: undefined,
  fillRight: undefined,
} as const;

function isRanking(node: PlanNode): node is AggregateNode {
  return node.kind === "aggregate" && (node.operator === "topk" || node.operator === "bottomk");
}

/** Whether the series come in the order of their labels: those of a metric, or of a function over each. */
function isInLabelOrder(node: PlanNode): boolean {
  if (node.kind === "select") {
    return node.matchers.some(({ type, name, value }) => type === "=" && name === "__name__" && value !== "");
  }
  if (node.kind === "window") return isInLabelOrder(node.select);
  if (node.kind !== "call" || node.function.startsWith("label_") || node.function.startsWith("histogram_"))
    return false;
  const input = node.arguments.find((argument) => planType(argument) === "vector" || planType(argument) === "matrix");
  return input !== undefined && isInLabelOrder(input);
}

/** Whether far fewer series come out than go in. */
function reducesSeries(node: PlanNode): boolean {
  if (node.kind === "aggregate") return true;
  const inputs = inputsOf(node).filter((input) => planType(input) === "vector" || planType(input) === "matrix");
  return inputs.length > 0 && inputs.every(reducesSeries);
}

const bytesPerAnswerSample = 18; // on the wire
const bytesPerChunk = 150; // the least that comes of a series
const bytesPerStoredSample = 1.5;
const storedIntervalMs = 30_000; // a usual one

/** Whether the values at all steps take less room than the encoded samples that they are made of. */
function isSmallerThanChunks(node: PlanNode, grid: StepGrid): boolean {
  let chunkBytes = 0;
  for (const { minTimeMs, maxTimeMs } of selectsOf(node)) {
    chunkBytes += bytesPerChunk + ((maxTimeMs - minTimeMs) / storedIntervalMs) * bytesPerStoredSample;
  }
  // As it stands, a selector is better read than evaluated.
  return node.kind !== "select" && stepCountOf(grid) * bytesPerAnswerSample < chunkBytes;
}

/** The steps at which parts evaluate: those of the query as they were asked for, or those of a subquery. */
function windowOf(grid: StepGrid, { startMs, endMs, stepMs }: QueryWindow): RemoteNode["window"] {
  if (isQueryGrid(grid, { startMs, endMs, stepMs })) return { startMs, endMs, stepMs };
  const isOneStep = stepCountOf(grid) === 1;
  return { startMs: grid.startMs, endMs: grid.endMs, stepMs: isOneStep ? 0 : grid.stepMs };
}

function isQueryGrid(grid: StepGrid, window: Pick<QueryWindow, "startMs" | "endMs" | "stepMs">): boolean {
  const own = gridOf(window);
  return grid.startMs === own.startMs && grid.endMs === own.endMs && grid.stepMs === own.stepMs;
}

/** Whether the piece of text means at these steps what it means in the query: nothing in it tells of the query's own. */
function isSameText(node: PlanNode, grid: StepGrid, { text, window }: DistributionOptions): boolean {
  if (isQueryGrid(grid, window)) return stepCountOf(grid) > 0;
  const { start, end } = node.range;
  return stepCountOf(grid) > 0 && !/\b(?:start|end|step|range)\s*\(/i.test(text.slice(start, end));
}

/** Of native histograms, functions that need no more than these look at counts and sums alone; remarks tell of it. */
const statisticsFunctions: ReadonlySet<string> = new Set(["histogram_count", "histogram_sum", "histogram_avg"]);
/** They give the same of the statistics as of the whole. */
const rateFunctions: ReadonlySet<string> = new Set(["rate", "increase"]);

/** Whether a selector in the node is read as a function around it wants, so that it would be read otherwise without. */
function looksOutside(node: PlanNode): boolean {
  if (node.kind === "select") return node.onlyStatistics === true;
  if (node.kind === "call" && (statisticsFunctions.has(node.function) || rateFunctions.has(node.function)))
    return false;
  return inputsOf(node).some(looksOutside);
}

function selectsOf(node: PlanNode): readonly SelectNode[] {
  return node.kind === "select" ? [node] : inputsOf(node).flatMap(selectsOf);
}

function pieceOf(selects: readonly SelectNode[]): Piece {
  return {
    minTimeMs: Math.min(...selects.map(({ minTimeMs }) => minTimeMs)),
    maxTimeMs: Math.max(...selects.map(({ maxTimeMs }) => maxTimeMs)),
    selections: selects.map(({ matchers }) => matchers),
  };
}
