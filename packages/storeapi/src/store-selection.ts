/** Which endpoints a request wants to be asked: by their address, as Thanos's `storeMatch[]`, and by their external labels. */
import {
  compileMatcher,
  fail,
  formatMatcher,
  labelValue,
  ok,
  type Labels,
  type Matcher,
  type Result,
} from "@pleiad/model";
import type { Endpoint } from "./endpoint.ts";
import type { ReplicaSet } from "./replica-set.ts";

const addressLabel = "__address__";

/** Keeps of replica sets what at least one of the selectors matches; the failure is a sentence. */
export function compileStoreSelection(
  selectors: readonly (readonly Matcher[])[],
): Result<(sets: readonly ReplicaSet[]) => readonly ReplicaSet[], string> {
  const tests: ((endpoint: Endpoint) => boolean)[] = [];
  for (const matchers of selectors) {
    const test = compileSelector(matchers);
    if (!test.ok) return test;
    tests.push(test.value);
  }
  return ok((sets) =>
    sets.flatMap((set) => {
      const endpoints = set.endpoints.filter((endpoint) => tests.some((test) => test(endpoint)));
      return endpoints.length === 0 ? [] : [{ ...set, endpoints }];
    }),
  );
}

function compileSelector(matchers: readonly Matcher[]): Result<(endpoint: Endpoint) => boolean, string> {
  const ofAddress: ((value: string) => boolean)[] = [];
  const ofLabels: (readonly [name: string, test: (value: string) => boolean])[] = [];
  for (const matcher of matchers) {
    const test = compileMatcher(matcher);
    if (!test.ok) return fail(`${formatMatcher(matcher)}: ${test.failure.reason}`);
    if (matcher.name === addressLabel) ofAddress.push(test.value);
    else ofLabels.push([matcher.name, test.value]);
  }
  // A label that a store does not have as an external one may have any value in its series.
  const fits = (labels: Labels) =>
    ofLabels.every(([name, test]) => {
      const value = labelValue(labels, name);
      return value === "" || test(value);
    });
  return ok(({ spec, identity }) => {
    if (!ofAddress.every((test) => test(spec.address))) return false;
    const announced = identity?.labelSets ?? [];
    // What is expected of an endpoint tells where it belongs while it is away.
    const sets = announced.length > 0 ? announced : spec.expects.map(({ labels }) => labels);
    return sets.length === 0 || sets.some(fits);
  });
}
