import {
  ByteReader,
  ByteWriter,
  createHistogramColumns,
  decodeHistogramChunk,
  isStaleHistogram,
  staleHistogram,
} from "@pleiad/chunks";
import { collectSeries, histogramsEqual, plainSelect, type FloatHistogram } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { appendAll, named, openTestHead } from "./head.fixtures.ts";
import type { Head } from "./head.ts";
import { histogramFault, readHistogram, writeHistogram, type HistogramKind } from "./histogram-record.ts";
import type { SeriesRef } from "./memory-series.ts";

const startMs = 1_699_992_000_000;
const empty = new Float64Array(0);
const plain: FloatHistogram = {
  schema: 1,
  zeroThreshold: 0.001,
  zeroCount: 1,
  count: 6,
  sum: 7.5,
  positiveSpans: [
    { offset: -2, length: 1 },
    { offset: 3, length: 2 },
  ],
  positiveBuckets: Float64Array.of(1, 2, 1),
  negativeSpans: [{ offset: 0, length: 1 }],
  negativeBuckets: Float64Array.of(1),
  customBounds: empty,
  counterReset: "unknown",
};
const custom: FloatHistogram = {
  ...plain,
  schema: -53,
  zeroThreshold: 0,
  zeroCount: 0,
  negativeSpans: [],
  negativeBuckets: empty,
  customBounds: Float64Array.of(0.5, 1, 10),
};
const times = (factor: number): FloatHistogram => ({
  ...plain,
  zeroCount: plain.zeroCount * factor,
  count: plain.count * factor,
  positiveBuckets: plain.positiveBuckets.map((count) => count * factor),
  negativeBuckets: plain.negativeBuckets.map((count) => count * factor),
});

const latency = named("latency_seconds");

async function append(head: Head, timestampMs: number, histogram: FloatHistogram, kind: HistogramKind) {
  const appender = head.appender();
  const outcome = appender.appendHistogram(appender.series(latency) as SeriesRef, timestampMs, histogram, kind);
  expect((await appender.commit()).ok).toBe(true);
  return outcome;
}

/** `encoding: time count, …` of every chunk; a staleness marker as such. */
async function chunksOf(head: Head): Promise<string[]> {
  const { series } = await collectSeries(head.select(plainSelect, new AbortController().signal));
  return series.flatMap(({ chunks }) =>
    chunks.map(({ content }) => {
      if (content.kind !== "raw") throw new Error("a head has raw samples only");
      const columns = createHistogramColumns();
      if (decodeHistogramChunk(content.encoding, content.data, columns) !== undefined) return `${content.encoding}`;
      const texts = Array.from({ length: columns.count }, (_, i) => {
        const histogram = columns.histograms[i] ?? plain;
        const text = isStaleHistogram(histogram) ? "stale" : String(histogram.count);
        return `${(columns.timestampsMs[i] ?? 0) - startMs} ${text}`;
      });
      return `${content.encoding}: ${texts.join(", ")}`;
    }),
  );
}

