/** Remote write and remote read against a general protobuf implementation that reads `testdata/remote.proto`. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { crc32c, isStaleHistogram } from "@pleiad/chunks";
import { labelPairs, labelsFromPairs, type Labels } from "@pleiad/model";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { createLabelTable } from "./label-table.ts";
import { decodeChunkedRead, decodeReadResponse, encodeReadRequest } from "./read-messages.ts";
import { createWriteRequestV2Reader } from "./write-request-v2.ts";
import { createWriteRequestReader } from "./write-request.ts";
import { defaultWriteRequestLimits, type WriteRequestReader } from "./written-samples.ts";

const { root } = protobuf.parse(readFileSync(new URL("../testdata/remote.proto", import.meta.url), "utf8"), {
  keepCase: true,
});
const encode = (message: string, plain: object) => {
  const type = root.lookupType(`pleiad.test.${message}`);
  return new Uint8Array(type.encode(type.fromObject(plain)).finish());
};

const text = fc.string({ unit: "grapheme", maxLength: 12 }).map((value) => value || "x");
const labels = fc
  .array(fc.tuple(text, text), { maxLength: 5 })
  .map((pairs) => labelsFromPairs([["__name__", "metric"], ...pairs]));
const timestamp = fc.constantFrom(0, -1, 1, 1_700_000_000_000, 2 ** 40);
const value = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0, -0, 1, Infinity, -Infinity));
const samples = fc.array(fc.record({ value, timestamp, start_timestamp: timestamp }), { maxLength: 5 });
const spanned = fc.array(fc.nat(1000), { minLength: 1, maxLength: 5 });
const histogram = fc.oneof(
  fc
    .record({ counts: spanned, schema: fc.integer({ min: -4, max: 8 }), timestamp, start_timestamp: timestamp })
    .map(({ counts, ...rest }) => ({
      kind: "integer" as const,
      plain: {
        ...rest,
        count_int: 7,
        zero_count_int: 3,
        sum: 1.5,
        zero_threshold: 0.25,
        positive_spans: [{ offset: -3, length: counts.length }],
        positive_deltas: counts.map((count, i) => count - (counts[i - 1] ?? 0)),
        reset_hint: 3,
      },
      counts,
    })),
  fc.record({ counts: spanned, timestamp }).map(({ counts, ...rest }) => ({
    kind: "float" as const,
    plain: {
      ...rest,
      count_float: 7.5,
      zero_count_float: 0.5,
      sum: -1.5,
      schema: -53,
      positive_spans: [{ offset: 0, length: counts.length }],
      positive_counts: counts,
      custom_values: counts.map((_, i) => i),
    },
    counts,
  })),
);
const exemplars = fc.array(fc.record({ labels, value, timestamp }), { maxLength: 2 });
const series = fc.record({
  labels,
  samples,
  histograms: fc.array(histogram, { maxLength: 2 }),
  exemplars,
});
type Series = typeof series extends fc.Arbitrary<infer T> ? T : never;

const plainLabels = (of: Labels) => Array.from(labelPairs(of), ([name, value]) => ({ name, value }));
const plainSeries = (one: Series) => ({
  labels: plainLabels(one.labels),
  samples: one.samples,
  histograms: one.histograms.map(({ plain }) => plain),
  exemplars: one.exemplars.map((exemplar) => ({ ...exemplar, labels: plainLabels(exemplar.labels) })),
});

/** What a reader finds in a request, in the form of `series`. */
function readAll(reader: WriteRequestReader, request: Uint8Array) {
  const found: unknown[] = [];
  reader.reset(request);
  while (reader.nextSeries()) {
    const { sampleCount, timestampsMs, valueWords, startTimestampsMs, histograms, exemplars: some } = reader.samples;
    const values = new Float64Array(valueWords.slice(0, 2 * sampleCount).buffer);
    const read = reader.labels();
    found.push({
      labels: read.ok ? read.value : read.failure,
      samples: Array.from(values, (one, i) => ({
        value: one,
        timestamp: timestampsMs[i],
        start_timestamp: startTimestampsMs[i],
      })),
      histograms: histograms.map(({ histogram: one, kind, timestampMs, startTimestampMs, fault }) => ({
        kind,
        timestampMs,
        startTimestampMs,
        fault,
        counts: [...one.positiveBuckets],
        rest: [one.count, one.zeroCount, one.sum, one.schema, one.zeroThreshold, one.counterReset, ...one.customBounds],
        spans: one.positiveSpans,
      })),
      exemplars: some.map((one) => ({ labels: one.labels, value: one.value, timestamp: one.timestampMs })),
    });
  }
  return { found, failure: reader.failure };
}

