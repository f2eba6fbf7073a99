/** Messages of the Query API against a general protobuf implementation, both directions, and on bytes that are no message. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { labelPairs, labelsFromPairs, type FloatHistogram } from "@pleiad/model";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import {
  decodeQueryRangeRequest,
  decodeQueryRequest,
  decodeQueryResponse,
  encodeQueryBatch,
  encodeQueryRangeRequest,
  encodeQueryRequest,
  encodeQuerySeries,
  encodeQueryStats,
  encodeQueryWarning,
  queryEngines,
  type QueryRangeRequestMessage,
  type QueryRequestMessage,
} from "./query-messages.ts";
import type { TimeSeriesMessage } from "./time-series.ts";

const { root } = protobuf.parse(readFileSync(new URL("../testdata/store-api.proto", import.meta.url), "utf8"), {
  keepCase: true,
});
const typeOf = (name: string) => root.lookupType(`pleiad.test.${name}`);
const asObject = { longs: Number, bytes: Array, defaults: true, arrays: true };

const text = fc.oneof(fc.string({ unit: "binary", maxLength: 12 }), fc.string({ unit: "grapheme", maxLength: 90 }));
const filled = text.map((value) => value || "x");
const whole = fc.oneof(
  fc.constantFrom(0, 1, -1, 127, 128, 2 ** 28, 2 ** 35, 1_700_000_000_000, 8.64e15, -8.64e15),
  fc.integer(),
);
const matcher = fc.record({
  type: fc.constantFrom("=" as const, "!=" as const, "=~" as const),
  name: text,
  value: text,
});
const number = fc.oneof(fc.double(), fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308));

const settings = {
  query: text,
  timeoutSeconds: whole,
  maxResolutionSeconds: whole,
  replicaLabels: fc.array(text, { maxLength: 3 }),
  storeMatchers: fc.array(fc.array(matcher, { maxLength: 3 }), { maxLength: 3 }),
  enableDedup: fc.boolean(),
  enablePartialResponse: fc.boolean(),
  skipChunks: fc.boolean(),
  lookbackSeconds: whole,
  engine: fc.constantFrom(...queryEngines),
  responseBatchSize: whole,
  exact: fc.option(
    fc.record({
      startMs: whole,
      endMs: whole,
      stepMs: number,
      lookbackMs: whole,
      evaluationIntervalMs: whole,
      maxResolutionMs: whole,
      timeoutMs: whole,
      features: fc.array(text, { maxLength: 3 }),
    }),
    { nil: undefined },
  ),
};

const plainSettings = (message: QueryRequestMessage | QueryRangeRequestMessage) => ({
  query: message.query,
  timeout_seconds: message.timeoutSeconds,
  max_resolution_seconds: message.maxResolutionSeconds,
  replica_labels: message.replicaLabels,
  store_matchers: message.storeMatchers.map((matchers) => ({
    label_matchers: matchers.map(({ type, name, value }) => ({ type: ["=", "!=", "=~"].indexOf(type), name, value })),
  })),
  enable_dedup: message.enableDedup,
  enable_partial_response: message.enablePartialResponse,
  skip_chunks: message.skipChunks,
  lookback_delta_seconds: message.lookbackSeconds,
  engine: queryEngines.indexOf(message.engine),
  response_batch_size: message.responseBatchSize,
  exact: message.exact && {
    start_ms: message.exact.startMs,
    end_ms: message.exact.endMs,
    step_ms: message.exact.stepMs,
    lookback_ms: message.exact.lookbackMs,
    evaluation_interval_ms: message.exact.evaluationIntervalMs,
    max_resolution_ms: message.exact.maxResolutionMs,
    timeout_ms: message.exact.timeoutMs,
    features: message.exact.features,
  },
});

/** Fields of versions to come, to be passed over: one of each wire type, under numbers that nobody uses. */
const unknownFields = new Uint8Array([
  ...[0xf8, 0x07, 0x05], // 127 varint
  ...[0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8], // 127 fixed64
  ...[0xfa, 0x07, 0x02, 0xff, 0xff], // 127 bytes
  ...[0xfd, 0x07, 1, 2, 3, 4], // 127 fixed32
]);

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

