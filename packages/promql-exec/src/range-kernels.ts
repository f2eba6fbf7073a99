/**
 * Functions over ranges of samples, one kernel each. A kernel computes all steps of one series in one pass, in the same
 * order of operations as Prometheus, so that results agree to the last bit.
 */
import { compensate } from "@pleiad/model";
import { medianDeviationOfSorted, quantileOfSorted } from "./quantile.ts";
import { createSortedWindow, type SortedWindow } from "./sorted-window.ts";
import { isStartOverlap, isStartReset } from "./start-timestamps.ts";

/** The samples of one series and where each step's window lies in them: [starts[step], ends[step]). */
export interface SampleWindows {
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  /** Since when each sample counts; undefined where that is not known, or not to be used. */
  readonly startTimestampsMs: Float64Array | undefined;
  /** How many samples each one stands for; undefined where it is one each. */
  readonly weights: Float64Array | undefined;
  readonly starts: Uint32Array; // one a step
  readonly ends: Uint32Array; // one a step
  /** Right end of each window, included. The left end, excluded, is `rangeMs` before. */
  readonly referencesMs: Float64Array;
  readonly rangeMs: number;
  readonly stepTimesMs: Float64Array;
  /** The other arguments of the function, each with a value for every step. */
  readonly parameters: readonly Float64Array[];
  /** Told of what is odd about the samples, as often as it is seen. */
  readonly remark: (oddity: RangeOddity) => void;
}

/** What a kernel warns of; `createRangeCall` words it. */
export type RangeOddity = "start-overlap";

/** Writes `values[step]` and `present[step]` of every step; tells whether any step has a result. */
export type RangeKernel = (windows: SampleWindows, values: Float64Array, present: Uint8Array) => boolean;

/** Kernels by function name, for functions that give a result for each series with a sample in the window. */
export const rangeKernels: Readonly<Record<string, RangeKernel>> = {
  rate: extrapolated({ counter: true, perSecond: true }),
  increase: extrapolated({ counter: true, perSecond: false }),
  delta: extrapolated({ counter: false, perSecond: false }),
  irate: overWindows(2, (windows, _, end) => {
    const { timestampsMs, values } = windows;
    const elapsedMs = timestampsMs[end - 1] - timestampsMs[end - 2];
    const last = values[end - 1];
    // After a reset the counter began at zero, so the last value is the increase.
    const increase = isResetAt(windows, end - 1) ? last : last - values[end - 2];
    return increase / (elapsedMs / 1000);
  }),
  idelta: overWindows(2, ({ values }, _, end) => values[end - 1] - values[end - 2]),
  sum_over_time: overWindows(1, ({ values }, start, end) => sumOf(values, start, end)),
  avg_over_time: overWindows(1, ({ values, weights }, start, end) =>
    weights === undefined ? averageOf(values, start, end) : weightedAverageOf(values, weights, start, end),
  ),
  count_over_time: overWindows(1, ({ weights }, start, end) =>
    weights === undefined ? end - start : sumOf(weights, start, end),
  ),
  min_over_time: overExtremes(
    (value, held) => value < held,
    ({ values }, at) => values[at],
  ),
  max_over_time: overExtremes(
    (value, held) => value > held,
    ({ values }, at) => values[at],
  ),
  last_over_time: overWindows(1, ({ values }, _, end) => values[end - 1]),
  first_over_time: overWindows(1, ({ values }, start) => values[start]),
  present_over_time: overWindows(1, () => 1),
  stddev_over_time: overWindows(1, ({ values }, start, end) => Math.sqrt(varianceOf(values, start, end))),
  stdvar_over_time: overWindows(1, ({ values }, start, end) => varianceOf(values, start, end)),
  mad_over_time: overSorted(({ values, count }) => medianDeviationOfSorted(values, count)),
  quantile_over_time: overSorted(({ values, count }, phi) => quantileOfSorted(phi, values, count)),
  ts_of_first_over_time: overWindows(1, ({ timestampsMs }, start) => timestampsMs[start] / 1000),
  ts_of_last_over_time: overWindows(1, ({ timestampsMs }, _, end) => timestampsMs[end - 1] / 1000),
  // Of equal values the last one tells.
  ts_of_min_over_time: overExtremes(
    (value, held) => value <= held,
    ({ timestampsMs }, at) => timestampsMs[at] / 1000,
  ),
  ts_of_max_over_time: overExtremes(
    (value, held) => value >= held,
    ({ timestampsMs }, at) => timestampsMs[at] / 1000,
  ),
  changes: overWindows(1, ({ values }, start, end) => {
    let changes = 0;
    for (let i = start + 1; i < end; i++) {
      const bothNaN = values[i] !== values[i] && values[i - 1] !== values[i - 1];
      if (values[i] !== values[i - 1] && !bothNaN) changes++;
    }
    return changes;
  }),
  resets: overWindows(1, (windows, start, end) => {
    let resets = 0;
    for (let i = start + 1; i < end; i++) if (isResetAt(windows, i)) resets++;
    return resets;
  }),
  deriv: overWindows(2, ({ timestampsMs, values }, start, end) => {
    // A time near the samples as origin keeps the squares small enough to be exact.
    return linearRegression(timestampsMs, values, start, end, timestampsMs[start]).slope;
  }),
  predict_linear: overWindows(2, ({ timestampsMs, values, stepTimesMs, parameters }, start, end, step) => {
    const { slope, intercept } = linearRegression(timestampsMs, values, start, end, stepTimesMs[step]);
    return slope * parameters[0][step] + intercept;
  }),
  double_exponential_smoothing: overWindows(2, ({ values, parameters }, start, end, step) =>
    smooth(values, start, end, parameters[0][step], parameters[1][step]),
  ),
};

