/**
 * For tests: a fleet as wide as the real one, 220 clusters in four regions, with few series each. Clusters are pairs of
 * replicas that missed different things, regions have pairs of queriers.
 */
import { encodeIntegerHistograms } from "@pleiad/chunks";
import { emptyLabels, labelsFromRecord, type FloatHistogram, type SourceSeries } from "@pleiad/model";
import { seededRandom, type Clock, type Random } from "@pleiad/ports";
import { memoryNetwork, testPorts } from "@pleiad/ports/testing";
import { randomAggregation, randomQuery, type Vocabulary } from "@pleiad/promql-syntax/testing";
import type { EndpointSpec } from "@pleiad/storeapi";
import { seriesOf } from "@pleiad/storeapi/testing";
import type { FleetAnswer } from "./answer-difference.testing.ts";
import type { Querier } from "./querier.ts";
import { askedAtRandom, endMs, pinnedTime } from "./random-fleet.testing.ts";
import { createServedFleet, type ServedStore } from "./served-fleet.testing.ts";

const regionCount = 4;
const clustersPerRegion = 55;
/** When the data begin and end. */
export const wideRange = { startMs: endMs - 2 * 3_600_000, endMs } as const;

const intervalMs = 60_000;
const stepCount = (wideRange.endMs - wideRange.startMs) / intervalMs;

/** The metrics of the benchmark, and some that have what may go wrong. */
const vocabulary: Vocabulary = {
  gauges: [
    "load",
    'load{zone!="z0"}',
    'load{cluster="cluster-042"}',
    'odd_left{cluster=~"cluster-0.."}',
    "odd_many",
    "odd_gauge",
    'odd_gauge{shape!~"huge|infinite|nan"}',
    "node_memory_MemAvailable_bytes",
    'up{region=~"r[13]"}',
    "up",
    "nosuch",
    'moments{region="r1"}',
  ],
  counters: [
    "hits_total",
    'hits_total{code=~"5.."}',
    'http_request_duration_seconds_bucket{le!="1"}',
    'hits_total{cluster=~"cluster-1.0"}',
    'node_cpu_seconds_total{mode!="idle"}',
    "container_cpu_usage_seconds_total",
  ],
  untied: ["load", "odd_left", "hits_total"],
  moments: ["moments", "timestamp(load)"],
  labelNames: [
    ...["id", "zone", "code", "le", "__name__", "nosuch", "shape", "mode", "namespace"],
    ...["cluster", "region", "cluster", "region"],
  ],
  joined: ["max by (id, cluster) (odd_left)", "odd_many"],
  buckets: "http_request_duration_seconds_bucket",
  natives: ["latency_seconds", 'latency_seconds{region!="r0"}'],
};

/** Question `number`: each second one aggregates. */
export function wideQuestion(seed: number, number: number): { readonly query: string; readonly path: string } {
  const random = seededRandom(seed).fork(`question ${number}`);
  const queryOf = number % 2 === 0 ? randomQuery : randomAggregation;
  return askedAtRandom(random, queryOf(random.uint32(), pinnedTime, vocabulary));
}

/** A sample for every step: a number, or a native histogram. */
type Line =
  | { readonly labels: Readonly<Record<string, string>>; readonly valueAt: (i: number) => number }
  | { readonly labels: Readonly<Record<string, string>>; readonly histogramAt: (i: number) => FloatHistogram };

