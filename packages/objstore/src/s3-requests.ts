/**
 * Requests to one bucket in S3, by the SDK of AWS, which is loaded at the first of them. They are repeated here and not in
 * the SDK, as only here it is known what a repetition may find: an answer that was lost may have been a success.
 */
import type { S3Client } from "@aws-sdk/client-s3";
import { BucketError, type ObjectAttributes } from "@pleiad/ports";
import { withPatience } from "./patience.ts";
import { retry } from "./retry.ts";
import { s3FailureOf, type S3Failure } from "./s3-failure.ts";
import { defaultS3Transfer, type S3BucketOptions, type S3BucketPorts, type S3Transfer } from "./s3-options.ts";
import { tlsAgentOptions, type TlsAgentOptions } from "./s3-tls.ts";

export interface S3Asking {
  readonly key: string;
  readonly bytes?: number; // that the request or its answer moves
  readonly signal?: AbortSignal | undefined;
}

/** One attempt; `allow` gives it the time that so many bytes take. */
export type S3Act<T> = (client: S3Client, signal: AbortSignal, allow: (bytes: number) => void) => Promise<T>;

export interface S3Requests {
  /** The commands of the SDK. */
  readonly commands: () => Promise<typeof import("@aws-sdk/client-s3")>;
  readonly client: () => Promise<S3Client>;
  /** One request with its repetitions. `recover` may turn a failure into an answer, told whether an attempt was lost. */
  readonly ask: <T>(
    asking: S3Asking,
    act: S3Act<T>,
    recover?: (failure: S3Failure, wasLost: boolean) => Promise<T | undefined>,
  ) => Promise<T>;
  /** What the server says of an object, without its bytes. Throws BucketError, also "not-found". */
  readonly head: (key: string, signal: AbortSignal | undefined) => Promise<S3Head>;
  readonly attributes: (key: string, signal: AbortSignal | undefined) => Promise<ObjectAttributes>;
  readonly exists: (key: string, signal: AbortSignal | undefined) => Promise<boolean>;
}

export interface S3Head {
  readonly ContentLength?: number | undefined;
  readonly ETag?: string | undefined;
  readonly LastModified?: Date | undefined;
  readonly Metadata?: Readonly<Record<string, string>> | undefined;
}

export function createS3Requests(options: S3BucketOptions, ports: S3BucketPorts): S3Requests {
  const { bucket: name, transfer = defaultS3Transfer } = options;
  const { clock } = ports;
  let loading: ReturnType<typeof load> | undefined;
  let isBucketThere = false; // as far as answers have shown

  const load = async () => {
    const sdk = await import("@aws-sdk/client-s3");
    return {
      sdk,
      client: createClient(sdk.S3Client, options, transfer, await tlsAgentOptions(options.tls, ports.files)),
    };
  };
  /** A file that could not be read may be there at the next request. */
  const loaded = () =>
    (loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    }));

  const ask = async <T>(
    { key, bytes = 0, signal }: S3Asking,
    act: S3Act<T>,
    recover?: (failure: S3Failure, wasLost: boolean) => Promise<T | undefined>,
  ): Promise<T> => {
    signal?.throwIfAborted();
    const { client } = await loaded();
    const spanMsOf = (byteCount: number) => transfer.answerMs + (byteCount / transfer.bytesPerSecondMin) * 1000;
    let wasLost = false;
    return retry<T>(
      async () => {
        try {
          const value = await withPatience(clock, spanMsOf(bytes), signal, (attemptSignal, allow) =>
            act(client, attemptSignal, (byteCount) => allow(spanMsOf(byteCount))),
          );
          isBucketThere = true;
          return { kind: "done", value };
        } catch (error) {
          // The caller's own end is told as the caller has it.
          signal?.throwIfAborted();
          const failure = error instanceof BucketError ? failureOfBucketError(error) : s3FailureOf(error);
          const recovered = await recover?.(failure, wasLost);
          if (recovered !== undefined) return { kind: "done", value: recovered };
          const told = error instanceof BucketError ? error : new BucketError(failure.kind, key, failure.message);
          told.cause ??= error;
          wasLost ||= told.ambiguous;
          return { kind: failure.isRetryable ? "again" : "failed", error: told };
        }
      },
      transfer,
      ports,
      signal,
    );
  };

  const head = async (key: string, signal: AbortSignal | undefined): Promise<S3Head> => {
    const { sdk } = await loaded();
    return ask({ key, signal }, async (client, abortSignal) => {
      try {
        return await client.send(new sdk.HeadObjectCommand({ Bucket: name, Key: key }), { abortSignal });
      } catch (error) {
        // This answer has no body that could tell a missing object from a missing bucket.
        if (!isBucketThere && s3FailureOf(error).kind === "not-found") await checkBucket(client, key, abortSignal);
        throw error;
      }
    });
  };
  const checkBucket = async (client: S3Client, key: string, abortSignal: AbortSignal) => {
    const { sdk } = await loaded();
    try {
      await client.send(new sdk.HeadBucketCommand({ Bucket: name }), { abortSignal });
      isBucketThere = true;
    } catch (error) {
      if (s3FailureOf(error).kind !== "not-found") return; // some may not ask, and still use the bucket
      throw new BucketError("unavailable", key, `there is no bucket ${name}`);
    }
  };
  const attributes = async (key: string, signal: AbortSignal | undefined): Promise<ObjectAttributes> => {
    const { ContentLength = 0, ETag, LastModified } = await head(key, signal);
    return { sizeBytes: ContentLength, etag: plainEtag(ETag), modifiedMs: LastModified?.getTime() ?? 0 };
  };
  const exists = async (key: string, signal: AbortSignal | undefined) => {
    try {
      await head(key, signal);
      return true;
    } catch (error) {
      if (error instanceof BucketError && error.kind === "not-found") return false;
      throw error;
    }
  };

  return {
    commands: async () => (await loaded()).sdk,
    client: async () => (await loaded()).client,
    ...{ ask, head, attributes, exists },
  };
}

function createClient(
  Client: typeof S3Client,
  { endpoint, region, pathStyle = false, credential }: S3BucketOptions,
  { connectMs, connectionsMax }: S3Transfer,
  tls: TlsAgentOptions,
): S3Client {
  const agent = { keepAlive: true, maxSockets: connectionsMax };
  return new Client({
    region,
    forcePathStyle: pathStyle,
    maxAttempts: 1,
    // Further checksums than those that S3 has always had are unknown to many servers.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: connectMs, httpAgent: agent, httpsAgent: { ...agent, ...tls } },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credential === undefined
      ? {}
      : {
          credentials: {
            accessKeyId: credential.accessKey,
            secretAccessKey: credential.secretKey,
            ...(credential.sessionToken === undefined ? {} : { sessionToken: credential.sessionToken }),
          },
        }),
  });
}

/** Of what this driver found out itself. */
function failureOfBucketError({ kind, message }: BucketError): S3Failure {
  return { kind, code: kind, status: undefined, isRetryable: kind === "unavailable" || kind === "timeout", message };
}

/** Without the quotes that S3 puts around it. */
export function plainEtag(etag: string | undefined): string {
  return (etag ?? "").replace(/^"(.*)"$/, "$1");
}
