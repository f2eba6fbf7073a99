import {
  collectSeries,
  compareLabels,
  formatSourceFailure,
  labelsFromRecord,
  labelValue,
  plainSelect,
  type Matcher,
  type SelectRequest,
  type SourceSeries,
} from "@pleiad/model";
import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { RpcError, type RpcHandler } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { createSeriesFrameWriter } from "@pleiad/wire";
import { describe, expect, it } from "vitest";
import type { EndpointSpec } from "./endpoint.ts";
import { createFanout, defaultFanout, type FanoutOptions } from "./fanout.ts";
import { storeHandlers } from "./store-handlers.ts";
import type { StoreIdentity } from "./store-identity.ts";
import { seriesMethod } from "./store-methods.ts";
import { memorySource, samplesOf, seriesOf } from "./testing.ts";

type TestPorts = ReturnType<typeof testPorts>;

const clusterNumber = (number: number) => `cluster-${String(number).padStart(3, "0")}`;
const externalLabels = (cluster: string, region = "a1") => labelsFromRecord({ cluster, region, replica: "0" });
const expected = (cluster: string, region = "a1") => ({ name: cluster, labels: externalLabels(cluster, region) });
const address = (port: number) => `127.0.0.1:${port}`;

const seriesOfCluster = (cluster: string, names: readonly string[] = ["load", "up"]): readonly SourceSeries[] =>
  names.map((name) =>
    seriesOf(labelsFromRecord({ __name__: name, cluster, region: "a1", replica: "0" }), [
      [0, 1],
      [30_000, 2],
    ]),
  );

const identityOf = (...clusters: readonly string[]): StoreIdentity => ({
  componentType: "sidecar",
  labelSets: clusters.map((cluster) => externalLabels(cluster)),
  minTimeMs: 0,
  maxTimeMs: Number.MAX_SAFE_INTEGER,
  tsdbInfos: [],
});

/** Serves one cluster's agent at 30000 + its number, and says how it is reached. */
async function serveCluster(ports: TestPorts, number: number, handlers?: Record<string, RpcHandler>) {
  const cluster = clusterNumber(number);
  const served = new Map(storeHandlers(memorySource(seriesOfCluster(cluster)), () => identityOf(cluster)));
  for (const [method, handler] of Object.entries(handlers ?? {})) served.set(method, handler);
  await ports.network.serveRpc(address(30_000 + number), served);
}

const clusterEndpoint = (number: number): EndpointSpec => ({
  address: address(30_000 + number),
  name: clusterNumber(number),
  expects: [expected(clusterNumber(number))],
});

function fanoutOver(ports: TestPorts, endpoints: readonly EndpointSpec[], options: Partial<FanoutOptions> = {}) {
  return createFanout({ ...defaultFanout, replicaLabels: ["replica"], endpoints, ...options }, ports);
}

async function ask(
  source: ReturnType<typeof createFanout>,
  request: Partial<SelectRequest> = {},
  signal = new AbortController().signal,
) {
  const { series, warnings, failure } = await collectSeries(source.select({ ...plainSelect, ...request }, signal));
  const clusters = [...new Set(series.map((one) => labelValue(one.labels, "cluster")))];
  return { series, clusters, warnings, failure: failure && formatSourceFailure(failure) };
}

const frames = (series: readonly SourceSeries[]) => {
  const writer = createSeriesFrameWriter({ batchSeriesMax: 1, frameBytesMax: 1 << 20, aggregates: undefined });
  for (const one of series) writer.series(one);
  return writer.take();
};
const streaming = (give: (signal: AbortSignal) => AsyncIterable<readonly Uint8Array[]>): RpcHandler => ({
  kind: "stream",
  handle: (_, { signal }) => give(signal),
});
const untilAborted = async (signal: AbortSignal) => {
  await new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new RpcError("CANCELLED", "canceled")), { once: true });
  });
};

runSeriesSourceAcceptance("fan-out", async (series) => {
  const ports = testPorts();
  const all = series.map(({ labels, samples }) => seriesOf(labels, samples));
  const identity = { componentType: "sidecar", labelSets: [], minTimeMs: 0, maxTimeMs: 9_000_000, tsdbInfos: [] };
  // Three parts that overlap: some series are in two of them. The third is a group of which one replica is away.
  const parts = [
    all.filter((_, i) => i % 3 !== 0),
    all.filter((_, i) => i % 3 !== 1),
    all.filter((_, i) => i % 3 === 1 || i === 0),
  ];
  const endpoints: EndpointSpec[] = [];
  for (const [i, part] of parts.entries()) {
    await ports.network.serveRpc(
      address(i),
      storeHandlers(memorySource(part), () => identity),
    );
    endpoints.push({ address: address(i), name: `part-${i}`, expects: [], ...(i === 2 ? { group: "third" } : {}) });
  }
  endpoints.push({ address: address(99), name: "part-3", group: "third", expects: [] });
  const source = fanoutOver(ports, endpoints);
  await source.refresh();
  return {
    source,
    decode: samplesOf,
    close: () => source.stop(),
  };
});

