/** The contract between operators of the engine: labels once, then columns of steps. */
import type { FloatHistogram, Labels } from "@pleiad/model";
import type { NameDrops } from "./name-drops.ts";

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
  /** True, once `series` is done, where it is known that no two series have the same labels. */
  readonly hasDistinctLabels?: boolean | undefined;
  /**
   * By series id, once `series` is done: 1 where the metric name is still among the labels but is dropped at the end of the
   * query (delayed name removal); undefined where that is true of no series.
   */
  readonly dropsName: NameDrops;
  /** What `explain` prints: one line, without the inputs. */
  readonly description: string;
  readonly inputs: readonly Operator[];
}

/** What `present[step]` of a row says. */
export const noSample = 0;
export const floatSample = 1;
export const histogramSample = 2;

/** The native histograms of a row, by step. */
export type RowHistograms = (FloatHistogram | undefined)[];

/**
 * All steps of one series. `present[step]` tells what a step has: nothing, the float `values[step]`, or the native
 * histogram `histograms[step]`. `histograms` is undefined for a series that has none. All are reused for the next series.
 */
export type RowVisitor = (
  seriesId: number,
  values: Float64Array,
  present: Uint8Array,
  histograms?: RowHistograms,
) => void;

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

/** Moves a sample within a batch, or from one to another: its value, or its histogram. Not its series. */
export function moveSample(from: StepBatch, sample: number, to: StepBatch, place: number): void {
  to.values[place] = from.values[sample];
  // Batches without histograms, nearly all, keep an empty list.
  if (from.histograms.length > 0) to.histograms[place] = from.histograms[sample];
}

/** Makes room for `sampleCount` samples, keeping what is there. */
export function reserveSamples(batch: StepBatch, sampleCount: number): void {
  if (batch.values.length >= sampleCount) return;
  const size = Math.max(sampleCount, batch.values.length * 2, 32);
  const seriesIds = new Uint32Array(size);
  const values = new Float64Array(size);
  seriesIds.set(batch.seriesIds);
  values.set(batch.values);
  batch.seriesIds = seriesIds;
  batch.values = values;
}

/** How many steps readers ask for at once: enough to spread the cost of a call, few enough to stay in the cache. */
export const batchStepsMax = 8;
