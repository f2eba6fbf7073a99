/** gRPC statuses on the wire: numbers, messages, and what stands for a status when the peer sends none. */
import { constants } from "node:http2";
import { RpcError, type Observations, type RpcCode } from "@pleiad/ports";

/** The number of each status; OK, which is no error, is 0. */
export const grpcStatusCodes = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const satisfies Record<RpcCode, number>;

const codesByNumber = new Map<number, RpcCode>(
  (Object.keys(grpcStatusCodes) as RpcCode[]).map((code) => [grpcStatusCodes[code], code]),
);

/** The name of a status that is not 0; a number that the specification does not know is UNKNOWN. */
export function rpcCodeOf(status: number): RpcCode {
  return codesByNumber.get(status) ?? "UNKNOWN";
}

/** The code for an HTTP answer without a gRPC status, from a proxy for instance. */
export function rpcCodeOfHttpStatus(status: number): RpcCode {
  switch (status) {
    case 400:
      return "INTERNAL";
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "UNIMPLEMENTED";
    case 429:
    case 502:
    case 503:
    case 504:
      return "UNAVAILABLE";
    default:
      return "UNKNOWN";
  }
}

/** The code for a stream that the peer reset with this HTTP/2 error. */
export function rpcCodeOfReset(http2Code: number): RpcCode {
  switch (http2Code) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return "UNAVAILABLE";
    case constants.NGHTTP2_CANCEL:
      return "CANCELLED";
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return "RESOURCE_EXHAUSTED";
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return "PERMISSION_DENIED";
    default:
      return "INTERNAL";
  }
}

/** What an aborted signal means to the call that it ends: a passed deadline, or else a cancellation. */
export function abortError(signal: AbortSignal): RpcError {
  const reason = signal.reason as { readonly name?: unknown; readonly message?: unknown } | undefined;
  return reason?.name === "TimeoutError"
    ? new RpcError("DEADLINE_EXCEEDED", typeof reason.message === "string" ? reason.message : "deadline exceeded")
    : new RpcError("CANCELLED", "canceled");
}

// Trailers share the peer's header limit, 8 KiB with some; an error that long helps nobody.
const messageCharsMax = 2048;

/** Percent-encodes what the `grpc-message` trailer cannot hold: all but printable ASCII, and `%`. */
export function encodeGrpcMessage(message: string): string {
  let encoded = "";
  for (const byte of new TextEncoder().encode(message.slice(0, messageCharsMax))) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** The text of a `grpc-message`. What is wrongly encoded is kept as it came, as the specification asks. */
export function decodeGrpcMessage(encoded: string): string {
  if (!encoded.includes("%")) return encoded;
  const bytes: number[] = [];
  for (let i = 0; i < encoded.length; i++) {
    const hex = encoded.slice(i + 1, i + 3);
    if (encoded[i] === "%" && /^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      i += 2;
    } else {
      bytes.push(encoded.charCodeAt(i) & 0xff);
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** What a caller is told of an error that a handler did not choose; the log has all of it. */
export function internalError(method: string, error: unknown, { log }: Pick<Observations, "log">): RpcError {
  const isError = error instanceof Error;
  log("error", "an RPC handler failed", { method, error: isError ? (error.stack ?? error.message) : String(error) });
  return new RpcError("INTERNAL", isError ? error.message : String(error));
}
