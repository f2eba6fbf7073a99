/** Operators that change the labels of series and nothing else: dropping the name, label_replace, label_join. */
import { withoutLabels, type Labels } from "@pleiad/model";
import { createLateOperator } from "./late-operator.ts";
import { mergeNameDrops, type NameDrops } from "./name-drops.ts";
import type { Operator, StepBatch } from "./operator.ts";
import { outputLabels } from "./output-labels.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError, sameLabelsetText } from "./query-error.ts";

/** What the metric's name and its metadata are kept in: operations that make another metric of it drop them. */
export const metricSchemaLabels: ReadonlySet<string> = new Set(["__name__", "__type__", "__unit__"]);

export function dropMetricName(labels: Labels): Labels {
  return withoutLabels(labels, metricSchemaLabels);
}

export interface SeriesRenaming {
  readonly rename: (labels: Labels, id: number) => Labels;
  /** Which names are still to be dropped, given the input's: a series that was named anew keeps its name. */
  readonly dropsName?: (drops: NameDrops, labels: readonly Labels[]) => NameDrops;
}

export const droppedMetricName: SeriesRenaming = { rename: dropMetricName };

/**
 * The input under other labels. Series that become the same are one from then on, and fail the query where two of them
 * have a sample at the same step.
 */
export function createRenamedSeries(
  input: Operator,
  { rename, dropsName = (drops) => drops }: SeriesRenaming,
  description: string,
  context: QueryContext,
): Operator {
  let outputIds: Uint32Array | undefined; // by input id; undefined while every series stays one of its own
  let lastSteps = new Int32Array(0); // by output id: the last step with a sample
  let step = 0;
  let drops: NameDrops;
  return createLateOperator({
    description,
    inputs: [input],
    dropsName: () => drops,
    async series(signal) {
      const inputLabels = await input.series(signal);
      const table = await outputLabels(inputLabels, rename, context.pace);
      drops = mergeNameDrops(dropsName(input.dropsName, inputLabels), table.ids, table.labels.length);
      if (table.isMerging) {
        outputIds = table.ids;
        lastSteps = new Int32Array(table.labels.length).fill(-1);
      }
      return table.labels;
    },
    hasDistinctLabels: () => true,
    rows: () => (outputIds === undefined ? input.rows : undefined),
    async next(out, signal) {
      const stepCount = await input.next(out, signal);
      if (outputIds !== undefined) {
        renumber(out, stepCount, outputIds, lastSteps, step);
        step += stepCount;
      }
      return stepCount;
    },
  });
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
