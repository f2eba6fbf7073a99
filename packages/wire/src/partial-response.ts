/** What a store does when a part of it fails: PartialResponseStrategy, and the flag that came before it. */
import type { ProtobufReader } from "./protobuf-reader.ts";

export type PartialResponse = "warn" | "abort"; // WARN 0, ABORT 1

export const partialResponseNumber = { warn: 0, abort: 1 } satisfies Record<PartialResponse, number>;

/** A number from the future is taken as "warn", the default: no answer is lost by it, and what is missing is named. */
export function readPartialResponse(reader: ProtobufReader): PartialResponse {
  return reader.int32() === partialResponseNumber.abort ? "abort" : "warn";
}
