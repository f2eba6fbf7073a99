/** `google.protobuf.Any`, in which hints travel. Carried, not understood. */
import type { ProtobufReader } from "./protobuf-reader.ts";
import type { ProtobufWriter } from "./protobuf-writer.ts";

export interface AnyMessage {
  readonly typeUrl: string; // `type.googleapis.com/hintspb.SeriesRequestHints`
  readonly value: Uint8Array;
}

export function writeAny(writer: ProtobufWriter, field: number, any: AnyMessage | undefined): void {
  if (any === undefined) return;
  const mark = writer.open(field);
  writer.text(1, any.typeUrl);
  writer.bytes(2, any.value);
  writer.close(mark);
}

export function readAny(reader: ProtobufReader): AnyMessage {
  let typeUrl = "";
  let value: Uint8Array = new Uint8Array(0);
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) typeUrl = reader.text();
    else if (reader.field === 2) value = reader.bytes();
    else reader.skip();
  }
  return { typeUrl, value };
}
