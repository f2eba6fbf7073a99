import { createXorAppender, encodeFloatHistograms, encodeXor, type XorAppender } from "@pleiad/chunks";
import {
  addHistograms,
  cursorOf,
  labelsFromRecord,
  ok,
  type Aggregate,
  type EncodedChunk,
  type FloatHistogram,
  type SeriesSource,
  type SourceChunk,
} from "@pleiad/model";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aggregateChoiceFor, lookbackForResolution } from "./aggregate-reader.ts";
import { createEngine, defaultEngineOptions } from "./engine.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const resolutionMs = 5 * minuteMs;

type Samples = readonly (readonly [timestampMs: number, value: number])[];

function rawChunk(samples: Samples): SourceChunk {
  const timestampsMs = Float64Array.from(samples, ([timestampMs]) => timestampMs);
  const values = Float64Array.from(samples, ([, value]) => value);
  const data = encodeXor(timestampsMs, values, 0, samples.length);
  return {
    minTimeMs: timestampsMs[0],
    maxTimeMs: timestampsMs[samples.length - 1],
    content: { kind: "raw", encoding: 1, data },
  };
}

/** The windows of samples, by their end; the last one ends with its last sample. */
function windowsOf<T>(samples: readonly (readonly [number, T])[]): [endMs: number, values: T[]][] {
  const windows: [number, T[]][] = [];
  const lastMs = samples[samples.length - 1]?.[0] ?? 0;
  for (const [timestampMs, value] of samples) {
    const endMs = Math.min(Math.floor(timestampMs / resolutionMs) * resolutionMs + resolutionMs - 1, lastMs);
    const window = windows[windows.length - 1];
    if (window?.[0] === endMs) window[1].push(value);
    else windows.push([endMs, [value]]);
  }
  return windows;
}

/** One downsampled chunk of samples, computed in the plainest way. */
function downsampledChunk(samples: Samples): SourceChunk {
  const windows = windowsOf(samples);
  const encode = (fill: (appender: XorAppender) => void): EncodedChunk => {
    const appender = createXorAppender();
    fill(appender);
    return { encoding: 1, data: appender.bytes() };
  };
  const each = (value: (values: readonly number[]) => number) =>
    encode((appender) => windows.forEach(([endMs, values]) => appender.append(endMs, value(values))));
  const counter = encode((appender) => {
    let last = samples[0][1];
    let total = last;
    appender.append(samples[0][0], last);
    for (const [endMs, values] of windows) {
      for (const value of values) {
        total += value < last ? value : value - last;
        last = value;
      }
      if (endMs === appender.maxTimeMs) appender.appendAgain(total);
      else appender.append(endMs, total);
    }
    appender.appendAgain(last);
  });
  const of = new Map<Aggregate, EncodedChunk>([
    ["count", each((values) => values.length)],
    ["sum", each((values) => values.reduce((sum, value) => sum + value, 0))],
    ["min", each((values) => Math.min(...values))],
    ["max", each((values) => Math.max(...values))],
    ["counter", counter],
  ]);
  return { minTimeMs: windows[0][0], maxTimeMs: windows[windows.length - 1][0], content: { kind: "aggregates", of } };
}

/** The value of a query at one time, over one series of these chunks; undefined where there is none. */
async function valueAt(query: string, timeMs: number, chunks: readonly SourceChunk[]) {
  const source: SeriesSource = {
    select: () => cursorOf([{ labels: labelsFromRecord({ __name__: "x_total" }), chunks }]),
    labelNames: async () => ok({ values: [], warnings: [] }),
    labelValues: async () => ok({ values: [], warnings: [] }),
  };
  const engine = createEngine(defaultEngineOptions, { clock: manualClock(), observations: silentObservations() });
  const select = { withoutLabels: [], maxResolutionMs: resolutionMs, onFailure: "warn" } as const;
  const answer = await engine.instant({ query, timeMs, select }, source, new AbortController().signal);
  if (!answer.ok) throw new Error(answer.failure.message);
  const { value } = answer.value;
  if (value.kind !== "vector") throw new Error(`a ${value.kind}`);
  return value.histograms[0] ?? value.values[0];
}

/** Splits samples at a window's end, about the middle of them. */
function halves(samples: Samples): [Samples, Samples] {
  const middleMs = Math.floor(samples[samples.length >> 1][0] / resolutionMs) * resolutionMs;
  return [samples.filter(([t]) => t < middleMs), samples.filter(([t]) => t >= middleMs)];
}