/** Whole numbers that no two series share where topk looks at them; fractions, and what is no number, elsewhere. */
function linesOf(random: Random, region: number, number: number): readonly Line[] {
  const base = 1 + region * 1_000_000 + number * 10_000;
  const instance = (id: number) => ({ id: `i${id}`, instance: `node-${id}:9100` });
  const shape = (["wave", "huge", "infinite", "nan", "tiny", "negative", "flat"] as const)[number % 7];
  const oddValue = (i: number): number => {
    switch (shape) {
      case "huge":
        return 1e300 * (1 + (i % 3));
      case "infinite":
        return i % 9 === 0 ? (number % 2 === 0 ? Infinity : -Infinity) : i;
      case "nan":
        return i % 5 === 0 ? NaN : i / 7;
      case "tiny":
        return 1e-300 * (i + 1);
      case "negative":
        return -base / 3 - i;
      case "flat":
        return 0.1;
      default:
        return Math.fround(Math.sin(i + number)) * 1e3;
    }
  };
  /** A counter that begins anew now and then. */
  const counter = (growth: () => number, first: number) => {
    let value = first;
    const values = Array.from({ length: stepCount }, () => (value = random.int(40) === 0 ? first : value + growth()));
    return (i: number) => values[i] ?? NaN;
  };
  const lines = [0, 1].flatMap((id): readonly Line[] => {
    const own = base + id * 1000;
    const named = (name: string, more: Readonly<Record<string, string>> = {}) => ({
      __name__: name,
      ...instance(id),
      ...more,
    });
    const loads = Array.from({ length: stepCount }, () => own + random.int(1000));
    return [
      { labels: named("load", { zone: `z${id % 2}` }), valueAt: (i) => loads[i] ?? NaN },
      { labels: named("odd_left"), valueAt: (i) => own + i },
      { labels: named("odd_many", { zone: `z${(id + 1) % 2}` }), valueAt: (i) => own * 2 + i },
      { labels: named("hits_total", { code: id === 0 ? "500" : "200" }), valueAt: counter(() => own, own) },
      { labels: named("up", { job: "node" }), valueAt: (i) => ((i + number) % 13 === 0 ? 0 : 1) },
      { labels: named("node_memory_MemAvailable_bytes"), valueAt: (i) => own * 4096 + 8192 * (i % 11) },
      { labels: named("node_memory_MemTotal_bytes"), valueAt: () => own * 8192 },
      ...["idle", "user"].map((mode) => ({
        labels: named("node_cpu_seconds_total", { mode, cpu: "0" }),
        valueAt: counter(() => random.int(6000) / 100, 0),
      })),
      {
        labels: named("container_cpu_usage_seconds_total", {
          namespace: id === 0 ? "shop" : "mail",
          container: "main",
        }),
        valueAt: counter(() => random.int(60_000) / 1000, 0),
      },
      {
        labels: named("apiserver_request_total", { verb: "GET", code: id === 0 ? "500" : "200" }),
        valueAt: counter(() => random.int(50), 0),
      },
    ];
  });
  const growths = [1, 2, 5].map((factor) => factor * (1 + (number % 10)));
  return [
    ...lines,
    ...["0.1", "1", "+Inf"].map((le, place) => ({
      labels: { __name__: "http_request_duration_seconds_bucket", le, handler: "/" },
      valueAt: (i: number) => i * (growths[place] ?? 1),
    })),
    { labels: { __name__: "moments", id: "i0" }, valueAt: (i) => 1_600_000_000 + base * 977 + i },
    { labels: { __name__: "odd_gauge", shape: shape ?? "wave" }, valueAt: oddValue },
    { labels: { __name__: "latency_seconds", handler: "/" }, histogramAt: (i) => histogramAt(number, i) },
  ];
}

/** Buckets come up as time goes on; every eighth cluster counts finer, and every ninth begins anew in the middle. */
function histogramAt(number: number, i: number): FloatHistogram {
  const since = number % 9 === 0 && i >= stepCount / 2 ? i - stepCount / 2 : i;
  const length = 2 + Math.min(4, Math.floor(since / 25));
  const positiveBuckets = Float64Array.from({ length }, (_, bucket) => since * (1 + ((number + bucket) % 4)));
  const zeroCount = Math.floor(since / 3);
  const count = positiveBuckets.reduce((sum, one) => sum + one, zeroCount);
  return {
    ...{ schema: number % 8 === 0 ? 1 : 0, zeroThreshold: 0.001, zeroCount, count, sum: count * 1.7 + number / 3 },
    ...{ positiveSpans: [{ offset: 0, length }], positiveBuckets },
    ...{ negativeSpans: [], negativeBuckets: new Float64Array(0), customBounds: new Float64Array(0) },
    counterReset: "unknown",
  };
}

