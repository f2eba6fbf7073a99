/** Every message, both directions, against a general protobuf implementation that reads `testdata/store-api.proto`. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { labelsFromPairs, labelPairs, type Aggregate, type ChunkEncoding, type Labels } from "@pleiad/model";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import type { AnyMessage } from "./any-message.ts";
import {
  decodeHealthCheckRequest,
  decodeHealthCheckResponse,
  encodeHealthCheckRequest,
  encodeHealthCheckResponse,
} from "./health-messages.ts";
import { decodeInfoResponse, encodeInfoResponse, type InfoResponseMessage } from "./info-messages.ts";
import {
  decodeLabelNamesRequest,
  decodeLabelTexts,
  decodeLabelValuesRequest,
  encodeLabelNamesRequest,
  encodeLabelTexts,
  encodeLabelValuesRequest,
  type LabelValuesRequestMessage,
} from "./label-queries.ts";
import { decodeSeriesRequest, encodeSeriesRequest, type SeriesRequestMessage } from "./series-request.ts";
import { createSeriesFrameReader, createSeriesFrameWriter, type SeriesFrames } from "./series-response.ts";

const { root } = protobuf.parse(readFileSync(new URL("../testdata/store-api.proto", import.meta.url), "utf8"), {
  keepCase: true,
});
const asObject = { longs: Number, bytes: Array, defaults: true, arrays: true };

/** What the oracle makes of a plain object, and of bytes. */
function oracle(message: string) {
  const type = root.lookupType(`pleiad.test.${message}`);
  return {
    encode: (plain: object) => new Uint8Array(type.encode(type.fromObject(plain)).finish()),
    plain: (plain: object): unknown => type.toObject(type.fromObject(plain), asObject),
    decode: (bytes: Uint8Array): unknown => type.toObject(type.decode(bytes), asObject),
  };
}

function compare<T>(
  name: string,
  messages: fc.Arbitrary<T>,
  toPlain: (message: T) => object,
  encode: (message: T) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
) {
  const type = oracle(name);
  it(name, () => {
    fc.assert(
      fc.property(messages, (message) => {
        const plain = toPlain(message);
        expect(type.decode(encode(message))).toEqual(type.plain(plain));
        expect(decode(type.encode(plain))).toEqual({ ok: true, value: message });
      }),
      { numRuns: 150 },
    );
  });
}

const text = fc.oneof(fc.string({ unit: "binary", maxLength: 12 }), fc.string({ unit: "grapheme", maxLength: 90 }));
const filled = text.map((value) => value || "x");
const time = fc.oneof(
  fc.constantFrom(0, 1, -1, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 35, 1_700_000_000_000, 8.64e15, -8.64e15),
  fc.maxSafeInteger().map((value) => (Math.abs(value) === Number.MAX_SAFE_INTEGER ? 0 : value)),
);
const bytes = fc.uint8Array({ maxLength: 300 });
const any: fc.Arbitrary<AnyMessage | undefined> = fc.option(fc.record({ typeUrl: text, value: bytes }), {
  nil: undefined,
});
const labels = fc.array(fc.tuple(filled, filled), { maxLength: 6 }).map(labelsFromPairs);
const matcher = fc.record({ type: fc.constantFrom("=", "!=", "=~", "!~"), name: text, value: text });
const partialResponse = fc.constantFrom("warn" as const, "abort" as const);

const plainAny = (value: AnyMessage | undefined) =>
  value === undefined ? undefined : { type_url: value.typeUrl, value: value.value };
const plainLabels = (of: Labels) => Array.from(labelPairs(of), ([name, value]) => ({ name, value }));
const plainMatcher = ({ type, name, value }: { type: string; name: string; value: string }) => ({
  type: ["=", "!=", "=~", "!~"].indexOf(type),
  name,
  value,
});