describe("requests are those of the .proto file, read and written, with fields that are unknown", () => {
  it("QueryRequest", () => {
    const type = typeOf("QueryRequest");
    fc.assert(
      fc.property(fc.record({ ...settings, timeSeconds: whole }), (message) => {
        const plain = type.fromObject({ ...plainSettings(message), time_seconds: message.timeSeconds });
        expect(type.toObject(type.decode(encodeQueryRequest(message)), asObject)).toEqual(
          type.toObject(plain, asObject),
        );
        const bytes = joined(type.encode(plain).finish(), unknownFields);
        expect(decodeQueryRequest(bytes)).toEqual({ ok: true, value: message });
      }),
      { numRuns: 100 },
    );
  });

  it("QueryRangeRequest", () => {
    const type = typeOf("QueryRangeRequest");
    const times = { startSeconds: whole, endSeconds: whole, intervalSeconds: whole };
    fc.assert(
      fc.property(fc.record({ ...settings, ...times }), (message) => {
        const plain = type.fromObject({
          ...plainSettings(message),
          start_time_seconds: message.startSeconds,
          end_time_seconds: message.endSeconds,
          interval_seconds: message.intervalSeconds,
        });
        const written = type.decode(encodeQueryRangeRequest(message));
        expect(type.toObject(written, asObject)).toEqual(type.toObject(plain, asObject));
        const bytes = joined(type.encode(plain).finish(), unknownFields);
        expect(decodeQueryRangeRequest(bytes)).toEqual({ ok: true, value: message });
      }),
      { numRuns: 100 },
    );
  });
});

const counts = fc.array(fc.nat(1000), { maxLength: 5 });
const histogram: fc.Arbitrary<FloatHistogram> = fc
  .record({ positive: counts, negative: counts, schema: fc.constantFrom(-53, -4, 0, 3, 8), gap: fc.integer() })
  .chain(({ positive, negative, schema, gap }) =>
    fc.record({
      schema: fc.constant(schema),
      zeroThreshold: number,
      zeroCount: fc.nat(),
      count: fc.nat(),
      sum: number,
      positiveSpans: fc.constant(positive.length === 0 ? [] : [{ offset: gap, length: positive.length }]),
      positiveBuckets: fc.constant(Float64Array.from(positive)),
      negativeSpans: fc.constant(negative.length === 0 ? [] : [{ offset: -1 - gap, length: negative.length }]),
      negativeBuckets: fc.constant(Float64Array.from(negative)),
      customBounds: fc.array(number, { maxLength: 3 }).map((bounds) => Float64Array.from(bounds)),
      counterReset: fc.constantFrom("unknown" as const, "reset" as const, "not-reset" as const, "gauge" as const),
    }),
  );
const timeSeries: fc.Arbitrary<TimeSeriesMessage> = fc
  .tuple(
    fc.array(fc.tuple(filled, filled), { maxLength: 6 }).map(labelsFromPairs),
    fc.array(fc.tuple(whole, number), { maxLength: 10 }),
    fc.array(fc.tuple(whole, histogram), { maxLength: 3 }),
  )
  .map(([labels, samples, histograms]) => ({
    labels,
    timestampsMs: Float64Array.from(samples, ([time]) => time),
    values: Float64Array.from(samples, ([, value]) => value),
    histogramTimestampsMs: Float64Array.from(histograms, ([time]) => time),
    histograms: histograms.map(([, one]) => one),
  }));

const deltasOf = (buckets: Float64Array) => Array.from(buckets, (value, i) => value - (buckets[i - 1] ?? 0));
const plainHistogram = (one: FloatHistogram, timestamp: number, counts: "integers" | "floats") => ({
  ...(counts === "integers"
    ? {
        count_int: one.count,
        zero_count_int: one.zeroCount,
        positive_deltas: deltasOf(one.positiveBuckets),
        negative_deltas: deltasOf(one.negativeBuckets),
      }
    : {
        count_float: one.count,
        zero_count_float: one.zeroCount,
        positive_counts: [...one.positiveBuckets],
        negative_counts: [...one.negativeBuckets],
      }),
  sum: one.sum,
  schema: one.schema,
  zero_threshold: one.zeroThreshold,
  positive_spans: one.positiveSpans,
  negative_spans: one.negativeSpans,
  reset_hint: ["unknown", "reset", "not-reset", "gauge"].indexOf(one.counterReset),
  timestamp,
  custom_values: [...one.customBounds],
});
const plainSeries = (one: TimeSeriesMessage, counts: "integers" | "floats") => ({
  labels: Array.from(labelPairs(one.labels), ([name, value]) => ({ name, value })),
  samples: Array.from(one.values, (value, i) => ({ value, timestamp: one.timestampsMs[i] })),
  histograms: one.histograms.map((of, i) => plainHistogram(of, one.histogramTimestampsMs[i] ?? 0, counts)),
});

