/** What every MonitoringSource must do, as tests. An implementation calls this from a test file of its own. */
import { describe, expect, it } from "vitest";
import type { SeriesExemplars } from "./exemplars.ts";
import { emptyLabels, labelsFromRecord, labelValue, withLabels, type Labels } from "./labels.ts";
import type { MetricMetadata } from "./metric-metadata.ts";
import type { MonitoringService, MonitoringSource } from "./monitoring-source.ts";
import { everyRule, type RuleFilter, type RuleGroup } from "./rules.ts";
import type { ActiveTarget, DroppedTarget } from "./scrape-targets.ts";

/** What a source holds: at least one of each, but for dropped targets. All labels have those of `acceptanceLabels`. */
export interface MonitoringData {
  readonly groups: readonly RuleGroup[];
  readonly active: readonly ActiveTarget[];
  readonly dropped: readonly DroppedTarget[];
  readonly metrics: readonly MetricMetadata[];
  readonly exemplars: readonly SeriesExemplars[];
}

export interface MonitoringSourceUnderTest {
  readonly source: MonitoringSource;
  /** What the source has to tell of, in the order of answers. */
  readonly holds: MonitoringData;
  close?(): Promise<void>;
}

/** External labels of the data of the suite. */
export const acceptanceLabels = labelsFromRecord({ cluster: "a", replica: "0" });

const labels = (record: Readonly<Record<string, string>>) => withLabels(labelsFromRecord(record), acceptanceLabels);
const evaluated = { seconds: 1_700_000_000, nanos: 123_456_789 };
const told = { health: "ok", lastError: "", evaluationSeconds: 0.000_25, lastEvaluation: evaluated };

/** For sources that can be filled with what they are to tell of. */
export const acceptanceMonitoring: MonitoringData = {
  groups: [
    {
      ...{ name: "availability", file: "/etc/rules/a.yaml", intervalSeconds: 30, limit: 0, evaluationSeconds: 0.001 },
      ...{ lastEvaluation: evaluated, onFailure: "warn" },
      rules: [
        {
          ...{ kind: "alerting", name: "Down", query: "up == 0", labels: labels({ severity: "page" }), ...told },
          ...{ state: "firing", durationSeconds: 60, keepFiringForSeconds: 30 },
          annotations: labelsFromRecord({ summary: "{{ $labels.job }} <is> down" }),
          alerts: [
            {
              labels: labelsFromRecord({ alertname: "Down", job: "node", severity: "page" }),
              annotations: labelsFromRecord({ summary: "node <is> down" }),
              state: "firing",
              activeAt: { seconds: 1_699_999_000, nanos: 5 },
              keepFiringSince: { seconds: 1_699_999_900, nanos: 0 },
              value: "0e+00",
              onFailure: "warn",
            },
          ],
        },
        {
          ...{
            kind: "alerting",
            name: "Slow",
            query: "latency > 1",
            labels: labels({ team: "{{ $labels.team }}" }),
            ...told,
          },
          ...{ state: "inactive", durationSeconds: 0, keepFiringForSeconds: 0, annotations: emptyLabels, alerts: [] },
        },
      ],
    },
    {
      ...{ name: "sums", file: "/etc/rules/b.yaml", intervalSeconds: 60, limit: 10, evaluationSeconds: 0.002 },
      ...{ lastEvaluation: evaluated, onFailure: "warn" },
      rules: [
        {
          ...{ kind: "recording", name: "job:up:sum", query: "sum by (job) (up)", labels: labels({}), ...told },
          ...{ health: "err", lastError: "many-to-many" },
        },
      ],
    },
  ],
  active: [
    {
      discoveredLabels: labels({
        __address__: "node:9100",
        __scrape_interval__: "30s",
        __scrape_timeout__: "10s",
        job: "node",
      }),
      labels: labels({ instance: "node:9100", job: "node" }),
      ...{ scrapePool: "node", scrapeUrl: "http://node:9100/metrics", globalUrl: "http://node:9100/metrics" },
      ...{ lastError: "", lastScrape: evaluated, lastScrapeSeconds: 0.0125, health: "up" },
    },
    {
      discoveredLabels: labels({
        __address__: "other:9100",
        __scrape_interval__: "30s",
        __scrape_timeout__: "10s",
        job: "node",
      }),
      labels: labels({ instance: "other:9100", job: "node" }),
      ...{ scrapePool: "node", scrapeUrl: "http://other:9100/metrics", globalUrl: "http://other:9100/metrics" },
      ...{ lastError: "connection refused", lastScrape: evaluated, lastScrapeSeconds: 0, health: "down" },
    },
  ],
  dropped: [{ discoveredLabels: labels({ __address__: "old:9100", job: "node" }) }],
  metrics: [
    { metric: "calls", metas: [{ type: "counter", help: "Calls.", unit: "" }] },
    {
      metric: "latency_seconds",
      metas: [
        { type: "histogram", help: "Time of calls.", unit: "seconds" },
        { type: "histogram", help: "Time.", unit: "seconds" },
      ],
    },
    { metric: "up", metas: [{ type: "unknown", help: "", unit: "" }] },
  ],
  exemplars: [
    {
      labels: labels({ __name__: "calls_total", instance: "node:9100", job: "node" }),
      exemplars: [
        { timestampMs: 1_700_000_000_000, value: 0.5, labels: labelsFromRecord({ trace_id: "t1" }) },
        { timestampMs: 1_700_000_030_250, value: 1, labels: labelsFromRecord({ trace_id: "t2" }) },
      ],
    },
    {
      labels: labels({ __name__: "latency_seconds_bucket", instance: "node:9100", job: "node", le: "1" }),
      exemplars: [{ timestampMs: 1_700_000_015_000, value: 0.7, labels: labelsFromRecord({ trace_id: "t3" }) }],
    },
  ],
};

