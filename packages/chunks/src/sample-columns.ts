/** Samples as columns: what chunks are decoded into. */

/**
 * Samples [0, count) of one series or of many in a row. The caller owns it and resets `count` to use it again. The arrays
 * are replaced when they grow, so read them from here after every decode.
 */
export interface SampleColumns {
  timestampsMs: Float64Array;
  values: Float64Array;
  /** The memory of `values` as little-endian halves: bits are copied and compared here, where no NaN is quieted. */
  valueWords: Uint32Array;
  count: number;
  /** When the series began to count, by sample; 0 = not known. Filled only where it is there. */
  startTimestampsMs?: Float64Array;
  /** How many samples each one stands for, as windows of downsampled series do. Where it is not there, one. */
  weights?: Float64Array | undefined;
}

export function createSampleColumns(
  capacity: number,
  options: { readonly startTimestamps?: boolean } = {},
): SampleColumns {
  const values = new Float64Array(capacity);
  const columns: SampleColumns = {
    timestampsMs: new Float64Array(capacity),
    values,
    valueWords: new Uint32Array(values.buffer),
    count: 0,
  };
  if (options.startTimestamps === true) columns.startTimestampsMs = new Float64Array(capacity);
  return columns;
}

/** Makes room for `more` samples after the `count` that are there. */
export function reserveSamples(columns: SampleColumns, more: number): void {
  const wanted = columns.count + more;
  if (wanted <= columns.timestampsMs.length) return;
  const grown = createSampleColumns(Math.max(wanted, columns.timestampsMs.length * 2));
  grown.timestampsMs.set(columns.timestampsMs.subarray(0, columns.count));
  // Copied as words: a copy of doubles may quiet a signalling NaN.
  grown.valueWords.set(columns.valueWords.subarray(0, 2 * columns.count));
  if (columns.startTimestampsMs !== undefined) {
    const startTimestampsMs = new Float64Array(grown.timestampsMs.length);
    startTimestampsMs.set(columns.startTimestampsMs.subarray(0, columns.count));
    columns.startTimestampsMs = startTimestampsMs;
  }
  if (columns.weights !== undefined) {
    const weights = new Float64Array(grown.timestampsMs.length);
    weights.set(columns.weights.subarray(0, columns.count));
    columns.weights = weights;
  }
  columns.timestampsMs = grown.timestampsMs;
  columns.values = grown.values;
  columns.valueWords = grown.valueWords;
}
