/**
 * What of a plan may be evaluated part by part where every series is whole in one of several parts: which nodes give,
 * over all series, just what the parts give one beside the other. Pure.
 */
import { unreachable, type Labels } from "@pleiad/model";
import type { VectorMatching } from "@pleiad/promql-syntax";
import { planType, type AggregateNode, type BinaryNode, type CallNode, type PlanNode } from "./plan-node.ts";

/** Labels of a series that its result still has, unchanged. */
export type KeptLabels =
  | { readonly kind: "all-but"; readonly names: ReadonlySet<string> }
  | { readonly kind: "only"; readonly names: ReadonlySet<string> };

/** The external labels of every part: sets that no series of another part can have. */
export type PartLabels = readonly (readonly Labels[])[];

export interface PartitionedPlan {
  /** Whether the node, a vector, is what the parts give of it together: no result has two parts, none needs two. */
  isLocal(node: PlanNode): boolean;
}

const noNames: ReadonlySet<string> = new Set();
const allLabels: KeptLabels = { kind: "all-but", names: noNames };

/** Functions over the samples of one series. `absent_over_time` is none: it tells of series that are not there. */
const rangeFunctions: ReadonlySet<string> = new Set([
  ...["rate", "increase", "delta", "irate", "idelta", "deriv", "predict_linear", "double_exponential_smoothing"],
  ...["sum_over_time", "avg_over_time", "count_over_time", "min_over_time", "max_over_time", "last_over_time"],
  ...["first_over_time", "present_over_time", "stddev_over_time", "stdvar_over_time", "mad_over_time"],
  ...["quantile_over_time", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_min_over_time"],
  ...["ts_of_max_over_time", "changes", "resets"],
]);

/** Functions of one sample. */
const sampleFunctions: ReadonlySet<string> = new Set([
  ...["abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sgn", "deg", "rad", "round", "timestamp"],
  ...["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"],
  ...["clamp", "clamp_min", "clamp_max", "minute", "hour", "day_of_week", "day_of_month", "day_of_year"],
  ...["days_in_month", "month", "year", "histogram_count", "histogram_sum", "histogram_avg", "histogram_stdvar"],
  "histogram_stddev",
]);

/** Functions of the buckets that differ in nothing but `le`. */
const bucketFunctions: ReadonlySet<string> = new Set(["histogram_quantile", "histogram_fraction"]);

/** Of functions that look at all series there are, or at their order. */
const neverLocalFunctions: ReadonlySet<string> = new Set([
  ...["info", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "start_timestamp"],
]);

export function partitionedPlan(parts: PartLabels): PartitionedPlan {
  let told: readonly (readonly string[])[] | undefined;
  const known = new Map<PlanNode, KeptLabels | undefined>();

  /** Whether what the parts give stays apart by labels. */
  const separates = (kept: KeptLabels | undefined): kept is KeptLabels => {
    if (kept === undefined || parts.length === 1) return kept !== undefined;
    // Of hundreds of sets this takes longer than all else: only where it is asked for.
    told ??= separatingLabels(parts);
    return told.some((names) => names.every((name) => isKept(kept, name)));
  };

  const keptBy = (node: PlanNode): KeptLabels | undefined => {
    if (known.has(node)) return known.get(node);
    const kept = parts.length === 1 ? keptOfOnlyPart(node) : keptOf(node, keptBy, separates);
    known.set(node, kept);
    return kept;
  };

  return { isLocal: (node) => planType(node) === "vector" && separates(keptBy(node)) };
}

/** Where one part has all series, it has all that the node looks at. */
function keptOfOnlyPart(node: PlanNode): KeptLabels | undefined {
  return someNode(
    node,
    (one) => one.kind === "remote" || (one.kind === "call" && neverLocalFunctions.has(one.function)),
  )
    ? undefined
    : allLabels;
}

type Kept = (node: PlanNode) => KeptLabels | undefined;
type Separates = (kept: KeptLabels | undefined) => kept is KeptLabels;

/** The labels that the node keeps; undefined where parts cannot evaluate it one without the other. */
function keptOf(node: PlanNode, keptBy: Kept, separates: Separates): KeptLabels | undefined {
  switch (node.kind) {
    case "select":
    case "window":
      return allLabels;
    case "subquery":
    case "step-invariant":
    case "negate":
      return keptBy(node.input);
    case "call":
      return keptByCall(node, keptBy, separates);
    case "aggregate":
      return keptByAggregate(node, keptBy, separates);
    case "binary":
      return keptByBinary(node, keptBy, separates);
    case "number":
    case "string":
    case "remote":
      return undefined;
    default:
      return unreachable(node);
  }
}

function keptByCall(node: CallNode, keptBy: Kept, separates: Separates): KeptLabels | undefined {
  const vectors = node.arguments.filter(
    (argument) => planType(argument) === "vector" || planType(argument) === "matrix",
  );
  const [input] = vectors;
  if (input === undefined || vectors.length > 1) return undefined;
  if (!node.arguments.every((argument) => argument === input || isSameEverywhere(argument))) return undefined;
  const kept = keptBy(input);
  if (!separates(kept)) return undefined;
  if (rangeFunctions.has(node.function) || sampleFunctions.has(node.function)) return kept;
  if (bucketFunctions.has(node.function)) return without(kept, ["le"]);
  if (node.function !== "label_replace" && node.function !== "label_join") return undefined;
  const [, destination] = node.arguments;
  return destination?.kind === "string" ? without(kept, [destination.value]) : undefined;
}

/** Groups that lie in one part each: all that an aggregation does with a group happens there. */
function keptByAggregate(node: AggregateNode, keptBy: Kept, separates: Separates): KeptLabels | undefined {
  const { operator, parameter, grouping } = node;
  if (operator === "limit_ratio") return undefined;
  if (parameter !== undefined && !isSameEverywhere(parameter)) return undefined;
  const input = keptBy(node.input);
  if (!separates(input)) return undefined;
  const grouped = node.without ? without(input, grouping) : only(input, grouping);
  if (!separates(grouped)) return undefined;
  // These give series as they are, not groups.
  if (operator === "topk" || operator === "bottomk" || operator === "limitk") return input;
  return operator === "count_values" && parameter?.kind === "string" ? without(grouped, [parameter.value]) : grouped;
}

function keptByBinary(node: BinaryNode, keptBy: Kept, separates: Separates): KeptLabels | undefined {
  const { left, right, matching } = node;
  if (planType(left) === "scalar") return isSameEverywhere(left) ? keptBy(right) : undefined;
  if (planType(right) === "scalar") return isSameEverywhere(right) ? keptBy(left) : undefined;
  if (matching === undefined || matching.fillLeft !== undefined || matching.fillRight !== undefined) return undefined;
  const ofLeft = keptBy(left);
  const ofRight = keptBy(right);
  if (!separates(ofLeft) || !separates(ofRight)) return undefined;
  const compared = matching.on
    ? only(intersection(ofLeft, ofRight), matching.labels)
    : without(intersection(ofLeft, ofRight), matching.labels);
  if (!separates(compared)) return undefined;
  return keptOfResult(node, matching, ofLeft, ofRight, compared);
}

function keptOfResult(
  { operator }: BinaryNode,
  { cardinality, include }: VectorMatching,
  left: KeptLabels,
  right: KeptLabels,
  compared: KeptLabels,
): KeptLabels {
  if (operator === "and" || operator === "unless") return left;
  if (operator === "or") return intersection(left, right);
  if (cardinality === "many-to-one") return without(left, include);
  return cardinality === "one-to-many" ? without(right, include) : compared;
}

/** Whether a scalar or text is the same wherever it is evaluated: no series has a say in it. */
export function isSameEverywhere(node: PlanNode): boolean {
  return !someNode(node, ({ kind }) => kind === "select" || kind === "window" || kind === "remote");
}

export function someNode(node: PlanNode, test: (node: PlanNode) => boolean): boolean {
  return test(node) || inputsOf(node).some((input) => someNode(input, test));
}

/** What a node is made of, in the order of the query's text. */
export function inputsOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case "number":
    case "string":
    case "select":
    case "remote":
      return [];
    case "window":
      return [node.select];
    case "subquery":
    case "step-invariant":
    case "negate":
      return [node.input];
    case "binary":
      return [node.left, node.right];
    case "aggregate":
      return node.parameter === undefined ? [node.input] : [node.parameter, node.input];
    case "call":
      return node.arguments;
    default:
      return unreachable(node);
  }
}

