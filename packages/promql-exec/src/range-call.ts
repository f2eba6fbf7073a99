/** Functions over range vectors, as operators. */
import type { SampleColumns } from "@pleiad/chunks";
import { labelValue, metricNameLabel, unreachable, type Labels } from "@pleiad/model";
import type { StepGrid } from "@pleiad/promql-plan";
import { quoteString, type SourceRange } from "@pleiad/promql-syntax";
import type { HistogramRangeFunction } from "./histogram-range-functions.ts";
import { informOfIgnoredInRange, warnOfStartOverlap } from "./histogram-remarks.ts";
import { createHistogramWindowWalk, type HistogramWindow } from "./histogram-windows.ts";
import { needsBlocks, runInBlocks } from "./kernel-blocks.ts";
import { histogramCost } from "./limits.ts";
import {
  floatSample,
  histogramSample,
  noSample,
  type Operator,
  type RowHistograms,
  type RowVisitor,
} from "./operator.ts";
import { informAt, type QueryContext } from "./query-context.ts";
import { countWindows, type QueryableSamples } from "./queryable-samples.ts";
import type { RangeKernel, RangeOddity, SampleWindows } from "./range-kernels.ts";
import { createRowOperator } from "./row-operator.ts";
import type { ScalarColumn } from "./scalar-column.ts";
import { referenceTimes, stepTimes } from "./step-grid.ts";
import type { SamplesVisitor, WindowInput } from "./window-input.ts";

export interface RangeCall {
  readonly function: string;
  readonly kernel: RangeKernel;
  /** What it does with native histograms; undefined where it ignores them. */
  readonly ofHistograms: HistogramRangeFunction | undefined;
  readonly input: WindowInput;
  readonly parameters: readonly ScalarColumn[];
  readonly inputRange: SourceRange; // where the range vector stands in the query
}

/** The function's result for every series and step, under the labels of the input. */
export function createRangeCall(call: RangeCall, grid: StepGrid, context: QueryContext): Operator {
  const { input } = call;
  const shape = { description: `${call.function} over ${input.description}`, inputs: input.inputs, grid, context };
  return createRowOperator(shape, async (signal) => {
    const labels = await input.series(signal);
    const parameters: Float64Array[] = [];
    for (const parameter of call.parameters) parameters.push(await parameter(signal));
    const fillWindows = createWindowFinder(input, grid, parameters);
    const walkWindows = createHistogramWindowWalk(input, grid);
    const stepCount = stepTimes(grid).length;
    const row: RowHistograms = []; // as long as the grid once there are histograms
    const values = new Float64Array(stepCount);
    const present = new Uint8Array(stepCount);
    const { queryable } = context;
    const windowsOf = (columns: SampleColumns, remark: SampleWindows["remark"]) => {
      const windows = fillWindows(columns, remark);
      if (queryable !== undefined) countWindows(queryable, windows.starts, windows.ends);
      return windows;
    };
    const isCounterFunction = call.function === "rate" || call.function === "increase";
    return {
      labels,
      dropsName: input.dropsName(),
      each: async (visit, signal) => {
        const visitResult: RowVisitor = (seriesId, values, present) => {
          if (isCounterFunction) informOfOddName(labels[seriesId], call.inputRange, context);
          visit(seriesId, values, present);
        };
        const visitInBlocks = async (seriesId: number, windows: SampleWindows) => {
          const isFound = await runInBlocks(call.kernel, windows, values, present, context.pace);
          if (isFound) visitResult(seriesId, values, present);
        };
        const visitSamples: SamplesVisitor = (seriesId, columns, histograms) => {
          const remark = (oddity: RangeOddity) => warnOfOddity(oddity, labels[seriesId], call.inputRange, context);
          if (histograms.count > 0) {
            if (columns.count === 0) present.fill(noSample);
            else call.kernel(windowsOf(columns, remark), values, present);
            const metricName = labelValue(labels[seriesId], metricNameLabel);
            const remarks = { metricName, range: call.inputRange, context };
            row.length = stepCount;
            row.fill(undefined);
            walkWindows(columns, histograms, remarks, (window, step) => {
              if (queryable !== undefined) countHistogramWindow(queryable, window, step);
              if (window.start < window.end) fillHistogramStep(call, window, step, values, present, row);
            });
            if (present.every((kind) => kind === noSample)) return undefined;
            if (isCounterFunction) informOfOddName(labels[seriesId], call.inputRange, context);
            visit(seriesId, values, present, row);
            return undefined;
          }
          if (columns.count === 0) return undefined;
          const windows = windowsOf(columns, remark);
          if (input.waits() && needsBlocks(windows)) return visitInBlocks(seriesId, windows);
          if (call.kernel(windows, values, present)) visitResult(seriesId, values, present);
          return undefined;
        };
        if (input.eachResult === undefined || parameters.length > 0) await input.each(visitSamples, signal);
        else await input.eachResult(call.function, grid, visitResult, visitSamples, signal);
      },
    };
  });
}

