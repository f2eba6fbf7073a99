import { encodeXor } from "@pleiad/chunks";
import {
  cursorOf,
  labelsFromRecord,
  ok,
  xorEncoding,
  type SelectRequest,
  type SeriesSource,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QueryLimits, SourceSettings } from "./answer.ts";
import { benchEngine, benchSource, engineBenchQueries } from "./engine.bench.ts";
import { createEngine, defaultEngineOptions, type EngineOptions } from "./engine.ts";
import { defaultLimits } from "./limits.ts";

type Samples = readonly (readonly [timestampMs: number, value: number])[];

const select: SourceSettings = { withoutLabels: [], maxResolutionMs: 0, onFailure: "warn" };

function chunkOf(samples: Samples) {
  const timestampsMs = Float64Array.from(samples, ([timestampMs]) => timestampMs);
  const values = Float64Array.from(samples, ([, value]) => value);
  return {
    minTimeMs: timestampsMs[0],
    maxTimeMs: timestampsMs[timestampsMs.length - 1],
    content: { kind: "raw", encoding: xorEncoding, data: encodeXor(timestampsMs, values, 0, samples.length) },
  } as const;
}

function seriesOf(labels: Record<string, string>, ...chunks: readonly Samples[]): SourceSeries {
  return { labels: labelsFromRecord(labels), chunks: chunks.map(chunkOf) };
}

/** Gives the same series to every select, and remembers what was asked. */
function sourceOf(
  series: readonly SourceSeries[],
  ending: { failure?: SourceFailure; warnings?: readonly string[] } = {},
) {
  const requests: SelectRequest[] = [];
  const source: SeriesSource = {
    select(request) {
      requests.push(request);
      return cursorOf(series, ending);
    },
    labelNames: async () => ok({ values: [], warnings: [] }),
    labelValues: async () => ok({ values: [], warnings: [] }),
  };
  return { source, requests };
}

function engineWith(options: Partial<EngineOptions> = {}, limits: Partial<QueryLimits> = {}) {
  const clock = manualClock();
  const ports = { clock, observations: silentObservations() };
  const engine = createEngine({ ...defaultEngineOptions, limits: { ...defaultLimits, ...limits }, ...options }, ports);
  return { engine, clock };
}

const ramp: Samples = Array.from({ length: 20 }, (_, i) => [i * 30_000, i] as const);
const { signal } = new AbortController();

async function failureOf(query: string, series: readonly SourceSeries[], limits: Partial<QueryLimits> = {}) {
  const { engine } = engineWith({}, limits);
  const request = { query, startMs: 0, endMs: 600_000, stepMs: 30_000, select };
  const result = await engine.range(request, sourceOf(series).source, signal);
  return result.ok ? "an answer" : `${result.failure.kind}: ${result.failure.message}`;
}

