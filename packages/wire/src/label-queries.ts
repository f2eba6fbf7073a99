/** Requests and answers of `thanos.Store/LabelNames` and `LabelValues`. Field numbers: docs/format/store-api.md. */
import { fail, ok, type Matcher, type Result } from "@pleiad/model";
import { readAny, writeAny, type AnyMessage } from "./any-message.ts";
import { readMatcher, writeMatchers, writeTexts } from "./label-messages.ts";
import { partialResponseNumber, readPartialResponse, type PartialResponse } from "./partial-response.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { WireFailure } from "./wire-failure.ts";

export interface LabelNamesRequestMessage {
  readonly partialResponseDisabled: boolean;
  readonly partialResponse: PartialResponse;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly hints: AnyMessage | undefined;
  readonly matchers: readonly Matcher[];
  readonly withoutReplicaLabels: readonly string[];
  readonly limit: number; // 0 = none
}

export interface LabelValuesRequestMessage extends LabelNamesRequestMessage {
  readonly label: string;
}

/** Both answers have the same form: names or values, sorted. */
export interface LabelTextsMessage {
  readonly texts: readonly string[];
  readonly warnings: readonly string[];
  readonly hints: AnyMessage | undefined;
}

export function encodeLabelNamesRequest(request: LabelNamesRequestMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writeCommon(writer, 0, request);
  return writer.view();
}

export function decodeLabelNamesRequest(bytes: Uint8Array): Result<LabelNamesRequestMessage, WireFailure> {
  const decoded = decodeRequest(bytes, 0);
  if (!decoded.ok) return decoded;
  const { label: _, ...request } = decoded.value;
  return ok(request);
}

export function encodeLabelValuesRequest(request: LabelValuesRequestMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writer.text(1, request.label);
  writeCommon(writer, 1, request);
  return writer.view();
}

export function decodeLabelValuesRequest(bytes: Uint8Array): Result<LabelValuesRequestMessage, WireFailure> {
  return decodeRequest(bytes, 1);
}

export function encodeLabelTexts(message: LabelTextsMessage): Uint8Array {
  const writer = new ProtobufWriter();
  writeTexts(writer, 1, message.texts);
  writeTexts(writer, 2, message.warnings);
  writeAny(writer, 3, message.hints);
  return writer.view();
}

export function decodeLabelTexts(bytes: Uint8Array): Result<LabelTextsMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  const texts: string[] = [];
  const warnings: string[] = [];
  let hints: AnyMessage | undefined;
  while (reader.nextField()) {
    if (reader.field === 1) texts.push(reader.text());
    else if (reader.field === 2) warnings.push(reader.text());
    else if (reader.field === 3) hints = readAny(reader);
    else reader.skip();
  }
  return reader.failure === undefined ? ok({ texts, warnings, hints }) : fail(reader.failure);
}

/** The fields that both requests have; LabelValuesRequest has them one number higher, behind its label. */
function writeCommon(writer: ProtobufWriter, shift: 0 | 1, request: LabelNamesRequestMessage): void {
  writer.bool(1 + shift, request.partialResponseDisabled);
  writer.int64(2 + shift, partialResponseNumber[request.partialResponse]);
  writer.int64(3 + shift, request.minTimeMs);
  writer.int64(4 + shift, request.maxTimeMs);
  writeAny(writer, 5 + shift, request.hints);
  writeMatchers(writer, 6 + shift, request.matchers);
  writeTexts(writer, 7 + shift, request.withoutReplicaLabels);
  writer.int64(8 + shift, request.limit);
}

function decodeRequest(bytes: Uint8Array, shift: 0 | 1): Result<LabelValuesRequestMessage, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let label = "";
  let partialResponseDisabled = false;
  let partialResponse: PartialResponse = "warn";
  let minTimeMs = 0;
  let maxTimeMs = 0;
  let hints: AnyMessage | undefined;
  const matchers: Matcher[] = [];
  const withoutReplicaLabels: string[] = [];
  let limit = 0;
  while (reader.nextField()) {
    switch (reader.field - shift) {
      case 0:
        label = reader.text();
        break;
      case 1:
        partialResponseDisabled = reader.bool();
        break;
      case 2:
        partialResponse = readPartialResponse(reader);
        break;
      case 3:
        minTimeMs = reader.int64();
        break;
      case 4:
        maxTimeMs = reader.int64();
        break;
      case 5:
        hints = readAny(reader);
        break;
      case 6:
        matchers.push(readMatcher(reader));
        break;
      case 7:
        withoutReplicaLabels.push(reader.text());
        break;
      case 8:
        limit = reader.int64();
        break;
      default:
        reader.skip();
    }
  }
  if (reader.failure !== undefined) return fail(reader.failure);
  return ok({
    label,
    partialResponseDisabled,
    partialResponse,
    minTimeMs,
    maxTimeMs,
    hints,
    matchers,
    withoutReplicaLabels,
    limit,
  });
}
