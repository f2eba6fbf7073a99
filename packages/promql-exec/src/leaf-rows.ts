/** The rows of a leaf, series by series in the order of their ids, computed in tasks while earlier ones are visited. */
import type { StepGrid } from "@pleiad/promql-plan";
import { createLeafFeed } from "./leaf-feed.ts";
import { shapeOfLeaf, type Leaf } from "./leaf.ts";
import { addTaskCounts, fitsTask, headerWord, rowBytes, slabLayout, type LeafTask } from "./leaf-task.ts";
import type { RowVisitor } from "./operator.ts";
import type { QueryContext } from "./query-context.ts";
import type { SeriesReader } from "./series-reader.ts";

/**
 * Visits the series that have results. `visitOther` is called in its turn for each series that is not of plain floats, or too
 * long for a task: it does what there is to do for it. Rows are valid until the visitor returns.
 */
export async function eachLeafRow(
  reader: SeriesReader,
  leaf: Leaf,
  grid: StepGrid,
  context: QueryContext,
  visit: RowVisitor,
  visitOther: (seriesId: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const pool = context.leafPool();
  const shape = shapeOfLeaf(leaf, "rows", grid, context);
  const { stepCount } = shape;
  const { bytes, numbers, words } = pool.views;
  // By slab, the series of its task, and in between those that are none of it, as ~id.
  const idsBySlab = new Map<number, number[]>();
  let ids: number[] = [];

  const consume = ({ slab }: LeafTask, sampleCount: number) => {
    context.tally.samplesRead += sampleCount;
    if (context.queryable !== undefined) addTaskCounts(pool.views, slab, stepCount, context.queryable);
    const output = words[slab / 4 + headerWord.output];
    const found = (slab + slabLayout.found) / 4;
    let place = 0;
    for (const id of idsBySlab.get(slab) ?? []) {
      if (id < 0) {
        visitOther(~id);
        continue;
      }
      const row = output + place * rowBytes(stepCount);
      const isFound = words[found + place] === 1;
      place++;
      if (!isFound) continue;
      const values = numbers.subarray(row / 8, row / 8 + stepCount);
      visit(id, values, bytes.subarray(row + 8 * stepCount, row + 9 * stepCount));
    }
  };

  const feed = await createLeafFeed(pool, shape, leaf.select.maxTimeMs, context, signal, consume);
  const begin = () => {
    ids = [];
    idsBySlab.set(feed.task.slab, ids);
  };
  try {
    begin();
    for (let seriesId = 0; seriesId < reader.labels.length; seriesId++) {
      const chunks = reader.xorChunksOf(seriesId);
      const isAdded = chunks !== undefined && feed.task.add(chunks, chunks.length, 0);
      if (chunks === undefined || (!isAdded && !fitsTask(chunks, chunks.length, shape))) {
        ids.push(~seriesId);
        continue;
      }
      if (!isAdded) {
        await feed.turn();
        begin();
        if (!feed.task.add(chunks, chunks.length, 0)) throw new Error("a series fits no empty task");
      }
      ids.push(seriesId);
      reader.release(seriesId, 0);
    }
    const isLastEmpty = feed.task.seriesCount === 0;
    await feed.finish();
    if (isLastEmpty) for (const id of ids) visitOther(~id);
  } finally {
    feed.close();
  }
}
