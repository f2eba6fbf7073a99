/** Arithmetic and comparison between two vectors. */
import { labelPairs, type Labels } from "@pleiad/model";
import { arithmetic, comparisons, isArithmetic, isComparison, stepCountOf, type StepGrid } from "@pleiad/promql-plan";
import { quoteString, type BinaryOperator, type SourceRange, type VectorMatching } from "@pleiad/promql-syntax";
import { createHistogramOperation, isTrim, type HistogramOperation } from "./histogram-operation.ts";
import { createJoinResults, type JoinResults, type ManySide, type VectorOperation } from "./join-results.ts";
import { createJoinTable, signatureFunction } from "./join-table.ts";
import { joinedRows, pairsOf, type Combination, type JoinPairs } from "./joined-rows.ts";
import { createLateOperator } from "./late-operator.ts";
import { createStepBatch, reserveSamples, type Operator, type StepBatch } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { notEvaluated, QueryError, sameLabelsetText } from "./query-error.ts";
import { rowArithmetic } from "./row-arithmetic.ts";

/** `range` is where the operation stands in the query. Below, "one" is the side on which a match has one series, and "many" the other; one-to-one: the right is "one". */
export function createVectorOperation(
  left: Operator,
  right: Operator,
  operation: VectorOperation,
  range: SourceRange,
  grid: StepGrid,
  context: QueryContext,
): Operator {
  const { matching } = operation;
  const oneIsLeft = matching.cardinality === "one-to-many";
  const many = oneIsLeft ? right : left;
  const one = oneIsLeft ? left : right;
  const combine = combinationOf(operation, oneIsLeft, createHistogramOperation(operation, range, context));
  let state: JoinState | undefined;
  let manyBatch: StepBatch | undefined;
  let oneBatch: StepBatch | undefined;
  return createLateOperator({
    description: `${operation.operator}${operation.bool ? " bool" : ""} ${matching.cardinality}`,
    inputs: [left, right],
    dropsName: () => state?.results.dropsName,
    hasDistinctLabels: () => true,
    rows: () => {
      if (state?.pairs === undefined || many.rows === undefined || one.rows === undefined) return undefined;
      return joinedRows(many.rows, one.rows, state.pairs, combine, stepCountOf(grid), context);
    },
    async series(signal) {
      // Both at once: each may wait for stores far away.
      const [leftLabels, rightLabels] = await Promise.all([left.series(signal), right.series(signal)]);
      const [manyLabels, oneLabels] = oneIsLeft ? [rightLabels, leftLabels] : [leftLabels, rightLabels];
      const manySide = { labels: manyLabels, dropsName: many.dropsName };
      state = await createJoinState(manySide, oneLabels, operation, context);
      return state.results.labels;
    },
    async next(out, signal) {
      if (state === undefined) throw new Error("next before series");
      manyBatch ??= createStepBatch(out.stepCountMax);
      oneBatch ??= createStepBatch(out.stepCountMax);
      const steps = await many.next(manyBatch, signal);
      const otherSteps = await one.next(oneBatch, signal);
      if (steps !== otherSteps) throw new Error(`sides out of step: ${steps} and ${otherSteps}`);
      if (steps === 0) return 0;
      const filledMax = matching.fillLeft === undefined ? 0 : oneBatch.sampleEnds[steps - 1];
      reserveSamples(out, manyBatch.sampleEnds[steps - 1] + filledMax);
      out.histograms.length = 0;
      out.timestampsMs.set(manyBatch.timestampsMs.subarray(0, steps));
      let count = 0;
      for (let step = 0; step < steps; step++) {
        count = joinStep(state, manyBatch, oneBatch, step, combine, out, count);
        out.sampleEnds[step] = count;
        if (context.pace.due()) await context.pace.rest();
      }
      return steps;
    },
  });
}

