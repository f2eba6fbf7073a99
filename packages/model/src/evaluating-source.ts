/** Sources of which some parts can evaluate queries by themselves, so that answers come instead of series. */
import type { Result } from "./failures.ts";
import type { FloatHistogram } from "./histograms.ts";
import type { Labels } from "./labels.ts";
import type { Matcher } from "./matchers.ts";
import type { SelectRequest, SeriesSource } from "./series-source.ts";

/** Columns of one series. Either array of a pair may be empty; times ascend. Series may share columns of times: never changed. */
export interface EvaluatedSeries {
  readonly labels: Labels;
  readonly timestampsMs: Float64Array; // of float samples
  readonly values: Float64Array;
  readonly histogramTimestampsMs: Float64Array;
  readonly histograms: readonly FloatHistogram[];
}

/** One query, and all on which its answer depends besides the series. */
export interface EvaluationRequest extends Pick<SelectRequest, "withoutLabels" | "maxResolutionMs" | "onFailure"> {
  readonly query: string; // PromQL that gives an instant vector
  readonly startMs: number;
  readonly endMs: number; // inclusive
  readonly stepMs: number; // 0 for an instant query
  readonly lookbackMs: number; // 0 = the evaluator's own
  readonly evaluationIntervalMs: number; // the step of a subquery that names none; 0 = the evaluator's own
  readonly features: readonly string[] | undefined; // of the engine; undefined = whatever it has
  readonly timeoutMs: number;
  readonly samplesMax: number; // of the answer
}

export interface Evaluation {
  readonly series: readonly EvaluatedSeries[];
  /** PromQL's remarks, told by how they begin, and what is missing from the answer. */
  readonly warnings: readonly string[];
  readonly samplesRead: number;
  readonly samplesPeak: number;
  readonly answeredBy: string; // name and address
  readonly receivedBytes: number;
}

export type EvaluationFailure =
  /** Out of reach, its series too. The texts say what of the answer is missing with it. */
  | { readonly kind: "missing"; readonly texts: readonly string[] }
  /** It answers, but does not evaluate this: its series may be asked for instead. */
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "canceled" };

/** What evaluates PromQL over series of its own, each of which it has whole: replicas of one below another are merged. */
export interface QueryEvaluator {
  readonly name: string;
  /** The answer as a whole, or none. Never rejects. */
  evaluate(request: EvaluationRequest, signal: AbortSignal): Promise<Result<Evaluation, EvaluationFailure>>;
}

/** Evaluators of one process, which can evaluate over what several of them have as over one source. */
export interface EvaluatorGroup {
  /**
   * One that evaluates over all that the members have. Its answer stands for theirs as that of a region does for the region's
   * clusters; undefined where that is not so.
   */
  together(members: readonly QueryEvaluator[], request: EvaluationRequest): QueryEvaluator | undefined;
}

/** Whether a warning of an evaluation is of the query's sense, as "PromQL info: ..." is, and not of what its sources lack. */
export function isQueryRemark(warning: string): boolean {
  return warning.startsWith("PromQL warning: ") || warning.startsWith("PromQL info: ");
}

export interface Evaluator extends QueryEvaluator {
  /** External labels, without those of replicas: every series of the evaluator has those of one set. */
  readonly labelSets: readonly Labels[];
  /** The same series, not evaluated. */
  readonly source: SeriesSource;
}

/** What a part of a query needs: series that match any of the selections, in one range of time. */
export interface PartitionRequest {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly selections: readonly (readonly Matcher[])[];
  readonly withoutLabels: readonly string[];
}

/**
 * Who has the series of a request. No series, its replicas taken together, is in two of the parts in that range of time:
 * whatever cannot be told apart is in `rest`.
 */
export interface Partition {
  readonly evaluators: readonly Evaluator[];
  /** Everything else, and who is away; undefined where there is nothing else. */
  readonly rest: { readonly source: SeriesSource; readonly labelSets: readonly Labels[] } | undefined;
  /** What of all evaluations until now is missing from the answer, told together; each failure tells only of its own. */
  missing(): readonly string[];
}

export interface EvaluatingSource extends SeriesSource {
  partition(request: PartitionRequest): Partition;
}

export function isEvaluatingSource(source: SeriesSource): source is EvaluatingSource {
  return "partition" in source;
}
