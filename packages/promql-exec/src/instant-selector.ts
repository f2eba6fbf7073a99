/** Instant vector selectors: at each step, the latest sample of every series within the lookback. */
import type { SampleColumns } from "@pleiad/chunks";
import { formatPlan, type SelectNode, type StepGrid } from "@pleiad/promql-plan";
import { fillLatestOfBoth, type SampleAspect } from "./latest-histograms.ts";
import { isFitLeaf, type Leaf } from "./leaf.ts";
import { eachLeafRow } from "./leaf-rows.ts";
import type { Operator, RowHistograms, RowVisitor } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { countRow } from "./queryable-samples.ts";
import { createRowOperator, eachSeries } from "./row-operator.ts";
import { isStaleAt, readSeries } from "./series-reader.ts";
import { referenceTimes } from "./step-grid.ts";

/** `value`: the samples' values, or their own times or start timestamps in seconds, as functions of a selector give them. */
export function createInstantSelector(
  select: SelectNode,
  grid: StepGrid,
  context: QueryContext,
  value: SampleAspect = "value",
): Operator {
  const references = referenceTimes(grid, select);
  return createRowOperator(
    { description: () => `select ${formatPlan(select)}`, inputs: [], grid, context },
    async (signal) => {
      const options = { startTimestamps: value === "start-timestamp" };
      const reader = await readSeries(select, context, signal, options);
      return {
        labels: reader.labels,
        hasDistinctLabels: true, // a source gives each label set once
        each: async (visit, signal) => {
          const histograms: RowHistograms = [];
          const fill = (seriesId: number, values: Float64Array, present: Uint8Array) => {
            const columns = reader.samplesOf(seriesId);
            if (reader.histograms.count > 0) {
              const row = { values, present, histograms };
              const { rangeMs } = select;
              return fillLatestOfBoth(columns, reader.histograms, value, references, rangeMs, row) && histograms;
            }
            const found = fillLatest(columns, references, select.rangeMs, values, present);
            if (value === "timestamp" && found) fillTimes(columns, columns.timestampsMs, references, values);
            if (value === "start-timestamp" && found && columns.startTimestampsMs !== undefined) {
              fillTimes(columns, columns.startTimestampsMs, references, values);
            }
            return found;
          };
          const { queryable } = context;
          const counted: RowVisitor = (seriesId, values, present, row) => {
            if (queryable !== undefined) countRow(queryable, present, row);
            visit(seriesId, values, present, row);
          };
          const leaf = leafOf(select, value);
          const isSmall = reader.labels.length * references.length < context.leafResultsMin;
          if (isSmall || leaf === undefined || !isFitLeaf(leaf, grid)) {
            await eachSeries(reader.labels.length, references.length, context, fill, counted);
            return;
          }
          const values = new Float64Array(references.length);
          const present = new Uint8Array(references.length);
          const visitOther = (seriesId: number) => {
            const found = fill(seriesId, values, present);
            if (found !== false) counted(seriesId, values, present, found === true ? undefined : found);
          };
          await eachLeafRow(reader, leaf, grid, context, visit, visitOther, signal);
        },
      };
    },
  );
}

function leafOf(select: SelectNode, value: SampleAspect): Leaf | undefined {
  if (value === "start-timestamp") return undefined;
  const as = value === "value" ? "value" : "time";
  return { kernel: { kind: "latest", as }, select, dropsName: as === "time", range: select.range };
}

/** Writes the latest sample with reference - lookback < t ≤ reference. A staleness marker there means none. */
function fillLatest(
  columns: SampleColumns,
  references: Float64Array,
  lookbackMs: number,
  values: Float64Array,
  present: Uint8Array,
): boolean {
  const { timestampsMs, count } = columns;
  const samples = columns.values;
  let found = false;
  let next = 0; // the first sample after the reference
  for (let step = 0; step < references.length; step++) {
    const referenceMs = references[step];
    while (next < count && timestampsMs[next] <= referenceMs) next++;
    present[step] = 0;
    if (next === 0 || timestampsMs[next - 1] <= referenceMs - lookbackMs) continue;
    const value = samples[next - 1];
    if (value !== value && isStaleAt(columns, next - 1)) continue;
    values[step] = value;
    present[step] = 1;
    found = true;
  }
  return found;
}

/** Puts a time of each step's sample, out of `timesMs`, in the place of its value. */
function fillTimes(
  { timestampsMs, count }: SampleColumns,
  timesMs: Float64Array,
  references: Float64Array,
  values: Float64Array,
): void {
  let next = 0;
  for (let step = 0; step < references.length; step++) {
    while (next < count && timestampsMs[next] <= references[step]) next++;
    if (next > 0) values[step] = timesMs[next - 1] / 1000;
  }
}
