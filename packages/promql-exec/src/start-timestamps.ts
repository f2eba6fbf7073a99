/** What start timestamps tell about counters: since when a sample's value has been counted; 0 where that is not known. */

/** Whether the counter began anew between two samples, by their start timestamps alone. */
export function isStartReset(beforeStartMs: number, beforeMs: number, startMs: number, timestampMs: number): boolean {
  // Not known, or no sense in it, or OpenTelemetry's way to say that the start is not known.
  if (startMs === 0 || startMs >= timestampMs) return false;
  if (startMs !== beforeMs) return startMs > beforeMs;
  // It starts where the last one ended: a delta, unless that one's start is not known either.
  return beforeStartMs !== 0 && beforeStartMs < beforeMs;
}

/** Whether a sample claims time that the one before has counted already, without continuing it. */
export function isStartOverlap(beforeStartMs: number, beforeMs: number, startMs: number): boolean {
  return startMs !== 0 && startMs < beforeMs && startMs !== beforeStartMs;
}
