/** Every endpoint, over a real engine and series in memory. */
import { labelsFromRecord } from "@pleiad/model";
import { testPorts, wholeBody } from "@pleiad/ports/testing";
import { createEngine, defaultEngineOptions } from "@pleiad/promql-exec";
import { describe, expect, it } from "vitest";
import { loopbackAccess } from "./access.ts";
import { createHttpApi, createProbeApi, defaultHttpApiLimits, type HttpApiOptions } from "./http-api.ts";
import { memorySource, requestOf, samplesOf, type TestRequest } from "./testing.ts";

const startMs = 1_700_000_000_000;

// Two replicas of two series of `up`, a counter, and names that need care.
const source = memorySource([
  ...["0", "1"].flatMap((replica) =>
    ["a", "b"].map((instance) => ({
      labels: { __name__: "up", instance, replica },
      samples: samplesOf(startMs - 3_600_000, startMs, 30_000, () => 1),
    })),
  ),
  {
    labels: { __name__: "requests_total", instance: "a", replica: "0" },
    samples: samplesOf(startMs - 3_600_000, startMs, 30_000, (i) => i * 30),
  },
  { labels: { __name__: "odd", "http.status": "<200>" }, samples: [[startMs, 1e-7]] },
]);

function apiOver(options: Partial<HttpApiOptions> = {}) {
  const ports = testPorts({ startMs });
  const api = createHttpApi(
    {
      engine: createEngine(defaultEngineOptions, ports),
      source,
      stores: () => ({ stores: [], missingClusters: [] }),
      buildInfo: {
        version: "0.1.0",
        revision: "abc",
        branch: "main",
        buildUser: "",
        buildDate: "",
        goVersion: "node 24",
      },
      replicaLabels: ["replica"],
      partialResponseDefault: true,
      renderMetrics: () => "up 1\n",
      ready: () => ({ ready: true }),
      access: loopbackAccess,
      limits: defaultHttpApiLimits,
      ...options,
    },
    ports,
  );
  return async (target: string, request?: TestRequest) => {
    const response = await api(requestOf(target, request));
    const text = new TextDecoder().decode(await wholeBody(response.body));
    return { status: response.status, headers: response.headers, text };
  };
}

const success = (data: string) => `{"status":"success","data":${data}}`;
const error = (type: string, message: string) =>
  `{"status":"error","errorType":"${type}","error":${JSON.stringify(message)}}`;
const at = startMs / 1000;

