/** Operations of uploads in parts. */
import type { HttpResponse } from "@pleiad/ports";
import { writeConditionOf } from "./object-conditions.ts";
import { parsePageSize } from "./object-list.ts";
import { objectHeadersOf } from "./object-operations.ts";
import { answerEmpty, answerXml, documentOf, payloadOf, shelfOf, type S3Call, type S3World } from "./s3-call.ts";
import { S3Error } from "./s3-error.ts";
import { parseXml, type XmlElement } from "./xml.ts";

export async function createMultipartUpload(call: S3Call, world: S3World): Promise<HttpResponse> {
  const { bucketName, key, request } = call;
  shelfOf(call, world);
  const headers = objectHeadersOf(request.headers, world.limits.metadataBytesMax);
  const { id } = await world.uploads.start({ bucketName, key, headers });
  return answerXml([
    "InitiateMultipartUploadResult",
    [
      ["Bucket", bucketName],
      ["Key", key],
      ["UploadId", id],
    ],
  ]);
}

export async function uploadPart(call: S3Call, world: S3World): Promise<HttpResponse> {
  const upload = await findUpload(call, world);
  const number = Number(call.query.get("partNumber") ?? "NaN");
  if (!(Number.isInteger(number) && number >= 1 && number <= world.limits.partsMax)) {
    throw new S3Error("InvalidArgument", `A part number is 1 to ${world.limits.partsMax}.`);
  }
  const payload = payloadOf(call, world);
  const { etag } = await world.uploads.putPart(upload.id, number, payload.parts, call.request.signal);
  return answerEmpty(200, { etag: `"${etag}"`, ...payload.checksumHeaders() });
}

export async function completeMultipartUpload(call: S3Call, world: S3World): Promise<HttpResponse> {
  const { bucketName, key, request } = call;
  const shelf = shelfOf(call, world);
  const document = parseXml(await documentOf(call, world), "CompleteMultipartUpload");
  const named = document.elements("Part").map((part) => ({
    number: Number(part.text("PartNumber") ?? "NaN"),
    etag: (part.text("ETag") ?? "").replaceAll('"', ""),
  }));
  if (named.length === 0 || named.length > world.limits.partsMax) {
    throw new S3Error("MalformedXML", `An upload is completed with 1 to ${world.limits.partsMax} parts.`);
  }
  // One completion, or one end, of an upload at a time.
  const endTurn = await world.turns.take(`upload ${call.query.get("uploadId") ?? ""}`);
  try {
    const { id, headers } = await findUpload(call, world);
    const { parts, etag } = await world.uploads.assemble(id, named);
    const condition = writeConditionOf(request.headers);
    const { signal } = request;
    const object = await shelf.write({
      key,
      parts,
      headers,
      condition,
      signal,
      ...(etag === undefined ? {} : { etag }),
    });
    await world.uploads.remove(id);
    return answerXml([
      "CompleteMultipartUploadResult",
      [
        ["Location", `/${bucketName}/${key}`],
        ["Bucket", bucketName],
        ["Key", key],
        ["ETag", `"${object.etag}"`],
      ],
    ]);
  } finally {
    endTurn();
  }
}

export async function abortMultipartUpload(call: S3Call, world: S3World): Promise<HttpResponse> {
  const endTurn = await world.turns.take(`upload ${call.query.get("uploadId") ?? ""}`);
  try {
    await world.uploads.remove((await findUpload(call, world)).id);
    return answerEmpty(204);
  } finally {
    endTurn();
  }
}

export async function listParts(call: S3Call, world: S3World): Promise<HttpResponse> {
  const { bucketName, key, query } = call;
  const { id } = await findUpload(call, world);
  const partsMax = parsePageSize(query.get("max-parts"));
  const after = Number(query.get("part-number-marker") ?? "0");
  const rest = (await world.uploads.listParts(id)).filter(({ number }) => number > after);
  const parts = rest.slice(0, partsMax);
  const page: XmlElement[] = [
    ["Bucket", bucketName],
    ["Key", key],
    ["UploadId", id],
    ["PartNumberMarker", after],
    ["NextPartNumberMarker", parts.at(-1)?.number ?? after],
    ["MaxParts", partsMax],
    ["IsTruncated", rest.length > parts.length],
  ];
  for (const { number, etag, sizeBytes, modifiedMs } of parts) {
    const modified = new Date(modifiedMs).toISOString();
    page.push([
      "Part",
      [
        ["PartNumber", number],
        ["LastModified", modified],
        ["ETag", `"${etag}"`],
        ["Size", sizeBytes],
      ],
    ]);
  }
  return answerXml(["ListPartsResult", page]);
}

export async function listMultipartUploads(call: S3Call, world: S3World): Promise<HttpResponse> {
  const { bucketName, query } = call;
  shelfOf(call, world);
  const uploadsMax = parsePageSize(query.get("max-uploads"));
  const prefix = query.get("prefix") ?? "";
  const keyMarker = query.get("key-marker") ?? "";
  const idMarker = query.get("upload-id-marker") ?? "";
  const rest = (await world.uploads.list())
    .filter((upload) => upload.bucketName === bucketName && upload.key.startsWith(prefix))
    .filter(({ key, id }) => key > keyMarker || (key === keyMarker && idMarker !== "" && id > idMarker))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.id < b.id ? -1 : 1));
  const uploads = rest.slice(0, uploadsMax);
  const isTruncated = rest.length > uploads.length;
  const page: XmlElement[] = [
    ["Bucket", bucketName],
    ["KeyMarker", keyMarker],
    ["UploadIdMarker", idMarker],
    ["MaxUploads", uploadsMax],
    ["IsTruncated", isTruncated],
  ];
  const last = uploads.at(-1);
  if (isTruncated && last !== undefined) page.push(["NextKeyMarker", last.key], ["NextUploadIdMarker", last.id]);
  for (const { id, key, startedMs } of uploads) {
    page.push([
      "Upload",
      [
        ["Key", key],
        ["UploadId", id],
        ["Initiated", new Date(startedMs).toISOString()],
      ],
    ]);
  }
  return answerXml(["ListMultipartUploadsResult", page]);
}

function findUpload({ query, bucketName, key }: S3Call, world: S3World) {
  return world.uploads.find(query.get("uploadId") ?? "", bucketName, key);
}
