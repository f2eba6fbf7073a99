/** Rules, targets, metadata and exemplars over Thanos's services: one server, many, and tiers of them; and who is missing. */
import {
  collectSeries,
  everyRule,
  labelsFromRecord,
  labelValue,
  monitoringServices,
  plainSelect,
  type ExemplarsRequest,
  type Labels,
  type MonitoringService,
  type MonitoringSource,
} from "@pleiad/model";
import {
  acceptanceLabels,
  acceptanceMonitoring,
  monitoringDataOf,
  runMonitoringSourceAcceptance,
  type MonitoringData,
} from "@pleiad/model/monitoring-acceptance";
import { RpcError, type RpcHandler } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { encodeInfoResponse, encodeRuleGroup, noCapabilities } from "@pleiad/wire";
import { describe, expect, it } from "vitest";
import type { EndpointSpec } from "./endpoint.ts";
import { createFanout, defaultFanout, type Fanout, type FanoutOptions } from "./fanout.ts";
import { defaultMonitoringHandlers, monitoringHandlers } from "./monitoring-handlers.ts";
import { monitoringMethods } from "./monitoring-methods.ts";
import { storeHandlers } from "./store-handlers.ts";
import { infoMethod } from "./store-methods.ts";
import type { StoreIdentity } from "./store-identity.ts";
import { memoryMonitoring, memorySource, plainSelectors } from "./testing.ts";

type TestPorts = ReturnType<typeof testPorts>;
const { signal } = new AbortController();

const externalLabels = (cluster: string, replica = "0") => labelsFromRecord({ cluster, replica });

interface Served {
  readonly labels: Labels;
  readonly monitoring?: MonitoringSource;
  readonly serves?: readonly MonitoringService[];
  readonly handlers?: Readonly<Record<string, RpcHandler>>;
}

/** One leaf; without more it tells of all four. */
async function serve(ports: TestPorts, address: string, { labels, serves, handlers = {}, ...others }: Served) {
  const monitoring = others.monitoring ?? memoryMonitoring(monitoringDataOf(labels));
  const identity: StoreIdentity = {
    componentType: "sidecar",
    labelSets: [labels],
    minTimeMs: 0,
    maxTimeMs: Number.MAX_SAFE_INTEGER,
    tsdbInfos: [],
    serves: serves ?? monitoringServices,
  };
  const served = new Map([
    ...storeHandlers(memorySource([]), () => identity),
    ...monitoringHandlers(monitoring, () => true, plainSelectors),
    ...Object.entries(handlers),
  ]);
  return await ports.network.serveRpc(address, served);
}

const endpoint = (address: string, cluster: string, more: Partial<EndpointSpec> = {}): EndpointSpec => ({
  address,
  name: address.split(":")[0] ?? "",
  expects: [{ name: cluster, labels: labelsFromRecord({ cluster }) }],
  ...more,
});

async function fanoutOver(ports: TestPorts, endpoints: readonly EndpointSpec[], changes: Partial<FanoutOptions> = {}) {
  const fanout = createFanout({ ...defaultFanout, replicaLabels: ["replica"], endpoints, ...changes }, ports);
  await fanout.refresh();
  return fanout;
}

/** Serves a fan-out to a tier above. */
async function serveFanout(ports: TestPorts, address: string, fanout: Fanout) {
  const identity = () => ({ ...fanout.identity(), serves: monitoringServices });
  await ports.network.serveRpc(
    address,
    new Map([...storeHandlers(fanout, identity), ...monitoringHandlers(fanout.monitoring, () => true, plainSelectors)]),
  );
}

runMonitoringSourceAcceptance("what is held in memory", monitoringServices, async (data) => ({
  source: memoryMonitoring(data),
  holds: data,
}));

