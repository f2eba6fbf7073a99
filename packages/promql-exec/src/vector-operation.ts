/** Arithmetic and comparison between two vectors. */
import {
  labelPairs,
  labelsFromPairs,
  labelsKey,
  labelValue,
  onlyLabels,
  withoutLabels,
  type Labels,
} from "@pleiad/model";
import { arithmetic, comparisons, isArithmetic, isComparison } from "@pleiad/promql-plan";
import type { BinaryOperator, VectorMatching } from "@pleiad/promql-syntax";
import { createJoinTable, signatureFunction, type JoinTable } from "./join-table.ts";
import { createStepBatch, reserveSamples, type Operator, type StepBatch } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { notEvaluated, QueryError, sameLabelsetText } from "./query-error.ts";
import { dropMetricName } from "./renamed-series.ts";

export interface VectorOperation {
  readonly operator: BinaryOperator;
  readonly bool: boolean;
  readonly matching: VectorMatching;
}

/** Below, "one" is the side on which a match has one series, and "many" the other; one-to-one: the right is "one". */
export function createVectorOperation(
  left: Operator,
  right: Operator,
  operation: VectorOperation,
  context: QueryContext,
): Operator {
  const { matching } = operation;
  if (matching.fillLeft !== undefined || matching.fillRight !== undefined) throw notEvaluated("fill modifiers are");
  const oneIsLeft = matching.cardinality === "one-to-many";
  const many = oneIsLeft ? right : left;
  const one = oneIsLeft ? left : right;
  const combine = combinationOf(operation, oneIsLeft);
  let state: JoinState | undefined;
  let manyBatch: StepBatch | undefined;
  let oneBatch: StepBatch | undefined;
  return {
    description: `${operation.operator}${operation.bool ? " bool" : ""} ${matching.cardinality}`,
    inputs: [left, right],
    async series(signal) {
      const leftLabels = await left.series(signal);
      const rightLabels = await right.series(signal);
      const [manyLabels, oneLabels] = oneIsLeft ? [rightLabels, leftLabels] : [leftLabels, rightLabels];
      state = createJoinState(manyLabels, oneLabels, operation);
      return state.labels;
    },
    async next(out, signal) {
      if (state === undefined) throw new Error("next before series");
      manyBatch ??= createStepBatch(out.stepCountMax);
      oneBatch ??= createStepBatch(out.stepCountMax);
      const steps = await many.next(manyBatch, signal);
      const otherSteps = await one.next(oneBatch, signal);
      if (steps !== otherSteps) throw new Error(`sides out of step: ${steps} and ${otherSteps}`);
      if (steps === 0) return 0;
      reserveSamples(out, manyBatch.sampleEnds[steps - 1]);
      out.histograms.length = 0;
      out.timestampsMs.set(manyBatch.timestampsMs.subarray(0, steps));
      let count = 0;
      for (let step = 0; step < steps; step++) {
        count = joinStep(state, manyBatch, oneBatch, step, combine, out, count);
        out.sampleEnds[step] = count;
      }
      if (context.pace.due()) await context.pace.rest();
      return steps;
    },
  };
}

/** What two samples give: a value, and whether it stays. */
interface Combination {
  readonly value: (many: number, one: number) => number;
  readonly keeps: ((many: number, one: number) => boolean) | undefined;
}

function combinationOf({ operator, bool }: VectorOperation, oneIsLeft: boolean): Combination {
  if (isArithmetic(operator)) {
    const compute = arithmetic[operator];
    return { value: oneIsLeft ? (many, one) => compute(one, many) : compute, keeps: undefined };
  }
  if (!isComparison(operator)) throw notEvaluated(`the operator ${operator} is`);
  const compare = comparisons[operator];
  const holds = oneIsLeft ? (many: number, one: number) => compare(one, many) : compare;
  if (bool) return { value: (many, one) => Number(holds(many, one)), keeps: undefined };
  // A filter gives the left side's value, whichever side is "many".
  return { value: oneIsLeft ? (_, one) => one : (many) => many, keeps: holds };
}

interface JoinState extends JoinTable {
  readonly manyLabels: readonly Labels[];
  readonly oneLabels: readonly Labels[];
  readonly manyMatches: Uint32Array;
  readonly oneMatches: Uint32Array;
  readonly matching: VectorMatching;
  readonly labels: readonly Labels[]; // of the results
  readonly resultOf: (manyId: number, oneId: number) => number;
  /** Of the current step, by match: where the one side's sample is, and whether it was used. Valid where stamped. */
  readonly oneSamples: Uint32Array;
  readonly oneStamps: Uint32Array;
  readonly usedStamps: Uint32Array;
  /** By result: the step that gave it last, and in which match. */
  readonly resultStamps: Uint32Array;
  readonly resultMatches: Uint32Array;
  stamp: number;
}

function createJoinState(
  manyLabels: readonly Labels[],
  oneLabels: readonly Labels[],
  operation: VectorOperation,
): JoinState {
  const { matching } = operation;
  const table = createJoinTable(manyLabels, oneLabels, matching);
  const { labels, resultOf } = createResults(manyLabels, oneLabels, table, operation);
  return {
    ...table,
    manyLabels,
    oneLabels,
    manyMatches: table.leftMatches,
    oneMatches: table.rightMatches,
    matching,
    labels,
    resultOf,
    oneSamples: new Uint32Array(table.matchCount),
    oneStamps: new Uint32Array(table.matchCount),
    usedStamps: new Uint32Array(table.matchCount),
    resultStamps: new Uint32Array(labels.length),
    resultMatches: new Uint32Array(labels.length),
    stamp: 0,
  };
}

