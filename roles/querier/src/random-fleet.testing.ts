/**
 * For tests: random fleets of agents, gateways and queriers on a network, random questions to them, and whether two answers
 * are the same.
 */
import { emptyLabels, labelsFromRecord, type Labels, type SourceSeries } from "@pleiad/model";
import { seededRandom, type Ports, type Random } from "@pleiad/ports";
import { createEngine, defaultEngineOptions, engineEvaluator, noFeatures } from "@pleiad/promql-exec";
import { randomQuery, type Vocabulary } from "@pleiad/promql-syntax/testing";
import {
  defaultQueryHandlers,
  queryHandlers,
  storeHandlers,
  type EndpointSpec,
  type StoreIdentity,
} from "@pleiad/storeapi";
import { memorySource, seriesOf } from "@pleiad/storeapi/testing";
import { startQuerier, type Querier, type QueryMode } from "./querier.ts";

/** The newest sample of every fleet. */
const endMs = 1_700_000_000_000;
const spanMs = 40 * 60_000;
const intervalMs = 30_000;

const fleetVocabulary: Vocabulary = {
  gauges: [
    "load",
    'load{zone!="z0"}',
    'load{cluster="c-0-0"}',
    "odd_left",
    "odd_many",
    "nosuch",
    'moments{region="r1"}',
  ],
  counters: ["hits_total", 'hits_total{code=~"5.."}', 'latency_bucket{le!="1"}', 'hits_total{cluster=~"c-.-0"}'],
  untied: ["load", "odd_left", "hits_total"],
  moments: ["moments", "timestamp(load)"],
  labelNames: ["id", "zone", "code", "le", "cluster", "region", "__name__", "nosuch", "cluster", "region"],
  joined: ["max by (id, cluster) (odd_left)", "odd_many"],
  buckets: "latency_bucket",
};

interface MadeUpCluster {
  readonly name: string;
  readonly external: Readonly<Record<string, string>>;
  readonly replicas: readonly (readonly SourceSeries[])[];
  readonly history: readonly SourceSeries[]; // older than what the replicas have
}

/** Whole numbers that no two series share, so that sums are exact and no order is left to chance. */
function madeUpCluster(random: Random, region: number, number: number): MadeUpCluster {
  const name = `c-${region}-${number}`;
  const external = { cluster: name, region: `r${region}` };
  const base = 1 + region * 100_000 + number * 10_000;
  const kinds: readonly (readonly [Record<string, string>, (i: number) => number])[] = [0, 1, 2].flatMap((id) => {
    const own = base + id * 1000;
    const labels = (metric: string, more: Record<string, string> = {}) => ({ __name__: metric, id: `i${id}`, ...more });
    let hits = 0;
    return [
      [labels("load", { zone: `z${id % 2}` }), () => own + random.int(1000)],
      [labels("odd_left"), (i: number) => own + i],
      [labels("odd_many", { zone: `z${(id + 1) % 2}` }), (i: number) => own * 2 + i],
      [labels("moments"), (i: number) => 1_600_000_000 + own * 977 + i],
      [
        labels("hits_total", { code: id === 0 ? "500" : "200" }),
        () => (hits = random.int(30) === 0 ? own % 7 : hits + own),
      ],
      ...["0.1", "1", "+Inf"].map(
        (le, place) => [labels("latency_bucket", { le }), (i: number) => (place + 1) * i * (10 + number)] as const,
      ),
    ] as const;
  });
  const times = Array.from({ length: spanMs / intervalMs }, (_, i) => endMs - spanMs + (i + 1) * intervalMs);
  const cutMs = endMs - spanMs / 2 - random.int(5) * 60_000;
  const all = kinds.map(([labels, valueAt]) => ({
    labels: { ...labels, ...external },
    samples: times.map((timeMs, i) => [timeMs, valueAt(i)] as const),
  }));
  // What one replica missed the other one has, mostly.
  const gaps = [0, 1].map(() => ({ from: random.int(80), length: random.int(30) }));
  const replicas = gaps.map(({ from, length }, replica) =>
    all.map(({ labels, samples }) =>
      seriesOf(
        labelsFromRecord({ ...labels, replica: String(replica) }),
        samples.filter(([timeMs], i) => timeMs > cutMs && (i < from || i >= from + length)),
      ),
    ),
  );
  const history = all.map(({ labels, samples }) =>
    seriesOf(
      labelsFromRecord({ ...labels, replica: "0" }),
      samples.filter(([timeMs]) => timeMs <= cutMs),
    ),
  );
  return { name, external, replicas, history };
}

