/** Parameters to engine requests and engine answers to responses, with an engine that only notes what it is asked. */
import { fail, ok, type Result } from "@pleiad/model";
import { testPorts, wholeBody } from "@pleiad/ports/testing";
import type { Engine, InstantRequest, QueryAnswer, QueryFailure, RangeRequest } from "@pleiad/promql-exec";
import { describe, expect, it } from "vitest";
import { loopbackAccess } from "./access.ts";
import { createHttpApi, defaultHttpApiLimits, type HttpApiLimits } from "./http-api.ts";
import { memorySource, requestOf, type TestRequest } from "./testing.ts";

const nothing: QueryAnswer = {
  value: { kind: "matrix", series: [] },
  warnings: [],
  infos: [],
  sourceWarnings: [],
  statistics: {
    queueMs: 0,
    parseMs: 0,
    planMs: 0,
    evaluateMs: 0,
    seriesSelected: 0,
    samplesRead: 0,
    samplesPeak: 0,
    samplesQueryable: undefined,
    samplesQueryablePerStep: undefined,
  },
  analysis: undefined,
};

function apiOver(
  result: Result<QueryAnswer, QueryFailure> | Promise<Result<QueryAnswer, QueryFailure>>,
  limits: HttpApiLimits = defaultHttpApiLimits,
) {
  const asked: (InstantRequest | RangeRequest)[] = [];
  const note = async (request: InstantRequest | RangeRequest) => {
    asked.push(request);
    return await result;
  };
  const engine: Engine = {
    instant: note,
    range: note,
    explain: () => ok({ plan: "sum(up)", operators: ["sum", "  select {up}"] }),
  };
  const ports = testPorts({ startMs: 1_700_000_000_250 });
  const api = createHttpApi(
    {
      engine,
      source: memorySource([]),
      stores: () => ({ stores: [], missingClusters: [] }),
      buildInfo: { version: "1", revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" },
      replicaLabels: ["replica"],
      partialResponseDefault: true,
      renderMetrics: () => "",
      ready: () => ({ ready: true }),
      access: loopbackAccess,
      limits,
    },
    ports,
  );
  const get = async (target: string, options?: TestRequest) => {
    const response = await api(requestOf(`/api/v1/${target}`, options));
    const text = new TextDecoder().decode(await wholeBody(response.body));
    return { status: response.status, headers: response.headers, text };
  };
  return { get, asked, clock: ports.clock };
}

const soft = { withoutLabels: ["replica"], maxResolutionMs: 0, onFailure: "warn" } as const;

describe("what the engine is asked", () => {
  for (const [rule, target, request] of [
    ["the time is now where there is none", "query?query=up", { query: "up", timeMs: 1_700_000_000_250, select: soft }],
    ["times have milliseconds", "query?query=up&time=1500.0005", { query: "up", timeMs: 1_500_001, select: soft }],
    [
      "a timeout and a lookback",
      "query?query=up&time=0&timeout=10s&lookback_delta=1h",
      { query: "up", timeMs: 0, timeoutMs: 10_000, lookbackMs: 3_600_000, select: soft },
    ],
    [
      "dedup=false keeps replica labels",
      "query?query=up&time=0&dedup=false",
      { query: "up", timeMs: 0, select: { ...soft, withoutLabels: [] } },
    ],
    [
      "a request may name other replica labels",
      "query?query=up&time=0&replicaLabels[]=a&replicaLabels%5B%5D=b",
      { query: "up", timeMs: 0, select: { ...soft, withoutLabels: ["a", "b"] } },
    ],
    [
      "partial_response=false makes a failed store fail the query",
      "query?query=up&time=0&partial_response=false",
      { query: "up", timeMs: 0, select: { ...soft, onFailure: "abort" } },
    ],
    [
      "a resolution",
      "query?query=up&time=0&max_source_resolution=5m",
      { query: "up", timeMs: 0, select: { ...soft, maxResolutionMs: 300_000 } },
    ],
    [
      "auto is raw for an instant",
      "query?query=up&time=0&max_source_resolution=auto",
      { query: "up", timeMs: 0, select: soft },
    ],
    [
      "of a repeated parameter the first counts",
      "query?query=up&query=down&time=0",
      { query: "up", timeMs: 0, select: soft },
    ],
    ["array syntax is another name", "query?query[]=up&time=0", { query: "", timeMs: 0, select: soft }],
    [
      "a range",
      "query_range?query=up&start=100&end=200.5&step=15",
      { query: "up", startMs: 100_000, endMs: 200_500, stepMs: 15_000, select: soft },
    ],
    [
      "auto is a fifth of the step",
      "query_range?query=up&start=0&end=3600&step=5m&max_source_resolution=auto",
      { query: "up", startMs: 0, endMs: 3_600_000, stepMs: 300_000, select: { ...soft, maxResolutionMs: 60_000 } },
    ],
    [
      "without a step, 250 points in whole seconds",
      "query_range?query=up&start=0&end=3600",
      { query: "up", startMs: 0, endMs: 3_600_000, stepMs: 14_000, select: soft },
    ],
    [
      "but at least a second",
      "query_range?query=up&start=0&end=60",
      { query: "up", startMs: 0, endMs: 60_000, stepMs: 1_000, select: soft },
    ],
    [
      "11,001 points pass",
      "query_range?query=up&start=0&end=110000&step=10",
      { query: "up", startMs: 0, endMs: 110_000_000, stepMs: 10_000, select: soft },
    ],
  ] as const) {
    it(rule, async () => {
      const { get, asked } = apiOver(ok(nothing));
      expect((await get(target)).text).toBe(`{"status":"success","data":{"resultType":"matrix","result":[]}}`);
      expect(asked).toEqual([{ timeoutMs: 120_000, ...request }]);
    });
  }

  it("a form body comes before the query string", async () => {
    const { get, asked } = apiOver(ok(nothing));
    await get("query?query=down&time=5", { body: "query=sum(up)%2B1+%2F+2" });
    expect(asked).toMatchObject([{ query: "sum(up)+1 / 2", timeMs: 5_000 }]);
  });
});

describe("bad parameters", () => {
  const points =
    "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
  const stepWidth = `invalid parameter \\"step\\": zero or negative query resolution step widths are not accepted. Try a positive integer`;
  const time = (name: string, text: string) =>
    `invalid parameter \\"${name}\\": cannot parse \\"${text}\\" to a valid timestamp`;
  for (const [target, message] of [
    ["query?query=up&limit=-1", `invalid parameter \\"limit\\": limit must be non-negative`],
    ["query?query=up&limit=abc", `invalid parameter \\"limit\\": strconv.Atoi: parsing \\"abc\\": invalid syntax`],
    [
      "query?query=up&time=foo",
      `invalid parameter \\"time\\": invalid time value for 'time': cannot parse \\"foo\\" to a valid timestamp`,
    ],
    [
      "query?query=up&time=Inf",
      `invalid parameter \\"time\\": invalid time value for 'time': cannot parse \\"Inf\\" to a valid timestamp`,
    ],
    ["query?query=up&timeout=foo", `invalid parameter \\"timeout\\": cannot parse \\"foo\\" to a valid duration`],
    ["query?query=up&timeout=-1", `invalid parameter \\"timeout\\": \\"-1\\" is not above zero`],
    [
      "query?query=up&lookback_delta=x",
      `error parsing lookback delta duration: cannot parse \\"x\\" to a valid duration`,
    ],
    ["query?query=up&dedup=maybe", `'dedup' parameter: strconv.ParseBool: parsing \\"maybe\\": invalid syntax`],
    [
      "query?query=up&partial_response=x",
      `'partial_response' parameter: strconv.ParseBool: parsing \\"x\\": invalid syntax`,
    ],
    [
      "query?query=up&max_source_resolution=-5m",
      `'max_source_resolution' parameter: cannot parse \\"-5m\\" to a valid duration`,
    ],
    [
      "query?query=up&max_source_resolution=-300",
      "negative 'max_source_resolution' is not accepted. Try a positive integer",
    ],
    ["query?query=up&storeMatch[]={a=%22b%22}", `parameter \\"storeMatch[]\\" is not supported by this querier`],
    ["query?query=up&shard_info={}", `parameter \\"shard_info\\" is not supported by this querier`],
    ["query?query=up&engine=go", `invalid parameter \\"engine\\": not supported value \\"go\\"`],
    ["query_range?query=up&end=1&step=1", time("start", "")],
    ["query_range?query=up&start=1&end=x&step=1", time("end", "x")],
    [
      "query_range?query=up&start=2&end=1&step=1",
      `invalid parameter \\"end\\": end timestamp must not be before start time`,
    ],
    ["query_range?query=up&start=0&end=1&step=0", stepWidth],
    ["query_range?query=up&start=0&end=1&step=-15", stepWidth],
    [
      "query_range?query=up&start=0&end=1&step=0.0009",
      stepWidth.replace("zero or negative query resolution step widths", "query resolution step widths below 1ms"),
    ],
    [
      "query_range?query=up&start=0&end=1&step=NaN",
      `invalid parameter \\"step\\": cannot parse \\"NaN\\" to a valid duration`,
    ],
    [
      "query_range?query=up&start=0&end=1&step=Inf",
      `invalid parameter \\"step\\": cannot parse \\"Inf\\" to a valid duration. It overflows int64`,
    ],
    ["query_range?query=up&start=0&end=110010&step=10", points],
    ["query?query=%zz", `error parsing form values: invalid URL escape in \\"query=%zz\\"`],
    ["query?query=%ff", `error parsing form values: invalid URL escape in \\"query=%ff\\"`],
  ] as const) {
    it(target, async () => {
      const { get, asked } = apiOver(ok(nothing));
      const { status, text } = await get(target);
      expect(text).toBe(`{"status":"error","errorType":"bad_data","error":"${message}"}`);
      expect(status).toBe(400);
      expect(asked).toEqual([]);
    });
  }
});

describe("failures of the engine", () => {
  for (const [kind, message, status, errorType, error] of [
    [
      "parse",
      "1:5: parse error: unclosed left parenthesis",
      400,
      "bad_data",
      `invalid parameter \\"query\\": 1:5: parse error: unclosed left parenthesis`,
    ],
    [
      "not-evaluated",
      "histogram_stddev() is not evaluated yet",
      422,
      "execution",
      "histogram_stddev() is not evaluated yet",
    ],
    [
      "execution",
      "found duplicate series for the match group {}",
      422,
      "execution",
      "found duplicate series for the match group {}",
    ],
    ["timeout", "query timed out in expression evaluation", 503, "timeout", "query timed out in expression evaluation"],
    [
      "canceled",
      "query was canceled in expression evaluation",
      499,
      "canceled",
      "query was canceled in expression evaluation",
    ],
    ["source", "a2: <refused>", 422, "execution", String.raw`a2: \u003crefused\u003e`],
  ] as const) {
    it(`${kind}: ${status}`, async () => {
      const { get } = apiOver(fail({ kind, message }));
      const response = await get("query?query=up");
      expect(response.text).toBe(`{"status":"error","errorType":"${errorType}","error":"${error}"}`);
      expect([response.status, response.headers["content-type"]]).toEqual([status, "application/json"]);
    });
  }
});

describe("remarks on an answer", () => {
  const numbered = (word: string, count: number) => Array.from({ length: count }, (_, i) => `${word} ${i}`);

  it("what is missing comes first, and must not be cached", async () => {
    const answer = {
      ...nothing,
      warnings: ["PromQL warning: w"],
      infos: ["PromQL info: i"],
      sourceWarnings: ["a2: down"],
    };
    const { text, headers } = await apiOver(ok(answer)).get("query?query=up");
    expect(text).toBe(
      `{"status":"success","data":{"resultType":"matrix","result":[]},` +
        `"warnings":["a2: down","PromQL warning: w"],"infos":["PromQL info: i"]}`,
    );
    expect(headers["cache-control"]).toBe("no-store");
  });

  it("a whole answer may be cached, whatever PromQL remarks", async () => {
    const { headers } = await apiOver(ok({ ...nothing, warnings: ["PromQL warning: w"] })).get("query?query=up");
    expect(headers["cache-control"]).toBeUndefined();
  });

  it("ten of each kind, and a line that counts the rest", async () => {
    const answer = { ...nothing, warnings: numbered("w", 12), infos: numbered("i", 11) };
    const parsed = JSON.parse((await apiOver(ok(answer)).get("query?query=up")).text);
    expect(parsed.warnings).toEqual([...numbered("w", 10), "2 more warning annotations omitted"]);
    expect(parsed.infos).toEqual([...numbered("i", 10), "1 more info annotations omitted"]);
  });

  for (const [rule, target, asked] of [
    ["nothing is counted that nobody wants", "query?query=up", {}],
    ["stats=true wants totals", "query?query=up&stats=true", { countSamples: "total" }],
    [
      "stats=all wants totals of each step",
      "query_range?query=up&start=0&end=1&step=1&stats=all",
      { countSamples: "per-step" },
    ],
    ["analyze=true wants to know what operators did", "query?query=up&analyze=true", { analyze: true }],
  ] as const) {
    it(rule, async () => {
      const api = apiOver(ok(nothing));
      await api.get(target);
      const [{ countSamples, analyze }] = api.asked as [InstantRequest];
      expect({ countSamples, analyze }).toEqual({ countSamples: undefined, analyze: undefined, ...asked });
    });
  }

  it("refuses an analysis that is neither wanted nor unwanted", async () => {
    expect(await apiOver(ok(nothing)).get("query?query=up&analyze=maybe")).toMatchObject({ status: 400 });
  });

  it("another value of stats works and is warned about", async () => {
    const parsed = JSON.parse((await apiOver(ok(nothing)).get("query?query=up&stats=1")).text);
    expect(parsed.data.stats.samples).toMatchObject({ totalQueryableSamples: 0, peakSamples: 0 });
    expect(parsed.warnings).toEqual([
      `value "1" for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"`,
    ]);
  });
});

describe("explanations", () => {
  it("are Thanos's tree of operators, with the plan", async () => {
    for (const target of ["query_explain?query=up", "query_range_explain?query=up&start=0&end=1&step=1"]) {
      expect((await apiOver(ok(nothing)).get(target)).text).toBe(
        `{"status":"success","data":{"name":"sum","children":[{"name":"select {up}","children":[]}],"plan":"sum(up)","scalars":[]}}`,
      );
    }
  });
});

describe("bounds on requests", () => {
  it("more queries than may run and wait are told to come back later", async () => {
    const answered = Promise.withResolvers<Result<QueryAnswer, QueryFailure>>();
    const { get } = apiOver(answered.promise, {
      ...defaultHttpApiLimits,
      concurrentQueriesMax: 1,
      waitingQueriesMax: 1,
    });
    const admitted = [get("query?query=up"), get("query_range?query=up&start=0&end=1")];
    expect(await get("query?query=up")).toMatchObject({
      status: 429,
      headers: { "retry-after": "5" },
      text: `{"status":"error","errorType":"too_many_requests","error":"too many queries: 1 run and 1 wait"}`,
    });
    answered.resolve(ok(nothing));
    expect((await Promise.all(admitted)).map(({ status }) => status)).toEqual([200, 200]);
  });

  it("the time that a request waits is time of the request", async () => {
    const answered = Promise.withResolvers<Result<QueryAnswer, QueryFailure>>();
    const limits = { ...defaultHttpApiLimits, concurrentQueriesMax: 1 };
    const { get, asked, clock } = apiOver(answered.promise, limits);
    const first = get("query?query=up");
    const short = get("query?query=up&timeout=1s");
    const long = get("query?query=up&timeout=10s");
    await clock.advance(4_000);
    expect(await short).toMatchObject({ status: 503, text: expect.stringContaining("query timed out in query queue") });
    answered.resolve(ok(nothing));
    await Promise.all([first, long]);
    expect(asked.map(({ timeoutMs }) => timeoutMs)).toEqual([120_000, 6_000]);
  });

  it("equal queries that wait are evaluated once, for each in its own form and time; those that run are not joined", async () => {
    const answered = Promise.withResolvers<Result<QueryAnswer, QueryFailure>>();
    const limits = { ...defaultHttpApiLimits, concurrentQueriesMax: 1 };
    const { get, asked, clock } = apiOver(answered.promise, limits);
    const running = get("query?query=up&time=1");
    const leaving = new AbortController();
    const waiting = [
      get("query?query=up&time=1"),
      get("query?query=up&time=2"),
      get("query?query=up&time=1&limit=5"),
      get("query?query=up&time=1&stats=all"),
      get("query?query=up&time=1&partial_response=false"),
      get("query?query=up&time=1&timeout=2m"),
      get("query?query=up&time=1", { signal: leaving.signal }),
    ];
    await clock.advance(1_000);
    leaving.abort();
    expect(await waiting.pop()).toMatchObject({ text: expect.stringContaining("query was canceled in query queue") });
    answered.resolve(ok(nothing));
    expect((await running).status).toBe(200);
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(waiting.map(() => 200));
    const times = asked.map((request) => ("timeMs" in request ? request.timeMs : NaN));
    expect(times).toEqual([1000, 1000, 2000, 1000, 1000, 1000]);
    expect(asked.slice(1).map(({ select, countSamples }) => `${select.onFailure} ${countSamples ?? ""}`)).toEqual([
      "warn ",
      "warn ",
      "warn per-step",
      "abort ",
      "warn ",
    ]);
  });

  const many = (bytes: number) => `query=${"x".repeat(bytes)}`;
  it("a URL of more than 64 KiB", async () => {
    const { get } = apiOver(ok(nothing));
    expect((await get(`query?${many(65_536)}`)).status).toBe(414);
    expect((await get(`query?${many(65_000)}`)).status).toBe(200);
  });

  it("a body of more than 1 MiB", async () => {
    const { get } = apiOver(ok(nothing));
    expect((await get("query", { body: many(1_048_576) })).status).toBe(413);
    expect((await get("query", { body: many(1_000_000) })).status).toBe(200);
  });

  it("a body that is no form", async () => {
    const { get } = apiOver(ok(nothing));
    const response = await get("query", { body: "[[[[", headers: { "content-type": "application/json" } });
    expect(response).toMatchObject({ status: 400, text: expect.stringContaining("application/json") });
  });
});
