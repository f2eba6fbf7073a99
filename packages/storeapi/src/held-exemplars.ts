/** The exemplars that heads keep, as a monitoring source tells of them. */
import {
  fail,
  ok,
  uniteExemplars,
  type ExemplarsAnswer,
  type ExemplarsRequest,
  type Matcher,
  type Result,
  type SeriesExemplars,
  type SourceFailure,
} from "@pleiad/model";

/** A head: the exemplars within [minTimeMs, maxTimeMs] of the series that all matchers match, external labels included. */
export interface ExemplarHolder {
  exemplars(
    matchers: readonly Matcher[],
    minTimeMs: number,
    maxTimeMs: number,
  ): Result<readonly SeriesExemplars[], SourceFailure>;
}

/** Those of all holders that any of the selectors names. Fails where one of them does. */
export function heldExemplars(
  holders: Iterable<ExemplarHolder>,
  { selectors, minTimeMs, maxTimeMs, withoutLabels }: ExemplarsRequest,
): Result<ExemplarsAnswer, SourceFailure> {
  const found: SeriesExemplars[] = [];
  for (const holder of holders) {
    for (const matchers of selectors) {
      const some = holder.exemplars(matchers, minTimeMs, maxTimeMs);
      if (!some.ok) return fail(some.failure);
      found.push(...some.value);
    }
  }
  return ok({ series: uniteExemplars(found, withoutLabels), warnings: [] });
}
