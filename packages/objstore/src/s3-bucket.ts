/**
 * Object storage in S3, or what speaks like it, by the SDK of AWS, which is loaded at the first request.
 *
 * Objects up to a part's size are put at once, larger ones and bodies of unknown length in parts. Requests are repeated
 * here and not in the SDK, as only here it is known what a repetition may find: an answer that was lost may have been a
 * success. Whatever must not happen twice therefore carries a mark by which it is known again.
 */
import { createHash } from "node:crypto";
import type { CompletedPart, S3Client } from "@aws-sdk/client-s3";
import { compareText } from "@pleiad/model";
import {
  BucketError,
  checkKey,
  keyFault,
  type Bucket,
  type Clock,
  type FileSystem,
  type ObjectAttributes,
  type Observations,
  type PutOptions,
  type Random,
} from "@pleiad/ports";
import { partsOf } from "./body-parts.ts";
import { withPatience } from "./patience.ts";
import { retry, type RetryOptions } from "./retry.ts";
import { s3FailureOf, type S3Failure } from "./s3-failure.ts";
import { tlsAgentOptions, type S3Tls, type TlsAgentOptions } from "./s3-tls.ts";

export interface S3BucketOptions {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string; // a URL; AWS's own, if not given
  readonly pathStyle?: boolean; // the bucket in the path, not in the host
  /** If not given, the SDK looks for one: environment, files, the identity of a pod or a machine. */
  readonly credential?: { readonly accessKey: string; readonly secretKey: string; readonly sessionToken?: string };
  readonly transfer?: S3Transfer;
  /** Of an endpoint over HTTPS. */
  readonly tls?: S3Tls;
}

/** How requests are made. At most `partBytes * (partsAtOnce + 1)` of a body are held. */
export interface S3Transfer extends RetryOptions {
  readonly partBytes: number; // S3 takes 5 MiB and more, 10,000 of them
  readonly partsAtOnce: number;
  readonly connectionsMax: number;
  readonly connectMs: number;
  /** An attempt has this long, and beside it the time that its bytes take at the slowest speed. */
  readonly answerMs: number;
  readonly bytesPerSecondMin: number;
  /** Whether bodies have their MD5 with them. The signature holds their SHA-256 already: it is for servers that want both. */
  readonly sendsMd5: boolean;
}

export const defaultS3Transfer: S3Transfer = {
  attempts: 5,
  pauseMs: 200,
  pauseMsMax: 10_000,
  partBytes: 16 * 2 ** 20,
  partsAtOnce: 3,
  connectionsMax: 64,
  connectMs: 5_000,
  answerMs: 30_000,
  bytesPerSecondMin: 131_072,
  sendsMd5: false,
};

export interface S3BucketPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly observations: Pick<Observations, "log">;
  /** For the files that TLS needs. */
  readonly files: Pick<FileSystem, "readFile">;
}

const markName = "pleiad-put";
const abortMs = 10_000;

