/** Rows of series kept in memory and read back as steps: where series-major operators meet step-major ones. */
import type { StepGrid } from "@pleiad/promql-plan";
import { stepCountOf } from "@pleiad/promql-plan";
import { histogramCost, type SampleBudget } from "./limits.ts";
import {
  histogramSample,
  noSample,
  reserveSamples,
  type RowHistograms,
  type RowVisitor,
  type StepBatch,
} from "./operator.ts";

export interface RowStore {
  /** Keeps a copy of a row, cut to the steps between its first and last sample. Series ids must ascend. */
  readonly add: RowVisitor;
  /** Fills `out` with the next steps of the grid, as `Operator.next` does. */
  next(out: StepBatch): number;
}

interface StoredRow {
  readonly seriesId: number;
  readonly firstStep: number;
  readonly values: Float64Array;
  readonly present: Uint8Array | undefined; // undefined: a float at every step
  readonly histograms: RowHistograms | undefined;
}

export function createRowStore(grid: StepGrid, budget: SampleBudget): RowStore {
  const stepCount = stepCountOf(grid);
  const rows: StoredRow[] = [];
  let held = 0;
  let step = 0;
  return {
    add(seriesId, values, present, histograms) {
      let first = 0;
      while (first < stepCount && present[first] === 0) first++;
      if (first === stepCount) return;
      let end = stepCount;
      while (present[end - 1] === 0) end--;
      // Copied and counted with the gaps between: that is what it takes.
      const kept = histograms?.slice(first, end);
      const cost = end - first + (kept === undefined ? 0 : histogramsCost(kept));
      budget.take(cost);
      held += cost;
      const gap = present.indexOf(0, first);
      const isDense = kept === undefined && (gap === -1 || gap >= end);
      rows.push({
        seriesId,
        firstStep: first,
        values: values.slice(first, end),
        present: isDense ? undefined : present.slice(first, end),
        histograms: kept,
      });
    },
    next(out) {
      const stepEnd = Math.min(step + out.stepCountMax, stepCount);
      if (step >= stepEnd) {
        budget.give(held);
        held = 0;
        rows.length = 0;
        return 0;
      }
      const active = rows.filter((row) => row.firstStep < stepEnd && row.firstStep + row.values.length > step);
      const sampleCount = countSamples(active, step, stepEnd, out.sampleEnds);
      reserveSamples(out, sampleCount);
      out.histograms.length = 0;
      writeSamples(active, step, stepEnd, out);
      for (let s = step; s < stepEnd; s++) out.timestampsMs[s - step] = grid.startMs + s * grid.stepMs;
      const written = stepEnd - step;
      step = stepEnd;
      return written;
    },
  };
}

/** Writes where each step's samples end; gives how many there are. */
function countSamples(rows: readonly StoredRow[], from: number, to: number, sampleEnds: Uint32Array): number {
  sampleEnds.fill(0, 0, to - from);
  for (const { firstStep, values, present } of rows) {
    const end = Math.min(to, firstStep + values.length);
    for (let s = Math.max(from, firstStep); s < end; s++) {
      if (present === undefined || present[s - firstStep] !== noSample) sampleEnds[s - from]++;
    }
  }
  let count = 0;
  for (let i = 0; i < to - from; i++) {
    count += sampleEnds[i];
    sampleEnds[i] = count;
  }
  return count;
}

/** Row by row, with a place to write for each step: rows are read in one piece, and the places fit the cache. */
function writeSamples(rows: readonly StoredRow[], from: number, to: number, out: StepBatch): void {
  const places = new Uint32Array(to - from);
  places.set(out.sampleEnds.subarray(0, to - from - 1), 1);
  const { seriesIds } = out;
  const outValues = out.values;
  for (const { seriesId, firstStep, values, present, histograms } of rows) {
    const end = Math.min(to, firstStep + values.length);
    for (let s = Math.max(from, firstStep); s < end; s++) {
      if (present !== undefined && present[s - firstStep] === noSample) continue;
      const place = places[s - from]++;
      seriesIds[place] = seriesId;
      outValues[place] = values[s - firstStep];
      if (histograms !== undefined && present?.[s - firstStep] === histogramSample) {
        out.histograms[place] = histograms[s - firstStep];
      }
    }
  }
}

function histogramsCost(histograms: RowHistograms): number {
  let cost = 0;
  for (const histogram of histograms) if (histogram !== undefined) cost += histogramCost(histogram);
  return cost;
}
