/** From the operators' samples to the value of an answer. */
import { compareLabels, emptyLabels, type FloatHistogram, type Labels } from "@pleiad/model";
import { stepCountOf, type StepGrid } from "@pleiad/promql-plan";
import type { AnswerSeries, AnswerValue } from "./answer.ts";
import { createColumnRoom } from "./column-room.ts";
import { borderedSamples } from "./extended-kernels.ts";
import { histogramCost } from "./limits.ts";
import {
  batchStepsMax,
  createStepBatch,
  histogramSample,
  noSample,
  type Operator,
  type RowStream,
} from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError, sameLabelsetText } from "./query-error.ts";
import { outputLabels, sameLabels, type OutputLabels } from "./output-labels.ts";
import { referenceTimes, stepTimes } from "./step-grid.ts";
import type { WindowInput } from "./window-input.ts";

const noTimes = new Float64Array(0);

/** The samples of the only step, in the order in which they come. */
export async function collectVector(
  operator: Operator,
  grid: StepGrid,
  context: QueryContext,
  signal: AbortSignal,
): Promise<AnswerValue> {
  const seriesLabels = await operator.series(signal);
  if (operator.rows !== undefined && operator.hasDistinctLabels === true) {
    return await collectRowsOfStep(operator.rows, seriesLabels, grid, context, signal);
  }
  const batch = createStepBatch(1);
  await operator.next(batch, signal);
  const count = batch.sampleEnds[0];
  context.budget.take(count);
  const labels: Labels[] = [];
  for (let i = 0; i < count; i++) labels.push(seriesLabels[batch.seriesIds[i]]);
  if ((await outputLabels(labels, sameLabels, context.pace)).isMerging)
    throw new QueryError("execution", sameLabelsetText);
  return {
    kind: "vector",
    timestampMs: grid.startMs,
    labels,
    values: batch.values.slice(0, count),
    histograms: labels.map((_, i) => batch.histograms[i]),
  };
}

/** The samples of the only step of series that are told apart by their labels, as they are computed. */
async function collectRowsOfStep(
  rows: RowStream,
  seriesLabels: readonly Labels[],
  grid: StepGrid,
  context: QueryContext,
  signal: AbortSignal,
): Promise<AnswerValue> {
  const labels: Labels[] = [];
  const values: number[] = [];
  const histograms: (FloatHistogram | undefined)[] = [];
  await rows.each((seriesId, columns, present, natives) => {
    if (present[0] === noSample) return;
    const histogram = present[0] === histogramSample ? natives?.[0] : undefined;
    context.budget.take(histogram === undefined ? 1 : 1 + histogramCost(histogram));
    labels.push(seriesLabels[seriesId]);
    values.push(columns[0]);
    histograms.push(histogram);
  }, signal);
  return { kind: "vector", timestampMs: grid.startMs, labels, values: Float64Array.from(values), histograms };
}

/** All samples of all steps, by series. */
export async function collectMatrix(
  operator: Operator,
  grid: StepGrid,
  context: QueryContext,
  signal: AbortSignal,
): Promise<AnswerValue> {
  const labels = await operator.series(signal);
  if (operator.rows === undefined || operator.hasDistinctLabels !== true) {
    const output = await outputLabels(labels, sameLabels, context.pace);
    if (operator.rows === undefined || output.isMerging) {
      return matrixOf(await collectSteps(operator, output, grid, context, signal));
    }
  }
  const times = stepTimes(grid);
  const series: AnswerSeries[] = [];
  const columns = createColumnRoom(context.leafPool().pages);
  await operator.rows.each((seriesId, values, present, histograms) => {
    if (histograms !== undefined) {
      const growing = createGrowingSeries(times.length);
      for (let step = 0; step < times.length; step++) {
        if (present[step] === noSample) continue;
        context.budget.take(1);
        const histogram = present[step] === histogramSample ? histograms[step] : undefined;
        append(growing, times[step], values[step], histogram, context);
      }
      if (growing.lastMs > -Infinity) series.push(answerSeries(labels[seriesId], growing));
      return;
    }
    if (present.indexOf(noSample) === -1) {
      context.budget.take(times.length);
      const all = columns.take(times.length);
      all.set(values);
      series.push(floatSeries(labels[seriesId], times, all));
      return;
    }
    let count = 0;
    for (let step = 0; step < times.length; step++) count += present[step];
    if (count === 0) return;
    context.budget.take(count);
    const timestampsMs = columns.take(count);
    const kept = columns.take(count);
    let at = 0;
    for (let step = 0; step < times.length; step++) {
      if (present[step] === 0) continue;
      timestampsMs[at] = times[step];
      kept[at++] = values[step];
    }
    series.push(floatSeries(labels[seriesId], timestampsMs, kept));
  }, signal);
  return matrixOf(series, () => columns.release());
}

/** A scalar at each step: a matrix of one series without labels. */
export function matrixOfScalar(column: Float64Array, grid: StepGrid): AnswerValue {
  return matrixOf(column.length === 0 ? [] : [floatSeries(emptyLabels, stepTimes(grid), column)]);
}