runMonitoringSourceAcceptance("a fan-out over one server", monitoringServices, async (data) => {
  const ports = testPorts();
  await serve(ports, "leaf:1", { labels: acceptanceLabels, monitoring: memoryMonitoring(data) });
  const fanout = await fanoutOver(ports, [endpoint("leaf:1", "a")]);
  return { source: fanout.monitoring, holds: data, close: async () => await fanout.stop() };
});

runMonitoringSourceAcceptance(
  "a fan-out over two that share it, over another one",
  monitoringServices,
  async (data) => {
    const ports = testPorts();
    const [first, second] = halvesOf(data);
    await serve(ports, "first:1", { labels: acceptanceLabels, monitoring: memoryMonitoring(first) });
    await serve(ports, "second:1", { labels: acceptanceLabels, monitoring: memoryMonitoring(second) });
    const below = await fanoutOver(ports, [endpoint("first:1", "a"), endpoint("second:1", "a")]);
    await serveFanout(ports, "below:1", below);
    const fanout = await fanoutOver(ports, [endpoint("below:1", "a")]);
    return {
      source: fanout.monitoring,
      holds: data,
      close: async () => {
        await fanout.stop();
        await below.stop();
      },
    };
  },
);

/** What two tell of of which each has half, and both one in the middle. */
function halvesOf({
  groups,
  active,
  dropped,
  metrics,
  exemplars,
}: MonitoringData): readonly [MonitoringData, MonitoringData] {
  return [
    { groups: groups.slice(0, 1), active: active.slice(0, 1), dropped, metrics: metrics.slice(0, 2), exemplars },
    { groups, active: active.slice(1), dropped: [], metrics: metrics.slice(1), exemplars: exemplars.slice(1) },
  ];
}

const questions = {
  rules: async ({ monitoring }: Fanout, onFailure: "warn" | "abort" = "warn") =>
    await monitoring.rules({ ...everyRule, withoutLabels: ["replica"], onFailure }, signal),
  targets: async ({ monitoring }: Fanout, onFailure: "warn" | "abort" = "warn") =>
    await monitoring.targets({ state: "any", withoutLabels: ["replica"], onFailure }, signal),
  metadata: async ({ monitoring }: Fanout, onFailure: "warn" | "abort" = "warn") =>
    await monitoring.metadata({ metric: "", limit: -1, onFailure }, signal),
  exemplars: async ({ monitoring }: Fanout, onFailure: "warn" | "abort" = "warn") =>
    await monitoring.exemplars(exemplarsRequest({ onFailure }), signal),
} satisfies Record<MonitoringService, unknown>;

const exemplarsRequest = (more: Partial<ExemplarsRequest> = {}): ExemplarsRequest => ({
  selectors: [[{ type: "!=", name: "__name__", value: "" }]],
  ...{ minTimeMs: 0, maxTimeMs: 8.64e15, withoutLabels: ["replica"], onFailure: "warn" },
  ...more,
});

const answerOf = <T>(result: { readonly ok: boolean; readonly value?: T }): T => {
  if (!result.ok || result.value === undefined) throw new Error(JSON.stringify(result));
  return result.value;
};

const warningsOf = (result: { readonly ok: boolean; readonly value?: { readonly warnings: readonly string[] } }) =>
  answerOf<{ readonly warnings: readonly string[] }>(result).warnings;

