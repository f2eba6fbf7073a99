/** The sums and means of native histograms that an aggregation keeps: the state of many groups and steps, one slot each. */
import {
  addToHistogramMean,
  addToHistogramSum,
  histogramOfMean,
  histogramOfSum,
  startHistogramMean,
  startHistogramSum,
  type AdditionOutcome,
  type FloatHistogram,
} from "@pleiad/model";
import { histogramCost } from "./limits.ts";
import { createHintWatch, warnOfMixedSchemas, informOfReconciledBounds, type HintWatch } from "./histogram-remarks.ts";
import type { QueryContext } from "./query-context.ts";
import type { SourceRange } from "@pleiad/promql-syntax";

export interface HistogramSlots {
  /** `seriesName` is that of the metric, for what may be said of it. */
  add(slot: number, histogram: FloatHistogram, seriesName: () => string): void;
  /** Whether the slot has got a histogram since the last `clear`. */
  has(slot: number): boolean;
  /** The aggregate of a slot that has one; undefined where its histograms cannot be added up. */
  result(slot: number): FloatHistogram | undefined;
  clear(): void;
}

/** Something that histograms are added to. */
interface HistogramTotal {
  add(histogram: FloatHistogram): AdditionOutcome;
  result(): FloatHistogram;
}

interface Slot {
  readonly total: HistogramTotal;
  readonly hints: HintWatch;
  isIncompatible: boolean;
}

/** `range` is where the input of the aggregation stands in the query. */
export function createHistogramSlots(kind: "sum" | "avg", range: SourceRange, context: QueryContext): HistogramSlots {
  const start = kind === "sum" ? startSum : startMean;
  const slots = new Map<number, Slot>();
  let held = 0; // of the budget
  return {
    add(number, histogram, seriesName) {
      const slot = slots.get(number);
      if (slot === undefined) {
        const cost = histogramCost(histogram);
        context.budget.take(cost);
        held += cost;
        const hints = createHintWatch();
        hints.see(histogram);
        slots.set(number, { total: start(histogram), hints, isIncompatible: false });
        return;
      }
      if (slot.isIncompatible) return;
      slot.hints.see(histogram);
      const outcome = slot.total.add(histogram);
      if (outcome === "reconciled") informOfReconciledBounds("aggregation", range, context);
      if (outcome !== "incompatible") return;
      slot.isIncompatible = true;
      warnOfMixedSchemas(seriesName(), range, context);
    },
    has: (number) => slots.has(number),
    result(number) {
      const slot = slots.get(number);
      if (slot === undefined || slot.isIncompatible) return undefined;
      slot.hints.warnOfCollision("aggregation", range, context);
      return slot.total.result();
    },
    clear() {
      slots.clear();
      context.budget.give(held);
      held = 0;
    },
  };
}

function startSum(histogram: FloatHistogram): HistogramTotal {
  const sum = startHistogramSum(histogram);
  return { add: (other) => addToHistogramSum(sum, other), result: () => histogramOfSum(sum) };
}

function startMean(histogram: FloatHistogram): HistogramTotal {
  const mean = startHistogramMean(histogram);
  return { add: (other) => addToHistogramMean(mean, other), result: () => histogramOfMean(mean) };
}
