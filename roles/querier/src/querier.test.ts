/** Two tiers of queriers over three clusters, in one process: what is asked at the top, what fails below. */
import { readFileSync } from "node:fs";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { labelsFromRecord, type SeriesSource } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { storeHandlers, type EndpointSpec } from "@pleiad/storeapi";
import { memorySource, seriesOf } from "@pleiad/storeapi/testing";
import { describe, expect, it } from "vitest";
import { defaultQuerierLimits, releasedVersion, startQuerier, type Querier, type QuerierOptions } from "./querier.ts";

const startMs = 1_700_000_000_000;
const infoRoundMs = 5_000;

const clusters = [
  { name: "cluster-a", region: "r1", address: "127.0.0.1:11001" },
  { name: "cluster-b", region: "r1", address: "127.0.0.1:11002" },
  { name: "cluster-c", region: "r2", address: "127.0.0.1:11003" },
] as const;

const expectationOf = ({ name, region }: (typeof clusters)[number]) => ({
  name,
  labels: labelsFromRecord({ cluster: name, region }),
});

/** A region sees its clusters; the global querier sees the regions, and knows whom to expect behind them. */
const endpointsOfRegion = (region: string): readonly EndpointSpec[] =>
  clusters
    .filter((cluster) => cluster.region === region)
    .map((cluster) => ({ address: cluster.address, name: cluster.name, expects: [expectationOf(cluster)] }));

const regions = [
  { name: "r1", httpAddress: "127.0.0.1:12001", grpcAddress: "127.0.0.1:12101" },
  { name: "r2", httpAddress: "127.0.0.1:12002", grpcAddress: "127.0.0.1:12102" },
] as const;

const globalEndpoints: readonly EndpointSpec[] = regions.map(({ name, grpcAddress }) => ({
  address: grpcAddress,
  name: `querier-${name}`,
  expects: clusters.filter(({ region }) => region === name).map(expectationOf),
}));

async function startHierarchy() {
  const ports = testPorts({ startMs });
  const registry = createMetricRegistry();
  // The same for all queriers of the test, as for the roles of one process.
  const observed = { ...ports, observations: observationsOf(registry, () => {}) };
  for (const cluster of clusters) {
    const series = ["0", "1"].map((replica) =>
      seriesOf(
        labelsFromRecord({ __name__: "up", cluster: cluster.name, region: cluster.region, replica }),
        Array.from({ length: 20 }, (_, i) => [startMs - 570_000 + i * 30_000, 1] as const),
      ),
    );
    const identity = {
      componentType: "sidecar",
      labelSets: [labelsFromRecord({ cluster: cluster.name, region: cluster.region, replica: "0" })],
      minTimeMs: startMs - 570_000,
      maxTimeMs: Number.MAX_SAFE_INTEGER,
      tsdbInfos: [],
    };
    await ports.network.serveRpc(
      cluster.address,
      storeHandlers(memorySource(series), () => identity),
    );
  }
  const start = async (
    options: Pick<QuerierOptions, "name" | "httpAddress" | "grpcAddress" | "endpoints" | "endpointFiles">,
  ) => await startQuerier({ ...options, replicaLabels: ["replica"], renderMetrics: () => registry.render() }, observed);
  const started: Querier[] = [];
  for (const region of regions) {
    const querier = await start({ ...region, endpoints: endpointsOfRegion(region.name) });
    if (!querier.ok) throw new Error(querier.failure.message);
    started.push(querier.value);
  }
  await ports.clock.advance(100); // the regions' first round; the global querier then finds them ready
  const global = await start({
    name: "global",
    httpAddress: "127.0.0.1:12000",
    grpcAddress: "127.0.0.1:12100",
    endpoints: globalEndpoints,
  });
  if (!global.ok) throw new Error(global.failure.message);
  const get = async (target: string) => {
    const answer = await ports.network.fetchHttp(`http://127.0.0.1:12000${target}`, {
      signal: new AbortController().signal,
      bodyBytesMax: 1 << 20,
    });
    const text = new TextDecoder().decode(answer.body);
    return { status: answer.status, headers: answer.headers, text };
  };
  const ask = async (query: string, more = "") => {
    const { status, text } = await get(
      `/api/v1/query?query=${encodeURIComponent(query)}&time=${startMs / 1000}${more}`,
    );
    return { status, ...JSON.parse(text) };
  };
  return { ports, start, get, ask, regions: started, global: global.value };
}

const counted = (...names: readonly string[]) =>
  names.map((cluster) => ({ metric: { cluster }, value: [startMs / 1000, "1"] }));

