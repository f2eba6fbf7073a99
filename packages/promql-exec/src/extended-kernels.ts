/**
 * Range functions over anchored and smoothed selectors. Their windows hold samples beyond the range: an anchored one begins
 * with the last sample at or before the start of the range, a smoothed one has a value at either end of the range that is
 * interpolated between the samples around it. Nothing is extrapolated.
 */
import type { RangeKernel, SampleWindows } from "./range-kernels.ts";

/** Kernels by function name. */
export const anchoredKernels: Readonly<Record<string, RangeKernel>> = {
  rate: extendedRate("anchored", { counter: true, perSecond: true }),
  increase: extendedRate("anchored", { counter: true, perSecond: false }),
  delta: extendedRate("anchored", { counter: false, perSecond: false }),
  changes: anchoredCount((value, before) => value !== before && (value === value || before === before)),
  resets: anchoredCount((value, before) => value < before),
};

export const smoothedKernels: Readonly<Record<string, RangeKernel>> = {
  rate: extendedRate("smoothed", { counter: true, perSecond: true }),
  increase: extendedRate("smoothed", { counter: true, perSecond: false }),
  delta: extendedRate("smoothed", { counter: false, perSecond: false }),
};

/** The first of the samples [from, to) that is later than `timeMs`; `to` where none is. */
export function firstAfter(timestampsMs: Float64Array, from: number, to: number, timeMs: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timestampsMs[middle] > timeMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The value at `timeMs` on the line through samples i and i + 1. A counter that was reset between them began at zero. */
export function interpolateAt(
  { timestampsMs, values }: Pick<SampleWindows, "timestampsMs" | "values">,
  i: number,
  timeMs: number,
  counter: boolean,
): number {
  const after = values[i + 1];
  const before = counter && after < values[i] ? 0 : values[i];
  return before + ((after - before) * (timeMs - timestampsMs[i])) / (timestampsMs[i + 1] - timestampsMs[i]);
}

/**
 * The samples of an extended range, (startMs, endMs], with a sample made at each border: what the range vector itself is.
 * None where nothing lies in the range.
 */
export function borderedSamples(
  samples: Pick<SampleWindows, "timestampsMs" | "values">,
  count: number,
  { startMs, endMs, beforeMs, afterMs }: Readonly<Record<"startMs" | "endMs" | "beforeMs" | "afterMs", number>>,
  extension: "anchored" | "smoothed",
): { readonly timestampsMs: Float64Array; readonly values: Float64Array } {
  const { timestampsMs, values } = samples;
  const isSmoothed = extension === "smoothed";
  const start = firstAfter(timestampsMs, 0, count, startMs - beforeMs);
  const end = firstAfter(timestampsMs, start, count, endMs + afterMs);
  let last = end - 1;
  let first = Math.max(start, firstAfter(timestampsMs, start, last, startMs) - 1);
  if (isSmoothed) last = firstAfter(timestampsMs, start, last, endMs - 1);
  if (start === end || timestampsMs[last] <= startMs || timestampsMs[first] > endMs) {
    return { timestampsMs: new Float64Array(0), values: new Float64Array(0) };
  }
  const isLeftBetween = isSmoothed && timestampsMs[first] < startMs;
  const isRightBetween = isSmoothed && last > start && timestampsMs[last] > endMs;
  const left = isLeftBetween ? interpolateAt(samples, first, startMs, false) : values[first];
  const right = isRightBetween ? interpolateAt(samples, last - 1, endMs, false) : values[last];
  if (timestampsMs[first] <= startMs) first++;
  if (timestampsMs[last] >= endMs) last--;
  const inside = Math.max(0, last - first + 1);
  const bordered = { timestampsMs: new Float64Array(inside + 2), values: new Float64Array(inside + 2) };
  bordered.timestampsMs[0] = startMs;
  bordered.values[0] = left;
  bordered.timestampsMs.set(timestampsMs.subarray(first, first + inside), 1);
  bordered.values.set(values.subarray(first, first + inside), 1);
  bordered.timestampsMs[inside + 1] = endMs;
  bordered.values[inside + 1] = right;
  return bordered;
}

function extendedRate(
  extension: "anchored" | "smoothed",
  { counter, perSecond }: { readonly counter: boolean; readonly perSecond: boolean },
): RangeKernel {
  const isSmoothed = extension === "smoothed";
  return (windows, values, present) => {
    const { timestampsMs, starts, ends, referencesMs, rangeMs } = windows;
    const samples = windows.values;
    let found = false;
    for (let step = 0; step < starts.length; step++) {
      present[step] = 0;
      const start = starts[step];
      if (start === ends[step]) continue;
      const rangeEndMs = referencesMs[step];
      const rangeStartMs = rangeEndMs - rangeMs;
      let last = ends[step] - 1;
      let first = Math.max(start, firstAfter(timestampsMs, start, last, rangeStartMs) - 1);
      // Timestamps are whole milliseconds: at or after the end is after the millisecond before.
      if (isSmoothed) last = firstAfter(timestampsMs, start, last, rangeEndMs - 1);
      if (timestampsMs[last] <= rangeStartMs || timestampsMs[first] > rangeEndMs) continue;

      const left =
        isSmoothed && timestampsMs[first] < rangeStartMs
          ? interpolateAt(windows, first, rangeStartMs, counter)
          : samples[first];
      const right =
        isSmoothed && last > start && timestampsMs[last] > rangeEndMs
          ? interpolateAt(windows, last - 1, rangeEndMs, counter)
          : samples[last];
      let result = right - left;
      if (counter) {
        // The two ends stand for the samples on and beyond the borders, with the resets between those.
        if (timestampsMs[first] <= rangeStartMs) first++;
        if (timestampsMs[last] >= rangeEndMs) last--;
        result += lostInResets(left, samples, first, last, right);
      }
      values[step] = perSecond ? result / (rangeMs / 1000) : result;
      present[step] = 1;
      found = true;
    }
    return found;
  };
}

/** What a counter had counted before each of its resets: between `left`, samples first … last, and `right`. */
function lostInResets(left: number, samples: Float64Array, first: number, last: number, right: number): number {
  let lost = 0;
  let before = left;
  for (let i = first; i <= last; i++) {
    if (samples[i] < before) lost += before;
    before = samples[i];
  }
  return right < before ? lost + before : lost;
}

/** How many samples of the range, compared with the one before each, `counts`. */
function anchoredCount(counts: (value: number, before: number) => boolean): RangeKernel {
  return ({ timestampsMs, values: samples, starts, ends, referencesMs, rangeMs }, values, present) => {
    let found = false;
    for (let step = 0; step < starts.length; step++) {
      const end = ends[step];
      const firstInside = firstAfter(timestampsMs, starts[step], end, referencesMs[step] - rangeMs);
      present[step] = 0;
      if (firstInside === end) continue;
      let count = 0;
      for (let i = Math.max(firstInside, starts[step] + 1); i < end; i++)
        if (counts(samples[i], samples[i - 1])) count++;
      values[step] = count;
      present[step] = 1;
      found = true;
    }
    return found;
  };
}