function countHistogramWindow(
  queryable: QueryableSamples,
  { columns, start, end }: HistogramWindow,
  step: number,
): void {
  for (let i = start; i < end; i++) queryable.add(step, histogramCost(columns.histograms[i]));
}

/** Puts the result of a window with histograms in the place of that of its floats alone. */
function fillHistogramStep(
  { ofHistograms }: RangeCall,
  window: HistogramWindow,
  step: number,
  values: Float64Array,
  present: Uint8Array,
  row: RowHistograms,
): void {
  if (ofHistograms === undefined) {
    const { metricName, range, context } = window.remarks;
    if (window.floatStart < window.floatEnd) informOfIgnoredInRange(metricName, range, context);
    return;
  }
  const result = ofHistograms(window);
  if (result === undefined) present[step] = noSample;
  else if (typeof result === "number") {
    values[step] = result;
    present[step] = floatSample;
  } else {
    row[step] = result;
    present[step] = histogramSample;
  }
}

/** For any number of series, one after the other: where in its samples the window of each step lies. */
export function createWindowFinder(
  input: Pick<WindowInput, "shift" | "rangeMs" | "beforeMs" | "afterMs">,
  grid: StepGrid,
  parameters: readonly Float64Array[],
): (columns: SampleColumns, remark: SampleWindows["remark"]) => SampleWindows {
  const referencesMs = referenceTimes(grid, input.shift);
  const stepTimesMs = stepTimes(grid);
  const { rangeMs, beforeMs, afterMs } = input;
  const starts = new Uint32Array(referencesMs.length);
  const ends = new Uint32Array(referencesMs.length);
  return ({ timestampsMs, values, count, startTimestampsMs, weights }, remark) => {
    let start = 0;
    let end = 0;
    for (let step = 0; step < referencesMs.length; step++) {
      const endMs = referencesMs[step];
      while (start < count && timestampsMs[start] <= endMs - rangeMs - beforeMs) start++;
      while (end < count && timestampsMs[end] <= endMs + afterMs) end++;
      starts[step] = start;
      // Where the next sample is beyond the window, both ends stand there.
      ends[step] = Math.max(start, end);
    }
    return {
      timestampsMs,
      values,
      startTimestampsMs,
      weights,
      starts,
      ends,
      referencesMs,
      rangeMs,
      stepTimesMs,
      parameters,
      remark,
    };
  };
}

function warnOfOddity(oddity: RangeOddity, labels: Labels, range: SourceRange, context: QueryContext): void {
  switch (oddity) {
    case "start-overlap":
      warnOfStartOverlap(labelValue(labels, metricNameLabel), range, context);
      return;
    default:
      unreachable(oddity);
  }
}

/** Says that a metric of `rate` or `increase` may be none that counts. */
export function informOfOddName(labels: Labels, range: SourceRange, context: QueryContext): void {
  const name = labelValue(labels, metricNameLabel);
  if (name === "" || /_(?:total|sum|count|bucket)$/.test(name)) return;
  const text = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket";
  informAt(context, range, `${text}: ${quoteString(name)}`);
}
