/** One request to the server, as S3 understands it: which operation, on what. */
import type { HttpResponse, HttpStreamRequest } from "@pleiad/ports";
import type { MultipartUploads } from "./multipart-uploads.ts";
import type { ObjectShelf } from "./object-shelf.ts";
import { openPayload, readWhole, type Payload } from "./payload.ts";
import { S3Error } from "./s3-error.ts";
import type { S3Limits } from "./s3-limits.ts";
import { decodePart, type VerifiedSignature } from "./signature.ts";
import type { Turns } from "./turns.ts";
import { renderXml, type XmlElement } from "./xml.ts";

/** What the operations work on. */
export interface S3World {
  readonly region: string;
  readonly shelves: ReadonlyMap<string, ObjectShelf>;
  readonly uploads: MultipartUploads;
  readonly turns: Turns;
  readonly limits: S3Limits;
}

export interface S3Call {
  readonly request: HttpStreamRequest;
  readonly query: URLSearchParams;
  readonly signature: VerifiedSignature;
  readonly bucketName: string;
  readonly key: string;
}

export interface S3Target {
  readonly bucketName: string; // empty for the service itself
  readonly key: string; // empty for a bucket
}

const bucketNameForm = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** Bucket and key, by the path, or by the host where it is `<bucket>.<domain>`. */
export function parseTarget({ path, headers }: HttpStreamRequest, domain: string | undefined): S3Target {
  const host = (headers.get("host") ?? "").replace(/:\d+$/, "");
  const isVirtual = domain !== undefined && host.endsWith(`.${domain}`);
  const rest = path.slice(1);
  const slashAt = rest.indexOf("/");
  const [first, others] = slashAt < 0 ? [rest, ""] : [rest.slice(0, slashAt), rest.slice(slashAt + 1)];
  const bucketName = isVirtual ? host.slice(0, -domain.length - 1) : decodePart(first);
  if (bucketName !== "" && !bucketNameForm.test(bucketName)) {
    throw new S3Error("InvalidBucketName", "The specified bucket is not valid.");
  }
  return { bucketName, key: decodePart(isVirtual ? rest : others) };
}

const subresources = [
  "accelerate,acl,analytics,attributes,cors,encryption,intelligent-tiering,inventory,legal-hold,lifecycle,logging",
  "metrics,notification,object-lock,ownershipControls,policy,policyStatus,publicAccessBlock,replication",
  "requestPayment,restore,retention,select,tagging,torrent,versions,website,versionId",
]
  .join(",")
  .split(",");

/** The name that S3 has for the operation. Throws S3Error NotImplemented, MethodNotAllowed. */
export function operationOf(method: string, { bucketName, key }: S3Target, query: URLSearchParams, isCopy: boolean) {
  const unknown = subresources.find((name) => query.has(name));
  if (unknown !== undefined) throw new S3Error("NotImplemented", `This server has no ?${unknown}.`);
  const level = bucketName === "" ? "service" : key === "" ? "bucket" : "object";
  const has = (name: string) => query.has(name);
  switch (`${method} ${level}`) {
    case "GET service":
      return "ListBuckets";
    case "GET bucket":
      if (has("location")) return "GetBucketLocation";
      if (has("versioning")) return "GetBucketVersioning";
      if (has("uploads")) return "ListMultipartUploads";
      return query.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects";
    case "HEAD bucket":
      return "HeadBucket";
    case "PUT bucket":
      if (has("versioning")) throw new S3Error("NotImplemented", "This server keeps no versions.");
      return "CreateBucket";
    case "DELETE bucket":
      return "DeleteBucket";
    case "POST bucket":
      if (has("delete")) return "DeleteObjects";
      throw new S3Error("NotImplemented", "This server takes no forms.");
    case "GET object":
      return has("uploadId") ? "ListParts" : "GetObject";
    case "HEAD object":
      return "HeadObject";
    case "PUT object":
      if (has("partNumber") || has("uploadId")) {
        if (isCopy) throw new S3Error("NotImplemented", "This server copies objects whole.");
        return "UploadPart";
      }
      return isCopy ? "CopyObject" : "PutObject";
    case "POST object":
      if (has("uploads")) return "CreateMultipartUpload";
      if (has("uploadId")) return "CompleteMultipartUpload";
      break;
    case "DELETE object":
      return has("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
    default:
  }
  throw new S3Error("MethodNotAllowed", "The specified method is not allowed against this resource.");
}

export type S3OperationName = ReturnType<typeof operationOf>;

/** Throws S3Error NoSuchBucket. */
export function shelfOf({ bucketName }: S3Target, world: S3World): ObjectShelf {
  const shelf = world.shelves.get(bucketName);
  if (shelf === undefined) throw new S3Error("NoSuchBucket", "The specified bucket does not exist.");
  return shelf;
}

export function payloadOf({ request, signature }: S3Call, { limits }: S3World): Payload {
  const bytesMax = limits.objectBytesMax;
  return openPayload(request.headers, request.body, signature, { bytesMax, chunkBytesMax: limits.chunkBytesMax });
}

/** The body of a request that is a document. */
export async function documentOf({ request, signature }: S3Call, { limits }: S3World): Promise<Uint8Array> {
  const bytesMax = limits.documentBytesMax;
  const { chunkBytesMax } = limits;
  return readWhole(openPayload(request.headers, request.body, signature, { bytesMax, chunkBytesMax }).parts, bytesMax);
}

export function answerXml(document: XmlElement, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return { status: 200, headers: { "content-type": "application/xml", ...headers }, body: renderXml(document) };
}

export function answerEmpty(status: 200 | 204 | 304, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return { status, headers, body: "" };
}