const wanted = (one: Series) => ({
  ...one,
  histograms: one.histograms.map(({ kind, plain, counts }) => ({
    kind,
    timestampMs: plain.timestamp,
    startTimestampMs: "start_timestamp" in plain ? plain.start_timestamp : 0,
    fault: undefined,
    counts,
    rest:
      kind === "integer"
        ? [7, 3, 1.5, plain.schema, 0.25, "gauge"]
        : [7.5, 0.5, -1.5, -53, 0, "unknown", ...counts.map((_, i) => i)],
    spans: plain.positive_spans,
  })),
});

/** A request of version 2.0 as a sender writes it. */
function encodeV2(all: readonly Series[], metadata?: { readonly help: string; readonly unit: string }): Uint8Array {
  const numbers = new Map([["", 0]]);
  const ref = (symbol: string) => {
    const number = numbers.get(symbol) ?? numbers.size;
    numbers.set(symbol, number);
    return number;
  };
  const timeseries = all.map((one) => ({
    labels_refs: one.labels.map(ref),
    samples: one.samples,
    histograms: one.histograms.map(({ plain }) => plain),
    exemplars: one.exemplars.map((exemplar) => ({ ...exemplar, labels: [], labels_refs: exemplar.labels.map(ref) })),
    metadata: metadata && { type: 1, help_ref: ref(metadata.help), unit_ref: ref(metadata.unit) },
  }));
  return encode("RequestV2", { symbols: [...numbers.keys()], timeseries });
}

