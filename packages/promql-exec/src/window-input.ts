/** Range vectors: the samples of each series that windows are cut from, out of a source or out of a subquery. */
import { createSampleColumns, reserveSamples, type SampleColumns } from "@pleiad/chunks";
import { formatDuration, type Labels } from "@pleiad/model";
import { formatPlan, stepCountOf, type SelectNode, type StepGrid, type SubqueryNode } from "@pleiad/promql-plan";
import type { NameDrops } from "./name-drops.ts";
import { batchStepsMax, createStepBatch, type Operator } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { dropStale, readSeries } from "./series-reader.ts";

/** Gives each series' samples, ascending, without staleness markers. The columns are reused for the next series. */
export type SamplesVisitor = (seriesId: number, columns: SampleColumns) => void;

export interface WindowInput {
  /** What `explain` prints of it. */
  readonly description: string;
  /** Labels of every series; called once, before `each`. */
  series(signal: AbortSignal): Promise<readonly Labels[]>;
  each(visit: SamplesVisitor, signal: AbortSignal): Promise<void>;
  /** Where the windows end at each step of the function around, and how long they are. */
  readonly shift: { readonly offsetMs: number; readonly atMs: number | undefined };
  readonly rangeMs: number;
  /** How far beyond the range, before and after, samples are given as well: of anchored and smoothed selectors. */
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly inputs: readonly Operator[];
  readonly dropsName: NameDrops; // as of an operator
}

/** `startTimestamps`: whether the columns are to have them as well. */
export function createSelectedWindows(
  select: SelectNode,
  context: QueryContext,
  options: { readonly startTimestamps: boolean } = { startTimestamps: false },
): WindowInput {
  let reader: Awaited<ReturnType<typeof readSeries>> | undefined;
  return {
    description: formatPlan({ kind: "window", select, range: select.range }),
    shift: select,
    rangeMs: select.rangeMs,
    beforeMs: select.beforeMs,
    afterMs: select.afterMs,
    inputs: [],
    dropsName: undefined,
    async series(signal) {
      reader = await readSeries(select, context, signal, options);
      return reader.labels;
    },
    async each(visit) {
      if (reader === undefined) throw new Error("each before series");
      for (let seriesId = 0; seriesId < reader.labels.length; seriesId++) {
        const columns = reader.samplesOf(seriesId);
        dropStale(columns);
        visit(seriesId, columns);
        if (context.pace.due()) await context.pace.rest();
      }
    },
  };
}

/** Windows over what `input` gives at the steps of the subquery's own grid. */
export function createSubqueryWindows(subquery: SubqueryNode, input: Operator, context: QueryContext): WindowInput {
  let labels: readonly Labels[] = [];
  return {
    description: `windows of ${formatDuration(subquery.rangeMs)} by ${formatDuration(subquery.grid.stepMs)}`,
    shift: subquery,
    rangeMs: subquery.rangeMs,
    beforeMs: 0,
    afterMs: 0,
    inputs: [input],
    get dropsName() {
      return input.dropsName;
    },
    async series(signal) {
      labels = await input.series(signal);
      return labels;
    },
    async each(visit, signal) {
      if (input.rows !== undefined) return await eachRow(input.rows, subquery.grid, visit, signal);
      const columnsOf = labels.map(() => undefined as SampleColumns | undefined);
      const held = await collectSteps(input, columnsOf, context, signal);
      columnsOf.forEach((columns, seriesId) => {
        if (columns !== undefined) visit(seriesId, columns);
      });
      context.budget.give(held);
    },
  };
}

async function eachRow(
  rows: NonNullable<Operator["rows"]>,
  grid: StepGrid,
  visit: SamplesVisitor,
  signal: AbortSignal,
): Promise<void> {
  const stepCount = stepCountOf(grid);
  const columns = createSampleColumns(stepCount);
  await rows.each((seriesId, values, present) => {
    columns.count = 0;
    for (let step = 0; step < stepCount; step++) {
      if (present[step] === 0) continue;
      columns.timestampsMs[columns.count] = grid.startMs + step * grid.stepMs;
      columns.values[columns.count++] = values[step];
    }
    visit(seriesId, columns);
  }, signal);
}

/** Turns steps into columns of series; gives the number of samples now held. */
async function collectSteps(
  input: Operator,
  columnsOf: (SampleColumns | undefined)[],
  context: QueryContext,
  signal: AbortSignal,
): Promise<number> {
  const batch = createStepBatch(batchStepsMax);
  let held = 0;
  for (let stepCount = await input.next(batch, signal); stepCount > 0; stepCount = await input.next(batch, signal)) {
    const sampleCount = batch.sampleEnds[stepCount - 1];
    context.budget.take(sampleCount);
    held += sampleCount;
    let sample = 0;
    for (let step = 0; step < stepCount; step++) {
      for (; sample < batch.sampleEnds[step]; sample++) {
        const columns = (columnsOf[batch.seriesIds[sample]] ??= createSampleColumns(16));
        reserveSamples(columns, 1);
        columns.timestampsMs[columns.count] = batch.timestampsMs[step];
        columns.values[columns.count++] = batch.values[sample];
      }
    }
    if (context.pace.due()) await context.pace.rest();
  }
  return held;
}