describe("replicas and clusters under a fan-out", () => {
  it("replicas are one, clusters are not", async () => {
    const ports = testPorts();
    const all = [
      ["a0:1", "a", "0"],
      ["a1:1", "a", "1"],
      ["b0:1", "b", "0"],
    ] as const;
    for (const [address, cluster, replica] of all)
      await serve(ports, address, { labels: externalLabels(cluster, replica) });
    const fanout = await fanoutOver(
      ports,
      all.map(([address, cluster]) => endpoint(address, cluster)),
    );
    const { groups, active, dropped, metrics, exemplars } = acceptanceMonitoring;
    const rules = answerOf(await questions.rules(fanout));
    expect(rules.warnings).toEqual([]);
    expect(rules.groups.map((one) => one.rules.length)).toEqual(groups.map((one) => 2 * one.rules.length));
    const targets = answerOf(await questions.targets(fanout));
    expect([targets.active.length, targets.dropped.length]).toEqual([2 * active.length, 2 * dropped.length]);
    expect(answerOf(await questions.metadata(fanout)).metrics).toEqual(metrics);
    const found = answerOf(await questions.exemplars(fanout)).series;
    expect(found.map((one) => labelValue(one.labels, "cluster"))).toEqual(exemplars.flatMap(() => ["a", "b"]));
    expect(found.map((one) => one.exemplars.length)).toEqual(
      exemplars.flatMap((one) => Array(2).fill(one.exemplars.length)),
    );
    await fanout.stop();
  });

  it("of a group one is asked, and another where that fails", async () => {
    const ports = testPorts();
    const away: RpcHandler = {
      kind: "stream",
      // eslint-disable-next-line require-yield
      async *handle() {
        throw new RpcError("INTERNAL", "broken");
      },
    };
    const handlers = Object.fromEntries(Object.values(monitoringMethods).map((method) => [method, away]));
    await serve(ports, "a0:1", { labels: externalLabels("a"), handlers });
    await serve(ports, "a1:1", { labels: externalLabels("a") });
    const group = { group: "a" };
    const fanout = await fanoutOver(ports, [endpoint("a0:1", "a", group), endpoint("a1:1", "a", group)]);
    for (const service of monitoringServices) {
      for (const round of [1, 2]) {
        const warnings = warningsOf(await questions[service](fanout));
        expect([service, round, warnings]).toEqual([service, round, []]);
      }
    }
    await fanout.stop();
  });
});

