/** Labels of what joined series give: all pairs that can meet, before any sample is read. */
import { labelPairs, labelsFromPairs, labelValue, onlyLabels, withoutLabels, type Labels } from "@pleiad/model";
import { isArithmetic } from "@pleiad/promql-plan";
import type { BinaryOperator, VectorMatching } from "@pleiad/promql-syntax";
import { signatureFunction, type JoinTable } from "./join-table.ts";
import type { NameDrops } from "./name-drops.ts";
import { createLabelIds, outputLabels } from "./output-labels.ts";
import type { QueryContext } from "./query-context.ts";
import { dropMetricName, metricSchemaLabels } from "./renamed-series.ts";

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

/** What the labels of one pair take of the budget, and the way to them: every pair that can meet has its own. */
const bytesPerPair = 256;

/** `table` has the many side on its left. */
export async function createJoinResults(
  { labels: manyLabels, dropsName: manyDrops }: ManySide,
  oneLabels: readonly Labels[],
  { matchCount, matchLabels, leftMatches, rightMatches }: JoinTable,
  operation: VectorOperation,
  { pace, budget, delayedNameRemoval }: Pick<QueryContext, "pace" | "budget" | "delayedNameRemoval">,
): Promise<JoinResults> {
  const { matching } = operation;
  const { include } = matching;
  const results = createLabelIds();
  const drops: number[] = [];
  const numberFor = (result: Labels, manyId?: number) => {
    const number = results.idOf(result);
    if (number === drops.length) drops.push(operation.bool ? 1 : 0);
    // A comparison gives the many side's metric as it is, marked or not.
    if (manyId !== undefined && manyDrops?.[manyId] === 1) drops[number] = 1;
    return number;
  };
  const baseOf = baseLabelsFunction(operation, delayedNameRemoval);
  const signatureOf = signatureFunction(matching);
  // What a pair keeps is what it was compared by, but for names, which may be dropped.
  const resultsAreMatches =
    matching.cardinality === "one-to-one" &&
    matching.on &&
    !matching.labels.some((name) => metricSchemaLabels.has(name));
  // Without labels to take over, only the many side's matter.
  const pairOfMany = async () => {
    const hasPartner = new Uint8Array(matchCount);
    for (const match of rightMatches) hasPartner[match] = 1;
    const ofPair = new Uint32Array(manyLabels.length);
    for (let manyId = 0; manyId < manyLabels.length; manyId++) {
      const match = leftMatches[manyId];
      if (hasPartner[match] === 0) continue;
      const base = resultsAreMatches ? matchLabels[match] : baseOf(manyLabels[manyId]);
      ofPair[manyId] = numberFor(base, manyId);
      if (pace.due()) await pace.rest();
    }
    return (manyId: number) => ofPair[manyId];
  };
  // Of the one side, only the labels to take over matter: those that agree in them give the same.
  const pairOfBoth = async () => {
    const taken = await outputLabels(oneLabels, pickLabels(include), pace);
    const takenCount = taken.labels.length;
    const takenIn: Set<number>[] = Array.from({ length: matchCount }, () => new Set());
    rightMatches.forEach((match, oneId) => takenIn[match].add(taken.ids[oneId]));
    const ofPairs = new Map<number, number>();
    for (const [manyId, many] of manyLabels.entries()) {
      const partners = takenIn[leftMatches[manyId]];
      if (partners.size === 0) continue;
      if (pace.due()) await pace.rest();
      const base = baseOf(many);
      if (partners.size > 1) budget.takeBytes(partners.size * bytesPerPair);
      for (const partner of partners) {
        const result = numberFor(includeLabels(base, taken.labels[partner], include), manyId);
        ofPairs.set(manyId * takenCount + partner, result);
        if (pace.due()) await pace.rest();
      }
    }
    return (manyId: number, oneId: number) => {
      const number = ofPairs.get(manyId * takenCount + taken.ids[oneId]);
      if (number === undefined) throw new Error("a pair without a match");
      return number;
    };
  };
  const ofPair = include.length === 0 ? await pairOfMany() : await pairOfBoth();
  // A partner that is filled in has the labels that are compared, and no others.
  const aloneOf = (many: Labels, one: Labels, manyId?: number) =>
    numberFor(includeLabels(baseOf(many), one, include), manyId);
  const ofMany = new Uint32Array(matching.fillRight === undefined ? 0 : manyLabels.length);
  for (let id = 0; id < ofMany.length; id++) {
    ofMany[id] = aloneOf(manyLabels[id], signatureOf(manyLabels[id]), id);
    if (pace.due()) await pace.rest();
  }
  const ofOne = new Uint32Array(matching.fillLeft === undefined ? 0 : oneLabels.length);
  for (let id = 0; id < ofOne.length; id++) {
    ofOne[id] = aloneOf(signatureOf(oneLabels[id]), oneLabels[id]);
    if (pace.due()) await pace.rest();
  }
  return {
    labels: results.labels,
    dropsName: delayedNameRemoval ? Uint8Array.from(drops) : undefined,
    ofPair,
    ofMany,
    ofOne,
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

function pickLabels(names: readonly string[]): (labels: Labels) => Labels {
  const wanted = new Set(names);
  return (labels) => onlyLabels(labels, wanted);
}

/** The labels of `group_left(…)` are taken from the one side, also where it lacks them. */
function includeLabels(many: Labels, one: Labels, include: readonly string[]): Labels {
  if (include.length === 0) return many;
  return labelsFromPairs([...labelPairs(many), ...include.map((name) => [name, labelValue(one, name)] as const)]);
}