describe("the engine refuses", () => {
  const x = seriesOf({ __name__: "x" }, ramp);
  const histogram: SourceSeries = {
    labels: labelsFromRecord({ __name__: "x" }),
    chunks: [{ minTimeMs: 0, maxTimeMs: 0, content: { kind: "raw", encoding: 2, data: new Uint8Array([0, 1]) } }],
  };
  const downsampled: SourceSeries = {
    labels: labelsFromRecord({ __name__: "x" }),
    chunks: [{ minTimeMs: 0, maxTimeMs: 0, content: { kind: "aggregates", of: new Map() } }],
  };
  const torn: SourceSeries = {
    ...x,
    chunks: x.chunks.map((chunk) => ({
      ...chunk,
      content: { kind: "raw", encoding: xorEncoding, data: new Uint8Array([0, 9, 1]) } as const,
    })),
  };

  for (const [rule, query, series, limits, failure] of [
    ["what is no PromQL", "sum(", [], {}, "parse: "],
    [
      "a range of range vectors",
      "x[5m]",
      [],
      {},
      `bad-request: invalid expression type "range vector" for range query, must be Scalar or instant Vector`,
    ],
    [
      "a range of texts",
      `"x"`,
      [],
      {},
      `bad-request: invalid expression type "string" for range query, must be Scalar or instant Vector`,
    ],
    [
      "more steps than allowed",
      "x",
      [],
      { stepsMax: 10 },
      "bad-request: exceeded maximum resolution of 10 points per timeseries. Try decreasing the query resolution (?step=XX)",
    ],
    [
      "more samples than allowed in an answer",
      "x",
      [x],
      { samplesMax: 10 },
      "execution: query processing would load too many samples into memory in query execution",
    ],
    [
      "more samples than allowed in between",
      "sum(-(x or x))",
      [x],
      { samplesMax: 10 },
      "execution: query processing would load too many samples into memory in query execution",
    ],
    [
      "more steps of a subquery than samples allowed, before it makes room for them",
      "sum_over_time(nosuch[100y:1ms])",
      [],
      {},
      "execution: query processing would load too many samples into memory in query execution",
    ],
    [
      "pairs of series that can meet beyond all measure, though each has its labels",
      "x * on () group_left (a) x",
      Array.from({ length: 20 }, (_, i) => seriesOf({ __name__: "x", a: String(i) }, ramp)),
      { memoryBytesMax: 100 << 10 },
      "execution: query processing would take more than 0 MiB of memory",
    ],
    [
      "a label that grows with each function around it",
      Array.from({ length: 20 }, () => 0).reduce((query) => `label_replace(${query}, "a", "$1$1", "a", "(.*)")`, "x"),
      [seriesOf({ __name__: "x", a: "abc" }, ramp)],
      {},
      "execution: label_replace() may make a label value of more than 1048576 characters",
    ],
    [
      "a label joined of too many",
      `label_join(x, "b", "", ${Array.from({ length: 2000 }, () => '"a"').join(",")})`,
      [seriesOf({ __name__: "x", a: "a".repeat(1000) }, ramp)],
      {},
      "execution: label_join() may make a label value of more than 1048576 characters",
    ],
    [
      "labels in all longer than is allowed",
      'label_join(x, "b", "", "a", "a")',
      Array.from({ length: 20 }, (_, i) => seriesOf({ __name__: "x", a: `${i}`.padStart(4000, "a") }, ramp)),
      { memoryBytesMax: 144 << 10 },
      "execution: query processing would take more than 0 MiB of memory",
    ],
    [
      "numbers at the steps of subqueries beyond what is allowed",
      "sum_over_time(vector(time() + time())[1h:1s])",
      [],
      { samplesMax: 10_000 },
      "execution: query processing would load too many samples into memory in query execution",
    ],
    [
      "a chunk of native histograms that is torn",
      "x",
      [histogram],
      {},
      "source: the chunk ends within its 0 samples, after 2 bytes",
    ],
    [
      "downsampled chunks without the aggregate that is needed",
      "x",
      [downsampled],
      {},
      "source: a downsampled chunk has no average",
    ],
    ["experimental functions, unless they are switched on", "info(x)", [x], {}, "parse: "],
    ["a chunk that is torn", "x", [torn], {}, "source: the chunk ends within its 9 samples, after 3 bytes"],
  ] as const) {
    it(rule, async () => {
      expect(await failureOf(query, series, limits)).toContain(failure);
    });
  }

  it("steps that would not end", async () => {
    const { engine } = engineWith();
    for (const [startMs, endMs, stepMs, text] of [
      [0, 10, 0, "zero or negative query resolution step widths are not accepted. Try a positive integer"],
      [10, 0, 1, "end timestamp must not be before start time"],
    ] as const) {
      const result = await engine.range({ query: "x", startMs, endMs, stepMs, select }, sourceOf([]).source, signal);
      expect(result).toEqual({ ok: false, failure: { kind: "bad-request", message: text } });
    }
  });

  it("one point more than 11 000 steps give is allowed, as in Prometheus", async () => {
    const { engine } = engineWith();
    const request = { query: "vector(1)", startMs: 0, stepMs: 1, select };
    expect((await engine.range({ ...request, endMs: 11_000 }, sourceOf([]).source, signal)).ok).toBe(true);
    // A part of a step beyond the last one gives no point.
    const partly = { ...request, stepMs: 2, endMs: 22_001 };
    expect((await engine.range(partly, sourceOf([]).source, signal)).ok).toBe(true);
    const beyond = await engine.range({ ...request, endMs: 11_001 }, sourceOf([]).source, signal);
    expect(beyond).toMatchObject({ failure: { message: expect.stringContaining("11,000 points") } });
  });
});