describe("a hierarchy of two tiers", () => {
  it("is ready after the first round, and answers for all clusters", async () => {
    const { ports, ask, get, global } = await startHierarchy();
    expect(global.ready()).toEqual({ ready: false, reason: "0 of 2 endpoints have answered or failed so far" });
    expect((await get("/-/ready")).status).toBe(503);
    await ports.clock.advance(100);
    expect((await get("/-/ready")).status).toBe(200);
    const answer = await ask("count by (cluster) (up)");
    expect(answer).toEqual({
      status: "success",
      data: { resultType: "vector", result: counted("cluster-a", "cluster-b", "cluster-c") },
    });
  });

  it("takes replicas for one unless asked not to", async () => {
    const { ports, ask } = await startHierarchy();
    await ports.clock.advance(100);
    expect((await ask("count(up)")).data.result[0].value[1]).toBe("3");
    expect((await ask("count(up)", "&dedup=false")).data.result[0].value[1]).toBe("6");
  });

  describe("asks the stores alone that storeMatch[] names", () => {
    const all = ["cluster-a", "cluster-b", "cluster-c"];
    for (const [rule, selectors, asked] of [
      ["by address", ['{__address__="127.0.0.1:12101"}'], ["cluster-a", "cluster-b"]],
      ["by any of several", ['{__address__=~".*:12101"}', '{__address__=~".*:12102"}'], all],
      ["by what an address is not", ['{__address__!="127.0.0.1:12101"}'], ["cluster-c"]],
      ["by external labels", ['{region="r2"}'], ["cluster-c"]],
      ["by both", ['{__address__=~".*12101", region="r2"}'], []],
      ["a label that no store has tells none apart", ['{rack="7"}'], all],
      ["none", ['{__address__="127.0.0.1:1"}'], []],
    ] as const) {
      it(rule, async () => {
        const { ports, ask, get } = await startHierarchy();
        await ports.clock.advance(100);
        const more = selectors.map((one) => `&storeMatch[]=${encodeURIComponent(one)}`).join("");
        const answer = await ask("count by (cluster) (up)", more);
        expect(answer).toEqual({ status: "success", data: { resultType: "vector", result: counted(...asked) } });
        for (const target of [`/api/v1/series?match[]=up`, `/api/v1/label/cluster/values?`, `/api/v1/labels?`]) {
          const { data } = JSON.parse((await get(`${target}${more}`)).text);
          if (target.includes("labels?")) expect(data.length > 0, target).toBe(asked.length > 0);
          else {
            const names = data.map((one: string | { cluster: string }) =>
              typeof one === "string" ? one : one.cluster,
            );
            expect([...new Set(names)], target).toEqual(asked);
          }
        }
      });
    }

    it("of those, one that is away is missing, the others are not", async () => {
      const { ports, ask } = await startHierarchy();
      await ports.clock.advance(100);
      ports.network.unplug("127.0.0.1:12101");
      ports.network.unplug("127.0.0.1:12102");
      const { warnings } = await ask("up", `&storeMatch[]=${encodeURIComponent('{region="r2"}')}`);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/^clusters missing from the answer: cluster-c \(/);
    });

    it("and refuses what is no selector", async () => {
      const { ports, ask } = await startHierarchy();
      await ports.clock.advance(100);
      for (const [selector, message] of [
        ["{", /^'storeMatch\[\]' parameter: /],
        ['{__address__=~"("}', /^'storeMatch\[\]' parameter: /],
      ] as const) {
        const answer = await ask("up", `&storeMatch[]=${encodeURIComponent(selector)}`);
        expect(answer).toMatchObject({ status: "error", errorType: "bad_data" });
        expect(answer.error).toMatch(message);
      }
    });
  });

  it("goes on without a dead cluster, names it, and takes it back", async () => {
    const { ports, ask, get } = await startHierarchy();
    await ports.clock.advance(100);
    ports.network.unplug("127.0.0.1:11002");
    for (const when of ["at once", "after a round"]) {
      const answer = await ask("count by (cluster) (up)");
      expect([when, answer.data.result]).toEqual([when, counted("cluster-a", "cluster-c")]);
      expect(answer.warnings.join("\n")).toContain("cluster-b");
      await ports.clock.advance(2 * infoRoundMs + 1_000);
    }
    const stores = JSON.parse((await get("/api/v1/stores")).text);
    expect(stores.missingClusters).toEqual(["cluster-b"]);
    expect((await get(`/api/v1/query?query=up&time=${startMs / 1000}`)).headers.get("cache-control")).toBe("no-store");

    ports.network.plug("127.0.0.1:11002");
    await ports.clock.advance(2 * infoRoundMs + 1_000);
    expect(await ask("count by (cluster) (up)")).toEqual({
      status: "success",
      data: { resultType: "vector", result: counted("cluster-a", "cluster-b", "cluster-c") },
    });
  });

  it("goes on without a region, and names its clusters", async () => {
    const { ports, ask } = await startHierarchy();
    await ports.clock.advance(100);
    ports.network.unplug("127.0.0.1:12102");
    await ports.clock.advance(infoRoundMs + 1_000);
    const answer = await ask("count by (cluster) (up)");
    expect(answer.data.result).toEqual(counted("cluster-a", "cluster-b"));
    expect(answer.warnings.join("\n")).toMatch(/cluster-c.*127\.0\.0\.1:12102/);
    // What does not concern the region is whole without it.
    expect((await ask(`count by (cluster) (up{region="r1"})`)).warnings).toBeUndefined();
  });

  it("fails instead where the request wants all or nothing", async () => {
    const { ports, ask } = await startHierarchy();
    await ports.clock.advance(100);
    ports.network.unplug("127.0.0.1:12102");
    await ports.clock.advance(infoRoundMs + 1_000);
    const answer = await ask("count by (cluster) (up)", "&partial_response=false");
    expect(answer).toMatchObject({ status: "error", errorType: "execution" });
    expect(answer.error).toContain("cluster-c");
  });

  it("lists series, labels and stores of both tiers", async () => {
    const { ports, get } = await startHierarchy();
    await ports.clock.advance(100);
    const data = async (target: string) => JSON.parse((await get(`/api/v1/${target}`)).text).data;
    expect(await data(`series?match[]=${encodeURIComponent('up{cluster="cluster-c"}')}`)).toEqual([
      { __name__: "up", cluster: "cluster-c", region: "r2" },
    ]);
    expect(await data("labels")).toEqual(["__name__", "cluster", "region", "replica"]);
    expect(await data("label/cluster/values")).toEqual(["cluster-a", "cluster-b", "cluster-c"]);
    const stores = await data("stores");
    expect(Object.keys(stores)).toEqual(["query"]);
    expect(stores.query.map((store: { name: string }) => store.name)).toEqual(["127.0.0.1:12101", "127.0.0.1:12102"]);
    expect(stores.query[1]).toMatchObject({
      lastError: null,
      labelSets: [{ cluster: "cluster-c", region: "r2" }],
      minTime: startMs - 570_000,
    });
  });

  it("tells Prometheus how it is, under Thanos's names", async () => {
    const { ports, get, ask } = await startHierarchy();
    await ports.clock.advance(100);
    await ask("up");
    const { text } = await get("/metrics");
    for (const line of [
      `thanos_store_nodes_grpc_connections{store_type="query"} 2`,
      `http_requests_total{code="200",handler="query",method="get"} 1`,
      `http_request_duration_seconds_count{code="200",handler="query",method="get"} 1`,
      `thanos_query_concurrent_gate_queries_in_flight 0`,
      `thanos_query_concurrent_gate_queries_max ${defaultQuerierLimits.concurrentQueriesMax}`,
      `thanos_query_concurrent_gate_queries_total 1`,
    ]) {
      expect(text.split("\n")).toContain(line);
    }
  });
});

