/**
 * Clusters evaluated by the real Prometheus: every text that push-down sends is one that Prometheus 2.42 reads, and what it gives is
 * what Pleiad's engine gives. Prometheus speaks no gRPC: a leaf of Thanos's kind, which counts in whole seconds, asks it by HTTP.
 */
import { join } from "node:path";
import {
  emptyLabels,
  fail,
  labelsFromRecord,
  ok,
  type EvaluatedSeries,
  type EvaluationRequest,
  type Labels,
  type QueryEvaluator,
} from "@pleiad/model";
import { defaultParseOptions, parseExpression } from "@pleiad/promql-syntax";
import { randomAggregation, randomQuery, type Vocabulary } from "@pleiad/promql-syntax/testing";
import { startQuerier, type Querier, type QueryMode } from "@pleiad/role-querier";
import { defaultQueryHandlers, queryHandlers, storeHandlers, type EndpointSpec } from "@pleiad/storeapi";
import { memorySource, seriesOf } from "@pleiad/storeapi/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askApi, differenceOf } from "./answer-difference.ts";
import { knownDifferences } from "./known-differences.ts";
import { changeHead, portsOfTest, startPrometheus } from "./prometheus-peer.ts";
import { eventually, peerMissing, temporaryFolder } from "./twin-under-test.ts";

// Other questions than those of every day: PLEIAD_QUERY_SEED=1000 PLEIAD_QUERY_COUNT=20000.
const firstSeed = Number(process.env["PLEIAD_QUERY_SEED"] ?? 1);
const seedCount = Number(process.env["PLEIAD_QUERY_COUNT"] ?? 150);
const firstPort = Number(process.env["PLEIAD_QUERY_PORT"] ?? 23_000);

const clusters = ["a", "b", "c"].map((name, number) => ({ name, number, port: firstPort + number }));
/** Questions are asked at whole seconds, samples lie between: windows have been open on the left since 3.0 only. */
const endMs = Math.floor(Date.now() / 60_000) * 60_000 - 60_000;
const intervalMs = 15_000;
const betweenMs = 4_137;
const stepCount = 240;

interface Line {
  readonly labels: Labels;
  readonly samples: readonly (readonly [timestampMs: number, value: number])[];
}

/** Whole numbers, so that the order of an addition leaves no trace, and thirds, where nothing is added up. */
function linesOf({ name, number }: (typeof clusters)[number]): readonly Line[] {
  const line = (labels: Readonly<Record<string, string>>, valueAt: (i: number) => number): Line => ({
    labels: labelsFromRecord({ ...labels, cluster: name, region: "r" }),
    samples: Array.from({ length: stepCount }, (_, i) => i)
      .filter((i) => (i + 40 * number) % 100 < 92)
      .map((i) => [endMs - (stepCount - i) * intervalMs + betweenMs, valueAt(i)] as const),
  });
  return ["0", "1", "2"].flatMap((id, own) => {
    const base = 1000 * number + 100 * own + 1;
    return [
      line({ __name__: "load", id, zone: `z${own % 2}` }, (i) => base + ((i * (7 + own + number)) % 50)),
      line({ __name__: "odd_left", id }, (i) => base * 10_000 + i),
      line({ __name__: "odd_many", id, zone: `z${(own + 1) % 2}` }, (i) => base * 3 + i),
      line({ __name__: "moments", id }, (i) => 1_600_000_000 + base * 977 + i),
      line({ __name__: "hits_total", id, code: own === 0 ? "500" : "200" }, (i) => base * ((i * 3) % (150 + 10 * own))),
      ...["0.1", "1", "+Inf"].map((le, bucket) =>
        line({ __name__: "latency_bucket", id, le }, (i) => (bucket + 1) * i * (1 + number)),
      ),
    ];
  });
}

const vocabulary: Vocabulary = {
  gauges: ["load", 'load{zone!="z0"}', 'load{cluster="a"}', "odd_left", "odd_many", "nosuch"],
  counters: ["hits_total", 'hits_total{code=~"5.."}', 'latency_bucket{le!="1"}', 'hits_total{cluster=~"a|b"}'],
  untied: ["odd_left"],
  moments: ["moments", "timestamp(load)"],
  labelNames: ["id", "zone", "code", "le", "cluster", "region", "nosuch", "cluster"],
  joined: ["max by (id, cluster) (odd_left)", "odd_many"],
  buckets: "latency_bucket",
};

