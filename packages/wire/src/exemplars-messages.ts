/** Messages of `thanos.Exemplars`. Field numbers: docs/format/monitoring-api.md. */
import { emptyLabels, fail, ok, type Exemplar, type Result, type SeriesExemplars } from "@pleiad/model";
import { readLabelSet, writeLabelSet } from "./label-messages.ts";
import { partialResponseNumber, readPartialResponse, type PartialResponse } from "./partial-response.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { decodeAnswerFrame, encodeAnswerPart, type AnswerFrame } from "./streamed-answer.ts";
import type { WireFailure } from "./wire-failure.ts";

export interface ExemplarsRequestMessage {
  readonly query: string; // PromQL, of which only the selectors count
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly partialResponse: PartialResponse;
}

export function encodeExemplarsRequest(request: ExemplarsRequestMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writer.text(1, request.query);
  writer.int64(2, request.minTimeMs);
  writer.int64(3, request.maxTimeMs);
  writer.int64(4, partialResponseNumber[request.partialResponse]);
  return writer.view();
}

export function decodeExemplarsRequest(bytes: Uint8Array): Result<ExemplarsRequestMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let query = "";
  let [minTimeMs, maxTimeMs] = [0, 0];
  let partialResponse: PartialResponse = "warn";
  while (reader.nextField()) {
    if (reader.field === 1) query = reader.text();
    else if (reader.field === 2) minTimeMs = reader.int64();
    else if (reader.field === 3) maxTimeMs = reader.int64();
    else if (reader.field === 4) partialResponse = readPartialResponse(reader);
    else reader.skip();
  }
  return reader.failure === undefined ? ok({ query, minTimeMs, maxTimeMs, partialResponse }) : fail(reader.failure);
}

/** An ExemplarsResponse with one series. */
export function encodeSeriesExemplars({ labels, exemplars }: SeriesExemplars): Uint8Array {
  return encodeAnswerPart((writer) => {
    writeLabelSet(writer, 1, labels);
    for (const exemplar of exemplars) {
      const mark = writer.open(2);
      writeLabelSet(writer, 1, exemplar.labels);
      writer.double(2, exemplar.value);
      writer.int64(3, exemplar.timestampMs);
      writer.close(mark);
    }
  });
}

export function decodeExemplarsResponse(bytes: Uint8Array): Result<AnswerFrame<SeriesExemplars>, WireFailure> {
  return decodeAnswerFrame(bytes, (reader) => {
    let labels = emptyLabels;
    const exemplars: Exemplar[] = [];
    for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
      if (reader.field === 1) labels = readLabelSet(reader);
      else if (reader.field === 2) exemplars.push(readExemplar(reader));
      else reader.skip();
    }
    return { labels, exemplars };
  });
}

function readExemplar(reader: ProtobufReader): Exemplar {
  let labels = emptyLabels;
  let [value, timestampMs] = [0, 0];
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) labels = readLabelSet(reader);
    else if (reader.field === 2) value = reader.double();
    else if (reader.field === 3) timestampMs = reader.int64();
    else reader.skip();
  }
  return { timestampMs, value, labels };
}
