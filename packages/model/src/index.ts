export { hashBytes } from "./byte-hash.ts";
export { durationMsMax, durationUnitsMs, formatDuration, parseDuration } from "./durations.ts";
export {
  isEvaluatingSource,
  isQueryRemark,
  type EvaluatedSeries,
  type EvaluatingSource,
  type Evaluation,
  type EvaluationFailure,
  type EvaluationRequest,
  type Evaluator,
  type EvaluatorGroup,
  type Partition,
  type PartitionRequest,
  type QueryEvaluator,
} from "./evaluating-source.ts";
export { uniteExemplars, type Exemplar, type SeriesExemplars } from "./exemplars.ts";
export { fail, formatSourceFailure, ok, unreachable, type Result, type SourceFailure } from "./failures.ts";
export { compensate } from "./compensation.ts";
export {
  formatFloat,
  formatGoFloat,
  formatPlainFloat,
  isStale,
  normalNaNHigh,
  normalNaNLow,
  parseFloatText,
  setStale,
  staleHigh,
  staleLow,
} from "./floats.ts";
export {
  addHistograms,
  compactHistogram,
  divideHistogram,
  histogramsEqual,
  multiplyHistogram,
  subtractHistograms,
  type HistogramCombination,
} from "./histogram-arithmetic.ts";
export {
  bucketBoundary,
  bucketColumns,
  bucketUpperBound,
  customBoundsSchema,
  eachBucket,
  hasCustomBounds,
  type BucketBoundary,
  type BucketColumns,
} from "./histogram-buckets.ts";
export { hintsCollide, mergeHints, type CounterResetHint } from "./histogram-hints.ts";
export { addToHistogramMean, histogramOfMean, startHistogramMean, type HistogramMean } from "./histogram-mean.ts";
export {
  histogramFraction,
  histogramQuantile,
  histogramVariance,
  type HistogramFraction,
  type HistogramQuantile,
} from "./histogram-quantile.ts";
export { isHistogramReset } from "./histogram-reset.ts";
export {
  addToHistogramSum,
  histogramOfSum,
  reduceToSchema,
  startHistogramSum,
  type AdditionOutcome,
  type HistogramSum,
} from "./histogram-sum.ts";
export { formatHistogram } from "./histogram-text.ts";
export { trimHistogram, type TrimSide } from "./histogram-trim.ts";
export type { BucketSpan, FloatHistogram } from "./histograms.ts";
export { compareInstants, formatInstant, instantOfMs, parseInstant, zeroInstant, type Instant } from "./instant.ts";
export {
  compareLabels,
  emptyLabels,
  formatLabelName,
  formatLabels,
  hashLabels,
  isSortedLabels,
  labelPairs,
  labelsEqual,
  labelsFromPairs,
  labelsFromRecord,
  labelsFromSorted,
  labelsKey,
  labelsToRecord,
  labelValue,
  metricNameLabel,
  onlyLabels,
  quoteText,
  withLabels,
  withoutLabels,
  type Labels,
} from "./labels.ts";
export { createLoserTree, type LoserTree } from "./loser-tree.ts";
export {
  compileMatcher,
  compileMatchers,
  formatMatcher,
  formatMatchers,
  literalAlternatives,
  type Matcher,
  type MatcherFailure,
  type MatcherType,
  type ValueTest,
} from "./matchers.ts";
export { uniteMetadata, type MetricMeta, type MetricMetadata } from "./metric-metadata.ts";
export {
  monitoringServices,
  type Asking,
  type ExemplarsAnswer,
  type ExemplarsRequest,
  type MetadataAnswer,
  type MetadataRequest,
  type MonitoringService,
  type MonitoringSource,
  type RulesAnswer,
  type RulesRequest,
  type TargetsAnswer,
  type TargetsRequest,
} from "./monitoring-source.ts";
export { compileRegexTemplate } from "./regex-template.ts";
export {
  alertStates,
  everyRule,
  filterRuleGroups,
  uniteRuleGroups,
  type AlertingRule,
  type AlertInstance,
  type AlertState,
  type RecordingRule,
  type Rule,
  type RuleFilter,
  type RuleGroup,
} from "./rules.ts";
export {
  targetHealths,
  uniteActiveTargets,
  uniteDroppedTargets,
  type ActiveTarget,
  type DroppedTarget,
  type TargetHealth,
} from "./scrape-targets.ts";
export {
  collectSeries,
  cursorOf,
  plainSelect,
  xorEncoding,
  type Aggregate,
  type ChunkEncoding,
  type EncodedChunk,
  type LabelsAnswer,
  type LabelsRequest,
  type SelectHints,
  type SelectRequest,
  type SeriesCursor,
  type SeriesSource,
  type SourceChunk,
  type SourceSeries,
} from "./series-source.ts";
export { areSortedChunks, compareChunks, uniteChunks, uniteNeighbours } from "./series-union.ts";
export { compareText, uniteTexts } from "./text-order.ts";
export { xxHash64 } from "./xx-hash.ts";
