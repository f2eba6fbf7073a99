/** Operators that work series by series. Their readers take rows where they can, and steps where they must. */
import type { Labels } from "@pleiad/model";
import type { StepGrid } from "@pleiad/promql-plan";
import { createLateOperator } from "./late-operator.ts";
import type { NameDrops } from "./name-drops.ts";
import type { QueryContext } from "./query-context.ts";
import type { Operator, RowHistograms, RowStream, RowVisitor } from "./operator.ts";
import { createRowStore, type RowStore } from "./row-store.ts";

/** What a row operator is made of: its labels, and a way to visit its rows, once. */
export interface RowProducer {
  readonly labels: readonly Labels[];
  readonly dropsName?: NameDrops;
  readonly hasDistinctLabels?: boolean | undefined;
  readonly each: RowStream["each"];
}

/** An operator over rows that `open` gives. Read as steps, the rows are kept in memory first. */
export function createRowOperator(
  shape: {
    readonly description: string | (() => string);
    readonly inputs: readonly Operator[];
    readonly grid: StepGrid;
    readonly context: QueryContext;
  },
  open: (signal: AbortSignal) => Promise<RowProducer>,
): Operator {
  let producer: RowProducer | undefined;
  let store: RowStore | undefined;
  return createLateOperator({
    description: shape.description,
    inputs: shape.inputs,
    dropsName: () => producer?.dropsName,
    hasDistinctLabels: () => producer?.hasDistinctLabels,
    async series(signal) {
      producer = await open(signal);
      return producer.labels;
    },
    rows: () => producer,
    async next(out, signal) {
      if (producer === undefined) throw new Error("next before series");
      if (store === undefined) {
        store = createRowStore(shape.grid, shape.context.budget);
        await producer.each(store.add, signal);
      }
      return store.next(out);
    },
  });
}

/**
 * Visits series 0 … count - 1 with `fill`, which writes a row and tells whether it has any sample, or gives the histograms
 * of one that has them. Rests between.
 */
export async function eachSeries(
  count: number,
  stepCount: number,
  context: QueryContext,
  fill: (seriesId: number, values: Float64Array, present: Uint8Array) => boolean | RowHistograms,
  visit: RowVisitor,
): Promise<void> {
  const values = new Float64Array(stepCount);
  const present = new Uint8Array(stepCount);
  for (let seriesId = 0; seriesId < count; seriesId++) {
    const filled = fill(seriesId, values, present);
    if (filled === true) visit(seriesId, values, present);
    else if (filled !== false) visit(seriesId, values, present, filled);
    if (context.pace.due()) await context.pace.rest();
  }
}