/** The data of the suite as whoever has these labels, another cluster or replica, tells it. */
export function monitoringDataOf(external: Labels): MonitoringData {
  const own = (labels: Labels) => withLabels(labels, external);
  const { groups, active, dropped, metrics, exemplars } = acceptanceMonitoring;
  return {
    groups: groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule) => ({ ...rule, labels: own(rule.labels) })),
    })),
    active: active.map((one) => ({ ...one, labels: own(one.labels), discoveredLabels: own(one.discoveredLabels) })),
    dropped: dropped.map(({ discoveredLabels }) => ({ discoveredLabels: own(discoveredLabels) })),
    metrics,
    exemplars: exemplars.map((one) => ({ ...one, labels: own(one.labels) })),
  };
}

export function runMonitoringSourceAcceptance(
  name: string,
  services: readonly MonitoringService[],
  open: (data: MonitoringData) => Promise<MonitoringSourceUnderTest>,
): void {
  const withSource = async (use: (under: MonitoringSourceUnderTest) => Promise<void>) => {
    const under = await open(acceptanceMonitoring);
    try {
      await use(under);
    } finally {
      await under.close?.();
    }
  };
  const { signal } = new AbortController();
  const onFailure = "abort";

  describe(`${name} as a MonitoringSource`, () => {
    it("has what it says, and nothing else", async () => {
      await withSource(async ({ source }) => {
        const { rules, targets, metadata, exemplars } = source;
        const has = Object.entries({ rules, targets, metadata, exemplars }).flatMap(([service, ask]) =>
          ask === undefined ? [] : [service],
        );
        expect(has.toSorted()).toEqual(services.toSorted());
      });
    });

    if (services.includes("rules")) {
      const ask = async (
        under: MonitoringSourceUnderTest,
        filter: Partial<RuleFilter>,
        withoutLabels: string[] = [],
      ) => {
        const answer = await under.source.rules?.({ ...everyRule, ...filter, withoutLabels, onFailure }, signal);
        if (answer?.ok !== true) throw new Error(JSON.stringify(answer));
        return answer.value.groups;
      };
      const outline = (groups: readonly RuleGroup[]) =>
        groups.map((one) => [one.name, one.rules.map((rule) => rule.name)]);

      it("tells of every rule, to the nanosecond", async () => {
        await withSource(async (under) => expect(await ask(under, {})).toEqual(under.holds.groups));
      });
      it("tells of rules of one type, and of all groups", async () => {
        await withSource(async (under) => {
          for (const [type, kind] of [
            ["alert", "alerting"],
            ["record", "recording"],
          ] as const) {
            const wanted = under.holds.groups.map((one) => ({
              ...one,
              rules: one.rules.filter((rule) => rule.kind === kind),
            }));
            expect(outline(await ask(under, { type }))).toEqual(outline(wanted));
          }
        });
      });
      it("tells of rules by name, group, file and labels", async () => {
        await withSource(async (under) => {
          const [group] = under.holds.groups;
          const [rule] = group?.rules ?? [];
          if (group === undefined || rule === undefined) throw new Error("no rule");
          const only = outline([{ ...group, rules: [rule] }]);
          expect(outline(await ask(under, { ruleNames: [rule.name] }))).toEqual(only);
          expect(outline(await ask(under, { groupNames: [group.name], files: [group.file] }))).toEqual(
            outline([group]),
          );
          expect(await ask(under, { groupNames: ["none"] })).toEqual([]);
          const cluster = { name: "cluster", value: "a" };
          expect(outline(await ask(under, { matcherSets: [[{ type: "=", ...cluster }]] }))).toEqual(
            outline(under.holds.groups),
          );
          expect(await ask(under, { matcherSets: [[{ type: "!=", ...cluster }]] })).toEqual([]);
        });
      });
      it("takes labels away", async () => {
        await withSource(async (under) => {
          const rules = (await ask(under, {}, ["replica"])).flatMap((one) => one.rules);
          expect(new Set(rules.map((one) => labelValue(one.labels, "replica")))).toEqual(new Set([""]));
          expect(new Set(rules.map((one) => labelValue(one.labels, "cluster")))).toEqual(new Set(["a"]));
        });
      });
      it("refuses an expression that does not compile", async () => {
        await withSource(async ({ source }) => {
          const matcherSets = [[{ type: "=~", name: "x", value: "(" } as const]];
          const answer = await source.rules?.({ ...everyRule, matcherSets, withoutLabels: [], onFailure }, signal);
          expect(answer).toMatchObject({ ok: false, failure: { kind: "invalid" } });
        });
      });
    }

    if (services.includes("targets")) {
      const ask = async (
        under: MonitoringSourceUnderTest,
        state: "any" | "active" | "dropped",
        withoutLabels: string[] = [],
      ) => {
        const answer = await under.source.targets?.({ state, withoutLabels, onFailure }, signal);
        if (answer?.ok !== true) throw new Error(JSON.stringify(answer));
        return answer.value;
      };
      it("tells of every target, and of those of one state", async () => {
        await withSource(async (under) => {
          const { active, dropped } = under.holds;
          expect(await ask(under, "any")).toEqual({ active, dropped, warnings: [] });
          expect(await ask(under, "active")).toEqual({ active, dropped: [], warnings: [] });
          expect(await ask(under, "dropped")).toEqual({ active: [], dropped, warnings: [] });
        });
      });
      it("has its external labels on targets, and takes labels away", async () => {
        await withSource(async (under) => {
          const { active, dropped } = await ask(under, "any", ["replica"]);
          const sets = [
            ...[...active, ...dropped].map((one) => one.discoveredLabels),
            ...active.map((one) => one.labels),
          ];
          expect(new Set(sets.map((set) => labelValue(set, "replica")))).toEqual(new Set([""]));
          expect(new Set(sets.map((set) => labelValue(set, "cluster")))).toEqual(new Set(["a"]));
        });
      });
    }

    if (services.includes("metadata")) {
      const ask = async (under: MonitoringSourceUnderTest, metric: string, limit: number) => {
        const answer = await under.source.metadata?.({ metric, limit, onFailure }, signal);
        if (answer?.ok !== true) throw new Error(JSON.stringify(answer));
        return answer.value.metrics;
      };
      it("tells of every metric, of one, and of as many as are wanted", async () => {
        await withSource(async (under) => {
          const { metrics } = under.holds;
          const [first] = metrics;
          if (first === undefined) throw new Error("no metric");
          expect(await ask(under, "", -1)).toEqual(metrics);
          expect(await ask(under, first.metric, -1)).toEqual([first]);
          expect(await ask(under, "nobody_has_this", -1)).toEqual([]);
          expect(await ask(under, "", 1)).toHaveLength(1);
          expect(await ask(under, "", 0)).toEqual([]);
        });
      });
    }

    if (services.includes("exemplars")) {
      const everything = { type: "!=", name: "__name__", value: "" } as const;
      const ask = async (
        under: MonitoringSourceUnderTest,
        asked: Partial<Parameters<NonNullable<MonitoringSource["exemplars"]>>[0]>,
      ) => {
        const whole = {
          selectors: [[everything]],
          minTimeMs: 0,
          maxTimeMs: 8.64e15,
          withoutLabels: [],
          onFailure,
        } as const;
        const answer = await under.source.exemplars?.({ ...whole, ...asked }, signal);
        if (answer?.ok !== true) throw new Error(JSON.stringify(answer));
        return answer.value.series;
      };
      it("tells of the exemplars of the series that a selector selects", async () => {
        await withSource(async (under) => {
          const { exemplars } = under.holds;
          const [first] = exemplars;
          if (first === undefined) throw new Error("no exemplar");
          expect(await ask(under, {})).toEqual(exemplars);
          const name = { type: "=", name: "__name__", value: labelValue(first.labels, "__name__") } as const;
          const none = { type: "=", name: "__name__", value: "nothing" } as const;
          expect(await ask(under, { selectors: [[name], [none], [name]] })).toEqual([first]);
          expect(await ask(under, { selectors: [[none]] })).toEqual([]);
        });
      });
      it("knows its external labels, and takes labels away", async () => {
        await withSource(async (under) => {
          const { exemplars } = under.holds;
          const cluster = { name: "cluster", value: "a" };
          expect(await ask(under, { selectors: [[{ type: "=", ...cluster }]] })).toEqual(exemplars);
          expect(await ask(under, { selectors: [[everything, { type: "!=", ...cluster }]] })).toEqual([]);
          const stripped = await ask(under, { withoutLabels: ["replica"] });
          expect(stripped.map((one) => labelValue(one.labels, "replica"))).toEqual(exemplars.map(() => ""));
        });
      });
      it("keeps to the range of time, both ends included", async () => {
        await withSource(async (under) => {
          const times = under.holds.exemplars.flatMap((one) => one.exemplars.map(({ timestampMs }) => timestampMs));
          const last = Math.max(...times);
          const found = await ask(under, { minTimeMs: last, maxTimeMs: last });
          expect(found.flatMap((one) => one.exemplars.map(({ timestampMs }) => timestampMs))).toEqual(
            times.filter((time) => time === last),
          );
          expect(await ask(under, { minTimeMs: last + 1 })).toEqual([]);
        });
      });
    }
  });
}
