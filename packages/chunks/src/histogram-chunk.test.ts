import type { FloatHistogram } from "@pleiad/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHistogramChunk } from "./chunk.ts";
import { createHistogramAppender, encodeFloatHistograms, encodeIntegerHistograms } from "./histogram-appender.ts";
import { createHistogramColumns, isStaleHistogram, staleHistogram } from "./histogram-columns.ts";
import { benchHistogramChunks, histogramBenchKinds } from "./histogram-chunk.bench.ts";
import { chunkCounterReset, histogramCountMax } from "./histogram-decoder.ts";

const minute = 60_000;

const plain: FloatHistogram = {
  schema: 1,
  zeroThreshold: 2 ** -128,
  zeroCount: 2,
  count: 12,
  sum: 18.4,
  positiveSpans: [
    { offset: 0, length: 2 },
    { offset: 1, length: 2 },
  ],
  positiveBuckets: Float64Array.of(1, 2, 3, 0),
  negativeSpans: [{ offset: -2, length: 2 }],
  negativeBuckets: Float64Array.of(3, 1),
  customBounds: new Float64Array(0),
  counterReset: "unknown",
};

const custom: FloatHistogram = {
  ...plain,
  schema: -53,
  zeroThreshold: 0,
  zeroCount: 0,
  positiveSpans: [{ offset: 0, length: 4 }],
  negativeSpans: [],
  negativeBuckets: new Float64Array(0),
  customBounds: Float64Array.of(0, 0.005, 33_554.43, 1e9, -3.25),
};

const gauge: FloatHistogram = { ...plain, counterReset: "gauge" };

const times = (count: number) => Float64Array.from({ length: count }, (_, i) => 1_700_000_000_000 + i * minute);

function read(encoding: 2 | 3, chunks: readonly { readonly data: Uint8Array }[]): FloatHistogram[] {
  const columns = createHistogramColumns();
  for (const { data } of chunks) expect(decodeHistogramChunk(encoding, data, columns)).toBeUndefined();
  return columns.histograms.slice(0, columns.count);
}

/** A histogram as count by bucket index, without empty buckets: what two layouts of the same thing share. */
function bucketsOf(histogram: FloatHistogram): unknown {
  const side = (spans: FloatHistogram["positiveSpans"], buckets: Float64Array) => {
    const found: [number, number][] = [];
    let index = 0;
    let at = 0;
    for (const { offset, length } of spans) {
      index += offset;
      for (let i = 0; i < length; i++, index++, at++) {
        const bucket = buckets[at] ?? NaN;
        if (bucket !== 0) found.push([index, bucket]);
      }
    }
    return found;
  };
  if (isStaleHistogram(histogram)) return "stale";
  const { schema, zeroThreshold, zeroCount, count, sum, customBounds } = histogram;
  return {
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    customBounds: [...customBounds],
    positive: side(histogram.positiveSpans, histogram.positiveBuckets),
    negative: side(histogram.negativeSpans, histogram.negativeBuckets),
  };
}

const encoders = [
  ["float", 3, encodeFloatHistograms],
  ["integer", 2, encodeIntegerHistograms],
] as const;

