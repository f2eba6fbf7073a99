/**
 * Objects on their way into a bucket in S3: at once up to a part's size, larger ones and bodies of unknown length in parts.
 * What must not happen twice carries a mark by which it is known again.
 */
import { createHash } from "node:crypto";
import type { CompletedPart } from "@aws-sdk/client-s3";
import { BucketError } from "@pleiad/ports";
import { withPatience } from "./patience.ts";
import { s3FailureOf } from "./s3-failure.ts";
import type { S3BucketPorts, S3Transfer } from "./s3-options.ts";
import type { S3Requests } from "./s3-requests.ts";

export interface S3Uploads {
  /** The etag as the server gave it. Throws BucketError: "precondition" where `isIfAbsent` and there is such an object. */
  readonly putWhole: (
    key: string,
    body: Uint8Array,
    isIfAbsent: boolean,
    signal: AbortSignal | undefined,
  ) => Promise<S3Put>;
  /** Sends the parts as they come, a few at once; whatever fails, nothing is left behind that costs money. */
  readonly putInParts: (
    key: string,
    parts: AsyncIterable<Uint8Array>,
    isIfAbsent: boolean,
    signal: AbortSignal | undefined,
  ) => Promise<S3Put>;
}

export interface S3Put {
  readonly ETag?: string | undefined;
}

const markName = "pleiad-put";
const abortMs = 10_000;

export function createS3Uploads(
  name: string,
  transfer: S3Transfer,
  requests: S3Requests,
  { clock, random, observations }: S3BucketPorts,
): S3Uploads {
  const { ask, head, exists } = requests;
  let knowsIfNoneMatch = true;

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
    const sdk = await requests.commands();
    const md5 = md5Of(body);
    const mark = isIfAbsent ? newMark() : undefined;
    const act = (condition: { readonly IfNoneMatch?: "*" }) =>
      ask<S3Put>(
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

  const putInParts = async (
    key: string,
    parts: AsyncIterable<Uint8Array>,
    isIfAbsent: boolean,
    signal: AbortSignal | undefined,
  ) => {
    const sdk = await requests.commands();
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
        ask<S3Put>(
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
    const [sdk, client] = [await requests.commands(), await requests.client()];
    try {
      await withPatience(clock, abortMs, undefined, (abortSignal) =>
        client.send(new sdk.AbortMultipartUploadCommand({ Bucket: name, Key: key, UploadId }), { abortSignal }),
      );
    } catch (error) {
      // It costs room until the bucket's own rules remove it, and the failure before is the one to tell.
      observations.log("warn", "An upload in parts could not be aborted.", { key, reason: s3FailureOf(error).message });
    }
  };

  return { putWhole, putInParts };
}
