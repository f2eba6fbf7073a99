/** rate, increase and delta of native histograms, and the same over anchored and smoothed selectors. */
import {
  addHistograms,
  addToHistogramSum,
  divideHistogram,
  hasCustomBounds,
  histogramOfSum,
  isHistogramReset,
  multiplyHistogram,
  reduceToSchema,
  startHistogramSum,
  subtractHistograms,
  type FloatHistogram,
} from "@pleiad/model";
import { firstAfter } from "./extended-kernels.ts";
import {
  informOfReconciledBounds,
  warnOfMixedSchemas,
  warnOfNoCounter,
  warnOfNoGauge,
  warnOfStartOverlap,
} from "./histogram-remarks.ts";
import type { HistogramWindow, WindowRemarks } from "./histogram-windows.ts";
import { isStartOverlap, isStartReset } from "./start-timestamps.ts";

export interface RateKind {
  readonly counter: boolean;
  readonly perSecond: boolean;
}

/** The difference over the window, extended to its borders where the series seems to reach them; undefined for none. */
export function extrapolatedHistogram(window: HistogramWindow, { counter, perSecond }: RateKind) {
  const { columns, start, end, rangeStartMs, rangeEndMs } = window;
  const { timestampsMs, histograms } = columns;
  const last = end - 1;
  const first = histograms[start];
  // A start inside the range is a zero that nobody sampled; with it, a single sample will do.
  const startMs = counter ? (columns.startTimestampsMs?.[start] ?? 0) : 0;
  const startsInside = startMs !== 0 && startMs > rangeStartMs && startMs < timestampsMs[start];
  if (last === start && !startsInside) return undefined;
  let difference = last === start ? undefined : differenceOver(window, counter);
  if (last > start && difference === undefined) return undefined;

  let sampled = (timestampsMs[last] - timestampsMs[start]) / 1000;
  const between = last > start ? sampled / (last - start) : 0;
  const threshold = between * 1.1;
  let toStart = (timestampsMs[start] - rangeStartMs) / 1000;
  let toEnd = (rangeEndMs - timestampsMs[last]) / 1000;
  if (startsInside) {
    toStart = 0;
    sampled = (timestampsMs[last] - startMs) / 1000;
    difference = difference === undefined ? first : addNoting(difference, first, window.remarks);
    if (difference === undefined) return undefined;
  } else {
    if (toStart >= threshold) toStart = between / 2;
    if (counter && difference !== undefined && difference.count > 0 && first.count >= 0) {
      // A counter is not extended back beyond the time at which it would have been zero.
      toStart = Math.min(toStart, sampled * (first.count / difference.count));
    }
  }
  if (toEnd >= threshold) toEnd = between / 2;
  let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled;
  if (perSecond) factor /= (rangeEndMs - rangeStartMs) / 1000;
  return difference && multiplyHistogram(difference, factor);
}

/** Last minus first, plus what was counted before each reset of a counter. */
function differenceOver(
  { columns, start, end, remarks }: HistogramWindow,
  counter: boolean,
): FloatHistogram | undefined {
  const { histograms, timestampsMs, startTimestampsMs } = columns;
  const { metricName, range, context } = remarks;
  const warnOfMix = () => {
    warnOfMixedSchemas(metricName, range, context);
    return undefined;
  };
  const last = histograms[end - 1];
  const isResetAt = (i: number, before: FloatHistogram) =>
    (startTimestampsMs !== undefined &&
      isStartReset(startTimestampsMs[i - 1], timestampsMs[i - 1], startTimestampsMs[i], timestampsMs[i])) ||
    isHistogramReset(histograms[i], before);

  let first = histograms[start];
  // Where the second sample is a reset, the first counts for nothing: its buckets may be of any kind.
  if (counter && isResetAt(start + 1, first)) first = zeroLike(histograms[start + 1]);
  const isCustom = hasCustomBounds(first);
  let hasGauge = histograms[start].counterReset === "gauge" || last.counterReset === "gauge";
  let schema = Math.min(first.schema, last.schema);
  if (counter) {
    for (let i = start + 1; i < end - 1; i++) {
      const one = histograms[i];
      if (hasCustomBounds(one) !== isCustom) return warnOfMix();
      if (one.counterReset === "gauge") hasGauge = true;
      schema = Math.min(schema, one.schema);
    }
    if (hasGauge) warnOfNoCounter(metricName, range, context);
  }
  if (hasCustomBounds(last) !== isCustom) return warnOfMix();

  const total = startHistogramSum(last);
  // All at once to the schema that is left in the end, so that nothing is rounded twice.
  if (!isCustom) reduceToSchema(total, schema);
  const outcome = addToHistogramSum(total, first, -1);
  if (outcome === "reconciled") informOfReconciledBounds("subtraction", range, context);
  if (counter) {
    let before = first;
    let overlapSeen = false;
    for (let i = start + 1; i < end; i++) {
      if (!overlapSeen && startTimestampsMs !== undefined) {
        overlapSeen = isStartOverlap(startTimestampsMs[i - 1], timestampsMs[i - 1], startTimestampsMs[i]);
        if (overlapSeen) warnOfStartOverlap(metricName, range, context);
      }
      if (isResetAt(i, before)) {
        const added = addToHistogramSum(total, before);
        if (added === "incompatible") return warnOfMix();
        if (added === "reconciled") informOfReconciledBounds("addition", range, context);
      }
      before = histograms[i];
    }
  } else if (histograms[start].counterReset !== "gauge" || last.counterReset !== "gauge") {
    warnOfNoGauge(metricName, range, context);
  }
  return { ...histogramOfSum(total), counterReset: "gauge" };
}

