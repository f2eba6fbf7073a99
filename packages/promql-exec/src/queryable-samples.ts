/**
 * How many samples the steps of a query look at, as Prometheus counts them: an instant selector's sample once a step, a
 * range's samples once for each step whose window has them, whatever the engine saves of that work.
 */
import { histogramCost } from "./limits.ts";
import { floatSample, histogramSample, type RowHistograms } from "./operator.ts";

export interface QueryableSamples {
  add(step: number, samples: number): void;
}

export interface CountedSamples extends QueryableSamples {
  readonly perStep: Float64Array;
  total(): number;
}

export function createQueryableSamples(stepCount: number): CountedSamples {
  const perStep = new Float64Array(stepCount);
  return {
    perStep,
    total: () => perStep.reduce((sum, samples) => sum + samples, 0),
    add(step, samples) {
      perStep[step] += samples;
    },
  };
}

/** For a part that is evaluated once and used at every step: what its only step looks at counts at each of them. */
export function repeatQueryableSamples(samples: QueryableSamples, stepCount: number): QueryableSamples {
  return {
    add(_, count) {
      for (let step = 0; step < stepCount; step++) samples.add(step, count);
    },
  };
}

/** Counts the samples of a row. */
export function countRow(samples: QueryableSamples, present: Uint8Array, histograms?: RowHistograms): void {
  for (let step = 0; step < present.length; step++) {
    if (present[step] === floatSample) samples.add(step, 1);
    const histogram = present[step] === histogramSample ? histograms?.[step] : undefined;
    if (histogram !== undefined) samples.add(step, histogramCost(histogram));
  }
}

/** Counts the samples of windows, [starts[step], ends[step]). */
export function countWindows(samples: QueryableSamples, starts: Uint32Array, ends: Uint32Array): void {
  for (let step = 0; step < starts.length; step++) samples.add(step, ends[step] - starts[step]);
}
