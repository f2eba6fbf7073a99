/** Aggregations that keep some of a group's samples as they are: topk, bottomk, limitk. */
import type { Labels } from "@pleiad/model";
import type { SourceRange } from "@pleiad/promql-syntax";
import { formatGrouping, groupSeries, type Grouping } from "./grouping.ts";
import { informOfIgnoredInAggregation } from "./histogram-remarks.ts";
import { createLateOperator } from "./late-operator.ts";
import { createStepBatch, moveSample, reserveSamples, type Operator, type StepBatch } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { QueryError } from "./query-error.ts";
import type { ScalarColumn } from "./scalar-column.ts";

export interface SelectingAggregation extends Grouping {
  readonly operator: "topk" | "bottomk" | "limitk";
  readonly parameter: ScalarColumn;
  readonly range: SourceRange; // where the aggregation stands in the query
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
  return createLateOperator({
    description: `${aggregation.operator} ${formatGrouping(aggregation)}`,
    inputs: [input],
    dropsName: () => input.dropsName,
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
          for (const sample of kept) {
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
  });
}

/** Whether a later sample goes before an earlier one. NaN is the worst in both directions. */
const rankings: Readonly<Record<SelectingAggregation["operator"], (value: number, held: number) => boolean>> = {
  topk: (value, held) => value > held || (held !== held && value === value),
  bottomk: (value, held) => value < held || (held !== held && value === value),
  limitk: () => false,
};

/** The places in the batch of what each group keeps of one step, best first. */
function selectStep(
  { seriesIds, values }: StepBatch,
  from: number,
  to: number,
  groupOf: Uint32Array,
  limit: number,
  isBetter: (value: number, held: number) => boolean,
): Iterable<readonly number[]> {
  const keptOf = new Map<number, number[]>();
  const countMax = Math.trunc(limit);
  if (countMax < 1) return [];
  // The sort is stable: of equal samples, the first ones stay.
  const order = (a: number, b: number) =>
    isBetter(values[a], values[b]) ? -1 : isBetter(values[b], values[a]) ? 1 : 0;
  const cut = (kept: number[]) => {
    kept.sort(order);
    if (kept.length > countMax) kept.length = countMax;
  };
  for (let i = from; i < to; i++) {
    const group = groupOf[seriesIds[i]];
    let kept = keptOf.get(group);
    if (kept === undefined) keptOf.set(group, (kept = []));
    // From the moment that there are enough, the first ones are in order, and whatever is kept beats the last of them.
    if (kept.length >= countMax && !isBetter(values[i], values[kept[countMax - 1]])) continue;
    kept.push(i);
    if (kept.length === countMax || kept.length >= 2 * countMax + uncutMin) cut(kept);
  }
  for (const kept of keptOf.values()) cut(kept);
  return keptOf.values();
}

/** A group is cut to what it keeps once it has twice that, and so many more: each cut then pays. */
const uncutMin = 16;

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
