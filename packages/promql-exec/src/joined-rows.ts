/** Arithmetic and comparison between two vectors series by series, where labels alone tell which pairs there are. */
import type { HistogramOperation } from "./histogram-operation.ts";
import type { JoinResults } from "./join-results.ts";
import type { JoinTable } from "./join-table.ts";
import { histogramCost } from "./limits.ts";
import { floatSample, histogramSample, noSample, type RowHistograms, type RowStream } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import type { RowArithmetic } from "./row-arithmetic.ts";
import { createRowPages } from "./row-pages.ts";

/** What two samples give: a value, and whether it stays. */
export interface Combination {
  readonly value: (many: number, one: number) => number;
  readonly keeps: ((many: number, one: number) => boolean) | undefined;
  /** The same as `value`, for a row at once, where everything stays. */
  readonly ofRow: RowArithmetic | undefined;
  /** For two samples of which one at least is a histogram. */
  readonly ofHistograms: HistogramOperation;
  readonly isTrim: boolean; // nothing of two floats
}

/** By series of the many side: its only partner, and the series that the two give, which is of no other pair. -1 without one. */
export interface JoinPairs {
  readonly oneOf: Int32Array;
  readonly resultOf: Int32Array;
}

/**
 * Undefined where two series may meet the same partner, or give the same result: whether they do, and the query has to fail,
 * shows at each step. `table` has the many side on its left.
 */
export function pairsOf(
  { matchCount, leftMatches, rightMatches }: JoinTable,
  { ofPair }: JoinResults,
  isOneToOne: boolean,
): JoinPairs | undefined {
  const oneOfMatch = new Int32Array(matchCount).fill(-1);
  for (let oneId = 0; oneId < rightMatches.length; oneId++) {
    const match = rightMatches[oneId];
    if (oneOfMatch[match] >= 0) return undefined;
    oneOfMatch[match] = oneId;
  }
  const isMet = new Uint8Array(isOneToOne ? matchCount : 0);
  const oneOf = new Int32Array(leftMatches.length).fill(-1);
  const resultOf = new Int32Array(leftMatches.length).fill(-1);
  let lastResult = -1;
  for (let manyId = 0; manyId < leftMatches.length; manyId++) {
    const match = leftMatches[manyId];
    const oneId = oneOfMatch[match];
    if (oneId < 0) continue;
    if (isOneToOne && isMet[match] === 1) return undefined;
    if (isOneToOne) isMet[match] = 1;
    const result = ofPair(manyId, oneId);
    // Results are numbered as the pairs are first seen: one that does not ascend was there before.
    if (result <= lastResult) return undefined;
    lastResult = result;
    oneOf[manyId] = oneId;
    resultOf[manyId] = result;
  }
  return { oneOf, resultOf };
}

/** The results of all pairs. The one side is held, the other is not. */
export function joinedRows(
  many: RowStream,
  one: RowStream,
  { oneOf, resultOf }: JoinPairs,
  combination: Combination,
  stepCount: number,
  context: QueryContext,
): RowStream {
  const { budget } = context;
  return {
    async each(visit, signal) {
      const isWanted = new Set(oneOf);
      const kept = createRowPages(stepCount, budget, context.leafPool().pages);
      const rowOf = new Map<number, number>(); // by series id of the one side
      const nativesOf = new Map<number, RowHistograms>(); // the same
      let nativesCost = 0;
      try {
        await one.each((oneId, values, present, histograms) => {
          if (!isWanted.has(oneId)) return;
          rowOf.set(oneId, kept.keep(values, present));
          if (histograms === undefined) return;
          const cost = costOf(histograms);
          budget.take(cost);
          nativesCost += cost;
          nativesOf.set(oneId, histograms.slice());
        }, signal);
        await many.each((manyId, values, present, histograms) => {
          const oneId = oneOf[manyId];
          const row = rowOf.get(oneId);
          if (row === undefined) return;
          const page = kept.pageOf(row);
          const other: OtherRow = { ...page, at: kept.offsetOf(row), histograms: nativesOf.get(oneId) };
          if (combination.isTrim || histograms !== undefined || other.histograms !== undefined) {
            const natives = histograms ?? [];
            combineAny(values, present, natives, other, combination);
            visit(resultOf[manyId], values, present, natives);
          } else {
            combineFloats(values, present, other, combination);
            visit(resultOf[manyId], values, present);
          }
        }, signal);
      } finally {
        budget.give(nativesCost);
        kept.release();
      }
    },
  };
}

/** The row of a partner, whose steps begin at `at`. */
interface OtherRow {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly at: number;
  readonly histograms: RowHistograms | undefined;
}

/** Puts the results in the place of the row of the many side, as `combineAny` does. */
function combineFloats(
  values: Float64Array,
  present: Uint8Array,
  other: OtherRow,
  { value, keeps, ofRow }: Combination,
): void {
  const { at } = other;
  if (ofRow !== undefined) {
    for (let step = 0; step < present.length; step++) present[step] &= other.present[at + step];
    ofRow(values, other.values, at);
    return;
  }
  for (let step = 0; step < present.length; step++) {
    const one = other.values[at + step];
    const isThere =
      present[step] & other.present[at + step] & (keeps === undefined || keeps(values[step], one) ? 1 : 0);
    present[step] = isThere;
    // What is not there may be anything, so there is nothing to ask.
    values[step] = value(values[step], one);
  }
}

function combineAny(
  values: Float64Array,
  present: Uint8Array,
  histograms: RowHistograms,
  other: OtherRow,
  { value, keeps, ofHistograms, isTrim }: Combination,
): void {
  for (let step = 0; step < present.length; step++) {
    const manyKind = present[step];
    const oneKind = other.present[other.at + step];
    present[step] = noSample;
    if (manyKind === noSample || oneKind === noSample) continue;
    const many = (manyKind === histogramSample ? histograms[step] : undefined) ?? values[step];
    const one = (oneKind === histogramSample ? other.histograms?.[step] : undefined) ?? other.values[other.at + step];
    histograms[step] = undefined;
    if (!isTrim && typeof many === "number" && typeof one === "number") {
      if (keeps !== undefined && !keeps(many, one)) continue;
      values[step] = value(many, one);
      present[step] = floatSample;
      continue;
    }
    const result = ofHistograms(many, one);
    if (result === undefined || result === "filtered") continue;
    present[step] = typeof result === "number" ? floatSample : histogramSample;
    if (typeof result === "number") values[step] = result;
    else histograms[step] = result;
  }
}

function costOf(histograms: RowHistograms): number {
  let cost = 0;
  for (const histogram of histograms) if (histogram !== undefined) cost += histogramCost(histogram);
  return cost;
}
