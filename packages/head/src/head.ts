/** The newest samples of one cluster, as those who write, read and maintain them see them. `open-head.ts` is one. */
import type { Matcher, Result, SeriesSource, SourceFailure } from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import type { SeriesExemplars } from "./exemplar-ring.ts";
import type { HeadAppender } from "./head-appender.ts";
import type { HeadFailure } from "./head-failure.ts";
import type { HeadImporter } from "./head-importer.ts";
import type { HeadRange } from "./head-range.ts";
import type { TimeRange } from "./time-range.ts";

export type HeadPorts = Pick<Ports, "files" | "clock" | "observations">;

export interface HeadStatistics {
  readonly series: number;
  readonly chunks: number;
  /** Of all samples; NaN where there is none. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** Logs of samples out of order included. */
  readonly walBytes: number;
  readonly exemplars: number;
  readonly chunkFileBytes: number;
  readonly replayMs: number;
  /** Why the last commit failed; undefined if it did not. */
  readonly commitFailure: HeadFailure | undefined;
  /** Bytes at damaged ends of files that the opening cut off, and damaged records elsewhere that it left out. */
  readonly repairedBytes: number;
  readonly damagedRecords: number;
  /** Samples in the log whose series nothing names, and records of kinds that are not read. */
  readonly skippedSamples: number;
  readonly unreadRecords: number;
}

export interface MaintenanceStats {
  readonly droppedChunks: number;
  readonly forgottenSeries: number;
  readonly droppedFiles: number;
  readonly isLogTruncated: boolean;
}

export interface Head extends SeriesSource {
  appender(): HeadAppender;
  importer(): HeadImporter;
  /**
   * Drops what is past retention, forgets series without samples, cuts the log behind a checkpoint once it has grown.
   * To be called every minute or so. Retention counts from `nowMs` or the newest sample, whichever is older: a clock that
   * jumps ahead deletes nothing.
   */
  maintain(nowMs: number): Promise<Result<MaintenanceStats, HeadFailure>>;
  /** The oldest range of whole `chunkRangeMs` that may pass into a block: one and a half of them are there. */
  cuttableRange(): TimeRange | undefined;
  /** Takes no more samples below the end of the range, and gives those in it; they stay until `truncate`. */
  closeRange(range: TimeRange): Promise<Result<HeadRange, HeadFailure>>;
  /**
   * Drops all samples below `beforeMs`: to be called once blocks have them, durably. After a crash before its end an
   * opening with `minValidTimeMs` does the rest.
   */
  truncate(beforeMs: number): Promise<Result<MaintenanceStats, HeadFailure>>;
  /** The exemplars that are kept of the series that fulfil all matchers, from `minTimeMs` to `maxTimeMs`. */
  exemplars(
    matchers: readonly Matcher[],
    minTimeMs: number,
    maxTimeMs: number,
  ): Result<readonly SeriesExemplars[], SourceFailure>;
  statistics(): HeadStatistics;
  /** Makes all durable and lets go of the files. The head then answers "unavailable" and refuses writes. */
  close(): Promise<Result<void, HeadFailure>>;
}
