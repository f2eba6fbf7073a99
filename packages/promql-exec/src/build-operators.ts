/** From plan to operators: one switch over the kinds of node, one table for calls. Labels and samples come later. */
import { emptyLabels, multiplyHistogram, unreachable, type FloatHistogram } from "@pleiad/model";
import {
  arithmetic,
  comparisons,
  formatPlan,
  isArithmetic,
  isComparison,
  planType,
  stepCountOf,
  type AggregateNode,
  type BinaryNode,
  type CallNode,
  type JointPlace,
  type PlanNode,
  type StepGrid,
} from "@pleiad/promql-plan";
import { createAbsent, labelsOfAbsent } from "./absent.ts";
import { createAggregation, createJointAggregation } from "./aggregation.ts";
import { createRepeatedStep, createScalarVector } from "./constant-vector.ts";
import { createCountValues } from "./count-values.ts";
import { anchoredKernels, smoothedKernels } from "./extended-kernels.ts";
import { createHistogramOperator, warnOfQuantiles, type HistogramFunction } from "./histogram-operator.ts";
import { createHistogramOperation, isTrim } from "./histogram-operation.ts";
import { histogramRangeFunction } from "./histogram-range-functions.ts";
import { createInfoJoin } from "./info-join.ts";
import { createInstantSelector } from "./instant-selector.ts";
import { labelJunction, labelReplacement } from "./label-functions.ts";
import { isFitLeaf, mayMerge, type Leaf } from "./leaf.ts";
import { createLeafAggregations, totalsFor } from "./leaf-aggregation.ts";
import { createLimitRatio } from "./limit-ratio.ts";
import { createMappedSamples, type SampleMapping } from "./mapped-samples.ts";
import { createDelayedNameDrop } from "./delayed-names.ts";
import type { Operator } from "./operator.ts";
import { repeatRemarks } from "./query-annotations.ts";
import { contextOfOnce, contextOfSubquery, warnAt, type QueryContext } from "./query-context.ts";
import { notEvaluated, QueryError } from "./query-error.ts";
import { createRangeCall } from "./range-call.ts";
import { rangeKernels, type RangeKernel } from "./range-kernels.ts";
import { createRemoteDeviations } from "./remote-deviations.ts";
import { createRemoteOperator } from "./remote-operator.ts";
import { createRenamedSeries, droppedMetricName } from "./renamed-series.ts";
import { dateFunctions, sampleFunctions } from "./sample-functions.ts";
import { createScalarColumn, type ScalarColumn } from "./scalar-column.ts";
import { createSelectHandOver } from "./select-hand-over.ts";
import { createSelectingAggregation } from "./selecting-aggregation.ts";
import { createSetOperation } from "./set-operation.ts";
import { createSmoothedSelector } from "./smoothed-selector.ts";
import { createSortedSamples, labelOrder, valueOrder } from "./sorted-samples.ts";
import { stepTimes } from "./step-grid.ts";
import { createVectorOperation } from "./vector-operation.ts";
import { createSelectedWindows, createSubqueryWindows, type WindowInput } from "./window-input.ts";

/** The operator of a node that gives a vector. Throws a QueryError for what is not evaluated. */
export function buildVector(node: PlanNode, grid: StepGrid, context: QueryContext): Operator {
  return context.watch(buildNode(node, grid, context));
}

function buildNode(node: PlanNode, grid: StepGrid, context: QueryContext): Operator {
  switch (node.kind) {
    case "select":
      return node.extension === "smoothed"
        ? createSmoothedSelector(node, grid, context)
        : createInstantSelector(node, grid, context);
    case "step-invariant": {
      const once = contextOfOnce(context, stepCountOf(grid));
      return createRepeatedStep(buildVector(node.input, { ...grid, endMs: grid.startMs }, once), grid, context);
    }
    case "negate": {
      const negated: SampleMapping = {
        map: (value) => -value,
        mapHistogram: (histogram) => multiplyHistogram(histogram, -1),
      };
      return withoutName(
        context,
        createMappedSamples(buildVector(node.input, grid, context), [], () => negated, "negate"),
      );
    }
    case "binary":
      return buildBinary(node, grid, context);
    case "aggregate":
      return buildAggregate(node, grid, context);
    case "call":
      return buildCall(node, grid, context);
    case "remote":
      return createRemoteOperator(node, grid, context, buildVector);
    case "number":
    case "string":
    case "window":
    case "subquery":
      throw new Error(`not a vector: ${formatPlan(node)}`);
    default:
      return unreachable(node);
  }
}

