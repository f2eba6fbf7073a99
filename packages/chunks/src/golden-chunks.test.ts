/** The encodings against bytes that Prometheus's own encoders gave for the same samples. */
import { readFileSync } from "node:fs";
import { setStale, type ChunkEncoding, type FloatHistogram } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { decodeChunk, decodeHistogramChunk } from "./chunk.ts";
import { encodeFloatHistograms, encodeIntegerHistograms } from "./histogram-appender.ts";
import { createHistogramColumns, staleHistogram } from "./histogram-columns.ts";
import { createSampleColumns, reserveSamples, type SampleColumns } from "./sample-columns.ts";
import { encodeXor2 } from "./xor2-encoder.ts";

const golden = readFileSync(new URL("../testdata/golden-chunks.txt", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [, encoding = "", name = "", chunks = ""] = /^(\d) "([^"]*)" (.*)$/.exec(line) ?? [];
    return { encoding: Number(encoding), name, chunks: chunks.split(" ") };
  });

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));

const t0 = 1_700_000_000_000;
const histogramTimeMs = (i: number) => t0 + 15_000 * i + (i % 3);

const noBounds = new Float64Array(0);

/** A histogram by its absolute counts. */
const base = (n: number): FloatHistogram => ({
  schema: 1,
  zeroThreshold: 2 ** -128,
  zeroCount: 2 + n,
  count: 12 + 2 * n,
  sum: 18.4 + n,
  positiveSpans: [
    { offset: 0, length: 2 },
    { offset: 1, length: 2 },
  ],
  positiveBuckets: Float64Array.of(1 + n, 2, 3, 0),
  negativeSpans: [{ offset: -2, length: 2 }],
  negativeBuckets: Float64Array.of(3, 1),
  customBounds: noBounds,
  counterReset: "unknown",
});
const wider: FloatHistogram = {
  ...base(0),
  zeroCount: 9,
  count: 40,
  sum: -3,
  positiveSpans: [{ offset: -1, length: 7 }],
  positiveBuckets: Float64Array.of(1, 8, 7, 0, 5, 0, 4),
  negativeSpans: [
    { offset: -2, length: 2 },
    { offset: 3, length: 1 },
  ],
  negativeBuckets: Float64Array.of(4, 2, 11),
};
const other: FloatHistogram = {
  ...base(0),
  count: 16,
  sum: 19,
  positiveSpans: [
    { offset: 0, length: 2 },
    { offset: 1, length: 1 },
    { offset: 1, length: 1 },
  ],
  positiveBuckets: Float64Array.of(1, 2, 3, 2),
};
const lacking: FloatHistogram = {
  ...other,
  positiveSpans: [
    { offset: 0, length: 2 },
    { offset: 1, length: 1 },
  ],
  positiveBuckets: Float64Array.of(1, 2, 3),
};
const custom: FloatHistogram = {
  ...base(0),
  schema: -53,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 10,
  sum: 4,
  positiveSpans: [
    { offset: 0, length: 2 },
    { offset: 2, length: 1 },
  ],
  positiveBuckets: Float64Array.of(1, 2, 7),
  negativeSpans: [],
  negativeBuckets: noBounds,
  customBounds: Float64Array.of(0, 0.005, 33_554.43, 1e9, Math.PI),
};
const gauge = (histogram: FloatHistogram): FloatHistogram => ({ ...histogram, counterReset: "gauge" });

const histories: Readonly<Record<string, readonly FloatHistogram[]>> = {
  steady: [base(0), base(0), base(0), base(0)],
  growing: [base(0), base(1), base(3), base(200), base(70_000)],
  "new buckets": [base(0), base(1), wider, wider],
  "both lack": [base(0), other, other],
  "sample lacks empty": [base(0), lacking],
  reset: [base(3), base(1)],
  stale: [base(0), base(1), staleHistogram, staleHistogram, base(2)],
  "stale first": [staleHistogram, base(0)],
  custom: [custom, custom],
  threshold: [base(0), { ...base(0), zeroThreshold: 0.3 }],
  gauges: [gauge(base(3)), gauge(other), gauge(wider), gauge(base(1))],
  said: [base(0), { ...base(4), counterReset: "reset" }],
  starts: [base(0), base(1), wider, wider],
};
const historyStartsMs = [t0 - 5, t0 - 5, t0 + 15_000, t0 + 30_000];

