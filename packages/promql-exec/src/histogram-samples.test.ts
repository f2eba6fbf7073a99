import {
  createHistogramColumns,
  decodeHistogramChunk,
  encodeFloatHistograms,
  encodeIntegerHistograms,
  staleHistogram,
  type HistogramColumns,
} from "@pleiad/chunks";
import type { FloatHistogram } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { dropStaleHistograms, keepStatistics, mergeHistograms } from "./histogram-samples.ts";

const none = new Float64Array(0);

/** A histogram with one bucket. */
function counted(count: number, counterReset: FloatHistogram["counterReset"] = "unknown"): FloatHistogram {
  return {
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count,
    sum: 2 * count,
    positiveSpans: [{ offset: 1, length: 1 }],
    positiveBuckets: Float64Array.of(count),
    negativeSpans: [],
    negativeBuckets: none,
    customBounds: none,
    counterReset,
  };
}

type Sample = readonly [timestampMs: number, histogram: FloatHistogram];

function columnsOf(samples: readonly Sample[]): HistogramColumns {
  const columns = createHistogramColumns();
  columns.timestampsMs = Float64Array.from(samples, ([timestampMs]) => timestampMs);
  columns.histograms = samples.map(([, histogram]) => histogram);
  columns.count = samples.length;
  return columns;
}

/** `time:count hint`, sample by sample. */
const textOf = ({ timestampsMs, histograms, count }: HistogramColumns) =>
  histograms
    .slice(0, count)
    .map((histogram, i) => `${timestampsMs[i]}:${histogram.count} ${histogram.counterReset}`)
    .join(", ");

describe("merging", () => {
  for (const [rule, first, added, merged] of [
    [
      "chunks one after the other keep their hints",
      [
        [1, counted(1)],
        [2, counted(2, "not-reset")],
      ],
      [
        [3, counted(3)],
        [4, counted(4, "not-reset")],
      ],
      "1:1 unknown, 2:2 not-reset, 3:3 unknown, 4:4 not-reset",
    ],
    [
      "replicas give each time once, the first to come",
      [
        [1, counted(1)],
        [2, counted(2, "not-reset")],
      ],
      [
        [1, counted(9)],
        [2, counted(9, "not-reset")],
      ],
      "1:1 unknown, 2:2 unknown",
    ],
    [
      "samples between others make hints of resets void, but gauges stay gauges",
      [
        [1, counted(1)],
        [3, counted(3, "not-reset")],
        [5, counted(5, "gauge")],
      ],
      [
        [2, counted(2)],
        [4, counted(4, "reset")],
      ],
      "1:1 unknown, 2:2 unknown, 3:3 unknown, 4:4 unknown, 5:5 gauge",
    ],
    ["nothing before", [], [[1, counted(1, "not-reset")]], "1:1 not-reset"],
  ] as const) {
    it(rule, () => {
      const columns = columnsOf(first);
      mergeHistograms(columns, columnsOf(added));
      expect(textOf(columns)).toBe(merged);
    });
  }
});

describe("staleness markers", () => {
  it("are dropped, wherever they are", () => {
    const columns = columnsOf([
      [1, staleHistogram],
      [2, counted(2)],
      [3, staleHistogram],
      [4, counted(4)],
      [5, staleHistogram],
    ]);
    dropStaleHistograms(columns);
    expect(textOf(columns)).toBe("2:2 unknown, 4:4 unknown");
  });
});

describe("statistics", () => {
  const samples = [
    [1, counted(5)],
    [2, counted(6)],
    [3, counted(2)],
    [4, counted(3, "gauge")],
  ] as const;

  it("settle hints that were left open, and have no buckets", () => {
    const columns = columnsOf(samples);
    keepStatistics(columns, 0);
    expect(textOf(columns)).toBe("1:5 unknown, 2:6 not-reset, 3:2 reset, 4:3 gauge");
    expect(columns.histograms.every(({ positiveBuckets }) => positiveBuckets.length === 0)).toBe(true);
  });

  it("compare with nothing before the first time that is asked for", () => {
    const columns = columnsOf(samples);
    keepStatistics(columns, 2);
    expect(textOf(columns)).toBe("1:5 unknown, 2:6 unknown, 3:2 reset, 4:3 gauge");
  });
});

describe("chunks", () => {
  it("of whole and of float counts read alike", () => {
    const times = Float64Array.of(1000, 2000, 3000);
    const histograms = [counted(1), counted(2), counted(5)];
    const [whole] = encodeIntegerHistograms(times, histograms);
    const [float] = encodeFloatHistograms(times, histograms);
    const read = ([encoding, chunk]: readonly [2 | 3, typeof whole]) => {
      const columns = createHistogramColumns();
      expect(decodeHistogramChunk(encoding, chunk.data, columns)).toBeUndefined();
      return textOf(columns);
    };
    expect(read([2, whole])).toBe("1000:1 unknown, 2000:2 not-reset, 3000:5 not-reset");
    expect(read([3, float])).toBe(read([2, whole]));
  });
});