describe("messages are those of the .proto file, read and written", () => {
  compare<SeriesRequestMessage>(
    "SeriesRequest",
    fc.record({
      minTimeMs: time,
      maxTimeMs: time,
      matchers: fc.array(matcher, { maxLength: 4 }),
      maxResolutionMs: time,
      aggregates: fc.array(fc.constantFrom("raw", "count", "sum", "min", "max", "counter"), { maxLength: 6 }),
      partialResponseDisabled: fc.boolean(),
      partialResponse,
      skipChunks: fc.boolean(),
      hints: any,
      stepMs: time,
      rangeMs: time,
      queryHints: fc.option(
        fc.record({
          stepMs: time,
          function: text,
          grouping: fc.option(fc.record({ by: fc.boolean(), labels: fc.array(text, { maxLength: 3 }) }), {
            nil: undefined,
          }),
          rangeMs: time,
          projectionLabels: fc.array(text, { maxLength: 3 }),
          projectionInclude: fc.boolean(),
        }),
        { nil: undefined },
      ),
      shard: fc.option(
        fc.record({ index: time, total: time, by: fc.boolean(), labels: fc.array(text, { maxLength: 3 }) }),
        { nil: undefined },
      ),
      withoutReplicaLabels: fc.array(text, { maxLength: 3 }),
      limit: time,
      responseBatchSize: time,
    }),
    (message) => ({
      min_time: message.minTimeMs,
      max_time: message.maxTimeMs,
      matchers: message.matchers.map(plainMatcher),
      max_resolution_window: message.maxResolutionMs,
      aggregates: message.aggregates.map((one) => ["raw", "count", "sum", "min", "max", "counter"].indexOf(one)),
      partial_response_disabled: message.partialResponseDisabled,
      partial_response_strategy: message.partialResponse === "abort" ? 1 : 0,
      skip_chunks: message.skipChunks,
      hints: plainAny(message.hints),
      step: message.stepMs,
      range: message.rangeMs,
      query_hints: message.queryHints && {
        step_millis: message.queryHints.stepMs,
        func: message.queryHints.function === "" ? undefined : { name: message.queryHints.function },
        grouping: message.queryHints.grouping,
        range: message.queryHints.rangeMs === 0 ? undefined : { millis: message.queryHints.rangeMs },
        projection_labels: message.queryHints.projectionLabels,
        projection_include: message.queryHints.projectionInclude,
      },
      shard_info: message.shard && {
        shard_index: message.shard.index,
        total_shards: message.shard.total,
        by: message.shard.by,
        labels: message.shard.labels,
      },
      without_replica_labels: message.withoutReplicaLabels,
      limit: message.limit,
      response_batch_size: message.responseBatchSize,
    }),
    encodeSeriesRequest,
    decodeSeriesRequest,
  );

  compare<InfoResponseMessage>(
    "InfoResponse",
    fc.record({
      labelSets: fc.array(labels, { maxLength: 4 }),
      componentType: text,
      store: fc.option(
        fc.record({
          minTimeMs: time,
          maxTimeMs: time,
          supportsSharding: fc.boolean(),
          supportsWithoutReplicaLabels: fc.boolean(),
          tsdbInfos: fc.array(fc.record({ labels, minTimeMs: time, maxTimeMs: time }), { maxLength: 3 }),
        }),
        { nil: undefined },
      ),
      capabilities: fc.record({
        rules: fc.boolean(),
        metricMetadata: fc.boolean(),
        targets: fc.boolean(),
        exemplars: fc.option(fc.record({ minTimeMs: time, maxTimeMs: time }), { nil: undefined }),
        query: fc.constantFrom("none", "whole-seconds", "exact"),
        status: fc.boolean(),
      }),
    }),
    ({ labelSets, componentType, store, capabilities }) => ({
      label_sets: labelSets.map((of) => ({ labels: plainLabels(of) })),
      component_type: componentType,
      store: store && {
        min_time: store.minTimeMs,
        max_time: store.maxTimeMs,
        supports_sharding: store.supportsSharding,
        supports_without_replica_labels: store.supportsWithoutReplicaLabels,
        tsdb_infos: store.tsdbInfos.map((one) => ({
          labels: { labels: plainLabels(one.labels) },
          min_time: one.minTimeMs,
          max_time: one.maxTimeMs,
        })),
      },
      rules: capabilities.rules ? {} : undefined,
      metric_metadata: capabilities.metricMetadata ? {} : undefined,
      targets: capabilities.targets ? {} : undefined,
      exemplars: capabilities.exemplars && {
        min_time: capabilities.exemplars.minTimeMs,
        max_time: capabilities.exemplars.maxTimeMs,
      },
      query: capabilities.query === "none" ? undefined : { exact: capabilities.query === "exact" },
      status: capabilities.status ? {} : undefined,
    }),
    encodeInfoResponse,
    decodeInfoResponse,
  );

  const labelQuery = {
    partialResponseDisabled: fc.boolean(),
    partialResponse,
    minTimeMs: time,
    maxTimeMs: time,
    hints: any,
    matchers: fc.array(matcher, { maxLength: 4 }),
    withoutReplicaLabels: fc.array(text, { maxLength: 3 }),
    limit: time,
  };
  const plainLabelQuery = (message: Omit<LabelValuesRequestMessage, "label">) => ({
    partial_response_disabled: message.partialResponseDisabled,
    partial_response_strategy: message.partialResponse === "abort" ? 1 : 0,
    start: message.minTimeMs,
    end: message.maxTimeMs,
    hints: plainAny(message.hints),
    matchers: message.matchers.map(plainMatcher),
    without_replica_labels: message.withoutReplicaLabels,
    limit: message.limit,
  });
  compare(
    "LabelNamesRequest",
    fc.record(labelQuery),
    plainLabelQuery,
    encodeLabelNamesRequest,
    decodeLabelNamesRequest,
  );
  compare(
    "LabelValuesRequest",
    fc.record({ label: text, ...labelQuery }),
    (message) => ({ label: message.label, ...plainLabelQuery(message) }),
    encodeLabelValuesRequest,
    decodeLabelValuesRequest,
  );
  compare(
    "LabelTextsResponse",
    fc.record({ texts: fc.array(text), warnings: fc.array(text), hints: any }),
    (message) => ({ ...message, hints: plainAny(message.hints) }),
    encodeLabelTexts,
    decodeLabelTexts,
  );

  compare("HealthCheckRequest", text, (service) => ({ service }), encodeHealthCheckRequest, decodeHealthCheckRequest);
  compare(
    "HealthCheckResponse",
    fc.constantFrom("unknown" as const, "serving" as const, "not-serving" as const, "service-unknown" as const),
    (status) => ({ status: ["unknown", "serving", "not-serving", "service-unknown"].indexOf(status) }),
    encodeHealthCheckResponse,
    decodeHealthCheckResponse,
  );
});