/** A histogram without observations that has the layout of another. */
function zeroLike({ schema, customBounds }: FloatHistogram): FloatHistogram {
  const none = new Float64Array(0);
  return {
    schema,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    positiveBuckets: none,
    negativeSpans: [],
    negativeBuckets: none,
    customBounds,
    counterReset: "unknown",
  };
}

/** The difference between the borders of the range, as samples there, or interpolated ones, tell. */
export function extendedHistogram(
  window: HistogramWindow,
  extension: "anchored" | "smoothed",
  { counter, perSecond }: RateKind,
): FloatHistogram | undefined {
  const { columns, start, end, rangeStartMs, rangeEndMs, remarks } = window;
  const { timestampsMs, histograms } = columns;
  const { metricName, range, context } = remarks;
  const isSmoothed = extension === "smoothed";
  let last = end - 1;
  const first = Math.max(start, firstAfter(timestampsMs, start, last, rangeStartMs) - 1);
  // Timestamps are whole milliseconds: at or after the end is after the millisecond before.
  if (isSmoothed) last = firstAfter(timestampsMs, start, last, rangeEndMs - 1);
  if (timestampsMs[last] <= rangeStartMs || (isSmoothed && timestampsMs[first] > rangeEndMs)) return undefined;
  const isCustom = hasCustomBounds(histograms[first]);
  for (let i = first; i <= last; i++) {
    if (hasCustomBounds(histograms[i]) !== isCustom) {
      warnOfMixedSchemas(metricName, range, context);
      return undefined;
    }
    if (counter && histograms[i].counterReset === "gauge") warnOfNoCounter(metricName, range, context);
  }
  const isLeftBetween = isSmoothed && timestampsMs[first] < rangeStartMs;
  const isRightBetween = isSmoothed && last > start && timestampsMs[last] > rangeEndMs;
  const left = isLeftBetween ? interpolateHistogram(window, first, rangeStartMs, counter) : histograms[first];
  const right = isRightBetween ? interpolateHistogram(window, last - 1, rangeEndMs, counter) : histograms[last];
  if (left === undefined || right === undefined) return undefined;
  if (!counter && (left.counterReset !== "gauge" || right.counterReset !== "gauge")) {
    warnOfNoGauge(metricName, range, context);
  }
  let result = subtractNoting(right, left, remarks);
  if (counter) {
    // Each end stands for its sample; an interpolated left one has the reset after it in it already.
    let before = left;
    let next = first + 1;
    if (isLeftBetween && isHistogramReset(histograms[next], histograms[first])) before = histograms[next++];
    for (; next <= last; next++) {
      const one = next === last ? right : histograms[next];
      if (result !== undefined && isHistogramReset(one, before)) result = addNoting(result, before, remarks);
      before = one;
    }
  }
  if (result === undefined) return undefined;
  if (perSecond) result = divideHistogram(result, (rangeEndMs - rangeStartMs) / 1000);
  return { ...result, counterReset: "gauge" };
}

/** The histogram between samples i and i + 1 at `timeMs`. A counter that was reset between them began at zero. */
export function interpolateHistogram(
  { columns, remarks }: Pick<HistogramWindow, "columns" | "remarks">,
  i: number,
  timeMs: number,
  counter: boolean,
): FloatHistogram | undefined {
  const { timestampsMs, histograms } = columns;
  const before = histograms[i];
  const after = histograms[i + 1];
  if (timeMs === timestampsMs[i]) return before;
  if (timeMs === timestampsMs[i + 1]) return after;
  const fraction = (timeMs - timestampsMs[i]) / (timestampsMs[i + 1] - timestampsMs[i]);
  if (counter && isHistogramReset(after, before)) return multiplyHistogram(after, fraction);
  const difference = subtractNoting(after, before, remarks);
  return difference && addNoting(multiplyHistogram(difference, fraction), before, remarks);
}

/** The sum, with what is to be said of it said; undefined where there is none. */
export function addNoting(
  left: FloatHistogram,
  right: FloatHistogram,
  remarks: WindowRemarks,
): FloatHistogram | undefined {
  return combineNoting(addHistograms(left, right), "addition", remarks);
}

export function subtractNoting(
  left: FloatHistogram,
  right: FloatHistogram,
  remarks: WindowRemarks,
): FloatHistogram | undefined {
  return combineNoting(subtractHistograms(left, right), "subtraction", remarks);
}

function combineNoting(
  combined: ReturnType<typeof addHistograms>,
  operation: "addition" | "subtraction",
  { metricName, range, context }: WindowRemarks,
): FloatHistogram | undefined {
  if (combined === undefined) warnOfMixedSchemas(metricName, range, context);
  else if (combined.boundsReconciled) informOfReconciledBounds(operation, range, context);
  return combined?.histogram;
}
