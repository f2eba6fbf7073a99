/** Aggregations with one result a group and step. */
import { labelValue, metricNameLabel, type Labels } from "@pleiad/model";
import { stepCountOf, type StepGrid } from "@pleiad/promql-plan";
import type { SourceRange } from "@pleiad/promql-syntax";
import type { AccumulatorKind } from "./accumulators.ts";
import { createAggregateSlots, type AggregateSlots } from "./aggregate-slots.ts";
import { formatGrouping, groupSeries, type Grouping, type Groups } from "./grouping.ts";
import { createLateOperator } from "./late-operator.ts";
import { mergeNameDrops } from "./name-drops.ts";
import { batchStepsMax, createStepBatch, type Operator, type RowStream, type StepBatch } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { eachSeries } from "./row-operator.ts";
import type { ScalarColumn } from "./scalar-column.ts";

export interface Aggregation extends Grouping {
  readonly operator: AccumulatorKind;
  /** The φ of quantile; checked by whoever makes the column. */
  readonly parameter: ScalarColumn | undefined;
  readonly inputRange: SourceRange; // where the input stands in the query
}

/**
 * Over an input that gives rows, every sample goes straight into its group's row: what is held is groups × steps, however
 * many series there are. Else the groups are those of one batch of steps.
 */
export function createAggregation(
  input: Operator,
  aggregation: Aggregation,
  grid: StepGrid,
  context: QueryContext,
): Operator {
  const stepCount = stepCountOf(grid);
  let groups: Groups = { labels: [], groupOf: new Uint32Array(0) };
  let parameters: Float64Array | undefined;
  let slots: AggregateSlots | undefined;
  let seriesLabels: readonly Labels[] = [];
  let batch: StepBatch | undefined;
  let step = 0;
  const nameOf = (seriesId: number) => labelValue(seriesLabels[seriesId], metricNameLabel);
  const newSlots = (stride: number) =>
    createAggregateSlots(aggregation, { groupCount: groups.labels.length, stride }, nameOf, context);

  const fillFrom = async (rows: RowStream, signal: AbortSignal) => {
    context.budget.take(groups.labels.length * stepCount);
    const filled = newSlots(stepCount);
    const { groupOf } = groups;
    await rows.each((...row) => filled.addRow(groupOf[row[0]] * stepCount, ...row), signal);
    return filled;
  };

  const fromRows = async (rows: RowStream, out: StepBatch, signal: AbortSignal) => {
    slots ??= await fillFrom(rows, signal);
    const steps = writeSteps(out, slots, { step, grid, parameters });
    step += steps;
    return steps;
  };

  const fromSteps = async (out: StepBatch, signal: AbortSignal) => {
    batch ??= createStepBatch(out.stepCountMax);
    slots ??= newSlots(out.stepCountMax);
    const steps = await input.next(batch, signal);
    if (steps === 0) return 0;
    slots.clear();
    slots.addBatch(batch, steps, groups.groupOf, 0);
    slots.write(out, { steps, slotStart: 0, parameters: parameters?.subarray(step) });
    out.timestampsMs.set(batch.timestampsMs.subarray(0, steps));
    step += steps;
    if (context.pace.due()) await context.pace.rest();
    return steps;
  };

  return createLateOperator({
    description: `${aggregation.operator} ${formatGrouping(aggregation)}`,
    inputs: [input],
    dropsName: () => mergeNameDrops(input.dropsName, groups.groupOf, groups.labels.length),
    hasDistinctLabels: () => true,
    rows: () => {
      const { rows } = input;
      return rows && rowsOf(groups, async (signal) => await fillFrom(rows, signal), parameters, stepCount, context);
    },
    async series(signal): Promise<readonly Labels[]> {
      parameters = await aggregation.parameter?.(signal);
      seriesLabels = await input.series(signal);
      groups = await groupSeries(seriesLabels, aggregation, context.pace);
      return groups.labels;
    },
    next: async (out, signal) =>
      input.rows === undefined ? await fromSteps(out, signal) : await fromRows(input.rows, out, signal),
  });
}

