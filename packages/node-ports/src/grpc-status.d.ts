import { RpcError, type RpcCode } from "@pleiad/ports";
/** The number of each status; OK, which is no error, is 0. */
export declare const grpcStatusCodes: {
  readonly CANCELLED: 1;
  readonly UNKNOWN: 2;
  readonly INVALID_ARGUMENT: 3;
  readonly DEADLINE_EXCEEDED: 4;
  readonly NOT_FOUND: 5;
  readonly ALREADY_EXISTS: 6;
  readonly PERMISSION_DENIED: 7;
  readonly RESOURCE_EXHAUSTED: 8;
  readonly FAILED_PRECONDITION: 9;
  readonly ABORTED: 10;
  readonly OUT_OF_RANGE: 11;
  readonly UNIMPLEMENTED: 12;
  readonly INTERNAL: 13;
  readonly UNAVAILABLE: 14;
  readonly DATA_LOSS: 15;
  readonly UNAUTHENTICATED: 16;
};
/** The name of a status that is not 0; a number that the specification does not know is UNKNOWN. */
export declare function rpcCodeOf(status: number): RpcCode;
/** The code for an HTTP answer without a gRPC status, from a proxy for instance. */
export declare function rpcCodeOfHttpStatus(status: number): RpcCode;
/** The code for a stream that the peer reset with this HTTP/2 error. */
export declare function rpcCodeOfReset(http2Code: number): RpcCode;
/** What an aborted signal means to the call that it ends: a passed deadline, or else a cancellation. */
export declare function abortError(signal: AbortSignal): RpcError;
/** Percent-encodes what the `grpc-message` trailer cannot hold: all but printable ASCII, and `%`. */
export declare function encodeGrpcMessage(message: string): string;
/** The text of a `grpc-message`. What is wrongly encoded is kept as it came, as the specification asks. */
export declare function decodeGrpcMessage(encoded: string): string;