/** Labels of all pairs that can meet, and the result's number of each pair. */
function createResults(
  manyLabels: readonly Labels[],
  oneLabels: readonly Labels[],
  { matchCount, leftMatches, rightMatches }: JoinTable,
  operation: VectorOperation,
): Pick<JoinState, "labels" | "resultOf"> {
  const onesOf: number[][] = Array.from({ length: matchCount }, () => []);
  rightMatches.forEach((match, oneId) => onesOf[match].push(oneId));
  const labels: Labels[] = [];
  const numberOf = new Map<string, number>();
  const numberFor = (result: Labels) => {
    const key = labelsKey(result);
    let number = numberOf.get(key);
    if (number === undefined) {
      number = labels.length;
      numberOf.set(key, number);
      labels.push(result);
    }
    return number;
  };
  const baseOf = baseLabelsFunction(operation);
  const { include } = operation.matching;
  if (include.length === 0) {
    // Only the many side's labels matter.
    const results = new Uint32Array(manyLabels.length);
    manyLabels.forEach((many, manyId) => {
      if (onesOf[leftMatches[manyId]].length > 0) results[manyId] = numberFor(baseOf(many));
    });
    return { labels, resultOf: (manyId) => results[manyId] };
  }
  const oneCount = oneLabels.length;
  const results = new Map<number, number>();
  manyLabels.forEach((many, manyId) => {
    const base = baseOf(many);
    for (const oneId of onesOf[leftMatches[manyId]]) {
      results.set(manyId * oneCount + oneId, numberFor(includeLabels(base, oneLabels[oneId], include)));
    }
  });
  return {
    labels,
    resultOf: (manyId, oneId) => {
      const number = results.get(manyId * oneCount + oneId);
      if (number === undefined) throw new Error("a pair without a match");
      return number;
    },
  };
}

function baseLabelsFunction({ operator, bool, matching }: VectorOperation): (many: Labels) => Labels {
  const dropsName = isArithmetic(operator) || bool;
  const named = dropsName ? dropMetricName : (labels: Labels) => labels;
  if (matching.cardinality !== "one-to-one") return named;
  const names = new Set(matching.labels);
  const pick = matching.on ? onlyLabels : withoutLabels;
  return (many) => pick(named(many), names);
}

/** The labels of `group_left(…)` are taken from the one side, also where it lacks them. */
function includeLabels(many: Labels, one: Labels, include: readonly string[]): Labels {
  return labelsFromPairs([...labelPairs(many), ...include.map((name) => [name, labelValue(one, name)] as const)]);
}

/** Writes the results of one step from `count` on; gives the new count. */
function joinStep(
  state: JoinState,
  manyBatch: StepBatch,
  oneBatch: StepBatch,
  step: number,
  { value, keeps }: Combination,
  out: StepBatch,
  count: number,
): number {
  const { manyMatches, oneMatches, oneSamples, oneStamps, usedStamps, resultStamps, resultMatches } = state;
  const manyStart = step === 0 ? 0 : manyBatch.sampleEnds[step - 1];
  const manyEnd = manyBatch.sampleEnds[step];
  const oneStart = step === 0 ? 0 : oneBatch.sampleEnds[step - 1];
  const oneEnd = oneBatch.sampleEnds[step];
  // Nothing can match, so that duplicates on the other side do no harm.
  if (manyStart === manyEnd || oneStart === oneEnd) return count;
  const stamp = ++state.stamp;
  const isOneToOne = state.matching.cardinality === "one-to-one";
  for (let i = oneStart; i < oneEnd; i++) {
    const match = oneMatches[oneBatch.seriesIds[i]];
    if (oneStamps[match] === stamp) {
      throw duplicateOnOneSide(state, oneBatch.seriesIds[oneSamples[match]], oneBatch.seriesIds[i]);
    }
    oneStamps[match] = stamp;
    oneSamples[match] = i;
  }
  for (let i = manyStart; i < manyEnd; i++) {
    const manyId = manyBatch.seriesIds[i];
    const match = manyMatches[manyId];
    if (oneStamps[match] !== stamp) continue;
    const oneSample = oneSamples[match];
    const result = state.resultOf(manyId, oneBatch.seriesIds[oneSample]);
    // Checked before a filter can leave one of them out.
    if (isOneToOne && usedStamps[match] === stamp) {
      throw new QueryError(
        "execution",
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
      );
    }
    usedStamps[match] = stamp;
    if (!isOneToOne && resultStamps[result] === stamp && resultMatches[result] === match) {
      throw new QueryError("execution", "multiple matches for labels: grouping labels must ensure unique matches");
    }
    const manyValue = manyBatch.values[i];
    const oneValue = oneBatch.values[oneSample];
    const isKept = keeps === undefined || keeps(manyValue, oneValue);
    if (isKept && resultStamps[result] === stamp) throw new QueryError("execution", sameLabelsetText);
    resultStamps[result] = stamp;
    resultMatches[result] = match;
    if (!isKept) continue;
    out.seriesIds[count] = result;
    out.values[count++] = value(manyValue, oneValue);
  }
  return count;
}

function duplicateOnOneSide({ oneLabels, matching }: JoinState, firstId: number, secondId: number): QueryError {
  const group = signatureFunction(matching)(oneLabels[firstId]);
  const side = matching.cardinality === "one-to-many" ? "left" : "right";
  const series = [oneLabels[firstId], oneLabels[secondId]].map(formatAllLabels).sort();
  return new QueryError(
    "execution",
    `found duplicate series for the match group ${formatAllLabels(group)} on the ${side} hand-side of the operation: ` +
      `[${series.join(", ")}];many-to-many matching not allowed: matching labels must be unique on one side`,
  );
}

/** The name among the other labels, as Prometheus has it in this message. */
function formatAllLabels(labels: Labels): string {
  return `{${[...labelPairs(labels)].map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")}}`;
}