/**
 * Several aggregations by the same groups, of one pass over the input: an operator for each, in their order. The first of them that
 * is read makes the pass; what is held is groups × steps for each.
 */
export function createJointAggregation(
  input: Operator,
  members: readonly Omit<Aggregation, "parameter" | keyof Grouping>[],
  grouping: Grouping,
  grid: StepGrid,
  context: QueryContext,
): readonly Operator[] {
  const stepCount = stepCountOf(grid);
  let groups: Groups = { labels: [], groupOf: new Uint32Array(0) };
  let slots: readonly AggregateSlots[] = [];

  const open = async (signal: AbortSignal) => {
    const seriesLabels = await input.series(signal);
    groups = await groupSeries(seriesLabels, grouping, context.pace);
    const nameOf = (seriesId: number) => labelValue(seriesLabels[seriesId], metricNameLabel);
    const layout = { groupCount: groups.labels.length, stride: stepCount };
    context.budget.take(layout.groupCount * stepCount * members.length);
    slots = members.map((member) => createAggregateSlots(member, layout, nameOf, context));
  };
  const fill = async (signal: AbortSignal) => {
    const { groupOf } = groups;
    const { rows } = input;
    if (rows !== undefined) {
      await rows.each((...row) => {
        const slot = groupOf[row[0]] * stepCount;
        for (const one of slots) one.addRow(slot, ...row);
      }, signal);
      return;
    }
    const batch = createStepBatch(Math.min(batchStepsMax, stepCount));
    let step = 0;
    for (let steps = await input.next(batch, signal); steps > 0; steps = await input.next(batch, signal)) {
      for (const one of slots) one.addBatch(batch, steps, groupOf, step);
      step += steps;
      if (context.pace.due()) await context.pace.rest();
    }
  };

  let opening: Promise<void> | undefined;
  let filling: Promise<void> | undefined;
  return members.map(({ operator }, place) => {
    let step = 0;
    const besides = place === 0 ? "" : `, of the pass of ${members[0].operator}`;
    return createLateOperator({
      description: `${operator} ${formatGrouping(grouping)}${besides}`,
      inputs: place === 0 ? [input] : [],
      dropsName: () => mergeNameDrops(input.dropsName, groups.groupOf, groups.labels.length),
      async series(signal): Promise<readonly Labels[]> {
        await (opening ??= open(signal));
        return groups.labels;
      },
      hasDistinctLabels: () => true,
      rows: () => {
        const filled = async (signal: AbortSignal) => {
          await (filling ??= fill(signal));
          return slots[place];
        };
        return rowsOf(groups, filled, undefined, stepCount, context);
      },
      async next(out, signal) {
        await (filling ??= fill(signal));
        const steps = writeSteps(out, slots[place], { step, grid, parameters: undefined });
        step += steps;
        return steps;
      },
    });
  });
}

/** The groups as rows, of the slots that `fill` gives. */
function rowsOf(
  groups: Groups,
  fill: (signal: AbortSignal) => Promise<AggregateSlots>,
  parameters: Float64Array | undefined,
  stepCount: number,
  context: QueryContext,
): RowStream {
  return {
    async each(visit, signal) {
      const slots = await fill(signal);
      const readRow = (group: number, values: Float64Array, present: Uint8Array) =>
        slots.readRow(group, values, present, parameters);
      await eachSeries(groups.labels.length, stepCount, context, readRow, visit);
    },
  };
}

/** Writes the next steps of slots that have them all. */
function writeSteps(
  out: StepBatch,
  slots: AggregateSlots,
  {
    step,
    grid,
    parameters,
  }: { readonly step: number; readonly grid: StepGrid; readonly parameters: Float64Array | undefined },
): number {
  const steps = Math.min(out.stepCountMax, stepCountOf(grid) - step);
  if (steps <= 0) return 0;
  slots.write(out, { steps, slotStart: step, parameters: parameters?.subarray(step) });
  for (let i = 0; i < steps; i++) out.timestampsMs[i] = grid.startMs + (step + i) * grid.stepMs;
  return steps;
}
