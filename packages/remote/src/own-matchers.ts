/** Which part of a selector a Prometheus is asked: it knows nothing of its own external labels. */
import {
  compileMatcher,
  fail,
  formatMatcher,
  labelValue,
  ok,
  type Labels,
  type Matcher,
  type Result,
  type SourceFailure,
} from "@pleiad/model";

/** Any metric name: Prometheus wants a matcher that does not match the empty text. */
export const anySeries: Matcher = { type: "!=", name: "__name__", value: "" };

/**
 * The matchers that the external labels do not answer, and `anySeries` where they answer all; undefined where nothing
 * can match. Fails where an expression does not compile; `source` is named then.
 */
export function ownMatchers(
  matchers: readonly Matcher[],
  external: Labels,
  source: string,
): Result<readonly Matcher[] | undefined, SourceFailure> {
  const own: Matcher[] = [];
  for (const matcher of matchers) {
    const test = compileMatcher(matcher);
    if (!test.ok) {
      const reason = `${formatMatcher(matcher)}: ${test.failure.reason}`;
      return fail({ kind: "invalid", source, reason });
    }
    const value = labelValue(external, matcher.name);
    if (value === "") own.push(matcher);
    else if (!test.value(value)) return ok(undefined);
  }
  return ok(own.length === 0 && matchers.length > 0 ? [anySeries] : own);
}

/** Whether one of the matchers does not match the empty text. */
export function isSelective(matchers: readonly Matcher[]): boolean {
  return matchers.some((matcher) => {
    const test = compileMatcher(matcher);
    return test.ok && !test.value("");
  });
}
