import { readFileSync } from "node:fs";
import type { BlockChunk } from "@pleiad/blocks";
import {
  CounterJoin,
  createHistogramColumns,
  createSampleColumns,
  createXorAppender,
  decodeChunk,
  decodeHistogramChunk,
  encodeFloatHistograms,
  encodeIntegerHistograms,
  parseAggregateChunk,
  staleHistogram,
} from "@pleiad/chunks";
import { histogramsEqual, type Aggregate, type FloatHistogram } from "@pleiad/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { downsampleAggregates, downsampleRaw } from "./downsample.ts";
import { chunkCountFor, windowEndMs } from "./downsample-windows.ts";

const minuteMs = 60_000;
const fiveMinutesMs = 5 * minuteMs;
const hourMs = 60 * minuteMs;

/** [time, value]; the staleness marker is undefined. */
type Sample = readonly [timestampMs: number, value: number | undefined];

function rawChunks(samples: readonly Sample[], samplesPerChunk = 120): BlockChunk[] {
  const chunks: BlockChunk[] = [];
  for (let from = 0; from < samples.length; from += samplesPerChunk) {
    const appender = createXorAppender();
    for (const [timestampMs, value] of samples.slice(from, from + samplesPerChunk)) {
      if (value === undefined) appender.appendStale(timestampMs);
      else appender.append(timestampMs, value);
    }
    const { minTimeMs, maxTimeMs, count: sampleCount } = appender;
    chunks.push({ minTimeMs, maxTimeMs, sampleCount, encoding: 1, data: appender.bytes() });
  }
  return chunks;
}

function histogramChunks(timestampsMs: Float64Array, histograms: readonly FloatHistogram[], encoding: 2 | 3) {
  const encode = encoding === 2 ? encodeIntegerHistograms : encodeFloatHistograms;
  return encode(timestampsMs, histograms).map((chunk): BlockChunk => ({ ...chunk, encoding }));
}