/** The numbers of a node that gives a scalar; whoever asks for them holds them to the end. */
export function buildScalar(node: PlanNode, grid: StepGrid, context: QueryContext): ScalarColumn {
  context.budget.take(stepCountOf(grid));
  return createScalarColumn(node, grid, context, buildVector);
}

/** The ranges of a node that gives a range vector, at the steps of `grid`. */
export function buildWindows(
  node: PlanNode,
  grid: StepGrid,
  context: QueryContext,
  options: { readonly startTimestamps: boolean } = { startTimestamps: false },
): WindowInput {
  if (node.kind === "window") return createSelectedWindows(node.select, context, options);
  if (node.kind === "subquery") {
    // Columns as long as the grid are kept whatever the input gives: nothing else bounds a subquery's steps.
    context.budget.take(stepCountOf(node.grid));
    const input = buildInstant(node.input, node.grid, contextOfSubquery(context));
    return createSubqueryWindows(node, input, stepCountOf(grid), context);
  }
  throw new Error(`not a range vector: ${formatPlan(node)}`);
}

/** A vector, or a scalar as one. */
function buildInstant(node: PlanNode, grid: StepGrid, context: QueryContext): Operator {
  return planType(node) === "scalar"
    ? createScalarVector(buildScalar(node, grid, context), grid)
    : buildVector(node, grid, context);
}

function withoutName(context: QueryContext, input: Operator): Operator {
  const watched = context.watch(input);
  if (context.delayedNameRemoval) return createDelayedNameDrop(watched);
  return createRenamedSeries(watched, droppedMetricName, "drop the metric name", context);
}

function buildBinary(node: BinaryNode, grid: StepGrid, context: QueryContext): Operator {
  const { operator, bool, left, right, matching } = node;
  if (planType(left) === "scalar") return buildWithScalar(node, right, left, "scalar-first", grid, context);
  if (planType(right) === "scalar") return buildWithScalar(node, left, right, "vector-first", grid, context);
  if (matching === undefined) throw new Error(`vectors without matching: ${formatPlan(node)}`);
  const inputs = [buildVector(left, grid, context), buildVector(right, grid, context)] as const;
  if (operator === "and" || operator === "or" || operator === "unless") {
    return createSetOperation(...inputs, operator, matching, context);
  }
  return createVectorOperation(...inputs, { operator, bool, matching }, node.range, grid, context);
}

function buildWithScalar(
  { operator, bool, range }: BinaryNode,
  vector: PlanNode,
  scalar: PlanNode,
  order: "vector-first" | "scalar-first",
  grid: StepGrid,
  context: QueryContext,
): Operator {
  const input = buildVector(vector, grid, context);
  const column = buildScalar(scalar, grid, context);
  const description = order === "vector-first" ? `${operator} scalar` : `scalar ${operator}`;
  const ofHistograms = createHistogramOperation({ operator, bool }, range, context);
  const mapHistogramWith = (scalars: Float64Array) => (histogram: FloatHistogram, step: number) => {
    const result =
      order === "vector-first" ? ofHistograms(histogram, scalars[step]) : ofHistograms(scalars[step], histogram);
    return result === "filtered" ? undefined : result;
  };
  const mapped = (mappingOf: (scalars: Float64Array) => SampleMapping) =>
    createMappedSamples(
      input,
      [column],
      ([scalars]) => ({ ...mappingOf(scalars), mapHistogram: mapHistogramWith(scalars) }),
      description,
    );
  if (isTrim(operator)) {
    // A float cannot be trimmed, which is said as often as it is asked for.
    return mapped((scalars) => ({
      map: (value) => value,
      keeps: (value, step) => ofHistograms(value, scalars[step]) !== undefined,
    }));
  }
  if (isArithmetic(operator)) {
    const compute = arithmetic[operator];
    return withoutName(
      context,
      mapped((scalars) =>
        order === "vector-first"
          ? { map: (value, step) => compute(value, scalars[step]) }
          : { map: (value, step) => compute(scalars[step], value) },
      ),
    );
  }
  if (!isComparison(operator)) throw notEvaluated(`the operator ${operator} is`);
  const compare = comparisons[operator];
  const holdsWith = (scalars: Float64Array) =>
    order === "vector-first"
      ? (value: number, step: number) => compare(value, scalars[step])
      : (value: number, step: number) => compare(scalars[step], value);
  if (!bool) return mapped((scalars) => ({ keeps: holdsWith(scalars), map: (value) => value }));
  return withoutName(
    context,
    mapped((scalars) => {
      const holds = holdsWith(scalars);
      return { map: (value, step) => Number(holds(value, step)) };
    }),
  );
}