describe("an answer that lacks what the inventory expects says so", () => {
  for (const [rule, up, down, matchers, wanted, warnings] of [
    ["nothing is missing", [1, 2], [], [], [1, 2], []],
    [
      "one cluster refuses",
      [1, 2],
      [3],
      [],
      [1, 2],
      ["clusters missing from the answer: cluster-003 (connection refused by 127.0.0.1:30003)"],
    ],
    [
      "many are named up to three, and counted",
      [1],
      [2, 3, 4, 5, 6],
      [],
      [1],
      [
        "clusters missing from the answer: cluster-002, cluster-003, cluster-004 and 2 more " +
          "(connection refused by 127.0.0.1:30002, 127.0.0.1:30003, 127.0.0.1:30004 and 2 more)",
      ],
    ],
    [
      "a cluster that the matchers exclude is not missing",
      [1, 2],
      [3, 4],
      [{ type: "=~", name: "cluster", value: "cluster-00[123]" }],
      [1, 2],
      ["clusters missing from the answer: cluster-003 (connection refused by 127.0.0.1:30003)"],
    ],
    ["… nor is one of another region", [1], [3], [{ type: "!=", name: "region", value: "a1" }], [], []],
    [
      "a replica label excludes nothing: the cluster may have been replaced",
      [1],
      [3],
      [{ type: "=", name: "replica", value: "1" }],
      [],
      ["clusters missing from the answer: cluster-003 (connection refused by 127.0.0.1:30003)"],
    ],
  ] satisfies readonly (readonly [
    string,
    readonly number[],
    readonly number[],
    readonly Matcher[],
    readonly number[],
    readonly string[],
  ])[]) {
    it(rule, async () => {
      const ports = testPorts();
      for (const number of up) await serveCluster(ports, number);
      const source = fanoutOver(ports, [...up, ...down].map(clusterEndpoint));
      await source.refresh();
      const answer = await ask(source, { matchers });
      expect(answer.failure).toBeUndefined();
      expect(answer.clusters).toEqual(wanted.map(clusterNumber));
      expect(answer.warnings).toEqual(warnings);
      const names = await source.labelValues(
        "cluster",
        { ...plainSelect, matchers, limit: 0 },
        new AbortController().signal,
      );
      expect(names).toEqual({ ok: true, value: { values: wanted.map(clusterNumber), warnings } });
    });
  }

  it("before the first check nothing was reached", async () => {
    const ports = testPorts();
    await serveCluster(ports, 1);
    const source = fanoutOver(ports, [clusterEndpoint(1)]);
    expect((await ask(source)).warnings).toEqual([
      "clusters missing from the answer: cluster-001 (not reached yet at 127.0.0.1:30001)",
    ]);
  });

  it("an endpoint without an inventory is named itself", async () => {
    const ports = testPorts();
    const source = fanoutOver(ports, [{ address: address(1), name: "store-gateway", expects: [] }]);
    await source.refresh();
    expect((await ask(source)).warnings).toEqual([
      "endpoints missing from the answer: store-gateway (connection refused by 127.0.0.1:1)",
    ]);
  });

  it("one that is not ready is missing, with that reason", async () => {
    const ports = testPorts();
    const identity = { ...identityOf("cluster-001"), ready: false };
    await ports.network.serveRpc(
      address(30_001),
      storeHandlers(memorySource([]), () => identity),
    );
    const source = fanoutOver(ports, [clusterEndpoint(1)]);
    await source.refresh();
    expect((await ask(source)).warnings).toEqual([
      "clusters missing from the answer: cluster-001 (not ready at 127.0.0.1:30001)",
    ]);
  });

  it("an expected cluster that a foreign querier does not announce is missing, though that querier says nothing", async () => {
    const ports = testPorts();
    const source = memorySource(seriesOfCluster("cluster-001"));
    await ports.network.serveRpc(
      address(21_001),
      storeHandlers(source, () => identityOf("cluster-001")),
    );
    const expects = [expected("cluster-001"), expected("cluster-002")];
    const fanout = fanoutOver(ports, [{ address: address(21_001), name: "region-a1", expects }]);
    await fanout.refresh();
    const missing = "clusters missing from the answer: cluster-002 (not announced by 127.0.0.1:21001)";
    expect((await ask(fanout)).warnings).toEqual([missing]);
    const onlyMissing = [{ type: "=", name: "cluster", value: "cluster-002" }] as const;
    expect((await ask(fanout, { matchers: onlyMissing })).warnings).toEqual([missing]);
    const onlyThere = [{ type: "=", name: "cluster", value: "cluster-001" }] as const;
    expect((await ask(fanout, { matchers: onlyThere })).warnings).toEqual([]);
  });

  describe("a cluster whose agent is away, and whose blocks a store gateway announces,", () => {
    const hourMs = 3_600_000;
    const nowMs = 100 * hourMs;
    const blocksMs = { minTimeMs: 90 * hourMs, maxTimeMs: 98 * hourMs };
    const onlyTheAway = [{ type: "=", name: "cluster", value: "cluster-002" }] as const;
    const away = "clusters missing from the answer: cluster-002 (connection refused by 127.0.0.1:30002)";
    const unannounced = "clusters missing from the answer: cluster-002 (not announced by 127.0.0.1:21001)";

    /** Cluster 1 with its agent, cluster 2 without: a region over both and the gateway, and a querier over the region. */
    async function startTiers(options: {
      /** A regional querier of Thanos is silent about an endpoint that failed its check. */
      readonly isForeign?: boolean;
      readonly stretches?: readonly { readonly minTimeMs: number; readonly maxTimeMs: number }[];
      /** When the agent went, after it had been asked; before that, its oldest sample. */
      readonly agentMinTimeMs?: number;
      readonly blockReplica?: string;
    }) {
      const { isForeign = false, stretches = [blocksMs], agentMinTimeMs, blockReplica = "0" } = options;
      const ports = testPorts({ startMs: nowMs });
      await serveCluster(ports, 1);
      const labels = labelsFromRecord({ cluster: "cluster-002", region: "a1", replica: blockReplica });
      const tsdbInfos = stretches.map((one) => ({ labels, ...one }));
      const gateway = { ...identityOf("cluster-002"), componentType: "store", ...blocksMs, tsdbInfos };
      await ports.network.serveRpc(
        address(31_000),
        storeHandlers(memorySource(seriesOfCluster("cluster-002")), () => gateway),
      );
      if (agentMinTimeMs !== undefined) {
        const identity = { ...identityOf("cluster-002"), minTimeMs: agentMinTimeMs };
        await ports.network.serveRpc(
          address(30_002),
          storeHandlers(memorySource([]), () => identity),
        );
      }
      const store = { address: address(31_000), name: "store-gateway", expects: [] };
      const region = fanoutOver(ports, [...[1, 2].map(clusterEndpoint), store]);
      await region.refresh();
      if (agentMinTimeMs !== undefined) {
        ports.network.unplug(address(30_002));
        await region.refresh();
      }
      const ofAgent = { labels: externalLabels("cluster-001"), minTimeMs: 0, maxTimeMs: Number.MAX_SAFE_INTEGER };
      const served = isForeign ? fanoutOver(ports, [clusterEndpoint(1), store]) : region;
      await served.refresh();
      await ports.network.serveRpc(
        address(21_001),
        storeHandlers(served, () => ({ ...served.identity(), tsdbInfos: [ofAgent, ...tsdbInfos] })),
      );
      const expects = [expected("cluster-001"), expected("cluster-002")];
      const global = fanoutOver(ports, [{ address: address(21_001), name: "region-a1", expects }]);
      await global.refresh();
      return { ports, region, global };
    }

    for (const [rule, [fromHour, toHour], options, ofRegion, ofGlobal] of [
      ["is missing from recent answers", [99, 100], {}, [away], [away]],
      ["… from those to the end of time", [99, 1e9], {}, [away], [away]],
      ["… from those that go on after its last block", [95, 99], {}, [away], [away]],
      [
        "… and to the querier above where the region says nothing",
        [99, 100],
        { isForeign: true },
        [away],
        [unannounced],
      ],
      ["is whole in answers that its blocks give", [91, 97], {}, [], []],
      ["… also beyond a querier that says nothing", [91, 97], { isForeign: true }, [], []],
      ["is missing before its first block, where it is not known what the agent has", [80, 97], {}, [away], [away]],
      ["… and not where the agent had nothing so old", [80, 97], { agentMinTimeMs: 92 * hourMs }, [], []],
      [
        "is missing where its blocks leave a gap",
        [91, 97],
        {
          stretches: [
            { ...blocksMs, maxTimeMs: 93 * hourMs },
            { ...blocksMs, minTimeMs: 94 * hourMs },
          ],
        },
        [away],
        [away],
      ],
      [
        "… and not where several gateways have them in turn",
        [91, 97],
        {
          stretches: [
            { ...blocksMs, minTimeMs: 93 * hourMs },
            { ...blocksMs, maxTimeMs: 93 * hourMs },
          ],
        },
        [],
        [],
      ],
      ["is missing where the blocks are those of its other replica", [91, 97], { blockReplica: "1" }, [away], [away]],
    ] satisfies readonly (readonly [
      string,
      readonly [number, number],
      Parameters<typeof startTiers>[0],
      readonly string[],
      readonly string[],
    ])[]) {
      it(rule, async () => {
        const { region, global } = await startTiers(options);
        const request = { matchers: onlyTheAway, minTimeMs: fromHour * hourMs, maxTimeMs: toHour * hourMs };
        expect((await ask(region, request)).warnings).toEqual(ofRegion);
        expect((await ask(global, request)).warnings).toEqual(ofGlobal);
        const names = await global.labelValues(
          "cluster",
          { ...plainSelect, ...request, limit: 0 },
          new AbortController().signal,
        );
        expect(names.ok && names.value.warnings).toEqual(ofGlobal);
        const { failure } = await ask(global, { ...request, onFailure: "abort" });
        expect(failure !== undefined).toBe(ofGlobal.length > 0);
      });
    }

    it("is missing in the inventories of both tiers, and no more once it is back", async () => {
      const { ports, region, global } = await startTiers({});
      for (const one of [region, global]) {
        expect(one.inventory()).toEqual({ expected: ["cluster-001", "cluster-002"], missing: ["cluster-002"] });
      }
      expect(global.endpoints()[0]?.missing).toEqual(["cluster-002"]);
      await serveCluster(ports, 2);
      await region.refresh();
      expect(region.inventory().missing).toEqual([]);
    });

    it("is not missing to who expects only its blocks, of a gateway", async () => {
      const { ports } = await startTiers({});
      const store = { address: address(31_000), name: "store-gateway", expects: [expected("cluster-002")] };
      const fanout = fanoutOver(ports, [store]);
      await fanout.refresh();
      expect(fanout.inventory().missing).toEqual([]);
      const recent = { matchers: onlyTheAway, minTimeMs: 99 * hourMs, maxTimeMs: nowMs };
      expect((await ask(fanout, recent)).warnings).toEqual([]);
    });
  });

  it("under abort it is no answer", async () => {
    const ports = testPorts();
    await serveCluster(ports, 1);
    const source = fanoutOver(ports, [1, 3].map(clusterEndpoint));
    await source.refresh();
    const missing = "fan-out: clusters missing from the answer: cluster-003 (connection refused by 127.0.0.1:30003)";
    expect((await ask(source, { onFailure: "abort" })).failure).toBe(missing);
    const request = { ...plainSelect, onFailure: "abort", limit: 0 } as const;
    const names = await source.labelNames(request, new AbortController().signal);
    expect(names.ok ? "" : formatSourceFailure(names.failure)).toBe(missing);
    const other = [{ type: "=", name: "cluster", value: "cluster-001" }] as const;
    expect((await ask(source, { onFailure: "abort", matchers: other })).failure).toBeUndefined();
  });

  it("who comes back is asked again after the next check, who goes is missing at once", async () => {
    const ports = testPorts();
    for (const number of [1, 2]) await serveCluster(ports, number);
    const source = fanoutOver(ports, [1, 2].map(clusterEndpoint));
    source.start();
    await ports.clock.advance(0);
    expect((await ask(source)).warnings).toEqual([]);
    ports.network.unplug(address(30_002));
    const missing = "clusters missing from the answer: cluster-002 (connection refused by 127.0.0.1:30002)";
    expect((await ask(source)).warnings).toEqual([missing]);
    await ports.clock.advance(5_000);
    expect(source.inventory()).toEqual({ expected: ["cluster-001", "cluster-002"], missing: ["cluster-002"] });
    ports.network.plug(address(30_002));
    expect((await ask(source)).warnings).toEqual([missing]);
    await ports.clock.advance(5_000);
    expect((await ask(source)).warnings).toEqual([]);
    expect(source.inventory().missing).toEqual([]);
    await source.stop();
  });
});

