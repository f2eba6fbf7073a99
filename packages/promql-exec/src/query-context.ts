/** What the operators of one query share. */
import type { SeriesSource } from "@pleiad/model";
import type { SourceRange } from "@pleiad/promql-syntax";
import type { SourceSettings } from "./answer.ts";
import type { LeafPool } from "./leaf-pool.ts";
import type { SampleBudget } from "./limits.ts";
import type { Operator } from "./operator.ts";
import type { Pace } from "./pace.ts";
import type { QueryAnnotations, RemarkDetail } from "./query-annotations.ts";
import type { RemoteQuery } from "./remote-query.ts";
import { repeatQueryableSamples, type QueryableSamples } from "./queryable-samples.ts";

export interface QueryContext {
  readonly source: SeriesSource;
  readonly settings: SourceSettings;
  readonly budget: SampleBudget;
  /** Where leaves are computed: made when it is first asked for. */
  readonly leafPool: () => LeafPool;
  /** Below so many results, a selector is not worth a task. */
  readonly leafResultsMin: number;
  readonly pace: Pace;
  readonly delayedNameRemoval: boolean;
  /** Whether functions take what start timestamps tell into account. */
  readonly startTimestamps: boolean;
  readonly annotations: QueryAnnotations;
  readonly sourceWarnings: Set<string>;
  /** Where samples looked at are counted, by step of the grid around; undefined where nobody asked. */
  readonly queryable: QueryableSamples | undefined;
  /** Puts an operator under observation, where somebody asked; whoever reads it must read what this gives. */
  readonly watch: (operator: Operator) => Operator;
  /** How parts of the source are asked; undefined where none evaluates. */
  readonly remote: RemoteQuery | undefined;
  /** Operators of aggregations that share an input, by the number of their set and by their place in it. */
  readonly joints: Map<number, readonly Operator[]>;
  /** Counts that operators add to. */
  readonly tally: { seriesSelected: number; samplesRead: number };
}

/** Inside a part that is evaluated once for `stepCount` steps. */
export function contextOfOnce(context: QueryContext, stepCount: number): QueryContext {
  const { queryable } = context;
  return queryable === undefined ? context : { ...context, queryable: repeatQueryableSamples(queryable, stepCount) };
}

/** Inside a subquery: what its steps look at is not told; what they give is looked at from outside. */
export function contextOfSubquery(context: QueryContext): QueryContext {
  return { ...context, queryable: undefined };
}

/** Adds a warning about a part of the query, once however often it is seen. */
export function warnAt(context: QueryContext, range: SourceRange, text: string, detail?: RemarkDetail): void {
  context.annotations.warn(range, text, detail);
}

/** Adds an info about a part of the query, once however often it is seen. */
export function informAt(context: QueryContext, range: SourceRange, text: string, detail?: RemarkDetail): void {
  context.annotations.inform(range, text, detail);
}
