/** Object storage in S3, or what speaks like it. Ranges of objects, listings by pages; see `s3-uploads.ts` for what goes in. */
import { compareText } from "@pleiad/model";
import { BucketError, checkKey, keyFault, type Bucket, type ObjectAttributes, type PutOptions } from "@pleiad/ports";
import { partsOf } from "./body-parts.ts";
import { defaultS3Transfer, type S3BucketOptions, type S3BucketPorts } from "./s3-options.ts";
import { createS3Requests, plainEtag } from "./s3-requests.ts";
import { createS3Uploads } from "./s3-uploads.ts";

export function createS3Bucket(options: S3BucketOptions, ports: S3BucketPorts): Bucket {
  const { bucket: name, transfer = defaultS3Transfer } = options;
  const { clock } = ports;
  const requests = createS3Requests(options, ports);
  const { ask, head, attributes } = requests;
  const { putWhole, putInParts } = createS3Uploads(name, transfer, requests, ports);

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
    const sdk = await requests.commands();
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
      const sdk = await requests.commands();
      await ask<object>(
        { key, signal },
        (client, abortSignal) => client.send(new sdk.DeleteObjectCommand({ Bucket: name, Key: key }), { abortSignal }),
        async ({ kind }) => (kind === "not-found" ? {} : undefined),
      );
    },
    async *list(prefix, { after, delimiter, signal } = {}) {
      const sdk = await requests.commands();
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
