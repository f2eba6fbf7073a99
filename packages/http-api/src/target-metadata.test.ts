/** `targets/metadata`: Prometheus's shape, parameters and words; whose metrics are whose is told by the series. */
import { labelsFromRecord, ok, zeroInstant, type ActiveTarget, type MonitoringSource } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { createEngine, defaultEngineOptions } from "@pleiad/promql-exec";
import { describe, expect, it } from "vitest";
import { loopbackAccess } from "./access.ts";
import { createHttpApi, defaultHttpApiLimits } from "./http-api.ts";
import { memorySource, requestOf, type MemorySourceOptions } from "./testing.ts";

type Record = Readonly<{ [name: string]: string }>;

const nowMs = 1_700_000_000_000;

function target(labels: Record): ActiveTarget {
  const url = `http://${labels["instance"]}/metrics`;
  return {
    ...{ discoveredLabels: labelsFromRecord({}), labels: labelsFromRecord(labels), scrapePool: labels["job"] ?? "" },
    ...{ scrapeUrl: url, globalUrl: url, lastError: "", lastScrape: zeroInstant, lastScrapeSeconds: 0, health: "up" },
  };
}

const own = { a: { cluster: "a", job: "node", instance: "n:1" }, b: { cluster: "b", job: "node", instance: "n:1" } };
const labelled = { ...own.a, path: "/more" };
const targets = [own.a, own.b, labelled].map(target);
const saying = (type: string, help: string) => ({ type, help, unit: "" });
const metrics = [
  { metric: "calls", metas: [saying("counter", "Calls.")] },
  { metric: "latency", metas: [saying("histogram", "Latency.")] },
  { metric: "latency_count", metas: [saying("gauge", "Its own.")] },
  { metric: "load", metas: [saying("gauge", "Load."), saying("gauge", "Load of b.")] },
  { metric: "unseen", metas: [saying("gauge", "Nobody has it now.")] },
];
const series: readonly (readonly [Record, ageMs?: number])[] = [
  [{ ...own.a, __name__: "calls_total", replica: "0" }],
  [{ ...own.a, __name__: "calls_total", replica: "1" }],
  [{ ...own.a, __name__: "load" }],
  [{ ...own.b, __name__: "load" }],
  [{ ...own.b, __name__: "latency_bucket", le: "1" }],
  [{ ...own.b, __name__: "latency_count" }],
  [{ ...own.b, __name__: "nowhere_described" }],
  [{ ...own.b, __name__: "unseen" }, 3_600_000],
  [{ ...labelled, __name__: "latency_sum" }],
  [{ cluster: "c", job: "node", instance: "n:1", __name__: "calls_total" }],
];

