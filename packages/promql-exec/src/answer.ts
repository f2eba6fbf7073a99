/** What the engine is asked, and what it answers. */
import type { FloatHistogram, Labels } from "@pleiad/model";
import type { OperatorProfile } from "./operator-profile.ts";

export interface QueryLimits {
  readonly samplesMax: number; // held in memory at once by one query
  readonly memoryBytesMax: number; // of the same, with chunks and labels
  readonly stepsMax: number;
  readonly timeoutMs: number;
}

export interface InstantRequest {
  readonly query: string;
  readonly timeMs: number;
  readonly lookbackMs?: number; // default, and 0: the engine's
  readonly evaluationIntervalMs?: number; // the step of a subquery that names none; default, and 0: the engine's
  readonly timeoutMs?: number; // at most the engine's
  /** Counts the samples that the steps look at, in all or for each step. */
  readonly countSamples?: "total" | "per-step";
  /** Measures what each operator does. */
  readonly analyze?: boolean;
  /** Passed to the source with every select: replica labels to remove, resolution, and what a failed store means. */
  readonly select: SourceSettings;
}

export interface RangeRequest extends Omit<InstantRequest, "timeMs"> {
  readonly startMs: number;
  readonly endMs: number; // inclusive
  readonly stepMs: number;
}

export interface SourceSettings {
  readonly withoutLabels: readonly string[];
  readonly maxResolutionMs: number;
  readonly onFailure: "warn" | "abort";
}

/** Columns of one series. Either array of a pair may be empty; times ascend. Series may share columns of times: never changed. */
export interface AnswerSeries {
  readonly labels: Labels;
  readonly timestampsMs: Float64Array; // of float samples
  readonly values: Float64Array;
  readonly histogramTimestampsMs: Float64Array;
  readonly histograms: readonly FloatHistogram[];
}

export type AnswerValue =
  | { readonly kind: "scalar"; readonly timestampMs: number; readonly value: number }
  | { readonly kind: "string"; readonly timestampMs: number; readonly value: string }
  /** One sample each: values[i] belongs to labels[i]; histograms[i], where set, takes its place. Order as evaluated. */
  | {
      readonly kind: "vector";
      readonly timestampMs: number;
      readonly labels: readonly Labels[];
      readonly values: Float64Array;
      readonly histograms: readonly (FloatHistogram | undefined)[];
    }
  /** Sorted by labels. After `release`, which need not be called, the columns belong to other answers. */
  | { readonly kind: "matrix"; readonly series: readonly AnswerSeries[]; readonly release?: () => void };

export interface QueryStatistics {
  readonly queueMs: number; // before it began
  readonly parseMs: number;
  readonly planMs: number;
  readonly evaluateMs: number;
  readonly seriesSelected: number;
  readonly samplesRead: number;
  readonly samplesPeak: number;
  /** What was asked for with `countSamples`. */
  readonly samplesQueryable: number | undefined;
  readonly samplesQueryablePerStep: { readonly timestampsMs: Float64Array; readonly counts: Float64Array } | undefined;
}

/** The plan as one line, and what each operator did: the root last, operators of scalar arguments before it. */
export interface QueryAnalysis {
  readonly plan: string;
  readonly operators: readonly OperatorProfile[];
}

export interface QueryAnswer {
  readonly value: AnswerValue;
  readonly warnings: readonly string[]; // PromQL's own, with positions
  readonly infos: readonly string[];
  /** What the source said is missing. The answer is not whole where there is one. */
  readonly sourceWarnings: readonly string[];
  readonly statistics: QueryStatistics;
  readonly analysis: QueryAnalysis | undefined; // there where it was asked for
}

/** Why there is no answer. `message` is what the API shows, in Prometheus's words where it has them. */
export interface QueryFailure {
  readonly kind:
    | "parse" // bad_data
    | "bad-request" // bad_data: steps, times
    | "not-evaluated" // valid PromQL that this engine does not evaluate yet; the message names it
    | "execution" // many-to-many, duplicate label sets, too many samples
    | "timeout"
    | "canceled"
    | "source"; // a store failed and the request said abort
  readonly message: string;
}
