import {
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  encodeFloatHistograms,
  encodeIntegerHistograms,
  encodeXor2,
} from "@pleiad/chunks";
import { collectSeries, labelsFromRecord, plainSelect, setStale, type FloatHistogram } from "@pleiad/model";
import { memoryFiles } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { openTestBlock, startMs, writeChunked, xorChunks } from "./block.fixtures.ts";
import type { BlockChunk } from "./block-writer.ts";
import { withoutDeleted } from "./deleted-samples.ts";

const times = Float64Array.from({ length: 10 }, (_, i) => startMs + i * 1000);
const histograms = Array.from({ length: 10 }, (_, i): FloatHistogram => ({
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: i,
  count: 3 * i,
  sum: i / 2,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveBuckets: Float64Array.of(i, i),
  negativeSpans: [],
  negativeBuckets: new Float64Array(0),
  customBounds: new Float64Array(0),
  counterReset: "unknown",
}));
const middle = [{ minTimeMs: startMs + 3000, maxTimeMs: startMs + 6500 }];
const timesLeft = [0, 1, 2, 7, 8, 9].map((i) => startMs + i * 1000);

const histogramTimes = (chunks: readonly BlockChunk[]) =>
  chunks.flatMap(({ encoding, data, minTimeMs, maxTimeMs, sampleCount }) => {
    const columns = createHistogramColumns(10);
    if (encoding === 255) throw new Error("no aggregates here");
    expect(decodeHistogramChunk(encoding, data, columns)).toBeUndefined();
    const found = [...columns.timestampsMs.subarray(0, columns.count)];
    expect([found[0], found.at(-1), found.length]).toEqual([minTimeMs, maxTimeMs, sampleCount]);
    // Their content names their place.
    expect(columns.histograms.slice(0, columns.count).map(({ sum }) => sum * 2)).toEqual(
      found.map((t) => (t - startMs) / 1000),
    );
    return found;
  });

describe("deleted samples", () => {
  for (const [rule, encoding, encode] of [
    ["whole counts", 2, encodeIntegerHistograms],
    ["float counts", 3, encodeFloatHistograms],
  ] as const) {
    it(`leave the histograms around them, of ${rule}, in their encoding`, () => {
      const [chunk] = encode(times, histograms);
      if (chunk === undefined) throw new Error("no chunk");
      const left = withoutDeleted({ ...chunk, encoding }, middle);
      if (!left.ok) throw new Error(left.failure);
      expect(left.value.every((one) => one.encoding === encoding)).toBe(true);
      expect(histogramTimes(left.value)).toEqual(timesLeft);
    });
  }

  it("leave start timestamps and the bits of markers of XOR2 chunks", () => {
    const samples = createSampleColumns(10, { startTimestamps: true });
    for (let i = 0; i < 10; i++) {
      samples.timestampsMs[i] = times[i] ?? 0;
      samples.values[i] = i;
      if (samples.startTimestampsMs !== undefined) samples.startTimestampsMs[i] = startMs - 5000;
    }
    samples.count = 10;
    setStale(samples.values, 9);
    const data = encodeXor2(samples, 0, 10);
    const chunk = { minTimeMs: startMs, maxTimeMs: startMs + 9000, sampleCount: 10, encoding: 4, data } as const;
    const left = withoutDeleted(chunk, middle);
    if (!left.ok) throw new Error(left.failure);
    const [one] = left.value;
    if (one === undefined || one.encoding !== 4) throw new Error("one XOR2 chunk was expected");
    const found = createSampleColumns(10, { startTimestamps: true });
    expect(decodeChunk(4, one.data, found)).toBeUndefined();
    expect([...found.timestampsMs.subarray(0, found.count)]).toEqual(timesLeft);
    expect([...(found.startTimestampsMs ?? []).slice(0, 6)]).toEqual(timesLeft.map(() => startMs - 5000));
    expect([...found.valueWords.subarray(10, 12)]).toEqual([2, 0x7ff00000]);
  });

  it("that are all of a chunk leave nothing, and that are none of it leave it as it is", () => {
    const [chunk] = xorChunks([[startMs, 1]]);
    if (chunk === undefined) throw new Error("no chunk");
    expect(withoutDeleted(chunk, [{ minTimeMs: 0, maxTimeMs: startMs }])).toEqual({ ok: true, value: [] });
    const left = withoutDeleted(chunk, [{ minTimeMs: startMs + 1, maxTimeMs: startMs + 2 }]);
    expect(left.ok && left.value[0]).toBe(chunk);
  });

  it("of aggregates and of broken chunks are refused with a reason", () => {
    for (const encoding of [1, 2, 4, 255] as const) {
      const data = Uint8Array.of(0, 5, 0);
      const chunk = { minTimeMs: startMs, maxTimeMs: startMs + 9000, sampleCount: 5, encoding, data };
      const left = withoutDeleted(chunk, middle);
      expect(left.ok ? "no reason" : left.failure).toMatch(/chunk/);
    }
  });
});

it("chunks of histograms go through a block as they are, and count as histograms", async () => {
  const files = memoryFiles();
  const [chunk] = encodeFloatHistograms(times, histograms);
  if (chunk === undefined) throw new Error("no chunk");
  const labels = labelsFromRecord({ __name__: "h" });
  const meta = await writeChunked(files, [{ labels, chunks: [{ ...chunk, encoding: 3 }] }]);
  expect(meta.stats).toMatchObject({ numSamples: 10, numFloatSamples: 0, numHistogramSamples: 10 });
  const block = await openTestBlock(files);
  const { series } = await collectSeries(block.select(plainSelect, new AbortController().signal));
  expect(series[0]?.chunks[0]?.content).toEqual({ kind: "raw", encoding: 3, data: chunk.data });
});
