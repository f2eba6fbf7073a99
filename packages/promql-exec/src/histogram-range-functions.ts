/** Range functions of native histograms, and of windows that have floats as well, by name. */
import {
  addToHistogramMean,
  addToHistogramSum,
  divideHistogram,
  histogramOfMean,
  histogramOfSum,
  histogramsEqual,
  isHistogramReset,
  startHistogramMean,
  startHistogramSum,
  type AdditionOutcome,
  type FloatHistogram,
} from "@pleiad/model";
import { firstAfter } from "./extended-kernels.ts";
import { extendedHistogram, extrapolatedHistogram, subtractNoting, type RateKind } from "./histogram-rates.ts";
import {
  createHintWatch,
  informOfReconciledBounds,
  warnOfMixedRange,
  warnOfMixedSchemas,
  warnOfNoCounter,
  warnOfNoGauge,
} from "./histogram-remarks.ts";
import type { HistogramWindow } from "./histogram-windows.ts";
import { isStartReset } from "./start-timestamps.ts";

/**
 * The result for a window that has at least one histogram; undefined where there is none. Functions that are not named in a
 * table see floats alone.
 */
export type HistogramRangeFunction = (window: HistogramWindow) => FloatHistogram | number | undefined;

const rateKinds: Readonly<Record<"rate" | "increase" | "delta", RateKind>> = {
  rate: { counter: true, perSecond: true },
  increase: { counter: true, perSecond: false },
  delta: { counter: false, perSecond: false },
};

const plainFunctions: Readonly<Record<string, HistogramRangeFunction>> = {
  rate: unmixed((window) => extrapolatedHistogram(window, rateKinds.rate)),
  increase: unmixed((window) => extrapolatedHistogram(window, rateKinds.increase)),
  delta: unmixed((window) => extrapolatedHistogram(window, rateKinds.delta)),
  irate: (window) => lastDifference(window, "irate"),
  idelta: (window) => lastDifference(window, "idelta"),
  sum_over_time: unmixed((window) => {
    const sum = startHistogramSum(window.columns.histograms[window.start]);
    return addUp(window, (histogram) => addToHistogramSum(sum, histogram)) ? histogramOfSum(sum) : undefined;
  }),
  avg_over_time: unmixed((window) => {
    const mean = startHistogramMean(window.columns.histograms[window.start]);
    return addUp(window, (histogram) => addToHistogramMean(mean, histogram)) ? histogramOfMean(mean) : undefined;
  }),
  count_over_time: ({ floatStart, floatEnd, start, end }) => floatEnd - floatStart + end - start,
  present_over_time: () => 1,
  first_over_time: (window) => {
    const { floats, floatStart, columns, start } = window;
    const isFloat = firstTimes(window).floatMs < firstTimes(window).histogramMs;
    return isFloat ? floats.values[floatStart] : columns.histograms[start];
  },
  last_over_time: (window) => {
    const { floats, floatEnd, columns, end } = window;
    const isFloat = lastTimes(window).floatMs > lastTimes(window).histogramMs;
    return isFloat ? floats.values[floatEnd - 1] : columns.histograms[end - 1];
  },
  ts_of_first_over_time: (window) => {
    const { floatMs, histogramMs } = firstTimes(window);
    return Math.min(floatMs, histogramMs) / 1000;
  },
  ts_of_last_over_time: (window) => {
    const { floatMs, histogramMs } = lastTimes(window);
    return Math.max(floatMs, histogramMs) / 1000;
  },
  changes: (window) => countPairs(window, isChange),
  resets: (window) => countPairs(window, isReset),
};

const anchoredFunctions: Readonly<Record<string, HistogramRangeFunction>> = {
  ...extendedRates("anchored"),
  changes: (window) => countAnchoredPairs(window, isChange),
  resets: (window) => countAnchoredPairs(window, isReset),
};

/** What a function does with histograms; undefined where it ignores them. */
export function histogramRangeFunction(
  name: string,
  extension: "anchored" | "smoothed" | undefined,
): HistogramRangeFunction | undefined {
  const functions =
    extension === undefined ? plainFunctions : extension === "anchored" ? anchoredFunctions : extendedRates("smoothed");
  return Object.hasOwn(functions, name) ? functions[name] : undefined;
}