describe("a client that goes away", () => {
  it("takes its questions to the stores with it", async () => {
    const ports = testPorts({ startMs });
    let asked: AbortSignal | undefined;
    const silent: SeriesSource = {
      ...memorySource([]),
      select: (_request, signal) => {
        asked = signal;
        const gone = new Promise<undefined>((resolve) => {
          signal.addEventListener("abort", () => resolve(undefined), { once: true });
        });
        return { next: async () => await gone, failure: undefined, warnings: [], close: () => {} };
      },
    };
    const identity = { componentType: "sidecar", labelSets: [], minTimeMs: 0, maxTimeMs: startMs, tsdbInfos: [] };
    await ports.network.serveRpc(
      "127.0.0.1:11001",
      storeHandlers(silent, () => identity),
    );
    const httpAddress = "127.0.0.1:12000";
    const grpcAddress = "127.0.0.1:12100";
    const endpoints = [{ address: "127.0.0.1:11001", name: "silent", expects: [] }];
    await startQuerier(
      { name: "q", httpAddress, grpcAddress, endpoints, replicaLabels: [], renderMetrics: () => "" },
      ports,
    );
    await ports.clock.advance(100);
    const client = new AbortController();
    const fetching = ports.network.fetchHttp(`http://${httpAddress}/api/v1/query?query=up&time=${startMs / 1000}`, {
      signal: client.signal,
      bodyBytesMax: 1 << 20,
    });
    const outcome = fetching.then(
      () => "answered",
      () => "canceled",
    );
    await ports.clock.advance(100);
    expect(asked?.aborted).toBe(false);
    client.abort();
    await ports.clock.advance(100);
    expect([await outcome, asked?.aborted]).toEqual(["canceled", true]);
  });
});

