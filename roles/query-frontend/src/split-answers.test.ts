/** Whatever is cut, kept and put together again is the answer that the querier would have given to the whole, byte by byte. */
import { seededRandom, type Random } from "@pleiad/ports";
import type { TestSeries } from "@pleiad/http-api/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frontendWorld, querierAddress, type RangeQuestion } from "./frontend.testing.ts";
import { createMemoryCache, defaultMemoryCache } from "./results-cache.ts";

const hourMs = 3_600_000;
const nowMs = 1_700_000_000_000;

const staleNaN = new Float64Array(new BigUint64Array([0x7ff0000000000002n]).buffer)[0] ?? NaN;

/** Series with gaps, stale ends, odd values, and times that are on no step. */
function randomSeries(random: Random): readonly TestSeries[] {
  const odd = [NaN, Infinity, -Infinity, 0, -0, 1e300, 5e-324, staleNaN];
  return Array.from({ length: 1 + random.int(6) }, (_, i) => {
    const samples: (readonly [number, number])[] = [];
    let value = 0;
    for (let atMs = nowMs - 60 * hourMs; atMs < nowMs + hourMs;) {
      value += random.int(5);
      samples.push([atMs, random.int(12) === 0 ? (odd[random.int(odd.length)] ?? 0) : value]);
      atMs += random.int(6) === 0 ? 4 * hourMs + random.int(hourMs) : 600_000 + random.int(600_000);
    }
    const zone = ["a", "b", 'quo"te', "ünïcode"][random.int(4)] ?? "a";
    return { labels: { __name__: random.int(2) === 0 ? "one" : "two", zone, i: String(i) }, samples };
  });
}

const queries = [
  "one",
  '{__name__=~"one|two"}',
  "sum by (zone) (one)",
  "sum(one) by (zone)",
  "rate(one[2h])",
  "max_over_time(two[3h:10m])",
  "topk(2, one)",
  "one offset 3h",
  "one offset -30m",
  "sum(one @ 1699990000)",
  "one @ end() - one @ start()",
  "sum_over_time(one[1h] @ start())",
  "count_values('v', two)",
  "one or two",
  "absent(one)",
  "time()",
  "vector(1) unless one",
  "histogram_quantile(0.9, one)",
  "avg(two) + 1",
  "nosuch",
  "sum(",
];

describe("random questions", () => {
  it("have the same answer through a frontend, cold and warm, as without", async () => {
    let keptSteps = 0;
    let parts = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const random = seededRandom(seed);
        const world = frontendWorld(nowMs);
        world.series = randomSeries(random);
        await world.serve();
        const frontend = await world.start({
          alignWithStep: false,
          splitIntervalMs: [hourMs, 6 * hourMs, 24 * hourMs][random.int(3)] ?? hourMs,
          parallelismMax: 1 + random.int(4),
          cache: createMemoryCache(defaultMemoryCache),
        });
        const stepMs = [60_000, 600_000, 1_234_567, 3 * hourMs][random.int(4)] ?? 60_000;
        const query = queries[random.int(queries.length)] ?? "one";
        const phaseMs = random.int(2) === 0 ? 0 : random.int(stepMs);
        for (let round = 0; round < 4; round++) {
          const countMax = Math.floor((50 * hourMs) / stepMs);
          const endStep = Math.floor((nowMs + 1_800_000) / stepMs) - random.int(countMax / 2);
          const startMs = (endStep - random.int(countMax / 2)) * stepMs + phaseMs;
          const endMs = endStep * stepMs + phaseMs + random.int(stepMs);
          const question: RangeQuestion = { query, startMs, endMs, stepMs };
          const direct = await world.range(question, { address: querierAddress });
          const through = await world.range(question);
          expect(through.status).toBe(direct.status);
          // Remarks of a kept extent may be of steps beside those that were asked for.
          expect(withoutRemarks(through.text)).toBe(withoutRemarks(direct.text));
        }
        keptSteps += countOf(world.registry.render(), 'pleiad_query_frontend_steps_total{from="cache"}');
        parts += countOf(world.registry.render(), 'thanos_frontend_split_queries_total{tripperware="query_range"}');
        await frontend.stop(0);
      }),
      { numRuns: 60, examples: [[2_053_921_284]] },
    );
    // Or the test would show nothing.
    expect(keptSteps).toBeGreaterThan(0);
    expect(parts).toBeGreaterThan(0);
  });
});

function countOf(page: string, series: string): number {
  const line = page.split("\n").find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length) ?? 0);
}

function withoutRemarks(text: string): string {
  return text.replace(/(?:,"(?:warnings|infos)":\["PromQL .*)?\}$/, "}");
}