function combinationOf(
  { operator, bool }: VectorOperation,
  oneIsLeft: boolean,
  operation: HistogramOperation,
): Combination {
  const ofHistograms: HistogramOperation = oneIsLeft ? (many, one) => operation(one, many) : operation;
  if (isTrim(operator)) return { value: () => NaN, keeps: undefined, ofRow: undefined, ofHistograms, isTrim: true };
  return { ...floatCombination(operator, bool, oneIsLeft), ofHistograms, isTrim: false };
}

function floatCombination(
  operator: BinaryOperator,
  bool: boolean,
  oneIsLeft: boolean,
): Pick<Combination, "value" | "keeps" | "ofRow"> {
  if (isArithmetic(operator)) {
    const compute = arithmetic[operator];
    const value = oneIsLeft ? (many: number, one: number) => compute(one, many) : compute;
    return { value, keeps: undefined, ofRow: rowArithmetic(operator, oneIsLeft) };
  }
  if (!isComparison(operator)) throw notEvaluated(`the operator ${operator} is`);
  const compare = comparisons[operator];
  const holds = oneIsLeft ? (many: number, one: number) => compare(one, many) : compare;
  if (bool) return { value: (many, one) => Number(holds(many, one)), keeps: undefined, ofRow: undefined };
  // A filter gives the left side's value, whichever side is "many".
  return { value: oneIsLeft ? (_, one) => one : (many) => many, keeps: holds, ofRow: undefined };
}

interface JoinState {
  readonly oneLabels: readonly Labels[];
  readonly manyMatches: Uint32Array; // by series id: which match it belongs to
  readonly oneMatches: Uint32Array;
  readonly matching: VectorMatching;
  readonly results: JoinResults;
  readonly pairs: JoinPairs | undefined;
  /** Of the current step, by match: where the one side's sample is, and whether it was used. Valid where stamped. */
  readonly oneSamples: Uint32Array;
  readonly oneStamps: Uint32Array;
  readonly usedStamps: Uint32Array;
  /** By result: the step that gave it last, and in which match. */
  readonly resultStamps: Uint32Array;
  readonly resultMatches: Uint32Array;
  /** By result: the step that kept it last. */
  readonly keptStamps: Uint32Array;
  stamp: number;
}

async function createJoinState(
  manySide: ManySide,
  oneLabels: readonly Labels[],
  operation: VectorOperation,
  context: QueryContext,
): Promise<JoinState> {
  const table = await createJoinTable(manySide.labels, oneLabels, operation.matching, context.pace);
  const results = await createJoinResults(manySide, oneLabels, table, operation, context);
  const { matching } = operation;
  const isFilling = matching.fillLeft !== undefined || matching.fillRight !== undefined;
  return {
    oneLabels,
    pairs: isFilling ? undefined : pairsOf(table, results, matching.cardinality === "one-to-one"),
    manyMatches: table.leftMatches,
    oneMatches: table.rightMatches,
    matching,
    results,
    oneSamples: new Uint32Array(table.matchCount),
    oneStamps: new Uint32Array(table.matchCount),
    usedStamps: new Uint32Array(table.matchCount),
    resultStamps: new Uint32Array(results.labels.length),
    resultMatches: new Uint32Array(results.labels.length),
    keptStamps: new Uint32Array(results.labels.length),
    stamp: 0,
  };
}

