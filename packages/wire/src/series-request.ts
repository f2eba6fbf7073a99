/** SeriesRequest of `thanos.Store/Series`. Field numbers: docs/format/store-api.md. */
import { fail, ok, type Matcher, type Result } from "@pleiad/model";
import { readAny, writeAny, type AnyMessage } from "./any-message.ts";
import { readMatcher, writeMatchers, writeTexts } from "./label-messages.ts";
import { partialResponseNumber, readPartialResponse, type PartialResponse } from "./partial-response.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { WireFailure } from "./wire-failure.ts";

export const wireAggregates = ["raw", "count", "sum", "min", "max", "counter"] as const; // by number in the enumeration
export type WireAggregate = (typeof wireAggregates)[number];

export interface QueryHintsMessage {
  readonly stepMs: number;
  readonly function: string; // "" = none
  readonly grouping: { readonly by: boolean; readonly labels: readonly string[] } | undefined;
  readonly rangeMs: number;
  readonly projectionLabels: readonly string[];
  readonly projectionInclude: boolean;
}

export interface ShardMessage {
  readonly index: number;
  readonly total: number; // below 1 = not sharded
  readonly by: boolean; // whether `labels` are those hashed, or those left out
  readonly labels: readonly string[];
}

export interface SeriesRequestMessage {
  readonly minTimeMs: number; // inclusive
  readonly maxTimeMs: number; // inclusive
  readonly matchers: readonly Matcher[];
  readonly maxResolutionMs: number;
  readonly aggregates: readonly WireAggregate[];
  readonly partialResponseDisabled: boolean; // what servers before the strategy read
  readonly partialResponse: PartialResponse;
  readonly skipChunks: boolean;
  readonly hints: AnyMessage | undefined;
  readonly stepMs: number; // deprecated, in favour of queryHints
  readonly rangeMs: number; // deprecated, in favour of queryHints
  readonly queryHints: QueryHintsMessage | undefined;
  readonly shard: ShardMessage | undefined;
  readonly withoutReplicaLabels: readonly string[];
  readonly limit: number; // 0 = none
  readonly responseBatchSize: number; // 0 and 1 = one series a frame
}

/** A request with nothing in it, to be spread and changed. */
export const emptySeriesRequest: SeriesRequestMessage = {
  minTimeMs: 0,
  maxTimeMs: 0,
  matchers: [],
  maxResolutionMs: 0,
  aggregates: [],
  partialResponseDisabled: false,
  partialResponse: "warn",
  skipChunks: false,
  hints: undefined,
  stepMs: 0,
  rangeMs: 0,
  queryHints: undefined,
  shard: undefined,
  withoutReplicaLabels: [],
  limit: 0,
  responseBatchSize: 0,
};

export function encodeSeriesRequest(request: SeriesRequestMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writer.int64(1, request.minTimeMs);
  writer.int64(2, request.maxTimeMs);
  writeMatchers(writer, 3, request.matchers);
  writer.int64(4, request.maxResolutionMs);
  const aggregates = request.aggregates.map((aggregate) => wireAggregates.indexOf(aggregate));
  writer.packed(5, aggregates);
  writer.bool(6, request.partialResponseDisabled);
  writer.int64(7, partialResponseNumber[request.partialResponse]);
  writer.bool(8, request.skipChunks);
  writeAny(writer, 9, request.hints);
  writer.int64(10, request.stepMs);
  writer.int64(11, request.rangeMs);
  if (request.queryHints !== undefined) writeQueryHints(writer, 12, request.queryHints);
  if (request.shard !== undefined) writeShard(writer, 13, request.shard);
  writeTexts(writer, 14, request.withoutReplicaLabels);
  writer.int64(15, request.limit);
  writer.int64(16, request.responseBatchSize);
  return writer.view();
}