describe("answers to the letter", () => {
  for (const [rule, target, text] of [
    [
      "an instant vector without its replica label",
      `query?query=up&time=${at}`,
      `{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"a"},"value":[${at},"1"]},` +
        `{"metric":{"__name__":"up","instance":"b"},"value":[${at},"1"]}]}`,
    ],
    [
      "the same without deduplication",
      `query?query=count(up)&time=${at}&dedup=false`,
      `{"resultType":"vector","result":[{"metric":{},"value":[${at},"4"]}]}`,
    ],
    [
      "a time with milliseconds",
      `query?query=sum(up)&time=${at - 0.5}`,
      `{"resultType":"vector","result":[{"metric":{},"value":[${at - 1}.500,"2"]}]}`,
    ],
    ["no series", "query?query=nothing", `{"resultType":"vector","result":[]}`],
    ["a scalar", "query?query=1%2B1&time=4", `{"resultType":"scalar","result":[4,"2"]}`],
    ["a scalar in plain notation", "query?query=1e-7&time=1.5", `{"resultType":"scalar","result":[1.5,"0.0000001"]}`],
    ["infinity", "query?query=1/0&time=0", `{"resultType":"scalar","result":[0,"+Inf"]}`],
    ["a string", "query?query=%22a%3Cb%22&time=0", String.raw`{"resultType":"string","result":[0,"a\u003cb"]}`],
    [
      "a value below 1e-6 in a vector",
      `query?query=odd&time=${at}`,
      `{"resultType":"vector","result":[{"metric":{"__name__":"odd","http.status":"<200>"},"value":[${at},"1e-07"]}]}`,
    ],
    [
      "raw samples of a range selector",
      `query?query=requests_total[1m]&time=${at}`,
      `{"resultType":"matrix","result":[{"metric":{"__name__":"requests_total","instance":"a"},` +
        `"values":[[${at - 30},"3570"],[${at},"3600"]]}]}`,
    ],
    [
      "a range",
      `query_range?query=sum(rate(requests_total[5m]))&start=${at - 120}&end=${at}&step=60`,
      `{"resultType":"matrix","result":[{"metric":{},"values":[[${at - 120},"1"],[${at - 60},"1"],[${at},"1"]]}]}`,
    ],
    [
      "a range without series",
      "query_range?query=nothing&start=0&end=60&step=15",
      `{"resultType":"matrix","result":[]}`,
    ],
    ["series", `series?match[]=up`, `[{"__name__":"up","instance":"a"},{"__name__":"up","instance":"b"}]`],
    [
      "series of several selectors, each once, in order",
      `series?match[]={instance=%22a%22}&match[]=up{instance=%22a%22}&match[]=odd`,
      `[{"__name__":"odd","http.status":"<200>"},{"__name__":"requests_total","instance":"a"},` +
        `{"__name__":"up","instance":"a"}]`,
    ],
    ["series of a time without samples", `series?match[]=up&start=0&end=1`, `[]`],
    ["label names, replica labels among them", "labels", `["__name__","http.status","instance","replica"]`],
    ["label names of a selector", "labels?match[]=odd", `["__name__","http.status"]`],
    ["label values", "label/__name__/values", `["odd","requests_total","up"]`],
    ["label values of selectors", "label/__name__/values?match[]=up&match[]=odd", `["odd","up"]`],
    ["label values of an escaped name", "label/U__http_2e_status/values", String.raw`["\u003c200\u003e"]`],
    ["label values of a name with a dot", "label/http.status/values", String.raw`["\u003c200\u003e"]`],
    ["values of a label that nobody has", "label/nobody/values", `[]`],
    [
      "buildinfo, without features",
      "status/buildinfo",
      `{"version":"0.1.0","revision":"abc","branch":"main","buildUser":"","buildDate":"","goVersion":"node 24"}`,
    ],
    ["metadata", "metadata", "{}"],
    ["rules", "rules?type=alert", `{"groups":[]}`],
    ["alerts", "alerts", `{"alerts":[]}`],
    ["targets", "targets?state=active", `{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}`],
    ["exemplars, asked with milliseconds", "query_exemplars?query=test&start=1700000000000&end=1700000001000", "[]"],
  ] as const) {
    it(rule, async () => {
      const response = await apiOver()(`/api/v1/${target}`);
      expect(response.text).toBe(success(text));
      expect([response.status, response.headers["content-type"]]).toEqual([200, "application/json"]);
    });
  }
});