describe("QueryResponse", () => {
  const type = typeOf("QueryResponse");
  const encode = (plain: object) => joined(type.encode(type.fromObject(plain)).finish(), unknownFields);
  const decode = (bytes: Uint8Array) => type.toObject(type.decode(bytes), asObject);
  const plain = (object: object) => type.toObject(type.fromObject(object), asObject);

  it("is read as others write it: a series, a batch, histograms of both kinds of counts", () => {
    fc.assert(
      fc.property(timeSeries, fc.array(timeSeries, { maxLength: 4 }), (one, batch) => {
        for (const counts of ["integers", "floats"] as const) {
          expect(decodeQueryResponse(encode({ timeseries: plainSeries(one, counts) }))).toEqual({
            ok: true,
            value: { kind: "series", series: [one] },
          });
        }
        const series = batch.map((each) => plainSeries(each, "floats"));
        expect(decodeQueryResponse(encode({ timeseries_batch: { series } }))).toEqual({
          ok: true,
          value: { kind: "series", series: batch },
        });
      }),
      { numRuns: 100 },
    );
  });

  it("is written as others read it", () => {
    fc.assert(
      fc.property(timeSeries, fc.array(timeSeries, { maxLength: 4 }), text, fc.nat(), (one, batch, warning, count) => {
        expect(decode(encodeQuerySeries(one))).toEqual(plain({ timeseries: plainSeries(one, "floats") }));
        const series = batch.map((each) => plainSeries(each, "floats"));
        expect(decode(encodeQueryBatch(batch))).toEqual(plain({ timeseries_batch: { series } }));
        expect(decode(encodeQueryWarning(warning))).toEqual(plain({ warnings: warning }));
        const stats = { samples_total: count, peak_samples: 1 };
        expect(decode(encodeQueryStats(count, 1))).toEqual(plain({ stats }));
        expect(decodeQueryResponse(encode({ stats }))).toMatchObject({ ok: true, value: { samplesTotal: count } });
        expect(decodeQueryResponse(encode({ warnings: warning }))).toMatchObject({
          ok: true,
          value: { text: warning },
        });
      }),
      { numRuns: 100 },
    );
  });

  it("keeps zeros with their sign, the least numbers, and NaN", () => {
    const values = new Float64Array(new BigUint64Array([0x7ff8000000000001n, 1n, 1n << 63n]).buffer);
    const none = { histogramTimestampsMs: new Float64Array(0), histograms: [] };
    const written = encodeQuerySeries({
      labels: labelsFromPairs([]),
      timestampsMs: values.map((_, i) => i),
      values,
      ...none,
    });
    const decoded = decodeQueryResponse(written);
    const read = decoded.ok && decoded.value.kind === "series" ? decoded.value.series[0]?.values : undefined;
    expect(new BigUint64Array((read ?? new Float64Array(0)).buffer)).toEqual(new BigUint64Array(values.buffer));
  });

  it("is malformed where spans tell of buckets that are not there", () => {
    const one = { positive_spans: [{ offset: 0, length: 4_000_000_000 }], positive_counts: [1] };
    expect(decodeQueryResponse(encode({ timeseries: { histograms: [one] } }))).toMatchObject({ ok: false });
  });

  it("never throws, whatever the bytes, and passes over messages of a kind that came later", () => {
    expect(decodeQueryResponse(unknownFields)).toEqual({ ok: true, value: { kind: "unknown" } });
    fc.assert(
      fc.property(timeSeries, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 3 }), (one, at, noise) => {
        const bytes = encodeQuerySeries(one).slice();
        bytes.set(noise.subarray(0, bytes.length), at % Math.max(1, bytes.length - noise.length));
        for (const decoder of [decodeQueryResponse, decodeQueryRequest, decodeQueryRangeRequest]) decoder(bytes);
        decodeQueryResponse(bytes.subarray(0, at % (bytes.length + 1)));
      }),
      { numRuns: 500 },
    );
  });
});