describe("an endpoint that fails while it is asked", () => {
  const cluster2 = seriesOfCluster(clusterNumber(2), ["a", "b", "c"]);
  const [first, second, third] = cluster2 as [SourceSeries, SourceSeries, SourceSeries];
  const missing = (reason: string) => `clusters missing from the answer: cluster-002 (${reason} 127.0.0.1:30002)`;
  const incomplete = (reason: string) => `clusters incomplete in the answer: cluster-002 (${reason} 127.0.0.1:30002)`;
  for (const [rule, handler, ofCluster2, warning] of [
    [
      "refuses the stream",
      streaming(async function* () {
        yield [];
        throw new RpcError("UNAVAILABLE", "draining");
      }),
      0,
      missing("draining at"),
    ],
    [
      "dies after three series: the last of them may not be whole",
      streaming(async function* () {
        yield frames(cluster2);
        throw new RpcError("UNAVAILABLE", "connection to 127.0.0.1:30002 lost");
      }),
      2,
      incomplete("connection lost to"),
    ],
    [
      "hangs before its first answer",
      streaming(async function* (signal) {
        yield [];
        await untilAborted(signal);
      }),
      0,
      missing("no answer within 30 s from"),
    ],
    [
      "hangs in the middle",
      streaming(async function* (signal) {
        yield frames(cluster2);
        await untilAborted(signal);
      }),
      2,
      incomplete("no answer within 30 s from"),
    ],
    [
      "sends garbage",
      streaming(async function* () {
        yield frames(cluster2);
        yield [Uint8Array.of(0x0a, 0x7f, 1)];
      }),
      2,
      incomplete("corrupt data, message ends inside a field at byte 2, from"),
    ],
    [
      "sends series out of order",
      streaming(async function* () {
        yield frames([first, third, second]);
      }),
      0,
      missing(
        'corrupt data, series out of order: b{cluster="cluster-002", region="a1", replica="0"} after ' +
          'c{cluster="cluster-002", region="a1", replica="0"}, from',
      ),
    ],
    [
      "sends more bytes than a message may have",
      streaming(async function* () {
        yield [new Uint8Array(2_000_000)];
      }),
      0,
      missing("message of 2000000 bytes, limit 1000000 at"),
    ],
    [
      "has no such method",
      { kind: "unary", handle: async () => new Uint8Array(0) },
      0,
      missing("unknown method /thanos.Store/Series at"),
    ],
  ] satisfies readonly (readonly [string, RpcHandler, number, string])[]) {
    it(rule, async () => {
      const ports = testPorts();
      await serveCluster(ports, 1);
      await serveCluster(ports, 2, { [seriesMethod]: handler });
      const source = fanoutOver(ports, [1, 2].map(clusterEndpoint), { messageBytesMax: 1_000_000 });
      await source.refresh();
      const asking = ask(source);
      await ports.clock.advance(30_000);
      const answer = await asking;
      expect(answer.failure).toBeUndefined();
      expect(answer.warnings).toEqual([warning]);
      const given = answer.series.filter((one) => labelValue(one.labels, "cluster") === clusterNumber(2));
      expect(given).toHaveLength(ofCluster2);
      expect(answer.series.length).toBe(ofCluster2 + 2);
      const strict = ask(source, { onFailure: "abort" });
      await ports.clock.advance(30_000);
      expect((await strict).failure).toMatch(/^(cluster-002|fan-out): /);
    });
  }

  for (const [rule, limits, failure] of [
    ["a million series", { seriesMax: 500 }, "cluster-001: more than 500 series"],
    ["more bytes than an answer may have", { responseBytesMax: 100_000 }, "cluster-001: more than 100000 bytes"],
  ] as const) {
    it(`sends ${rule}: no answer, and the rest is not read`, async () => {
      const ports = testPorts();
      let sent = 0;
      await serveCluster(ports, 1, {
        [seriesMethod]: streaming(async function* () {
          for (; sent < 1_000_000; sent += 100) {
            const label = (i: number) => ({ __name__: "up", cluster: clusterNumber(1), i: String(1e7 + i) });
            yield frames(
              Array.from({ length: 100 }, (_, i) => ({ labels: labelsFromRecord(label(sent + i)), chunks: [] })),
            );
          }
        }),
      });
      const source = fanoutOver(ports, [clusterEndpoint(1)], limits);
      await source.refresh();
      expect((await ask(source)).failure).toBe(failure);
      expect(sent).toBeLessThan(10_000);
    });
  }

  for (const [rule, limits, failure] of [
    ["series", { seriesMax: 5 }, "fan-out: more than 5 series"],
    ["bytes", { responseBytesMax: 300 }, "fan-out: more than 300 bytes"],
  ] as const) {
    it(`limits hold for all endpoints together: ${rule}`, async () => {
      const ports = testPorts();
      for (const number of [1, 2, 3]) await serveCluster(ports, number);
      const source = fanoutOver(ports, [1, 2, 3].map(clusterEndpoint), limits);
      await source.refresh();
      expect((await ask(source)).failure).toBe(failure);
    });
  }

  it("does not take the others with it when it hangs: they wait, and that is not counted", async () => {
    const ports = testPorts();
    const many = seriesOfCluster(
      clusterNumber(1),
      Array.from({ length: 5000 }, (_, i) => `m${10_000 + i}`),
    );
    await ports.network.serveRpc(
      address(30_001),
      storeHandlers(memorySource(many), () => identityOf(clusterNumber(1))),
    );
    await serveCluster(ports, 2, {
      [seriesMethod]: streaming(async function* (signal) {
        yield frames(seriesOfCluster(clusterNumber(2), ["m10001", "m10002"]));
        await untilAborted(signal);
      }),
    });
    const source = fanoutOver(ports, [1, 2].map(clusterEndpoint));
    await source.refresh();
    const asking = ask(source);
    await ports.clock.advance(30_000);
    const answer = await asking;
    expect(answer.series).toHaveLength(5001);
    expect(answer.warnings).toEqual([incomplete("no answer within 30 s from")]);
  });

  it("is canceled with its caller", async () => {
    const ports = testPorts();
    let aborted = false;
    await serveCluster(ports, 1, {
      [seriesMethod]: streaming(async function* (signal) {
        signal.addEventListener("abort", () => (aborted = true));
        yield [];
        await untilAborted(signal);
      }),
    });
    const source = fanoutOver(ports, [clusterEndpoint(1)]);
    await source.refresh();
    const controller = new AbortController();
    const asking = ask(source, {}, controller.signal);
    await ports.clock.advance(1000);
    controller.abort();
    expect((await asking).failure).toBe("fan-out: the request was canceled");
    expect(aborted).toBe(true);
  });
});

