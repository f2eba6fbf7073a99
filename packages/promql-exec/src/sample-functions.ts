/** Functions of one sample: by name, the mapping that they are, given their scalar arguments. */
import { histogramVariance, type FloatHistogram } from "@pleiad/model";
import { greaterOf, lesserOf } from "./float-extremes.ts";
import type { SampleMapping } from "./mapped-samples.ts";

/** Scalar arguments in order, each with a value for every step. */
export type SampleFunction = (scalars: readonly Float64Array[]) => SampleMapping;

const plain = (map: (value: number) => number): SampleFunction => {
  return () => ({ map });
};

const mathFunctions: Readonly<Record<string, SampleFunction>> = {
  abs: plain(Math.abs),
  ceil: plain(Math.ceil),
  floor: plain(Math.floor),
  exp: plain(Math.exp),
  sqrt: plain(Math.sqrt),
  ln: plain(Math.log),
  log2: plain(Math.log2),
  log10: plain(Math.log10),
  sgn: plain((value) => (value < 0 ? -1 : value > 0 ? 1 : value)),
  // Multiplied first: a quotient kept ready would differ in the last digit, and where the product overflows.
  deg: plain((value) => (value * 180) / Math.PI),
  rad: plain((value) => (value * Math.PI) / 180),
  sin: plain(Math.sin),
  cos: plain(Math.cos),
  tan: plain(Math.tan),
  asin: plain(Math.asin),
  acos: plain(Math.acos),
  atan: plain(Math.atan),
  sinh: plain(Math.sinh),
  cosh: plain(Math.cosh),
  tanh: plain(Math.tanh),
  asinh: plain(Math.asinh),
  acosh: plain(Math.acosh),
  atanh: plain(Math.atanh),
  round: ([nearest]) => ({
    map: (value, step) => {
      const inverse = 1 / (nearest === undefined ? 1 : nearest[step]);
      return Math.floor(value * inverse + 0.5) / inverse;
    },
  }),
  clamp: ([lows, highs]) => ({
    keeps: (_, step) => !(highs[step] < lows[step]),
    map: (value, step) => greaterOf(lows[step], lesserOf(highs[step], value)),
  }),
  clamp_min: ([lows]) => ({ map: (value, step) => greaterOf(lows[step], value) }),
  clamp_max: ([highs]) => ({ map: (value, step) => lesserOf(highs[step], value) }),
};

/** A function of the moment that a value in Unix seconds stands for, in UTC. */
const ofMoment = (read: (moment: Date) => number): SampleFunction =>
  plain((value) => read(new Date(Math.trunc(value) * 1000)));

const dayMs = 86_400_000;

/** These take the evaluation time where they are given no argument. */
export const dateFunctions: Readonly<Record<string, SampleFunction>> = {
  minute: ofMoment((moment) => moment.getUTCMinutes()),
  hour: ofMoment((moment) => moment.getUTCHours()),
  day_of_week: ofMoment((moment) => moment.getUTCDay()),
  day_of_month: ofMoment((moment) => moment.getUTCDate()),
  day_of_year: ofMoment(
    (moment) => 1 + Math.floor((moment.getTime() - Date.UTC(moment.getUTCFullYear(), 0, 1)) / dayMs),
  ),
  days_in_month: ofMoment((moment) =>
    new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth() + 1, 0)).getUTCDate(),
  ),
  month: ofMoment((moment) => moment.getUTCMonth() + 1),
  year: ofMoment((moment) => moment.getUTCFullYear()),
};

/** A function of a native histogram. Floats are left out. */
const ofHistogram = (read: (histogram: FloatHistogram) => number): SampleFunction => {
  return () => ({ keeps: () => false, map: (value) => value, mapHistogram: read });
};

const nativeHistogramFunctions: Readonly<Record<string, SampleFunction>> = {
  histogram_count: ofHistogram(({ count }) => count),
  histogram_sum: ofHistogram(({ sum }) => sum),
  histogram_avg: ofHistogram(({ count, sum }) => sum / count),
  histogram_stdvar: ofHistogram(histogramVariance),
  histogram_stddev: ofHistogram((histogram) => Math.sqrt(histogramVariance(histogram))),
};

export const sampleFunctions: Readonly<Record<string, SampleFunction>> = {
  ...mathFunctions,
  ...dateFunctions,
  ...nativeHistogramFunctions,
};