function extendedRates(extension: "anchored" | "smoothed"): Readonly<Record<string, HistogramRangeFunction>> {
  const rateOf = (kind: RateKind) => unmixed((window) => extendedHistogram(window, extension, kind));
  return { rate: rateOf(rateKinds.rate), increase: rateOf(rateKinds.increase), delta: rateOf(rateKinds.delta) };
}

/** For functions that make nothing of floats and histograms together, and say so. */
function unmixed(compute: HistogramRangeFunction): HistogramRangeFunction {
  return (window) => {
    if (window.floatStart === window.floatEnd) return compute(window);
    const { metricName, range, context } = window.remarks;
    warnOfMixedRange(metricName, range, context);
    return undefined;
  };
}

/** Adds all histograms of the window but the first; tells whether they could be added. */
function addUp(
  { columns, start, end, remarks }: HistogramWindow,
  add: (histogram: FloatHistogram) => AdditionOutcome,
): boolean {
  const { metricName, range, context } = remarks;
  const hints = createHintWatch();
  let isReconciled = false;
  hints.see(columns.histograms[start]);
  for (let i = start + 1; i < end; i++) {
    const outcome = add(columns.histograms[i]);
    if (outcome === "incompatible") {
      warnOfMixedSchemas(metricName, range, context);
      return false;
    }
    if (outcome === "reconciled") isReconciled = true;
    hints.see(columns.histograms[i]);
  }
  hints.warnOfCollision("aggregation", range, context);
  if (isReconciled) informOfReconciledBounds("aggregation", range, context);
  return true;
}

/** irate and idelta: what the last two samples, of whichever kind, tell. */
function lastDifference(window: HistogramWindow, name: "irate" | "idelta"): FloatHistogram | number | undefined {
  const { floats, floatStart, floatEnd, columns, start, end, remarks } = window;
  const { metricName, range, context } = remarks;
  if (floatEnd - floatStart + end - start < 2) return undefined;
  const { timestampsMs, histograms, startTimestampsMs } = columns;
  const last = end - 1;
  const floatsAfter = (timeMs: number) => floatEnd > floatStart && floats.timestampsMs[floatEnd - 1] > timeMs;
  if (floatEnd - floatStart >= 2 && floats.timestampsMs[floatEnd - 2] > timestampsMs[last]) {
    return lastFloatDifference(window, name);
  }
  if (end - start < 2 || floatsAfter(timestampsMs[last - 1])) {
    warnOfMixedRange(metricName, range, context);
    return undefined;
  }
  const elapsedMs = timestampsMs[last] - timestampsMs[last - 1];
  if (elapsedMs === 0) return undefined;
  const now = histograms[last];
  const before = histograms[last - 1];
  const isCounter = name === "irate";
  if (isCounter && (now.counterReset === "gauge" || before.counterReset === "gauge")) {
    warnOfNoCounter(metricName, range, context);
  }
  if (!isCounter && (now.counterReset !== "gauge" || before.counterReset !== "gauge")) {
    warnOfNoGauge(metricName, range, context);
  }
  const startsAnew =
    startTimestampsMs !== undefined &&
    isStartReset(startTimestampsMs[last - 1], timestampsMs[last - 1], startTimestampsMs[last], timestampsMs[last]);
  // After a reset the counter began at zero, so the last histogram is the increase.
  const isWhole = isCounter && (startsAnew || isHistogramReset(now, before));
  const difference = isWhole ? now : subtractNoting(now, before, remarks);
  if (difference === undefined) return undefined;
  const result = isCounter ? divideHistogram(difference, elapsedMs / 1000) : difference;
  return { ...result, counterReset: "gauge" };
}

/** The last two samples are floats, though there are histograms before them. */
function lastFloatDifference({ floats, floatEnd }: HistogramWindow, name: "irate" | "idelta"): number | undefined {
  const { timestampsMs, values, startTimestampsMs } = floats;
  const last = floatEnd - 1;
  const elapsedMs = timestampsMs[last] - timestampsMs[last - 1];
  if (elapsedMs === 0) return undefined;
  if (name === "idelta") return values[last] - values[last - 1];
  const startsAnew =
    startTimestampsMs !== undefined &&
    isStartReset(startTimestampsMs[last - 1], timestampsMs[last - 1], startTimestampsMs[last], timestampsMs[last]);
  const isWhole = startsAnew || values[last] < values[last - 1];
  return (isWhole ? values[last] : values[last] - values[last - 1]) / (elapsedMs / 1000);
}

