/** For tests of what asks a MonitoringSource: one that holds what it tells of. */
import {
  compileMatchers,
  fail,
  filterRuleGroups,
  formatMatcher,
  ok,
  uniteActiveTargets,
  uniteDroppedTargets,
  uniteExemplars,
  uniteMetadata,
  uniteRuleGroups,
  type Labels,
  type Matcher,
  type MonitoringSource,
  type SourceFailure,
} from "@pleiad/model";
import type { MonitoringData } from "@pleiad/model/monitoring-acceptance";
import type { SelectorReader } from "./monitoring-handlers.ts";

/** It follows the contract to the letter. `warnings` are on every answer. */
export function memoryMonitoring(
  data: MonitoringData,
  { name = "memory", warnings = [] }: { readonly name?: string; readonly warnings?: readonly string[] } = {},
): Required<MonitoringSource> {
  const invalid = ({ matcher, reason }: { readonly matcher: Matcher; readonly reason: string }): SourceFailure => {
    return { kind: "invalid", source: name, reason: `${formatMatcher(matcher)}: ${reason}` };
  };
  return {
    rules: async (request) => {
      const groups = filterRuleGroups(data.groups, request);
      if (!groups.ok) return fail(invalid(groups.failure));
      return ok({ groups: uniteRuleGroups(groups.value, request.withoutLabels), warnings });
    },
    targets: async ({ state, withoutLabels }) =>
      ok({
        active: state === "dropped" ? [] : uniteActiveTargets(data.active, withoutLabels),
        dropped: state === "active" ? [] : uniteDroppedTargets(data.dropped, withoutLabels),
        warnings,
      }),
    metadata: async ({ metric, limit }) => {
      const wanted = data.metrics.filter((one) => metric === "" || one.metric === metric);
      return ok({ metrics: uniteMetadata(wanted, limit), warnings });
    },
    exemplars: async ({ selectors, minTimeMs, maxTimeMs, withoutLabels }) => {
      const tests: ((labels: Labels) => boolean)[] = [];
      for (const matchers of selectors) {
        const test = compileMatchers(matchers);
        if (!test.ok) return fail(invalid(test.failure));
        tests.push(test.value);
      }
      const found = data.exemplars
        .filter(({ labels }) => tests.some((test) => test(labels)))
        .map(({ labels, exemplars }) => ({
          labels,
          exemplars: exemplars.filter(({ timestampMs }) => timestampMs >= minTimeMs && timestampMs <= maxTimeMs),
        }));
      return ok({ series: uniteExemplars(found, withoutLabels), warnings });
    },
  };
}

/** Reads selectors as `formatMatchers` writes them, and sums of them: this package knows no PromQL. */
export const plainSelectors: SelectorReader = {
  selector: (text) => {
    const parts = /^([\w:]*)(?:\{(.*)\})?$/s.exec(text);
    if (parts === null) return fail("no selector");
    const [, metric = "", list = ""] = parts;
    const named: Matcher[] = metric === "" ? [] : [{ type: "=", name: "__name__", value: metric }];
    const others = Array.from(
      list.matchAll(/(\w+)(=~|!~|!=|=)("(?:[^"\\]|\\.)*")/g),
      ([, name = "", type, value = '""']) => {
        return { type: type as Matcher["type"], name, value: JSON.parse(value) as string };
      },
    );
    return ok([...named, ...others]);
  },
  selectors: (query) => {
    const all: (readonly Matcher[])[] = [];
    for (const text of query.split(" + ")) {
      const matchers = plainSelectors.selector(text);
      if (!matchers.ok) return matchers;
      all.push(matchers.value);
    }
    return ok(all);
  },
};