/** A kernel that calls `compute` for each window of at least `samplesMin` samples. */
function overWindows(
  samplesMin: number,
  compute: (windows: SampleWindows, start: number, end: number, step: number) => number,
): RangeKernel {
  return (windows, values, present) => {
    const { starts, ends } = windows;
    let found = false;
    for (let step = 0; step < starts.length; step++) {
      const start = starts[step];
      const end = ends[step];
      if (end - start < samplesMin) {
        present[step] = 0;
        continue;
      }
      values[step] = compute(windows, start, end, step);
      present[step] = 1;
      found = true;
    }
    return found;
  };
}

/** A kernel that computes from the sorted values of each window, given the first parameter at its step. */
function overSorted(compute: (window: SortedWindow, parameter: number) => number): RangeKernel {
  return (windows, values, present) => {
    const sorted = createSortedWindow(windows.values);
    const [parameters] = windows.parameters;
    const kernel = overWindows(1, (_, start, end, step) => {
      sorted.slideTo(start, end);
      return compute(sorted, parameters === undefined ? NaN : parameters[step]);
    });
    return kernel(windows, values, present);
  };
}

/**
 * A kernel that reads from the sample of each window that none of its others beats; of several, the first. NaN is beaten by
 * any number. Candidates wait in line, each beaten by none after it, so that a sample comes and goes once.
 */
function overExtremes(
  beats: (value: number, held: number) => boolean,
  read: (windows: SampleWindows, at: number) => number,
): RangeKernel {
  return (windows, values, present) => {
    const samples = windows.values;
    const { starts, ends } = windows;
    const line = new Uint32Array(ends[ends.length - 1] - starts[0] + 1);
    let head = 0;
    let tail = 0;
    let seen = starts[0];
    const kernel = overWindows(1, (_, start, end) => {
      for (let i = Math.max(seen, start); i < end; i++) {
        const value = samples[i];
        if (value !== value) continue;
        while (tail > head && beats(value, samples[line[tail - 1]])) tail--;
        line[tail++] = i;
      }
      seen = end;
      while (head < tail && line[head] < start) head++;
      return read(windows, head < tail ? line[head] : end - 1);
    });
    return kernel(windows, values, present);
  };
}

