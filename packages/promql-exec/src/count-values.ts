/** `count_values`: how many samples of a group have each value, a series a value. */
import {
  formatHistogram,
  formatPlainFloat,
  labelsFromPairs,
  labelPairs,
  labelsKey,
  type FloatHistogram,
  type Labels,
} from "@pleiad/model";
import { stepCountOf, type StepGrid } from "@pleiad/promql-plan";
import { quoteString } from "@pleiad/promql-syntax";
import { groupSeries, type Grouping } from "./grouping.ts";
import { batchStepsMax, createStepBatch, type Operator } from "./operator.ts";
import { isLabelName } from "./label-functions.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError } from "./query-error.ts";
import { metricSchemaLabels } from "./renamed-series.ts";
import { createRowOperator } from "./row-operator.ts";

/** A map takes -0 for 0; they are two values. */
function floatKey(value: number): number | "-0" {
  return Object.is(value, -0) ? "-0" : value;
}

/** The values name the series, so all of the input is read before the labels are known. */
export function createCountValues(
  input: Operator,
  label: string,
  grouping: Grouping,
  grid: StepGrid,
  context: QueryContext,
): Operator {
  if (!isLabelName(label)) throw new QueryError("execution", `invalid label name ${quoteString(label)}`);
  return createRowOperator({ description: `count_values ${label}`, inputs: [input], grid, context }, async (signal) => {
    const stepCount = stepCountOf(grid);
    const groups = await groupSeries(await input.series(signal), grouping, context.pace);
    // Removed with the others, the label tells no values apart: all samples of a group then count together.
    const isRemoved = grouping.without && (grouping.grouping.includes(label) || metricSchemaLabels.has(label));
    const labels: Labels[] = [];
    const counts: Float64Array[] = [];
    const numberOf = new Map<string, number>();
    // By group and value, so that labels are made and compared once a series.
    const seen = groups.labels.map(() => new Map<number | string, number>());
    const numberFor = (group: number, value: number, histogram: FloatHistogram | undefined) => {
      const valueKey = histogram === undefined ? floatKey(value) : formatHistogram(histogram);
      let number = seen[group].get(valueKey);
      if (number !== undefined) return number;
      const text = histogram === undefined ? formatPlainFloat(value) : String(valueKey);
      const groupLabels = groups.labels[group];
      const own = isRemoved ? groupLabels : labelsFromPairs([...labelPairs(groupLabels), [label, text]]);
      const key = labelsKey(own);
      number = numberOf.get(key);
      if (number === undefined) {
        number = labels.length;
        numberOf.set(key, number);
        labels.push(own);
        context.budget.take(stepCount);
        counts.push(new Float64Array(stepCount));
      }
      seen[group].set(valueKey, number);
      return number;
    };
    const batch = createStepBatch(Math.min(batchStepsMax, Math.max(stepCount, 1)));
    let first = 0;
    for (let steps = await input.next(batch, signal); steps > 0; steps = await input.next(batch, signal)) {
      let sample = 0;
      for (let step = 0; step < steps; step++) {
        for (; sample < batch.sampleEnds[step]; sample++) {
          const group = groups.groupOf[batch.seriesIds[sample]];
          counts[numberFor(group, batch.values[sample], batch.histograms[sample])][first + step]++;
        }
        if (context.pace.due()) await context.pace.rest();
      }
      first += steps;
    }
    return {
      labels,
      each: async (visit) => {
        counts.forEach((row, number) =>
          visit(
            number,
            row,
            Uint8Array.from(row, (count) => Number(count > 0)),
          ),
        );
      },
    };
  });
}
