import { emptyLabels, labelsFromRecord, labelsToRecord, type FloatHistogram } from "@pleiad/model";
import type { AnswerSeries, AnswerValue } from "@pleiad/promql-exec";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerText, type AnswerExtras, truncateAnswer } from "./answer-text.ts";
import type { JsonPiece } from "./envelope.ts";
import { pieceBytes } from "./sample-text.ts";

const textOf = (piece: JsonPiece) => (typeof piece === "string" ? piece : new TextDecoder().decode(piece));
const print = (value: AnswerValue, extras?: AnswerExtras) => [...answerText(value, extras)].map(textOf).join("");

const up = labelsFromRecord({ __name__: "up", job: "node" });

const series = (labels: AnswerSeries["labels"], samples: readonly (readonly [number, number])[]): AnswerSeries => ({
  labels,
  timestampsMs: Float64Array.from(samples, ([timestampMs]) => timestampMs),
  values: Float64Array.from(samples, ([, value]) => value),
  histogramTimestampsMs: new Float64Array(0),
  histograms: [],
});

const histogram: FloatHistogram = {
  schema: 0,
  zeroThreshold: 0.25,
  zeroCount: 3,
  count: 42.5,
  sum: 34593.34,
  positiveSpans: [
    { offset: -1, length: 2 },
    { offset: 1, length: 2 },
  ],
  positiveBuckets: Float64Array.of(12, 21, 0, 6),
  negativeSpans: [{ offset: 0, length: 2 }],
  negativeBuckets: Float64Array.of(1, 2),
  customBounds: new Float64Array(0),
  counterReset: "unknown",
};

// Lowest first; the bucket without observations, (2, 4], is left out.
const histogramText =
  `{"count":"42.5","sum":"34593.34","buckets":[[1,"-2","-1","2"],[1,"-1","-0.5","1"],[3,"-0.25","0.25","3"],` +
  `[0,"0.25","0.5","12"],[0,"0.5","1","21"],[0,"4","8","6"]]}`;

describe("the data field", () => {
  const cases: readonly (readonly [rule: string, value: AnswerValue, text: string])[] = [
    [
      "a scalar has the shortest time and no exponent",
      { kind: "scalar", timestampMs: 1_500_500, value: 1e-7 },
      `{"resultType":"scalar","result":[1500.5,"0.0000001"]}`,
    ],
    [
      "a string is escaped for HTML",
      { kind: "string", timestampMs: 1_500_000, value: `<"x">` },
      String.raw`{"resultType":"string","result":[1500,"\u003c\"x\"\u003e"]}`,
    ],
    [
      "an empty vector",
      { kind: "vector", timestampMs: 0, labels: [], values: new Float64Array(0), histograms: [] },
      `{"resultType":"vector","result":[]}`,
    ],
    [
      "a vector keeps its order; a histogram takes the place of the value",
      {
        kind: "vector",
        timestampMs: 1_500_500,
        labels: [up, emptyLabels],
        values: Float64Array.of(1e-7, 0),
        histograms: [undefined, histogram],
      },
      `{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"node"},"value":[1500.500,"1e-07"]},` +
        `{"metric":{},"histogram":[1500.500,${histogramText}]}]}`,
    ],
    ["an empty matrix", { kind: "matrix", series: [] }, `{"resultType":"matrix","result":[]}`],
    [
      "a matrix",
      {
        kind: "matrix",
        series: [
          series(up, [
            [0, 1],
            [500, 1],
            [1_000, Infinity],
          ]),
          series(emptyLabels, [[500, NaN]]),
        ],
      },
      `{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"node"},"values":[[0,"1"],[0.500,"1"],[1,"+Inf"]]},` +
        `{"metric":{},"values":[[0.500,"NaN"]]}]}`,
    ],
    [
      "a series of histograms has no values",
      {
        kind: "matrix",
        series: [{ ...series(up, []), histogramTimestampsMs: Float64Array.of(2_000), histograms: [histogram] }],
      },
      `{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"node"},"histograms":[[2,${histogramText}]]}]}`,
    ],
    [
      "a mixed series has both",
      {
        kind: "matrix",
        series: [
          { ...series(up, [[1_000, 5]]), histogramTimestampsMs: Float64Array.of(2_000), histograms: [histogram] },
        ],
      },
      `{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"node"},"values":[[1,"5"]],` +
        `"histograms":[[2,${histogramText}]]}]}`,
    ],
  ];
  for (const [rule, value, text] of cases) it(rule, () => expect(print(value)).toBe(text));

  it("carries statistics in seconds where they were asked for", () => {
    const statistics = {
      queueMs: 4,
      parseMs: 1,
      planMs: 2,
      evaluateMs: 500,
      seriesSelected: 7,
      samplesRead: 100,
      samplesPeak: 40,
      samplesQueryable: 300,
      samplesQueryablePerStep: {
        timestampsMs: Float64Array.of(1_000, 1_500),
        counts: Float64Array.of(100, 200),
      },
    };
    const text = print({ kind: "matrix", series: [] }, { statistics, analysis: undefined });
    expect(JSON.parse(text)).toEqual({
      resultType: "matrix",
      result: [],
      stats: {
        timings: {
          evalTotalTime: 0.503,
          resultSortTime: 0,
          queryPreparationTime: 0.003,
          innerEvalTime: 0.5,
          execQueueTime: 0.004,
          execTotalTime: 0.507,
        },
        samples: {
          totalQueryableSamplesPerStep: [
            [1, 100],
            [1.5, 200],
          ],
          totalQueryableSamples: 300,
          samplesRead: 100,
          peakSamples: 40,
          seriesSelected: 7,
        },
      },
    });
  });

  it("carries an analysis as a tree, the plan and the operators of scalars beside its root", () => {
    const leaf = {
      description: "select up",
      isDoneByReader: false,
      seriesCount: 3,
      sampleCount: 9,
      elapsedMs: 1.23456,
      inputs: [],
    };
    const analysis = {
      plan: "(up / scalar(up))",
      operators: [leaf, { ...leaf, description: "/ scalar", elapsedMs: 2, inputs: [leaf] }],
    };
    const node = {
      name: "select up",
      executionTime: "1.235ms",
      series: 3,
      totalSamples: 9,
      doneByReader: false,
      children: [],
    };
    const text = print({ kind: "matrix", series: [] }, { statistics: undefined, analysis });
    expect(JSON.parse(text)).toEqual({
      resultType: "matrix",
      result: [],
      analysis: {
        ...node,
        name: "/ scalar",
        executionTime: "2ms",
        children: [node],
        plan: "(up / scalar(up))",
        scalars: [node],
      },
    });
  });

  it("comes in pieces of bounded length", () => {
    const long = Array.from({ length: 40_000 }, (_, i) => [i * 1_000, i / 7] as const);
    const pieces = [...answerText({ kind: "matrix", series: [series(up, long), series(emptyLabels, long)] })];
    expect(pieces.length).toBeGreaterThan(5);
    for (const piece of pieces) expect(piece.length).toBeLessThan(pieceBytes + 65_536);
  });
});

