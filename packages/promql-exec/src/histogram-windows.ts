/** Windows over a series that has native histograms, and perhaps floats as well: what range functions see of it at a step. */
import type { HistogramColumns, SampleColumns } from "@pleiad/chunks";
import type { StepGrid } from "@pleiad/promql-plan";
import type { SourceRange } from "@pleiad/promql-syntax";
import type { QueryContext } from "./query-context.ts";
import { referenceTimes } from "./step-grid.ts";
import type { WindowInput } from "./window-input.ts";

/** The window of one step: floats [floatStart, floatEnd) and histograms [start, end). One object serves all steps. */
export interface HistogramWindow {
  readonly floats: SampleColumns;
  readonly floatStart: number;
  readonly floatEnd: number;
  readonly columns: HistogramColumns; // startTimestampsMs is there where the function is to use it
  readonly start: number;
  readonly end: number;
  /** The range itself, left end excluded. The window goes beyond it where the selector is anchored or smoothed. */
  readonly rangeStartMs: number;
  readonly rangeEndMs: number;
  readonly remarks: WindowRemarks;
}

/** What is needed to say something about the samples of a window. */
export interface WindowRemarks {
  readonly metricName: string;
  readonly range: SourceRange; // where the range vector stands in the query
  readonly context: QueryContext;
}

/** Visits the windows of all steps of one series. */
export type HistogramWindowWalk = (
  floats: SampleColumns,
  columns: HistogramColumns,
  remarks: WindowRemarks,
  visit: (window: HistogramWindow, step: number) => void,
) => void;

export function createHistogramWindowWalk(
  input: Pick<WindowInput, "shift" | "rangeMs" | "beforeMs" | "afterMs">,
  grid: StepGrid,
): HistogramWindowWalk {
  const referencesMs = referenceTimes(grid, input.shift);
  const { rangeMs, beforeMs, afterMs } = input;
  return (floats, columns, remarks, visit) => {
    const window = {
      floats,
      floatStart: 0,
      floatEnd: 0,
      columns,
      start: 0,
      end: 0,
      rangeStartMs: 0,
      rangeEndMs: 0,
      remarks,
    };
    for (let step = 0; step < referencesMs.length; step++) {
      window.rangeEndMs = referencesMs[step];
      window.rangeStartMs = window.rangeEndMs - rangeMs;
      const afterTimeMs = window.rangeStartMs - beforeMs;
      const lastMs = window.rangeEndMs + afterMs;
      window.floatStart = countUpTo(floats, window.floatStart, afterTimeMs);
      window.floatEnd = countUpTo(floats, Math.max(window.floatEnd, window.floatStart), lastMs);
      window.start = countUpTo(columns, window.start, afterTimeMs);
      window.end = countUpTo(columns, Math.max(window.end, window.start), lastMs);
      visit(window, step);
    }
  };
}

/** How many samples, of which `known` are known to, lie at `timeMs` or before. */
function countUpTo(
  { timestampsMs, count }: Pick<SampleColumns, "timestampsMs" | "count">,
  known: number,
  timeMs: number,
): number {
  let end = known;
  while (end < count && timestampsMs[end] <= timeMs) end++;
  return end;
}