/** The raw samples of a range vector at the only step. */
export async function collectWindows(
  windows: WindowInput,
  grid: StepGrid,
  context: QueryContext,
  signal: AbortSignal,
): Promise<AnswerValue> {
  const labels = await windows.series(signal);
  const [endMs] = referenceTimes(grid, windows.shift);
  const series: AnswerSeries[] = [];
  const columns = createColumnRoom(context.leafPool().pages);
  const copy = (samples: Float64Array) => {
    const own = columns.take(samples.length);
    own.set(samples);
    return own;
  };
  await windows.each((seriesId, floats, natives) => {
    const startMs = endMs - windows.rangeMs;
    const { extension, beforeMs, afterMs } = windows;
    if (extension !== undefined) {
      if (natives.count > 0) {
        throw new QueryError("execution", `${extension} modifier is not supported with histograms`);
      }
      const bordered = borderedSamples(floats, floats.count, { startMs, endMs, beforeMs, afterMs }, extension);
      if (bordered.values.length === 0) return;
      context.budget.take(bordered.values.length);
      series.push(floatSeries(labels[seriesId], bordered.timestampsMs, bordered.values));
      return;
    }
    const [from, to] = placesWithin(floats, startMs, endMs);
    const [first, end] = placesWithin(natives, startMs, endMs);
    if (from === to && first === end) return;
    context.budget.take(to - from + end - first);
    const histograms = natives.histograms.slice(first, end);
    for (const histogram of histograms) context.budget.take(histogramCost(histogram));
    series.push({
      labels: labels[seriesId],
      timestampsMs: copy(floats.timestampsMs.subarray(from, to)),
      values: copy(floats.values.subarray(from, to)),
      histogramTimestampsMs: natives.timestampsMs.slice(first, end),
      histograms,
    });
  }, signal);
  return matrixOf(series, () => columns.release());
}

/** Which samples have startMs < t ≤ endMs: the first one, and the one after the last. */
function placesWithin(
  { timestampsMs, count }: { readonly timestampsMs: Float64Array; readonly count: number },
  startMs: number,
  endMs: number,
): readonly [number, number] {
  let from = 0;
  while (from < count && timestampsMs[from] <= startMs) from++;
  let to = from;
  while (to < count && timestampsMs[to] <= endMs) to++;
  return [from, to];
}

interface GrowingSeries {
  timestampsMs: Float64Array;
  values: Float64Array;
  count: number; // of floats
  readonly histogramTimestampsMs: number[];
  readonly histograms: FloatHistogram[];
  lastMs: number; // of the last sample of either kind
}

async function collectSteps(
  operator: Operator,
  output: OutputLabels,
  grid: StepGrid,
  context: QueryContext,
  signal: AbortSignal,
): Promise<AnswerSeries[]> {
  const growing = output.labels.map(() => undefined as GrowingSeries | undefined);
  const stepCount = stepCountOf(grid);
  const batch = createStepBatch(Math.min(batchStepsMax, Math.max(1, stepCount)));
  let at = 0;
  for (let steps = await operator.next(batch, signal); steps > 0; steps = await operator.next(batch, signal)) {
    context.budget.take(batch.sampleEnds[steps - 1]);
    let sample = 0;
    for (let step = 0; step < steps; step++) {
      const timestampMs = batch.timestampsMs[step];
      for (; sample < batch.sampleEnds[step]; sample++) {
        const id = output.ids[batch.seriesIds[sample]];
        const one = (growing[id] ??= createGrowingSeries(stepCount - at - step));
        if (one.lastMs === timestampMs) throw new QueryError("execution", sameLabelsetText);
        append(one, timestampMs, batch.values[sample], batch.histograms[sample], context);
      }
    }
    at += steps;
    if (context.pace.due()) await context.pace.rest();
  }
  const series: AnswerSeries[] = [];
  growing.forEach((one, id) => {
    if (one === undefined) return;
    series.push(answerSeries(output.labels[id], one));
  });
  return series;
}

/** Most series have a sample at every step that is left, so there is room for that, up to some hundreds. */
function createGrowingSeries(stepsLeft: number): GrowingSeries {
  const capacity = Math.min(stepsLeft, 256);
  return {
    timestampsMs: new Float64Array(capacity),
    values: new Float64Array(capacity),
    count: 0,
    histogramTimestampsMs: [],
    histograms: [],
    lastMs: -Infinity,
  };
}

/** Adds a float, or the histogram where there is one, whose buckets are counted here. */
function append(
  series: GrowingSeries,
  timestampMs: number,
  value: number,
  histogram: FloatHistogram | undefined,
  context: QueryContext,
): void {
  series.lastMs = timestampMs;
  if (histogram !== undefined) {
    context.budget.take(histogramCost(histogram));
    series.histogramTimestampsMs.push(timestampMs);
    series.histograms.push(histogram);
    return;
  }
  if (series.count === series.values.length) {
    const { timestampsMs, values, count } = series;
    series.timestampsMs = new Float64Array(Math.max(2 * count, 1));
    series.values = new Float64Array(Math.max(2 * count, 1));
    series.timestampsMs.set(timestampsMs);
    series.values.set(values);
  }
  series.timestampsMs[series.count] = timestampMs;
  series.values[series.count++] = value;
}

function answerSeries(labels: Labels, one: GrowingSeries): AnswerSeries {
  return {
    labels,
    timestampsMs: cut(one.timestampsMs, one.count),
    values: cut(one.values, one.count),
    histogramTimestampsMs: Float64Array.from(one.histogramTimestampsMs),
    histograms: one.histograms,
  };
}

function cut(column: Float64Array, count: number): Float64Array {
  return count === column.length ? column : column.slice(0, count);
}

function floatSeries(labels: Labels, timestampsMs: Float64Array, values: Float64Array): AnswerSeries {
  return { labels, timestampsMs, values, histogramTimestampsMs: noTimes, histograms: [] };
}

function matrixOf(series: AnswerSeries[], release?: () => void): AnswerValue {
  series.sort((a, b) => compareLabels(a.labels, b.labels));
  return release === undefined ? { kind: "matrix", series } : { kind: "matrix", series, release };
}