export function createS3Bucket(options: S3BucketOptions, ports: S3BucketPorts): Bucket {
  const { bucket: name, transfer = defaultS3Transfer } = options;
  const { clock, random, observations } = ports;
  let loading: ReturnType<typeof load> | undefined;
  let knowsIfNoneMatch = true;
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

  interface Asking {
    readonly key: string;
    readonly bytes?: number; // that the request or its answer moves
    readonly signal?: AbortSignal | undefined;
  }

  /** One request with its repetitions. `recover` may turn a failure into an answer, told whether an attempt was lost. */
  const ask = async <T>(
    { key, bytes = 0, signal }: Asking,
    act: (client: S3Client, signal: AbortSignal, allow: (bytes: number) => void) => Promise<T>,
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

  const head = async (key: string, signal: AbortSignal | undefined) => {
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

  const newMark = () => Array.from({ length: 32 }, () => random.int(16).toString(16)).join("");
  /** The object's etag, if it is the one that this mark was put with. */
  const etagIfMarked = async (key: string, mark: string, signal: AbortSignal | undefined) => {
    try {
      const { Metadata, ETag } = await head(key, signal);
      return Metadata?.[markName] === mark ? { ETag } : undefined;
    } catch (error) {
      if (error instanceof BucketError && error.kind === "not-found") return undefined;
      throw error;
    }
  };

  /** Asks with If-None-Match; of a server that does not know it, looks first and then asks without. */
  const ifAbsent = async <T>(
    key: string,
    signal: AbortSignal | undefined,
    act: (condition: { readonly IfNoneMatch?: "*" }) => Promise<T>,
  ): Promise<T> => {
    if (knowsIfNoneMatch) {
      try {
        return await act({ IfNoneMatch: "*" });
      } catch (error) {
        const isUnknown = error instanceof BucketError && s3FailureOf(error.cause).status === 501;
        if (!isUnknown) throw error;
        knowsIfNoneMatch = false;
        observations.log("warn", "The bucket does not know conditional writes: two writers at once may both win.", {
          bucket: name,
        });
      }
    }
    if (await exists(key, signal)) throw new BucketError("precondition", key, "there is such an object");
    return act({});
  };

  const md5Of = (bytes: Uint8Array) =>
    transfer.sendsMd5 ? { ContentMD5: createHash("md5").update(bytes).digest("base64") } : {};

  const putWhole = async (key: string, body: Uint8Array, isIfAbsent: boolean, signal: AbortSignal | undefined) => {
    const { sdk } = await loaded();
    const md5 = md5Of(body);
    const mark = isIfAbsent ? newMark() : undefined;
    const act = (condition: { readonly IfNoneMatch?: "*" }) =>
      ask<{ readonly ETag?: string | undefined }>(
        { key, bytes: body.length, signal },
        (client, abortSignal) =>
          client.send(
            new sdk.PutObjectCommand({
              Bucket: name,
              Key: key,
              Body: body,
              ContentLength: body.length,
              ...md5,
              ...condition,
              ...(mark === undefined ? {} : { Metadata: { [markName]: mark } }),
            }),
            { abortSignal },
          ),
        async ({ kind }, wasLost) =>
          kind === "precondition" && wasLost && mark !== undefined ? etagIfMarked(key, mark, signal) : undefined,
      );
    return isIfAbsent ? ifAbsent(key, signal, act) : act({});
  };

  /** Sends the parts as they come, a few at once; whatever fails, nothing is left behind that costs money. */
  const putInParts = async (
    key: string,
    parts: AsyncIterable<Uint8Array>,
    isIfAbsent: boolean,
    signal: AbortSignal | undefined,
  ) => {
    const { sdk } = await loaded();
    const mark = newMark();
    const { UploadId } = await ask({ key, signal }, (client, abortSignal) =>
      client.send(new sdk.CreateMultipartUploadCommand({ Bucket: name, Key: key, Metadata: { [markName]: mark } }), {
        abortSignal,
      }),
    );
    const stopping = new AbortController();
    const partSignal = signal === undefined ? stopping.signal : AbortSignal.any([signal, stopping.signal]);
    const sendPart = (PartNumber: number, body: Uint8Array) =>
      ask({ key, bytes: body.length, signal: partSignal }, async (client, abortSignal): Promise<CompletedPart> => {
        const upload = { Bucket: name, Key: key, UploadId, PartNumber, Body: body, ...md5Of(body) };
        const { ETag } = await client.send(new sdk.UploadPartCommand(upload), { abortSignal });
        return { ETag, PartNumber };
      });
    const running = new Set<Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    try {
      const sent: CompletedPart[] = [];
      let partCount = 0;
      for await (const part of parts) {
        const number = ++partCount;
        const sending = sendPart(number, part)
          .then(
            (completed) => {
              sent[number - 1] = completed;
            },
            (error: unknown) => {
              failure ??= { error };
            },
          )
          .finally(() => running.delete(sending));
        running.add(sending);
        if (running.size >= transfer.partsAtOnce) await Promise.race(running);
        if (failure !== undefined) throw failure.error;
      }
      await Promise.all(running);
      if (failure !== undefined) throw failure.error;
      const complete = (condition: { readonly IfNoneMatch?: "*" }) =>
        ask<{ readonly ETag?: string | undefined }>(
          // The server puts the parts together meanwhile.
          { key, bytes: partCount * transfer.partBytes, signal },
          (client, abortSignal) =>
            client.send(
              new sdk.CompleteMultipartUploadCommand({
                Bucket: name,
                Key: key,
                UploadId,
                MultipartUpload: { Parts: sent },
                ...condition,
              }),
              { abortSignal },
            ),
          async ({ kind, code }, wasLost) =>
            wasLost && (code === "NoSuchUpload" || kind === "precondition" || kind === "not-found")
              ? etagIfMarked(key, mark, signal)
              : undefined,
        );
      return await (isIfAbsent ? ifAbsent(key, signal, complete) : complete({}));
    } catch (error) {
      stopping.abort(error);
      await Promise.all(running);
      await abortUpload(key, UploadId);
      throw error;
    }
  };

  /** Under a signal of its own, as the caller's may have ended the upload. */
  const abortUpload = async (key: string, UploadId: string | undefined) => {
    const { sdk, client } = await loaded();
    try {
      await withPatience(clock, abortMs, undefined, (abortSignal) =>
        client.send(new sdk.AbortMultipartUploadCommand({ Bucket: name, Key: key, UploadId }), { abortSignal }),
      );
    } catch (error) {
      // It costs room until the bucket's own rules remove it, and the failure before is the one to tell.
      observations.log("warn", "An upload in parts could not be aborted.", { key, reason: s3FailureOf(error).message });
    }
  };

  const put = async (
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent: isIfAbsent = false, signal }: PutOptions = {},
  ): Promise<ObjectAttributes> => {
    checkKey(key);
    signal?.throwIfAborted();
    let sizeBytes = 0;
    const parts = partsOf(body, transfer.partBytes);
    try {
      const first = (await parts.next()).value ?? new Uint8Array(0);
      const second = await parts.next();
      let ETag: string | undefined;
      if (second.done === true) {
        sizeBytes = first.length;
        ({ ETag } = await putWhole(key, first, isIfAbsent, signal));
      } else {
        async function* counted(start: readonly Uint8Array[]) {
          for (const part of start) {
            sizeBytes += part.length;
            yield part;
          }
          for await (const part of parts) {
            sizeBytes += part.length;
            yield part;
          }
        }
        ({ ETag } = await putInParts(key, counted([first, second.value]), isIfAbsent, signal));
      }
      return await attributesOfPut(key, plainEtag(ETag), sizeBytes, signal);
    } finally {
      await parts.return();
    }
  };

  /** The answer to a put has no time of it. What was put is there, whatever becomes of this second look. */
  const attributesOfPut = async (key: string, etag: string, sizeBytes: number, signal: AbortSignal | undefined) => {
    const found = await attributes(key, signal).catch(() => undefined);
    return found?.etag === etag ? found : { sizeBytes, etag, modifiedMs: clock.wallMs() };
  };

  const get = async (
    key: string,
    range: { readonly offset: number; readonly length: number } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> => {
    checkKey(key);
    if (range !== undefined && range.length <= 0) {
      await head(key, signal);
      return new Uint8Array(0);
    }
    const { sdk } = await loaded();
    const Range = range === undefined ? undefined : `bytes=${range.offset}-${range.offset + range.length - 1}`;
    return ask(
      { key, bytes: range?.length ?? 0, signal },
      async (client, abortSignal, allow) => {
        const query = { Bucket: name, Key: key, Range };
        const { Body, ContentLength = 0 } = await client.send(new sdk.GetObjectCommand(query), { abortSignal });
        if (range !== undefined && ContentLength > range.length) {
          (Body as { destroy?(): void } | undefined)?.destroy?.();
          throw new BucketError("corrupt", key, `${ContentLength} bytes for a range of ${range.length}`);
        }
        allow(ContentLength);
        return readStream(key, Body, ContentLength, abortSignal);
      },
      async ({ status }) => (status === 416 ? new Uint8Array(0) : undefined),
    );
  };

  return {
    name,
    put,
    get,
    attributes: async (key, signal) => {
      checkKey(key);
      return attributes(key, signal);
    },
    delete: async (key, signal) => {
      checkKey(key);
      const { sdk } = await loaded();
      await ask<object>(
        { key, signal },
        (client, abortSignal) => client.send(new sdk.DeleteObjectCommand({ Bucket: name, Key: key }), { abortSignal }),
        async ({ kind }) => (kind === "not-found" ? {} : undefined),
      );
    },
    async *list(prefix, { after, delimiter, signal } = {}) {
      const { sdk } = await loaded();
      let ContinuationToken: string | undefined;
      do {
        const query = {
          Bucket: name,
          Prefix: prefix,
          ContinuationToken,
          ...(after === undefined ? {} : { StartAfter: after }),
          ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
        };
        const page = await ask({ key: prefix, signal }, (client, abortSignal) =>
          client.send(new sdk.ListObjectsV2Command(query), { abortSignal }),
        );
        // A key that ends in a slash is how some tools make folders: it is no object here.
        const keys = (page.Contents ?? []).map(({ Key = "" }) => Key).filter((key) => keyFault(key) === undefined);
        const folds = (page.CommonPrefixes ?? []).map(({ Prefix = "" }) => Prefix);
        for (const entry of [...keys, ...folds].sort(compareText)) if (entry !== after) yield entry;
        const next = page.IsTruncated === true ? (page.NextContinuationToken ?? "") : undefined;
        // A list that ended here would be taken for the whole, and what is missing in it for deleted.
        if (next !== undefined && (next === "" || next === ContinuationToken)) {
          throw new BucketError("unavailable", prefix, "a page of the list has no end and no next page");
        }
        ContinuationToken = next;
      } while (ContinuationToken !== undefined);
    },
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

/** Throws BucketError "unavailable" for a body that broke off. */
async function readStream(key: string, body: unknown, sizeBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const stream = body as AsyncIterable<Uint8Array> & { destroy?(error?: Error): void };
  const onAbort = () => stream.destroy?.(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const bytes = new Uint8Array(sizeBytes);
    let fill = 0;
    for await (const part of stream) {
      if (fill + part.length > sizeBytes) throw new BucketError("corrupt", key, "a longer body than was announced");
      bytes.set(part, fill);
      fill += part.length;
    }
    if (fill < sizeBytes)
      throw new BucketError("unavailable", key, `the body broke off at ${fill} of ${sizeBytes} bytes`);
    return bytes;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Of what this driver found out itself. */
function failureOfBucketError({ kind, message }: BucketError): S3Failure {
  return { kind, code: kind, status: undefined, isRetryable: kind === "unavailable" || kind === "timeout", message };
}

function plainEtag(etag: string | undefined): string {
  return (etag ?? "").replace(/^"(.*)"$/, "$1");
}
