/** `rules`, `alerts`, `targets` and `metadata`: the shapes of Prometheus, its parameters, and its words for wrong ones. */
import { createHash } from "node:crypto";
import { ok, type MonitoringSource } from "@pleiad/model";
import { acceptanceMonitoring } from "@pleiad/model/monitoring-acceptance";
import { testPorts } from "@pleiad/ports/testing";
import { createEngine, defaultEngineOptions } from "@pleiad/promql-exec";
import { describe, expect, it } from "vitest";
import { loopbackAccess } from "./access.ts";
import { createHttpApi, defaultHttpApiLimits } from "./http-api.ts";
import { memorySource, requestOf } from "./testing.ts";

/** An API whose source notes what it is asked, and answers with the data of the acceptance suite. */
function openApi(warnings: readonly string[] = []) {
  const ports = testPorts();
  const asked: unknown[] = [];
  const { groups, active, dropped, metrics } = acceptanceMonitoring;
  const noting =
    <Answer extends object>(answer: Answer) =>
    async (request: unknown) => {
      asked.push(request);
      return ok({ ...answer, warnings });
    };
  const monitoring: MonitoringSource = {
    rules: noting({ groups }),
    targets: noting({ active, dropped }),
    metadata: noting({ metrics }),
  };
  const handle = createHttpApi(
    {
      ...{ engine: createEngine(defaultEngineOptions, ports), source: memorySource([]), monitoring },
      stores: () => ({ stores: [], missingClusters: [] }),
      buildInfo: { version: "1", revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" },
      ...{ replicaLabels: ["replica"], partialResponseDefault: true, renderMetrics: () => "" },
      ready: () => ({ ready: true }),
      ...{ access: loopbackAccess, limits: defaultHttpApiLimits },
    },
    ports,
  );
  const get = async (target: string) => {
    const { status, headers, body } = await handle(requestOf(`/api/v1/${target}`));
    if (typeof body !== "string") throw new Error("a body in pieces");
    return { status, headers, body };
  };
  const data = async (target: string) => {
    const { status, body } = await get(target);
    expect(status).toBe(200);
    return JSON.parse(body).data;
  };
  return { asked, get, data };
}

describe("the shape of", () => {
  it("rules is Prometheus's, field by field", async () => {
    const { groups } = await openApi().data("rules");
    expect(JSON.stringify(groups[0].rules[0])).toBe(
      JSON.stringify({
        state: "firing",
        name: "Down",
        query: "up == 0",
        duration: 60,
        keepFiringFor: 30,
        labels: { cluster: "a", replica: "0", severity: "page" },
        annotations: { summary: "{{ $labels.job }} <is> down" },
        alerts: [
          {
            labels: { alertname: "Down", job: "node", severity: "page" },
            annotations: { summary: "node <is> down" },
            state: "firing",
            activeAt: "2023-11-14T21:56:40.000000005Z",
            keepFiringSince: "2023-11-14T22:11:40Z",
            value: "0e+00",
          },
        ],
        health: "ok",
        evaluationTime: 0.00025,
        lastEvaluation: "2023-11-14T22:13:20.123456789Z",
        type: "alerting",
      }),
    );
    expect(JSON.stringify(groups[1])).toBe(
      JSON.stringify({
        name: "sums",
        file: "/etc/rules/b.yaml",
        rules: [
          {
            name: "job:up:sum",
            query: "sum by (job) (up)",
            labels: { cluster: "a", replica: "0" },
            health: "err",
            lastError: "many-to-many",
            evaluationTime: 0.00025,
            lastEvaluation: "2023-11-14T22:13:20.123456789Z",
            type: "recording",
          },
        ],
        interval: 60,
        limit: 10,
        evaluationTime: 0.002,
        lastEvaluation: "2023-11-14T22:13:20.123456789Z",
      }),
    );
  });

  it("alerts is Prometheus's, with what tells the clusters apart", async () => {
    const { alerts } = await openApi().data("alerts");
    expect(alerts).toEqual([
      {
        labels: { alertname: "Down", cluster: "a", job: "node", replica: "0", severity: "page" },
        annotations: { summary: "node <is> down" },
        state: "firing",
        activeAt: "2023-11-14T21:56:40.000000005Z",
        keepFiringSince: "2023-11-14T22:11:40Z",
        value: "0e+00",
      },
    ]);
  });

  it("targets is Prometheus's, field by field", async () => {
    const found = await openApi().data("targets");
    expect(JSON.stringify(found.activeTargets[0])).toBe(
      JSON.stringify({
        discoveredLabels: {
          __address__: "node:9100",
          __scrape_interval__: "30s",
          __scrape_timeout__: "10s",
          cluster: "a",
          job: "node",
          replica: "0",
        },
        labels: { cluster: "a", instance: "node:9100", job: "node", replica: "0" },
        scrapePool: "node",
        scrapeUrl: "http://node:9100/metrics",
        globalUrl: "http://node:9100/metrics",
        lastError: "",
        lastScrape: "2023-11-14T22:13:20.123456789Z",
        lastScrapeDuration: 0.0125,
        health: "up",
        scrapeInterval: "30s",
        scrapeTimeout: "10s",
      }),
    );
    expect(Object.keys(found)).toEqual(["activeTargets", "droppedTargets", "droppedTargetCounts"]);
    expect(found.droppedTargetCounts).toEqual({ node: 1 });
  });

  it("metadata is Prometheus's", async () => {
    expect(await openApi().data("metadata")).toEqual({
      calls: [{ type: "counter", help: "Calls.", unit: "" }],
      latency_seconds: [
        { type: "histogram", help: "Time of calls.", unit: "seconds" },
        { type: "histogram", help: "Time.", unit: "seconds" },
      ],
      up: [{ type: "unknown", help: "", unit: "" }],
    });
  });
});

describe("what is asked of the source", () => {
  const rules = { type: "all", matcherSets: [], ruleNames: [], groupNames: [], files: [] };
  const usual = { withoutLabels: ["replica"], onFailure: "warn" };
  for (const [target, request] of [
    ["rules", { ...rules, ...usual }],
    ["rules?type=ALERT&rule_name[]=a&rule_name[]=b", { ...rules, type: "alert", ruleNames: ["a", "b"], ...usual }],
    ["rules?rule_group[]=g&file[]=f", { ...rules, groupNames: ["g"], files: ["f"], ...usual }],
    ["rules?match[]={x=%221%22}", { ...rules, matcherSets: [[{ type: "=", name: "x", value: "1" }]], ...usual }],
    ["rules?dedup=false&partial_response=false", { ...rules, withoutLabels: [], onFailure: "abort" }],
    ["rules?replicaLabels[]=a&replicaLabels[]=b", { ...rules, withoutLabels: ["a", "b"], onFailure: "warn" }],
    ["alerts", { ...rules, type: "alert", ...usual }],
    ["targets", { state: "any", ...usual }],
    ["targets?state=Dropped", { state: "dropped", ...usual }],
    ["metadata", { metric: "", limit: -1, onFailure: "warn" }],
    ["metadata?metric=up&limit=5", { metric: "up", limit: 5, onFailure: "warn" }],
    ["metadata?limit=0", { metric: "", limit: 0, onFailure: "warn" }],
    ["metadata?limit=-7", { metric: "", limit: -1, onFailure: "warn" }],
  ] as const) {
    it(target, async () => {
      const { asked, get } = openApi();
      expect((await get(target)).status).toBe(200);
      expect(asked).toEqual([request]);
    });
  }

  for (const [target, message] of [
    ["rules?type=x", `invalid parameter "type": not supported value "x"`],
    ["rules?match[]={}", "match[] must contain at least one non-empty matcher"],
    ["rules?match[]={x=}", "1:4: parse error: unexpected"],
    ["metadata?limit=x", "limit must be a number"],
    ["metadata?limit_per_metric=1.5", "limit_per_metric must be a number"],
    ["rules?group_limit=x", `invalid parameter "group_limit": group_limit needs to be a valid number`],
    ["rules?group_limit=1e3", `invalid parameter "group_limit": group_limit needs to be a valid number`],
    ["rules?group_limit=4294967296", `invalid parameter "group_limit": group_limit needs to be a valid number`],
    ["rules?group_limit=0", `invalid parameter "group_limit": group_limit needs to be greater than 0`],
    ["rules?group_limit=-1", `invalid parameter "group_limit": group_limit needs to be greater than 0`],
    ["rules?group_next_token=a", `invalid parameter "group_next_token": group_limit needs to be present in order`],
    ["alerts?storeMatch[]={a=%22b%22}", `parameter "storeMatch[]" is for queries and series only`],
    ["targets?dedup=maybe", "'dedup' parameter"],
  ] as const) {
    it(`nothing for ${target}, which is refused`, async () => {
      const { asked, get } = openApi();
      const { status, body } = await get(target);
      expect([status, JSON.parse(body).errorType, asked]).toEqual([400, "bad_data", []]);
      expect(JSON.parse(body).error).toContain(message);
    });
  }
});

describe("what is left to the API", () => {
  it("rules come in pages, whose tokens name the group that is next", async () => {
    const { data, get } = openApi();
    const { groups: all, groupNextToken: none } = await data("rules");
    expect([all.length, none]).toEqual([2, undefined]);
    const [first, second] = all;
    expect(await data("rules?group_limit=2")).toEqual({ groups: all });
    expect(await data("rules?group_limit=9")).toEqual({ groups: all });
    const page = await data("rules?group_limit=1");
    const groupNextToken = createHash("sha1").update(`${second.file};${second.name}`).digest("hex");
    expect(page).toEqual({ groups: [first], groupNextToken });
    expect(await data(`rules?group_limit=1&group_next_token=${groupNextToken}`)).toEqual({ groups: [second] });
    expect(await data(`rules?group_limit=5&group_next_token=${groupNextToken}`)).toEqual({ groups: [second] });
    const { status, body } = await get("rules?group_limit=1&group_next_token=gone");
    expect([status, JSON.parse(body).error]).toEqual([
      400,
      `invalid parameter "group_next_token": invalid group_next_token 'gone'. were rule groups changed?`,
    ]);
  });

  it("targets are those of one pool, or none for a state that no target has", async () => {
    const { data } = openApi();
    const counts = async (target: string) => {
      const { activeTargets, droppedTargets } = await data(target);
      return [activeTargets.length, droppedTargets.length];
    };
    expect(await counts("targets?scrapePool=node")).toEqual([2, 1]);
    expect(await counts("targets?scrapePool=other")).toEqual([0, 0]);
    expect(await counts("targets?state=odd")).toEqual([0, 0]);
  });

  it("sayings of one metric are as many as are wanted", async () => {
    const { data } = openApi();
    const lengths = async (limit: number) =>
      Object.values(await data(`metadata?limit_per_metric=${limit}`)).map((metas) => (metas as unknown[]).length);
    expect([await lengths(1), await lengths(0), await lengths(2)]).toEqual([
      [1, 1, 1],
      [1, 2, 1],
      [1, 2, 1],
    ]);
  });

  it("an answer that lacks something says so, and is not to be kept", async () => {
    const { get } = openApi(["cluster-b is missing"]);
    for (const target of ["rules", "alerts", "targets", "metadata"]) {
      const { headers, body } = await get(target);
      expect([target, headers["cache-control"], JSON.parse(body).warnings]).toEqual([
        target,
        "no-store",
        ["cluster-b is missing"],
      ]);
    }
  });
});