function firstTimes({ floats, floatStart, floatEnd, columns, start }: HistogramWindow) {
  const floatMs = floatStart < floatEnd ? floats.timestampsMs[floatStart] : Infinity;
  return { floatMs, histogramMs: columns.timestampsMs[start] };
}

function lastTimes({ floats, floatStart, floatEnd, columns, end }: HistogramWindow) {
  const floatMs = floatStart < floatEnd ? floats.timestampsMs[floatEnd - 1] : -Infinity;
  return { floatMs, histogramMs: columns.timestampsMs[end - 1] };
}

/** A sample of either kind. */
interface EitherSample {
  readonly timeMs: number;
  readonly startMs: number;
  readonly value: number;
  readonly histogram: FloatHistogram | undefined;
}

function isChange(now: EitherSample, before: EitherSample): boolean {
  if (now.histogram === undefined && before.histogram === undefined) {
    return now.value !== before.value && (now.value === now.value || before.value === before.value);
  }
  if (now.histogram === undefined || before.histogram === undefined) return true;
  return !histogramsEqual(now.histogram, before.histogram);
}

function isReset(now: EitherSample, before: EitherSample): boolean {
  // One kind after the other is another counter.
  if ((now.histogram === undefined) !== (before.histogram === undefined)) return true;
  if (isStartReset(before.startMs, before.timeMs, now.startMs, now.timeMs)) return true;
  return now.histogram === undefined || before.histogram === undefined
    ? now.value < before.value
    : isHistogramReset(now.histogram, before.histogram);
}

type PairTest = (now: EitherSample, before: EitherSample) => boolean;

/** How many samples of the window, in order of time, `counts` beside the one before. */
function countPairs(window: Pick<HistogramWindow, "floats" | "columns"> & WindowEnds, counts: PairTest): number {
  const { floats, floatEnd, columns, end } = window;
  let { floatStart, start } = window;
  let count = 0;
  let before: EitherSample | undefined;
  while (floatStart < floatEnd || start < end) {
    const floatMs = floatStart < floatEnd ? floats.timestampsMs[floatStart] : Infinity;
    const isFloat = floatMs < (start < end ? columns.timestampsMs[start] : Infinity);
    const now: EitherSample = isFloat ? floatAt(floats, floatStart++) : histogramAt(columns, start++);
    if (before !== undefined && counts(now, before)) count++;
    before = now;
  }
  return count;
}

type WindowEnds = Pick<HistogramWindow, "floatStart" | "floatEnd" | "start" | "end">;

function floatAt({ timestampsMs, startTimestampsMs, values }: HistogramWindow["floats"], i: number): EitherSample {
  return { timeMs: timestampsMs[i], startMs: startTimestampsMs?.[i] ?? 0, value: values[i], histogram: undefined };
}

function histogramAt(
  { timestampsMs, startTimestampsMs, histograms }: HistogramWindow["columns"],
  i: number,
): EitherSample {
  return { timeMs: timestampsMs[i], startMs: startTimestampsMs?.[i] ?? 0, value: NaN, histogram: histograms[i] };
}

/** As `countPairs`, from the last sample at or before the start of the range on; undefined where none is after that. */
function countAnchoredPairs(window: HistogramWindow, counts: PairTest): number | undefined {
  const { floats, floatEnd, columns, end, rangeStartMs } = window;
  let floatStart = firstAfter(floats.timestampsMs, window.floatStart, floatEnd, rangeStartMs);
  let start = firstAfter(columns.timestampsMs, window.start, end, rangeStartMs);
  if (floatStart === floatEnd && start === end) return undefined;
  const floatMs = floatStart > window.floatStart ? floats.timestampsMs[floatStart - 1] : -Infinity;
  const histogramMs = start > window.start ? columns.timestampsMs[start - 1] : -Infinity;
  if (floatMs > -Infinity || histogramMs > -Infinity) {
    if (floatMs >= histogramMs) floatStart--;
    else start--;
  }
  return countPairs({ floats, floatStart, floatEnd, columns, start, end }, counts);
}
