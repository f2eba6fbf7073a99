/**
 * What a monitoring system tells beside its series: rules, targets, metadata of metrics, exemplars. Implemented by an
 * agent, by a Prometheus behind a sidecar, by a client of Thanos's services, and by the fan-out over many of them.
 */
import type { SeriesExemplars } from "./exemplars.ts";
import type { Result, SourceFailure } from "./failures.ts";
import type { Matcher } from "./matchers.ts";
import type { MetricMetadata } from "./metric-metadata.ts";
import type { RuleFilter, RuleGroup } from "./rules.ts";
import type { ActiveTarget, DroppedTarget } from "./scrape-targets.ts";

/** Every answer is united: what is equal once `withoutLabels` are taken away comes once. Warnings name what is missing. */
export interface MonitoringSource {
  /** Absent where there are none to tell of: then nobody is to be asked, and nothing is missing. */
  readonly rules?: Asking<RulesRequest, RulesAnswer>;
  readonly targets?: Asking<TargetsRequest, TargetsAnswer>;
  readonly metadata?: Asking<MetadataRequest, MetadataAnswer>;
  readonly exemplars?: Asking<ExemplarsRequest, ExemplarsAnswer>;
}

/** Never rejects but for a bug. */
export type Asking<Request, Answer> = (request: Request, signal: AbortSignal) => Promise<Result<Answer, SourceFailure>>;

export const monitoringServices = ["rules", "targets", "metadata", "exemplars"] as const;
export type MonitoringService = (typeof monitoringServices)[number];

interface RequestFields {
  /** What becomes of the answer where a part of the source fails: a warning, or a failure. */
  readonly onFailure: "warn" | "abort";
}

interface AnswerFields {
  readonly warnings: readonly string[];
}

export interface RulesRequest extends RequestFields, RuleFilter {
  readonly withoutLabels: readonly string[];
}

export interface RulesAnswer extends AnswerFields {
  readonly groups: readonly RuleGroup[]; // by file and name
}

export interface TargetsRequest extends RequestFields {
  readonly state: "any" | "active" | "dropped";
  readonly withoutLabels: readonly string[];
}

export interface TargetsAnswer extends AnswerFields {
  readonly active: readonly ActiveTarget[];
  readonly dropped: readonly DroppedTarget[];
}

export interface MetadataRequest extends RequestFields {
  readonly metric: string; // "" = all
  readonly limit: number; // of metrics; -1 = all
}

export interface MetadataAnswer extends AnswerFields {
  readonly metrics: readonly MetricMetadata[]; // by name
}

export interface ExemplarsRequest extends RequestFields {
  /** Those of series that fulfil all matchers of one of them. */
  readonly selectors: readonly (readonly Matcher[])[];
  readonly minTimeMs: number;
  readonly maxTimeMs: number; // inclusive
  readonly withoutLabels: readonly string[];
}

export interface ExemplarsAnswer extends AnswerFields {
  readonly series: readonly SeriesExemplars[]; // in label order
}