describe("remote write", () => {
  it("1.0 is read as others write it", () => {
    const reader = createWriteRequestReader(defaultWriteRequestLimits, createLabelTable());
    fc.assert(
      fc.property(fc.array(series, { maxLength: 4 }), text, (all, help) => {
        const metadata = [{ type: 4, metric_family_name: "family", help, unit: "bytes" }];
        const { found, failure } = readAll(
          reader,
          encode("WriteRequest", { timeseries: all.map(plainSeries), metadata }),
        );
        expect(failure).toBeUndefined();
        expect(found).toEqual(all.map(wanted));
        expect([...reader.metadata]).toEqual([["family", { type: "gaugehistogram", help, unit: "bytes" }]]);
      }),
      { numRuns: 200 },
    );
  });

  it("2.0 is read as others write it", () => {
    const reader = createWriteRequestV2Reader(defaultWriteRequestLimits);
    fc.assert(
      fc.property(fc.array(series, { maxLength: 4 }), text, (all, help) => {
        const some = all.map((one) => (one.samples.length > 0 ? { ...one, histograms: [] } : one));
        const { found, failure } = readAll(reader, encodeV2(some, { help, unit: "" }));
        expect(failure).toBeUndefined();
        expect(found).toEqual(some.map(wanted));
        const metadata = some.length === 0 ? [] : [["metric", { type: "counter", help, unit: "" }]];
        expect([...reader.metadata]).toEqual(metadata);
      }),
      { numRuns: 200 },
    );
  });

  it("2.0: a series may tell since when all its samples count, as early senders do", () => {
    const reader = createWriteRequestV2Reader(defaultWriteRequestLimits);
    const samplesOf = [
      { value: 1, timestamp: 10 },
      { value: 2, timestamp: 20, start_timestamp: 15 },
    ];
    const timeseries = [{ labels_refs: [1, 2], samples: samplesOf, created_timestamp: 5 }];
    reader.reset(encode("RequestV2", { symbols: ["", "__name__", "m"], timeseries }));
    expect(reader.nextSeries()).toBe(true);
    expect([...reader.samples.startTimestampsMs.subarray(0, 2)]).toEqual([5, 15]);
  });

  it("staleness markers keep their bits, as floats and as histograms", () => {
    const marker = Uint8Array.of(0x09, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0x10, 5);
    const sum = Uint8Array.of(0x19, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0x78, 6);
    const one = Uint8Array.of(0x12, marker.length, ...marker, 0x22, sum.length, ...sum);
    const reader = createWriteRequestReader(defaultWriteRequestLimits, createLabelTable());
    reader.reset(Uint8Array.of(0x0a, one.length, ...one));
    expect(reader.nextSeries()).toBe(true);
    expect([...reader.samples.valueWords.subarray(0, 2)]).toEqual([2, 0x7ff00000]);
    const [histogram] = reader.samples.histograms;
    expect(histogram && isStaleHistogram(histogram.histogram)).toBe(true);
    expect(histogram?.timestampMs).toBe(6);
  });

  it("equal labels have equal keys, and others others", () => {
    const reader = createWriteRequestReader(defaultWriteRequestLimits, createLabelTable());
    const of = (name: string) => ({
      labels: [{ name: "__name__", value: name }],
      samples: [{ value: 1, timestamp: 1 }],
    });
    const request = encode("WriteRequest", { timeseries: [of("a"), of("b"), of("a")] });
    reader.reset(request);
    const keys: string[] = [];
    while (reader.nextSeries()) keys.push([...request.subarray(reader.keyFrom, reader.keyTo)].join(" "));
    expect([keys[0] === keys[2], keys[0] === keys[1], keys[0] === ""]).toEqual([true, false, false]);
  });

  for (const [rule, pairs, expected] of [
    ["are put in order", ["b", "2", "__name__", "m"], { ok: true, value: ["__name__", "m", "b", "2"] }],
    ["without value are left out", ["__name__", "m", "a", ""], { ok: true, value: ["__name__", "m"] }],
    ["may have any name", ["a b.c", "1"], { ok: true, value: ["a b.c", "1"] }],
    ["without name are at fault", ["", "1"], { ok: false, failure: "a label without name" }],
    ["that come twice are at fault", ["a", "1", "a", "1"], { ok: false, failure: "the label a twice" }],
    ["are bounded", ["a", "1", "b", "1", "c", "1", "d", "1"], { ok: false, failure: "more than 3 labels" }],
  ] as const) {
    it(`labels of both versions ${rule}`, () => {
      const limits = { ...defaultWriteRequestLimits, labelsPerSeriesMax: 3 };
      const first = createWriteRequestReader(limits, createLabelTable());
      const flat = pairs.filter((_, i) => i % 2 === 0).map((name, i) => ({ name, value: pairs[2 * i + 1] }));
      first.reset(encode("WriteRequest", { timeseries: [{ labels: flat }] }));
      expect(first.nextSeries() && first.labels()).toEqual(expected);
      const second = createWriteRequestV2Reader(limits);
      const symbols = ["", ...pairs];
      second.reset(encode("RequestV2", { symbols, timeseries: [{ labels_refs: pairs.map((_, i) => i + 1) }] }));
      expect(second.nextSeries() && second.labels()).toEqual(expected);
    });
  }

  for (const [rule, plain, failure] of [
    ["symbol 0 is a text", { symbols: ["a"] }, "symbol 0 is not empty"],
    ["a symbol is not there", { symbols: [""], timeseries: [{ labels_refs: [0, 1] }] }, "symbol 1 is not there"],
    [
      "a name lacks its value",
      { symbols: [""], timeseries: [{ labels_refs: [0] }] },
      "an odd number of references to labels",
    ],
    [
      "a series has samples and histograms",
      { symbols: [""], timeseries: [{ samples: [{ value: 1 }], histograms: [{ sum: 1 }] }] },
      "a series of samples and histograms",
    ],
  ] as const) {
    it(`2.0: a request fails where ${rule}`, () => {
      const { failure: found } = readAll(
        createWriteRequestV2Reader(defaultWriteRequestLimits),
        encode("RequestV2", plain),
      );
      expect(found).toMatchObject({ kind: "malformed", reason: failure });
    });
  }

  for (const [of, limits] of [
    ["series", { seriesMax: 1 }],
    ["samples", { samplesMax: 1 }],
    ["symbols", { symbolsMax: 1 }],
  ] as const) {
    it(`is bounded by its number of ${of}`, () => {
      const bounded = { ...defaultWriteRequestLimits, ...limits };
      const timeseries = [{ samples: [{ value: 1 }] }, { samples: [{ value: 1 }] }];
      const failure = { kind: "limit", of, max: 1 };
      const second = encode("RequestV2", { symbols: ["", "a"], timeseries });
      expect(readAll(createWriteRequestV2Reader(bounded), second).failure).toEqual(failure);
      if (of === "symbols") return;
      const first = encode("WriteRequest", { timeseries });
      expect(readAll(createWriteRequestReader(bounded, createLabelTable()), first).failure).toEqual(failure);
    });
  }

  it("of any bytes never throws", () => {
    const good = fc
      .array(series, { maxLength: 2 })
      .chain((all) =>
        fc.tuple(
          fc.constantFrom(encode("WriteRequest", { timeseries: all.map(plainSeries) }), encodeV2(all)),
          fc.nat(4000),
          fc.nat(255),
        ),
      );
    const damaged = good.map(([bytes, at, byte]) => {
      const changed = bytes.slice();
      if (changed.length > 0) changed[at % changed.length] = byte;
      return changed;
    });
    const readers = [
      createWriteRequestReader(defaultWriteRequestLimits, createLabelTable()),
      createWriteRequestV2Reader(defaultWriteRequestLimits),
    ];
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        for (const reader of readers) expect(() => readAll(reader, bytes)).not.toThrow();
      }),
      { numRuns: 1000 },
    );
  });
});

