import { encodeXor } from "@pleiad/chunks";
import { cursorOf, labelsFromRecord, ok, xorEncoding, type SeriesSource, type SourceSeries } from "@pleiad/model";
import { seededRandom, ThreadError, type Random, type Threads } from "@pleiad/ports";
import { manualClock, sameThreads, silentObservations } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { QueryAnswer, RangeRequest } from "./answer.ts";
import { createEngine, defaultEngineOptions, type EngineOptions } from "./engine.ts";
import { allFeatures } from "./features.ts";
import { benchRate } from "./leaf-kernels.bench.ts";
import { createLeafPool } from "./leaf-pool.ts";
import { kernelNumber } from "./leaf-runner.ts";
import { createLeafTask, headerWord, slabState, type LeafShape } from "./leaf-task.ts";
import { defaultLimits } from "./limits.ts";

// Each asks for many answers, twice.
vi.setConfig({ testTimeout: 60_000 });

const select = { withoutLabels: [], maxResolutionMs: 0, onFailure: "warn" } as const;
const startMs = 1_700_000_000_000;
const minuteMs = 60_000;
const signal = new AbortController().signal;

/** Encodes samples given as time and the bits of the value, high and low. */
function chunkOf(samples: readonly (readonly [timestampMs: number, high: number, low: number])[]) {
  const timestampsMs = Float64Array.from(samples, ([timestampMs]) => timestampMs);
  const values = new Float64Array(samples.length);
  const words = new Uint32Array(values.buffer);
  samples.forEach(([, high, low], i) => words.set([low, high], 2 * i));
  const data = encodeXor(timestampsMs, values, 0, samples.length);
  const content = { kind: "raw", encoding: xorEncoding, data } as const;
  return { minTimeMs: timestampsMs[0], maxTimeMs: timestampsMs[samples.length - 1], content };
}

function bitsOf(value: number): readonly [high: number, low: number] {
  const words = new Uint32Array(Float64Array.of(value).buffer);
  return [words[1], words[0]];
}

const oddBits: readonly (readonly [high: number, low: number])[] = [
  [0x7ff00000, 2], // a staleness marker
  [0x7ff00000, 2],
  [0x7ff80000, 1], // Prometheus's ordinary NaN
  [0xfff80000, 77], // some other
  bitsOf(Infinity),
  bitsOf(-0),
  bitsOf(1e308),
];

/** Counters with resets and gauges, with gaps, jitter and odd values, in chunks that may overlap and repeat each other. */
function randomSeries(random: Random, count: number, options: { readonly odd: boolean }): SourceSeries[] {
  return Array.from({ length: count }, (_, number) => {
    const isCounter = random.float() < 0.6;
    const stepMs = [15_000, 30_000, 30_000, 7_001][random.int(4)];
    const sampleCount = random.float() < 0.1 ? random.int(3) : random.int(300);
    const samples: [number, number, number][] = [];
    let timeMs = startMs + random.int(10) * minuteMs;
    let value = random.float() < 0.5 ? random.int(50) : random.float() * 1e6;
    for (let i = 0; i < sampleCount; i++) {
      timeMs += stepMs + (random.float() < 0.1 ? random.int(20) : 0) + (random.float() < 0.02 ? 7 * minuteMs : 0);
      if (!isCounter) value += random.float() - 0.5;
      else if (random.float() < 0.02) value = random.int(3);
      else value += random.float() < 0.3 ? 0 : random.float() * 10;
      const isOdd = options.odd && random.float() < 0.03;
      samples.push([timeMs, ...(isOdd ? oddBits[random.int(oddBits.length)] : bitsOf(value))]);
    }
    const chunks: SourceSeries["chunks"][number][] = [];
    for (let from = 0; from < samples.length;) {
      const to = Math.min(samples.length, from + 1 + random.int(120));
      chunks.push(chunkOf(samples.slice(from, to)));
      // A replica's chunk: some of the same samples, and some in between.
      if (random.float() < 0.2) {
        const replica = samples.slice(from, Math.min(samples.length, to + 5)).filter(() => random.float() < 0.7);
        const moved = replica.map(([t, high, low]): [number, number, number] => [t + random.int(2) * 3, high, low]);
        if (moved.length > 0) chunks.push(chunkOf(moved));
      }
      from = to;
    }
    chunks.sort((a, b) => a.minTimeMs - b.minTimeMs || a.maxTimeMs - b.maxTimeMs);
    const labels = {
      __name__: "x_total",
      a: `a${number % 3}`,
      b: `b${number % 7}`,
      n: String(number).padStart(6, "0"),
    };
    return { labels: labelsFromRecord(number % 5 === 0 ? { ...labels, a: "" } : labels), chunks };
  });
}