describe("a source that has not all", () => {
  const request = { query: "x", timeMs: 0, select };
  const x = seriesOf({ __name__: "x" }, ramp);

  it("makes the answer say so", async () => {
    const { engine } = engineWith();
    const { source } = sourceOf([x], { warnings: ["cluster c7: no answer"] });
    expect(await engine.instant(request, source, signal)).toMatchObject({
      ok: true,
      value: { sourceWarnings: ["cluster c7: no answer"] },
    });
  });

  for (const [failure, kind] of [
    [{ kind: "unavailable", source: "c7", reason: "connection refused" }, "source"],
    [{ kind: "limit", source: "c7", of: "series", max: 5 }, "execution"],
    [{ kind: "canceled", source: "c7" }, "canceled"],
  ] as const) {
    it(`fails the query where it fails: ${failure.kind}`, async () => {
      const { engine } = engineWith();
      const result = await engine.instant(request, sourceOf([x], { failure }).source, signal);
      expect(result).toMatchObject({ ok: false, failure: { kind } });
    });
  }

  it("is asked with the settings of the request", async () => {
    const { engine } = engineWith();
    const { source, requests } = sourceOf([]);
    const settings = { withoutLabels: ["replica"], maxResolutionMs: 300_000, onFailure: "abort" } as const;
    await engine.instant({ ...request, query: "rate(x[5m])", select: settings }, source, signal);
    expect(requests).toMatchObject([{ ...settings, hints: { function: "rate" }, minTimeMs: -299_999, maxTimeMs: 0 }]);
  });
});

describe("a query ends early", () => {
  /** A source that answers only when it is told to. */
  function slowSource() {
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { source } = sourceOf([seriesOf({ __name__: "x" }, ramp)]);
    const slow: SeriesSource = {
      ...source,
      select: (request, signal) => {
        const cursor = source.select(request, signal);
        return { ...cursor, next: async () => await answered.then(async () => await cursor.next()) };
      },
    };
    return { slow, answer };
  }
  const request = { query: "x", timeMs: 0, select };

  it("when its time is over", async () => {
    const { engine, clock } = engineWith({}, { timeoutMs: 1000 });
    const { slow, answer } = slowSource();
    const result = engine.instant(request, slow, signal);
    await clock.advance(1001);
    answer();
    expect(await result).toEqual({
      ok: false,
      failure: { kind: "timeout", message: "query timed out in expression evaluation" },
    });
  });

  it("when it is canceled", async () => {
    const { engine } = engineWith();
    const { slow, answer } = slowSource();
    const controller = new AbortController();
    const result = engine.instant(request, slow, controller.signal);
    controller.abort();
    answer();
    expect(await result).toEqual({
      ok: false,
      failure: { kind: "canceled", message: "query was canceled in expression evaluation" },
    });
  });

  it("when it waited too long for others", async () => {
    const { engine, clock } = engineWith({ concurrencyMax: 1 }, { timeoutMs: 1000 });
    const { slow, answer } = slowSource();
    const first = engine.instant(request, slow, signal);
    const second = engine.instant(request, slow, signal);
    await clock.advance(1001);
    expect(await second).toEqual({
      ok: false,
      failure: { kind: "timeout", message: "query timed out in query queue" },
    });
    answer();
    await first;
  });

  it("not when the others make room in time", async () => {
    const { engine } = engineWith({ concurrencyMax: 1 });
    const { slow, answer } = slowSource();
    const results = [1, 2, 3].map(async () => await engine.instant(request, slow, signal));
    answer();
    expect((await Promise.all(results)).map(({ ok: isAnswer }) => isAnswer)).toEqual([true, true, true]);
  });

  it("when too many wait", async () => {
    const { engine } = engineWith({ concurrencyMax: 1, waitingMax: 50 });
    const { slow, answer } = slowSource();
    const results = Array.from({ length: 52 }, async () => await engine.instant(request, slow, signal));
    answer();
    const failures = (await Promise.all(results)).filter((result) => !result.ok);
    expect(failures).toEqual([
      { ok: false, failure: { kind: "timeout", message: "query queue is full: 50 queries are waiting" } },
    ]);
  });
});

describe("long work", () => {
  it("of a function over one series of a subquery is done in pieces, with rests between", async () => {
    let nowMs = 0;
    let rests = 0;
    const yielding = async () => void rests++;
    const clock = { ...manualClock(), monotonicMs: () => nowMs++, yield: yielding };
    const engine = createEngine(defaultEngineOptions, { clock, observations: silentObservations() });
    // 5,000 samples in each window of 11,000: at 200,000 a piece, some 275.
    const query = "count_over_time(absent(nosuch)[5000s:1s])";
    const request = { query, startMs: 0, endMs: 10_999_000, stepMs: 1000, select };
    const result = await engine.range(request, sourceOf([]).source, signal);
    expect(result).toMatchObject({ ok: true, value: { value: { series: [{ values: { length: 11_000, 0: 5000 } }] } } });
    expect(rests).toBeGreaterThan(50);
  });
});

