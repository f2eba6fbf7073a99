/** When a target is scraped: on a grid of its own, so that the scrapes of many targets spread over the interval. */

/** A target's place inside the interval, [0, intervalMs): the same for the same key in every run. */
export function gridOffsetMs(key: string, intervalMs: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  // FNV leaves similar keys close together in the upper bits, which the product below goes by.
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return Math.floor((((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296) * intervalMs);
}

/** The first time of the grid after `afterMs`. */
export function nextGridMs(afterMs: number, intervalMs: number, offsetMs: number): number {
  return (Math.floor((afterMs - offsetMs) / intervalMs) + 1) * intervalMs + offsetMs;
}

/**
 * The timestamp of a scrape: that of the grid where the clock is within 2 ms and 1 % of it, since equal distances
 * compress to a bit each; else the clock's.
 */
export function alignToGrid(nowMs: number, gridMs: number, intervalMs: number): number {
  return Math.abs(nowMs - gridMs) <= Math.min(2, intervalMs / 100) ? gridMs : nowMs;
}