function openApi(more: { readonly monitoring?: MonitoringSource; readonly source?: MemorySourceOptions } = {}) {
  const ports = testPorts();
  const warnings: readonly string[] = [];
  const source = memorySource(
    series.map(([labels, ageMs = 1000]) => ({ labels, samples: [[nowMs - ageMs, 1]] })),
    more.source ?? {},
  );
  const monitoring: MonitoringSource = more.monitoring ?? {
    targets: async ({ state }) => ok({ active: state === "active" ? targets : [], dropped: [], warnings }),
    metadata: async ({ metric }) =>
      ok({ metrics: metrics.filter((one) => metric === "" || one.metric === metric), warnings }),
  };
  const handle = createHttpApi(
    {
      ...{ engine: createEngine(defaultEngineOptions, ports), source, monitoring },
      stores: () => ({ stores: [], missingClusters: [] }),
      buildInfo: { version: "1", revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" },
      ...{ replicaLabels: ["replica"], partialResponseDefault: true, renderMetrics: () => "" },
      ready: () => ({ ready: true }),
      ...{ access: loopbackAccess, limits: { ...defaultHttpApiLimits, seriesMax: 6 } },
    },
    ports,
  );
  return async (query: string) => {
    const { status, body } = await handle(requestOf(`/api/v1/targets/metadata${query}`));
    if (typeof body !== "string") throw new Error("a body in pieces");
    const answer = JSON.parse(body) as { data?: unknown[]; infos?: string[]; warnings?: string[] };
    return { ...answer, status, body };
  };
}

const ask = (query: string) => openApi()(query);

/** What an answer says, a line an entry. */
async function lines(query: string) {
  const { data = [] } = await ask(query);
  return (data as { target: Record; metric?: string; help: string }[]).map(
    (one) => `${one.target["cluster"]}${one.target["path"] ?? ""} ${one.metric ?? "-"}: ${one.help}`,
  );
}

describe("what targets tell of their metrics", () => {
  it("has Prometheus's shape, with the metric's name where none was asked for", async () => {
    expect((await ask("?match_target={cluster=%22a%22,path=%22%22}&metric=calls")).body).toBe(
      `{"status":"success","data":[{"target":{"cluster":"a","instance":"n:1","job":"node"},` +
        `"type":"counter","help":"Calls.","unit":""}]}`,
    );
    expect((await ask("?match_target={path!=%22%22}")).body).toBe(
      `{"status":"success","data":[{"target":{"cluster":"a","instance":"n:1","job":"node","path":"/more"},` +
        `"metric":"latency","type":"histogram","help":"Latency.","unit":""}]}`,
    );
  });

  for (const [rule, query, expected] of [
    ["a series is of the target with most of its labels", "?metric=latency", ["b -: Latency.", "a/more -: Latency."]],
    ["a name of its own goes before that of a family", "?metric=latency_count", ["b -: Its own."]],
    ["what nobody has now nobody tells of", "?metric=unseen", []],
    ["an unknown metric is one that nobody tells of", "?metric=nosuch", []],
    ["targets are chosen by their labels", "?match_target={cluster=%22b%22}&metric=calls", []],
    ["no target is one that has a metric's name", "?match_target=calls", []],
    [
      "what one target tells is not cut by the limit",
      "?match_target={cluster=%22a%22}&limit=1",
      ["a calls: Calls.", "a load: Load.", "a load: Load of b."],
    ],
    ["a limit of nothing is heeded", "?limit=0", []],
    ["a negative limit is none", "?metric=calls&limit=-1", ["a -: Calls."]],
  ] as const) {
    it(rule, async () => expect(await lines(query)).toEqual(expected));
  }

  it("stands for all where targets say different things, and says so", async () => {
    const { data, infos } = await ask("?metric=load");
    expect(data).toHaveLength(4);
    expect(infos).toEqual([
      'targets say different things of "load"; which says what is not known, so each stands for all',
    ]);
    expect((await ask("?metric=calls")).infos).toBeUndefined();
  });

  it("is nothing where a source tells of no targets or of no metadata", async () => {
    for (const monitoring of [{}, { targets: async () => ok({ active: targets, dropped: [], warnings: [] }) }]) {
      expect((await openApi({ monitoring })("")).data).toEqual([]);
    }
  });

  it("lacks what the series lack, and says so", async () => {
    const { status, warnings } = await openApi({ source: { warnings: ["b is missing"] } })("?metric=load");
    expect([status, warnings]).toEqual([200, ["b is missing"]]);
    const failure = { kind: "unavailable", source: "b", reason: "gone" } as const;
    expect((await openApi({ source: { failure } })("?metric=load")).status).toBeGreaterThanOrEqual(400);
  });

  for (const [query, error] of [
    ["?limit=x", "limit must be a number"],
    ["?match_target=x{", 'invalid parameter "match_target": 1:3: parse error'],
    ["?storeMatch[]=x", `parameter "storeMatch[]" is for queries and series only`],
  ] as const) {
    it(`refuses ${query}`, async () => {
      const { status, body } = await ask(query);
      expect([status, JSON.parse(body).errorType]).toEqual([400, "bad_data"]);
      expect(JSON.parse(body).error).toContain(error);
    });
  }

  it("refuses to look at more series than are allowed", async () => {
    expect((await ask("")).body).toContain("more than 6 series to look at: set metric, or narrow match_target");
  });
});
