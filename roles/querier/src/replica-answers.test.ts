/**
 * Replicas that scraped on their own, with gaps that differ, behind regions that evaluate: the same answer whether shares or
 * series come up, by either tier, and with one replica dead.
 */
import { labelsFromRecord, type SourceSeries } from "@pleiad/model";
import { seededRandom, type Random } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import type { DeduplicationFunction } from "@pleiad/storeapi";
import { memorySource, seriesOf } from "@pleiad/storeapi/testing";
import { describe, expect, it } from "vitest";
import { handlersOf } from "./hostile-store.testing.ts";
import { startQuerier, type QueryMode } from "./querier.ts";

const nowMs = 1_700_000_000_000;
const clusters = ["c1", "c2", "c3"] as const;
const queries = [
  "sum by (cluster) (rate(hits_total[5m]))",
  "sum(increase(hits_total[10m]))",
  "max by (cluster) (count_over_time(hits_total[10m]))",
  "count(hits_total)",
  "sum by (id) (resets(hits_total[15m]))",
  "hits_total",
  "avg by (cluster) (irate(hits_total[5m]))",
] as const;

/** Two replicas of a cluster: their phases, their gaps, one restart of the target. */
function replicasOf(cluster: string, random: Random): readonly (readonly SourceSeries[])[] {
  const restartMs = nowMs - random.int(2_400_000);
  const count = (timeMs: number) => Math.floor((timeMs - (timeMs >= restartMs ? restartMs : nowMs - 4_000_000)) / 1000);
  return ["a", "b"].map((replica) => {
    const phaseMs = random.int(30_000);
    return [1, 2].map((id) => {
      const [from, length] = [random.int(100), random.int(25)];
      const times = Array.from({ length: 100 }, (_, i) => nowMs - 3_000_000 + i * 30_000 + phaseMs);
      const kept = times.filter((_, i) => (i < from || i >= from + length) && random.int(20) > 0);
      return seriesOf(
        labelsFromRecord({ __name__: "hits_total", cluster, id: String(id), replica }),
        kept.filter((timeMs) => timeMs <= nowMs).map((timeMs) => [timeMs, id * count(timeMs)] as const),
      );
    });
  });
}

async function openWorld(seed: number, deduplication: DeduplicationFunction) {
  const random = seededRandom(seed);
  const ports = testPorts({ startMs: nowMs });
  const agents: { readonly address: string; readonly cluster: string }[] = [];
  for (const [i, cluster] of clusters.entries()) {
    for (const [j, series] of replicasOf(cluster, random).entries()) {
      const address = `127.0.0.1:${11_000 + 10 * i + j}`;
      // Of a replica's own labels too, so that nobody evaluates what another one has as well.
      const labels = { cluster, replica: j === 0 ? "a" : "b" };
      await ports.network.serveRpc(address, handlersOf(memorySource(series), labels, ports));
      agents.push({ address, cluster });
    }
  }
  const start = async (port: number, queryMode: QueryMode, addresses: readonly string[]) => {
    const started = await startQuerier(
      {
        name: `q${port}`,
        httpAddress: `127.0.0.1:${port}`,
        grpcAddress: `127.0.0.1:${port + 100}`,
        endpoints: addresses.map((address) => ({ address, name: address, expects: [] })),
        replicaLabels: ["replica"],
        queryMode,
        deduplication,
        renderMetrics: () => "",
      },
      ports,
    );
    if (!started.ok) throw new Error(started.failure.message);
    await ports.clock.advance(100);
    return started.value.grpcAddress;
  };
  const regionOf = (names: readonly string[]) =>
    agents.filter(({ cluster }) => names.includes(cluster)).map(({ address }) => address);
  const regions = [
    await start(12_000, "distributed", regionOf(["c1", "c2"])),
    await start(12_001, "distributed", regionOf(["c3"])),
  ];
  await start(13_000, "distributed", regions);
  await start(13_001, "fan-out", regions);
  await start(
    13_002,
    "fan-out",
    agents.map(({ address }) => address),
  );
  const ask = async (port: number, query: string): Promise<unknown> => {
    const range = `start=${nowMs / 1000 - 1_200}&end=${nowMs / 1000}&step=60`;
    const { body } = await ports.network.fetchHttp(
      `http://127.0.0.1:${port}/api/v1/query_range?query=${encodeURIComponent(query)}&${range}`,
      { signal: new AbortController().signal, bodyBytesMax: 1 << 24 },
    );
    const { data, warnings } = JSON.parse(new TextDecoder().decode(body)) as { data: unknown; warnings?: unknown };
    return { data: rounded(data), warnings };
  };
  return { ports, ask, agents };
}

/** Sums of parts may differ in their last digit. */
const rounded = (data: unknown): unknown =>
  JSON.parse(JSON.stringify(data), (_, value: unknown) =>
    typeof value === "string" && /^-?\d+\.\d+(e-?\d+)?$/.test(value) ? Number(value).toPrecision(11) : value,
  ) as unknown;

describe("replicas that scraped on their own", () => {
  for (const deduplication of ["auto", "penalty"] as const) {
    it(`give one answer by shares, by series, and without a tier between, ${deduplication}`, async () => {
      for (let seed = 1; seed <= 8; seed++) {
        const { ask } = await openWorld(seed, deduplication);
        for (const query of queries) {
          const direct = await ask(13_002, query);
          expect(await ask(13_001, query), `seed ${seed}: ${query}, by series`).toEqual(direct);
          expect(await ask(13_000, query), `seed ${seed}: ${query}, by shares`).toEqual(direct);
        }
      }
    });
  }

  it("with one of each pair dead, the answer is that of the others, and says who is missing", async () => {
    const { ports, ask, agents } = await openWorld(3, "auto");
    for (const { address } of agents) if (address.endsWith("0")) ports.network.unplug(address);
    await ports.clock.advance(6_000);
    for (const query of queries) {
      const direct = (await ask(13_002, query)) as { data: unknown; warnings: readonly string[] };
      expect(direct.warnings.join()).toMatch(/endpoints missing from the answer: 127\.0\.0\.1:11000/);
      for (const port of [13_000, 13_001]) {
        const answer = (await ask(port, query)) as { data: unknown; warnings: readonly string[] };
        expect(answer.data, query).toEqual(direct.data);
        expect(answer.warnings.join(), query).toMatch(/127\.0\.0\.1:11000/);
      }
    }
  });
});