/** As the roles have it: an agent has all time to come, a gateway ends with its blocks. */
function identityOf(labels: Labels, series: readonly SourceSeries[], kind: "agent" | "gateway"): StoreIdentity {
  const chunks = series.flatMap((one) => one.chunks);
  const minTimeMs = Math.min(...chunks.map((chunk) => chunk.minTimeMs));
  const lastMs = Math.max(...chunks.map((chunk) => chunk.maxTimeMs));
  const maxTimeMs = kind === "agent" ? Number.MAX_SAFE_INTEGER : lastMs + 1;
  return {
    componentType: kind === "agent" ? "sidecar" : "store",
    labelSets: [labels],
    minTimeMs,
    maxTimeMs,
    tsdbInfos: [{ labels, minTimeMs, maxTimeMs }],
  };
}

export interface RandomFleet {
  /** Asks for shares, for series, or one engine that has all the data. */
  ask(top: Top, path: string): Promise<FleetAnswer>;
  /** One of each pair of regional queriers goes away. */
  stopFirstOfPairs(): Promise<void>;
  stop(): Promise<void>;
}

export const tops = ["shares", "series", "whole"] as const;
export type Top = (typeof tops)[number];

/**
 * Agents of which most evaluate, gateways that do not, a pair of queriers a region, and three above them. Who serves has
 * its port from the network. `isReady` is asked until it holds.
 */
export async function startRandomFleet(
  seed: number,
  ports: Pick<Ports, "clock" | "files" | "network" | "observations">,
  settle: (isReady: () => boolean) => Promise<void>,
): Promise<RandomFleet> {
  const random = seededRandom(seed);
  const engine = createEngine(defaultEngineOptions, ports);
  const stops: ((graceMs: number) => Promise<void>)[] = [];
  const address = "127.0.0.1:0";

  const serve = async (
    series: readonly SourceSeries[],
    labels: Labels,
    { kind, evaluates }: { readonly kind: "agent" | "gateway"; readonly evaluates: boolean },
  ) => {
    const source = memorySource(series);
    const query = evaluates ? ("exact" as const) : ("none" as const);
    const identity = { ...identityOf(labels, series, kind), query };
    const evaluator = engineEvaluator(engine, source, { name: "agent", features: noFeatures });
    const handlers = new Map([
      ...storeHandlers(source, () => identity),
      ...(evaluates ? queryHandlers(evaluator, () => true, defaultQueryHandlers, ports.clock) : []),
    ]);
    const listener = await ports.network.serveRpc(address, handlers);
    stops.push((graceMs) => listener.close(graceMs));
    return listener.address;
  };

  const start = async (name: string, endpoints: readonly EndpointSpec[], queryMode: QueryMode): Promise<Querier> => {
    const options = { name, endpoints, queryMode, replicaLabels: ["replica"], renderMetrics: () => "" };
    const started = await startQuerier({ ...options, httpAddress: address, grpcAddress: address }, ports);
    if (!started.ok) throw new Error(started.failure.message);
    const querier = started.value;
    stops.push((graceMs) => querier.stop(graceMs));
    await settle(() => querier.ready().ready);
    return querier;
  };

  const everything: SourceSeries[] = [];
  const regional: EndpointSpec[] = [];
  const firstOfPairs: Querier[] = [];

  const startRegion = async (region: number) => {
    const endpoints: EndpointSpec[] = [];
    const expects: EndpointSpec["expects"][number][] = [];
    const clusterCount = 1 + random.int(3);
    for (let number = 0; number < clusterCount; number++) {
      const cluster = madeUpCluster(random, region, number);
      const { name, external } = cluster;
      const expected = { name, labels: labelsFromRecord(external) };
      expects.push(expected);
      const replicas = random.int(3) === 0 ? cluster.replicas : cluster.replicas.slice(0, 1);
      for (const [replica, series] of replicas.entries()) {
        const labels = labelsFromRecord({ ...external, replica: String(replica) });
        const at = await serve(series, labels, { kind: "agent", evaluates: random.int(4) > 0 });
        endpoints.push({ address: at, name: `${name}-${replica}`, expects: [expected] });
        everything.push(...series);
      }
      if (random.int(2) === 0) {
        const at = await serve(cluster.history, expected.labels, { kind: "gateway", evaluates: false });
        endpoints.push({ address: at, name: `history-of-${name}`, expects: [] });
        everything.push(...cluster.history);
      }
    }
    for (const replica of [0, 1]) {
      const name = `r${region}-${replica}`;
      const querier = await start(name, endpoints, random.int(4) === 0 ? "fan-out" : "distributed");
      regional.push({ address: querier.grpcAddress, name, group: `r${region}`, expects });
      if (replica === 0) firstOfPairs.push(querier);
    }
  };

  const regionCount = 2 + random.int(2);
  for (let region = 0; region < regionCount; region++) await startRegion(region);
  const whole = await serve(everything, emptyLabels, { kind: "gateway", evaluates: false });
  const queriers: Readonly<Record<Top, Querier>> = {
    shares: await start("shares", regional, "distributed"),
    series: await start("series", regional, "fan-out"),
    whole: await start("whole", [{ address: whole, name: "whole", expects: [] }], "fan-out"),
  };
  return {
    async ask(top, path) {
      const answer = await ports.network.fetchHttp(`http://${queriers[top].httpAddress}/api/v1/${path}`, {
        signal: new AbortController().signal,
        bodyBytesMax: 1 << 26,
      });
      return JSON.parse(new TextDecoder().decode(answer.body)) as FleetAnswer;
    },
    stopFirstOfPairs: async () => {
      await Promise.all(firstOfPairs.map((querier) => querier.stop(0)));
    },
    stop: async () => {
      for (const stop of stops.toReversed()) await stop(0);
      await engine.close();
    },
  };
}