/** Names that all parts have and by which, alone or together, no two parts have a value in common. The fewest first. */
function separatingLabels(parts: PartLabels): readonly (readonly string[])[] {
  const sets = parts.flat();
  const [first] = sets;
  if (first === undefined) return [];
  const names = first.filter((name, i) => i % 2 === 0 && isPlain(name) && sets.every((set) => hasLabel(set, name)));
  const alone = names.filter((name) => tellsApart([name], parts)).map((name) => [name]);
  return alone.length > 0 || !tellsApart(names, parts) ? alone : [names];
}

function tellsApart(names: readonly string[], parts: PartLabels): boolean {
  const owners = new Map<string | undefined, number>();
  const valueOf = (set: Labels, name: string) => set[placeOf(set, name) + 1];
  const [single = ""] = names;
  return parts.every((sets, part) =>
    sets.every((set) => {
      const key = names.length === 1 ? valueOf(set, single) : JSON.stringify(names.map((name) => valueOf(set, name)));
      const owner = owners.get(key) ?? part;
      owners.set(key, owner);
      return owner === part;
    }),
  );
}

/** Functions take the name of a metric, and what comes with it, as something of its own. */
function isPlain(name: string): boolean {
  return !name.startsWith("__");
}

function placeOf(labels: Labels, name: string): number {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return i;
  return -1;
}

function hasLabel(labels: Labels, name: string): boolean {
  return placeOf(labels, name) >= 0;
}

function isKept(kept: KeptLabels, name: string): boolean {
  return kept.names.has(name) === (kept.kind === "only");
}

function without(kept: KeptLabels, names: readonly string[]): KeptLabels {
  return kept.kind === "only"
    ? { kind: "only", names: new Set([...kept.names].filter((name) => !names.includes(name))) }
    : { kind: "all-but", names: new Set([...kept.names, ...names]) };
}

function only(kept: KeptLabels, names: readonly string[]): KeptLabels {
  return { kind: "only", names: new Set(names.filter((name) => isKept(kept, name))) };
}

function intersection(a: KeptLabels, b: KeptLabels): KeptLabels {
  if (a.kind === "only") return only(b, [...a.names]);
  return b.kind === "only" ? only(a, [...b.names]) : without(a, [...b.names]);
}