/** rate, increase and delta: the difference over the window, extended to its borders where the series seems to reach them. */
function extrapolated({ counter, perSecond }: { readonly counter: boolean; readonly perSecond: boolean }): RangeKernel {
  return (windows, values, present) => {
    const { timestampsMs, starts, ends, referencesMs, rangeMs } = windows;
    const samples = windows.values;
    const startTimestampsMs = counter ? windows.startTimestampsMs : undefined;
    const from = starts[0];
    const to = ends[ends.length - 1];
    const resets = counter ? indicesOfResets(windows, from, to) : [];
    const overlaps =
      startTimestampsMs === undefined ? [] : indicesOfOverlaps(timestampsMs, startTimestampsMs, from, to);
    let firstReset = 0;
    let found = false;
    for (let step = 0; step < starts.length; step++) {
      const start = starts[step];
      const last = ends[step] - 1;
      const rangeStartMs = referencesMs[step] - rangeMs;
      // A start inside the range is a zero that nobody sampled; with it, a single sample will do.
      const startMs = startTimestampsMs === undefined || last < start ? 0 : startTimestampsMs[start];
      const startsInside = startMs !== 0 && startMs > rangeStartMs && startMs < timestampsMs[start];
      if (last - start < 1 && !startsInside) {
        present[step] = 0;
        continue;
      }
      let result = samples[last] - samples[start];
      while (firstReset < resets.length && resets[firstReset] <= start) firstReset++;
      for (let r = firstReset; r < resets.length && resets[r] <= last; r++) result += samples[resets[r] - 1];

      if (overlaps.some((at) => at > start && at <= last)) windows.remark("start-overlap");

      let sampled = (timestampsMs[last] - timestampsMs[start]) / 1000;
      const between = last === start ? 0 : sampled / (last - start);
      // A sample missing at the border, but for some jitter, means that the series begins or ends inside the window.
      const threshold = between * 1.1;
      let toStart = (timestampsMs[start] - rangeStartMs) / 1000;
      let toEnd = (referencesMs[step] - timestampsMs[last]) / 1000;
      if (startsInside) {
        toStart = 0;
        sampled = (timestampsMs[last] - startMs) / 1000;
        result += samples[start];
      } else {
        if (toStart >= threshold) toStart = between / 2;
        if (counter && result > 0 && samples[start] >= 0) {
          // A counter is not extended back beyond the time at which it would have been zero.
          const toZero = sampled * (samples[start] / result);
          if (toZero < toStart) toStart = toZero;
        }
      }
      if (toEnd >= threshold) toEnd = between / 2;
      let factor = (sampled + toStart + toEnd) / sampled;
      if (perSecond) factor /= rangeMs / 1000;
      values[step] = result * factor;
      present[step] = 1;
      found = true;
    }
    return found;
  };
}

/** Where a counter began anew, in samples [from, to). */
function indicesOfResets(windows: SampleWindows, from: number, to: number): readonly number[] {
  const { values, startTimestampsMs } = windows;
  const indices: number[] = [];
  if (startTimestampsMs === undefined) {
    for (let i = from + 1; i < to; i++) if (values[i] < values[i - 1]) indices.push(i);
  } else {
    for (let i = from + 1; i < to; i++) if (isResetAt(windows, i)) indices.push(i);
  }
  return indices;
}

/** Where a sample claims time that was counted already, in samples [from, to). */
function indicesOfOverlaps(
  timestampsMs: Float64Array,
  startTimestampsMs: Float64Array,
  from: number,
  to: number,
): readonly number[] {
  const indices: number[] = [];
  for (let i = from + 1; i < to; i++) {
    if (isStartOverlap(startTimestampsMs[i - 1], timestampsMs[i - 1], startTimestampsMs[i])) indices.push(i);
  }
  return indices;
}

/** Whether the counter began anew between sample i - 1 and sample i: it is lower, or its start timestamp says so. */
function isResetAt({ timestampsMs, values, startTimestampsMs }: SampleWindows, i: number): boolean {
  if (values[i] < values[i - 1]) return true;
  if (startTimestampsMs === undefined) return false;
  return isStartReset(startTimestampsMs[i - 1], timestampsMs[i - 1], startTimestampsMs[i], timestampsMs[i]);
}

