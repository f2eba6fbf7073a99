/** Smoothed instant selectors: at each step a value on the line between the samples before and after it. */
import type { SampleColumns } from "@pleiad/chunks";
import { formatPlan, type SelectNode, type StepGrid } from "@pleiad/promql-plan";
import { firstAfter, interpolateAt } from "./extended-kernels.ts";
import type { Operator } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { createRowOperator, eachSeries } from "./row-operator.ts";
import { dropStale, readSeries } from "./series-reader.ts";
import { referenceTimes } from "./step-grid.ts";

/** Samples count up to the lookback before and after a step. Where none comes after, the last one stays as it is. */
export function createSmoothedSelector(select: SelectNode, grid: StepGrid, context: QueryContext): Operator {
  const references = referenceTimes(grid, select);
  return createRowOperator(
    { description: `select ${formatPlan(select)}`, inputs: [], grid, context },
    async (signal) => {
      const reader = await readSeries(select, context, signal);
      return {
        labels: reader.labels,
        each: async (visit) => {
          const fill = (seriesId: number, values: Float64Array, present: Uint8Array) => {
            const columns = reader.samplesOf(seriesId);
            dropStale(columns);
            return fillSmoothed(columns, references, select, values, present);
          };
          await eachSeries(reader.labels.length, references.length, context, fill, visit);
        },
      };
    },
  );
}

function fillSmoothed(
  columns: SampleColumns,
  references: Float64Array,
  { rangeMs, afterMs }: SelectNode,
  values: Float64Array,
  present: Uint8Array,
): boolean {
  const { timestampsMs, count } = columns;
  let found = false;
  for (let step = 0; step < references.length; step++) {
    const referenceMs = references[step];
    const after = firstAfter(timestampsMs, 0, count, referenceMs);
    present[step] = 0;
    if (after === 0 || timestampsMs[after - 1] <= referenceMs - rangeMs) continue;
    const isBetween = after < count && timestampsMs[after] <= referenceMs + afterMs;
    const isExact = timestampsMs[after - 1] === referenceMs;
    values[step] =
      isBetween && !isExact ? interpolateAt(columns, after - 1, referenceMs, false) : columns.values[after - 1];
    present[step] = 1;
    found = true;
  }
  return found;
}
