/** Messages of `grpc.health.v1.Health/Check`. */
import { fail, ok, type Result } from "@pleiad/model";
import { ProtobufReader } from "./protobuf-reader.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { WireFailure } from "./wire-failure.ts";

const statuses = ["unknown", "serving", "not-serving", "service-unknown"] as const; // by number in the enumeration
export type ServingStatus = (typeof statuses)[number];

/** `service` "" asks for the server as a whole. */
export function encodeHealthCheckRequest(service: string): Uint8Array {
  const writer = new ProtobufWriter();
  writer.text(1, service);
  return writer.view();
}

export function decodeHealthCheckRequest(bytes: Uint8Array): Result<string, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let service = "";
  while (reader.nextField()) {
    if (reader.field === 1) service = reader.text();
    else reader.skip();
  }
  return reader.failure === undefined ? ok(service) : fail(reader.failure);
}

export function encodeHealthCheckResponse(status: ServingStatus): Uint8Array {
  const writer = new ProtobufWriter();
  writer.int64(1, statuses.indexOf(status));
  return writer.view();
}

export function decodeHealthCheckResponse(bytes: Uint8Array): Result<ServingStatus, WireFailure> {
  const reader = new ProtobufReader(bytes);
  let status: ServingStatus = "unknown";
  while (reader.nextField()) {
    if (reader.field === 1) status = statuses[reader.int32()] ?? "unknown";
    else reader.skip();
  }
  return reader.failure === undefined ? ok(status) : fail(reader.failure);
}
