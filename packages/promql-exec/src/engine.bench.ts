/**
 * Speed of whole range queries over series as a fleet has them. Large by name:
 * `node packages/promql-exec/src/engine.bench.ts`; small in the tests.
 */
import { pathToFileURL } from "node:url";
import { encodeXor } from "@pleiad/chunks";
import { cursorOf, labelsFromRecord, ok, xorEncoding, type SeriesSource, type SourceSeries } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { createEngine, defaultEngineOptions } from "./engine.ts";

export interface EngineBench {
  readonly fastestMs: number;
  readonly seriesCount: number; // of the answer
  /** The sum of all values of the answer: a faster wrong answer shows. */
  readonly checksum: number;
}

export const engineBenchQueries: readonly string[] = [
  "sum by (cluster) (rate(x_total[5m]))",
  "rate(x_total[5m])",
  "topk(5, rate(x_total[5m]))",
  "quantile by (cluster) (0.9, rate(x_total[5m]))",
  "x_total - x_total offset 5m",
  "max_over_time(sum by (cluster) (rate(x_total[5m]))[30m:1m])",
];

const startMs = 1_700_000_000_000;
const scrapeMs = 30_000;

/** Counters of `seriesPerCluster` nodes in each cluster, in chunks of 120 samples. */
export function benchSource(clusterCount: number, seriesPerCluster: number, sampleCount: number): SeriesSource {
  let state = 1;
  const chance = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 4_294_967_296;
  const timestampsMs = new Float64Array(sampleCount);
  const values = new Float64Array(sampleCount);
  const series: SourceSeries[] = [];
  for (let cluster = 0; cluster < clusterCount; cluster++) {
    for (let node = 0; node < seriesPerCluster; node++) {
      let value = chance() * 1000;
      for (let i = 0; i < sampleCount; i++) {
        timestampsMs[i] = startMs + i * scrapeMs + Math.floor(chance() * 10);
        value = chance() < 0.001 ? 0 : value + Math.round(chance() * 3000) / 100;
        values[i] = value;
      }
      const chunks: SourceSeries["chunks"][number][] = [];
      for (let from = 0; from < sampleCount; from += 120) {
        const to = Math.min(from + 120, sampleCount);
        const content = {
          kind: "raw",
          encoding: xorEncoding,
          data: encodeXor(timestampsMs, values, from, to),
        } as const;
        chunks.push({ minTimeMs: timestampsMs[from], maxTimeMs: timestampsMs[to - 1], content });
      }
      const name = String(cluster).padStart(3, "0");
      const instance = `node-${String(node).padStart(5, "0")}`;
      series.push({ labels: labelsFromRecord({ __name__: "x_total", cluster: name, instance, job: "node" }), chunks });
    }
  }
  return {
    select: () => cursorOf(series),
    labelNames: async () => ok({ values: [], warnings: [] }),
    labelValues: async () => ok({ values: [], warnings: [] }),
  };
}

/** Runs a query over two hours at a step of a minute, `rounds` times. */
export async function benchEngine(
  query: string,
  source: SeriesSource,
  rounds: number,
  clock: Clock,
): Promise<EngineBench> {
  const engine = createEngine(defaultEngineOptions, { clock, observations: silentObservations() });
  const select = { withoutLabels: [], maxResolutionMs: 0, onFailure: "warn" } as const;
  const request = { query, startMs, endMs: startMs + 7_200_000, stepMs: 60_000, select };
  let fastestMs = Infinity;
  let seriesCount = 0;
  let checksum = 0;
  for (let round = 0; round < rounds; round++) {
    const fromMs = clock.monotonicMs();
    const result = await engine.range(request, source, new AbortController().signal);
    fastestMs = Math.min(fastestMs, clock.monotonicMs() - fromMs);
    if (!result.ok || result.value.value.kind !== "matrix") throw new Error(`no answer to ${query}`);
    const { series } = result.value.value;
    seriesCount = series.length;
    checksum = series.reduce((total, { values }) => values.reduce((sum, value) => sum + value, total), 0);
  }
  return { fastestMs, seriesCount, checksum };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const clock: Clock = {
    ...manualClock(),
    monotonicMs: () => performance.now(),
    yield: async () => await new Promise<void>((resolve) => setImmediate(resolve)),
  };
  const source = benchSource(220, 140, 240);
  for (const query of engineBenchQueries) {
    const { fastestMs, seriesCount, checksum } = await benchEngine(query, source, 5, clock);
    console.log(`${query.padEnd(60)} ${fastestMs.toFixed(0)} ms, ${seriesCount} series, checksum ${checksum}`);
  }
}
