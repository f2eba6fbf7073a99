/** Native histograms as columns: what histogram chunks are decoded into. */
import { isStale, setStale, type FloatHistogram } from "@pleiad/model";

/**
 * Samples [0, count) of one series. The caller owns it and resets `count` to use it again; histograms once handed out are
 * not changed. The arrays of numbers are replaced when they grow, so read them from here after every decode.
 */
export interface HistogramColumns {
  timestampsMs: Float64Array;
  /** By index; longer than `count` where the columns were used before. */
  histograms: FloatHistogram[];
  count: number;
  /** When the series began to count, by sample; 0 = not known. Filled only where it is there. */
  startTimestampsMs?: Float64Array;
}

export function createHistogramColumns(
  capacity = 0,
  options: { readonly startTimestamps?: boolean } = {},
): HistogramColumns {
  const columns: HistogramColumns = { timestampsMs: new Float64Array(capacity), histograms: [], count: 0 };
  if (options.startTimestamps === true) columns.startTimestampsMs = new Float64Array(capacity);
  return columns;
}

/** Makes room for `more` samples after the `count` that are there. */
export function reserveHistograms(columns: HistogramColumns, more: number): void {
  const wanted = columns.count + more;
  if (wanted <= columns.timestampsMs.length) return;
  const capacity = Math.max(wanted, columns.timestampsMs.length * 2);
  columns.timestampsMs = grown(columns.timestampsMs, capacity);
  if (columns.startTimestampsMs !== undefined) {
    columns.startTimestampsMs = grown(columns.startTimestampsMs, capacity);
  }
}

function grown(numbers: Float64Array, capacity: number): Float64Array {
  const larger = new Float64Array(capacity);
  larger.set(numbers);
  return larger;
}

const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

/** What every staleness marker of a histogram series is decoded into: a sum of special bits, and nothing else. */
export const staleHistogram: FloatHistogram = {
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 0,
  sum: staleNumber(),
  positiveSpans: [],
  positiveBuckets: new Float64Array(0),
  negativeSpans: [],
  negativeBuckets: new Float64Array(0),
  customBounds: new Float64Array(0),
  counterReset: "unknown",
};

/** Whether a histogram is a staleness marker: the object above, or one whose sum has its bits. */
export function isStaleHistogram(histogram: FloatHistogram): boolean {
  // The object itself comes first: where a NaN of its own bits passed through arithmetic they may be lost.
  if (histogram === staleHistogram) return true;
  if (histogram.sum === histogram.sum) return false;
  scratchValue[0] = histogram.sum;
  return isStale(scratchWords, 0);
}

function staleNumber(): number {
  setStale(scratchValue, 0);
  return scratchValue[0];
}
