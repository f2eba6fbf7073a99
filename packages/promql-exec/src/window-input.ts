/** Range vectors: the samples of each series that windows are cut from, out of a source or out of a subquery. */
import {
  createHistogramColumns,
  createSampleColumns,
  reserveHistograms,
  reserveSamples,
  type HistogramColumns,
  type SampleColumns,
} from "@pleiad/chunks";
import { formatDuration, type FloatHistogram, type Labels } from "@pleiad/model";
import { formatPlan, stepCountOf, type SelectNode, type StepGrid, type SubqueryNode } from "@pleiad/promql-plan";
import type { NameDrops } from "./name-drops.ts";
import { dropStaleHistograms, withoutResetHint } from "./histogram-samples.ts";
import { isFitLeaf, type Leaf } from "./leaf.ts";
import { eachLeafRow } from "./leaf-rows.ts";
import { histogramCost } from "./limits.ts";
import {
  batchStepsMax,
  createStepBatch,
  histogramSample,
  noSample,
  type Operator,
  type RowVisitor,
} from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { dropStale, readSeries, type SeriesReader } from "./series-reader.ts";

/**
 * Gives each series' samples, floats and native histograms, ascending, without staleness markers. The columns are reused
 * for the next series, for which an input that `waits` waits until what the visitor promises is done.
 */
export type SamplesVisitor = (
  seriesId: number,
  columns: SampleColumns,
  histograms: HistogramColumns,
) => void | Promise<void>;