function sourceOf(series: readonly SourceSeries[]): SeriesSource {
  return {
    select: () => cursorOf(series),
    labelNames: async () => ok({ values: [], warnings: [] }),
    labelValues: async () => ok({ values: [], warnings: [] }),
  };
}

function engineWith(threads?: Threads, options: Partial<EngineOptions> = {}) {
  const ports = { clock: manualClock(), observations: silentObservations(), ...(threads && { threads }) };
  return createEngine({ ...defaultEngineOptions, leafResultsMin: 0, ...options }, ports);
}

async function answerOf(
  query: string,
  source: SeriesSource,
  engine = engineWith(),
  more: Partial<RangeRequest> = {},
): Promise<Pick<QueryAnswer, "value" | "warnings" | "infos"> | string> {
  const range = { startMs: startMs + 5 * minuteMs, endMs: startMs + 70 * minuteMs, stepMs: minuteMs };
  const result = await engine.range({ query, ...range, select, ...more }, source, signal);
  if (!result.ok) return `${result.failure.kind}: ${result.failure.message}`;
  const { value, warnings, infos } = result.value;
  // Without its `release`: functions are not compared.
  return { value: value.kind === "matrix" ? { kind: "matrix", series: value.series } : value, warnings, infos };
}

/** The same by the operators that decode series by series: they alone count samples. */
const plainly = { countSamples: "total" } as const;

const leaves = [
  "x_total",
  "x_total offset 7m",
  "x_total @ 1700001800",
  "rate(x_total[5m])",
  "increase(x_total[5m] offset 3m)",
  "delta(x_total[90s])",
  "rate(x_total[5m] @ 1700001800)",
  "irate(x_total[5m])",
  "max_over_time(x_total[4m])",
  "avg_over_time(x_total[4m])",
  "count_over_time(x_total[4m])",
  "last_over_time(x_total[4m])",
  "timestamp(x_total)",
];

