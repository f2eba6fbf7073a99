/** Labels of what joined series give: all pairs that can meet, before any sample is read. */
import {
  labelPairs,
  labelsFromPairs,
  labelsKey,
  labelValue,
  onlyLabels,
  withoutLabels,
  type Labels,
} from "@pleiad/model";
import { isArithmetic } from "@pleiad/promql-plan";
import type { BinaryOperator, VectorMatching } from "@pleiad/promql-syntax";
import { signatureFunction, type JoinTable } from "./join-table.ts";
import type { Pace } from "./pace.ts";
import { dropMetricName } from "./renamed-series.ts";

export interface VectorOperation {
  readonly operator: BinaryOperator;
  readonly bool: boolean;
  readonly matching: VectorMatching;
}

export interface JoinResults {
  readonly labels: readonly Labels[]; // by result
  /** The result of two series that match. */
  readonly ofPair: (manyId: number, oneId: number) => number;
  /** The result of a series whose partner is filled in; empty where nothing is. */
  readonly ofMany: Uint32Array;
  readonly ofOne: Uint32Array;
}

/** `table` has the many side on its left. */
export async function createJoinResults(
  manyLabels: readonly Labels[],
  oneLabels: readonly Labels[],
  { matchCount, leftMatches, rightMatches }: JoinTable,
  operation: VectorOperation,
  pace: Pace,
): Promise<JoinResults> {
  const { matching } = operation;
  const { include } = matching;
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
  const signatureOf = signatureFunction(matching);
  const onesOf: number[][] = Array.from({ length: matchCount }, () => []);
  rightMatches.forEach((match, oneId) => onesOf[match].push(oneId));

  const ofPairs = new Map<number, number>();
  const ofFirstPair = new Uint32Array(manyLabels.length);
  for (const [manyId, many] of manyLabels.entries()) {
    const ones = onesOf[leftMatches[manyId]];
    if (ones.length === 0) continue;
    if (pace.due()) await pace.rest();
    const base = baseOf(many);
    // Without labels to take over, only the many side's matter.
    if (include.length === 0) ofFirstPair[manyId] = numberFor(base);
    else {
      for (const oneId of ones) {
        ofPairs.set(manyId * oneLabels.length + oneId, numberFor(includeLabels(base, oneLabels[oneId], include)));
      }
    }
  }
  const pairOf = (manyId: number, oneId: number) => {
    const number = ofPairs.get(manyId * oneLabels.length + oneId);
    if (number === undefined) throw new Error("a pair without a match");
    return number;
  };
  // A partner that is filled in has the labels that are compared, and no others.
  const aloneOf = (many: Labels, one: Labels) => numberFor(includeLabels(baseOf(many), one, include));
  const ofMany = matching.fillRight === undefined ? [] : manyLabels.map((many) => aloneOf(many, signatureOf(many)));
  const ofOne = matching.fillLeft === undefined ? [] : oneLabels.map((one) => aloneOf(signatureOf(one), one));
  return {
    labels,
    ofPair: include.length === 0 ? (manyId) => ofFirstPair[manyId] : pairOf,
    ofMany: Uint32Array.from(ofMany),
    ofOne: Uint32Array.from(ofOne),
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
  if (include.length === 0) return many;
  return labelsFromPairs([...labelPairs(many), ...include.map((name) => [name, labelValue(one, name)] as const)]);
}