describe("SeriesResponse", () => {
  const type = oracle("SeriesResponse");
  const encoding = fc.constantFrom<ChunkEncoding>(1, 2, 3);
  const encoded = fc.record({ encoding, data: bytes });
  const chunk = fc.record({
    minTimeMs: time,
    maxTimeMs: time,
    content: fc.oneof(
      encoded.map((one) => ({ kind: "raw" as const, ...one })),
      fc
        .uniqueArray(fc.tuple(fc.constantFrom<Aggregate>("count", "sum", "min", "max", "counter"), encoded), {
          selector: ([aggregate]) => aggregate,
          minLength: 1,
        })
        .map((pairs) => ({ kind: "aggregates" as const, of: new Map(pairs) })),
    ),
  });
  const series = fc.array(fc.record({ labels, chunks: fc.array(chunk, { maxLength: 4 }) }), { maxLength: 12 });
  const plainEncoded = (one: { encoding: number; data: Uint8Array }) => ({ type: one.encoding - 1, data: one.data });
  const plainChunk = ({ minTimeMs, maxTimeMs, content }: typeof chunk extends fc.Arbitrary<infer T> ? T : never) => ({
    min_time: minTimeMs,
    max_time: maxTimeMs,
    ...(content.kind === "raw"
      ? { raw: plainEncoded(content) }
      : Object.fromEntries(Array.from(content.of, ([aggregate, one]) => [aggregate, plainEncoded(one)]))),
  });
  const plainSeries = (one: typeof series extends fc.Arbitrary<(infer T)[]> ? T : never) => ({
    labels: plainLabels(one.labels),
    chunks: one.chunks.map(plainChunk),
  });
  const readAll = (messages: readonly Uint8Array[]) => {
    const reader = createSeriesFrameReader();
    const frames: SeriesFrames = { series: [], warnings: [], hints: [] };
    for (const message of messages) expect(reader.read(message, frames)).toBeUndefined();
    return frames;
  };

  it("is read as others write it: a series, a batch, a warning, hints", () => {
    fc.assert(
      fc.property(series, text, (all, warning) => {
        const single = all.map((one) => type.encode({ series: plainSeries(one) }));
        expect(readAll(single).series).toEqual(all);
        expect(readAll([type.encode({ batch: { series: all.map(plainSeries) } })]).series).toEqual(all);
        expect(readAll([type.encode({ warning })]).warnings).toEqual([warning]);
        expect(readAll([type.encode({ hints: { type_url: warning } })]).hints).toHaveLength(1);
      }),
      { numRuns: 100 },
    );
  });

  it("is written as others read it, whatever the size of batches and frames", () => {
    fc.assert(
      fc.property(
        series,
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 1, max: 2000 }),
        text,
        (all, size, max, t) => {
          const writer = createSeriesFrameWriter({ batchSeriesMax: size, frameBytesMax: max, aggregates: undefined });
          const messages: Uint8Array[] = [];
          for (const one of all) {
            writer.series(one);
            if (writer.byteLength > max) messages.push(...writer.take());
          }
          writer.warning(t);
          messages.push(...writer.take());
          expect(writer.take()).toEqual([]);
          expect(readAll(messages).warnings).toEqual([t]);
          type Plain = { labels: unknown[]; chunks: unknown[] };
          const read = messages.flatMap((message) => {
            const { series: one, batch } = type.decode(message) as { series?: Plain; batch?: { series: Plain[] } };
            expect(batch === undefined || size > 1).toBe(true);
            expect(batch === undefined || batch.series.length <= size).toBe(true);
            return [...(one ? [one] : []), ...(batch?.series ?? [])];
          });
          // A series whose chunks did not fit one frame comes as several in a row: joined here, as a client does.
          const joined: Plain[] = [];
          for (const wanted of all) {
            const next = read.shift() ?? { labels: [], chunks: [] };
            while (next.chunks.length < wanted.chunks.length) {
              const more = read.shift();
              expect(more?.labels).toEqual(next.labels);
              next.chunks.push(...(more?.chunks ?? []));
            }
            joined.push(next);
          }
          expect(read).toEqual([]);
          const plain = all.map((one) => (type.plain({ series: plainSeries(one) }) as { series: Plain }).series);
          expect(joined).toEqual(plain);
        },
      ),
      { numRuns: 150 },
    );
  });
});