function buildAggregate(node: AggregateNode, grid: StepGrid, context: QueryContext): Operator {
  const { operator, without, grouping } = node;
  const input = () => buildVector(node.input, grid, context);
  const { parameter } = node;
  const inputRange = node.input.range;
  switch (operator) {
    case "sum":
    case "avg":
    case "count":
    case "min":
    case "max":
    case "group":
    case "stddev":
    case "stdvar": {
      const isDeviation = operator === "stddev" || operator === "stdvar";
      if (isDeviation && node.input.kind === "remote" && node.input.gives === "moments") {
        return createRemoteDeviations(operator, node.input, grid, context, buildVector);
      }
      if (node.joint !== undefined) return buildJoint(node, node.joint, grid, context);
      const [only] = buildPass([{ operator, inputRange }], node, grid, context, context);
      return only;
    }
    case "quantile": {
      if (parameter === undefined) throw new Error("quantile without parameter");
      const column = checked(buildScalar(parameter, grid, context), (quantiles) =>
        warnOfQuantiles(quantiles, parameter.range, context),
      );
      return createAggregation(input(), { operator, without, grouping, parameter: column, inputRange }, grid, context);
    }
    case "topk":
    case "bottomk":
    case "limitk": {
      if (parameter === undefined) throw new Error(`${operator} without parameter`);
      const column = buildScalar(parameter, grid, context);
      return createSelectingAggregation(
        input(),
        { operator, without, grouping, parameter: column, range: node.range },
        context,
      );
    }
    case "count_values": {
      if (parameter?.kind !== "string") throw new Error("count_values without label");
      return createCountValues(input(), parameter.value, { without, grouping }, grid, context);
    }
    case "limit_ratio": {
      if (parameter === undefined) throw new Error("limit_ratio without parameter");
      return createLimitRatio(input(), buildScalar(parameter, grid, context), parameter.range, context);
    }
    default:
      return unreachable(operator);
  }
}

/** One of the aggregations that share an input: the first to be built builds all. */
function buildJoint(node: AggregateNode, joint: JointPlace, grid: StepGrid, context: QueryContext): Operator {
  const { set, place, members } = joint;
  let operators = context.joints.get(set);
  if (operators === undefined) {
    // What is said of the input is said of each place where it stands.
    const shifts = members.map(({ inputRange }) => inputRange.start - node.input.range.start);
    const annotations = repeatRemarks(context.annotations, shifts);
    operators = buildPass(members, node, grid, { ...context, annotations }, context);
    context.joints.set(set, operators);
  }
  return operators[place];
}

/** Aggregations of the input of `node`, by its groups; the input is read in a context of its own. */
function buildPass(
  members: JointPlace["members"],
  node: AggregateNode,
  grid: StepGrid,
  inputContext: QueryContext,
  context: QueryContext,
): readonly Operator[] {
  const { input, without, grouping } = node;
  const general = (reading: QueryContext) => {
    const operator = buildVector(input, grid, reading);
    if (members.length > 1) return createJointAggregation(operator, members, { without, grouping }, grid, context);
    return [createAggregation(operator, { ...members[0], without, grouping, parameter: undefined }, grid, context)];
  };
  const totals = totalsFor(members.map(({ operator }) => operator));
  const leaf = leafOf(input);
  if (totals === undefined || leaf === undefined || !isFitLeaf(leaf, grid) || mayMerge(leaf, context)) {
    return general(inputContext);
  }
  const { source, handOver } = createSelectHandOver(context.source);
  const reading = { ...inputContext, source };
  const generals = general(reading);
  const leafMembers = totals.kinds.map((operator, i) => ({ operator, general: generals[i] }));
  return createLeafAggregations(leaf, totals.kind, leafMembers, { without, grouping }, grid, reading, handOver);
}

type CallBuilder = (node: CallNode, grid: StepGrid, context: QueryContext) => Operator;