describe("start and stop", () => {
  const addresses = { httpAddress: "127.0.0.1:13000", grpcAddress: "127.0.0.1:13100" };

  for (const [what, taken] of [
    ["HTTP", { httpAddress: "127.0.0.1:12001" }],
    ["StoreAPI", { grpcAddress: "127.0.0.1:12101" }],
  ] as const) {
    it(`a taken ${what} port is a failure that names it, and leaves nothing behind`, async () => {
      const { start } = await startHierarchy();
      const failed = await start({ name: "late", endpoints: [], ...addresses, ...taken });
      const address = Object.values(taken)[0];
      const message = `late cannot listen for ${what}: ${address}: address already in use`;
      expect(failed).toEqual({ ok: false, failure: { kind: "address", message } });
      const again = await start({ name: "late", endpoints: [], ...addresses });
      expect(again.ok).toBe(true);
    });
  }

  it("too many endpoints are a failure, not a crash", async () => {
    const ports = testPorts();
    const started = await startQuerier(
      {
        name: "q",
        ...addresses,
        endpoints: globalEndpoints,
        replicaLabels: [],
        renderMetrics: () => "",
        limits: { ...defaultQuerierLimits, endpointsMax: 1 },
      },
      ports,
    );
    expect(started).toEqual({
      ok: false,
      failure: { kind: "endpoints", message: "q: 2 endpoints, at most 1 are allowed" },
    });
  });

  it("a querier that stops is not ready, and its addresses are free", async () => {
    const { ports, regions: started, start, ask } = await startHierarchy();
    await ports.clock.advance(100);
    await started[1]?.stop(1_000);
    expect(started[1]?.ready()).toEqual({ ready: false, reason: "stopping" });
    expect((await ask("count by (cluster) (up)")).warnings.join("\n")).toContain("cluster-c");
    expect((await start({ ...regions[1], endpoints: [] })).ok).toBe(true);
  });

  it("says which release it is", () => {
    const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(manifest).toMatchObject({ version: releasedVersion });
  });
});

describe("a querier that goes by an endpoint file", () => {
  it("takes a cluster in within seconds of one change of the file, and stays ready", async () => {
    const { ports, start } = await startHierarchy();
    const write = async (...names: readonly string[]) => {
      const named = clusters.filter(({ name }) => names.includes(name)).map(({ address }) => ({ address }));
      await ports.files.writeFileAtomic(
        "/endpoints.yaml",
        new TextEncoder().encode(JSON.stringify({ endpoints: named })),
      );
    };
    await write("cluster-a");
    const [httpAddress, grpcAddress] = ["127.0.0.1:12900", "127.0.0.1:12901"];
    const endpointFiles = { paths: ["/endpoints.yaml"], intervalMs: 5_000 };
    const started = await start({ name: "by-file", httpAddress, grpcAddress, endpoints: [], endpointFiles });
    if (!started.ok) throw new Error(started.failure.message);
    const querier = started.value;
    await ports.clock.advance(100);
    const count = async () => {
      const target = `/api/v1/query?query=count(up)&time=${startMs / 1000}`;
      const { body } = await ports.network.fetchHttp(`http://${httpAddress}${target}`, {
        signal: new AbortController().signal,
        bodyBytesMax: 1 << 20,
      });
      return JSON.parse(new TextDecoder().decode(body)).data.result[0].value[1];
    };
    expect(await count()).toBe("1");
    await write("cluster-a", "cluster-b");
    await ports.clock.advance(5_100);
    expect(querier.ready()).toEqual({ ready: true });
    expect(await count()).toBe("2");
    await querier.stop(0);
  });

  it("does not start with one that is wrong", async () => {
    const { start } = await startHierarchy();
    const addresses = { httpAddress: "127.0.0.1:12900", grpcAddress: "127.0.0.1:12901" };
    const endpointFiles = { paths: ["/nosuch.yaml"], intervalMs: 5_000 };
    expect(await start({ name: "by-file", ...addresses, endpoints: [], endpointFiles })).toEqual({
      ok: false,
      failure: { kind: "endpoints", message: "by-file: /nosuch.yaml: ENOENT: readFile /nosuch.yaml" },
    });
  });
});
