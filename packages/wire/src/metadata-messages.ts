/** Messages of `thanos.Metadata`. Field numbers: docs/format/monitoring-api.md. */
import { fail, ok, type MetadataRequest, type MetricMeta, type MetricMetadata, type Result } from "@pleiad/model";
import { partialResponseNumber, readPartialResponse, type PartialResponse } from "./partial-response.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { decodeAnswerFrame, encodeAnswerPart, type AnswerFrame } from "./streamed-answer.ts";
import type { WireFailure } from "./wire-failure.ts";

export interface MetadataRequestMessage extends Pick<MetadataRequest, "metric" | "limit"> {
  readonly partialResponse: PartialResponse;
}

export function encodeMetadataRequest({ metric, limit, partialResponse }: MetadataRequestMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writer.text(1, metric);
  writer.int64(2, limit);
  writer.int64(3, partialResponseNumber[partialResponse]);
  return writer.view();
}

/** A request without a limit wants no metric at all: "all" is -1, and it is said. */
export function decodeMetadataRequest(bytes: Uint8Array): Result<MetadataRequestMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let metric = "";
  let limit = 0;
  let partialResponse: PartialResponse = "warn";
  while (reader.nextField()) {
    if (reader.field === 1) metric = reader.text();
    else if (reader.field === 2) limit = reader.int32();
    else if (reader.field === 3) partialResponse = readPartialResponse(reader);
    else reader.skip();
  }
  return reader.failure === undefined ? ok({ metric, limit, partialResponse }) : fail(reader.failure);
}

/** A MetricMetadataResponse with these metrics, each of which comes once. */
export function encodeMetadata(metrics: readonly MetricMetadata[]): Uint8Array {
  return encodeAnswerPart((writer) => {
    for (const { metric, metas } of metrics) {
      const entry = writer.open(1, 2);
      writer.text(1, metric);
      const value = writer.open(2, 2);
      for (const meta of metas) {
        const mark = writer.open(2, 2);
        writer.text(1, meta.type);
        writer.text(2, meta.help);
        writer.text(3, meta.unit);
        writer.close(mark);
      }
      writer.close(value);
      writer.close(entry);
    }
  });
}

/** A metric that comes again replaces what came before, as entries of protobuf maps do. */
export function decodeMetadataResponse(bytes: Uint8Array): Result<AnswerFrame<readonly MetricMetadata[]>, WireFailure> {
  return decodeAnswerFrame(bytes, (reader) => {
    const metrics = new Map<string, MetricMetadata>();
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      if (reader.field === 1) {
        const entry = readEntry(reader);
        metrics.set(entry.metric, entry);
      } else reader.skip();
    }
    return [...metrics.values()];
  });
}

function readEntry(reader: ProtobufReader): MetricMetadata {
  let metric = "";
  let metas: readonly MetricMeta[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) metric = reader.text();
    else if (reader.field === 2) metas = readMetas(reader);
    else reader.skip();
  }
  return { metric, metas };
}

function readMetas(reader: ProtobufReader): readonly MetricMeta[] {
  const metas: MetricMeta[] = [];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 2) metas.push(readMeta(reader));
    else reader.skip();
  }
  return metas;
}

function readMeta(reader: ProtobufReader): MetricMeta {
  let [type, help, unit] = ["", "", ""];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) type = reader.text();
    else if (reader.field === 2) help = reader.text();
    else if (reader.field === 3) unit = reader.text();
    else reader.skip();
  }
  return { type, help, unit };
}
