import type { SeriesSource } from "@pleiad/model";
import type { HttpRequest } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { createEngine, defaultEngineOptions } from "@pleiad/promql-exec";
import { describe, expect, it } from "vitest";
import { loopbackAccess } from "./access.ts";
import { createHttpApi, defaultHttpApiLimits } from "./http-api.ts";
import { readForm } from "./request-form.ts";
import { memorySource, samplesOf, type TestSeries } from "./testing.ts";
import { defaultWarmUp, warmUp } from "./warm-up.ts";

const atMs = 1_700_000_000_000;
const never = new AbortController().signal;
const up = (instance: string): TestSeries => ({
  labels: { __name__: "up", instance, job: 'a "quoted" job' },
  samples: samplesOf(atMs - 3_600_000, atMs, 60_000, () => 1),
});

/** An API over a source, and the requests that it got. */
function watchedApi(
  source: SeriesSource,
  onRequest: (clock: ReturnType<typeof testPorts>["clock"]) => Promise<void> | void,
) {
  const ports = testPorts({ startMs: atMs });
  const handle = createHttpApi(
    {
      engine: createEngine(defaultEngineOptions, ports),
      source,
      stores: () => ({ stores: [], missingClusters: [] }),
      buildInfo: { version: "", revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" },
      replicaLabels: [],
      partialResponseDefault: true,
      renderMetrics: () => "",
      ready: () => ({ ready: true }),
      access: loopbackAccess,
      limits: defaultHttpApiLimits,
    },
    ports,
  );
  const requests: HttpRequest[] = [];
  const statuses = new Set<number>();
  const watched = async (request: HttpRequest) => {
    requests.push(request);
    await onRequest(ports.clock);
    const response = await handle(request);
    statuses.add(response.status);
    return response;
  };
  return { ports, watched, requests, statuses };
}

function queryOf(request: HttpRequest): string {
  const form = readForm(request);
  return form.ok ? form.value.first("query") : "";
}

describe("the warm-up", () => {
  for (const [rule, series, selector] of [
    [
      "asks about one series of `up`",
      [up("a"), up("b")],
      '{"__name__"="up","instance"="a","job"="a \\"quoted\\" job"}',
    ],
    ["asks about none where there is none", [], '{"__name__"="up"}'],
  ] as const) {
    it(rule, async () => {
      const { ports, watched, requests, statuses } = watchedApi(memorySource(series), () => {});
      const answered = await warmUp(watched, { ...defaultWarmUp, atMs, questionsMax: 20 }, ports, never);
      expect(answered).toBe(20);
      expect([...statuses]).toEqual([200]);
      const selectors = requests.map(queryOf).filter((query) => query.startsWith("{"));
      expect(new Set(selectors)).toEqual(new Set([selector]));
      expect(new Set(requests.map(({ path }) => path))).toEqual(
        new Set(["/api/v1/series", "/api/v1/query", "/api/v1/query_range", "/api/v1/label/job/values"]),
      );
    });
  }

  it("asks nothing where the source fails", async () => {
    const failure = { kind: "unavailable", source: "memory", reason: "down" } as const;
    const { ports, watched, requests } = watchedApi(memorySource([], { failure }), () => {});
    expect(await warmUp(watched, { ...defaultWarmUp, atMs }, ports, never)).toBe(0);
    expect(requests.length).toBe(1);
  });

  it("ends after its span", async () => {
    const { ports, watched } = watchedApi(memorySource([up("a")]), async (clock) => await clock.advance(100));
    // The first tenth of the second goes to the question for the series.
    expect(await warmUp(watched, { atMs, questionsMax: 1000, spanMsMax: 1000 }, ports, never)).toBe(9);
  });

  it("ends when it is told to, and listens no more", async () => {
    const ending = new AbortController();
    let address = "";
    const { ports, watched, requests } = watchedApi(memorySource([up("a")]), () => {
      if (requests.length === 5) ending.abort();
    });
    const network: typeof ports.network = {
      ...ports.network,
      serveHttp: async (...args) => {
        const listener = await ports.network.serveHttp(...args);
        address = listener.address;
        return listener;
      },
    };
    const options = { ...defaultWarmUp, atMs };
    await expect(warmUp(watched, options, { ...ports, network }, ending.signal)).rejects.toThrow("canceled");
    const again = ports.network.fetchHttp(`http://${address}/`, { signal: never, bodyBytesMax: 100 });
    await expect(again).rejects.toMatchObject({ kind: "unreachable" });
  });
});