describe("replicas of a group", () => {
  const replicas = (expects = [expected("cluster-001")]): readonly EndpointSpec[] =>
    [21_001, 21_002].map((port, i) => ({
      address: address(port),
      name: `region-a1-${i}`,
      group: "region-a1",
      expects,
    }));
  const names = ["a", "b", "c", "d", "e"];
  const series = seriesOfCluster("cluster-001", names);
  const good = () => new Map(storeHandlers(memorySource(series), () => identityOf("cluster-001")));

  it("are asked in turn, one a request", async () => {
    const ports = testPorts();
    const asked: string[] = [];
    for (const { address: at } of replicas()) {
      const handlers = good();
      const inner = handlers.get(seriesMethod);
      handlers.set(seriesMethod, {
        kind: "stream",
        handle: (request, context) => {
          asked.push(at);
          if (inner?.kind !== "stream") throw new Error("not a stream");
          return inner.handle(request, context);
        },
      });
      await ports.network.serveRpc(at, handlers);
    }
    const source = fanoutOver(ports, replicas());
    await source.refresh();
    for (let i = 0; i < 4; i++) expect((await ask(source)).series).toEqual(series);
    expect(asked.toSorted()).toEqual([address(21_001), address(21_001), address(21_002), address(21_002)]);
  });

  for (const [rule, handler] of [
    [
      "fails before its first series",
      streaming(async function* () {
        yield [];
        throw new RpcError("UNAVAILABLE", "draining");
      }),
    ],
    [
      "hangs before its first series",
      streaming(async function* (signal) {
        yield [];
        await untilAborted(signal);
      }),
    ],
    [
      "dies in the middle: what was given is not given again",
      streaming(async function* () {
        yield frames(series.slice(0, 2));
        yield frames(series.slice(2, 3));
        throw new RpcError("UNAVAILABLE", "connection to 127.0.0.1:21001 lost");
      }),
    ],
    [
      "sends garbage",
      streaming(async function* () {
        yield frames(series.slice(0, 2));
        yield [Uint8Array.of(0xff)];
      }),
    ],
  ] satisfies readonly (readonly [string, RpcHandler])[]) {
    it(`go on where one of them ${rule}`, async () => {
      const ports = testPorts();
      await ports.network.serveRpc(address(21_001), good().set(seriesMethod, handler));
      await ports.network.serveRpc(address(21_002), good());
      const source = fanoutOver(ports, replicas());
      await source.refresh();
      for (let turn = 0; turn < 2; turn++) {
        const asking = ask(source);
        await ports.clock.advance(15_000);
        expect(await asking).toMatchObject({ series, warnings: [], failure: undefined });
      }
    });
  }

  it("are missing together, with the count of their clusters and both reasons", async () => {
    const ports = testPorts();
    const expects = Array.from({ length: 60 }, (_, i) => expected(clusterNumber(i + 1)));
    await ports.network.serveRpc(
      address(21_002),
      storeHandlers(memorySource([]), () => ({ ...identityOf(), ready: false })),
    );
    const source = fanoutOver(ports, replicas(expects));
    await source.refresh();
    expect((await ask(source)).warnings).toEqual([
      "clusters missing from the answer: 60 of region-a1: cluster-001, cluster-002, cluster-003 and 57 more " +
        "(connection refused by 127.0.0.1:21001; not ready at 127.0.0.1:21002)",
    ]);
    const two = [{ type: "=~", name: "cluster", value: "cluster-00[12]" }] as const;
    expect((await ask(source, { matchers: two })).warnings).toEqual([
      "clusters missing from the answer: 2 of region-a1: cluster-001, cluster-002 " +
        "(connection refused by 127.0.0.1:21001; not ready at 127.0.0.1:21002)",
    ]);
  });

  it("the one that sees more clusters is asked", async () => {
    const ports = testPorts();
    await ports.network.serveRpc(
      address(21_001),
      storeHandlers(memorySource([]), () => ({ ...identityOf(), componentType: "query" })),
    );
    await ports.network.serveRpc(address(21_002), good());
    const source = fanoutOver(ports, replicas());
    await source.refresh();
    for (let turn = 0; turn < 3; turn++) expect(await ask(source)).toMatchObject({ series, warnings: [] });
  });
});