export interface WindowInput {
  /** What `explain` prints of it. */
  readonly description: string;
  /** Labels of every series; called once, before `each`. */
  series(signal: AbortSignal): Promise<readonly Labels[]>;
  each(visit: SamplesVisitor, signal: AbortSignal): Promise<void>;
  /** Whether a visitor may take its time; to be asked for each series. */
  waits(): boolean;
  /**
   * Instead of `each`, where it is there: visits the results of a function that takes nothing but the range, and the samples
   * of those series only for which they are not known.
   */
  readonly eachResult?: (
    name: string,
    grid: StepGrid,
    visit: RowVisitor,
    visitSamples: SamplesVisitor,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Where the windows end at each step of the function around, and how long they are. */
  readonly shift: { readonly offsetMs: number; readonly atMs: number | undefined };
  readonly rangeMs: number;
  /** How far beyond the range, before and after, samples are given as well: of anchored and smoothed selectors. */
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly extension: SelectNode["extension"];
  readonly inputs: readonly Operator[];
  dropsName(): NameDrops; // as of an operator
}

/** `startTimestamps`: whether the columns are to have them as well. */
export function createSelectedWindows(
  select: SelectNode,
  context: QueryContext,
  options: { readonly startTimestamps: boolean } = { startTimestamps: false },
): WindowInput {
  let reader: SeriesReader | undefined;
  let isInTasks = false;
  const openedReader = () => {
    if (reader === undefined) throw new Error("each before series");
    return reader;
  };
  return {
    description: formatPlan({ kind: "window", select, range: select.range }),
    shift: select,
    rangeMs: select.rangeMs,
    beforeMs: select.beforeMs,
    afterMs: select.afterMs,
    extension: select.extension,
    inputs: [],
    // Results of tasks are taken without a pause between them.
    waits: () => !isInTasks,
    dropsName: () => undefined,
    async series(signal) {
      reader = await readSeries(select, context, signal, options);
      return reader.labels;
    },
    async each(visit) {
      const opened = openedReader();
      for (let seriesId = 0; seriesId < opened.labels.length; seriesId++) {
        await visitSeries(opened, seriesId, visit);
        if (context.pace.due()) await context.pace.rest();
      }
    },
    async eachResult(name, grid, visit, visitSamples, signal) {
      const leaf: Leaf = { kernel: { kind: "range", function: name }, select, dropsName: false, range: select.range };
      if (!isFitLeaf(leaf, grid)) return await this.each(visitSamples, signal);
      const opened = openedReader();
      const visitOther = (seriesId: number) => void visitSeries(opened, seriesId, visitSamples);
      isInTasks = true;
      await eachLeafRow(opened, leaf, grid, context, visit, visitOther, signal);
    },
  };
}

function visitSeries(reader: SeriesReader, seriesId: number, visit: SamplesVisitor): void | Promise<void> {
  const columns = reader.samplesOf(seriesId);
  dropStale(columns);
  if (reader.histograms.count > 0) dropStaleHistograms(reader.histograms);
  return visit(seriesId, columns, reader.histograms);
}

/** Of one series, so many samples that a function looks at hold up everything else for some tenths of a second. */
const samplesWithoutPauseMax = 50_000_000;

/** Windows over what `input` gives at the steps of the subquery's own grid, for a function of `windowCount` steps. */
export function createSubqueryWindows(
  subquery: SubqueryNode,
  input: Operator,
  windowCount: number,
  context: QueryContext,
): WindowInput {
  // Rows come without a pause between them, nor in them: where each is long work, the samples are kept instead.
  const isLong = windowCount * (subquery.rangeMs / subquery.grid.stepMs) > samplesWithoutPauseMax;
  const rowsOf = () => (isLong ? undefined : input.rows);
  let labels: readonly Labels[] = [];
  return {
    description: `windows of ${formatDuration(subquery.rangeMs)} by ${formatDuration(subquery.grid.stepMs)}`,
    shift: subquery,
    rangeMs: subquery.rangeMs,
    beforeMs: 0,
    afterMs: 0,
    extension: undefined,
    inputs: [input],
    waits: () => rowsOf() === undefined,
    dropsName: () => input.dropsName,
    async series(signal) {
      labels = await input.series(signal);
      return labels;
    },
    async each(visit, signal) {
      const rows = rowsOf();
      if (rows !== undefined) return await eachRow(rows, subquery.grid, visit, signal);
      const columnsOf = labels.map(() => undefined as SeriesColumns | undefined);
      const held = await collectSteps(input, columnsOf, context, signal);
      for (const [seriesId, columns] of columnsOf.entries()) {
        if (columns !== undefined) await visit(seriesId, columns.floats, columns.histograms);
        if (context.pace.due()) await context.pace.rest();
      }
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
  const histogramColumns = createHistogramColumns();
  await rows.each((seriesId, values, present, histograms) => {
    columns.count = 0;
    histogramColumns.count = 0;
    if (histograms !== undefined) {
      for (let step = 0; step < stepCount; step++) {
        const histogram = present[step] === histogramSample ? histograms[step] : undefined;
        if (histogram === undefined) continue;
        addHistogram(histogramColumns, grid.startMs + step * grid.stepMs, histogram);
        present[step] = noSample;
      }
    }
    for (let step = 0; step < stepCount; step++) {
      if (present[step] === 0) continue;
      columns.timestampsMs[columns.count] = grid.startMs + step * grid.stepMs;
      columns.values[columns.count++] = values[step];
    }
    void visit(seriesId, columns, histogramColumns);
  }, signal);
}

/** The samples of a subquery are none of the source's own: what its hints tell of neighbours does not hold for them. */
function addHistogram(columns: HistogramColumns, timestampMs: number, histogram: FloatHistogram): void {
  reserveHistograms(columns, 1);
  columns.timestampsMs[columns.count] = timestampMs;
  columns.histograms[columns.count++] = withoutResetHint(histogram);
}

interface SeriesColumns {
  readonly floats: SampleColumns;
  readonly histograms: HistogramColumns;
}

/** Turns steps into columns of series; gives the number of samples now held. */
async function collectSteps(
  input: Operator,
  columnsOf: (SeriesColumns | undefined)[],
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
        const { floats: columns, histograms } = (columnsOf[batch.seriesIds[sample]] ??= {
          floats: createSampleColumns(16),
          histograms: createHistogramColumns(),
        });
        const histogram = batch.histograms[sample];
        if (histogram !== undefined) {
          const cost = histogramCost(histogram);
          context.budget.take(cost);
          held += cost;
          addHistogram(histograms, batch.timestampsMs[step], histogram);
          continue;
        }
        reserveSamples(columns, 1);
        columns.timestampsMs[columns.count] = batch.timestampsMs[step];
        columns.values[columns.count++] = batch.values[sample];
      }
    }
    if (context.pace.due()) await context.pace.rest();
  }
  return held;
}
