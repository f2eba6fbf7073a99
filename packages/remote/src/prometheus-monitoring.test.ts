/** A Prometheus's rules, targets, metadata and exemplars; the real one is in `e2e/monitoring.test.ts`. */
import {
  compileMatchers,
  everyRule,
  formatInstant,
  labelsFromPairs,
  labelsToRecord,
  withoutLabels,
  type Labels,
  type Matcher,
  type Rule,
} from "@pleiad/model";
import {
  acceptanceLabels,
  acceptanceMonitoring,
  runMonitoringSourceAcceptance,
  type MonitoringData,
} from "@pleiad/model/monitoring-acceptance";
import type { HttpRequest } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createPrometheusClient } from "./prometheus-client.ts";
import { createPrometheusMonitoring } from "./prometheus-monitoring.ts";

const { signal } = new AbortController();

/** A source over what answers as a Prometheus does: by path, what `data` is made of the parameters. */
async function openSource(answers: Readonly<Record<string, (parameters: URLSearchParams) => unknown>>) {
  const ports = testPorts();
  const asked: string[] = [];
  await ports.network.serveHttp("prometheus:9090", async ({ path, query, body }: HttpRequest) => {
    const parameters = new URLSearchParams(query || new TextDecoder().decode(body));
    asked.push(`${path}?${parameters.toString()}`);
    const data = answers[path]?.(parameters);
    if (data === undefined) return { status: 404, headers: {}, body: "" };
    return { status: 200, headers: {}, body: JSON.stringify({ status: "success", data }) };
  });
  const client = createPrometheusClient({ url: "http://prometheus:9090", name: "sidecar", timeoutMs: 1000 }, ports);
  const options = { externalLabels: () => acceptanceLabels, answerBytesMax: 1 << 20 };
  return { source: createPrometheusMonitoring(client, options), asked };
}

const own = (labels: Labels) => labelsToRecord(withoutLabels(labels, new Set(["cluster", "replica"])));

const ruleJson = (rule: Rule) => ({
  ...{ name: rule.name, query: rule.query, labels: own(rule.labels), health: rule.health, lastError: rule.lastError },
  ...{ evaluationTime: rule.evaluationSeconds, lastEvaluation: formatInstant(rule.lastEvaluation), type: rule.kind },
  ...(rule.kind === "recording"
    ? {}
    : {
        ...{ state: rule.state, duration: rule.durationSeconds, keepFiringFor: rule.keepFiringForSeconds },
        annotations: labelsToRecord(rule.annotations),
        alerts: rule.alerts.map((alert) => ({
          ...{ labels: labelsToRecord(alert.labels), annotations: labelsToRecord(alert.annotations) },
          ...{ state: alert.state, value: alert.value },
          activeAt: alert.activeAt === undefined ? null : formatInstant(alert.activeAt),
          ...(alert.keepFiringSince === undefined ? {} : { keepFiringSince: formatInstant(alert.keepFiringSince) }),
        })),
      }),
});

/** What a Prometheus with this data would say: without external labels, and with all rules of the type asked for. */
function answersOf({ groups, active, dropped, metrics, exemplars }: MonitoringData) {
  return {
    "/api/v1/rules": (parameters: URLSearchParams) => ({
      groups: groups.map((group) => ({
        ...{ name: group.name, file: group.file, interval: group.intervalSeconds, limit: group.limit },
        ...{ evaluationTime: group.evaluationSeconds, lastEvaluation: formatInstant(group.lastEvaluation) },
        rules: group.rules.map(ruleJson).filter(({ type }) => type.startsWith(parameters.get("type") ?? "")),
      })),
    }),
    "/api/v1/targets": (parameters: URLSearchParams) => ({
      activeTargets:
        parameters.get("state") === "dropped"
          ? []
          : active.map(({ lastScrape, lastScrapeSeconds, ...target }) => ({
              ...target,
              ...{ labels: own(target.labels), discoveredLabels: own(target.discoveredLabels) },
              ...{ lastScrape: formatInstant(lastScrape), lastScrapeDuration: lastScrapeSeconds },
            })),
      droppedTargets:
        parameters.get("state") === "active"
          ? null
          : dropped.map(({ discoveredLabels }) => ({ discoveredLabels: own(discoveredLabels) })),
    }),
    "/api/v1/metadata": (parameters: URLSearchParams) => {
      const wanted = metrics.filter(({ metric }) => [metric, null].includes(parameters.get("metric")));
      return Object.fromEntries(wanted.toReversed().map(({ metric, metas }) => [metric, metas]));
    },
    "/api/v1/query_exemplars": (parameters: URLSearchParams) => {
      const tests = (parameters.get("query") ?? "").split(" + ").map(testOf);
      const [start, end] = ["start", "end"].map((name) => Number(parameters.get(name)) * 1000);
      return exemplars
        .map(({ labels, exemplars: some }) => ({
          seriesLabels: own(labels),
          exemplars: some
            .filter(({ timestampMs }) => timestampMs >= (start ?? NaN) && timestampMs <= (end ?? NaN))
            .map((one) => ({
              ...{ labels: labelsToRecord(one.labels), value: String(one.value), timestamp: one.timestampMs / 1000 },
            })),
        }))
        .filter(({ seriesLabels, exemplars: some }) => {
          const labels = labelsFromPairs(Object.entries(seriesLabels));
          return some.length > 0 && tests.some((test) => test(labels));
        });
    },
  };
}

