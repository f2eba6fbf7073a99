/** Native histograms of one series as a reader needs them: in order of time, each time once, with hints that hold. */
import { isStaleHistogram, reserveHistograms, type HistogramColumns } from "@pleiad/chunks";
import { isHistogramReset, type FloatHistogram } from "@pleiad/model";

/**
 * Merges `added` into `columns` by time. Of two histograms with one time, the one that was there stays. Where they are not
 * simply one after the other, other samples become neighbours, so no hint of a reset is kept. Changes both.
 */
export function mergeHistograms(columns: HistogramColumns, added: HistogramColumns): void {
  if (columns.count === 0 || columns.timestampsMs[columns.count - 1] < added.timestampsMs[0]) {
    appendHistograms(columns, added);
    return;
  }
  const timestampsMs = columns.timestampsMs.slice(0, columns.count);
  const starts = columns.startTimestampsMs?.slice(0, columns.count);
  const histograms = columns.histograms.slice(0, columns.count);
  reserveHistograms(columns, added.count);
  let old = 0;
  let place = 0;
  const put = (timestampMs: number, startMs: number, histogram: FloatHistogram) => {
    columns.timestampsMs[place] = timestampMs;
    if (columns.startTimestampsMs !== undefined) columns.startTimestampsMs[place] = startMs;
    columns.histograms[place++] = withoutResetHint(histogram);
  };
  const putOld = () => {
    put(timestampsMs[old], starts?.[old] ?? 0, histograms[old]);
    old++;
  };
  for (let i = 0; i < added.count; i++) {
    const timestampMs = added.timestampsMs[i];
    while (old < histograms.length && timestampsMs[old] < timestampMs) putOld();
    if (timestampsMs[old] === timestampMs) continue;
    put(timestampMs, added.startTimestampsMs?.[i] ?? 0, added.histograms[i]);
  }
  while (old < histograms.length) putOld();
  columns.count = place;
}

function appendHistograms(columns: HistogramColumns, added: HistogramColumns): void {
  reserveHistograms(columns, added.count);
  for (let i = 0; i < added.count; i++) {
    columns.timestampsMs[columns.count] = added.timestampsMs[i];
    if (columns.startTimestampsMs !== undefined) {
      columns.startTimestampsMs[columns.count] = added.startTimestampsMs?.[i] ?? 0;
    }
    columns.histograms[columns.count++] = added.histograms[i];
  }
}

/** The histogram with nothing said of the one before it; gauges stay gauges. */
export function withoutResetHint(histogram: FloatHistogram): FloatHistogram {
  const { counterReset } = histogram;
  if (isStaleHistogram(histogram) || counterReset === "unknown" || counterReset === "gauge") return histogram;
  return { ...histogram, counterReset: "unknown" };
}

/**
 * Leaves of each histogram its count, its sum and a hint. Hints of resets that were left open are settled first, beside
 * the sample before, as long as there are buckets to compare; samples before `minTimeMs` are none to compare with.
 */
export function keepStatistics({ timestampsMs, histograms, count }: HistogramColumns, minTimeMs: number): void {
  let before: FloatHistogram | undefined;
  for (let i = 0; i < count; i++) {
    const histogram = histograms[i];
    if (isStaleHistogram(histogram)) continue;
    let { counterReset } = histogram;
    if (counterReset === "unknown" && before !== undefined && timestampsMs[i] >= minTimeMs) {
      counterReset = isHistogramReset(histogram, before) ? "reset" : "not-reset";
    }
    before = timestampsMs[i] < minTimeMs ? undefined : histogram;
    histograms[i] = {
      ...withoutBuckets,
      schema: histogram.schema,
      count: histogram.count,
      sum: histogram.sum,
      counterReset,
    };
  }
}

const noNumbers = new Float64Array(0);
const withoutBuckets = {
  zeroThreshold: 0,
  zeroCount: 0,
  positiveSpans: [],
  positiveBuckets: noNumbers,
  negativeSpans: [],
  negativeBuckets: noNumbers,
  customBounds: noNumbers,
} as const;

/** Removes the staleness markers, which no range function sees. */
export function dropStaleHistograms(columns: HistogramColumns): void {
  const { timestampsMs, startTimestampsMs, histograms, count } = columns;
  let kept = 0;
  for (let i = 0; i < count; i++) {
    if (isStaleHistogram(histograms[i])) continue;
    if (kept < i) {
      timestampsMs[kept] = timestampsMs[i];
      if (startTimestampsMs !== undefined) startTimestampsMs[kept] = startTimestampsMs[i];
      histograms[kept] = histograms[i];
    }
    kept++;
  }
  columns.count = kept;
}