describe("leaves computed in tasks give what series by series does, bit for bit:", () => {
  it.each(leaves)("%s", async (leaf) => {
    const queries = [leaf, `sum by (a) (${leaf})`, `avg without (n, b) (${leaf})`, `max by (b, a) (${leaf})`];
    queries.push(`min(${leaf})`, `count by (a) (${leaf})`, `group by (b) (${leaf})`, `sum by (__name__) (${leaf})`);
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.constantFrom(...queries), fc.boolean(), async (seed, query, odd) => {
        const source = sourceOf(randomSeries(seededRandom(seed), 12, { odd }));
        const more = { stepMs: [minuteMs, 30_000, 13_007][seed & 1] };
        const expected = await answerOf(query, source, engineWith(), { ...more, ...plainly });
        expect(await answerOf(query, source, engineWith(), more)).toEqual(expected);
        // Delayed name removal and start timestamps among them.
        const featured = { features: allFeatures };
        const expectedFeatured = await answerOf(query, source, engineWith(undefined, featured), {
          ...more,
          ...plainly,
        });
        expect(await answerOf(query, source, engineWith(undefined, featured), more)).toEqual(expectedFeatured);
      }),
      { numRuns: 12 },
    );
  });

  it("and the same remarks", async () => {
    const [one] = randomSeries(seededRandom(1), 1, { odd: false });
    const source = sourceOf([{ ...one, labels: labelsFromRecord({ __name__: "odd", n: "1" }) }]);
    const expected = await answerOf("sum(rate(odd[5m]))", source, engineWith(), plainly);
    expect(expected).toMatchObject({ infos: [expect.stringContaining("might not be a counter")] });
    expect(await answerOf("sum(rate(odd[5m]))", source)).toEqual(expected);
  });

  it("series that become one without their names fail the query all the same", async () => {
    const [one] = randomSeries(seededRandom(3), 1, { odd: false });
    const metrics = ["x", "y"].map((name) => ({ ...one, labels: labelsFromRecord({ __name__: name, a: "1" }) }));
    const types = ["counter", "gauge"].map((type) => ({
      ...one,
      labels: labelsFromRecord({ __name__: "x", __type__: type, a: "1" }),
    }));
    const message = "execution: vector cannot contain metrics with the same labelset";
    expect(await answerOf('sum(rate({__name__=~".+"}[5m]))', sourceOf(metrics))).toBe(message);
    expect(await answerOf("sum(rate(x[5m]))", sourceOf(types))).toBe(message);
  });

  it("damaged chunks fail the query with the same words", async () => {
    const [one] = randomSeries(seededRandom(5), 1, { odd: false });
    const [chunk] = one.chunks;
    if (chunk.content.kind !== "raw") throw new Error("no raw chunk");
    const content = { ...chunk.content, data: chunk.content.data.slice(0, 12) };
    const source = sourceOf([{ ...one, chunks: [{ ...chunk, content }] }]);
    const failure = await answerOf("sum(x_total)", source, engineWith(), plainly);
    expect(failure).toMatch(/^source: the chunk ends within/);
    expect(await answerOf("sum(x_total)", source)).toBe(failure);
    expect(await answerOf("x_total", source)).toBe(failure);
  });

  it("means of numbers whose sum is too large", async () => {
    const series = [1, 2, 3].map((n) => ({
      labels: labelsFromRecord({ __name__: "x_total", n: String(n) }),
      chunks: [chunkOf(Array.from({ length: 100 }, (_, i) => [startMs + i * minuteMs, ...bitsOf(n * 5e307)]))],
    }));
    const expected = await answerOf("avg(x_total)", sourceOf(series), engineWith(), plainly);
    let selects = 0;
    const counting: SeriesSource = {
      ...sourceOf(series),
      select: () => {
        selects++;
        return cursorOf(series);
      },
    };
    expect(await answerOf("avg(x_total)", counting)).toEqual(expected);
    // What the tasks could not do is done with what was read for them.
    expect(selects).toBe(1);
  });
});