describe("native histograms in a head", () => {
  it("are kept as they came, over log, checkpoint and restart", async () => {
    const ports = testPorts({ startMs: startMs + 1e6 });
    const options = { checkpointBytesMin: 1 };
    let head = await openTestHead(ports, options);
    for (const kind of ["integer", "float"] as const) {
      const fromMs = startMs + (kind === "float" ? 100 : 0);
      for (let i = 1; i <= 3; i++) expect(await append(head, fromMs + i, times(i), kind)).toBe("appended");
    }
    const wanted = ["2: 1 6, 2 12, 3 18", "3: 101 6, 102 12, 103 18"];
    expect(await chunksOf(head)).toEqual(wanted);
    expect((await head.maintain(startMs)).ok).toBe(true);
    for (let round = 0; round < 2; round++) {
      head = await openTestHead(ports, options);
      expect(await chunksOf(head)).toEqual(wanted);
      expect(head.statistics()).toMatchObject({ unreadRecords: 0, skippedSamples: 0, damagedRecords: 0 });
    }
  });

  it("begin a chunk where counts fall, the layout differs, floats come between, or the chunk is large enough", async () => {
    const head = await openTestHead(testPorts({ startMs: startMs + 1e6 }));
    await append(head, startMs + 1, times(5), "integer");
    await append(head, startMs + 2, times(1), "integer");
    await append(head, startMs + 3, { ...times(2), schema: 3 }, "integer");
    await appendAll(head, [[latency, startMs + 4, 1]]);
    await append(head, startMs + 5, times(3), "integer");
    await append(head, startMs + 6, custom, "integer");
    expect(await chunksOf(head)).toEqual(["2: 1 30", "2: 2 6", "2: 3 12", "1", "2: 5 18", "2: 6 6"]);
    const wide = await openTestHead(testPorts({ startMs: startMs + 1e6 }));
    for (let i = 1; i <= 400; i++) await append(wide, startMs + i, { ...times(i * i), sum: Math.sin(i) }, "integer");
    const counts = (await chunksOf(wide)).map((chunk) => chunk.split(",").length);
    expect(counts.length).toBeGreaterThan(2);
    expect(Math.min(...counts.slice(0, -1))).toBeGreaterThan(10);
    expect(wide.statistics().chunks).toBe(counts.length);
  });

  it("end with a staleness marker of their own kind", async () => {
    const ports = testPorts({ startMs: startMs + 1e6 });
    const head = await openTestHead(ports);
    await append(head, startMs + 1, times(1), "integer");
    const appender = head.appender();
    expect(appender.appendStale(appender.series(latency) as SeriesRef, startMs + 2)).toBe("appended");
    expect((await appender.commit()).ok).toBe(true);
    expect(await chunksOf(head)).toEqual(["2: 1 6, 2 stale"]);
    expect(await chunksOf(await openTestHead(ports))).toEqual(["2: 1 6, 2 stale"]);
  });

  it("ascend in time as floats do", async () => {
    const head = await openTestHead(testPorts({ startMs: startMs + 1e6 }), { outOfOrderWindowMs: 1000 });
    expect(await append(head, startMs + 10, times(1), "integer")).toBe("appended");
    expect(await append(head, startMs + 10, times(1), "integer")).toBe("appended");
    expect(await append(head, startMs + 10, times(2), "integer")).toBe("duplicate");
    expect(await append(head, startMs + 9, times(1), "integer")).toBe("out-of-order");
    expect(await append(head, startMs + 1e9, times(1), "integer")).toBe("out-of-bounds");
    const appender = head.appender();
    expect(appender.append(appender.series(latency) as SeriesRef, startMs + 10, 6)).toBe("duplicate");
  });
});

describe("a histogram is refused", () => {
  it.each([
    ["of an unknown schema", { schema: 9 }, "there is no histogram schema 9"],
    [
      "whose spans do not fit its buckets",
      { positiveBuckets: Float64Array.of(1) },
      "spans of 3 buckets, and 1 of them",
    ],
    [
      "whose spans overlap",
      {
        negativeSpans: [
          { offset: 0, length: 0 },
          { offset: -1, length: 1 },
        ],
      },
      "span 1 has the offset -1",
    ],
    ["with a negative count", { zeroCount: -1 }, "a count that is no whole number"],
    ["with half a count", { count: 1.5 }, "a count that is no whole number"],
    [
      "with bounds that are none of its schema's",
      { customBounds: Float64Array.of(1) },
      "custom bounds, and the schema 1",
    ],
    [
      "whose bounds do not ascend",
      { schema: -53, customBounds: Float64Array.of(1, 1) },
      "custom bounds that do not ascend",
    ],
  ] as const)("%s", async (_rule, changes, reason) => {
    const wrong = { ...plain, ...changes };
    expect(histogramFault(wrong, "integer")).toBe(reason);
    const head = await openTestHead();
    expect(await append(head, startMs, wrong, "integer")).toBe("invalid");
  });
});

describe("histograms in records", () => {
  const written = (histogram: FloatHistogram, kind: HistogramKind) => {
    const out = new ByteWriter();
    writeHistogram(out, histogram, kind);
    return out.view().slice();
  };
  it.each([
    ["integer", plain],
    ["float", { ...times(1.5), counterReset: "gauge" }],
    ["integer", custom],
    ["float", { ...custom, sum: NaN }],
  ] as const)("come back as they were written: %s", (kind, histogram) => {
    const bytes = written(histogram, kind);
    const read = readHistogram(new ByteReader(bytes, 0, bytes.length), kind);
    expect(read !== undefined && histogramsEqual(read, histogram)).toBe(true);
    expect(read?.counterReset).toBe(histogram.counterReset);
    for (let end = 0; end < bytes.length; end++) {
      expect(readHistogram(new ByteReader(bytes, 0, end), kind)).toBeUndefined();
    }
  });

  it("keep a staleness marker", () => {
    const bytes = written(staleHistogram, "integer");
    expect(readHistogram(new ByteReader(bytes, 0, bytes.length), "integer")).toBe(staleHistogram);
  });

  it("make sense or give nothing, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom("integer", "float"), (bytes, kind) => {
        const read = readHistogram(new ByteReader(bytes, 0, bytes.length), kind);
        expect(read === undefined || histogramFault(read, kind) === undefined).toBe(true);
      }),
    );
  });
});