function value<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: unknown },
): T {
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

/** All samples of an aggregate, chunk by chunk. */
function samplesOf(chunks: readonly BlockChunk[], aggregate: Aggregate): [number, number][] {
  const columns = createSampleColumns(0);
  for (const chunk of chunks) {
    const part = value(parseAggregateChunk(chunk.data)).get(aggregate);
    if (part === undefined) throw new Error(`no ${aggregate}`);
    expect(decodeChunk(part.encoding, part.data, columns)).toBeUndefined();
  }
  return Array.from({ length: columns.count }, (_, i) => [columns.timestampsMs[i] ?? NaN, columns.values[i] ?? NaN]);
}

function histogramsOf(chunks: readonly BlockChunk[], aggregate: Aggregate): [number, FloatHistogram][] {
  const columns = createHistogramColumns();
  for (const chunk of chunks) {
    const part = value(parseAggregateChunk(chunk.data)).get(aggregate);
    if (part === undefined) throw new Error(`no ${aggregate}`);
    expect(decodeHistogramChunk(part.encoding, part.data, columns)).toBeUndefined();
  }
  return columns.histograms.slice(0, columns.count).map((histogram, i) => [columns.timestampsMs[i] ?? NaN, histogram]);
}

/** The joined counter, as a query reads it. */
function counterOf(chunks: readonly BlockChunk[]): [number, number][] {
  const join = new CounterJoin();
  const joined = createSampleColumns(0);
  for (const chunk of chunks) {
    const part = value(parseAggregateChunk(chunk.data)).get("counter");
    const columns = createSampleColumns(0);
    if (part !== undefined) expect(decodeChunk(part.encoding, part.data, columns)).toBeUndefined();
    join.append(columns, joined);
  }
  return Array.from({ length: joined.count }, (_, i) => [joined.timestampsMs[i] ?? NaN, joined.values[i] ?? NaN]);
}

/** The raw samples that a downsampled one stands for, by its time: those after the one before, up to its own. */
function samplesUpTo(samples: readonly (readonly [number, number])[], endsMs: readonly number[]): number[][] {
  let at = 0;
  return endsMs.map((endMs) => {
    const window: number[] = [];
    for (let sample = samples[at]; sample !== undefined && sample[0] <= endMs; sample = samples[++at]) {
      window.push(sample[1]);
    }
    return window;
  });
}

const isNumber = (sample: Sample): sample is readonly [number, number] =>
  sample[1] !== undefined && !Number.isNaN(sample[1]);

/** Checks every window of `chunks` against the raw samples, and that no window is longer than it may be. */
function expectAggregates(samples: readonly Sample[], chunks: readonly BlockChunk[], resolutionMs: number): void {
  const numbers = samples.filter(isNumber);
  const counts = samplesOf(chunks, "count");
  const endsMs = counts.map(([endMs]) => endMs);
  const windows = samplesUpTo(numbers, endsMs);
  expect(counts.map(([, count]) => count)).toEqual(windows.map((window) => window.length));
  expect(windows.flat()).toHaveLength(numbers.length);
  const expected = {
    sum: windows.map((window) => window.reduce((sum, one) => sum + one, 0)),
    min: windows.map((window) => Math.min(...window)),
    max: windows.map((window) => Math.max(...window)),
  };
  for (const aggregate of ["sum", "min", "max"] as const) {
    const found = samplesOf(chunks, aggregate);
    expect(found.map(([endMs]) => endMs)).toEqual(endsMs);
    expect(found.map(([, one]) => one)).toEqual(expected[aggregate]);
  }
  let at = 0;
  for (const endMs of endsMs) {
    const first = numbers[at];
    if (first !== undefined) expect(endMs).toBeLessThanOrEqual(windowEndMs(first[0], resolutionMs));
    while (at < numbers.length && (numbers[at]?.[0] ?? 0) <= endMs) at++;
  }
  // The counter of a window is the sum of all increases up to its end.
  const rising: [number, number][] = [];
  numbers.forEach(([timestampMs, one], i) => {
    const before = numbers[i - 1]?.[1];
    const increase = before === undefined || one < before ? one : one - before;
    rising.push([timestampMs, (rising[i - 1]?.[1] ?? 0) + increase]);
  });
  for (const [endMs, counter] of counterOf(chunks)) {
    expect(counter).toBe(rising.findLast(([timestampMs]) => timestampMs <= endMs)?.[1]);
  }
}

describe("windows", () => {
  it.each([
    [0, fiveMinutesMs, 299_999],
    [299_999, fiveMinutesMs, 299_999],
    [300_000, fiveMinutesMs, 599_999],
    [-1, fiveMinutesMs, -1],
    [7_200_001, hourMs, 10_799_999],
  ])("the window of %d at %d ends at %d", (timestampMs, resolutionMs, endMs) => {
    expect(windowEndMs(timestampMs, resolutionMs)).toBe(endMs);
  });

  it.each([
    ["two hours are one chunk", [0, 2 * hourMs, 240, minuteMs, fiveMinutesMs], 1],
    ["a window more than 140 is another chunk", [0, 141 * fiveMinutesMs - 1, 10_000, minuteMs, fiveMinutesMs], 2],
    [
      "a series that is there for a tenth of the time has a tenth of the chunks",
      [0, 2000 * fiveMinutesMs, 1000, minuteMs, fiveMinutesMs],
      2,
    ],
    ["one sample is one chunk", [5, 5, 1, minuteMs, fiveMinutesMs], 1],
  ] as const)("%s", (_, [minTimeMs, maxTimeMs, sampleCount, from, to], chunkCount) => {
    expect(chunkCountFor(minTimeMs, maxTimeMs, sampleCount, from, to)).toBe(chunkCount);
  });
});

describe("downsampling floats", () => {
  /** Blocks of lines that begin with the name of a series. */
  const golden = readFileSync(new URL("../testdata/downsampled-chunks.txt", import.meta.url), "utf8")
    .split("series ")
    .slice(1)
    .map((block) => {
      const [name = "", ...lines] = block.trimEnd().split("\n");
      const of = (kind: string) =>
        lines.flatMap((line) => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : []));
      return { name, raw: of("raw"), fiveMinutes: of("5m"), hours: of("1h") };
    });
  const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const line = ({ minTimeMs, maxTimeMs, data }: BlockChunk) => `${minTimeMs} ${maxTimeMs} ${hex(data)}`;

  it.each(golden)("gives Thanos's own bytes: $name", ({ raw, fiveMinutes, hours }) => {
    const chunks = raw.map((text): BlockChunk => {
      const data = Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
      const columns = createSampleColumns(0);
      expect(decodeChunk(1, data, columns)).toBeUndefined();
      const { timestampsMs, count: sampleCount } = columns;
      const [minTimeMs, maxTimeMs] = [timestampsMs[0] ?? NaN, timestampsMs[sampleCount - 1] ?? NaN];
      return { minTimeMs, maxTimeMs, sampleCount, encoding: 1, data };
    });
    const downsampled = value(downsampleRaw(chunks, fiveMinutesMs));
    expect(downsampled.map(line)).toEqual(fiveMinutes);
    expect(value(downsampleAggregates(downsampled, fiveMinutesMs, hourMs)).map(line)).toEqual(hours);
  });

  const steady = (count: number, valueAt: (i: number) => number | undefined): Sample[] =>
    Array.from({ length: count }, (_, i) => [1_700_000_000_000 + i * 30_000, valueAt(i)]);

  it("gives each window its count, sum, min, max and counter", () => {
    const samples: Sample[] = [
      [0, 1],
      [100_000, 3],
      [200_000, 2],
      [300_000, 7],
      [400_000, 8],
    ];
    const chunks = value(downsampleRaw(rawChunks(samples), fiveMinutesMs));
    expect(
      chunks.map(({ minTimeMs, maxTimeMs, sampleCount, encoding }) => [minTimeMs, maxTimeMs, sampleCount, encoding]),
    ).toEqual([[299_999, 400_000, 2, 255]]);
    expect(samplesOf(chunks, "count")).toEqual([
      [299_999, 3],
      [400_000, 2],
    ]);
    expect(samplesOf(chunks, "sum")).toEqual([
      [299_999, 6],
      [400_000, 15],
    ]);
    expect(samplesOf(chunks, "min")).toEqual([
      [299_999, 1],
      [400_000, 7],
    ]);
    expect(samplesOf(chunks, "max")).toEqual([
      [299_999, 3],
      [400_000, 8],
    ]);
    expect(samplesOf(chunks, "counter")).toEqual([
      [0, 1],
      [299_999, 5],
      [400_000, 11],
      [400_000, 8],
    ]);
  });

  it("leaves staleness markers and NaN out", () => {
    const samples: Sample[] = [
      [0, 1],
      [1000, undefined],
      [2000, NaN],
      [3000, 2],
    ];
    expect(samplesOf(value(downsampleRaw(rawChunks(samples), fiveMinutesMs)), "count")).toEqual([[3000, 2]]);
    expect(
      value(
        downsampleRaw(
          rawChunks([
            [0, NaN],
            [1, undefined],
          ]),
          fiveMinutesMs,
        ),
      ),
    ).toEqual([]);
    expect(value(downsampleRaw([], fiveMinutesMs))).toEqual([]);
  });

  it("keeps infinities in the least and the greatest", () => {
    const chunks = value(downsampleRaw(rawChunks([[0, Infinity]]), fiveMinutesMs));
    expect([samplesOf(chunks, "min"), samplesOf(chunks, "max")]).toEqual([[[0, Infinity]], [[0, Infinity]]]);
  });

  it("keeps increases over the borders of windows and chunks, resets included", () => {
    const samples = steady(12_000, (i) => (i % 997) * 3);
    const chunks = value(downsampleRaw(rawChunks(samples), fiveMinutesMs));
    expect(chunks.length).toBeGreaterThan(5);
    expectAggregates(samples, chunks, fiveMinutesMs);
    const hours = value(downsampleAggregates(chunks, fiveMinutesMs, hourMs));
    expectAggregates(samples, hours, hourMs);
  });

  it("makes chunks of an hour of whole chunks of five minutes", () => {
    const chunks = value(downsampleRaw(rawChunks(steady(60_000, (i) => i)), fiveMinutesMs));
    const hours = value(downsampleAggregates(chunks, fiveMinutesMs, hourMs));
    expect(
      hours.map(({ maxTimeMs }) => maxTimeMs).every((endMs) => chunks.some((chunk) => chunk.maxTimeMs === endMs)),
    ).toBe(true);
    for (const { sampleCount } of [...chunks, ...hours]) expect(sampleCount).toBeLessThan(160);
  });

  it("refuses chunks that overlap, are damaged or downsampled already", () => {
    const [chunk] = rawChunks([
      [0, 1],
      [10, 2],
    ]);
    if (chunk === undefined) throw new Error("a chunk was encoded");
    const kindOf = (result: ReturnType<typeof downsampleRaw>) => (result.ok ? "ok" : result.failure.kind);
    expect(kindOf(downsampleRaw([chunk, { ...chunk, minTimeMs: 10, maxTimeMs: 20 }], fiveMinutesMs))).toBe("overlap");
    expect(kindOf(downsampleRaw([{ ...chunk, data: chunk.data.slice(0, 5) }], fiveMinutesMs))).toBe("damaged-chunk");
    const [aggregates] = value(downsampleRaw([chunk], fiveMinutesMs));
    if (aggregates === undefined) throw new Error("a chunk was downsampled");
    expect(kindOf(downsampleRaw([aggregates], fiveMinutesMs))).toBe("downsampled-already");
    const cut = { ...aggregates, data: aggregates.data.slice(0, -1) };
    expect(kindOf(downsampleAggregates([cut], fiveMinutesMs, hourMs))).toBe("damaged-chunk");
  });

  it("takes a raw chunk among downsampled ones as what it would have become", () => {
    const [chunk] = rawChunks([
      [0, 1],
      [10, 2],
    ]);
    if (chunk === undefined) throw new Error("a chunk was encoded");
    const fiveMinutes = value(downsampleRaw([chunk], fiveMinutesMs));
    expect(downsampleAggregates([chunk], fiveMinutesMs, hourMs)).toEqual(
      downsampleAggregates(fiveMinutes, fiveMinutesMs, hourMs),
    );
  });

  const runs = fc
    .tuple(
      fc.integer({ min: 0, max: 2e12 }),
      fc.array(
        fc.tuple(
          fc.oneof(fc.constant(30_000), fc.integer({ min: 1, max: 2 * hourMs })),
          fc.oneof(
            { weight: 12, arbitrary: fc.integer({ min: 0, max: 50 }) },
            { weight: 1, arbitrary: fc.constantFrom("reset" as const, "stale" as const, "NaN" as const) },
          ),
        ),
        { minLength: 1, maxLength: 400 },
      ),
    )
    .map(([startMs, steps]) => {
      let timestampMs = startMs;
      let counter = 0;
      return steps.map(([gapMs, step]): Sample => {
        timestampMs += gapMs;
        if (step === "stale") return [timestampMs, undefined];
        if (step === "NaN") return [timestampMs, NaN];
        counter = step === "reset" ? 0 : counter + step;
        return [timestampMs, counter];
      });
    });

  it("gives each window of any series what its raw samples give, at five minutes and at an hour", () => {
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 130 }), (samples, samplesPerChunk) => {
        const chunks = value(downsampleRaw(rawChunks(samples, samplesPerChunk), fiveMinutesMs));
        expect(chunks.every(({ encoding }) => encoding === 255)).toBe(true);
        expectAggregates(samples, chunks, fiveMinutesMs);
        expectAggregates(samples, value(downsampleAggregates(chunks, fiveMinutesMs, hourMs)), hourMs);
      }),
      { numRuns: 60 },
    );
  });
});

