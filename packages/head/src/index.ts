export {
  exemplarLabelCharactersMax,
  type Exemplar,
  type ExemplarOutcome,
  type SeriesExemplars,
} from "./exemplar-ring.ts";
export type { AppendOutcome, CommitStats, HeadAppender, HistogramOutcome } from "./head-appender.ts";
export { formatHeadFailure, formatHeadRefusal, type HeadFailure, type HeadRefusal } from "./head-failure.ts";
export {
  formatImportFailure,
  type HeadImporter,
  type ImportedChunk,
  type ImportFailure,
  type ImportRefusal,
  type ImportStats,
} from "./head-importer.ts";
export { defaultHead, type HeadLimits, type HeadOptions } from "./head-options.ts";
export type { CountedChunk, TimedChunk } from "./chunk-clip.ts";
export type { HeadRange, HeadRangeSeries } from "./head-range.ts";
export type { Head, HeadPorts, HeadStatistics, MaintenanceStats } from "./head.ts";
export { viewHead, type HeadView } from "./head-view.ts";
export type { HistogramKind } from "./histogram-record.ts";
export type { SeriesRef } from "./memory-series.ts";
export { openHead } from "./open-head.ts";
export type { TimeRange } from "./time-range.ts";
