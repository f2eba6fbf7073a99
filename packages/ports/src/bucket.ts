export interface ObjectAttributes {
  readonly sizeBytes: number;
  readonly etag: string;
  readonly modifiedMs: number;
}

export type BucketErrorKind =
  | "not-found"
  | "access-denied"
  | "precondition"
  | "throttled"
  | "unavailable"
  | "full"
  | "timeout"
  | "corrupt"
  | "invalid-key";

/** What a Bucket throws. */
export class BucketError extends Error {
  readonly kind: BucketErrorKind;
  readonly key: string;

  constructor(kind: BucketErrorKind, key: string, message: string) {
    super(`${kind}: ${key}: ${message}`);
    this.name = "BucketError";
    this.kind = kind;
    this.key = key;
  }

  /** Whether the operation may have happened all the same: the caller must be able to repeat it. */
  get ambiguous(): boolean {
    return this.kind === "timeout" || this.kind === "unavailable" || this.kind === "full";
  }
}

export interface PutOptions {
  /** Fails with kind "precondition" if the key is taken. */
  readonly ifAbsent?: boolean;
  readonly signal?: AbortSignal;
}

export interface ListOptions {
  /** Only keys after this one, in byte order. */
  readonly after?: string;
  /** Keys up to and including the next delimiter after the prefix are folded into one entry that ends in it. */
  readonly delimiter?: "/";
  readonly signal?: AbortSignal;
}

/**
 * Object storage. Keys are `/`-separated texts of 1..1024 bytes, without empty, `.` and `..` segments. An object is
 * there whole or not at all; a put is seen by every later get and list. `runBucketAcceptance` is the specification.
 */
export interface Bucket {
  readonly name: string;
  /** The body is read to its end before this resolves and not kept. */
  put(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options?: PutOptions): Promise<ObjectAttributes>;
  /** The object, or `length` bytes of it from `offset` (fewer at its end). The result belongs to the caller. */
  get(
    key: string,
    range?: { readonly offset: number; readonly length: number },
    signal?: AbortSignal,
  ): Promise<Uint8Array>;
  attributes(key: string, signal?: AbortSignal): Promise<ObjectAttributes>;
  /** Keys with the prefix in byte order. */
  list(prefix: string, options?: ListOptions): AsyncIterable<string>;
  /** Fine if there is no such object. */
  delete(key: string, signal?: AbortSignal): Promise<void>;
}