describe("downsampling native histograms", () => {
  const histogram = (n: number, more: Partial<FloatHistogram> = {}): FloatHistogram => ({
    schema: 2,
    zeroThreshold: 0.001,
    zeroCount: n,
    count: 4 * n,
    sum: 10 * n,
    positiveSpans: [{ offset: 1, length: 2 }],
    positiveBuckets: Float64Array.of(n, n),
    negativeSpans: [{ offset: 0, length: 1 }],
    negativeBuckets: Float64Array.of(n),
    customBounds: new Float64Array(0),
    counterReset: "unknown",
    ...more,
  });
  const times = (count: number) => Float64Array.from({ length: count }, (_, i) => i * 100_000);
  const custom = (n: number, bound: number): FloatHistogram =>
    histogram(n, {
      schema: -53,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 2 * n,
      negativeSpans: [],
      negativeBuckets: new Float64Array(0),
      positiveSpans: [{ offset: 0, length: 2 }],
      customBounds: Float64Array.of(bound),
    });
  const summary = (pairs: [number, FloatHistogram][]) =>
    pairs.map(([endMs, { count, sum, schema, counterReset }]) => [endMs, count, sum, schema, counterReset]);

  it.each([2, 3] as const)(
    "of encoding %d, gives each window its count, sum and counter, and no min or max",
    (encoding) => {
      const histograms = [1, 2, 3, 4, 1, 2].map((n) => histogram(n));
      const chunks = value(downsampleRaw(histogramChunks(times(6), histograms, encoding), fiveMinutesMs));
      expect(chunks.flatMap(({ data }) => [...value(parseAggregateChunk(data)).keys()])).toEqual([
        "count",
        "sum",
        "counter",
      ]);
      expect(samplesOf(chunks, "count")).toEqual([
        [299_999, 3],
        [500_000, 3],
      ]);
      expect(summary(histogramsOf(chunks, "sum"))).toEqual([
        [299_999, 24, 60, 2, "gauge"],
        [500_000, 28, 70, 2, "gauge"],
      ]);
      // 1 2 3 | 4, reset, 1 2: the counter is at 4 + 2.
      expect(summary(histogramsOf(chunks, "counter"))).toEqual([
        [299_999, 12, 30, 2, "unknown"],
        [500_000, 24, 60, 2, "not-reset"],
      ]);
      const hours = value(downsampleAggregates(chunks, fiveMinutesMs, hourMs));
      expect(samplesOf(hours, "count")).toEqual([[500_000, 6]]);
      expect(summary(histogramsOf(hours, "sum"))).toEqual([[500_000, 52, 130, 2, "gauge"]]);
      expect(summary(histogramsOf(hours, "counter"))).toEqual([[500_000, 24, 60, 2, "unknown"]]);
    },
  );

  it("brings all to the coarsest schema, and takes a finer one for a reset", () => {
    const histograms = [histogram(1), histogram(2, { schema: 0 }), histogram(3, { schema: 1 })];
    const chunks = value(downsampleRaw(histogramChunks(times(3), histograms, 3), fiveMinutesMs));
    expect(summary(histogramsOf(chunks, "counter"))).toEqual([[200_000, 20, 50, 0, "unknown"]]);
    expect(summary(histogramsOf(chunks, "sum"))).toEqual([[200_000, 24, 60, 0, "gauge"]]);
  });

  it("keeps gauges gauges, whose counter is their last value", () => {
    const histograms = [4, 2].map((n) => histogram(n, { counterReset: "gauge" }));
    const chunks = value(downsampleRaw(histogramChunks(times(2), histograms, 3), fiveMinutesMs));
    expect(summary(histogramsOf(chunks, "counter"))).toEqual([[100_000, 8, 20, 2, "gauge"]]);
    expect(summary(histogramsOf(chunks, "sum"))).toEqual([[100_000, 24, 60, 2, "gauge"]]);
  });

  it.each<[string, FloatHistogram[], number]>([
    ["counters and gauges", [histogram(1), histogram(1, { counterReset: "gauge" })], 2],
    ["zero buckets of two widths", [histogram(1), histogram(1, { zeroThreshold: 0.1 })], 2],
    ["custom bounds that differ", [custom(1, 5), custom(2, 5), custom(3, 7)], 2],
    ["custom bounds and powers of two", [custom(1, 5), histogram(2)], 2],
    ["a staleness marker, which is left out", [histogram(1), staleHistogram, histogram(2)], 1],
  ])("parts what cannot share a chunk: %s", (_, histograms, chunkCount) => {
    const chunks = value(downsampleRaw(histogramChunks(times(histograms.length), histograms, 3), fiveMinutesMs));
    expect(chunks).toHaveLength(chunkCount);
    const total = histograms.reduce((sum, one) => sum + (one === staleHistogram ? 0 : one.count), 0);
    expect(histogramsOf(chunks, "sum").reduce((sum, [, { count }]) => sum + count, 0)).toBe(total);
    expect(value(downsampleAggregates(chunks, fiveMinutesMs, hourMs))).toHaveLength(chunkCount);
  });

  it("parts histograms and floats of one series", () => {
    const floats = rawChunks([[1_000_000, 5]]);
    const chunks = value(
      downsampleRaw([...histogramChunks(times(2), [histogram(1), histogram(2)], 2), ...floats], fiveMinutesMs),
    );
    expect(chunks.map(({ maxTimeMs }) => maxTimeMs)).toEqual([100_000, 1_000_000]);
    expect(value(downsampleAggregates(chunks, fiveMinutesMs, hourMs)).map(({ maxTimeMs }) => maxTimeMs)).toEqual([
      100_000, 1_000_000,
    ]);
  });

  it("keeps increases over the borders of chunks, resets included", () => {
    // Buckets 1 and 2 of schema 2 are bucket 1 of schema 1.
    const coarser = (n: number) =>
      histogram(n, { schema: 1, positiveSpans: [{ offset: 1, length: 1 }], positiveBuckets: Float64Array.of(2 * n) });
    const histograms = Array.from({ length: 5000 }, (_, i) => (i < 2000 ? histogram : coarser)(1 + (i % 997)));
    const timestampsMs = times(histograms.length);
    const chunks = value(downsampleRaw(histogramChunks(timestampsMs, histograms, 3), fiveMinutesMs));
    expect(chunks.length).toBeGreaterThan(5);
    const hours = value(downsampleAggregates(chunks, fiveMinutesMs, hourMs));
    for (const level of [chunks, hours]) {
      const counters = histogramsOf(level, "counter").map(([, { count }]) => count);
      expect(counters).toEqual([...counters].sort((a, b) => a - b));
      // Five times up to 997, and 15 more.
      expect(counters.at(-1)).toBe(4 * (5 * 997 + 15));
    }
  });

  it("gives each window of any history the sum of its histograms and a counter that never falls", () => {
    const steps = fc.array(
      fc.record({
        gapMs: fc.oneof(fc.constant(30_000), fc.integer({ min: 1, max: hourMs })),
        more: fc.integer({ min: 0, max: 5 }),
        isReset: fc.boolean().map((one) => one),
        isRare: fc.integer({ min: 0, max: 9 }),
      }),
      { minLength: 1, maxLength: 120 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        let n = 1;
        let timeMs = 0;
        let increases = 0;
        const timestampsMs = Float64Array.from(all, ({ gapMs }) => (timeMs += gapMs));
        const histograms = all.map(({ more, isReset, isRare }, i) => {
          const before = i === 0 ? 0 : n;
          n = isReset && isRare === 0 ? 1 : n + more;
          increases += n < before ? n : n - before;
          return histogram(n);
        });
        const chunks = value(downsampleRaw(histogramChunks(timestampsMs, histograms, 3), fiveMinutesMs));
        const hours = value(downsampleAggregates(chunks, fiveMinutesMs, hourMs));
        for (const level of [chunks, hours]) {
          const total = histograms.reduce((sum, one) => sum + one.count, 0);
          expect(histogramsOf(level, "sum").reduce((sum, [, one]) => sum + one.count, 0)).toBe(total);
          expect(samplesOf(level, "count").reduce((sum, [, count]) => sum + count, 0)).toBe(histograms.length);
          const counters = histogramsOf(level, "counter");
          for (const [i, [, one]] of counters.entries()) {
            expect(one.count).toBeGreaterThanOrEqual(counters[i - 1]?.[1].count ?? 0);
          }
          const last = counters[counters.length - 1];
          if (last !== undefined) {
            expect(histogramsEqual({ ...last[1], counterReset: "unknown" }, histogram(increases))).toBe(true);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