describe("two tiers", () => {
  async function hierarchy(ports: TestPorts) {
    const numbers = [1, 2, 3, 4, 5, 6];
    for (const number of numbers) await serveCluster(ports, number);
    const regions = [0, 1].map((replica) =>
      fanoutOver(ports, numbers.map(clusterEndpoint), { name: `region-a1-${replica}` }),
    );
    for (const [i, region] of regions.entries()) {
      await region.refresh();
      await ports.network.serveRpc(
        address(21_001 + i),
        storeHandlers(region, () => region.identity()),
      );
    }
    const expects = numbers.map((number) => expected(clusterNumber(number)));
    const global = fanoutOver(
      ports,
      [21_001, 21_002].map((port) => ({ address: address(port), name: `${port}`, group: "region-a1", expects })),
      { name: "global" },
    );
    await global.refresh();
    return { regions, global };
  }

  it("give the series of all clusters, in order, without replica labels", async () => {
    const { global } = await hierarchy(testPorts());
    const { series, warnings } = await ask(global, { withoutLabels: ["replica"] });
    expect(warnings).toEqual([]);
    expect(series).toHaveLength(12);
    expect(series.map((one) => one.labels)).toEqual(series.map((one) => one.labels).sort(compareLabels));
    expect(series.some((one) => labelValue(one.labels, "replica") !== "")).toBe(false);
  });

  it("tell above what is missing below, once and in the words of the tier that knows why", async () => {
    const ports = testPorts();
    const { regions, global } = await hierarchy(ports);
    for (const number of [2, 5]) ports.network.unplug(address(30_000 + number));
    for (const region of regions) await region.refresh();
    await global.refresh();
    const missing =
      "clusters missing from the answer: cluster-002, cluster-005 " +
      "(connection refused by 127.0.0.1:30002, 127.0.0.1:30005)";
    expect((await ask(global)).warnings).toEqual([missing]);
    const one = [{ type: "=", name: "cluster", value: "cluster-002" }] as const;
    expect((await ask(global, { matchers: one })).warnings).toEqual([
      "clusters missing from the answer: cluster-002 (connection refused by 127.0.0.1:30002)",
    ]);
    expect((await ask(global, { onFailure: "abort" })).failure).toContain(missing);
    expect(global.inventory().missing).toEqual(["cluster-002", "cluster-005"]);
  });

  it("tell of a whole region", async () => {
    const ports = testPorts();
    const { global } = await hierarchy(ports);
    for (const port of [21_001, 21_002]) ports.network.unplug(address(port));
    const missing =
      "clusters missing from the answer: 6 of region-a1: cluster-001, cluster-002, cluster-003 and 3 more " +
      "(connection refused by 127.0.0.1:21001, 127.0.0.1:21002)";
    const answer = await ask(global);
    expect([answer.warnings, answer.series]).toEqual([
      [missing.replace("127.0.0.1:21001, 127.0.0.1:21002", "127.0.0.1:21002, 127.0.0.1:21001")],
      [],
    ]);
    await global.refresh();
    expect((await ask(global)).warnings).toEqual([missing]);
  });

  it("a region is one store to those above: the label sets of its healthy clusters, replica labels kept", async () => {
    const ports = testPorts();
    const { regions } = await hierarchy(ports);
    ports.network.unplug(address(30_002));
    await regions[0]?.refresh();
    const identity = regions[0]?.identity();
    expect(identity?.componentType).toBe("query");
    expect(identity?.labelSets).toEqual([1, 3, 4, 5, 6].map((number) => externalLabels(clusterNumber(number))));
    expect([identity?.minTimeMs, identity?.maxTimeMs]).toEqual([0, Number.MAX_SAFE_INTEGER]);
  });
});

