/** Smoothed instant selectors: at each step a value on the line between the samples before and after it. */
import type { HistogramColumns, SampleColumns } from "@pleiad/chunks";
import { hasCustomBounds, labelValue, metricNameLabel, type FloatHistogram } from "@pleiad/model";
import { formatPlan, type SelectNode, type StepGrid } from "@pleiad/promql-plan";
import { firstAfter, interpolateAt } from "./extended-kernels.ts";
import { interpolateHistogram } from "./histogram-rates.ts";
import { warnOfMixedRange, warnOfMixedSchemas } from "./histogram-remarks.ts";
import { dropStaleHistograms } from "./histogram-samples.ts";
import type { WindowRemarks } from "./histogram-windows.ts";
import { floatSample, histogramSample, noSample, type Operator, type RowHistograms } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { createRowOperator, eachSeries } from "./row-operator.ts";
import { dropStale, readSeries } from "./series-reader.ts";
import { referenceTimes } from "./step-grid.ts";

/** Samples count up to the lookback before and after a step. Where none comes after, the last one stays as it is. */
export function createSmoothedSelector(select: SelectNode, grid: StepGrid, context: QueryContext): Operator {
  const references = referenceTimes(grid, select);
  return createRowOperator(
    { description: () => `select ${formatPlan(select)}`, inputs: [], grid, context },
    async (signal) => {
      const reader = await readSeries(select, context, signal);
      return {
        labels: reader.labels,
        each: async (visit) => {
          const row: RowHistograms = Array.from(references, () => undefined);
          const fill = (seriesId: number, values: Float64Array, present: Uint8Array) => {
            const columns = reader.samplesOf(seriesId);
            dropStale(columns);
            const isFound = fillSmoothed(columns, references, select, values, present);
            if (reader.histograms.count === 0) return isFound;
            dropStaleHistograms(reader.histograms);
            const metricName = labelValue(reader.labels[seriesId], metricNameLabel);
            const remarks = { metricName, range: select.range, context };
            fillSmoothedHistograms(columns, reader.histograms, references, select, remarks, present, row);
            return row;
          };
          await eachSeries(reader.labels.length, references.length, context, fill, visit);
        },
      };
    },
  );
}

type Reach = Pick<SelectNode, "rangeMs" | "afterMs">;

/** The samples that a step at `referenceMs` sees, [start, end), and the first of them after it; `end` where none is. */
function windowAt(
  { timestampsMs, count }: Pick<SampleColumns, "timestampsMs" | "count">,
  referenceMs: number,
  reach: Reach,
) {
  const start = firstAfter(timestampsMs, 0, count, referenceMs - reach.rangeMs);
  const after = firstAfter(timestampsMs, start, count, referenceMs);
  return { start, after, end: firstAfter(timestampsMs, after, count, referenceMs + reach.afterMs) };
}

function fillSmoothed(
  columns: SampleColumns,
  references: Float64Array,
  reach: Reach,
  values: Float64Array,
  present: Uint8Array,
): boolean {
  let isFound = false;
  for (let step = 0; step < references.length; step++) {
    const referenceMs = references[step];
    const { start, after, end } = windowAt(columns, referenceMs, reach);
    present[step] = noSample;
    if (after === start) continue;
    const isBetween = after < end && columns.timestampsMs[after - 1] !== referenceMs;
    values[step] = isBetween ? interpolateAt(columns, after - 1, referenceMs, false) : columns.values[after - 1];
    present[step] = floatSample;
    isFound = true;
  }
  return isFound;
}

/** Puts histograms in their steps. Steps that see floats as well have neither, and a warning. */
function fillSmoothedHistograms(
  floats: SampleColumns,
  columns: HistogramColumns,
  references: Float64Array,
  reach: Reach,
  remarks: WindowRemarks,
  present: Uint8Array,
  row: RowHistograms,
): void {
  for (let step = 0; step < references.length; step++) {
    const referenceMs = references[step];
    const { start, after, end } = windowAt(columns, referenceMs, reach);
    row[step] = undefined;
    if (start === end) continue;
    const ofFloats = windowAt(floats, referenceMs, reach);
    if (ofFloats.start < ofFloats.end) {
      warnOfMixedRange(remarks.metricName, remarks.range, remarks.context);
      present[step] = noSample;
      continue;
    }
    if (after === start) continue;
    row[step] = smoothedHistogram(columns, after, end, referenceMs, remarks);
    present[step] = row[step] === undefined ? noSample : histogramSample;
  }
}

function smoothedHistogram(
  columns: HistogramColumns,
  after: number,
  end: number,
  referenceMs: number,
  remarks: WindowRemarks,
): FloatHistogram | undefined {
  const before = columns.histograms[after - 1];
  if (columns.timestampsMs[after - 1] === referenceMs) return before;
  // What a hint says of two samples is not said of one that stays.
  if (after === end) return { ...before, counterReset: "unknown" };
  const next = columns.histograms[after];
  if (hasCustomBounds(before) !== hasCustomBounds(next)) {
    warnOfMixedSchemas(remarks.metricName, remarks.range, remarks.context);
    return undefined;
  }
  const isGauge = before.counterReset === "gauge" && next.counterReset === "gauge";
  return interpolateHistogram({ columns, remarks }, after - 1, referenceMs, !isGauge);
}