/** Writes the results of one step from `count` on; gives the new count. */
function joinStep(
  state: JoinState,
  manyBatch: StepBatch,
  oneBatch: StepBatch,
  step: number,
  combination: Combination,
  out: StepBatch,
  count: number,
): number {
  const { manyMatches, oneMatches, oneSamples, oneStamps, usedStamps, results, matching } = state;
  const { value, keeps, isTrim } = combination;
  const hasHistograms = isTrim || manyBatch.histograms.length > 0 || oneBatch.histograms.length > 0;
  // Named by the sides as written, yet the left one is for the many side and the right one for the one side, also where
  // group_right turns them round. So it is in Prometheus.
  const { fillLeft: fillMany, fillRight: fillOne } = matching;
  const manyStart = step === 0 ? 0 : manyBatch.sampleEnds[step - 1];
  const manyEnd = manyBatch.sampleEnds[step];
  const oneStart = step === 0 ? 0 : oneBatch.sampleEnds[step - 1];
  const oneEnd = oneBatch.sampleEnds[step];
  const isFilling = fillMany !== undefined || fillOne !== undefined;
  // Nothing can match, so that duplicates on the other side do no harm.
  if (!isFilling && (manyStart === manyEnd || oneStart === oneEnd)) return count;
  const stamp = ++state.stamp;
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
    const hasOne = oneStamps[match] === stamp;
    if (!hasOne && fillOne === undefined) continue;
    const oneSample = oneSamples[match];
    const result = hasOne ? results.ofPair(manyId, oneBatch.seriesIds[oneSample]) : results.ofMany[manyId];
    const oneValue = hasOne ? oneBatch.values[oneSample] : (fillOne ?? NaN);
    const manyValue = manyBatch.values[i];
    if (hasHistograms) {
      const many = manyBatch.histograms[i] ?? manyValue;
      const one = (hasOne ? oneBatch.histograms[oneSample] : undefined) ?? oneValue;
      if (isTrim || typeof many !== "number" || typeof one !== "number") {
        count = writeEither(state, match, result, combination.ofHistograms(many, one), out, count);
        continue;
      }
    }
    const isKept = keeps === undefined || keeps(manyValue, oneValue);
    claimResult(state, match, result, isKept);
    if (!isKept) continue;
    out.seriesIds[count] = result;
    out.values[count++] = value(manyValue, oneValue);
  }
  if (fillMany === undefined) return count;
  for (let i = oneStart; i < oneEnd; i++) {
    const oneId = oneBatch.seriesIds[i];
    if (usedStamps[oneMatches[oneId]] === stamp) continue;
    const oneValue = oneBatch.values[i];
    const histogram = oneBatch.histograms[i];
    if (isTrim || histogram !== undefined) {
      const computed = combination.ofHistograms(fillMany, histogram ?? oneValue);
      count = writeEither(state, oneMatches[oneId], results.ofOne[oneId], computed, out, count);
      continue;
    }
    const isKept = keeps === undefined || keeps(fillMany, oneValue);
    claimResult(state, oneMatches[oneId], results.ofOne[oneId], isKept);
    if (!isKept) continue;
    out.seriesIds[count] = results.ofOne[oneId];
    out.values[count++] = value(fillMany, oneValue);
  }
  return count;
}

/** Writes what histograms gave at `count`; gives the new count. */
function writeEither(
  state: JoinState,
  match: number,
  result: number,
  computed: ReturnType<HistogramOperation>,
  out: StepBatch,
  count: number,
): number {
  if (computed === undefined) return count;
  claimResult(state, match, result, computed !== "filtered");
  if (computed === "filtered") return count;
  out.seriesIds[count] = result;
  if (typeof computed === "number") out.values[count] = computed;
  else out.histograms[count] = computed;
  return count + 1;
}

/** Makes sure that a result comes once a step. Matches are counted before a filter can leave one of them out. */
function claimResult(state: JoinState, match: number, result: number, isKept: boolean): void {
  const { stamp, usedStamps, resultStamps, resultMatches, keptStamps } = state;
  const isOneToOne = state.matching.cardinality === "one-to-one";
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
  resultStamps[result] = stamp;
  resultMatches[result] = match;
  if (!isKept) return;
  if (keptStamps[result] === stamp) throw new QueryError("execution", sameLabelsetText);
  keptStamps[result] = stamp;
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
  return `{${[...labelPairs(labels)].map(([name, value]) => `${name}=${quoteString(value)}`).join(", ")}}`;
}
