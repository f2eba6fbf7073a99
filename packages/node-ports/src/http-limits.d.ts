/** The bounds and times of HTTP, both ends. */
export interface HttpLimits {
  readonly connectionsMax: number;
  readonly requestBodyBytesMax: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly gzipBytesMin: number;
  readonly clientConnectionsPerHostMax: number;
  readonly clientConnectionsMax: number;
}
export declare const defaultHttpLimits: HttpLimits;
