/** What an S3 server refuses, under S3's own codes. */
import { BucketError, type BucketErrorKind } from "@pleiad/ports";

const statusOf = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IncompleteBody: 400,
  InsufficientStorage: 507,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchUpload: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  RequestTimeout: 400,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
  XAmzContentSHA256Mismatch: 400,
} as const satisfies Record<string, number>;

export type S3ErrorCode = keyof typeof statusOf;

export function isS3ErrorCode(text: string): text is S3ErrorCode {
  return Object.hasOwn(statusOf, text);
}

export class S3Error extends Error {
  readonly code: S3ErrorCode;
  readonly status: number;

  constructor(code: S3ErrorCode, message: string) {
    super(message);
    this.name = "S3Error";
    this.code = code;
    this.status = statusOf[code];
  }
}

/** What a failure of the bucket is to a client of S3; undefined for what is not the bucket's. */
export function fromBucketError(error: unknown): S3Error | undefined {
  if (!(error instanceof BucketError)) return undefined;
  if (error.kind === "invalid-key" && /limit \d+$|file name holds/.test(error.message)) {
    return new S3Error("KeyTooLongError", error.message);
  }
  return new S3Error(codeOfKind[error.kind], error.message);
}

const codeOfKind = {
  "not-found": "NoSuchKey",
  "access-denied": "AccessDenied",
  precondition: "PreconditionFailed",
  throttled: "SlowDown",
  unavailable: "ServiceUnavailable",
  // No code of AWS, whose disks are never full: by its status alone a client knows not to ask again at once.
  full: "InsufficientStorage",
  timeout: "ServiceUnavailable",
  corrupt: "InternalError",
  "invalid-key": "InvalidURI",
} as const satisfies Record<BucketErrorKind, S3ErrorCode>;
