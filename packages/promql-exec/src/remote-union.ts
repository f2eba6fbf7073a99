/** What the parts of a source evaluate, one beside the other, in the order of labels: equal ones are not made one. */
import { compareLabels, labelsEqual, type Labels } from "@pleiad/model";
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
import type { RemoteLack } from "./remote-lack.ts";
import { checkSums } from "./remote-sums.ts";
import { createRowOperator } from "./row-operator.ts";

/** The samples of all parts are held: rows come in the order of labels, whichever part they are of. */
export function createRemoteUnion(
  node: RemoteNode,
  parts: readonly Operator[],
  grid: StepGrid,
  context: QueryContext,
  lack: RemoteLack,
): Operator {
  const shape = { description: `remote ${formatPlan(node.query)}`, inputs: parts, grid, context };
  return createRowOperator(shape, async (signal) => {
    const labels = await Promise.all(parts.map(async (part) => await part.series(signal)));
    lack.tell();
    const places = labels.flatMap((ofPart, part) => ofPart.map((_, id) => ({ part, id })));
    const labelsAt = ({ part, id }: Place): Labels => labels[part][id];
    // One part alone may have an order of its own.
    if (parts.length > 1) places.sort((a, b) => compareLabels(labelsAt(a), labelsAt(b)));
    return {
      labels: places.map(labelsAt),
      each: async (visit, signal) => {
        const held = await Promise.all(
          parts.map(async (part, i) => await holdRows(part, labels[i].length, grid, context, signal)),
        );
        lack.tell();
        lack.compare();
        const rowAt = ({ part, id }: Place) => held[part][id];
        if (node.gives === "sums") checkGroups(places, labelsAt, rowAt);
        let samples = 0;
        for (const [seriesId, place] of places.entries()) {
          const row = rowAt(place);
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

/** Sums of one group stand side by side: they have the same labels. */
function checkGroups(
  places: readonly Place[],
  labelsAt: (place: Place) => Labels,
  rowAt: (place: Place) => HeldRow | undefined,
): void {
  let from = 0;
  for (let i = 1; i <= places.length; i++) {
    if (i < places.length && labelsEqual(labelsAt(places[i]), labelsAt(places[from]))) continue;
    checkSums(places.slice(from, i).flatMap((place) => rowAt(place) ?? []));
    from = i;
  }
}

interface Place {
  readonly part: number;
  readonly id: number;
}

export interface HeldRow {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  histograms: RowHistograms | undefined;
  cost: number; // taken of the budget
}

/** The samples of an operator by series id, taken of the budget. */
export async function holdRows(
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
