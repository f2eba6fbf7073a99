/** Operations on single objects. */
import { BucketError, type HttpResponse } from "@pleiad/ports";
import { parseRange, type ByteRange } from "./byte-range.ts";
import { decideRead, writeConditionOf } from "./object-conditions.ts";
import {
  bareEtag,
  defaultContentType,
  type ObjectHeaders,
  type ObjectShelf,
  type StoredObject,
} from "./object-shelf.ts";
import { answerEmpty, answerXml, payloadOf, shelfOf, type S3Call, type S3World } from "./s3-call.ts";
import { S3Error } from "./s3-error.ts";
import { decodePart } from "./signature.ts";

const keptHeaders = ["cache-control", "content-disposition", "content-encoding", "content-language", "expires"];
const readAttempts = 3; // of an object that is replaced each time while it is read

/** What the headers of a request say of the object that it makes. Throws S3Error MetadataTooLarge. */
export function objectHeadersOf(headers: ReadonlyMap<string, string>, bytesMax: number): ObjectHeaders {
  const others: Record<string, string> = {};
  let byteCount = 0;
  for (const [name, value] of headers) {
    if (!keptHeaders.includes(name) && !name.startsWith("x-amz-meta-")) continue;
    // How the body was sent is no property of the object.
    const kept = name === "content-encoding" ? value.replace(/(?:^|,\s*)aws-chunked\b\s*,?\s*/, "") : value;
    if (kept === "") continue;
    others[name] = kept;
    byteCount += name.length + kept.length;
  }
  if (byteCount > bytesMax) {
    throw new S3Error("MetadataTooLarge", `The object's headers have ${byteCount} bytes, at most ${bytesMax}.`);
  }
  return { contentType: headers.get("content-type") ?? defaultContentType, others };
}

export async function putObject(call: S3Call, world: S3World): Promise<HttpResponse> {
  const { request, key } = call;
  const shelf = shelfOf(call, world);
  const payload = payloadOf(call, world);
  const { etag } = await shelf.write({
    key,
    parts: payload.parts,
    headers: objectHeadersOf(request.headers, world.limits.metadataBytesMax),
    condition: writeConditionOf(request.headers),
    signal: request.signal,
  });
  return answerEmpty(200, { etag: `"${etag}"`, ...payload.checksumHeaders() });
}

export async function headObject(call: S3Call, world: S3World): Promise<HttpResponse> {
  const { request, key } = call;
  const object = await shelfOf(call, world).find(key, request.signal);
  if (decideRead(request.headers, object) === "not-modified") return notModified(object);
  const range = parseRange(request.headers.get("range"), object.sizeBytes);
  return { status: range === undefined ? 200 : 206, headers: headersOf(object, range), body: "" };
}

export async function getObject(call: S3Call, world: S3World): Promise<HttpResponse> {
  const { request, key } = call;
  const { pieceBytes } = world.limits;
  const shelf = shelfOf(call, world);
  for (let attempt = 1; ; attempt++) {
    const object = await shelf.find(key, request.signal);
    if (decideRead(request.headers, object) === "not-modified") return notModified(object);
    const range = parseRange(request.headers.get("range"), object.sizeBytes);
    const { offset, length } = range ?? { offset: 0, length: object.sizeBytes };
    const headers = headersOf(object, range);
    const status = range === undefined ? 200 : 206;
    if (length > pieceBytes) {
      return { status, headers, body: piecesOf(shelf, key, object, { offset, length }, pieceBytes, request.signal) };
    }
    const body = await shelf.bucket.get(key, range, request.signal);
    if (body.length === length && (await isStill(shelf, key, object, request.signal))) return { status, headers, body };
    if (attempt === readAttempts) throw new S3Error("ServiceUnavailable", "The object changed while it was read.");
  }
}

/** The bytes in pieces. Fails rather than mix two versions of the object: the client sees the answer break off. */
async function* piecesOf(
  shelf: ObjectShelf,
  key: string,
  object: StoredObject,
  { offset, length }: ByteRange,
  pieceBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < length; at += pieceBytes) {
    const piece = { offset: offset + at, length: Math.min(pieceBytes, length - at) };
    const bytes = await shelf.bucket.get(key, piece, signal);
    if (bytes.length !== piece.length || !(await isStill(shelf, key, object, signal))) {
      throw new BucketError("unavailable", key, "the object changed while it was read");
    }
    yield bytes;
  }
}

async function isStill(shelf: ObjectShelf, key: string, { version }: StoredObject, signal: AbortSignal) {
  return bareEtag((await shelf.bucket.attributes(key, signal)).etag) === version;
}

function headersOf(object: StoredObject, range: ByteRange | undefined): Readonly<Record<string, string>> {
  const { sizeBytes, etag, modifiedMs, headers } = object;
  return {
    ...headers.others,
    "content-type": headers.contentType,
    "content-length": String(range?.length ?? sizeBytes),
    etag: `"${etag}"`,
    "last-modified": new Date(modifiedMs).toUTCString(),
    "accept-ranges": "bytes",
    ...(range === undefined
      ? {}
      : { "content-range": `bytes ${range.offset}-${range.offset + range.length - 1}/${sizeBytes}` }),
  };
}

function notModified({ etag, modifiedMs }: StoredObject): HttpResponse {
  return answerEmpty(304, { etag: `"${etag}"`, "last-modified": new Date(modifiedMs).toUTCString() });
}

export async function copyObject(call: S3Call, world: S3World): Promise<HttpResponse> {
  const { request, key } = call;
  const { pieceBytes, metadataBytesMax } = world.limits;
  const shelf = shelfOf(call, world);
  if ([...request.headers.keys()].some((name) => name.startsWith("x-amz-copy-source-if-"))) {
    throw new S3Error("NotImplemented", "This server copies without conditions on the source.");
  }
  const source = decodePart(request.headers.get("x-amz-copy-source") ?? "").replace(/^\//, "");
  const slashAt = source.indexOf("/");
  const from = { bucketName: source.slice(0, Math.max(0, slashAt)), key: source.slice(slashAt + 1) };
  const replaces = request.headers.get("x-amz-metadata-directive")?.toUpperCase() === "REPLACE";
  if (from.bucketName === call.bucketName && from.key === key && !replaces) {
    throw new S3Error("InvalidRequest", "An object is copied to itself only to change its metadata.");
  }
  const sourceShelf = shelfOf(from, world);
  const object = await sourceShelf.find(from.key, request.signal);
  const whole = { offset: 0, length: object.sizeBytes };
  const copied = await shelf.write({
    key,
    parts: piecesOf(sourceShelf, from.key, object, whole, pieceBytes, request.signal),
    headers: replaces ? objectHeadersOf(request.headers, metadataBytesMax) : object.headers,
    condition: writeConditionOf(request.headers),
    signal: request.signal,
  });
  const modified = new Date(copied.modifiedMs).toISOString();
  return answerXml([
    "CopyObjectResult",
    [
      ["LastModified", modified],
      ["ETag", `"${copied.etag}"`],
    ],
  ]);
}

export async function deleteObject(call: S3Call, world: S3World): Promise<HttpResponse> {
  await shelfOf(call, world).remove(call.key, call.request.signal);
  return answerEmpty(204);
}
