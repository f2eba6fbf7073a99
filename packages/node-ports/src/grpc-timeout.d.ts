/** The `grpc-timeout` header: up to eight digits and a unit. */
/** The span as a header value, rounded up to what the header can say; undefined for a call without a deadline. */
export declare function formatGrpcTimeout(spanMs: number): string | undefined;
/** The span in milliseconds; undefined if the value is malformed. */
export declare function parseGrpcTimeout(value: string): number | undefined;
