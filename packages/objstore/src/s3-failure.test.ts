import { expect, it } from "vitest";
import { s3FailureOf } from "./s3-failure.ts";

/** An error as the SDK throws it. */
const errorOf = (name: string, status?: number, code?: string) =>
  Object.assign(new Error("told"), {
    name,
    ...(code === undefined ? {} : { code }),
    ...(status === undefined ? {} : { $metadata: { httpStatusCode: status } }),
  });

it.each([
  [errorOf("NoSuchKey", 404), "not-found", false],
  [errorOf("NotFound", 404), "not-found", false],
  [errorOf("NoSuchBucket", 404), "unavailable", false],
  [errorOf("AccessDenied", 403), "access-denied", false],
  [errorOf("InvalidAccessKeyId", 403), "access-denied", false],
  [errorOf("RequestTimeTooSkewed", 403), "access-denied", true],
  [errorOf("ExpiredToken", 400), "access-denied", true],
  [errorOf("CredentialsProviderError"), "access-denied", false],
  [errorOf("PreconditionFailed", 412), "precondition", false],
  [errorOf("ConditionalRequestConflict", 409), "throttled", true],
  [errorOf("SlowDown", 503), "throttled", true],
  [errorOf("TooManyRequests", 429), "throttled", true],
  [errorOf("ServiceUnavailable", 503), "unavailable", true],
  [errorOf("InternalError", 500), "unavailable", true],
  [errorOf("NotImplemented", 501), "unavailable", false],
  [errorOf("Unknown", 502), "unavailable", true],
  [errorOf("GatewayTimeout", 504), "timeout", true],
  [errorOf("InsufficientStorage", 507), "full", false],
  [errorOf("RequestTimeout", 400), "timeout", true],
  [errorOf("BadDigest", 400), "corrupt", true],
  [errorOf("KeyTooLongError", 400), "invalid-key", false],
  [errorOf("InvalidRequest", 400), "unavailable", false],
  [errorOf("SyntaxError", 200), "unavailable", true],
  [errorOf("TimeoutError"), "timeout", true],
  [errorOf("TimeoutError", undefined, "ECONNRESET"), "unavailable", true],
  [errorOf("Error", undefined, "ECONNREFUSED"), "unavailable", true],
  [errorOf("Error", undefined, "ENOTFOUND"), "unavailable", true],
] as const)("%s is %s, worth another attempt: %s", (error, kind, isRetryable) => {
  expect(s3FailureOf(error)).toMatchObject({ kind, isRetryable });
});
