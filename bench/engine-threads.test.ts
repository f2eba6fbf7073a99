/** The engine on real threads: the only place that has both the engine and the threads of Node. */
import { encodeXor } from "@pleiad/chunks";
import { cursorOf, labelsFromRecord, ok, xorEncoding, type SeriesSource, type SourceSeries } from "@pleiad/model";
import { nodeClock, nodeThreads } from "@pleiad/node-ports";
import { seededRandom, type Thread, type Threads } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { createEngine, defaultEngineOptions } from "@pleiad/promql-exec";
import { afterEach, describe, expect, it } from "vitest";

const startMs = 1_700_000_000_000;
const seriesCount = 2_400;
const samplesPerSeries = 240;

const source = counters();
const engines: ReturnType<typeof createEngine>[] = [];
const started: Thread[] = [];

function engineOn(threadCount: number) {
  const threads: Threads = {
    countUseful: threadCount,
    start(moduleUrl, data) {
      const thread = nodeThreads().start(moduleUrl, data);
      started.push(thread);
      return thread;
    },
  };
  const engine = createEngine(defaultEngineOptions, {
    clock: nodeClock(),
    observations: silentObservations(),
    threads,
  });
  engines.push(engine);
  return engine;
}

async function ask(engine: ReturnType<typeof createEngine>, query: string, signal = new AbortController().signal) {
  const select = { withoutLabels: [], maxResolutionMs: 0, onFailure: "abort" } as const;
  const range = { startMs, endMs: startMs + samplesPerSeries * 30_000, stepMs: 60_000 };
  const result = await engine.range({ query, ...range, select }, source, signal);
  if (!result.ok) return `${result.failure.kind}: ${result.failure.message}`;
  // What gives its pages back is another function with each answer; the pages are kept here.
  const { release: _, ...answer } = { release: undefined, ...result.value.value };
  return answer;
}

/** How many series a matrix has, and every bit of its values, told as a number. */
function bitsOf(answer: Awaited<ReturnType<typeof ask>>): string {
  if (typeof answer === "string" || answer.kind !== "matrix") throw new Error("no matrix");
  let hash = 0;
  let count = 0;
  for (const { values } of answer.series) {
    count += values.length;
    for (const word of new Uint32Array(values.slice().buffer)) hash = (Math.imul(hash, 31) + word) | 0;
  }
  return `${answer.series.length} series, ${count} values, ${hash}`;
}

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
  started.length = 0;
});

describe("the engine on threads", () => {
  it.each(["sum by (job) (rate(x_total[5m]))", "max_over_time(x_total[5m])", "avg(x_total)"])(
    "gives the same bits on none, one and three: %s",
    { timeout: 60_000 },
    async (query) => {
      const answers = [];
      for (const count of [0, 1, 3]) answers.push(bitsOf(await ask(engineOn(count), query)));
      expect(started).toHaveLength(4);
      expect(answers).toEqual([answers[0], answers[0], answers[0]]);
    },
  );

  it("answers many queries at once, each as if it were alone", { timeout: 60_000 }, async () => {
    const engine = engineOn(2);
    const queries = ["sum(rate(x_total[5m]))", "count by (job) (x_total)", "max by (job) (x_total)"];
    const alone = [];
    for (const query of queries) alone.push(await ask(engine, query));
    const together = await Promise.all([...queries, ...queries, ...queries].map((query) => ask(engine, query)));
    expect(together).toEqual([...alone, ...alone, ...alone]);
  });

  it("lets others run meanwhile", { timeout: 60_000 }, async () => {
    let turns = 0;
    let isDone = false;
    const others = (async () => {
      for (; !isDone; turns++) await new Promise((resolve) => setImmediate(resolve));
    })();
    await ask(engineOn(0), "sum(rate(x_total[5m]))");
    isDone = true;
    await others;
    // Without a rest in the query there is one turn at most: the one that finds it done.
    expect(turns).toBeGreaterThan(1);
  });

  it("outlives its threads: a query may fail by name, the next one is answered", { timeout: 60_000 }, async () => {
    const engine = engineOn(1);
    const whole = await ask(engine, "sum(rate(x_total[5m]))");
    const asked = ask(engine, "sum(rate(x_total[5m]))");
    await started[0]?.close();
    const answer = await asked;
    if (typeof answer === "string") expect(answer).toMatch(/^execution: a thread of the query engine ended/);
    else expect(answer).toEqual(whole);
    expect(await ask(engine, "sum(rate(x_total[5m]))")).toEqual(whole);
  });
});

function counters(): SeriesSource {
  const random = seededRandom(7);
  const series: SourceSeries[] = [];
  const timestampsMs = new Float64Array(samplesPerSeries);
  const values = new Float64Array(samplesPerSeries);
  for (let number = 0; number < seriesCount; number++) {
    let value = random.float() * 1000;
    for (let i = 0; i < samplesPerSeries; i++) {
      timestampsMs[i] = startMs + i * 30_000 + random.int(10);
      value = random.float() < 0.001 ? 0 : value + Math.round(random.float() * 3000) / 100;
      values[i] = value;
    }
    const data = encodeXor(timestampsMs, values, 0, samplesPerSeries);
    const labels = { __name__: "x_total", instance: String(number).padStart(5, "0"), job: `job-${number % 9}` };
    const times = { minTimeMs: timestampsMs[0] ?? 0, maxTimeMs: timestampsMs[samplesPerSeries - 1] ?? 0 };
    series.push({
      labels: labelsFromRecord(labels),
      chunks: [{ ...times, content: { kind: "raw", encoding: xorEncoding, data } }],
    });
  }
  return {
    select: () => cursorOf(series),
    labelNames: async () => ok({ values: [], warnings: [] }),
    labelValues: async () => ok({ values: [], warnings: [] }),
  };
}
