/** Judging the matchers of a selector. */
import { compileMatcher, type Matcher } from "@pleiad/model";

/**
 * Whether no matcher keeps a series from being selected that lacks all the labels: `{}`, `{a=~".*"}`, `{a!="x"}`.
 * Prometheus refuses such selectors, in queries and in `match[]`.
 */
export function selectsEverything(matchers: readonly Matcher[]): boolean {
  return matchers.every((matcher) => {
    const test = compileMatcher(matcher);
    return !test.ok || test.value("");
  });
}
