/** What the engine says of native histograms beside an answer, in Prometheus's words. */
import type { FloatHistogram } from "@pleiad/model";
import { quoteString, type SourceRange } from "@pleiad/promql-syntax";
import { informAt, warnAt, type QueryContext } from "./query-context.ts";

/** What was done to histograms that did not quite fit together. */
export type HistogramOperation = "addition" | "subtraction" | "aggregation";

export function warnOfMixedSchemas(metricName: string, range: SourceRange, context: QueryContext): void {
  const text = "vector contains a mix of histograms with exponential and custom buckets schemas for metric name";
  warnAt(context, range, `${text} ${quoteString(metricName)}`);
}

export function warnOfMixedRange(metricName: string, range: SourceRange, context: QueryContext): void {
  const text = "encountered a mix of histograms and floats for metric name";
  warnAt(context, range, `${text} ${quoteString(metricName)}`);
}

export function warnOfMixedAggregation(range: SourceRange, context: QueryContext): void {
  warnAt(context, range, "encountered a mix of histograms and floats for aggregation");
}

export function warnOfNoCounter(metricName: string, range: SourceRange, context: QueryContext): void {
  warnAt(context, range, `this native histogram metric is not a counter: ${quoteString(metricName)}`);
}

export function warnOfNoGauge(metricName: string, range: SourceRange, context: QueryContext): void {
  warnAt(context, range, `this native histogram metric is not a gauge: ${quoteString(metricName)}`);
}

export function warnOfCollidingHints(operation: HistogramOperation, range: SourceRange, context: QueryContext): void {
  warnAt(context, range, `conflicting counter resets during histogram ${operation}`);
}

export function warnOfIncompatibleBuckets(operator: string, range: SourceRange, context: QueryContext): void {
  warnAt(context, range, `incompatible bucket layout encountered for binary operator ${operator}`);
}

export function warnOfClassicAndNative(metricName: string, range: SourceRange, context: QueryContext): void {
  warnAt(context, range, `vector contains a mix of classic and native histograms${forMetric(metricName)}`);
}

export function informOfReconciledBounds(
  operation: HistogramOperation,
  range: SourceRange,
  context: QueryContext,
): void {
  informAt(context, range, `mismatched custom buckets were reconciled during ${operation}`);
}

export function informOfIgnoredInAggregation(aggregation: string, range: SourceRange, context: QueryContext): void {
  informAt(context, range, `ignored histogram in ${aggregation} aggregation`);
}

export function informOfIgnoredInRange(metricName: string, range: SourceRange, context: QueryContext): void {
  const text = "ignored histograms in a range containing both floats and histograms for metric name";
  informAt(context, range, `${text} ${quoteString(metricName)}`);
}

/** The kinds of sample that an operator was asked to combine. */
export type SampleKind = "float" | "histogram";

export function informOfIncompatibleTypes(
  operator: string,
  left: SampleKind,
  right: SampleKind,
  range: SourceRange,
  context: QueryContext,
): void {
  const text = `incompatible sample types encountered for binary operator ${quoteString(operator)}`;
  informAt(context, range, `${text}: ${left} ${operator} ${right}`);
}

/** What observations of NaN did to a result of a histogram function. */
export type NanEffect = "result" | "skew" | "fraction";

const nanTexts: Readonly<Record<NanEffect, string>> = {
  result: "input to histogram_quantile has NaN observations, result is NaN",
  skew: "input to histogram_quantile has NaN observations, result is skewed higher",
  fraction: "input to histogram_fraction has NaN observations, which are excluded from all fractions",
};

export function informOfNan(effect: NanEffect, metricName: string, range: SourceRange, context: QueryContext): void {
  informAt(context, range, `${nanTexts[effect]}${forMetric(metricName)}`);
}

export function warnOfStartOverlap(metricName: string, range: SourceRange, context: QueryContext): void {
  const text = "sample has start time that overlaps with previous sample timestamp for metric";
  warnAt(context, range, `${text} ${quoteString(metricName)}`, { kind: "occurrences", count: 1 });
}

/** ` for metric name "x"`; nothing where there is no name. */
export function forMetric(metricName: string): string {
  return metricName === "" ? "" : ` for metric name ${quoteString(metricName)}`;
}

/** Looks at the hints of histograms that are added up. */
export interface HintWatch {
  see(histogram: FloatHistogram): void;
  /** Warns where some histograms told of a reset and others of none. */
  warnOfCollision(operation: HistogramOperation, range: SourceRange, context: QueryContext): void;
}

export function createHintWatch(): HintWatch {
  let sawReset = false;
  let sawNoReset = false;
  return {
    see({ counterReset }) {
      if (counterReset === "reset") sawReset = true;
      else if (counterReset === "not-reset") sawNoReset = true;
    },
    warnOfCollision(operation, range, context) {
      if (sawReset && sawNoReset) warnOfCollidingHints(operation, range, context);
    },
  };
}
