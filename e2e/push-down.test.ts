/** Two tiers of queriers over agents on loopback sockets: parts of an answer computed where the series are. */
import { mergeSources } from "@pleiad/blocks";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { labelsFromRecord } from "@pleiad/model";
import { createNodePorts } from "@pleiad/node-ports";
import { silentObservations } from "@pleiad/ports/testing";
import { createEngine, defaultEngineOptions, engineEvaluators, noFeatures } from "@pleiad/promql-exec";
import { startAgent, type AgentFolder } from "@pleiad/role-agent";
import { startQuerier, type Querier, type QueryMode } from "@pleiad/role-querier";
import { answerDifference, randomQuestion, startRandomFleet, type FleetAnswer } from "@pleiad/role-querier/testing";
import type { EndpointSpec } from "@pleiad/storeapi";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, temporaryFolder } from "./twin-under-test.ts";

const readyMsMax = 10_000;

describe("shares of an answer add up to what the series give, over sockets", () => {
  const questionsPerFleet = 200;
  for (const seed of [11, 12, 13, 14, 15]) {
    it(`${questionsPerFleet} questions to the fleet of seed ${seed}, half of them with one querier of each pair gone`, async () => {
      const ports = createNodePorts({ observations: silentObservations() });
      const settle = async (isReady: () => boolean) =>
        void (await eventually("a querier is ready", readyMsMax, async () => (isReady() ? true : undefined)));
      const fleet = await startRandomFleet(seed, ports, settle);
      try {
        for (let number = 0; number < questionsPerFleet; number++) {
          if (number === questionsPerFleet / 2) await fleet.stopFirstOfPairs();
          const { query, path } = randomQuestion(seed, number);
          const [whole, series, shares] = await Promise.all([
            fleet.ask("whole", path),
            fleet.ask("series", path),
            fleet.ask("shares", path),
          ]);
          expect([path, answerDifference(query, whole, series)]).toEqual([path, undefined]);
          expect([path, answerDifference(query, whole, shares)]).toEqual([path, undefined]);
        }
      } finally {
        await fleet.stop();
      }
    });
  }
});

const endMs = Date.now();
const intervalMs = 15_000;
const spanMs = 3_600_000;
const seriesPerCluster = 1_000;

/** A region has three clusters; its queriers are a pair. */
const regions = ["r1", "r2"];
const clusters = regions.flatMap((region) =>
  [1, 2, 3].map((number) => ({
    name: `${region}-cluster-${number}`,
    labels: labelsFromRecord({ cluster: `${region}-cluster-${number}`, region, replica: "0" }),
    region,
  })),
);

/** Counters and gauges of one cluster, for an hour. */
async function fillPast({ head }: AgentFolder) {
  const naming = head.appender();
  const refs = Array.from({ length: seriesPerCluster }, (_, i) => {
    const pod = `pod-${Math.floor(i / 10)}`;
    const ref = naming.series(labelsFromRecord({ __name__: "hits_total", pod, code: String(i % 10) }));
    if (typeof ref === "object") throw new Error(ref.kind);
    return ref;
  });
  await naming.commit();
  for (let timeMs = endMs - spanMs; timeMs <= endMs; timeMs += intervalMs) {
    const seconds = (timeMs - endMs + spanMs) / 1000;
    const appender = head.appender();
    for (const [i, ref] of refs.entries()) appender.append(ref, timeMs, Math.floor(seconds * (1 + (i % 7)) + i));
    const committed = await appender.commit();
    if (!committed.ok) throw new Error(committed.failure.kind);
  }
  return { ok: true as const, value: undefined };
}

interface ObservedQuerier {
  readonly querier: Querier;
  /** Received from its endpoints until now. */
  receivedBytes(): number;
}