interface WideCluster {
  readonly name: string;
  readonly external: Readonly<Record<string, string>>;
  readonly replicas: readonly (readonly SourceSeries[])[];
  readonly history: readonly SourceSeries[]; // older than what the replicas have
}

/**
 * What one replica missed the other one has, mostly. Every fourth cluster has one replica only; of every third one, the
 * replicas scrape at times of their own. Regions 0 and 2 have the older half of their data in a bucket.
 */
function wideCluster(random: Random, region: number, number: number): WideCluster {
  const name = `cluster-${String(region * clustersPerRegion + number + 1).padStart(3, "0")}`;
  const external = { cluster: name, region: `r${region}` };
  const lines = linesOf(random, region, number);
  const hasHistory = region % 2 === 0;
  const cut = hasHistory ? stepCount / 2 + random.int(10) : 0;
  const steps = Array.from({ length: stepCount }, (_, i) => i);
  const seriesAt = (replica: number, wanted: readonly number[], shiftMs: number) =>
    lines.map((line) => {
      const labels = labelsFromRecord({ ...line.labels, ...external, replica: String(replica) });
      const timeMsOf = (i: number) => wideRange.startMs + (i + 1) * intervalMs - shiftMs;
      if ("valueAt" in line)
        return seriesOf(
          labels,
          wanted.map((i) => [timeMsOf(i), line.valueAt(i)] as const),
        );
      const chunks = encodeIntegerHistograms(Float64Array.from(wanted, timeMsOf), wanted.map(line.histogramAt));
      return {
        labels,
        chunks: chunks.map(({ minTimeMs, maxTimeMs, data }) => ({
          ...{ minTimeMs, maxTimeMs },
          content: { kind: "raw", encoding: 2, data } as const,
        })),
      };
    });
  const replicas = (number % 4 === 3 ? [0] : [0, 1]).map((replica) => {
    const gaps = [0, 1].map(() => ({ from: random.int(stepCount), length: random.int(15) }));
    const isMissed = (i: number) => gaps.some(({ from, length }) => i >= from && i < from + length);
    const wanted = steps.filter((i) => i >= cut && !isMissed(i));
    return seriesAt(replica, wanted, number % 3 === 0 ? replica * 7_123 : 0);
  });
  const history = hasHistory ? seriesAt(0, steps.slice(0, cut), 0) : [];
  return { name, external, replicas, history };
}

/** In such a time every endpoint is checked anew. */
const checkMs = 5_000;

/** An answer without the warnings that name who is away, as one engine over the data of those who live gives it. */
export function withoutMissing(answer: FleetAnswer): FleetAnswer {
  const { warnings = [], ...rest } = answer;
  const others = warnings.filter((warning) => !warning.startsWith("clusters missing from the answer: "));
  return others.length === 0 ? rest : { ...rest, warnings: others };
}

export const wideTops = ["shares", "series"] as const;
export type WideTop = (typeof wideTops)[number];

export interface WideFleet {
  /** Asks for shares or for series, through both tiers. */
  ask(top: WideTop, path: string): Promise<FleetAnswer>;
  /** Asks one engine that has all the data of those who live. */
  askWhole(path: string): Promise<FleetAnswer>;
  /** One agent of each pair of replicas goes away, and one of each pair of regional queriers. */
  stopOneOfEachPair(): Promise<void>;
  stop(): Promise<void>;
}

