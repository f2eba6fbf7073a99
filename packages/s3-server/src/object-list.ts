/** Listings of a bucket, both versions that clients ask for: pages of keys and of prefixes that keys share. */
import { BucketError } from "@pleiad/ports";
import type { ObjectShelf, StoredObject } from "./object-shelf.ts";
import { S3Error } from "./s3-error.ts";
import { encodePart } from "./signature.ts";
import type { XmlElement } from "./xml.ts";

const keysPerPageMax = 1000;
const lookupsAtOnce = 16;

/** The answer to a listing by its query. */
export async function listObjects(
  shelf: ObjectShelf,
  bucketName: string,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<XmlElement> {
  const version = query.get("list-type") === "2" ? 2 : 1;
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  if (delimiter !== "" && delimiter !== "/")
    throw new S3Error("NotImplemented", "The delimiter is / here, and no other.");
  const keysMax = parsePageSize(query.get("max-keys"));
  const encodingType = query.get("encoding-type");
  if (encodingType !== null && encodingType !== "url") {
    throw new S3Error("InvalidArgument", "The encoding-type is url, and no other.");
  }
  const encode = (text: string) => (encodingType === "url" ? encodePart(text, true) : text);
  const token = query.get("continuation-token");
  const startAfter = query.get("start-after") ?? "";
  const marker = query.get("marker") ?? "";
  const after = version === 1 ? marker : token === null ? startAfter : decodeToken(token);

  const entries: string[] = [];
  let isTruncated = false;
  if (keysMax > 0) {
    for await (const entry of shelf.bucket.list(prefix, {
      after,
      signal,
      ...(delimiter === "/" ? { delimiter } : {}),
    })) {
      if (entries.length === keysMax) {
        isTruncated = true;
        break;
      }
      entries.push(entry);
    }
  }
  const isFolded = (entry: string) => delimiter !== "" && entry.endsWith(delimiter);
  const objects = await findAll(
    shelf,
    entries.filter((entry) => !isFolded(entry)),
    signal,
  );
  const last = entries.at(-1) ?? "";

  const page: XmlElement[] = [
    ["Name", bucketName],
    ["Prefix", encode(prefix)],
    ["MaxKeys", keysMax],
    ["IsTruncated", isTruncated],
  ];
  if (delimiter !== "") page.push(["Delimiter", encode(delimiter)]);
  if (encodingType !== null) page.push(["EncodingType", encodingType]);
  if (version === 1) {
    page.push(["Marker", encode(marker)]);
    if (isTruncated) page.push(["NextMarker", encode(last)]);
  } else {
    page.push(["KeyCount", entries.length]);
    if (startAfter !== "") page.push(["StartAfter", encode(startAfter)]);
    if (token !== null) page.push(["ContinuationToken", token]);
    if (isTruncated) page.push(["NextContinuationToken", encodeToken(last)]);
  }
  for (const [key, { etag, sizeBytes, modifiedMs }] of objects) {
    page.push([
      "Contents",
      [
        ["Key", encode(key)],
        ["LastModified", new Date(modifiedMs).toISOString()],
        ["ETag", `"${etag}"`],
        ["Size", sizeBytes],
        ["StorageClass", "STANDARD"],
      ],
    ]);
  }
  for (const entry of entries.filter(isFolded)) page.push(["CommonPrefixes", [["Prefix", encode(entry)]]]);
  return ["ListBucketResult", page];
}

/** A number of entries of a page, 0 to 1000; more are cut, as S3 does. Throws S3Error InvalidArgument. */
export function parsePageSize(text: string | null): number {
  if (text === null || text === "") return keysPerPageMax;
  if (!/^\d{1,10}$/.test(text)) throw new S3Error("InvalidArgument", "The size of a page must be a whole number.");
  return Math.min(Number(text), keysPerPageMax);
}

/** What the keys hold, in their order; keys that have gone meanwhile are left out. */
async function findAll(shelf: ObjectShelf, keys: readonly string[], signal: AbortSignal) {
  const found: (readonly [string, StoredObject])[] = [];
  for (let at = 0; at < keys.length; at += lookupsAtOnce) {
    const objects = await Promise.all(
      keys.slice(at, at + lookupsAtOnce).map(async (key) => {
        try {
          return [key, await shelf.find(key, signal)] as const;
        } catch (error) {
          if (error instanceof BucketError && error.kind === "not-found") return undefined;
          throw error;
        }
      }),
    );
    found.push(...objects.filter((one) => one !== undefined));
  }
  return found;
}

// A token is the last entry of the page before. It is not said what it is, so clients must not make their own.
function encodeToken(entry: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(`1${entry}`)));
}

function decodeToken(token: string): string {
  try {
    const bytes = Uint8Array.from(atob(token), (character) => character.charCodeAt(0));
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (text.startsWith("1")) return text.slice(1);
  } catch {
    // Said below, as for every token that is not ours.
  }
  throw new S3Error("InvalidArgument", "The continuation token provided is incorrect.");
}