export function decodeSeriesRequest(bytes: Uint8Array): Result<SeriesRequestMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let { minTimeMs, maxTimeMs, maxResolutionMs, partialResponseDisabled, partialResponse, skipChunks } =
    emptySeriesRequest;
  let { hints, stepMs, rangeMs, queryHints, shard, limit, responseBatchSize } = emptySeriesRequest;
  const matchers: Matcher[] = [];
  const aggregateNumbers: number[] = [];
  const withoutReplicaLabels: string[] = [];
  while (reader.nextField()) {
    switch (reader.field) {
      case 1:
        minTimeMs = reader.int64();
        break;
      case 2:
        maxTimeMs = reader.int64();
        break;
      case 3:
        matchers.push(readMatcher(reader));
        break;
      case 4:
        maxResolutionMs = reader.int64();
        break;
      case 5:
        reader.int32s(aggregateNumbers);
        break;
      case 6:
        partialResponseDisabled = reader.bool();
        break;
      case 7:
        partialResponse = readPartialResponse(reader);
        break;
      case 8:
        skipChunks = reader.bool();
        break;
      case 9:
        hints = readAny(reader);
        break;
      case 10:
        stepMs = reader.int64();
        break;
      case 11:
        rangeMs = reader.int64();
        break;
      case 12:
        queryHints = readQueryHints(reader);
        break;
      case 13:
        shard = readShard(reader);
        break;
      case 14:
        withoutReplicaLabels.push(reader.text());
        break;
      case 15:
        limit = reader.int64();
        break;
      case 16:
        responseBatchSize = reader.int64();
        break;
      default:
        reader.skip();
    }
  }
  if (reader.failure !== undefined) return fail(reader.failure);
  const aggregates = aggregateNumbers.flatMap((number) => wireAggregates[number] ?? []);
  return ok({
    minTimeMs,
    maxTimeMs,
    matchers,
    maxResolutionMs,
    aggregates,
    partialResponseDisabled,
    partialResponse,
    skipChunks,
    hints,
    stepMs,
    rangeMs,
    queryHints,
    shard,
    withoutReplicaLabels,
    limit,
    responseBatchSize,
  });
}

function writeQueryHints(writer: ProtobufWriter, field: number, hints: QueryHintsMessage): void {
  const mark = writer.open(field);
  writer.int64(1, hints.stepMs);
  if (hints.function !== "") {
    const inner = writer.open(2);
    writer.text(1, hints.function);
    writer.close(inner);
  }
  if (hints.grouping !== undefined) {
    const inner = writer.open(4);
    writer.bool(1, hints.grouping.by);
    writeTexts(writer, 3, hints.grouping.labels);
    writer.close(inner);
  }
  if (hints.rangeMs !== 0) {
    const inner = writer.open(5);
    writer.int64(1, hints.rangeMs);
    writer.close(inner);
  }
  writeTexts(writer, 6, hints.projectionLabels);
  writer.bool(7, hints.projectionInclude);
  writer.close(mark);
}

function readQueryHints(reader: ProtobufReader): QueryHintsMessage {
  let stepMs = 0;
  let functionName = "";
  let grouping: QueryHintsMessage["grouping"];
  let rangeMs = 0;
  const projectionLabels: string[] = [];
  let projectionInclude = false;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        stepMs = reader.int64();
        break;
      case 2:
        functionName = readFunctionName(reader);
        break;
      case 4:
        grouping = readGrouping(reader);
        break;
      case 5:
        rangeMs = readRange(reader);
        break;
      case 6:
        projectionLabels.push(reader.text());
        break;
      case 7:
        projectionInclude = reader.bool();
        break;
      default:
        reader.skip();
    }
  }
  return { stepMs, function: functionName, grouping, rangeMs, projectionLabels, projectionInclude };
}

function readFunctionName(reader: ProtobufReader): string {
  let name = "";
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) name = reader.text();
    else reader.skip();
  }
  return name;
}

function readRange(reader: ProtobufReader): number {
  let rangeMs = 0;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) rangeMs = reader.int64();
    else reader.skip();
  }
  return rangeMs;
}

function readGrouping(reader: ProtobufReader): { readonly by: boolean; readonly labels: readonly string[] } {
  let by = false;
  const labels: string[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) by = reader.bool();
    else if (reader.field === 3) labels.push(reader.text());
    else reader.skip();
  }
  return { by, labels };
}

function writeShard(writer: ProtobufWriter, field: number, shard: ShardMessage): void {
  const mark = writer.open(field);
  writer.int64(1, shard.index);
  writer.int64(2, shard.total);
  writer.bool(3, shard.by);
  writeTexts(writer, 4, shard.labels);
  writer.close(mark);
}

function readShard(reader: ProtobufReader): ShardMessage {
  let index = 0;
  let total = 0;
  let by = false;
  const labels: string[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    switch (reader.field) {
      case 1:
        index = reader.int64();
        break;
      case 2:
        total = reader.int64();
        break;
      case 3:
        by = reader.bool();
        break;
      case 4:
        labels.push(reader.text());
        break;
      default:
        reader.skip();
    }
  }
  return { index, total, by, labels };
}