describe("endpoints", () => {
  it("are shown with what they said, their last error and what they lack", async () => {
    const ports = testPorts();
    await serveCluster(ports, 1);
    const source = fanoutOver(ports, [1, 2].map(clusterEndpoint));
    await source.refresh();
    const lastCheckMs = ports.clock.wallMs();
    expect(source.endpoints()).toEqual([
      {
        name: "cluster-001",
        address: "127.0.0.1:30001",
        group: undefined,
        componentType: "sidecar",
        healthy: true,
        lastCheckMs,
        lastError: undefined,
        labelSets: [externalLabels("cluster-001")],
        minTimeMs: 0,
        maxTimeMs: Number.MAX_SAFE_INTEGER,
        expects: ["cluster-001"],
        missing: [],
      },
      {
        name: "cluster-002",
        address: "127.0.0.1:30002",
        group: undefined,
        componentType: "unknown",
        healthy: false,
        lastCheckMs,
        lastError: "connection refused by 127.0.0.1:30002",
        labelSets: [],
        minTimeMs: undefined,
        maxTimeMs: undefined,
        expects: ["cluster-002"],
        missing: ["cluster-002"],
      },
    ]);
  });

  it("are as many as allowed, no more", () => {
    const endpoints = [1, 2, 3].map(clusterEndpoint);
    expect(() => fanoutOver(testPorts(), endpoints, { endpointsMax: 2 })).toThrow("3 endpoints, at most 2 are allowed");
  });

  it("are asked only where labels and times can match", async () => {
    const ports = testPorts();
    const asked: number[] = [];
    for (const number of [1, 2, 3]) {
      await serveCluster(ports, number, {
        [seriesMethod]: streaming(async function* () {
          asked.push(number);
          yield [];
        }),
      });
    }
    const source = fanoutOver(ports, [1, 2, 3].map(clusterEndpoint));
    await source.refresh();
    await ask(source, { matchers: [{ type: "=~", name: "cluster", value: "cluster-00[13]" }] });
    expect(asked.splice(0)).toEqual([1, 3]);
    await ask(source, { matchers: [{ type: "=", name: "job", value: "node" }] });
    expect(asked.splice(0)).toEqual([1, 2, 3]);
    expect((await ask(source, { minTimeMs: -2000, maxTimeMs: -1000 })).warnings).toEqual([]);
    expect(asked).toEqual([]);
  });

  it("that hold the same chunk give it once; a limit of series is kept", async () => {
    const ports = testPorts();
    await ports.network.serveRpc(
      address(1),
      storeHandlers(memorySource(seriesOfCluster("x")), () => identityOf("x")),
    );
    await ports.network.serveRpc(
      address(2),
      storeHandlers(memorySource(seriesOfCluster("x")), () => identityOf("x")),
    );
    const source = fanoutOver(
      ports,
      [1, 2].map((port) => ({ address: address(port), name: `${port}`, expects: [] })),
    );
    await source.refresh();
    expect((await ask(source)).series).toEqual(seriesOfCluster("x"));
    expect((await ask(source, { seriesMax: 1 })).series).toEqual(seriesOfCluster("x").slice(0, 1));
  });
});