/** Functions that are neither over ranges nor of single samples. */
const otherCalls: Readonly<Record<string, CallBuilder>> = {
  vector: (node, grid, context) => createScalarVector(buildScalar(node.arguments[0], grid, context), grid),
  absent: (node, grid, context) => {
    const [argument] = node.arguments;
    const labels = argument.kind === "select" ? labelsOfAbsent(argument.matchers) : emptyLabels;
    return createAbsent(buildVector(argument, grid, context), labels, grid, context);
  },
  absent_over_time: (node, grid, context) => {
    const [argument] = node.arguments;
    const labels = argument.kind === "window" ? labelsOfAbsent(argument.select.matchers) : emptyLabels;
    const present = { ...node, function: "present_over_time" };
    return createAbsent(context.watch(buildRangeCall(present, grid, context)), labels, grid, context);
  },
  timestamp: (node, grid, context) => {
    const [argument] = node.arguments;
    if (argument.kind === "select")
      return withoutName(context, createInstantSelector(argument, grid, context, "timestamp"));
    const times = stepTimes(grid);
    const mapping: SampleMapping = {
      map: (_, step) => times[step] / 1000,
      mapHistogram: (_, step) => times[step] / 1000,
    };
    return withoutName(
      context,
      createMappedSamples(buildVector(argument, grid, context), [], () => mapping, "timestamp"),
    );
  },
  info: (node, grid, context) => {
    const [input, select] = node.arguments;
    if (select?.kind !== "select") throw new Error(`no selector of info series: ${formatPlan(node)}`);
    return createInfoJoin(buildVector(input, grid, context), select, grid, context);
  },
  start_timestamp: (node, grid, context) => {
    const [argument] = node.arguments;
    // What is computed has no start; without the option, neither has what is stored.
    if (argument.kind !== "select" || !context.startTimestamps) {
      const none: SampleMapping = { keeps: () => false, map: (value) => value };
      return createMappedSamples(buildVector(argument, grid, context), [], () => none, "start_timestamp");
    }
    return withoutName(context, createInstantSelector(argument, grid, context, "start-timestamp"));
  },
  label_replace: (node, grid, context) => {
    const [, destination, template, source, expression] = node.arguments.map(textOf);
    const rename = labelReplacement({ destination, template, source, expression }, context.budget);
    return createRenamedSeries(buildVector(node.arguments[0], grid, context), rename, "label_replace", context);
  },
  label_join: (node, grid, context) => {
    const [, destination, separator, ...sources] = node.arguments.map(textOf);
    const rename = labelJunction(destination, separator, sources, context.budget);
    return createRenamedSeries(buildVector(node.arguments[0], grid, context), rename, "label_join", context);
  },
  histogram_quantile: (node, grid, context) => buildHistogram("histogram_quantile", node, grid, context),
  histogram_fraction: (node, grid, context) => buildHistogram("histogram_fraction", node, grid, context),
  histogram_quantiles: (node, grid, context) => buildHistogram("histogram_quantiles", node, grid, context),
  sort: (node, grid, context) =>
    buildSort(floatsOf(node, grid, context), node, grid, context, () => valueOrder("ascending")),
  sort_desc: (node, grid, context) =>
    buildSort(floatsOf(node, grid, context), node, grid, context, () => valueOrder("descending")),
  sort_by_label: (node, grid, context) =>
    buildSort(buildVector(node.arguments[0], grid, context), node, grid, context, (labels) =>
      labelOrder(labels, node.arguments.slice(1).map(textOf), "ascending"),
    ),
  sort_by_label_desc: (node, grid, context) =>
    buildSort(buildVector(node.arguments[0], grid, context), node, grid, context, (labels) =>
      labelOrder(labels, node.arguments.slice(1).map(textOf), "descending"),
    ),
};

function buildCall(node: CallNode, grid: StepGrid, context: QueryContext): Operator {
  if (Object.hasOwn(rangeKernels, node.function)) {
    const call = buildRangeCall(node, grid, context);
    return nameKeepingFunctions.has(node.function) ? call : withoutName(context, call);
  }
  if (Object.hasOwn(sampleFunctions, node.function)) return buildSampleCall(node, grid, context);
  if (Object.hasOwn(otherCalls, node.function)) return otherCalls[node.function](node, grid, context);
  throw notEvaluated(`the function ${node.function} is`);
}

function buildRangeCall(node: CallNode, grid: StepGrid, context: QueryContext): Operator {
  const windows = node.arguments.find((argument) => planType(argument) === "matrix");
  if (windows === undefined) throw new Error(`no range vector: ${formatPlan(node)}`);
  const parameters = node.arguments.filter((argument) => argument !== windows);
  const columns = parameters.map((parameter) => buildScalar(parameter, grid, context));
  if (node.function === "quantile_over_time") {
    const { range } = parameters[0];
    columns[0] = checked(columns[0], (quantiles) => warnOfQuantiles(quantiles, range, context));
  }
  if (node.function === "double_exponential_smoothing") {
    columns[0] = checked(columns[0], (factors) => refuseFactors(factors, "smoothing", "sf"));
    columns[1] = checked(columns[1], (factors) => refuseFactors(factors, "trend", "tf"));
  }
  const startTimestamps = context.startTimestamps && startTimestampFunctions.has(node.function);
  const call = {
    function: node.function,
    kernel: kernelOf(node.function, windows),
    ofHistograms: histogramRangeFunction(node.function, extensionOf(windows)),
    input: buildWindows(windows, grid, context, { startTimestamps }),
    parameters: columns,
    inputRange: windows.range,
  };
  return createRangeCall(call, grid, context);
}

