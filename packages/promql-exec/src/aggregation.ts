/** Aggregations with one result a group and step. */
import { labelValue, metricNameLabel, type FloatHistogram, type Labels } from "@pleiad/model";
import { stepCountOf, type StepGrid } from "@pleiad/promql-plan";
import type { SourceRange } from "@pleiad/promql-syntax";
import { createAccumulator, type Accumulator, type AccumulatorKind } from "./accumulators.ts";
import { formatGrouping, groupSeries, type Grouping, type Groups } from "./grouping.ts";
import { createLateOperator } from "./late-operator.ts";
import { mergeNameDrops } from "./name-drops.ts";
import { informOfIgnoredInAggregation, warnOfMixedAggregation } from "./histogram-remarks.ts";
import { createHistogramSlots, type HistogramSlots } from "./histogram-slots.ts";
import {
  createStepBatch,
  floatSample,
  histogramSample,
  reserveSamples,
  type Operator,
  type StepBatch,
} from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import type { ScalarColumn } from "./scalar-column.ts";

export interface Aggregation extends Grouping {
  readonly operator: AccumulatorKind;
  /** The φ of quantile; checked by whoever makes the column. */
  readonly parameter: ScalarColumn | undefined;
  readonly inputRange: SourceRange; // where the input stands in the query
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

/**
 * Over an input that gives rows, every sample goes straight into its group's row: what is held is groups × steps, however
 * many series there are. Else the groups are those of one batch of steps.
 */
export function createAggregation(
  input: Operator,
  aggregation: Aggregation,
  grid: StepGrid,
  context: QueryContext,
): Operator {
  const stepCount = stepCountOf(grid);
  let groups: Groups = { labels: [], groupOf: new Uint32Array(0) };
  let parameters: Float64Array | undefined;
  let accumulator: Accumulator | undefined;
  let seriesLabels: readonly Labels[] = [];
  let batch: StepBatch | undefined;
  let step = 0;

  const { operator, inputRange } = aggregation;
  const isAdding = operator === "sum" || operator === "avg";
  const histograms = isAdding ? createHistogramSlots(operator, inputRange, context) : undefined;
  const addHistogram = (slot: number, histogram: FloatHistogram, seriesId: number) => {
    switch (histogramTreatments[operator]) {
      case "added":
        histograms?.add(slot, histogram, () => labelValue(seriesLabels[seriesId], metricNameLabel));
        return;
      case "counted":
        accumulator?.add(slot, 1);
        return;
      case "ignored":
        informOfIgnoredInAggregation(operator, inputRange, context);
    }
  };

  const warnOfMix = () => warnOfMixedAggregation(inputRange, context);

  const fromRows = async (rows: NonNullable<Operator["rows"]>, out: StepBatch, signal: AbortSignal) => {
    if (accumulator === undefined) {
      context.budget.take(groups.labels.length * stepCount);
      accumulator = createAccumulator(aggregation.operator, groups.labels.length * stepCount);
      // A quantile keeps the samples themselves until the end.
      const keep = aggregation.operator === "quantile" ? (samples: number) => context.budget.take(samples) : undefined;
      await addRows(rows, accumulator, groups.groupOf, stepCount, keep, addHistogram, signal);
    }
    const steps = Math.min(out.stepCountMax, stepCount - step);
    if (steps <= 0) return 0;
    writeGroups(out, accumulator, histograms, warnOfMix, {
      groupCount: groups.labels.length,
      steps,
      slotStart: step,
      slotStride: stepCount,
      parameters: parameters?.subarray(step),
    });
    for (let i = 0; i < steps; i++) out.timestampsMs[i] = grid.startMs + (step + i) * grid.stepMs;
    step += steps;
    return steps;
  };

  const fromSteps = async (out: StepBatch, signal: AbortSignal) => {
    batch ??= createStepBatch(out.stepCountMax);
    accumulator ??= createAccumulator(aggregation.operator, groups.labels.length * out.stepCountMax);
    const steps = await input.next(batch, signal);
    if (steps === 0) return 0;
    accumulator.clear();
    histograms?.clear();
    addSteps(batch, steps, accumulator, groups.groupOf, addHistogram);
    writeGroups(out, accumulator, histograms, warnOfMix, {
      groupCount: groups.labels.length,
      steps,
      slotStart: 0,
      slotStride: out.stepCountMax,
      parameters: parameters?.subarray(step),
    });
    out.timestampsMs.set(batch.timestampsMs.subarray(0, steps));
    step += steps;
    if (context.pace.due()) await context.pace.rest();
    return steps;
  };

  return createLateOperator({
    description: `${aggregation.operator} ${formatGrouping(aggregation)}`,
    inputs: [input],
    dropsName: () => mergeNameDrops(input.dropsName, groups.groupOf, groups.labels.length),
    async series(signal): Promise<readonly Labels[]> {
      parameters = await aggregation.parameter?.(signal);
      seriesLabels = await input.series(signal);
      groups = await groupSeries(seriesLabels, aggregation, context.pace);
      return groups.labels;
    },
    next: async (out, signal) =>
      input.rows === undefined ? await fromSteps(out, signal) : await fromRows(input.rows, out, signal),
  });
}

type AddHistogram = (slot: number, histogram: FloatHistogram, seriesId: number) => void;

/** Slot of a group's step: group × stepCount + step. `keep` is told how many samples the accumulator holds on to. */
async function addRows(
  rows: NonNullable<Operator["rows"]>,
  accumulator: Accumulator,
  groupOf: Uint32Array,
  stepCount: number,
  keep: ((samples: number) => void) | undefined,
  addHistogram: AddHistogram,
  signal: AbortSignal,
): Promise<void> {
  await rows.each((seriesId, values, present, histograms) => {
    const slot = groupOf[seriesId] * stepCount;
    let count = 0;
    if (histograms !== undefined) {
      for (let step = 0; step < stepCount; step++) {
        const histogram = histograms[step];
        if (present[step] === histogramSample && histogram !== undefined)
          addHistogram(slot + step, histogram, seriesId);
        if (present[step] !== floatSample) continue;
        accumulator.add(slot + step, values[step]);
        count++;
      }
      keep?.(count);
      return;
    }
    for (let step = 0; step < stepCount; step++) {
      if (present[step] === 0) continue;
      accumulator.add(slot + step, values[step]);
      count++;
    }
    keep?.(count);
  }, signal);
}

/** Slot of a group's step: group × stepCountMax + step. */
function addSteps(
  batch: StepBatch,
  steps: number,
  accumulator: Accumulator,
  groupOf: Uint32Array,
  addHistogram: AddHistogram,
): void {
  const { seriesIds, values, sampleEnds, stepCountMax, histograms } = batch;
  const hasHistograms = histograms.length > 0;
  let sample = 0;
  for (let step = 0; step < steps; step++) {
    for (; sample < sampleEnds[step]; sample++) {
      const slot = groupOf[seriesIds[sample]] * stepCountMax + step;
      const histogram = hasHistograms ? histograms[sample] : undefined;
      if (histogram === undefined) accumulator.add(slot, values[sample]);
      else addHistogram(slot, histogram, seriesIds[sample]);
    }
  }
}

function writeGroups(
  out: StepBatch,
  accumulator: Accumulator,
  histograms: HistogramSlots | undefined,
  warnOfMix: () => void,
  layout: {
    readonly groupCount: number;
    readonly steps: number;
    readonly slotStart: number;
    readonly slotStride: number;
    readonly parameters: Float64Array | undefined;
  },
): void {
  const { groupCount, steps, slotStart, slotStride, parameters } = layout;
  reserveSamples(out, groupCount * steps);
  const { seriesIds, values, sampleEnds } = out;
  out.histograms.length = 0;
  let count = 0;
  for (let step = 0; step < steps; step++) {
    for (let group = 0; group < groupCount; group++) {
      const slot = group * slotStride + slotStart + step;
      if (histograms?.has(slot) === true) {
        if (accumulator.has(slot)) warnOfMix();
        else {
          const histogram = histograms.result(slot);
          if (histogram === undefined) continue;
          seriesIds[count] = group;
          out.histograms[count++] = histogram;
        }
        continue;
      }
      if (!accumulator.has(slot)) continue;
      seriesIds[count] = group;
      values[count++] = accumulator.result(slot, parameters === undefined ? 0 : parameters[step]);
    }
    sampleEnds[step] = count;
  }
}