const aggregations = ["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"];
const ofEveryKind = [
  ...["load", "rate(hits_total[5m])", "load + on (cluster, id) odd_left"].flatMap((input) =>
    ["", "by (cluster) ", "by (id) ", "without (id, zone) ", "by (zone, nosuch) "].flatMap((grouping) => [
      ...aggregations.map((operator) => `${operator} ${grouping}(${input})`),
      `quantile ${grouping}(0.9, ${input})`,
      `count_values ${grouping}("value", ${input})`,
    ]),
  ),
  ...["topk", "bottomk"].flatMap((operator) =>
    ["", "by (cluster) ", "by (id) "].map((by) => `${operator} ${by}(2, odd_left)`),
  ),
  "sum by (cluster) (rate(hits_total[5m])) / on (cluster) count by (cluster) (hits_total)",
  "stddev by (id) (load)\n  / avg by (id) (load) # a comment",
  "stddev(stddev by (cluster) (load)) + stdvar(load offset 3m) + stddev(load @ start())",
  "max_over_time(stddev(load)[10m:1m])",
];

describe("clusters that Prometheus 2.42 evaluates", { skip: peerMissing("prometheus") }, () => {
  const folder = temporaryFolder();
  const ends: (() => Promise<unknown>)[] = [];
  const texts: string[] = [];
  const refusals: string[] = [];
  const tops = new Map<QueryMode, Querier>();

  beforeAll(async () => {
    const ports = portsOfTest();
    const endpoints: EndpointSpec[] = [];
    for (const cluster of clusters) {
      const { name, port } = cluster;
      const lines = linesOf(cluster);
      const directory = join(folder.path, name);
      await changeHead(directory, async (head) => {
        const naming = head.appender();
        const refs = lines.map(({ labels }) => naming.series(labels));
        await naming.commit();
        for (let i = 0; i < Math.max(...lines.map(({ samples }) => samples.length)); i++) {
          const appender = head.appender();
          for (const [at, { samples }] of lines.entries()) {
            const [ref, sample] = [refs[at], samples[i]];
            if (typeof ref === "object") throw new Error(ref.kind);
            if (ref !== undefined && sample !== undefined) appender.append(ref, ...sample);
          }
          const committed = await appender.commit();
          if (!committed.ok) throw new Error(committed.failure.kind);
        }
      });
      const peer = await startPrometheus(directory, join(folder.path, `prometheus-${name}`), port);
      ends.push(() => peer.end());
      const labels = labelsFromRecord({ cluster: name, region: "r" });
      const source = memorySource(lines.map((line) => seriesOf(line.labels, line.samples)));
      const range = { minTimeMs: endMs - stepCount * intervalMs, maxTimeMs: Number.MAX_SAFE_INTEGER };
      const identity = {
        ...{ componentType: "query", labelSets: [labels], query: "whole-seconds" as const },
        ...{ ...range, tsdbInfos: [{ labels, ...range }] },
      };
      const handlers = new Map([
        ...storeHandlers(source, () => identity),
        ...queryHandlers(prometheusEvaluator(peer.url), () => true, defaultQueryHandlers, ports.clock),
      ]);
      const listener = await ports.network.serveRpc("127.0.0.1:0", handlers);
      ends.push(() => listener.close(0));
      endpoints.push({ address: listener.address, name, expects: [{ name, labels }] });
    }
    for (const queryMode of ["distributed", "fan-out"] as const) {
      const address = "127.0.0.1:0";
      const listening = { httpAddress: address, grpcAddress: address, renderMetrics: () => "" };
      const options = { name: queryMode, endpoints, queryMode, replicaLabels: ["replica"], ...listening };
      const started = await startQuerier(options, ports);
      if (!started.ok) throw new Error(started.failure.message);
      const querier = started.value;
      ends.push(() => querier.stop(0));
      await eventually("a querier is ready", 10_000, async () => (querier.ready().ready ? true : undefined));
      tops.set(queryMode, querier);
    }
  });
  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
    folder.remove();
  });

  /** Evaluates by asking Prometheus. A question that it does not answer is a refusal, as of any leaf. */
  function prometheusEvaluator(url: string): QueryEvaluator {
    return {
      name: "prometheus",
      async evaluate({ query, startMs, endMs: untilMs, stepMs }: EvaluationRequest) {
        texts.push(query);
        const seconds = (ms: number) => String(ms / 1000);
        const times =
          stepMs > 0
            ? ([
                ["start", seconds(startMs)],
                ["end", seconds(untilMs)],
                ["step", seconds(stepMs)],
              ] as const)
            : ([["time", seconds(startMs)]] as const);
        const path = stepMs > 0 ? "query_range" : "query";
        const { status, text, body } = await askApi(url, {
          path,
          parameters: [["query", query], ...times],
          method: "POST",
        });
        if (status !== 200) {
          // Not where the question has no answer at all, from whomever.
          if (status === 400) refusals.push(`${query.trim()}: ${text}`);
          return fail({ kind: "refused", reason: text });
        }
        const series = seriesOfAnswer(body);
        return ok({ series, warnings: [], samplesRead: 0, samplesPeak: 0, answeredBy: url, receivedBytes: 0 });
      },
    };
  }

  /** Where push-down to Prometheus gives another answer than Pleiad's engine over the series; undefined where it does not. */
  async function difference(query: string, kind: "instant" | "range"): Promise<string | undefined> {
    const at = String(endMs / 1000);
    const range = [
      ["start", String(endMs / 1000 - 1200)],
      ["end", at],
      ["step", "60"],
    ] as const;
    const path = kind === "instant" ? "query" : "query_range";
    const parameters = [["query", query] as const, ...(kind === "instant" ? ([["time", at]] as const) : range)];
    const ask = (mode: QueryMode) =>
      askApi(`http://${tops.get(mode)?.httpAddress}`, { path, parameters, method: "POST" });
    const [ours, theirs] = [await ask("fan-out"), await ask("distributed")];
    if (knownDifferences.some((known) => known.applies(query, kind, ours, theirs))) return undefined;
    return differenceOf(ours, theirs, "any");
  }

  it("answer for every aggregation, and take every text", async () => {
    const found: string[] = [];
    for (const query of ofEveryKind) {
      for (const kind of ["instant", "range"] as const) {
        const before = texts.length;
        const different = await difference(query, kind);
        if (different !== undefined) found.push(`${kind}: ${query}\n  ${different}`);
        if (texts.length === before && !query.startsWith("quantile"))
          found.push(`${kind}: ${query} was not pushed down`);
      }
    }
    expect(found.join("\n")).toBe("");
    expect(refusals).toEqual([]);
  });

  it("answer for random questions, and refuse none that 2.42 can read", async () => {
    const found: string[] = [];
    const before = texts.length;
    refusals.length = 0;
    for (let seed = firstSeed; seed < firstSeed + seedCount && found.length < 10; seed++) {
      const queryOf = seed % 2 === 0 ? randomQuery : randomAggregation;
      const query = queryOf(seed, String(endMs / 1000 - 600), vocabulary);
      for (const kind of ["instant", "range"] as const) {
        const different = await difference(query, kind);
        if (different !== undefined) found.push(`seed ${seed}, ${kind}: ${query}\n  ${different}`);
      }
    }
    expect(found.join("\n")).toBe("");
    expect(refusals).toEqual([]);
    expect(texts.length - before).toBeGreaterThan(seedCount);
  }, 3_600_000);

  it("are read where 2.42 does not know the spelling, and answer the same", async () => {
    refusals.length = 0;
    expect(await difference('stdvar by ("cluster") (load)', "instant")).toBeUndefined();
    expect(refusals.join()).toContain("unexpected string");
  });

  it("are sent nothing but PromQL of one expression", () => {
    for (const text of new Set(texts))
      expect([text, parseExpression(text, defaultParseOptions).ok]).toEqual([text, true]);
  });
});

interface ApiSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [seconds: number, value: string];
  readonly values?: readonly (readonly [seconds: number, value: string])[];
}

function seriesOfAnswer(body: unknown): readonly EvaluatedSeries[] {
  const { data } = body as { data: { resultType: string; result: readonly ApiSeries[] | readonly [number, string] } };
  const none = { histogramTimestampsMs: new Float64Array(0), histograms: [] };
  const columnsOf = (samples: readonly (readonly [seconds: number, value: string])[]) => ({
    timestampsMs: Float64Array.from(samples, ([seconds]) => Math.round(seconds * 1000)),
    values: Float64Array.from(samples, ([, value]) => numberOf(value)),
    ...none,
  });
  if (data.resultType === "scalar")
    return [{ labels: emptyLabels, ...columnsOf([data.result as readonly [number, string]]) }];
  return (data.result as readonly ApiSeries[]).map(
    ({ metric, value, values = value === undefined ? [] : [value] }) => ({
      labels: labelsFromRecord(metric),
      ...columnsOf(values),
    }),
  );
}

function numberOf(text: string): number {
  return Number(text.replace("Inf", "Infinity"));
}
