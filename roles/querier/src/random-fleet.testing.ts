/** For tests: random fleets of agents, gateways and queriers on a network, and random questions to them. */
import { emptyLabels, labelsFromRecord, type SourceSeries } from "@pleiad/model";
import { seededRandom, type Ports, type Random } from "@pleiad/ports";
import { randomQuery, type Vocabulary } from "@pleiad/promql-syntax/testing";
import type { EndpointSpec } from "@pleiad/storeapi";
import { seriesOf } from "@pleiad/storeapi/testing";
import type { FleetAnswer } from "./answer-difference.testing.ts";
import type { Querier } from "./querier.ts";
import { createServedFleet } from "./served-fleet.testing.ts";

export { answerDifference, type FleetAnswer } from "./answer-difference.testing.ts";

/** The newest sample of every fleet. */
export const endMs = 1_700_000_000_000;
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
  const served = createServedFleet(ports, settle);
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
        const evaluates = random.int(4) > 0;
        const { address } = await served.serve({ series, labelSets: [labels], kind: "agent", evaluates });
        endpoints.push({ address, name: `${name}-${replica}`, expects: [expected] });
        everything.push(...series);
      }
      if (random.int(2) === 0) {
        const store = { series: cluster.history, labelSets: [expected.labels], kind: "gateway" } as const;
        const { address } = await served.serve({ ...store, evaluates: false });
        endpoints.push({ address, name: `history-of-${name}`, expects: [] });
        everything.push(...cluster.history);
      }
    }
    for (const replica of [0, 1]) {
      const name = `r${region}-${replica}`;
      const querier = await served.startQuerier(name, endpoints, random.int(4) === 0 ? "fan-out" : "distributed");
      regional.push({ address: querier.grpcAddress, name, group: `r${region}`, expects });
      if (replica === 0) firstOfPairs.push(querier);
    }
  };

  const regionCount = 2 + random.int(2);
  for (let region = 0; region < regionCount; region++) await startRegion(region);
  const all = { series: everything, labelSets: [emptyLabels], kind: "gateway", evaluates: false } as const;
  const { address } = await served.serve(all);
  const queriers: Readonly<Record<Top, Querier>> = {
    shares: await served.startQuerier("shares", regional, "distributed"),
    series: await served.startQuerier("series", regional, "fan-out"),
    whole: await served.startQuerier("whole", [{ address, name: "whole", expects: [] }], "fan-out"),
  };
  return {
    ask: (top, path) => served.ask(queriers[top], path),
    stopFirstOfPairs: async () => {
      await Promise.all(firstOfPairs.map((querier) => querier.stop(0)));
    },
    stop: () => served.stop(),
  };
}

interface Question {
  readonly query: string;
  readonly path: string; // below /api/v1/
}

/** Question `number` to a fleet: a query that gives an answer, and when it is asked about. */
export function randomQuestion(seed: number, number: number): Question {
  const random = seededRandom(seed).fork(`question ${number}`);
  return askedAtRandom(random, randomQuery(random.uint32(), pinnedTime, fleetVocabulary));
}

/** For `@`. */
export const pinnedTime = String((endMs - 600_000) / 1000);

/** A query at some instant or over some range near the end of the data. */
export function askedAtRandom(random: Random, query: string): Question {
  const text = encodeURIComponent(query);
  const at = endMs - random.int(60) * 1_000 - random.int(1_000);
  if (random.int(2) === 0) return { query, path: `query?query=${text}&time=${at / 1000}` };
  const step = [15, 60, 61.5, 300][random.int(4)];
  return {
    query,
    path: `query_range?query=${text}&start=${at / 1000 - random.int(1_500)}&end=${at / 1000}&step=${step}`,
  };
}