/** The node as a leaf, if it is one. */
function leafOf(node: PlanNode): Leaf | undefined {
  if (node.kind === "select") {
    return { kernel: { kind: "latest", as: "value" }, select: node, dropsName: false, range: node.range };
  }
  if (node.kind !== "call" || node.arguments.length !== 1) return undefined;
  const [windows] = node.arguments;
  if (windows.kind !== "window" || !Object.hasOwn(rangeKernels, node.function)) return undefined;
  const { select, range } = windows;
  return {
    kernel: { kind: "range", function: node.function },
    select,
    dropsName: !nameKeepingFunctions.has(node.function),
    range,
  };
}

/** Functions over ranges that give a sample as it was, so that it still is that metric. */
const nameKeepingFunctions: ReadonlySet<string> = new Set(["last_over_time", "first_over_time"]);

/** Functions that see by start timestamps where a counter began anew. */
const startTimestampFunctions: ReadonlySet<string> = new Set(["rate", "increase", "irate", "resets"]);

function extensionOf(windows: PlanNode) {
  return windows.kind === "window" ? windows.select.extension : undefined;
}

function kernelOf(name: string, windows: PlanNode): RangeKernel {
  const extension = extensionOf(windows);
  if (extension === undefined) return rangeKernels[name];
  const kernels = extension === "anchored" ? anchoredKernels : smoothedKernels;
  if (Object.hasOwn(kernels, name)) return kernels[name];
  const allowed = Object.keys(kernels).sort().join(", ");
  throw new QueryError("execution", `${extension} modifier can only be used with: ${allowed} - not with ${name}`);
}

/** The column, looked at by `check` as soon as it is known. */
function checked(column: ScalarColumn, check: (values: Float64Array) => void): ScalarColumn {
  return async (signal) => {
    const values = await column(signal);
    check(values);
    return values;
  };
}

function refuseFactors(factors: Float64Array, name: string, symbol: string): void {
  const bad = factors.find((factor) => !(factor > 0 && factor < 1));
  if (bad === undefined) return;
  const text = `invalid ${name} factor. Expected: 0 < ${symbol} < 1, got: ${bad.toFixed(6)}`;
  throw new QueryError("execution", text);
}

function buildSampleCall(node: CallNode, grid: StepGrid, context: QueryContext): Operator {
  const [argument, ...parameters] = node.arguments;
  const isOfNow = argument === undefined && Object.hasOwn(dateFunctions, node.function);
  const input = isOfNow
    ? createScalarVector(async () => stepTimes(grid).map((timeMs) => timeMs / 1000), grid)
    : buildInstant(argument, grid, context);
  const scalars = parameters.map((parameter) => buildScalar(parameter, grid, context));
  return withoutName(context, createMappedSamples(input, scalars, sampleFunctions[node.function], node.function));
}

function buildHistogram(
  name: HistogramFunction["name"],
  node: CallNode,
  grid: StepGrid,
  context: QueryContext,
): Operator {
  const scalars = node.arguments.filter((argument) => planType(argument) === "scalar");
  const input = node.arguments.find((argument) => planType(argument) === "vector");
  if (input === undefined) throw new Error(`no vector: ${formatPlan(node)}`);
  const call = {
    name,
    scalars: scalars.map((scalar) => buildScalar(scalar, grid, context)),
    scalarRanges: scalars.map(({ range }) => range),
    quantileLabel: name === "histogram_quantiles" ? textOf(node.arguments[1]) : undefined,
    inputRange: input.range,
  };
  return withoutName(context, createHistogramOperator(buildVector(input, grid, context), call, grid, context));
}

/** The argument without its native histograms, which have no place in an order by value. */
function floatsOf(node: CallNode, grid: StepGrid, context: QueryContext): Operator {
  return createMappedSamples(
    buildVector(node.arguments[0], grid, context),
    [],
    () => ({ map: (value) => value }),
    "floats",
  );
}

function buildSort(
  input: Operator,
  node: CallNode,
  grid: StepGrid,
  context: QueryContext,
  orderOf: Parameters<typeof createSortedSamples>[1],
): Operator {
  if (grid.endMs === grid.startMs) return createSortedSamples(input, orderOf, node.function);
  const text = "sort is ineffective for range queries since results are always ordered by labels";
  warnAt(context, node.range, text);
  return input;
}

function textOf(node: PlanNode): string {
  return node.kind === "string" ? node.value : "";
}