/** A fleet inside the process, whose data depend on the seed. Its clock stands still while it is asked. */
export async function startWideFleet(seed: number): Promise<WideFleet> {
  const random = seededRandom(seed);
  const told = testPorts();
  const clock = stillClock(told.clock);
  const settle = async () => await told.clock.advance(100);
  // A network without a clock: its calls have no deadlines, which nobody would wait for.
  const served = createServedFleet({ ...told, clock, network: memoryNetwork() }, settle);
  const everything: SourceSeries[] = [];
  const surviving: SourceSeries[] = [];
  const mortalStores: ServedStore[] = [];
  const mortalQueriers: Querier[] = [];
  const regional: EndpointSpec[] = [];

  for (let region = 0; region < regionCount; region++) {
    const clusters = Array.from({ length: clustersPerRegion }, (_, number) => wideCluster(random, region, number));
    const expects = clusters.map(({ name, external }) => ({ name, labels: labelsFromRecord(external) }));
    const endpoints: EndpointSpec[] = [];
    for (const [number, { name, external, replicas }] of clusters.entries()) {
      const expected = { name, labels: labelsFromRecord(external) };
      for (const [replica, series] of replicas.entries()) {
        const labels = labelsFromRecord({ ...external, replica: String(replica) });
        const evaluates = number % 5 !== 0;
        const store = await served.serve({ series, labelSets: [labels], kind: "agent", evaluates });
        endpoints.push({ address: store.address, name: `${name}-${replica}`, expects: [expected] });
        everything.push(...series);
        if (replicas.length > 1 && replica === number % 2) mortalStores.push(store);
        else surviving.push(...series);
      }
    }
    const history = clusters.flatMap((cluster) => cluster.history);
    if (history.length > 0) {
      const labelSets = expects.map(({ labels }) => labels);
      const { address } = await served.serve({ series: history, labelSets, kind: "gateway", evaluates: false });
      endpoints.push({ address, name: `history-of-r${region}`, expects: [] });
      everything.push(...history);
      surviving.push(...history);
    }
    for (const replica of [0, 1]) {
      const name = `r${region}-${replica}`;
      const querier = await served.startQuerier(name, endpoints, "distributed");
      regional.push({ address: querier.grpcAddress, name, group: `r${region}`, expects });
      if (replica === region % 2) mortalQueriers.push(querier);
    }
  }

  const startWhole = async (name: string, series: readonly SourceSeries[]) => {
    const { address } = await served.serve({ series, labelSets: [emptyLabels], kind: "gateway", evaluates: false });
    return await served.startQuerier(name, [{ address, name, expects: [] }], "fan-out");
  };
  let whole = await startWhole("whole", everything);
  const queriers: Readonly<Record<WideTop, Querier>> = {
    shares: await served.startQuerier("shares", regional, "distributed"),
    series: await served.startQuerier("series", regional, "fan-out"),
  };
  clock.stop();
  return {
    ask: (top, path) => served.ask(queriers[top], path),
    askWhole: (path) => served.ask(whole, path),
    async stopOneOfEachPair() {
      clock.goOn();
      whole = await startWhole("whole of the living", surviving);
      await Promise.all([
        ...mortalStores.map((store) => store.stop()),
        ...mortalQueriers.map((querier) => querier.stop(0)),
      ]);
      await told.clock.advance(checkMs);
      clock.stop();
    },
    stop: () => served.stop(),
  };
}

interface StillClock extends Clock {
  /** From now on nothing new is waited for: deadlines that never come would only be kept. */
  stop(): void;
  /** New sleepers and deadlines are kept again, as the clock below has them. */
  goOn(): void;
}

/** A clock over one that moves when told, for times when it will not be told. */
function stillClock(clock: Clock): StillClock {
  let isStill = false;
  return {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    sleep: (spanMs, signal) => clock.sleep(spanMs, signal),
    after: (spanMs, act) => (isStill ? () => {} : clock.after(spanMs, act)),
    deadline: (spanMs, parent) => (isStill ? (parent ?? new AbortController().signal) : clock.deadline(spanMs, parent)),
    yield: () => clock.yield(),
    stop: () => void (isStill = true),
    goOn: () => void (isStill = false),
  };
}
