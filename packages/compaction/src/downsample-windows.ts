/** How the samples of a series fall into windows, and the windows into chunks. */

/** No downsampled chunk is meant to have more windows than this, on average. */
const windowsPerChunkMax = 140;

/** The last millisecond of the window that a time falls into. */
export function windowEndMs(timestampMs: number, resolutionMs: number): number {
  return Math.floor(timestampMs / resolutionMs) * resolutionMs + resolutionMs - 1;
}

/** How many chunks samples become that were `fromResolutionMs` apart, or further where there are fewer. */
export function chunkCountFor(
  minTimeMs: number,
  maxTimeMs: number,
  sampleCount: number,
  fromResolutionMs: number,
  resolutionMs: number,
): number {
  const rangeMs = maxTimeMs - minTimeMs;
  const fullness = rangeMs === 0 ? 1 : Math.min(1, sampleCount / (rangeMs / fromResolutionMs));
  const windows = Math.floor(Math.floor(rangeMs / resolutionMs) * fullness) + 1;
  // The least number of chunks that keeps windows / chunks, rounded down, within the bound.
  return Math.floor(windows / (windowsPerChunkMax + 1)) + 1;
}

/**
 * Visits samples [from, to) window by window. A window is told by its end, or by the time of the last sample where that is
 * earlier: what follows may begin in the same window.
 */
export function eachWindow(
  timestampsMs: Float64Array,
  from: number,
  to: number,
  resolutionMs: number,
  visit: (from: number, to: number, endMs: number) => void,
): void {
  const lastMs = timestampsMs[to - 1] ?? 0;
  for (let start = from; start < to;) {
    const endMs = Math.min(windowEndMs(timestampsMs[start] ?? 0, resolutionMs), lastMs);
    let end = start + 1;
    while (end < to && (timestampsMs[end] ?? 0) <= endMs) end++;
    visit(start, end, endMs);
    start = end;
  }
}

/** Visits samples [from, to) in `chunkCount` batches of about one length; a batch ends where a window does. */
export function eachBatch(
  timestampsMs: Float64Array,
  from: number,
  to: number,
  chunkCount: number,
  resolutionMs: number,
  visit: (from: number, to: number) => void,
): void {
  const batchSize = Math.floor((to - from) / chunkCount) + 1;
  for (let start = from; start < to;) {
    let end = Math.min(start + batchSize, to);
    const endMs = windowEndMs(timestampsMs[end - 1] ?? 0, resolutionMs);
    while (end < to && (timestampsMs[end] ?? 0) <= endMs) end++;
    visit(start, end);
    start = end;
  }
}