describe("a histogram with custom bounds", () => {
  it("starts at -Inf, included, and ends at +Inf", () => {
    const custom: FloatHistogram = {
      ...histogram,
      schema: -53,
      zeroCount: 0,
      zeroThreshold: 0,
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveBuckets: Float64Array.of(1, 2, 3),
      negativeSpans: [],
      negativeBuckets: new Float64Array(0),
      customBounds: Float64Array.of(0.5, 10),
    };
    const values = new Float64Array(1);
    expect(
      JSON.parse(print({ kind: "vector", timestampMs: 0, labels: [up], values, histograms: [custom] })).result[0]
        .histogram[1].buckets,
    ).toEqual([
      [3, "-Inf", "0.5", "1"],
      [0, "0.5", "10", "2"],
      [0, "10", "+Inf", "3"],
    ]);
  });
});

describe("limits", () => {
  const vector: AnswerValue = {
    kind: "vector",
    timestampMs: 0,
    labels: [up, emptyLabels],
    values: Float64Array.of(1, 2),
    histograms: [],
  };
  const matrix: AnswerValue = { kind: "matrix", series: [series(up, [[0, 1]]), series(emptyLabels, [[0, 1]])] };
  for (const [rule, value, limit, kept, truncated] of [
    ["0 is none", vector, 0, 2, false],
    ["a vector is cut to its first samples", vector, 1, 1, true],
    ["a limit that is just reached cuts nothing", vector, 2, 2, false],
    ["a matrix is cut to its first series", matrix, 1, 1, true],
  ] as const) {
    it(rule, () => {
      const result = truncateAnswer(value, limit);
      expect(result.truncated).toBe(truncated);
      expect(JSON.parse(print(result.value)).result).toHaveLength(kept);
    });
  }
});

describe("any columns", () => {
  const odd = fc.constantFrom(NaN, Infinity, -Infinity, -0, 0, 1e21, 1e-7, 1e-6, 999999999999999900000, 5e-324);
  const value = fc.oneof(odd, fc.double(), fc.integer().map(Number));
  const readValue = (text: string) => (text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text));

  it("are valid JSON and read back as the same columns", () => {
    const samples = fc
      .uniqueArray(fc.integer({ min: -1e12, max: 4e12 }), { maxLength: 40 })
      .chain((times) =>
        fc.tuple(
          fc.constant(times.sort((a, b) => a - b)),
          fc.array(value, { minLength: times.length, maxLength: times.length }),
        ),
      );
    const labels = fc.dictionary(fc.string({ minLength: 1 }), fc.string({ unit: "grapheme" })).map(labelsFromRecord);
    fc.assert(
      fc.property(fc.array(fc.tuple(labels, samples), { maxLength: 5 }), (columns) => {
        const matrix = columns.map(([one, [times, values]]) =>
          series(
            one,
            times.map((time, i) => [time, values[i] ?? 0] as const),
          ),
        );
        const parsed = JSON.parse(print({ kind: "matrix", series: matrix }));
        expect(parsed.resultType).toBe("matrix");
        expect(parsed.result).toHaveLength(matrix.length);
        for (const [i, one] of matrix.entries()) {
          const printed: { metric: unknown; values?: [number, string][] } = parsed.result[i];
          expect(printed.metric).toEqual({ ...labelsToRecord(one.labels) });
          const pairs = printed.values ?? [];
          expect(pairs.map(([time]) => Math.round(time * 1000))).toEqual([...one.timestampsMs]);
          expect(pairs.map(([, text]) => readValue(text))).toEqual([...one.values]);
        }
      }),
      { numRuns: 200 },
    );
  });
});
