/** `google.protobuf.Timestamp`. */
import { zeroInstant, type Instant } from "@pleiad/model";
import type { ProtobufReader } from "./protobuf-reader.ts";
import type { ProtobufWriter } from "./protobuf-writer.ts";

/** Writes nothing where there is no time. */
export function writeTimestamp(writer: ProtobufWriter, field: number, instant: Instant | undefined): void {
  if (instant === undefined) return;
  const mark = writer.open(field);
  writer.int64(1, instant.seconds);
  writer.int64(2, instant.nanos);
  writer.close(mark);
}

/** Nanoseconds that are none fail. Seconds beyond what a text can say come as they are. */
export function readTimestamp(reader: ProtobufReader): Instant {
  let seconds = 0;
  let nanos = 0;
  for (const outer = reader.enter(); reader.nextField() || reader.leave(outer);) {
    if (reader.field === 1) seconds = reader.int64();
    else if (reader.field === 2) nanos = reader.int32();
    else reader.skip();
  }
  if (nanos >= 0 && nanos < 1e9) return { seconds, nanos };
  reader.fail(`timestamp with ${nanos} nanoseconds`);
  return zeroInstant;
}