describe("which aggregate is read", () => {
  it.each([
    ["min", "min"],
    ["min_over_time", "min"],
    ["max", "max"],
    ["max_over_time", "max"],
    ["sum_over_time", "sum"],
    ["count_over_time", "count"],
    ["rate", "counter"],
    ["increase", "counter"],
    ["irate", "counter"],
    ["resets", "average"],
    ["sum", "average"],
    ["avg_over_time", "average"],
    ["abs", "average"],
    [undefined, "average"],
  ] as const)("within %s: %s", (name, choice) => {
    expect(aggregateChoiceFor(name)).toBe(choice);
  });

  it.each([
    [0, 300_000],
    [1, 300_000],
    [300_000, 300_000],
    [300_001, 3_600_000],
    [3_600_000, 3_600_000],
  ])("a query that may read windows of %d ms looks back %d ms", (maxResolutionMs, lookbackMs) => {
    expect(lookbackForResolution(300_000, maxResolutionMs)).toBe(lookbackMs);
    expect(lookbackForResolution(7_200_000, maxResolutionMs)).toBe(7_200_000);
  });
});

describe("a query over downsampled chunks", () => {
  const steady: Samples = Array.from({ length: 720 }, (_, i) => [i * 30_000, 100 + ((i * 7) % 31) - i / 10]);
  const counter: Samples = Array.from({ length: 720 }, (_, i) => [i * 30_000, (i % 300) * 4]);
  const gappy = steady.filter((_, i) => i % 17 !== 3 && (i < 200 || i > 260));

  const layouts: [string, (samples: Samples) => SourceChunk[]][] = [
    ["downsampled", (samples) => [downsampledChunk(samples)]],
    ["in two downsampled chunks", (samples) => halves(samples).map(downsampledChunk)],
    [
      "downsampled, then raw",
      (samples) => {
        const [older, younger] = halves(samples);
        return [downsampledChunk(older), rawChunk(younger)];
      },
    ],
  ];

  // Windows that the ranges hold whole.
  const endMs = 5 * hourMs - 1;
  describe.each(layouts)("%s", (_, chunksOf) => {
    it.each([
      ["sum_over_time(x_total[3h])", gappy],
      ["count_over_time(x_total[3h])", gappy],
      ["min_over_time(x_total[3h])", gappy],
      ["max_over_time(x_total[3h])", gappy],
      ["avg_over_time(x_total[3h])", gappy],
      ["present_over_time(x_total[3h])", gappy],
      ["sum_over_time(x_total[3h]) / count_over_time(x_total[3h])", gappy],
      ["count(x_total)", gappy],
      ["max(max_over_time(x_total[1h]))", counter],
      ["count_over_time(x_total[1h] offset 1h)", steady],
    ])("gives what it gives over raw ones: %s", async (query, samples) => {
      const expected = await valueAt(query, endMs, [rawChunk(samples)]);
      expect(expected).toBeTypeOf("number");
      expect(await valueAt(query, endMs, chunksOf(samples))).toBeCloseTo(Number(expected), 6);
    });

    it.each([
      // The ends of windows stand for samples up to 30 s older, and what is extrapolated is up to half a window longer.
      ["rate(x_total[3h])", counter],
      ["increase(x_total[4h])", counter],
      ["increase(x_total[1h])", counter],
    ])("is near to what it gives over raw ones: %s", async (query, samples) => {
      const expected = Number(await valueAt(query, endMs, [rawChunk(samples)]));
      const found = Number(await valueAt(query, endMs, chunksOf(samples)));
      expect(Math.abs(found - expected) / Math.abs(expected)).toBeLessThan(0.05);
    });
  });

  it("takes the average of a window where no function asks for anything else", async () => {
    const chunk = downsampledChunk([
      [0, 1],
      [60_000, 5],
      [120_000, 3],
    ]);
    for (const query of [
      "x_total",
      "sum(x_total)",
      "last_over_time(x_total[5m])",
      "abs(x_total)",
      "max(-x_total) * -1",
    ]) {
      expect(await valueAt(query, 130_000, [chunk])).toBe(3);
    }
    expect(await valueAt("min(x_total)", 130_000, [chunk])).toBe(1);
    expect(await valueAt("max(x_total)", 130_000, [chunk])).toBe(5);
  });

  it("counts no sample twice where replicas of a window overlap", async () => {
    const chunk = downsampledChunk(steady);
    for (const query of ["count_over_time(x_total[3h])", "sum_over_time(x_total[3h])", "increase(x_total[3h])"]) {
      expect(await valueAt(query, endMs, [chunk, chunk])).toBe(await valueAt(query, endMs, [chunk]));
    }
  });

  it("gives any counter's increase over chunks as the sum of its increases", async () => {
    const steps = fc.array(fc.oneof({ weight: 20, arbitrary: fc.nat({ max: 9 }) }, fc.constant("reset" as const)), {
      minLength: 200,
      maxLength: 400,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 5 }), async (all, chunkCount) => {
        let value = 0;
        const samples: Samples = all.map((step, i) => [i * 30_000, (value = step === "reset" ? 1 : value + step)]);
        const size = Math.ceil(samples.length / chunkCount / 10) * 10;
        const chunks: SourceChunk[] = [];
        for (let from = 0; from < samples.length; from += size)
          chunks.push(downsampledChunk(samples.slice(from, from + size)));
        const lastMs = samples[samples.length - 1][0];
        // The first and the last value of the joined counter, without extrapolation.
        const range = `x_total[${lastMs + 1}ms]`;
        const raw = await valueAt(`increase(${range})`, lastMs, [rawChunk(samples)]);
        const found = await valueAt(`increase(${range})`, lastMs, chunks);
        expect(found).toBeCloseTo(Number(raw), 6);
      }),
      { numRuns: 25 },
    );
  });

  it("fails where a chunk is damaged, and ends", async () => {
    const { content } = downsampledChunk(steady.slice(0, 100));
    if (content.kind !== "aggregates") throw new Error("a downsampled chunk");
    const { of } = content;
    const [sum, count] = [of.get("sum"), of.get("count")];
    if (sum === undefined || count === undefined) throw new Error("a sum and a count");
    const failureOf = async (broken: Aggregate, data: Uint8Array) => {
      const damaged = new Map(of).set(broken, { encoding: 1, data });
      const chunk = { minTimeMs: 0, maxTimeMs: hourMs, content: { kind: "aggregates", of: damaged } } as const;
      return await valueAt("sum(x_total)", 1_000_000, [chunk]).then(
        () => "an answer",
        (error: Error) => error.message,
      );
    };
    expect(await failureOf("sum", sum.data.slice(0, -3))).toContain("the chunk ends within");
    const fewer = downsampledChunk(steady.slice(0, 20)).content;
    const other = fewer.kind === "aggregates" ? fewer.of.get("count") : undefined;
    expect(await failureOf("count", other?.data ?? new Uint8Array(0))).toContain("not of the same windows");
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Aggregate>("sum", "count"),
        fc.nat(),
        fc.nat({ max: 255 }),
        async (name, at, byte) => {
          const data = (name === "sum" ? sum : count).data.slice();
          data[at % data.length] = byte;
          expect(await failureOf(name, data)).toBeTypeOf("string");
        },
      ),
      { numRuns: 60 },
    );
  });

  const histogram = (n: number): FloatHistogram => ({
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: 3 * n,
    sum: 5 * n,
    positiveSpans: [{ offset: 1, length: 2 }],
    positiveBuckets: Float64Array.of(n, 2 * n),
    negativeSpans: [],
    negativeBuckets: new Float64Array(0),
    customBounds: new Float64Array(0),
    counterReset: "unknown",
  });

  it("reads native histograms: their counters, sums and averages", async () => {
    const samples = Array.from({ length: 121 }, (_, i) => [i * minuteMs, histogram(i + 1)] as const);
    const windows = windowsOf(samples);
    const encode = (histograms: readonly FloatHistogram[]): EncodedChunk => {
      const [chunk, ...rest] = encodeFloatHistograms(
        Float64Array.from(windows, ([end]) => end),
        histograms,
      );
      expect(rest).toEqual([]);
      return { encoding: 3, data: chunk.data };
    };
    const sumOf = (all: readonly FloatHistogram[]) =>
      all.reduce((sum, one) => addHistograms(sum, one)?.histogram ?? sum);
    const counts = createXorAppender();
    for (const [end, all] of windows) counts.append(end, all.length);
    const of = new Map<Aggregate, EncodedChunk>([
      ["count", { encoding: 1, data: counts.bytes() }],
      ["sum", encode(windows.map(([, all]) => ({ ...sumOf(all), counterReset: "gauge" })))],
      ["counter", encode(windows.map(([, all]) => all[all.length - 1]))],
    ]);
    const chunks: SourceChunk[] = [
      { minTimeMs: windows[0][0], maxTimeMs: windows[windows.length - 1][0], content: { kind: "aggregates", of } },
    ];
    const at = 2 * hourMs;
    // 180 in an hour; of the oldest window a minute is extrapolated.
    expect(await valueAt("histogram_count(increase(x_total[1h]))", at, chunks)).toBeCloseTo(183.27, 2);
    expect(await valueAt("count_over_time(x_total[2h1ms])", at, chunks)).toBe(121);
    expect(await valueAt("histogram_sum(sum_over_time(x_total[2h1ms]))", at, chunks)).toBe((5 * 121 * 122) / 2);
    // The last window has one sample, of 121.
    expect(await valueAt("histogram_count(x_total)", at, chunks)).toBe(363);
    expect(await valueAt("min_over_time(x_total[1h])", at, chunks)).toBeUndefined();
  });
});