/** The test that a selector without a metric name before it is. */
function testOf(selector: string): (labels: Labels) => boolean {
  const matchers = Array.from(selector.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g), ([, name = "", type, value = ""]) => {
    return { type: type as Matcher["type"], name, value };
  });
  const test = compileMatchers(matchers);
  if (!test.ok) throw new Error(selector);
  return test.value;
}

runMonitoringSourceAcceptance("a Prometheus", ["rules", "targets", "metadata", "exemplars"], async (data) => ({
  source: (await openSource(answersOf(data))).source,
  holds: data,
}));

describe("a Prometheus is asked", () => {
  const exemplars = async (selectors: readonly (readonly Matcher[])[]) => {
    const { source, asked } = await openSource(answersOf(acceptanceMonitoring));
    const times = { minTimeMs: 1_700_000_000_250, maxTimeMs: 8.64e15 };
    await source.exemplars({ selectors, ...times, withoutLabels: [], onFailure: "abort" }, signal);
    return asked.map((text) => new URLSearchParams(text.split("?")[1]).get("query"));
  };
  const equal = (name: string, value: string): Matcher => ({ type: "=", name, value });

  it("for exemplars by what its external labels do not answer", async () => {
    expect(await exemplars([[equal("job", "x"), equal("cluster", "a")], [equal("cluster", "b")]])).toEqual([
      '{job="x"}',
    ]);
    expect(await exemplars([[equal("cluster", "a")]])).toEqual(['{__name__!=""}']);
    expect(await exemplars([[equal("cluster", "a"), { type: "!=", name: "x", value: "1" }]])).toEqual([
      '{x!="1",__name__!=""}',
    ]);
    expect(await exemplars([[equal("cluster", "b")]])).toEqual([]);
  });

  it("for exemplars from and to a millisecond", async () => {
    const { source, asked } = await openSource(answersOf(acceptanceMonitoring));
    const times = { minTimeMs: 1_700_000_000_250, maxTimeMs: 1_700_000_001_000 };
    await source.exemplars(
      { selectors: [[equal("job", "x")]], ...times, withoutLabels: [], onFailure: "abort" },
      signal,
    );
    expect(asked[0]).toContain("start=1700000000.250&end=1700000001.000");
  });
});

describe("an answer that is none of Prometheus's is a failure", () => {
  const group = { name: "g", file: "f", rules: [{ type: "alerting", name: "x", state: "firing", alerts: [] }] };
  for (const [rule, data, reason] of [
    ["no groups", 7, "data is no object"],
    ["groups that are none", { groups: "x" }, "groups is no list"],
    ["a rule of another type", { groups: [{ ...group, rules: [{ type: "other" }] }] }, `type is "other"`],
    ["a state that is none", { groups: [{ ...group, rules: [{ ...group.rules[0], state: "on fire" }] }] }, "state is"],
    ["a time that is none", { groups: [{ ...group, lastEvaluation: "yesterday" }] }, "lastEvaluation is no time"],
    ["a name that is a number", { groups: [{ ...group, name: 5 }] }, "name is no text"],
    [
      "labels with a number",
      { groups: [{ ...group, rules: [{ ...group.rules[0], labels: { a: 1 } }] }] },
      "labels are no labels",
    ],
  ] as const) {
    it(rule, async () => {
      const { source } = await openSource({ "/api/v1/rules": () => data });
      const found = await source.rules({ ...everyRule, withoutLabels: [], onFailure: "abort" }, signal);
      expect(found).toMatchObject({ ok: false, failure: { kind: "corrupt", source: "sidecar" } });
      expect(found.ok || found.failure.kind !== "corrupt" ? "" : found.failure.reason).toContain(reason);
    });
  }

  it("and one that is away is no empty answer", async () => {
    const { source } = await openSource({});
    const found = await source.targets({ state: "any", withoutLabels: [], onFailure: "warn" }, signal);
    expect(found).toMatchObject({ ok: false, failure: { kind: "unavailable" } });
  });
});