describe("what is missing is named", () => {
  for (const service of monitoringServices) {
    it(`${service}: of an endpoint that has gone, and "abort" fails`, async () => {
      const ports = testPorts();
      await serve(ports, "a0:1", { labels: externalLabels("a") });
      await serve(ports, "b0:1", { labels: externalLabels("b") });
      const fanout = await fanoutOver(ports, [endpoint("a0:1", "a"), endpoint("b0:1", "b")]);
      ports.network.unplug("b0:1");
      for (const when of ["at once", "after a round", "after ten minutes"]) {
        const warnings = warningsOf(await questions[service](fanout));
        expect([when, warnings]).toEqual([
          when,
          [expect.stringMatching(/^clusters missing from the answer: b \(.* b0:1\)$/)],
        ]);
        const failed = await questions[service](fanout, "abort");
        expect(failed).toMatchObject({ ok: false, failure: { kind: "unavailable", reason: warnings[0] } });
        if (when === "after a round") await ports.clock.advance(600_000);
        await fanout.refresh();
      }
      await fanout.stop();
    });

    it(`${service}: nobody is missed who never told of any`, async () => {
      const ports = testPorts();
      await serve(ports, "a0:1", { labels: externalLabels("a") });
      await serve(ports, "store:1", { labels: externalLabels("b"), serves: [] });
      const fanout = await fanoutOver(ports, [endpoint("a0:1", "a"), endpoint("store:1", "b")]);
      ports.network.unplug("store:1");
      await ports.clock.advance(600_000);
      await fanout.refresh();
      expect(warningsOf(await questions[service](fanout))).toEqual([]);
      await fanout.stop();
    });

    it(`${service}: but one that never answered may have some`, async () => {
      const ports = testPorts();
      const fanout = await fanoutOver(ports, [endpoint("a0:1", "a")]);
      expect(warningsOf(await questions[service](fanout))).toEqual([
        expect.stringContaining("missing from the answer: a ("),
      ]);
      await fanout.stop();
    });

    it(`${service}: of a group in which only the one that is away tells of any`, async () => {
      const ports = testPorts();
      const group = { group: "g" };
      await serve(ports, "old:1", { labels: externalLabels("a"), serves: [] });
      await serve(ports, "new:1", { labels: externalLabels("a") });
      const fanout = await fanoutOver(ports, [endpoint("old:1", "a", group), endpoint("new:1", "a", group)]);
      ports.network.unplug("new:1");
      await fanout.refresh();
      expect(warningsOf(await questions[service](fanout))).toEqual([
        expect.stringMatching(/missing from the answer: .*a \(.*new:1\)/),
      ]);
      await fanout.stop();
    });

    it(`${service}: through two tiers, by the lower one's words`, async () => {
      const ports = testPorts();
      await serve(ports, "a0:1", { labels: externalLabels("a") });
      await serve(ports, "b0:1", { labels: externalLabels("b") });
      const below = await fanoutOver(ports, [endpoint("a0:1", "a"), endpoint("b0:1", "b")]);
      await serveFanout(ports, "below:1", below);
      const both = ["a", "b"].map((cluster) => ({ name: cluster, labels: labelsFromRecord({ cluster }) }));
      const above = await fanoutOver(ports, [endpoint("below:1", "a", { expects: both })]);
      ports.network.unplug("b0:1");
      const warnings = warningsOf(await questions[service](above));
      expect(warnings).toEqual([expect.stringMatching(/missing from the answer: b \(.* b0:1\)$/)]);
      await above.stop();
      await below.stop();
    });

    it(`${service}: of an endpoint that does not answer in time`, async () => {
      const ports = testPorts();
      const silent: RpcHandler = {
        kind: "stream",
        async *handle(_bytes, { signal: ended }) {
          await new Promise((resolve) => ended.addEventListener("abort", resolve, { once: true }));
          yield [];
        },
      };
      await serve(ports, "a0:1", { labels: externalLabels("a"), handlers: { [monitoringMethods[service]]: silent } });
      const fanout = await fanoutOver(ports, [endpoint("a0:1", "a")], { requestTimeoutMs: 3_000 });
      const asking = questions[service](fanout);
      await ports.clock.advance(3_000);
      expect(warningsOf(await asking)).toEqual([
        "clusters missing from the answer: a (no answer within 3 s from a0:1)",
      ]);
      await fanout.stop();
    });

    it(`${service}: of an endpoint that sends garbage, or more than there is room for`, async () => {
      const ports = testPorts();
      const sending = (bytes: readonly Uint8Array[]): Record<string, RpcHandler> => ({
        [monitoringMethods[service]]: {
          kind: "stream",
          async *handle() {
            for (let i = 0; i < 100; i++) yield bytes;
          },
        },
      });
      await serve(ports, "a0:1", { labels: externalLabels("a"), handlers: sending([Uint8Array.of(0x0a, 0xff)]) });
      await serve(ports, "b0:1", { labels: externalLabels("b"), handlers: sending([new Uint8Array(1000)]) });
      const big = sending([Uint8Array.from([0x12, 0xe8, 0x07, ...new Uint8Array(1000).fill(0x61)])]);
      await serve(ports, "c0:1", { labels: externalLabels("c"), handlers: big });
      const clusters = ["a", "b", "c"].map((cluster) => endpoint(`${cluster}0:1`, cluster));
      const fanout = await fanoutOver(ports, clusters, { responseBytesMax: 50_000 });
      const warnings = warningsOf(await questions[service](fanout));
      expect(warnings.filter((text) => text.startsWith("clusters missing"))).toEqual([
        expect.stringMatching(/ a \(corrupt data, .* a0:1\)/),
        expect.stringMatching(/ b \(corrupt data, .* b0:1\)/),
        expect.stringMatching(/ c \(more than 50000 bytes from c0:1\)/),
      ]);
      await fanout.stop();
    });
  }
});

