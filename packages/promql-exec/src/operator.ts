/** The contract between operators of the engine: labels once, then columns of steps. */
import type { FloatHistogram, Labels } from "@pleiad/model";

/**
 * Samples of several steps. Step i has samples [sampleEnds[i - 1] ?? 0, sampleEnds[i]), ordered by series id unless the
 * operator orders by value. The arrays belong to the reader of an operator, who makes one batch and passes it to every
 * `next`; the writer may replace `seriesIds` and `values` by larger ones (`reserveSamples`) and nothing else.
 */
export interface StepBatch {
  readonly stepCountMax: number;
  readonly timestampsMs: Float64Array; // one a step
  readonly sampleEnds: Uint32Array; // one a step
  seriesIds: Uint32Array; // one a sample: index into Operator.series()
  values: Float64Array; // one a sample; anything where histograms has one
  /** Sample i is a histogram where histograms[i] is set; empty when the batch has none. */
  histograms: (FloatHistogram | undefined)[];
}

export interface Operator {
  /** Labels of every series this operator can emit; index = series id. Called once, before `next`. */
  series(signal: AbortSignal): Promise<readonly Labels[]>;
  /**
   * Fills `out` from its start, returns the number of steps written, 0 at the end. Every call but the last writes
   * `stepCountMax` steps, so that operators that are pulled alike stay in step. Keeps no reference to `out`.
   */
  next(out: StepBatch, signal: AbortSignal): Promise<number>;
  /**
   * Set, once `series` is done, where the operator can give all its samples series by series, without holding them.
   * A reader uses either this or `next`.
   */
  readonly rows?: RowStream | undefined;
  /** What `explain` prints: one line, without the inputs. */
  readonly description: string;
  readonly inputs: readonly Operator[];
}

/** All steps of one series: `values[step]` counts where `present[step]` is 1. Both are reused for the next series. */
export type RowVisitor = (seriesId: number, values: Float64Array, present: Uint8Array) => void;

export interface RowStream {
  /** Visits the series that have samples, each once, in the order of their ids. */
  each(visit: RowVisitor, signal: AbortSignal): Promise<void>;
}

export function createStepBatch(stepCountMax: number, sampleCount = 0): StepBatch {
  return {
    stepCountMax,
    timestampsMs: new Float64Array(stepCountMax),
    sampleEnds: new Uint32Array(stepCountMax),
    seriesIds: new Uint32Array(sampleCount),
    values: new Float64Array(sampleCount),
    histograms: [],
  };
}

/** Makes room for `sampleCount` samples, keeping what is there. */
export function reserveSamples(batch: StepBatch, sampleCount: number): void {
  if (batch.values.length >= sampleCount) return;
  const size = Math.max(sampleCount, batch.values.length * 2, 256);
  const seriesIds = new Uint32Array(size);
  const values = new Float64Array(size);
  seriesIds.set(batch.seriesIds);
  values.set(batch.values);
  batch.seriesIds = seriesIds;
  batch.values = values;
}

/** How many steps readers ask for at once: enough to spread the cost of a call, few enough to stay in the cache. */
export const batchStepsMax = 8;
