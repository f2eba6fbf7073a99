/** What the parts of a source evaluate, one beside the other, in the order of labels: equal ones are not made one. */
import { compareLabels, type Labels } from "@pleiad/model";
import { formatPlan, stepCountOf, type RemoteNode, type StepGrid } from "@pleiad/promql-plan";
import { histogramCost } from "./limits.ts";
import {
  batchStepsMax,
  createStepBatch,
  floatSample,
  histogramSample,
  type Operator,
  type RowHistograms,
  type RowVisitor,
} from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import { createRowOperator } from "./row-operator.ts";

/**
 * `choose` opens the parts, all at once, and may give others in their place. The samples of all are held: rows come in the
 * order of labels, whichever part they are of.
 */
export function createRemoteUnion(
  node: RemoteNode,
  parts: readonly Operator[],
  grid: StepGrid,
  context: QueryContext,
  choose: (signal: AbortSignal) => Promise<readonly OpenPart[]>,
): Operator {
  const shape = { description: `remote ${formatPlan(node.query)}`, inputs: parts, grid, context };
  return createRowOperator(shape, async (signal) => {
    const open = await choose(signal);
    const places = open.flatMap(({ labels }, part) => labels.map((_, id) => ({ part, id })));
    const labelsAt = ({ part, id }: Place): Labels => open[part].labels[id];
    // One part alone may have an order of its own.
    if (open.length > 1) places.sort((a, b) => compareLabels(labelsAt(a), labelsAt(b)));
    return {
      labels: places.map(labelsAt),
      each: async (visit, signal) => {
        const held = await Promise.all(
          open.map(async ({ operator, labels }) => await holdRows(operator, labels.length, grid, context, signal)),
        );
        let samples = 0;
        for (const [seriesId, { part, id }] of places.entries()) {
          const row = held[part][id];
          if (row === undefined) continue;
          visit(seriesId, row.values, row.present, row.histograms);
          samples += row.cost;
          if (context.pace.due()) await context.pace.rest();
        }
        context.budget.give(samples);
      },
    };
  });
}

/** An operator whose `series` was called, and what that gave. */
export interface OpenPart {
  readonly operator: Operator;
  readonly labels: readonly Labels[];
}

interface Place {
  readonly part: number;
  readonly id: number;
}

interface HeldRow {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  histograms: RowHistograms | undefined;
  cost: number; // taken of the budget
}

async function holdRows(
  operator: Operator,
  seriesCount: number,
  grid: StepGrid,
  context: QueryContext,
  signal: AbortSignal,
): Promise<readonly (HeldRow | undefined)[]> {
  const rows: (HeldRow | undefined)[] = Array.from({ length: seriesCount });
  if (operator.rows === undefined) await holdSteps(operator, rows, grid, context, signal);
  else {
    const keep: RowVisitor = (seriesId, values, present, histograms) => {
      let cost = values.length;
      for (const histogram of histograms ?? []) if (histogram !== undefined) cost += histogramCost(histogram);
      context.budget.take(cost);
      rows[seriesId] = { values: values.slice(), present: present.slice(), histograms: histograms?.slice(), cost };
    };
    await operator.rows.each(keep, signal);
  }
  return rows;
}

async function holdSteps(
  operator: Operator,
  rows: (HeldRow | undefined)[],
  grid: StepGrid,
  context: QueryContext,
  signal: AbortSignal,
): Promise<void> {
  const stepCount = stepCountOf(grid);
  const batch = createStepBatch(Math.min(batchStepsMax, stepCount));
  const newRow = (): HeldRow => {
    context.budget.take(stepCount);
    return {
      values: new Float64Array(stepCount),
      present: new Uint8Array(stepCount),
      histograms: undefined,
      cost: stepCount,
    };
  };
  let at = 0;
  for (let steps = await operator.next(batch, signal); steps > 0; steps = await operator.next(batch, signal)) {
    let sample = 0;
    for (let step = 0; step < steps; step++, at++) {
      for (; sample < batch.sampleEnds[step]; sample++) {
        const row = (rows[batch.seriesIds[sample]] ??= newRow());
        const histogram = batch.histograms[sample];
        if (histogram === undefined) {
          row.values[at] = batch.values[sample];
          row.present[at] = floatSample;
        } else {
          const cost = histogramCost(histogram);
          context.budget.take(cost);
          row.cost += cost;
          row.histograms ??= Array.from({ length: stepCount });
          row.histograms[at] = histogram;
          row.present[at] = histogramSample;
        }
      }
    }
    if (context.pace.due()) await context.pace.rest();
  }
}
