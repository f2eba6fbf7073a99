/**
 * The objects of one S3 bucket: their bytes in a `Bucket`, and what S3 keeps with them besides (type, own metadata, the
 * etag of what was uploaded in parts) in records beside it. A record names the version of the bytes that it belongs to,
 * so that one which a crash left behind, or somebody's direct write outdated, counts for nothing.
 */
import { createHash } from "node:crypto";
import { BucketError, type Bucket } from "@pleiad/ports";
import { checkWrite, type WriteCondition } from "./object-conditions.ts";
import type { Turns } from "./turns.ts";

/** What a client may say of an object, and gets back with it. */
export interface ObjectHeaders {
  readonly contentType: string;
  /** Sent back as they came: `cache-control`, `content-encoding` …, and the client's own as `x-amz-meta-…`. */
  readonly others: Readonly<Record<string, string>>;
}

export interface StoredObject {
  readonly sizeBytes: number;
  readonly etag: string; // without quotes
  readonly modifiedMs: number;
  readonly version: string; // of the bytes, as the bucket has it
  readonly headers: ObjectHeaders;
}

export interface ObjectWrite {
  readonly key: string;
  readonly parts: AsyncIterable<Uint8Array>;
  readonly headers: ObjectHeaders;
  readonly condition: WriteCondition;
  readonly etag?: string; // the bucket's own, if not given
  readonly signal: AbortSignal;
}

export interface ObjectShelf {
  readonly bucket: Bucket;
  /** Throws BucketError, also "not-found". */
  find(key: string, signal: AbortSignal): Promise<StoredObject>;
  /** Reads the parts to their end; only then are conditions looked at and the object changed. */
  write(write: ObjectWrite): Promise<StoredObject>;
  remove(key: string, signal: AbortSignal): Promise<void>;
}

export const defaultContentType = "binary/octet-stream";
const plainTypes = [defaultContentType, "application/octet-stream"];

interface ObjectRecord {
  readonly version: string;
  readonly etag: string;
  readonly contentType: string;
  readonly others: Readonly<Record<string, string>>;
}

/** `records` is a bucket for the records, `name` the S3 bucket's: several may share it. */
export function createObjectShelf(name: string, bucket: Bucket, records: Bucket, turns: Turns): ObjectShelf {
  const recordPrefix = `records/${name}/`;
  const recordKeyOf = (key: string) => `${recordPrefix}${createHash("sha256").update(key).digest("hex")}`;

  // Most objects have no record, and a list would look for each. Nobody else writes records.
  let listing: Promise<Set<string>> | undefined;
  const listRecords = async (): Promise<Set<string>> => {
    const keys = new Set<string>();
    for await (const key of records.list(recordPrefix)) keys.add(key);
    return keys;
  };
  const recordKeys = async (): Promise<Set<string>> => {
    listing ??= listRecords();
    try {
      return await listing;
    } catch (error) {
      listing = undefined;
      throw error;
    }
  };
  const removeRecord = async (recordKey: string) => {
    const keys = await recordKeys();
    if (!keys.has(recordKey)) return;
    await records.delete(recordKey);
    keys.delete(recordKey);
  };

  const readRecord = async (key: string, signal: AbortSignal): Promise<ObjectRecord | undefined> => {
    if (!(await recordKeys()).has(recordKeyOf(key))) return undefined;
    try {
      return parseRecord(await records.get(recordKeyOf(key), undefined, signal));
    } catch (error) {
      if (error instanceof BucketError && error.kind === "not-found") return undefined;
      throw error;
    }
  };

  const find = async (key: string, signal: AbortSignal): Promise<StoredObject> => {
    const { sizeBytes, modifiedMs, ...found } = await bucket.attributes(key, signal);
    const version = bareEtag(found.etag);
    const record = await readRecord(key, signal);
    const known = record?.version === version ? record : undefined;
    const headers = { contentType: known?.contentType ?? defaultContentType, others: known?.others ?? {} };
    return { sizeBytes, etag: known?.etag ?? version, modifiedMs, version, headers };
  };

  return {
    bucket,
    find,
    write: async ({ key, parts, headers, condition, etag, signal }) => {
      let endTurn: (() => void) | undefined;
      // The turn begins when all bytes are here, so that no client waits for another's connection.
      async function* thenCheck() {
        yield* parts;
        endTurn = await turns.take(`${name}/${key}`);
        if (condition.ifMatch !== undefined) checkWrite(condition, await find(key, signal).catch(undefinedIfMissing));
      }
      try {
        const written = await bucket.put(key, thenCheck(), { ifAbsent: condition.ifAbsent, signal });
        const { sizeBytes, modifiedMs } = written;
        const version = bareEtag(written.etag);
        const needsRecord =
          (etag ?? version) !== version ||
          !plainTypes.includes(headers.contentType) ||
          Object.keys(headers.others).length > 0;
        if (needsRecord) {
          const record: ObjectRecord = { version, etag: etag ?? version, ...headers };
          (await recordKeys()).add(recordKeyOf(key));
          await records.put(recordKeyOf(key), new TextEncoder().encode(JSON.stringify(record)));
        } else {
          await removeRecord(recordKeyOf(key));
        }
        return { sizeBytes, etag: etag ?? version, modifiedMs, version, headers };
      } finally {
        endTurn?.();
      }
    },
    remove: async (key, signal) => {
      const endTurn = await turns.take(`${name}/${key}`);
      try {
        await bucket.delete(key, signal);
        await removeRecord(recordKeyOf(key));
      } finally {
        endTurn();
      }
    },
  };
}

/** A bucket's etag without quotes, which S3 puts around it. */
export function bareEtag(etag: string): string {
  return etag.replaceAll('"', "");
}

function parseRecord(bytes: Uint8Array): ObjectRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { version, etag, contentType, others } = value as Partial<Record<keyof ObjectRecord, unknown>>;
  if (typeof version !== "string" || typeof etag !== "string" || typeof contentType !== "string") return undefined;
  return { version, etag, contentType, others: textsOf(others) };
}

function textsOf(value: unknown): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, text] of Object.entries(value ?? {})) if (typeof text === "string") texts[name] = text;
  return texts;
}

function undefinedIfMissing(error: unknown): undefined {
  if (!(error instanceof BucketError && error.kind === "not-found")) throw error;
}
