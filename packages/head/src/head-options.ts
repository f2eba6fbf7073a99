import type { Labels } from "@pleiad/model";

export interface HeadLimits {
  readonly seriesMax: number;
  readonly labelsPerSeriesMax: number;
  readonly labelNameBytesMax: number;
  readonly labelValueBytesMax: number;
}

export interface HeadOptions {
  /** Holds `wal` and `chunks_head`; belongs to this head alone. */
  readonly directory: string;
  /** Attached to every series that is read; where a series has such a label itself, these win. */
  readonly externalLabels: Labels;
  /** Gives one string object for equal texts; shared by the heads of a process. */
  readonly intern: (text: string) => string;
  /**
   * Chunks whose newest sample is older than this, counted from the newest of the head, are dropped. Infinity where the
   * head gives up only what it is told to: what blocks have taken over.
   */
  readonly retentionMs: number;
  /** Samples below this are in blocks: they are neither taken nor replayed. -Infinity where there are no blocks. */
  readonly minValidTimeMs: number;
  /** Chunks do not cross multiples of this. */
  readonly chunkRangeMs: number;
  /** A chunk of floats has about as many, at most twice: those of a range come out equally long. */
  readonly samplesPerChunk: number;
  /** Samples further ahead of the clock than this are refused: one would make all others too old. */
  readonly futureMaxMs: number;
  readonly limits: HeadLimits;
  /** Floats this much older than the newest sample of the head are taken although their series has later ones. 0: none. */
  readonly outOfOrderWindowMs: number;
  /** The newest exemplars that are kept, of all series together. 0: none. */
  readonly exemplarsMax: number;
  /** A segment of the log ends at about this size. */
  readonly walSegmentBytes: number;
  /** The log is cut behind a checkpoint once it has grown by this much, or by the size of the last checkpoint. */
  readonly checkpointBytesMin: number;
  /** Files of closed chunks end at about this size. */
  readonly chunkFileBytesMax: number;
  /** Acknowledged samples reach the disk itself at most this much later, while commits go on. */
  readonly syncIntervalMs: number;
}

/** All that has a usual value. */
export const defaultHead: Omit<HeadOptions, "directory" | "externalLabels" | "intern"> = {
  retentionMs: 4 * 3_600_000,
  minValidTimeMs: -Infinity,
  chunkRangeMs: 2 * 3_600_000,
  samplesPerChunk: 120,
  futureMaxMs: 600_000,
  limits: { seriesMax: 1_000_000, labelsPerSeriesMax: 64, labelNameBytesMax: 256, labelValueBytesMax: 4096 },
  outOfOrderWindowMs: 0,
  exemplarsMax: 10_000,
  walSegmentBytes: 16 * 1024 * 1024,
  checkpointBytesMin: 1024 * 1024,
  chunkFileBytesMax: 64 * 1024 * 1024,
  syncIntervalMs: 5_000,
};
