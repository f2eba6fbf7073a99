/**
 * The frames in which rules, targets, metadata and exemplars are answered: field 1 holds a part of the answer, field 2 a
 * warning. All four services of Thanos have them alike.
 */
import { fail, ok, type Result } from "@pleiad/model";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { WireFailure } from "./wire-failure.ts";

export type AnswerFrame<Part> =
  | { readonly kind: "part"; readonly part: Part }
  | { readonly kind: "warning"; readonly text: string }
  /** From a later version. */
  | { readonly kind: "unknown" };

export function encodeAnswerWarning(text: string): Uint8Array {
  const writer = new ProtobufWriter();
  writer.textItem(2, text);
  return writer.view();
}

/** `write` gives the fields of the part. */
export function encodeAnswerPart(write: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter();
  const mark = writer.open(1, 2);
  write(writer);
  writer.close(mark);
  return writer.view();
}

/** `read` is called with the reader at the field of the part. As protobuf has it, the last of several is the frame. */
export function decodeAnswerFrame<Part>(
  bytes: Uint8Array,
  read: (reader: ProtobufReader) => Part,
): Result<AnswerFrame<Part>, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let frame: AnswerFrame<Part> = { kind: "unknown" };
  while (reader.nextField()) {
    if (reader.field === 1) frame = { kind: "part", part: read(reader) };
    else if (reader.field === 2) frame = { kind: "warning", text: reader.text() };
    else reader.skip();
  }
  return reader.failure === undefined ? ok(frame) : fail(reader.failure);
}