describe("remote read", () => {
  it("asks as others read it", () => {
    const type = root.lookupType("pleiad.test.ReadRequest");
    const matchers = [{ type: "=~", name: "a", value: "b.*" }] as const;
    const bytes = encodeReadRequest({ minTimeMs: -5, maxTimeMs: 1_700_000_000_000, matchers }, ["chunks", "samples"]);
    expect(type.toObject(type.decode(bytes), { longs: Number })).toEqual({
      queries: [
        {
          start_timestamp_ms: -5,
          end_timestamp_ms: 1_700_000_000_000,
          matchers: [{ type: 2, name: "a", value: "b.*" }],
        },
      ],
      accepted_response_types: [1, 0],
    });
  });

  it("an answer of samples reads as a request of remote write", () => {
    const reader = createWriteRequestReader(defaultWriteRequestLimits, createLabelTable());
    fc.assert(
      fc.property(fc.array(series, { maxLength: 4 }), (all) => {
        const results = decodeReadResponse(encode("ReadResponse", { results: [{ timeseries: all.map(plainSeries) }] }));
        expect(results.ok && results.value.length).toBe(1);
        const [result = new Uint8Array(0)] = results.ok ? results.value : [];
        expect(readAll(reader, result).found).toEqual(all.map(wanted));
      }),
      { numRuns: 50 },
    );
  });

  const chunk = fc.record({
    minTimeMs: timestamp,
    maxTimeMs: timestamp,
    encoding: fc.constantFrom<number>(1, 2, 3, 4, 5, 6),
    data: fc.uint8Array({ maxLength: 200 }),
  });
  const chunked = fc.array(fc.record({ labels, chunks: fc.array(chunk, { maxLength: 3 }) }), { maxLength: 4 });
  type Chunked = typeof chunked extends fc.Arbitrary<infer T> ? T : never;

  const frame = (message: Uint8Array) => {
    const length: number[] = [];
    for (let rest = message.length; ; rest >>>= 7) {
      length.push(rest >= 0x80 ? (rest & 0x7f) | 0x80 : rest);
      if (rest < 0x80) break;
    }
    const checksum = new Uint8Array(4);
    new DataView(checksum.buffer).setUint32(0, crc32c(message));
    return [...length, ...checksum, ...message];
  };
  const answerOf = (all: Chunked) =>
    Uint8Array.from(
      all.flatMap((one) => {
        const chunks = one.chunks.map(({ minTimeMs, maxTimeMs, encoding, data }) => ({
          min_time_ms: minTimeMs,
          max_time_ms: maxTimeMs,
          type: encoding,
          data,
        }));
        return frame(encode("ChunkedReadResponse", { chunked_series: [{ labels: plainLabels(one.labels), chunks }] }));
      }),
    );

  it("an answer of chunks is read as others write it", () => {
    fc.assert(
      fc.property(chunked, (all) => {
        expect(decodeChunkedRead(answerOf(all), createLabelTable())).toEqual({
          ok: true,
          value: all.map((one) => ({
            labels: one.labels,
            chunks: one.chunks.map(({ minTimeMs, maxTimeMs, ...encoded }) => ({
              minTimeMs,
              maxTimeMs,
              content: { kind: "raw", ...encoded },
            })),
          })),
        });
      }),
      { numRuns: 150 },
    );
  });

  it("an answer of chunks that is cut or changed anywhere is no answer", () => {
    const one = {
      labels: labelsFromPairs([["a", "b"]]),
      chunks: [{ minTimeMs: 1, maxTimeMs: 2, encoding: 1, data: Uint8Array.of(1, 2) }],
    };
    const answer = answerOf([one, one]);
    const half = answer.length / 2;
    for (let at = 1; at < answer.length; at++) {
      if (at !== half)
        expect(decodeChunkedRead(answer.slice(0, at), createLabelTable()).ok, `cut at ${at}`).toBe(false);
      const changed = answer.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(decodeChunkedRead(changed, createLabelTable()).ok, `changed at ${at}`).toBe(false);
    }
  });

  it("a chunk of a type that is not known fails: it must not be missing without a word", () => {
    const answer = answerOf([
      {
        labels: labelsFromPairs([["a", "b"]]),
        chunks: [{ minTimeMs: 1, maxTimeMs: 2, encoding: 9, data: Uint8Array.of(1) }],
      },
    ]);
    expect(decodeChunkedRead(answer, createLabelTable())).toMatchObject({
      ok: false,
      failure: { reason: "chunk of an unknown type" },
    });
  });
});