function sumOf(values: Float64Array, start: number, end: number): number {
  let sum = 0;
  let compensation = 0;
  for (let i = start; i < end; i++) {
    compensation = compensate(values[i], sum, compensation);
    sum += values[i];
  }
  return sum === Infinity || sum === -Infinity ? sum : sum + compensation;
}

/** Of samples that stand for several: each counts as often. */
function weightedAverageOf(values: Float64Array, weights: Float64Array, start: number, end: number): number {
  const total = sumOf(weights, start, end);
  let average = 0;
  let lost = 0;
  for (let i = start; i < end; i++) {
    const share = values[i] * (weights[i] / total);
    lost = compensate(share, average, lost);
    average += share;
  }
  return average + lost;
}

/** The compensated sum divided at the end; where that would overflow, a running mean from there on. */
function averageOf(values: Float64Array, start: number, end: number): number {
  let sum = values[start];
  let compensation = 0;
  let count = 1;
  let i = start + 1;
  for (; i < end; i++) {
    const total = sum + values[i];
    if (total === Infinity || total === -Infinity) break;
    compensation = compensate(values[i], sum, compensation);
    sum = total;
    count++;
  }
  if (i === end) return sum / count + compensation / count;
  let mean = sum / count;
  compensation /= count;
  for (; i < end; i++) {
    count++;
    const share = (count - 1) / count;
    const before = share * mean;
    compensation = compensate(values[i] / count, before, share * compensation);
    mean = before + values[i] / count;
  }
  return mean + compensation;
}

/** Welford's method, compensated. */
function varianceOf(values: Float64Array, start: number, end: number): number {
  let count = 0;
  let mean = 0;
  let meanCompensation = 0;
  let squares = 0;
  let squaresCompensation = 0;
  for (let i = start; i < end; i++) {
    count++;
    const delta = values[i] - (mean + meanCompensation);
    meanCompensation = compensate(delta / count, mean, meanCompensation);
    mean += delta / count;
    const square = delta * (values[i] - (mean + meanCompensation));
    squaresCompensation = compensate(square, squares, squaresCompensation);
    squares += square;
  }
  return (squares + squaresCompensation) / count;
}

/** Least squares over samples [start, end), with compensated sums; `intercept` is the line's value at `originMs`. */
function linearRegression(
  timestampsMs: Float64Array,
  values: Float64Array,
  start: number,
  end: number,
  originMs: number,
): { readonly slope: number; readonly intercept: number } {
  const first = values[start];
  let constant = true;
  let n = 0;
  let sumX = 0;
  let sumY = 0;
  let sumXY = 0;
  let sumXX = 0;
  let cX = 0;
  let cY = 0;
  let cXY = 0;
  let cXX = 0;
  for (let i = start; i < end; i++) {
    const y = values[i];
    if (i > start && y !== first) constant = false;
    n++;
    const x = (timestampsMs[i] - originMs) / 1e3;
    cX = compensate(x, sumX, cX);
    sumX += x;
    cY = compensate(y, sumY, cY);
    sumY += y;
    cXY = compensate(x * y, sumXY, cXY);
    sumXY += x * y;
    cXX = compensate(x * x, sumXX, cXX);
    sumXX += x * x;
  }
  if (constant) {
    return first === Infinity || first === -Infinity ? { slope: NaN, intercept: NaN } : { slope: 0, intercept: first };
  }
  sumX += cX;
  sumY += cY;
  sumXY += cXY;
  sumXX += cXX;
  const covariance = sumXY - (sumX * sumY) / n;
  const variance = sumXX - (sumX * sumX) / n;
  const slope = covariance / variance;
  return { slope, intercept: sumY / n - (slope * sumX) / n };
}

/** Holt's linear smoothing. */
function smooth(values: Float64Array, start: number, end: number, factor: number, trendFactor: number): number {
  let before = 0;
  let smoothed = values[start];
  let trend = values[start + 1] - values[start];
  for (let i = start + 1; i < end; i++) {
    const scaled = factor * values[i];
    if (i > start + 1) trend = trendFactor * (smoothed - before) + (1 - trendFactor) * trend;
    const rest = (1 - factor) * (smoothed + trend);
    before = smoothed;
    smoothed = scaled + rest;
  }
  return smoothed;
}
