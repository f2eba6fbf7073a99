/** Functions over range vectors, as operators. */
import type { SampleColumns } from "@pleiad/chunks";
import { labelValue, metricNameLabel, unreachable, type Labels } from "@pleiad/model";
import type { StepGrid } from "@pleiad/promql-plan";
import type { SourceRange } from "@pleiad/promql-syntax";
import type { Operator } from "./operator.ts";
import { informAt, warnAt, type QueryContext } from "./query-context.ts";
import type { RangeKernel, RangeOddity, SampleWindows } from "./range-kernels.ts";
import { createRowOperator } from "./row-operator.ts";
import type { ScalarColumn } from "./scalar-column.ts";
import { referenceTimes, stepTimes } from "./step-grid.ts";
import type { WindowInput } from "./window-input.ts";

export interface RangeCall {
  readonly function: string;
  readonly kernel: RangeKernel;
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
    const stepCount = stepTimes(grid).length;
    const values = new Float64Array(stepCount);
    const present = new Uint8Array(stepCount);
    const isCounterFunction = call.function === "rate" || call.function === "increase";
    return {
      labels,
      dropsName: input.dropsName,
      each: async (visit, signal) => {
        await input.each((seriesId, columns) => {
          const remark = (oddity: RangeOddity) => warnOfOddity(oddity, labels[seriesId], call.inputRange, context);
          if (columns.count === 0 || !call.kernel(fillWindows(columns, remark), values, present)) return;
          if (isCounterFunction) informOfOddName(labels[seriesId], call.inputRange, context);
          visit(seriesId, values, present);
        }, signal);
      },
    };
  });
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
  return ({ timestampsMs, values, count, startTimestampsMs }, remark) => {
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
  const name = JSON.stringify(labelValue(labels, metricNameLabel));
  switch (oddity) {
    case "start-overlap": {
      const text = `sample has start time that overlaps with previous sample timestamp for metric ${name}`;
      warnAt(context, range, text, { kind: "occurrences", count: 1 });
      return;
    }
    default:
      unreachable(oddity);
  }
}

function informOfOddName(labels: Labels, range: SourceRange, context: QueryContext): void {
  const name = labelValue(labels, metricNameLabel);
  if (name === "" || /_(?:total|sum|count|bucket)$/.test(name)) return;
  const text = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket";
  informAt(context, range, `${text}: ${JSON.stringify(name)}`);
}