describe("two tiers over agents", () => {
  const folder = temporaryFolder();
  const stops: (() => Promise<void>)[] = [];
  const agents = new Map<string, { stop(graceMs: number): Promise<void> }>();
  const regional = new Map<string, ObservedQuerier>();
  const global = new Map<QueryMode, ObservedQuerier>();

  async function startObserved(name: string, endpoints: readonly EndpointSpec[], queryMode: QueryMode) {
    const registry = createMetricRegistry();
    const ports = createNodePorts({ observations: observationsOf(registry, () => {}) });
    const address = "127.0.0.1:0";
    const started = await startQuerier(
      {
        ...{ name, endpoints, queryMode, httpAddress: address, grpcAddress: address },
        replicaLabels: ["replica"],
        renderMetrics: () => registry.render(),
      },
      ports,
    );
    if (!started.ok) throw new Error(started.failure.message);
    const querier = started.value;
    stops.push(() => querier.stop(0));
    await eventually(`${name} is ready`, readyMsMax, async () => (querier.ready().ready ? true : undefined));
    const receivedBytes = () =>
      Number(/^pleiad_store_client_received_bytes_total (\S+)$/m.exec(registry.render())?.[1] ?? 0);
    return { querier, receivedBytes };
  }

  beforeAll(async () => {
    const ports = createNodePorts({ observations: silentObservations() });
    const { clock, observations } = ports;
    const engine = createEngine(defaultEngineOptions, { clock, observations });
    const evaluators = engineEvaluators(engine, { features: noFeatures }, mergeSources);
    const expectationOf = ({ name, labels }: (typeof clusters)[number]) => ({ name, labels });
    const addresses = new Map<string, string>();
    for (const cluster of clusters) {
      const started = await startAgent(
        {
          name: cluster.name,
          directory: `${folder.path}/${cluster.name}`,
          externalLabels: cluster.labels,
          grpcAddress: "127.0.0.1:0",
          targets: [],
          scrapeIntervalMs: intervalMs,
          retentionMs: 24 * 3_600_000,
          evaluators,
          beforeScraping: fillPast,
        },
        ports,
      );
      if (!started.ok) throw new Error(started.failure.message);
      agents.set(cluster.name, started.value);
      addresses.set(cluster.name, started.value.grpcAddress);
      stops.push(() => started.value.stop(0));
    }
    const endpoints: EndpointSpec[] = [];
    for (const region of regions) {
      const own = clusters.filter((cluster) => cluster.region === region);
      const below = own.map((cluster) => ({
        address: addresses.get(cluster.name) ?? "",
        name: cluster.name,
        expects: [expectationOf(cluster)],
      }));
      for (const replica of [0, 1]) {
        const name = `${region}-${replica}`;
        const one = await startObserved(name, below, "distributed");
        regional.set(name, one);
        endpoints.push({
          address: one.querier.grpcAddress,
          name,
          group: `queriers of ${region}`,
          expects: own.map(expectationOf),
        });
      }
    }
    for (const mode of ["distributed", "fan-out"] as const) {
      global.set(mode, await startObserved(`global-${mode}`, endpoints, mode));
    }
  });

  afterAll(async () => {
    for (const stop of stops.toReversed()) await stop();
    folder.remove();
  });

  const topOf = (mode: QueryMode) => {
    const top = global.get(mode);
    if (top === undefined) throw new Error(`no ${mode}`);
    return top;
  };
  const ask = async (mode: QueryMode, query: string, more: Readonly<Record<string, string>> = {}, call = "query") => {
    const at: Record<string, string> = call.startsWith("query_range")
      ? { start: String(endMs / 1000 - 1800), end: String(endMs / 1000), step: "30" }
      : { time: String(endMs / 1000) };
    const parameters = new URLSearchParams({ query, ...at, ...more });
    const response = await fetch(`http://${topOf(mode).querier.httpAddress}/api/v1/${call}?${parameters.toString()}`);
    return (await response.json()) as FleetAnswer & {
      readonly data: { readonly plan?: string; readonly analysis?: unknown };
    };
  };

  const queries = [
    "sum by (cluster) (rate(hits_total[5m]))",
    "sum(rate(hits_total[5m]))",
    "avg by (code) (rate(hits_total[5m]))",
    "stddev by (code) (rate(hits_total[5m]))",
    "topk(3, rate(hits_total[5m]))",
    "count(hits_total) / count(count by (cluster) (hits_total))",
    'quantile by (cluster) (0.9, rate(hits_total{region="r1"}[5m]))',
    "sum by (cluster) (rate(hits_total[5m])) / on (cluster) count by (cluster) (hits_total)",
    "max_over_time(sum(rate(hits_total[1m]))[10m:1m])",
  ];

  for (const query of queries) {
    it(`answers as without push-down: ${query}`, async () => {
      for (const call of ["query", "query_range"]) {
        const [off, on] = [await ask("fan-out", query, {}, call), await ask("distributed", query, {}, call)];
        expect(off.status).toBe("success");
        expect(on.warnings).toBeUndefined();
        expect(answerDifference(query, off, on)).toBeUndefined();
      }
    });
  }

  it("takes at most a hundredth of the bytes from below for a sum by cluster", async () => {
    for (const call of ["query", "query_range"]) {
      const bytes: number[] = [];
      for (const mode of ["fan-out", "distributed"] as const) {
        const before = topOf(mode).receivedBytes();
        await ask(mode, "sum by (cluster) (rate(hits_total[5m]))", {}, call);
        bytes.push(topOf(mode).receivedBytes() - before);
      }
      const [off = 0, on = Infinity] = bytes;
      expect(off).toBeGreaterThan(clusters.length * seriesPerCluster * 20);
      // What the checks of endpoints receive meanwhile is in both.
      expect(on / off).toBeLessThanOrEqual(0.01);
    }
  });

  it("explains what goes where, and tells of a run what came from whom", async () => {
    const query = "sum(rate(hits_total[5m])) + stddev(hits_total) + quantile(0.9, hits_total)";
    const explained = await ask("distributed", query, {}, "query_explain");
    expect(explained.data.plan).toBe(
      '((sum by () (remote(queriers of r1, queriers of r2: sum by () (rate({__name__="hits_total"}[5m])))) + ' +
        'stddev by () (remote(queriers of r1, queriers of r2: count, avg, stdvar by () ({__name__="hits_total"})))) + ' +
        'quantile by () (0.9, {__name__="hits_total"}))',
    );
    expect((await ask("fan-out", query, {}, "query_explain")).data.plan).not.toContain("remote");
    const analysed = JSON.stringify((await ask("distributed", query, { analyze: "true" })).data.analysis);
    for (const region of regions) {
      expect(analysed).toMatch(
        new RegExp(`part queriers of ${region}: 1 series in \\d+ bytes from ${region}-[01] \\(127\\.0\\.0\\.1:\\d+\\)`),
      );
    }
  });

  it("goes on with the other querier of a pair, without a word", async () => {
    await regional.get("r1-0")?.querier.stop(0);
    for (const query of queries) {
      const [off, on] = [await ask("fan-out", query), await ask("distributed", query)];
      expect(on.warnings).toBeUndefined();
      expect(answerDifference(query, off, on)).toBeUndefined();
    }
  });

  it("names a cluster that is gone, and fails where all was asked for", async () => {
    await agents.get("r2-cluster-2")?.stop(0);
    for (const query of ["count by (cluster) (hits_total)", "count(hits_total)"]) {
      const [off, on] = [await ask("fan-out", query), await ask("distributed", query)];
      expect(on.warnings?.join()).toMatch(/^clusters missing from the answer: r2-cluster-2 \(/);
      expect(answerDifference(query, { ...off, warnings: [] }, { ...on, warnings: [] })).toBeUndefined();
      const failed = await ask("distributed", query, { partial_response: "false" });
      expect(failed).toMatchObject({ status: "error", errorType: "execution" });
      expect(failed.error).toContain("r2-cluster-2");
    }
    // What has nothing to do with it is whole.
    expect((await ask("distributed", 'sum(rate(hits_total{region="r1"}[5m]))')).warnings).toBeUndefined();
  });

  it("names the clusters of a region that is gone", async () => {
    await Promise.all(["r1-0", "r1-1"].map(async (name) => await regional.get(name)?.querier.stop(0)));
    const [off, on] = [await ask("fan-out", "count(hits_total)"), await ask("distributed", "count(hits_total)")];
    expect(on.data.result).toEqual([{ metric: {}, value: [endMs / 1000, String(2 * seriesPerCluster)] }]);
    for (const { warnings } of [off, on])
      expect(warnings?.join()).toMatch(/3 of queriers of r1: r1-cluster-1, r1-cluster-2/);
    expect(await ask("distributed", "count(hits_total)", { partial_response: "false" })).toMatchObject({
      status: "error",
    });
  });
});
