/** Vectors of one series, or of one step: `vector(s)`, and what is evaluated once and repeated. */
import { emptyLabels } from "@pleiad/model";
import { stepCountOf, type StepGrid } from "@pleiad/promql-plan";
import { createLateOperator } from "./late-operator.ts";
import { createStepBatch, reserveSamples, type Operator, type StepBatch } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import type { ScalarColumn } from "./scalar-column.ts";

/** A scalar as a vector with one element that has no labels. */
export function createScalarVector(column: ScalarColumn, grid: StepGrid): Operator {
  let values: Float64Array = new Float64Array(0);
  let step = 0;
  return {
    description: "vector",
    inputs: [],
    dropsName: undefined,
    async series(signal) {
      values = await column(signal);
      return [emptyLabels];
    },
    async next(out) {
      const steps = Math.min(out.stepCountMax, values.length - step);
      reserveSamples(out, steps);
      for (let i = 0; i < steps; i++) {
        out.timestampsMs[i] = grid.startMs + (step + i) * grid.stepMs;
        out.seriesIds[i] = 0;
        out.values[i] = values[step + i];
        out.sampleEnds[i] = i + 1;
      }
      out.histograms.length = 0;
      step += steps;
      return steps;
    },
  };
}

/** What `input` gives at its only step, at every step of the grid. */
export function createRepeatedStep(input: Operator, grid: StepGrid, context: QueryContext): Operator {
  const stepCount = stepCountOf(grid);
  let once: StepBatch | undefined;
  let step = 0;
  return createLateOperator({
    description: "repeat",
    inputs: [input],
    dropsName: () => input.dropsName,
    series: async (signal) => await input.series(signal),
    async next(out, signal) {
      if (once === undefined) {
        once = createStepBatch(1);
        await input.next(once, signal);
        // One sample becomes as many as a batch has steps.
        context.budget.take(once.sampleEnds[0] * Math.min(out.stepCountMax, stepCount));
      }
      const sampleCount = once.sampleEnds[0];
      const steps = Math.min(out.stepCountMax, stepCount - step);
      reserveSamples(out, steps * sampleCount);
      const seriesIds = once.seriesIds.subarray(0, sampleCount);
      const values = once.values.subarray(0, sampleCount);
      for (let i = 0; i < steps; i++) {
        out.timestampsMs[i] = grid.startMs + (step + i) * grid.stepMs;
        out.seriesIds.set(seriesIds, i * sampleCount);
        out.values.set(values, i * sampleCount);
        out.sampleEnds[i] = (i + 1) * sampleCount;
      }
      out.histograms.length = 0;
      if (once.histograms.length > 0) {
        for (let i = 0; i < steps * sampleCount; i++) out.histograms[i] = once.histograms[i % sampleCount];
      }
      step += steps;
      return steps;
    },
  });
}
