/** Aggregations that keep some of a group's samples as they are: topk, bottomk, limitk. */
import type { Labels } from "@pleiad/model";
import type { SourceRange } from "@pleiad/promql-syntax";
import { formatGrouping, groupSeries, type Grouping } from "./grouping.ts";
import { informOfIgnoredInAggregation } from "./histogram-remarks.ts";
import { createStepBatch, moveSample, reserveSamples, type Operator, type StepBatch } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError } from "./query-error.ts";
import type { ScalarColumn } from "./scalar-column.ts";

export interface SelectingAggregation extends Grouping {
  readonly operator: "topk" | "bottomk" | "limitk";
  readonly parameter: ScalarColumn;
  readonly range: SourceRange; // where the aggregation stands in the query
}

/** What a group keeps of one step, best first. */
interface Kept {
  readonly samples: number[]; // places in the batch
  readonly values: number[];
}

/** The samples keep their series. Groups come in the order in which a step first sees them, each by value. */
export function createSelectingAggregation(
  input: Operator,
  aggregation: SelectingAggregation,
  context: QueryContext,
): Operator {
  const isBetter = rankings[aggregation.operator];
  let groupOf: Uint32Array = new Uint32Array(0);
  let limits = new Float64Array(0);
  let batch: StepBatch | undefined;
  let step = 0;
  return {
    description: `${aggregation.operator} ${formatGrouping(aggregation)}`,
    inputs: [input],
    get dropsName() {
      return input.dropsName;
    },
    async series(signal): Promise<readonly Labels[]> {
      limits = checkedLimits(await aggregation.parameter(signal));
      const labels = await input.series(signal);
      ({ groupOf } = await groupSeries(labels, aggregation, context.pace));
      return labels;
    },
    async next(out, signal) {
      batch ??= createStepBatch(out.stepCountMax);
      const steps = await input.next(batch, signal);
      if (steps === 0) return 0;
      reserveSamples(out, batch.sampleEnds[steps - 1]);
      out.timestampsMs.set(batch.timestampsMs.subarray(0, steps));
      out.histograms.length = 0;
      if (batch.histograms.length > 0 && aggregation.operator !== "limitk") {
        const ignored = dropHistograms(batch, steps);
        const isLimited = limits.subarray(step, step + steps).some((limit) => limit >= 1);
        if (ignored && isLimited) informOfIgnoredInAggregation(aggregation.operator, aggregation.range, context);
      }
      let from = 0;
      let count = 0;
      for (let i = 0; i < steps; i++) {
        const to = batch.sampleEnds[i];
        for (const kept of selectStep(batch, from, to, groupOf, limits[step + i], isBetter)) {
          for (const sample of kept.samples) {
            out.seriesIds[count] = batch.seriesIds[sample];
            moveSample(batch, sample, out, count++);
          }
        }
        out.sampleEnds[i] = count;
        from = to;
        if (context.pace.due()) await context.pace.rest();
      }
      step += steps;
      return steps;
    },
  };
}

/** Whether a later sample goes before an earlier one. NaN is the worst in both directions. */
const rankings: Readonly<Record<SelectingAggregation["operator"], (value: number, held: number) => boolean>> = {
  topk: (value, held) => value > held || (held !== held && value === value),
  bottomk: (value, held) => value < held || (held !== held && value === value),
  limitk: () => false,
};

function selectStep(
  { seriesIds, values }: StepBatch,
  from: number,
  to: number,
  groupOf: Uint32Array,
  limit: number,
  isBetter: (value: number, held: number) => boolean,
): Iterable<Kept> {
  const keptOf = new Map<number, Kept>();
  const countMax = Math.trunc(limit);
  if (countMax < 1) return [];
  for (let i = from; i < to; i++) {
    const group = groupOf[seriesIds[i]];
    let kept = keptOf.get(group);
    if (kept === undefined) keptOf.set(group, (kept = { samples: [], values: [] }));
    const held = kept.values;
    if (held.length === countMax && !isBetter(values[i], held[countMax - 1])) continue;
    let low = 0;
    let high = held.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBetter(values[i], held[middle])) high = middle;
      else low = middle + 1;
    }
    held.splice(low, 0, values[i]);
    kept.samples.splice(low, 0, i);
    if (held.length > countMax) {
      held.pop();
      kept.samples.pop();
    }
  }
  return keptOf.values();
}

/** Closes up a batch over its histograms, which have no order; tells whether there were any. */
function dropHistograms(batch: StepBatch, steps: number): boolean {
  const { seriesIds, values, sampleEnds, histograms } = batch;
  let sample = 0;
  let kept = 0;
  for (let step = 0; step < steps; step++) {
    for (; sample < sampleEnds[step]; sample++) {
      if (histograms[sample] !== undefined) continue;
      seriesIds[kept] = seriesIds[sample];
      values[kept++] = values[sample];
    }
    sampleEnds[step] = kept;
  }
  histograms.length = 0;
  return kept < sample;
}

function checkedLimits(limits: Float64Array): Float64Array<ArrayBuffer> {
  const copy = Float64Array.from(limits);
  let max = -Infinity;
  let min = Infinity;
  let hasNaN = false;
  for (const limit of copy) {
    if (limit !== limit) hasNaN = true;
    if (limit > max) max = limit;
    if (limit < min) min = limit;
  }
  if (max < 1 && !hasNaN) return copy;
  if (hasNaN) throw new QueryError("execution", "Parameter value is NaN");
  if (min <= -(2 ** 63)) throw new QueryError("execution", `Scalar value ${min} underflows int64`);
  if (max >= 2 ** 63) throw new QueryError("execution", `Scalar value ${max} overflows int64`);
  return copy;
}