describe("errors to the letter", () => {
  for (const [target, status, type, message] of [
    [
      "query",
      400,
      "bad_data",
      `invalid parameter "query": unknown position: parse error: no expression found in input`,
    ],
    ["query?query=sum(up", 400, "bad_data", `invalid parameter "query": 1:7: parse error: unclosed left parenthesis`],
    [
      "query_range?query=up[5m]&start=0&end=1&step=1",
      400,
      "bad_data",
      `invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector`,
    ],
    ["series", 400, "bad_data", "no match[] parameter provided"],
    [
      "series?match[]={a=~%22.*%22}",
      400,
      "bad_data",
      `invalid parameter "match[]": match[] must contain at least one non-empty matcher`,
    ],
    [
      `series?${"match[]=up&".repeat(101)}`,
      400,
      "bad_data",
      `invalid parameter "match[]": 101 selectors, at most 100 are read`,
    ],
    ["labels?start=5&end=4", 400, "bad_data", `invalid parameter "end": end timestamp must not be before start time`],
    ["labels?limit=-1", 400, "bad_data", `invalid parameter "limit": limit must be non-negative`],
    ["rules?type=x", 400, "bad_data", `invalid parameter "type": not supported value "x"`],
    ["metadata?limit=x", 400, "bad_data", "limit must be a number"],
    ["query_exemplars?query=sum(", 400, "bad_data", "1:5: parse error: unclosed left parenthesis"],
    ["query_exemplars?start=2&end=1", 400, "bad_data", "end timestamp must not be before start timestamp"],
    ["admin/tsdb/snapshot", 404, "not_found", "there is nothing at this path"],
    ["../../etc/passwd", 404, "not_found", "there is nothing at this path"],
    ["label/a/b/values", 404, "not_found", "there is nothing at this path"],
    ["label/%zz/values", 404, "not_found", "there is nothing at this path"],
  ] as const) {
    it(`${target.slice(0, 60)}: ${status}`, async () => {
      const response = await apiOver()(`/api/v1/${target}`);
      expect(response.text).toBe(error(type, message));
      expect(response.status).toBe(status);
    });
  }

  it("a selector that does not parse names its parameter and position", async () => {
    const { status, text } = await apiOver()("/api/v1/labels?match[]=up{a=}");
    expect([status, text]).toEqual([
      400,
      expect.stringMatching(
        /^\{"status":"error","errorType":"bad_data","error":"invalid parameter \\"match\[\]\\": 1:6: parse error: /,
      ),
    ]);
  });
});

describe("limits", () => {
  for (const [target, count] of [
    [`query?query=up&time=${at}`, 2],
    [`query_range?query=up&start=${at - 60}&end=${at}&step=60`, 2],
    ["series?match[]=up", 2],
    ["labels?dummy=", 4],
    ["label/__name__/values?dummy=", 3],
  ] as const) {
    it(`${target.split("?", 1)[0]}: a limit of one less cuts and says so, a limit that is reached does not`, async () => {
      const get = apiOver();
      const cut = JSON.parse((await get(`/api/v1/${target}&limit=${count - 1}`)).text);
      expect(cut.data.result ?? cut.data).toHaveLength(count - 1);
      expect(cut.warnings).toEqual(["results truncated due to limit"]);
      const whole = JSON.parse((await get(`/api/v1/${target}&limit=${count}`)).text);
      expect(whole.data.result ?? whole.data).toHaveLength(count);
      expect(whole.warnings).toBeUndefined();
    });
  }

  it("series beyond what one request may hold are an error, not an answer", async () => {
    const get = apiOver({ limits: { ...defaultHttpApiLimits, seriesMax: 1 } });
    expect(await get("/api/v1/series?match[]=up")).toMatchObject({
      status: 422,
      text: error("execution", "more than 1 series match: narrow match[] or set a limit"),
    });
  });
});

describe("sources that are missing", () => {
  const warning = "region a2: connection refused";
  for (const target of [`query?query=up&time=${at}`, "series?match[]=up", "labels", "label/job/values"]) {
    it(`${target.split("?", 1)[0]}: warns, and is not to be cached`, async () => {
      const { text, headers } = await apiOver({ source: memorySource([], { warnings: [warning] }) })(
        `/api/v1/${target}`,
      );
      expect(JSON.parse(text).warnings).toEqual([warning]);
      expect(headers["cache-control"]).toBe("no-store");
    });

    for (const [kind, failure, status] of [
      ["unavailable", { kind: "unavailable", source: "region a2", reason: "connection refused" }, 422],
      ["timeout", { kind: "timeout", source: "region a2", afterMs: 5_000 }, [422, 503]],
    ] as const) {
      it(`${target.split("?", 1)[0]}: a source that is ${kind} is an error that names it`, async () => {
        const get = apiOver({ source: memorySource([], { failure }) });
        const response = await get(`/api/v1/${target}`);
        expect([status].flat()).toContain(response.status);
        expect(JSON.parse(response.text).error).toContain("region a2");
      });
    }
  }
});

describe("the list of stores", () => {
  it("is keyed by component type; what is missing lies beside it", async () => {
    const get = apiOver({
      stores: () => ({
        stores: [
          {
            componentType: "sidecar",
            name: "127.0.0.1:11001",
            lastCheckMs: startMs,
            lastError: undefined,
            labelSets: [labelsFromRecord({ cluster: "cluster-001", region: "a1" })],
            minTimeMs: 0,
            maxTimeMs: 1_000,
          },
          {
            componentType: "query",
            name: "127.0.0.1:11002",
            lastCheckMs: undefined,
            lastError: "refused",
            labelSets: [],
            minTimeMs: undefined,
            maxTimeMs: undefined,
          },
        ],
        missingClusters: ["cluster-073"],
      }),
    });
    expect((await get("/api/v1/stores")).text).toBe(
      `{"status":"success","data":{"query":[{"name":"127.0.0.1:11002","lastCheck":"0001-01-01T00:00:00Z",` +
        `"lastError":"refused","labelSets":[],"minTime":null,"maxTime":null}],` +
        `"sidecar":[{"name":"127.0.0.1:11001","lastCheck":"2023-11-14T22:13:20.000Z","lastError":null,` +
        `"labelSets":[{"cluster":"cluster-001","region":"a1"}],"minTime":0,"maxTime":1000}]},` +
        `"missingClusters":["cluster-073"]}`,
    );
  });
});

describe("methods", () => {
  for (const [method, target, status, allow] of [
    ["POST", "/api/v1/query", 400, undefined],
    ["PUT", "/api/v1/query", 405, "GET, POST"],
    ["TRACE", "/api/v1/labels", 405, "GET, POST"],
    ["POST", "/api/v1/label/job/values", 405, "GET"],
    ["POST", "/api/v1/rules", 405, "GET"],
    ["OPTIONS", "/api/v1/query", 403, undefined],
    ["POST", "/-/healthy", 405, "GET"],
  ] as const) {
    it(`${method} ${target}: ${status}`, async () => {
      const response = await apiOver()(target, { method });
      expect([response.status, response.headers["allow"]]).toEqual([status, allow]);
    });
  }

  for (const [accept, status] of [
    ["application/json", 200],
    ["text/html, */*;q=0.8", 200],
    ["application/*", 200],
    ["application/x-protobuf", 406],
    ["application/json;q=0", 406],
  ] as const) {
    it(`Accept: ${accept}: ${status}`, async () => {
      expect((await apiOver()("/api/v1/alerts", { headers: { accept } })).status).toBe(status);
    });
  }
});

describe("probes", () => {
  it("healthy, whatever else", async () => {
    expect(await apiOver()("/-/healthy")).toMatchObject({ status: 200, text: "OK\n" });
  });

  it("ready, or 503 with the reason", async () => {
    expect(await apiOver()("/-/ready")).toMatchObject({ status: 200, text: "OK\n" });
    const get = apiOver({ ready: () => ({ ready: false, reason: "no store has answered yet" }) });
    expect(await get("/-/ready")).toMatchObject({ status: 503, text: "not ready: no store has answered yet\n" });
  });

  it("metrics in the text format", async () => {
    const { text, headers } = await apiOver()("/metrics");
    expect([text, headers["content-type"]]).toEqual(["up 1\n", "text/plain; version=0.0.4; charset=utf-8"]);
  });

  it("alone, for roles without queries", async () => {
    const probe = createProbeApi({ ready: () => ({ ready: true }), renderMetrics: () => "" }, testPorts());
    expect((await probe(requestOf("/-/ready"))).status).toBe(200);
    expect((await probe(requestOf("/api/v1/query?query=1"))).status).toBe(404);
    expect((await probe(requestOf("/metrics", { headers: { host: "evil.example" } }))).status).toBe(421);
  });
});

describe("a bug", () => {
  it("is a 500 that says nothing of the inside, on any path", async () => {
    const get = apiOver({
      stores: () => {
        throw new Error("secret /path");
      },
      renderMetrics: () => {
        throw new Error("secret /path");
      },
    });
    for (const path of ["/api/v1/stores", "/metrics"]) {
      const text = error("internal", "internal error: the log has the details");
      expect(await get(path)).toMatchObject({ status: 500, text });
    }
  });
});

describe("what Grafana calls, in its order", () => {
  const form = (values: Record<string, string>) => ({ body: new URLSearchParams(values).toString() });
  const start = String(at - 900);
  const end = String(at);
  for (const [step, target, request, data] of [
    ["save and test", "query", form({ query: "1+1", time: "4" }), { resultType: "scalar", result: [4, "2"] }],
    [
      "which product: Mimir, if there were features",
      "status/buildinfo",
      undefined,
      { version: "0.1.0", revision: "abc", branch: "main", buildUser: "", buildDate: "", goVersion: "node 24" },
    ],
    ["recording rules", "rules", undefined, { groups: [] }],
    [
      "probe for exemplars, in milliseconds",
      "query_exemplars",
      form({ query: "test", start: String(startMs), end: String(startMs + 1_000) }),
      [],
    ],
    ["metric types", "metadata", undefined, {}],
    [
      "names, by POST",
      "labels",
      form({ start, end, limit: "40000" }),
      ["__name__", "http.status", "instance", "replica"],
    ],
    [
      "metrics",
      `label/__name__/values?start=${start}&end=${end}&limit=40000`,
      undefined,
      ["odd", "requests_total", "up"],
    ],
    ["a name of its own making", `label/U__http_2e_status/values?start=${start}&end=${end}`, undefined, ["<200>"]],
    [
      "builder",
      "series",
      form({ "match[]": '{__name__!=""}', start, end, limit: "40000" }),
      [
        { __name__: "odd", "http.status": "<200>" },
        { __name__: "requests_total", instance: "a" },
        { __name__: "up", instance: "a" },
        { __name__: "up", instance: "b" },
      ],
    ],
    [
      "a panel",
      "query_range",
      form({ query: "sum by (instance) (up)", start, end, step: "15", timeout: "60s" }),
      {
        resultType: "matrix",
        result: ["a", "b"].map((instance) => ({
          metric: { instance },
          values: Array.from({ length: 61 }, (_, i) => [at - 900 + i * 15, "1"]),
        })),
      },
    ],
    [
      "an instant panel, at a time that fits no step",
      "query",
      form({ query: "sum(up)", time: String(at - 0.123) }),
      { resultType: "vector", result: [{ metric: {}, value: [at - 0.123, "2"] }] },
    ],
    ["exemplars of the panel", "query_exemplars", form({ query: "sum(up)", start, end }), []],
  ] as const) {
    it(step, async () => {
      const { status, text } = await apiOver()(`/api/v1/${target}`, request);
      expect([status, JSON.parse(text)]).toEqual([200, { status: "success", data }]);
    });
  }

  it("a POST where only GET is served is 405, and Grafana repeats it with GET", async () => {
    const get = apiOver();
    expect((await get("/api/v1/label/job/values", form({ start }))).status).toBe(405);
    expect((await get(`/api/v1/label/job/values?start=${start}`)).status).toBe(200);
  });
});

describe("a client that goes away", () => {
  it("is answered 499 and costs the source nothing more", async () => {
    const gone = new AbortController();
    gone.abort();
    const response = await apiOver()(`/api/v1/query?query=up`, { signal: gone.signal });
    expect([response.status, JSON.parse(response.text).errorType]).toEqual([499, "canceled"]);
  });
});

describe("metrics of its own", () => {
  it("counts requests by handler, method and code; unknown paths under one name", async () => {
    const observed: string[] = [];
    const ports = testPorts({ startMs });
    const observations = {
      ...ports.observations,
      counter: (name: string) => ({
        add: (amount: number, ...labels: readonly string[]) =>
          void observed.push(`${name}{${labels.join()}} ${amount}`),
      }),
    };
    const probe = createProbeApi(
      { ready: () => ({ ready: true }), renderMetrics: () => "" },
      { clock: ports.clock, observations },
    );
    for (const path of ["/-/ready", "/x/y/z"]) await probe(requestOf(path));
    await probe(requestOf("/-/ready", { method: "BREW" }));
    expect(observed).toEqual([
      "http_requests_total{200,ready,get} 1",
      "http_requests_total{404,unknown,get} 1",
      "http_requests_total{405,ready,other} 1",
    ]);
  });
});