it("tells those above of one database a cluster, from its oldest block to its newest sample", async () => {
  const ports = testPorts();
  const labels = externalLabels(clusterNumber(1));
  const parts: readonly [port: number, minTimeMs: number, maxTimeMs: number][] = [
    [1, 7_200_000, 9_000_000],
    [2, 0, 7_000_000],
  ];
  for (const [port, minTimeMs, maxTimeMs] of parts) {
    const identity = {
      ...identityOf(clusterNumber(1)),
      minTimeMs,
      maxTimeMs,
      tsdbInfos: [{ labels, minTimeMs, maxTimeMs }],
    };
    await ports.network.serveRpc(
      address(port),
      storeHandlers(memorySource([]), () => identity),
    );
  }
  const endpoints = parts.map(([port]) => ({ address: address(port), name: `part-${port}`, expects: [] }));
  const source = fanoutOver(ports, endpoints);
  await source.refresh();
  expect(source.identity().tsdbInfos).toEqual([{ labels, minTimeMs: 0, maxTimeMs: 9_000_000 }]);
  await source.stop();
});

describe("endpoints that come and go while it runs", () => {
  it("a cluster that comes is in the next answer, one that goes is missed by nobody", async () => {
    const ports = testPorts();
    for (const number of [1, 2, 3]) await serveCluster(ports, number);
    const fanout = fanoutOver(ports, [1, 2].map(clusterEndpoint));
    fanout.start();
    await ports.clock.advance(100);
    expect(await fanout.setEndpoints([2, 3].map(clusterEndpoint))).toEqual({ ok: true, value: undefined });
    const { clusters, warnings } = await ask(fanout);
    expect({ clusters, warnings }).toEqual({ clusters: ["cluster-002", "cluster-003"], warnings: [] });
    expect(fanout.inventory()).toEqual({ expected: ["cluster-002", "cluster-003"], missing: [] });
    await fanout.stop();
  });

  it("one that stays keeps what is known of it; one that does not answer is waited for, and missed", async () => {
    const ports = testPorts();
    await serveCluster(ports, 1);
    const fanout = fanoutOver(ports, [clusterEndpoint(1)]);
    fanout.start();
    await ports.clock.advance(100);
    const [before] = fanout.endpoints();
    await fanout.setEndpoints([1, 2].map(clusterEndpoint));
    expect(fanout.endpoints()[0]).toEqual(before);
    const { clusters, warnings } = await ask(fanout);
    expect(clusters).toEqual(["cluster-001"]);
    expect(warnings).toEqual(["clusters missing from the answer: cluster-002 (connection refused by 127.0.0.1:30002)"]);
    await fanout.stop();
  });

  it("a request under way gets its answer from an endpoint that goes", async () => {
    const ports = testPorts();
    const gate = Promise.withResolvers<void>();
    const writer = createSeriesFrameWriter({ batchSeriesMax: 1, frameBytesMax: 1 << 20, aggregates: undefined });
    for (const one of seriesOfCluster("cluster-001")) writer.series(one);
    const frames = writer.take();
    await serveCluster(ports, 1, {
      [seriesMethod]: {
        kind: "stream",
        async *handle() {
          await gate.promise;
          yield frames;
        },
      },
    });
    const fanout = fanoutOver(ports, [clusterEndpoint(1)]);
    fanout.start();
    await ports.clock.advance(100);
    const asking = ask(fanout);
    await ports.clock.advance(10);
    await fanout.setEndpoints([]);
    gate.resolve();
    const { clusters, warnings } = await asking;
    expect({ clusters, warnings }).toEqual({ clusters: ["cluster-001"], warnings: [] });
    await fanout.stop();
  });

  it("more than it takes change nothing", async () => {
    const ports = testPorts();
    await serveCluster(ports, 1);
    const fanout = fanoutOver(ports, [clusterEndpoint(1)], { endpointsMax: 1 });
    expect(await fanout.setEndpoints([1, 2].map(clusterEndpoint))).toEqual({
      ok: false,
      failure: "2 endpoints, at most 1 are allowed",
    });
    expect(fanout.endpoints().length).toBe(1);
    await fanout.stop();
  });
});
