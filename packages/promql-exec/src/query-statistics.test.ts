/** What an answer tells of the work behind it: samples that the steps look at, and what each operator did. */
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import type { InstantRequest, QueryAnswer, RangeRequest } from "./answer.ts";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import type { OperatorProfile } from "./operator-profile.ts";
import { loadedSource } from "./test-script-sources.ts";

/** A sample every ten seconds, and three series every thirty; one histogram that takes the room of eleven samples. */
const script = `
load 10s
  every10s 1+1x200
  hist {{schema:0 count:8 sum:8 buckets:[1 1 1 1 1 1 1 1]}}x200

load 30s
  every30s{a="1"} 1+1x100
  every30s{a="2"} 1+1x100
  every30s{a="3"} 1+1x100
`;

const source = loadedSource(script);
const select = { withoutLabels: [], maxResolutionMs: 0, onFailure: "abort" } as const;

async function answerTo(request: Omit<InstantRequest, "select"> | Omit<RangeRequest, "select">): Promise<QueryAnswer> {
  const engine = createEngine(defaultEngineOptions, { clock: manualClock(), observations: silentObservations() });
  const { signal } = new AbortController();
  const result =
    "stepMs" in request
      ? await engine.range({ ...request, select }, source, signal)
      : await engine.instant({ ...request, select }, source, signal);
  if (!result.ok) throw new Error(result.failure.message);
  return result.value;
}

describe("samples that a query looks at", () => {
  for (const [rule, query, total] of [
    ["one of an instant selector's series", "every10s", 1],
    ["one of each", "every30s", 3],
    ["none of a number", "1 + 1", 0],
    ["those of a window", "rate(every10s[1m])", 6],
    ["those of a window of every series", "sum(rate(every30s[1m]))", 6],
    ["both sides of an operator", "every10s + on () group_right () every30s", 4],
    ["a sample's own time", "timestamp(every30s)", 3],
    ["what a subquery gives, not what it looks at", "max_over_time(rate(every10s[1m])[1m:20s])", 3],
    ["a histogram as the samples that would take its room", "hist", 15],
    ["histograms of a window", "rate(hist[30s])", 45],
    ["at a fixed time", "every10s @ 100", 1],
  ] as const) {
    it(`are ${rule}`, async () => {
      const { statistics } = await answerTo({ query, timeMs: 600_000, countSamples: "total" });
      expect(statistics.samplesQueryable).toBe(total);
    });
  }

  for (const [rule, query, perStep] of [
    ["the same at each step of an instant selector", "every30s", [3, 3, 3]],
    ["whole windows, those of one step again at the next", "rate(every10s[1m])", [6, 6, 6]],
    ["once more for each step, where they are evaluated once", "rate(every10s[1m] @ 300)", [6, 6, 6]],
    ["those of a scalar's selector too", "scalar(every10s) + 1", [1, 1, 1]],
    ["none before the series begins", "every10s offset 10m", [0, 1, 1]],
  ] as const) {
    it(`are told for each step: ${rule}`, async () => {
      const range = { startMs: 590_000, endMs: 630_000, stepMs: 20_000 };
      const { statistics } = await answerTo({ query, ...range, countSamples: "per-step" });
      expect([...(statistics.samplesQueryablePerStep?.counts ?? [])]).toEqual(perStep);
      expect([...(statistics.samplesQueryablePerStep?.timestampsMs ?? [])]).toEqual([590_000, 610_000, 630_000]);
      expect(statistics.samplesQueryable).toBe(perStep.reduce<number>((sum, count) => sum + count, 0));
    });
  }

  for (const [one, other] of [
    ["every30s", "sum(every30s)"],
    ["every30s offset 7m", "count(every30s offset 7m)"],
    ["timestamp(every30s)", "max(timestamp(every30s))"],
    ["quantile_over_time(0.5, every30s[1m])", "rate(every30s[1m])"],
    ["quantile_over_time(0.5, every30s[1m])", "sum(rate(every30s[1m]))"],
    ["quantile_over_time(0.5, every10s[95s] offset 3m)", "max_over_time(every10s[95s] offset 3m)"],
    ["quantile_over_time(0.5, every10s[95s] offset 3m)", "avg(max_over_time(every10s[95s] offset 3m))"],
    ["quantile_over_time(0.5, every30s[5m] @ 200)", "sum(increase(every30s[5m] @ 200))"],
  ] as const) {
    it(`are as many, of any number of steps, whoever looks: ${other}`, async () => {
      const range = { startMs: -100_000, endMs: 4_000_000, stepMs: 13_000 };
      const countsOf = async (query: string) => {
        const { statistics } = await answerTo({ query, ...range, countSamples: "per-step" });
        return [...(statistics.samplesQueryablePerStep?.counts ?? [])];
      };
      const counts = await countsOf(one);
      expect(Math.max(...counts)).toBeGreaterThan(0);
      expect(await countsOf(other)).toEqual(counts);
    });
  }

  it("are as many as have one within the lookback, of any number of steps", async () => {
    const range = { startMs: -100_000, endMs: 4_000_000, stepMs: 13_000 };
    const { statistics } = await answerTo({ query: "every30s", ...range, countSamples: "per-step" });
    const { timestampsMs = [], counts = [] } = statistics.samplesQueryablePerStep ?? {};
    expect([...counts]).toEqual(Array.from(timestampsMs, (time) => (time >= 0 && time < 3_300_000 ? 3 : 0)));
  });

  it("are not counted unless asked for", async () => {
    const { statistics } = await answerTo({ query: "every10s", timeMs: 0 });
    expect([statistics.samplesQueryable, statistics.samplesQueryablePerStep]).toEqual([undefined, undefined]);
  });
});

