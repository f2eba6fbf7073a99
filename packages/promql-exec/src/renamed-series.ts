/** Operators that change the labels of series and nothing else: dropping the name, label_replace, label_join. */
import { withoutLabels, type Labels } from "@pleiad/model";
import type { Operator, StepBatch } from "./operator.ts";
import { outputLabels } from "./output-labels.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError, sameLabelsetText } from "./query-error.ts";

/** What the metric's name and its metadata are kept in: operations that make another metric of it drop them. */
export const metricSchemaLabels: ReadonlySet<string> = new Set(["__name__", "__type__", "__unit__"]);

export function dropMetricName(labels: Labels): Labels {
  return withoutLabels(labels, metricSchemaLabels);
}

/**
 * The input under other labels. Series that become the same are one from then on, and fail the query where two of them
 * have a sample at the same step.
 */
export function createRenamedSeries(
  input: Operator,
  rename: (labels: Labels) => Labels,
  description: string,
  context: QueryContext,
): Operator {
  let outputIds: Uint32Array | undefined; // by input id; undefined while every series stays one of its own
  let lastSteps = new Int32Array(0); // by output id: the last step with a sample
  let step = 0;
  return {
    description,
    inputs: [input],
    async series(signal) {
      const table = await outputLabels(await input.series(signal), rename, context.pace);
      if (table.isMerging) {
        outputIds = table.ids;
        lastSteps = new Int32Array(table.labels.length).fill(-1);
      }
      return table.labels;
    },
    get rows() {
      return outputIds === undefined ? input.rows : undefined;
    },
    async next(out, signal) {
      const stepCount = await input.next(out, signal);
      if (outputIds !== undefined) {
        renumber(out, stepCount, outputIds, lastSteps, step);
        step += stepCount;
      }
      return stepCount;
    },
  };
}

function renumber(
  { seriesIds, sampleEnds }: StepBatch,
  stepCount: number,
  outputIds: Uint32Array,
  lastSteps: Int32Array,
  firstStep: number,
): void {
  let sample = 0;
  for (let step = 0; step < stepCount; step++) {
    for (; sample < sampleEnds[step]; sample++) {
      const id = outputIds[seriesIds[sample]];
      if (lastSteps[id] === firstStep + step) throw new QueryError("execution", sameLabelsetText);
      lastSteps[id] = firstStep + step;
      seriesIds[sample] = id;
    }
  }
}
