/** The bounds and times of HTTP, both ends. */
export interface HttpLimits {
  readonly connectionsMax: number; // of one server
  readonly requestBodyBytesMax: number; // over it: 413
  readonly headersTimeoutMs: number; // for a client to send its headers; over it: 408
  readonly requestTimeoutMs: number; // and its whole request
  readonly streamIdleTimeoutMs: number; // of a connection in streams, on which nothing moves either way
  readonly unreadBodyBytesMax: number; // of a stream that was refused; over it: the connection is closed
  readonly keepAliveTimeoutMs: number; // an idle connection is kept this long
  readonly gzipBytesMin: number; // shorter answers are not compressed
  readonly clientConnectionsPerHostMax: number;
  readonly clientConnectionsMax: number;
}

export const defaultHttpLimits: HttpLimits = {
  connectionsMax: 512,
  requestBodyBytesMax: 1_048_576,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  streamIdleTimeoutMs: 120_000,
  unreadBodyBytesMax: 67_108_864,
  keepAliveTimeoutMs: 75_000,
  gzipBytesMin: 1024,
  clientConnectionsPerHostMax: 64,
  clientConnectionsMax: 2048,
};