describe("leaves of many tasks", () => {
  const many = sourceOf(randomSeriesOfFewSamples(13_000));
  const queries = [
    "sum by (a) (x_total)",
    "avg(x_total)",
    "sum without (n) (rate(x_total[10m]))",
    "max by (b) (x_total)",
    "count(x_total)",
    "quantile by (a) (0.9, x_total)",
  ];

  it.each(queries)("give the same bits on any number of threads: %s", async (query) => {
    const answers = [];
    for (const threads of [undefined, sameThreads(1), sameThreads(2)]) {
      answers.push(await answerOf(query, many, engineWith(threads), { stepMs: 10 * minuteMs }));
    }
    expect(answers[0]).toMatchObject({ value: { kind: "matrix" } });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it("are cut where a task would take long, however few samples it has", async () => {
    const series = randomSeriesOfFewSamples(500);
    const threads = sameThreads(1);
    const more = { startMs, endMs: startMs + 9999 * 500, stepMs: 500 };
    const answer = await answerOf("max(x_total)", sourceOf(series), engineWith(threads), more);
    expect(threads.started).toHaveLength(1);
    expect(answer).toEqual(await answerOf("max(x_total)", sourceOf(series), engineWith(), { ...more, ...plainly }));
  });

  it("start no thread for what fits one task", async () => {
    const threads = sameThreads(2);
    await answerOf("sum(x_total)", sourceOf(randomSeriesOfFewSamples(3_000)), engineWith(threads));
    expect(threads.started).toHaveLength(0);
    await answerOf("sum(x_total)", many, engineWith(threads));
    expect(threads.started).toHaveLength(2);
  });

  it("end with the query when it is canceled, and leave the engine fit for the next", async () => {
    const engine = engineWith(sameThreads(1));
    const controller = new AbortController();
    const cursor: SeriesSource = {
      ...many,
      select(request, inner) {
        const whole = many.select(request, inner);
        let batches = 0;
        return {
          ...whole,
          next: async () => {
            if (++batches === 20) controller.abort();
            return await whole.next();
          },
        };
      },
    };
    const range = { startMs, endMs: startMs + 60 * minuteMs, stepMs: minuteMs };
    const canceled = await engine.range({ query: "sum(x_total)", ...range, select }, cursor, controller.signal);
    expect(canceled).toMatchObject({ ok: false, failure: { kind: "canceled" } });
    for (let i = 0; i < 5; i++) {
      expect(await engine.range({ query: "sum(x_total)", ...range, select }, many, signal)).toMatchObject({ ok: true });
    }
  });

  it("fail the query where they would hold more than it may", async () => {
    const engine = engineWith(undefined, { limits: { ...defaultLimits, samplesMax: 1000 } });
    const message = "execution: query processing would load too many samples into memory in query execution";
    expect(await answerOf("sum by (n) (x_total)", many, engine)).toBe(message);
  });
});

it("kernels run their benchmark", () => {
  let tick = 0;
  const once = () => benchRate(20, () => tick++).checksum;
  expect(once()).toBe(once());
});

describe("a thread that ends", () => {
  const shape: LeafShape = {
    ...{ kernel: { kind: "latest", as: "value" }, fold: "count" },
    ...{
      startMs,
      stepMs: 1,
      stepCount: 1,
      offsetMs: 0,
      atMs: undefined,
      rangeMs: 1000,
      windowShare: 0,
      countsSamples: false,
    },
  } as const;

  it("loses the task that it had claimed, and no other; another thread takes its place", async () => {
    const threads = sameThreads(1);
    const pool = createLeafPool(threads);
    const queueOne = () => {
      const slab = pool.takeSlab();
      if (slab === undefined) throw new Error("no free slab");
      const task = createLeafTask(pool.views, slab, shape, kernelNumber(shape.kernel) ?? 0, startMs);
      task.seal();
      pool.queue(slab);
      return slab;
    };
    const claimed = queueOne();
    const waiting = queueOne();
    Atomics.store(pool.views.states, claimed / 4 + headerWord.state, slabState.claimed + 1);
    threads.started[0].crash();
    expect(await pool.ended(claimed)).toBe("lost");
    expect(pool.endedNow(waiting)).toBeUndefined();
    const later = queueOne();
    expect([await pool.ended(waiting), await pool.ended(later)]).toEqual(["done", "done"]);
    expect(threads.started).toHaveLength(2);
    await pool.close();
  });

  it("is not replaced for ever: where none lives, the one that asks does the work", async () => {
    let started = 0;
    const threads: Threads = {
      countUseful: 1,
      start() {
        started++;
        return {
          call: async () => await Promise.reject(new ThreadError("ended", "no memory for a thread")),
          ended: false,
          close: async () => {},
        };
      },
    };
    const engine = engineWith(threads);
    const series = sourceOf(randomSeriesOfFewSamples(13_000));
    for (let i = 0; i < 9; i++) {
      expect(await answerOf("count(x_total)", series, engine)).toMatchObject({ value: { kind: "matrix" } });
    }
    expect(started).toBe(5);
  });
});

/** Two samples each. */
function randomSeriesOfFewSamples(count: number): SourceSeries[] {
  const random = seededRandom(9);
  return Array.from({ length: count }, (_, number) => {
    const timeMs = startMs + random.int(60 * minuteMs);
    const labels = {
      __name__: "x_total",
      a: `a${number % 3}`,
      b: `b${number % 7}`,
      n: String(number).padStart(6, "0"),
    };
    const first = random.float() * 1000;
    const samples = [first, first + random.float()].map((value, i) => [timeMs + i * 30_000, ...bitsOf(value)] as const);
    return { labels: labelsFromRecord(labels), chunks: [chunkOf(samples)] };
  });
}