/** The float histograms have parts of a count, too. Custom bounds leave no room for a zero bucket. */
const fractional = (histogram: FloatHistogram): FloatHistogram =>
  histogram === staleHistogram
    ? staleHistogram
    : { ...histogram, sum: histogram.sum / 3, zeroCount: histogram.schema === -53 ? 0 : histogram.zeroCount + 0.25 };

/** [time, value, start]; the staleness marker is undefined. */
type Sample = readonly [timestampMs: number, value: number | undefined, startMs: number];

const series: Readonly<Record<string, readonly Sample[]>> = {
  plain: [
    [t0, 1, 0],
    [t0 + 15_000, 1, 0],
    [t0 + 30_000, 1, 0],
    [t0 + 45_001, 2.5, 0],
    [t0 + 60_000, Math.PI, 0],
    [t0 + 75_000, undefined, 0],
    [t0 + 90_000, 2.5, 0],
    [t0 + 5_000_000, 7, 0],
  ],
  starts: [
    [t0, 1, t0 - 10],
    [t0 + 15_000, 4, t0 - 10],
    [t0 + 30_000, 1, t0 + 15_000],
    [t0 + 45_000, 2, t0 + 30_000],
    [t0 + 60_000, 2, 0],
    [t0 + 75_000, 2, 0],
  ],
  late: Array.from({ length: 140 }, (_, i) => [t0 + 1000 * i, i % 5, i < 135 ? t0 : t0 + 135_000] as const),
};

function columnsOf(samples: readonly Sample[]): SampleColumns {
  const columns = createSampleColumns(0, { startTimestamps: true });
  reserveSamples(columns, samples.length);
  samples.forEach(([timestampMs, value, startMs], i) => {
    columns.timestampsMs[i] = timestampMs;
    if (value === undefined) setStale(columns.values, i);
    else columns.values[i] = value;
    columns.startTimestampsMs?.fill(startMs, i);
  });
  columns.count = samples.length;
  return columns;
}

describe("chunks as Prometheus writes them", () => {
  for (const { encoding, name, chunks } of golden) {
    if (encoding === 4) {
      it(`XOR2: ${name}`, () => {
        const samples = columnsOf(series[name] ?? []);
        expect([hex(encodeXor2(samples, 0, samples.count))]).toEqual(chunks);
        const read = createSampleColumns(0, { startTimestamps: true });
        for (const chunk of chunks) expect(decodeChunk(4, unhex(chunk), read)).toBeUndefined();
        expect(read).toEqual(samples);
      });
      continue;
    }
    const isFloat = encoding === 3 || encoding === 6;
    it(`${isFloat ? "float" : "integer"} histograms, encoding ${encoding}: ${name}`, () => {
      const history = histories[name] ?? [];
      const wanted = isFloat ? history.map(fractional) : history;
      const timestampsMs = Float64Array.from(wanted, (_, i) => histogramTimeMs(i));
      if (encoding <= 3) {
        const encode = isFloat ? encodeFloatHistograms : encodeIntegerHistograms;
        expect(encode(timestampsMs, wanted).map(({ data }) => hex(data))).toEqual(chunks);
      }
      if (encoding === 6) {
        const written = encodeFloatHistograms(timestampsMs, wanted, Float64Array.from(historyStartsMs));
        expect(written.map(({ data }) => hex(data))).toEqual(chunks);
      }
      const read = createHistogramColumns(0, { startTimestamps: true });
      for (const chunk of chunks) {
        expect(decodeHistogramChunk(encoding as ChunkEncoding, unhex(chunk), read)).toBeUndefined();
      }
      expect(read.timestampsMs.slice(0, read.count)).toEqual(timestampsMs);
      expect(read.histograms.map(({ count, sum, zeroCount }) => [count, sum, zeroCount])).toEqual(
        wanted.map(({ count, sum, zeroCount }) => [count, sum, zeroCount]),
      );
      if (encoding > 3) expect([...(read.startTimestampsMs?.slice(0, read.count) ?? [])]).toEqual(historyStartsMs);
    });
  }
});