describe("an explanation", () => {
  it("shows the plan and who reads whom", () => {
    const { engine } = engineWith();
    const query = "sum by (a) (rate(x[5m])) / 2";
    expect(engine.explain({ query, timeMs: 0, select }, sourceOf([]).source)).toEqual({
      ok: true,
      value: {
        plan: `(sum by (a) (rate({__name__="x"}[5m])) / 2)`,
        operators: [
          "drop the metric name",
          "  / scalar",
          "    sum by (a)",
          "      drop the metric name",
          `        rate over {__name__="x"}[5m]`,
        ],
      },
    });
  });
});

describe("an answer tells what it took", () => {
  it("series selected, samples read, samples held: 20 for the sum, and 20 for the answer", async () => {
    const { engine } = engineWith();
    const { source } = sourceOf([seriesOf({ __name__: "x" }, ramp), seriesOf({ __name__: "x", a: "1" }, ramp)]);
    const request = { query: "sum(x)", startMs: 0, endMs: 570_000, stepMs: 30_000, select };
    expect(await engine.range(request, source, signal)).toMatchObject({
      value: { statistics: { seriesSelected: 2, samplesRead: 40, samplesPeak: 40 } },
    });
  });
});

describe("the engine bears", () => {
  it("a chain of operators as long as the parser allows", async () => {
    const { engine } = engineWith();
    const query = Array.from({ length: 499 }, () => "x").join(" or ");
    const result = await engine.instant(
      { query, timeMs: 0, select },
      sourceOf([seriesOf({ a: "1" }, ramp)]).source,
      signal,
    );
    expect(result).toMatchObject({ ok: true, value: { value: { values: Float64Array.of(0) } } });
  });

  it.each(engineBenchQueries)("its benchmark: %s", async (query) => {
    const small = benchSource(3, 4, 240);
    const once = await benchEngine(query, small, 1, manualClock());
    expect(once.seriesCount).toBeGreaterThan(0);
    expect(await benchEngine(query, small, 2, manualClock())).toEqual(once);
  });
});

/** Sorted, distinct whole-number times with whole-number values. */
const anySamples = fc
  .uniqueArray(fc.record({ time: fc.integer({ min: 0, max: 600 }), value: fc.integer({ min: -50, max: 50 }) }), {
    selector: ({ time }) => time,
    minLength: 1,
    maxLength: 60,
  })
  .map((samples) => samples.sort((a, b) => a.time - b.time).map(({ time, value }) => [time * 1000, value] as const));

describe("whatever the chunks", () => {
  const steps = Array.from({ length: 21 }, (_, i) => i * 30_000);

  /** Deals the samples out to chunks that overlap, some samples to two of them. */
  function deal(samples: Samples, hands: readonly number[]): readonly Samples[] {
    const chunks: (readonly [number, number])[][] = [[], [], []];
    samples.forEach((sample, i) => {
      const hand = hands[i % hands.length];
      chunks[hand % 3].push(sample);
      if (hand > 2) chunks[(hand + 1) % 3].push(sample);
    });
    return chunks.filter((chunk) => chunk.length > 0).sort((a, b) => a[0][0] - b[0][0]);
  }

  async function columnOf(query: string, samples: Samples, hands: readonly number[]) {
    const { engine } = engineWith();
    const { source } = sourceOf([seriesOf({ __name__: "x" }, ...deal(samples, hands))]);
    const request = { query, startMs: 0, endMs: 600_000, stepMs: 30_000, select };
    const result = await engine.range(request, source, signal);
    if (!result.ok || result.value.value.kind !== "matrix") throw new Error(JSON.stringify(result));
    const [series] = result.value.value.series;
    return new Map(series === undefined ? [] : [...series.timestampsMs].map((t, i) => [t, series.values[i]] as const));
  }

  const hands = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 20 });

  it("a selector gives the latest sample within the lookback", async () => {
    await fc.assert(
      fc.asyncProperty(anySamples, hands, async (samples, dealt) => {
        const column = await columnOf("x", samples, dealt);
        for (const t of steps) {
          const latest = samples.findLast(([time]) => time <= t && time > t - 300_000);
          expect(column.get(t)).toBe(latest?.[1]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("a window has the samples after its left end, up to its right end, each once", async () => {
    await fc.assert(
      fc.asyncProperty(anySamples, hands, async (samples, dealt) => {
        const sums = await columnOf("sum_over_time(x[90s])", samples, dealt);
        const counts = await columnOf("count_over_time(x[90s])", samples, dealt);
        for (const t of steps) {
          const window = samples.filter(([time]) => time <= t && time > t - 90_000);
          expect(counts.get(t)).toBe(window.length === 0 ? undefined : window.length);
          const sum = window.reduce((total, [, value]) => total + value, 0);
          expect(sums.get(t)).toBe(window.length === 0 ? undefined : sum);
        }
      }),
      { numRuns: 60 },
    );
  });
});
