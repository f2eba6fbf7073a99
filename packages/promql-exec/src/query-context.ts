/** What the operators of one query share. */
import type { Annotations, SeriesSource } from "@pleiad/model";
import type { SourceRange } from "@pleiad/promql-syntax";
import type { SourceSettings } from "./answer.ts";
import type { SampleBudget } from "./limits.ts";
import type { Pace } from "./pace.ts";

export interface QueryContext {
  readonly source: SeriesSource;
  readonly settings: SourceSettings;
  readonly budget: SampleBudget;
  readonly pace: Pace;
  readonly delayedNameRemoval: boolean;
  readonly annotations: Annotations;
  /** `line:column` of the start of a part of the query, for annotations. */
  readonly positionOf: (range: SourceRange) => string;
  readonly sourceWarnings: Set<string>;
  /** Counts that operators add to. */
  readonly tally: { seriesSelected: number; samplesRead: number };
}

/** Adds a warning about a part of the query, once however often it is seen. */
export function warnAt(context: QueryContext, range: SourceRange, text: string): void {
  context.annotations.warn(`PromQL warning: ${text} (${context.positionOf(range)})`);
}

/** Adds an info about a part of the query, once however often it is seen. */
export function informAt(context: QueryContext, range: SourceRange, text: string): void {
  context.annotations.inform(`PromQL info: ${text} (${context.positionOf(range)})`);
}
