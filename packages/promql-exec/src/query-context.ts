/** What the operators of one query share. */
import type { SeriesSource } from "@pleiad/model";
import type { SourceRange } from "@pleiad/promql-syntax";
import type { SourceSettings } from "./answer.ts";
import type { SampleBudget } from "./limits.ts";
import type { Pace } from "./pace.ts";
import type { QueryAnnotations, RemarkDetail } from "./query-annotations.ts";

export interface QueryContext {
  readonly source: SeriesSource;
  readonly settings: SourceSettings;
  readonly budget: SampleBudget;
  readonly pace: Pace;
  readonly delayedNameRemoval: boolean;
  /** Whether functions take what start timestamps tell into account. */
  readonly startTimestamps: boolean;
  readonly annotations: QueryAnnotations;
  readonly sourceWarnings: Set<string>;
  /** Counts that operators add to. */
  readonly tally: { seriesSelected: number; samplesRead: number };
}

/** Adds a warning about a part of the query, once however often it is seen. */
export function warnAt(context: QueryContext, range: SourceRange, text: string, detail?: RemarkDetail): void {
  context.annotations.warn(range, text, detail);
}

/** Adds an info about a part of the query, once however often it is seen. */
export function informAt(context: QueryContext, range: SourceRange, text: string, detail?: RemarkDetail): void {
  context.annotations.inform(range, text, detail);
}
