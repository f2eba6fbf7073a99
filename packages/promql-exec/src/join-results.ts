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
import type { NameDrops } from "./name-drops.ts";
import type { QueryContext } from "./query-context.ts";
import { dropMetricName } from "./renamed-series.ts";

export interface VectorOperation {
  readonly operator: BinaryOperator;
  readonly bool: boolean;
  readonly matching: VectorMatching;
}

export interface JoinResults {
  readonly labels: readonly Labels[]; // by result
  readonly dropsName: NameDrops; // by result
  /** The result of two series that match. */
  readonly ofPair: (manyId: number, oneId: number) => number;
  /** The result of a series whose partner is filled in; empty where nothing is. */
  readonly ofMany: Uint32Array;
  readonly ofOne: Uint32Array;
}

/** The many side: its labels decide, so its names do too. */
export interface ManySide {
  readonly labels: readonly Labels[];
  readonly dropsName: NameDrops;
}

/** `table` has the many side on its left. */
export async function createJoinResults(
  { labels: manyLabels, dropsName: manyDrops }: ManySide,
  oneLabels: readonly Labels[],
  { matchCount, leftMatches, rightMatches }: JoinTable,
  operation: VectorOperation,
  { pace, delayedNameRemoval }: Pick<QueryContext, "pace" | "delayedNameRemoval">,
): Promise<JoinResults> {
  const { matching } = operation;
  const { include } = matching;
  const labels: Labels[] = [];
  const numberOf = new Map<string, number>();
  const drops: number[] = [];
  const numberFor = (result: Labels, manyId?: number) => {
    const key = labelsKey(result);
    let number = numberOf.get(key);
    if (number === undefined) {
      number = labels.length;
      numberOf.set(key, number);
      labels.push(result);
      drops.push(operation.bool ? 1 : 0);
    }
    // A comparison gives the many side's metric as it is, marked or not.
    if (manyId !== undefined && manyDrops?.[manyId] === 1) drops[number] = 1;
    return number;
  };
  const baseOf = baseLabelsFunction(operation, delayedNameRemoval);
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
    if (include.length === 0) ofFirstPair[manyId] = numberFor(base, manyId);
    else {
      for (const oneId of ones) {
        const result = numberFor(includeLabels(base, oneLabels[oneId], include), manyId);
        ofPairs.set(manyId * oneLabels.length + oneId, result);
      }
    }
  }
  const pairOf = (manyId: number, oneId: number) => {
    const number = ofPairs.get(manyId * oneLabels.length + oneId);
    if (number === undefined) throw new Error("a pair without a match");
    return number;
  };
  // A partner that is filled in has the labels that are compared, and no others.
  const aloneOf = (many: Labels, one: Labels, manyId?: number) =>
    numberFor(includeLabels(baseOf(many), one, include), manyId);
  const ofMany =
    matching.fillRight === undefined ? [] : manyLabels.map((many, id) => aloneOf(many, signatureOf(many), id));
  const ofOne = matching.fillLeft === undefined ? [] : oneLabels.map((one) => aloneOf(signatureOf(one), one));
  return {
    labels,
    dropsName: delayedNameRemoval ? Uint8Array.from(drops) : undefined,
    ofPair: include.length === 0 ? (manyId) => ofFirstPair[manyId] : pairOf,
    ofMany: Uint32Array.from(ofMany),
    ofOne: Uint32Array.from(ofOne),
  };
}

/** Arithmetic between vectors drops names at once, delayed or not: which of two names would stay is of no use. */
function baseLabelsFunction(
  { operator, bool, matching }: VectorOperation,
  delayedNameRemoval: boolean,
): (many: Labels) => Labels {
  const dropsName = isArithmetic(operator) || (bool && !delayedNameRemoval);
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