describe.each(encoders)("%s histogram chunks", (_, encoding, encode) => {
  const grown = (by: number): FloatHistogram => ({
    ...plain,
    count: plain.count + by,
    positiveBuckets: Float64Array.of(1 + by, 2, 3, 0),
  });

  it("gives back what was written, and says that histograms after the first are no resets", () => {
    const chunks = encode(times(3), [plain, grown(1), grown(5)]);
    expect(chunks.map(({ sampleCount }) => sampleCount)).toEqual([3]);
    expect(read(encoding, chunks)).toEqual([
      plain,
      { ...grown(1), counterReset: "not-reset" },
      { ...grown(5), counterReset: "not-reset" },
    ]);
  });

  const wider: FloatHistogram = {
    ...plain,
    count: 15,
    positiveSpans: [{ offset: -1, length: 7 }],
    positiveBuckets: Float64Array.of(1, 1, 2, 0, 3, 0, 1),
  };
  const other: FloatHistogram = {
    ...plain,
    count: 16,
    positiveSpans: [
      { offset: 0, length: 2 },
      { offset: 1, length: 1 },
      { offset: 2, length: 1 },
    ],
    positiveBuckets: Float64Array.of(1, 2, 3, 2),
  };
  const reset: FloatHistogram = { ...plain, counterReset: "reset" };
  it.each<[string, FloatHistogram[], { counts: number[]; headers: string[] }]>([
    ["new buckets are taken into the chunk", [plain, wider], { counts: [2], headers: ["unknown"] }],
    [
      "empty buckets may be missing",
      [wider, { ...other, count: 20 }],
      { counts: [1, 1], headers: ["unknown", "reset"] },
    ],
    ["both may lack what is empty in the other", [plain, other], { counts: [2], headers: ["unknown"] }],
    ["a count that fell is a reset", [grown(1), plain], { counts: [1, 1], headers: ["unknown", "reset"] }],
    [
      "a bucket that fell is a reset though the count grew",
      [grown(1), { ...grown(0), count: 99 }],
      { counts: [1, 1], headers: ["unknown", "reset"] },
    ],
    [
      "a zero bucket that fell is a reset",
      [plain, { ...plain, zeroCount: 1 }],
      { counts: [1, 1], headers: ["unknown", "reset"] },
    ],
    [
      "a populated bucket that is gone is a reset",
      [plain, { ...plain, negativeSpans: [], negativeBuckets: new Float64Array(0) }],
      { counts: [1, 1], headers: ["unknown", "reset"] },
    ],
    ["a reset that is said is one", [plain, reset], { counts: [1, 1], headers: ["unknown", "reset"] }],
    ["a reset that is said may come first", [reset, plain], { counts: [2], headers: ["reset"] }],
    [
      "another schema ends the chunk",
      [plain, { ...plain, schema: 2 }],
      { counts: [1, 1], headers: ["unknown", "unknown"] },
    ],
    [
      "another zero threshold ends the chunk",
      [plain, { ...plain, zeroThreshold: 0.3 }],
      { counts: [1, 1], headers: ["unknown", "unknown"] },
    ],
    [
      "other custom bounds are a reset",
      [custom, { ...custom, customBounds: Float64Array.of(1, 2, 3, 4) }],
      { counts: [1, 1], headers: ["unknown", "reset"] },
    ],
    [
      "a gauge ends a counter's chunk, and a counter a gauge's",
      [plain, gauge, plain],
      { counts: [1, 1, 1], headers: ["unknown", "gauge", "unknown"] },
    ],
    ["a gauge may fall", [{ ...wider, counterReset: "gauge" }, gauge], { counts: [2], headers: ["gauge"] }],
    [
      "a staleness marker goes into any chunk, and only more of them after it",
      [plain, staleHistogram, staleHistogram, plain],
      { counts: [3, 1], headers: ["unknown", "unknown"] },
    ],
    [
      "a chunk may start with a staleness marker",
      [staleHistogram, plain],
      { counts: [1, 1], headers: ["unknown", "unknown"] },
    ],
  ])("keeps the contents: %s", (_rule, histograms, { counts, headers }) => {
    const chunks = encode(times(histograms.length), histograms);
    expect(chunks.map(({ sampleCount }) => sampleCount)).toEqual(counts);
    expect(chunks.map(({ data }) => chunkCounterReset(encoding, data))).toEqual(headers);
    expect(read(encoding, chunks).map(bucketsOf)).toEqual(histograms.map(bucketsOf));
  });

  it("says in the header of a chunk that was cut by its owner how it goes on", () => {
    const headerAfter = (first: FloatHistogram, second: FloatHistogram) => {
      const appender = createHistogramAppender(encoding);
      appender.append(1000, first);
      appender.cut();
      appender.append(2000, second);
      return chunkCounterReset(encoding, appender.bytes());
    };
    expect(headerAfter(plain, grown(1))).toBe("not-reset");
    expect(headerAfter(grown(1), plain)).toBe("reset");
    expect(headerAfter(plain, custom)).toBe("unknown");
    expect(headerAfter(gauge, gauge)).toBe("gauge");
  });

  it("keeps custom bounds, in thousandths or whole", () => {
    expect(read(encoding, encode(times(1), [custom]))).toEqual([custom]);
  });

  it.each([0, 2 ** -243, 2 ** -242, 2 ** -128, 0.001, 1, 2 ** 10, 2 ** 11, 3, Infinity])(
    "keeps the zero threshold %d",
    (zeroThreshold) => {
      expect(read(encoding, encode(times(1), [{ ...plain, zeroThreshold }]))).toEqual([{ ...plain, zeroThreshold }]);
    },
  );

  it("gives a staleness marker its bits", () => {
    const [chunk] = encode(times(2), [plain, staleHistogram]);
    const columns = createHistogramColumns();
    expect(decodeHistogramChunk(encoding, chunk?.data ?? new Uint8Array(0), columns)).toBeUndefined();
    expect(columns.histograms[1]).toBe(staleHistogram);
  });

  it("reports a chunk cut anywhere as truncated and gives none of its samples", () => {
    const [chunk] = encode(times(4), [plain, grown(1), wider, staleHistogram]);
    const data = chunk?.data ?? new Uint8Array(0);
    for (let length = 0; length < data.length; length++) {
      const columns = createHistogramColumns();
      expect(decodeHistogramChunk(encoding, data.slice(0, length), columns)?.kind).toBe("truncated");
      expect(columns.count).toBe(0);
    }
  });

  it("throws on a caller's mistake", () => {
    const appender = createHistogramAppender(encoding);
    appender.append(1000, plain);
    expect(() => appender.append(1000, plain)).toThrow(/ascend/);
    expect(() => appender.append(1000.5, plain)).toThrow(/whole/);
    expect(() => appender.append(2000, { ...plain, positiveSpans: [] })).toThrow(/spans/);
  });

  const bucketCounts = fc.array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: 0, max: 9 })), {
    maxLength: 8,
  });
  const shapes = fc.record({
    gapMs: fc.oneof(fc.constant(minute), fc.integer({ min: 1, max: 2 ** 41 })),
    kind: fc.constantFrom("grow", "grow", "grow", "anew", "stale", "gauge"),
    schema: fc.constantFrom(0, 0, 8, -4),
    positive: bucketCounts,
    negative: bucketCounts,
    zeroCount: fc.integer({ min: 0, max: 3 }),
    sum: fc.double({ noNaN: true }),
  });

  /** Histograms that mostly grow, as a counter's do. */
  function historyOf(steps: readonly (typeof shapes extends fc.Arbitrary<infer T> ? T : never)[]) {
    let timeMs = 0;
    let zeroCount = 0;
    const positive = new Map<number, number>();
    const negative = new Map<number, number>();
    const timesMs: number[] = [];
    const histograms = steps.map((step): FloatHistogram => {
      timesMs.push((timeMs += step.gapMs));
      if (step.kind === "stale") return staleHistogram;
      if (step.kind === "anew") for (const side of [positive, negative]) side.clear();
      zeroCount = step.kind === "anew" ? step.zeroCount : zeroCount + step.zeroCount;
      for (const [index, more] of step.positive) positive.set(index, (positive.get(index) ?? 0) + more);
      for (const [index, more] of step.negative) negative.set(index, (negative.get(index) ?? 0) + more);
      const side = (counts: ReadonlyMap<number, number>) => {
        const spans: { offset: number; length: number }[] = [];
        let next = 0;
        const sorted = [...counts].sort(([a], [b]) => a - b);
        for (const [index] of sorted) {
          spans.push({ offset: index - next, length: 1 });
          next = index + 1;
        }
        return [spans, Float64Array.from(sorted, ([, count]) => count)] as const;
      };
      const [positiveSpans, positiveBuckets] = side(positive);
      const [negativeSpans, negativeBuckets] = side(negative);
      return {
        ...plain,
        schema: step.schema,
        zeroCount,
        count: [...positive.values(), ...negative.values()].reduce((sum, count) => sum + count, zeroCount),
        sum: step.sum,
        positiveSpans,
        positiveBuckets,
        negativeSpans,
        negativeBuckets,
        counterReset: step.kind === "gauge" ? "gauge" : "unknown",
      };
    });
    return { timestampsMs: Float64Array.from(timesMs), histograms };
  }

  it("gives back any history, and never calls a reset none", () => {
    fc.assert(
      fc.property(fc.array(shapes, { maxLength: 25 }), (steps) => {
        const { timestampsMs, histograms } = historyOf(steps);
        const chunks = encode(timestampsMs, histograms);
        const columns = createHistogramColumns();
        for (const { data, minTimeMs, maxTimeMs, sampleCount } of chunks) {
          const from = columns.count;
          expect(decodeHistogramChunk(encoding, data, columns)).toBeUndefined();
          expect([columns.timestampsMs[from], columns.timestampsMs[columns.count - 1], columns.count - from]).toEqual([
            minTimeMs,
            maxTimeMs,
            sampleCount,
          ]);
        }
        const written = columns.histograms.slice(0, columns.count);
        expect(columns.timestampsMs.slice(0, columns.count)).toEqual(timestampsMs);
        expect(written.map(bucketsOf)).toEqual(histograms.map(bucketsOf));
        written.forEach((histogram, i) => {
          const before = written[i - 1];
          if (before !== undefined && histogram.counterReset === "not-reset") {
            expect(histogram.count).toBeGreaterThanOrEqual(before.count);
          }
        });
      }),
      { numRuns: 150 },
    );
  });

  it("ends on damaged bytes, with samples or a failure", () => {
    const damages = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(shapes, { minLength: 1, maxLength: 12 }), damages, (steps, flips) => {
        const { timestampsMs, histograms } = historyOf(steps);
        const data = encode(timestampsMs, histograms)[0]?.data ?? new Uint8Array(0);
        for (const [at, mask] of flips) data[at % data.length] = (data[at % data.length] ?? 0) ^ mask;
        const columns = createHistogramColumns();
        const failure = decodeHistogramChunk(encoding, data, columns);
        expect(columns.count === 0 || failure === undefined).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("ends on any bytes, with samples or a failure", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        const columns = createHistogramColumns();
        const failure = decodeHistogramChunk(encoding, data, columns);
        expect(columns.count === 0 || failure === undefined).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("float histogram chunks with start timestamps", () => {
  const shapesOfStarts = fc.array(
    fc.record({ grows: fc.nat({ max: 3 }), startsAgo: fc.constantFrom(0, 1, 500, 60_000) }),
    {
      maxLength: 300,
    },
  );

  it("give them back, with buckets that come up on the way", () => {
    fc.assert(
      fc.property(shapesOfStarts, (steps) => {
        let width = 1;
        const histograms = steps.map(({ grows }, i): FloatHistogram => {
          width += grows > 2 ? 1 : 0;
          const positiveBuckets = new Float64Array(width).fill(i + 1);
          return { ...plain, count: width * (i + 1), positiveSpans: [{ offset: 0, length: width }], positiveBuckets };
        });
        const timestampsMs = Float64Array.from(steps, (_, i) => i * minute);
        const startTimestampsMs = Float64Array.from(steps, ({ startsAgo }, i) =>
          startsAgo === 0 ? 0 : i * minute - startsAgo,
        );
        const columns = createHistogramColumns(0, { startTimestamps: true });
        for (const { data } of encodeFloatHistograms(timestampsMs, histograms, startTimestampsMs)) {
          expect(decodeHistogramChunk(6, data, columns)).toBeUndefined();
        }
        expect(columns.timestampsMs.slice(0, columns.count)).toEqual(timestampsMs);
        expect(columns.startTimestampsMs?.slice(0, columns.count)).toEqual(startTimestampsMs);
        expect(columns.histograms.slice(0, columns.count).map(bucketsOf)).toEqual(histograms.map(bucketsOf));
      }),
      { numRuns: 60 },
    );
  });
});

describe("integer histogram chunks alone", () => {
  it("refuse counts that are not whole, negative or beyond what is read exactly", () => {
    for (const count of [0.5, -1, 2 * histogramCountMax]) {
      expect(() => encodeIntegerHistograms(times(1), [{ ...plain, count }])).toThrow(/whole/);
    }
  });
});

it.each(histogramBenchKinds)("the benchmark runs: %s", (kind) => {
  let tick = 0;
  const once = () => benchHistogramChunks(kind, 3, () => tick++).checksum;
  expect(once()).toBe(once());
});