/** Question `number` to a fleet: a query that gives an answer, and when it is asked about. */
export function randomQuestion(seed: number, number: number): { readonly query: string; readonly path: string } {
  const random = seededRandom(seed).fork(`question ${number}`);
  const query = randomQuery(random.uint32(), String((endMs - 600_000) / 1000), fleetVocabulary);
  const text = encodeURIComponent(query);
  const at = endMs - random.int(60) * 1_000 - random.int(1_000);
  if (random.int(2) === 0) return { query, path: `query?query=${text}&time=${at / 1000}` };
  const step = [15, 60, 61.5, 300][random.int(4)];
  return {
    query,
    path: `query_range?query=${text}&start=${at / 1000 - random.int(1_500)}&end=${at / 1000}&step=${step}`,
  };
}

type Sample = readonly [seconds: number, value: string];

interface AnswerSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Sample;
  readonly values?: readonly Sample[];
}

/** An answer of the HTTP API. */
export interface FleetAnswer {
  readonly status: string;
  readonly error?: string;
  readonly errorType?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data?:
    | { readonly resultType: "vector" | "matrix"; readonly result: readonly AnswerSeries[] }
    | { readonly resultType: "scalar"; readonly result: Sample };
}

/** Where two answers to a query differ, the whole one first; undefined where they do not. */
export function answerDifference(query: string, whole: FleetAnswer, other: FleetAnswer): string | undefined {
  // Duplicates on one side of a join fail it where they meet nothing too, if only anything is on the other side. Of a join
  // that every part makes for itself that is not seen where a part has nothing on the other side: the answer is the same
  // as without the duplicates, which the failure says are of no use.
  if (whole.error?.startsWith("found duplicate series") === true && other.status === "success") return undefined;
  // Of several groups, which one comes first is left open.
  const isRanked = /^(?:topk|bottomk) \(/.test(query);
  const [wanted, got] = [outline(whole, isRanked), outline(other, isRanked)];
  if (wanted.text !== got.text) return `${got.text} instead of ${wanted.text}`;
  const isSorted = query.startsWith("sort");
  // Which of equal values comes first is left open.
  return (
    differentValue(wanted.values, got.values) ??
    (isSorted ? differentValue(wanted.valuesAsGiven, got.valuesAsGiven) : undefined)
  );
}

function differentValue(wanted: readonly number[], got: readonly number[]): string | undefined {
  const at = wanted.findIndex((value, i) => !isClose(value, got[i] ?? NaN));
  return at === -1 ? undefined : `value ${at}: ${got[at]} instead of ${wanted[at]}`;
}

/** All but the values, and these apart. What stays open is the order of series that are not sorted. */
function outline({ status, errorType, data, warnings, infos }: FleetAnswer, isRanked: boolean) {
  const result = data?.resultType === "scalar" ? [{ metric: {}, value: data.result }] : (data?.result ?? []);
  const series = result.map(({ metric, value, values = value === undefined ? [] : [value] }: AnswerSeries) => ({
    name: JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1))),
    values,
  }));
  const valuesOf = (all: typeof series) => all.flatMap(({ values }) => values.map(([, value]) => Number(value)));
  const valuesAsGiven = valuesOf(series);
  if (!isRanked) series.sort((a, b) => (a.name < b.name ? -1 : 1));
  const seen = series.map(({ name, values }) => [name, values.map(([time]) => time)]);
  return {
    text: JSON.stringify([status, errorType, data?.resultType, warnings?.toSorted(), infos?.toSorted(), seen]),
    values: valuesOf(series),
    valuesAsGiven,
  };
}

/** Zeros are equal whatever their sign: compensated sums have no negative one. */
function isClose(wanted: number, got: number): boolean {
  if (Object.is(wanted, got) || wanted === got) return true;
  return Number.isFinite(wanted - got) && Math.abs(wanted - got) <= 1e-12 * Math.max(Math.abs(wanted), Math.abs(got));
}