describe("an analysis", () => {
  /** `description series samples`, indented under its reader. */
  const linesOf = (operators: readonly OperatorProfile[], depth = 0): readonly string[] =>
    operators.flatMap(({ description, isDoneByReader, seriesCount, sampleCount, inputs }) => [
      "  ".repeat(depth) +
        (isDoneByReader
          ? `${description}: by its reader`
          : `${description}: ${seriesCount} series, ${sampleCount} samples`),
      ...linesOf(inputs, depth + 1),
    ]);

  const range = { startMs: 600_000, endMs: 660_000, stepMs: 30_000 };

  it("has series and samples of each operator", async () => {
    const { analysis } = await answerTo({ query: "stddev(rate(every30s[1m])) / 2", ...range, analyze: true });
    expect(analysis?.plan).toBe(`(stddev by () (rate({__name__="every30s"}[1m])) / 2)`);
    expect(linesOf(analysis?.operators ?? [])).toEqual([
      "drop the metric name: 1 series, 3 samples",
      "  / scalar: 1 series, 3 samples",
      "    stddev by (): 1 series, 3 samples",
      "      drop the metric name: 3 series, 9 samples",
      `        rate over {__name__="every30s"}[1m]: 3 series, 9 samples`,
    ]);
  });

  it("says where an operator did the work of those below it as well", async () => {
    const { analysis } = await answerTo({ query: "sum(rate(every30s[1m]))", ...range, analyze: true });
    expect(linesOf(analysis?.operators ?? [])).toEqual([
      "sum by (): 1 series, 3 samples",
      "  drop the metric name: by its reader",
      `    rate over {__name__="every30s"}[1m]: by its reader`,
    ]);
  });

  it("shows operators of scalars before the root", async () => {
    const { analysis } = await answerTo({ query: "every30s > scalar(every10s)", ...range, analyze: true });
    expect(linesOf(analysis?.operators ?? [])).toEqual([
      `select {__name__="every10s"}: 1 series, 3 samples`,
      "> scalar: 3 series, 0 samples",
      `  select {__name__="every30s"}: 3 series, 9 samples`,
    ]);
  });

  it("has times that a reader's contain those of its inputs", async () => {
    const { analysis } = await answerTo({ query: "abs(every30s + on (a) every30s)", ...range, analyze: true });
    const check = ({ elapsedMs, inputs }: OperatorProfile) => {
      for (const input of inputs) {
        expect(input.elapsedMs).toBeLessThanOrEqual(elapsedMs);
        check(input);
      }
    };
    analysis?.operators.forEach(check);
  });

  it("is not made unless asked for", async () => {
    expect((await answerTo({ query: "every10s", timeMs: 0 })).analysis).toBeUndefined();
  });
});
