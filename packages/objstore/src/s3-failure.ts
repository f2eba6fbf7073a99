/** What the failures of an S3 request are to the `Bucket` port, and whether asking again may help. */
import type { BucketErrorKind } from "@pleiad/ports";

export interface S3Failure {
  readonly kind: BucketErrorKind;
  readonly code: string; // S3's name for it, or the system's
  readonly status: number | undefined; // undefined without an answer
  readonly isRetryable: boolean;
  readonly message: string;
}

type Meaning = readonly [kind: BucketErrorKind, then: "retry" | "give up"];

/** By S3's code first, as one status has many. */
const meaningOfCode: Readonly<Record<string, Meaning>> = {
  BadDigest: ["corrupt", "retry"], // damaged on its way
  ConditionalRequestConflict: ["throttled", "retry"], // another writer is not done yet
  CredentialsProviderError: ["access-denied", "give up"],
  // The SDK calls these timeouts; but somebody did close the connection.
  ECONNRESET: ["unavailable", "retry"],
  EPIPE: ["unavailable", "retry"],
  ExpiredToken: ["access-denied", "retry"], // the next request has a new one
  IncompleteBody: ["unavailable", "retry"],
  InvalidDigest: ["corrupt", "give up"],
  InvalidToken: ["access-denied", "give up"],
  InvalidURI: ["invalid-key", "give up"],
  KeyTooLongError: ["invalid-key", "give up"],
  // Not "not-found": a bucket that is missing is no bucket without objects.
  NoSuchBucket: ["unavailable", "give up"],
  OperationAborted: ["throttled", "retry"],
  RequestTimeTooSkewed: ["access-denied", "retry"], // the client has learnt the server's time from the refusal
  RequestTimeout: ["timeout", "retry"],
  SlowDown: ["throttled", "retry"],
  TimeoutError: ["timeout", "retry"],
  XAmzContentSHA256Mismatch: ["corrupt", "retry"],
};

const meaningOfStatus: Readonly<Record<number, Meaning>> = {
  401: ["access-denied", "give up"],
  403: ["access-denied", "give up"],
  404: ["not-found", "give up"],
  408: ["timeout", "retry"],
  409: ["throttled", "retry"],
  412: ["precondition", "give up"],
  429: ["throttled", "retry"],
  504: ["timeout", "retry"],
  507: ["full", "give up"],
};

/** Also of what never reached the server. */
export function s3FailureOf(error: unknown): S3Failure {
  const { name, code, message, $metadata } = fieldsOf(error);
  const status = $metadata?.httpStatusCode;
  const known = [code, name].find((one) => one !== undefined && Object.hasOwn(meaningOfCode, one));
  const meaning: Meaning =
    (known === undefined ? undefined : meaningOfCode[known]) ??
    (status === undefined ? undefined : meaningOfStatus[status]) ??
    // A status of success with a failure is an answer that broke off, or that nobody understands.
    (status === undefined || status >= 500 || status < 400 ? ["unavailable", "retry"] : ["unavailable", "give up"]);
  const isRetryable = meaning[1] === "retry" && status !== 501;
  const told = known ?? (name === "Error" ? code : name) ?? "Error";
  return { kind: meaning[0], code: told, status, isRetryable, message: `${told}: ${message}` };
}

interface ErrorFields {
  readonly name: string | undefined;
  readonly code: string | undefined;
  readonly message: string;
  readonly $metadata: { readonly httpStatusCode?: number } | undefined;
}

function fieldsOf(error: unknown): ErrorFields {
  if (!(error instanceof Error))
    return { name: undefined, code: undefined, message: String(error), $metadata: undefined };
  const { code, $metadata } = error as { code?: unknown; $metadata?: { readonly httpStatusCode?: number } };
  return { name: error.name, code: typeof code === "string" ? code : undefined, message: error.message, $metadata };
}
