/** The mean of native histograms, one after the other, without overflow where the mean has none. */
import {
  addToHistogramSum,
  copyHistogramSum,
  hasOverflow,
  histogramOfSum,
  scaleHistogramSum,
  startHistogramSum,
  type AdditionOutcome,
  type HistogramSum,
} from "./histogram-sum.ts";
import { divideHistogram } from "./histogram-arithmetic.ts";
import type { FloatHistogram } from "./histograms.ts";

export interface HistogramMean {
  /** The sum so far, or, once that would overflow, the mean. */
  state: HistogramSum;
  count: number;
  isRunning: boolean; // `state` is the mean
  /** No number of the sum is beyond this. While it is finite nothing can overflow. */
  magnitude: number;
}

export function startHistogramMean(histogram: FloatHistogram): HistogramMean {
  return { state: startHistogramSum(histogram), count: 1, isRunning: false, magnitude: magnitudeOf(histogram) };
}

export function addToHistogramMean(mean: HistogramMean, histogram: FloatHistogram): AdditionOutcome {
  mean.count++;
  mean.magnitude += magnitudeOf(histogram);
  if (mean.magnitude < Infinity) return addToHistogramSum(mean.state, histogram);
  if (!mean.isRunning) {
    const attempt = copyHistogramSum(mean.state);
    const outcome = addToHistogramSum(attempt, histogram);
    if (outcome === "incompatible") return outcome;
    if (!hasOverflow(attempt)) {
      mean.state = attempt;
      return outcome;
    }
    mean.isRunning = true;
    scaleHistogramSum(mean.state, 1 / (mean.count - 1));
  }
  scaleHistogramSum(mean.state, (mean.count - 1) / mean.count);
  return addToHistogramSum(mean.state, divideHistogram(histogram, mean.count));
}

export function histogramOfMean({ state, count, isRunning }: HistogramMean): FloatHistogram {
  const histogram = histogramOfSum(state);
  return isRunning ? histogram : divideHistogram(histogram, count);
}

function magnitudeOf({ count, sum, zeroCount, positiveBuckets, negativeBuckets }: FloatHistogram): number {
  let magnitude = Math.abs(count) + Math.abs(sum) + Math.abs(zeroCount);
  for (const bucket of positiveBuckets) magnitude += Math.abs(bucket);
  for (const bucket of negativeBuckets) magnitude += Math.abs(bucket);
  // NaN compares with nothing: it takes the careful way too.
  return magnitude === magnitude ? magnitude : Infinity;
}