describe("exemplars are asked for", () => {
  /** A leaf such as Thanos's sidecar, which knows nothing of its external labels. */
  async function openLeaf(labels: Labels) {
    const ports = testPorts();
    const asked: ExemplarsRequest[] = [];
    const monitoring: MonitoringSource = {
      exemplars: async (request) => {
        asked.push(request);
        return { ok: true, value: { series: [], warnings: [] } };
      },
    };
    await serve(ports, "leaf:1", { labels, monitoring, serves: ["exemplars"] });
    return { fanout: await fanoutOver(ports, [endpoint("leaf:1", "a")]), asked };
  }
  const equal = (name: string, value: string) => ({ type: "=", name, value }) as const;

  for (const [rule, selectors, passed] of [
    [
      "by what its external labels do not answer",
      [[equal("__name__", "x"), equal("cluster", "a")]],
      [[equal("__name__", "x")]],
    ],
    [
      "by any name besides where nothing else is left to select by",
      [[equal("cluster", "a"), { type: "!=", name: "x", value: "1" }]],
      [
        [
          { type: "!=", name: "x", value: "1" },
          { type: "!=", name: "__name__", value: "" },
        ],
      ],
    ],
    ["not at all by what they exclude", [[equal("cluster", "b")], [equal("job", "y")]], [[equal("job", "y")]]],
    ["by any name where they answer all", [[equal("cluster", "a")]], [[{ type: "!=", name: "__name__", value: "" }]]],
  ] as const) {
    it(`of one cluster ${rule}`, async () => {
      const { fanout, asked } = await openLeaf(externalLabels("a"));
      await fanout.monitoring.exemplars(exemplarsRequest({ selectors }), signal);
      expect(asked.map((request) => request.selectors)).toEqual([passed]);
      await fanout.stop();
    });
  }

  it("of nobody where no cluster could have any", async () => {
    const { fanout, asked } = await openLeaf(externalLabels("a"));
    const found = await fanout.monitoring.exemplars(exemplarsRequest({ selectors: [[equal("cluster", "b")]] }), signal);
    expect([found, asked]).toEqual([{ ok: true, value: { series: [], warnings: [] } }, []]);
    await fanout.stop();
  });
});

describe("a server", () => {
  it("refuses what is no request, more than it takes at once, and all while it is not ready", async () => {
    const monitoring = memoryMonitoring(acceptanceMonitoring);
    const ask = async (bytes: readonly number[], handlers: ReadonlyMap<string, RpcHandler>) => {
      const handler = handlers.get(monitoringMethods.rules);
      if (handler?.kind !== "stream") throw new Error("no handler");
      const messages: Uint8Array[] = [];
      try {
        for await (const some of handler.handle(Uint8Array.from(bytes), { signal, headers: new Map() } as never))
          messages.push(...some);
      } catch (error) {
        return error instanceof RpcError ? error.code : error;
      }
      return messages.length;
    };
    const handlersOf = (isReady: boolean, requestsMax = 1) =>
      monitoringHandlers(monitoring, () => isReady, plainSelectors, { ...defaultMonitoringHandlers, requestsMax });
    expect(await ask([], handlersOf(true))).toBe(acceptanceMonitoring.groups.length);
    expect(await ask([0xff], handlersOf(true))).toBe("INVALID_ARGUMENT");
    expect(await ask([0x1a, 1, 0x7b], handlersOf(true))).toBe("INVALID_ARGUMENT"); // a selector `{`
    expect(await ask([], handlersOf(false))).toBe("UNAVAILABLE");
    expect(await ask([], handlersOf(true, 0))).toBe("RESOURCE_EXHAUSTED");
  });

  it("serves what its source has, and announces just that", async () => {
    const { rules } = memoryMonitoring(acceptanceMonitoring);
    expect([...monitoringHandlers({ rules }, () => true, plainSelectors).keys()]).toEqual([monitoringMethods.rules]);
    const ports = testPorts();
    await serve(ports, "leaf:1", { labels: acceptanceLabels, monitoring: { rules }, serves: ["rules"] });
    const fanout = await fanoutOver(ports, [endpoint("leaf:1", "a")]);
    expect(answerOf(await questions.targets(fanout))).toEqual({ active: [], dropped: [], warnings: [] });
    expect(answerOf(await questions.rules(fanout)).groups).toHaveLength(acceptanceMonitoring.groups.length);
    await fanout.stop();
  });
});

