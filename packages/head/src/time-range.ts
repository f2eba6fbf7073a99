/** A span of time that a block takes over from a head. */
export interface TimeRange {
  readonly minTimeMs: number; // inclusive
  readonly maxTimeMs: number; // exclusive
}
