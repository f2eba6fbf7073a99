/** What an aggregation has of floats and native histograms: many groups and steps, one slot each. */
import type { FloatHistogram } from "@pleiad/model";
import type { SourceRange } from "@pleiad/promql-syntax";
import { createAccumulator, type AccumulatorKind } from "./accumulators.ts";
import { informOfIgnoredInAggregation, warnOfMixedAggregation } from "./histogram-remarks.ts";
import { createHistogramSlots } from "./histogram-slots.ts";
import {
  floatSample,
  histogramSample,
  noSample,
  reserveSamples,
  type RowHistograms,
  type RowVisitor,
  type StepBatch,
} from "./operator.ts";
import type { QueryContext } from "./query-context.ts";

/** Slot of a group's step: group × stride + step. */
export interface AggregateSlots {
  /** Adds a row from `slot` on: that of its group's first step. */
  addRow(slot: number, ...row: Parameters<RowVisitor>): void;
  /** Adds the samples of some steps, the first of them being `firstStep`. */
  addBatch(batch: StepBatch, steps: number, groupOf: Uint32Array, firstStep: number): void;
  /** Writes the results of `steps` steps from `slotStart` on; `parameters` are theirs. */
  write(
    out: StepBatch,
    at: { readonly steps: number; readonly slotStart: number; readonly parameters: Float64Array | undefined },
  ): void;
  /** Writes all steps of a group as a row: whether it has any sample, or its histograms where it has some. */
  readRow(
    group: number,
    values: Float64Array,
    present: Uint8Array,
    parameters: Float64Array | undefined,
  ): boolean | RowHistograms;
  clear(): void;
}

/** What an aggregation does with native histograms. */
const histogramTreatments: Readonly<Record<AccumulatorKind, "added" | "counted" | "ignored">> = {
  sum: "added",
  avg: "added",
  count: "counted",
  group: "counted",
  min: "ignored",
  max: "ignored",
  stddev: "ignored",
  stdvar: "ignored",
  quantile: "ignored",
};

/** `inputRange` is where the input stands in the query; `nameOf` gives the metric name of a series of it. */
export function createAggregateSlots(
  { operator, inputRange }: { readonly operator: AccumulatorKind; readonly inputRange: SourceRange },
  { groupCount, stride }: { readonly groupCount: number; readonly stride: number },
  nameOf: (seriesId: number) => string,
  context: QueryContext,
): AggregateSlots {
  const accumulator = createAccumulator(operator, groupCount * stride);
  const isAdding = operator === "sum" || operator === "avg";
  const histograms = isAdding ? createHistogramSlots(operator, inputRange, context) : undefined;
  const addHistogram = (slot: number, histogram: FloatHistogram, seriesId: number) => {
    switch (histogramTreatments[operator]) {
      case "added":
        histograms?.add(slot, histogram, () => nameOf(seriesId));
        return;
      case "counted":
        accumulator.add(slot, 1);
        return;
      case "ignored":
        informOfIgnoredInAggregation(operator, inputRange, context);
    }
  };
  const addHistograms = (
    slot: number,
    seriesId: number,
    values: Float64Array,
    present: Uint8Array,
    ofRow: RowHistograms,
  ): number => {
    let count = 0;
    for (let step = 0; step < stride; step++) {
      const histogram = ofRow[step];
      if (present[step] === histogramSample && histogram !== undefined) addHistogram(slot + step, histogram, seriesId);
      if (present[step] !== floatSample) continue;
      accumulator.add(slot + step, values[step]);
      count++;
    }
    return count;
  };

  /** Of a slot that has histograms: nothing where it has floats too. */
  const resultOfHistograms = (slot: number): FloatHistogram | undefined => {
    if (!accumulator.has(slot)) return histograms?.result(slot);
    warnOfMixedAggregation(inputRange, context);
    return undefined;
  };

  return {
    addRow(slot, seriesId, values, present, ofRow) {
      let count = 0;
      if (ofRow !== undefined) count = addHistograms(slot, seriesId, values, present, ofRow);
      else {
        for (let step = 0; step < stride; step++) {
          if (present[step] === 0) continue;
          accumulator.add(slot + step, values[step]);
          count++;
        }
      }
      // It keeps the samples themselves until the end.
      if (operator === "quantile") context.budget.take(count);
    },
    addBatch(batch, steps, groupOf, firstStep) {
      const { seriesIds, values, sampleEnds } = batch;
      const hasHistograms = batch.histograms.length > 0;
      let sample = 0;
      for (let step = 0; step < steps; step++) {
        for (; sample < sampleEnds[step]; sample++) {
          const slot = groupOf[seriesIds[sample]] * stride + firstStep + step;
          const histogram = hasHistograms ? batch.histograms[sample] : undefined;
          if (histogram === undefined) accumulator.add(slot, values[sample]);
          else addHistogram(slot, histogram, seriesIds[sample]);
        }
      }
    },
    write(out, { steps, slotStart, parameters }) {
      reserveSamples(out, groupCount * steps);
      const { seriesIds, values, sampleEnds } = out;
      out.histograms.length = 0;
      let count = 0;
      for (let step = 0; step < steps; step++) {
        for (let group = 0; group < groupCount; group++) {
          const slot = group * stride + slotStart + step;
          if (histograms?.has(slot) === true) {
            const histogram = resultOfHistograms(slot);
            if (histogram === undefined) continue;
            seriesIds[count] = group;
            out.histograms[count++] = histogram;
            continue;
          }
          if (!accumulator.has(slot)) continue;
          seriesIds[count] = group;
          values[count++] = accumulator.result(slot, parameters === undefined ? 0 : parameters[step]);
        }
        sampleEnds[step] = count;
      }
    },
    readRow(group, values, present, parameters) {
      let isAny = false;
      let ofRow: RowHistograms | undefined;
      for (let step = 0, slot = group * stride; step < stride; step++, slot++) {
        present[step] = noSample;
        if (histograms?.has(slot) === true) {
          const histogram = resultOfHistograms(slot);
          if (histogram === undefined) continue;
          ofRow ??= Array.from({ length: stride });
          ofRow[step] = histogram;
          present[step] = histogramSample;
        } else if (accumulator.has(slot)) {
          values[step] = accumulator.result(slot, parameters === undefined ? 0 : parameters[step]);
          present[step] = floatSample;
          isAny = true;
        }
      }
      return ofRow ?? isAny;
    },
    clear() {
      accumulator.clear();
      histograms?.clear();
    },
  };
}