describe("a ruler without a store", () => {
  const infoOf = (store: boolean, componentType = "rule"): RpcHandler => ({
    kind: "unary",
    handle: async () =>
      encodeInfoResponse({
        ...{ labelSets: [labelsFromRecord({ ruler: "1" })], componentType },
        store: store
          ? { minTimeMs: 0, maxTimeMs: 1, supportsSharding: false, supportsWithoutReplicaLabels: true, tsdbInfos: [] }
          : undefined,
        capabilities: { ...noCapabilities, rules: true },
      }),
  });
  const endpoints = [{ address: "ruler:1", name: "ruler", expects: [] }];

  it("is asked for its rules, and is no hole in series", async () => {
    const ports = testPorts();
    await serve(ports, "ruler:1", { labels: acceptanceLabels, handlers: { [infoMethod]: infoOf(false) } });
    const fanout = await fanoutOver(ports, endpoints);
    expect(fanout.endpoints()[0]).toMatchObject({ healthy: true, componentType: "rule" });
    expect(answerOf(await questions.rules(fanout)).groups).toHaveLength(acceptanceMonitoring.groups.length);
    expect(warningsOf(await questions.targets(fanout))).toEqual([]);
    for (const times of [{}, { minTimeMs: -8.64e15, maxTimeMs: 8.64e15 }]) {
      const matchers = [{ type: "=", name: "__name__", value: "up" } as const];
      const found = await collectSeries(fanout.select({ ...plainSelect, ...times, matchers }, signal));
      expect([found.series, found.warnings, found.failure]).toEqual([[], [], undefined]);
    }
    await fanout.stop();
  });

  for (const [rule, first, then, componentType] of [
    ["that had a store before", true, false, "rule"],
    ["is what no other component is", false, false, "sidecar"],
  ] as const) {
    it(`${rule} is not ready without it`, async () => {
      const ports = testPorts();
      let hasStore: boolean = first;
      const info: RpcHandler = {
        kind: "unary",
        handle: async (bytes, context) => {
          const handler = infoOf(hasStore, componentType);
          return handler.kind === "unary" ? await handler.handle(bytes, context) : bytes;
        },
      };
      await serve(ports, "ruler:1", { labels: acceptanceLabels, handlers: { [infoMethod]: info } });
      const fanout = await fanoutOver(ports, endpoints);
      hasStore = then;
      await fanout.refresh();
      expect(fanout.endpoints()[0]).toMatchObject({ healthy: false, lastError: "not ready at ruler:1" });
      expect(warningsOf(await questions.rules(fanout))).toEqual([
        "endpoints missing from the answer: ruler (not ready at ruler:1)",
      ]);
      await fanout.stop();
    });
  }
});

describe("a peer of before Thanos 0.41", () => {
  it("is understood where its endpoint says that it counts so", async () => {
    const ports = testPorts();
    const old: RpcHandler = {
      kind: "stream",
      async *handle() {
        yield acceptanceMonitoring.groups.map((group) => encodeRuleGroup(group, "before-0.41"));
      },
    };
    await serve(ports, "old:1", { labels: acceptanceLabels, handlers: { [monitoringMethods.rules]: old } });
    const states = async (more: Partial<EndpointSpec>) => {
      const fanout = await fanoutOver(ports, [endpoint("old:1", "a", more)]);
      const { groups } = answerOf(await questions.rules(fanout));
      await fanout.stop();
      return groups.flatMap((one) => one.rules.flatMap((rule) => (rule.kind === "alerting" ? [rule.state] : [])));
    };
    expect(await states({ alertStateNumbers: "before-0.41" })).toEqual(["firing", "inactive"]);
    expect(await states({})).toEqual(["pending", "unknown"]);
  });
});
