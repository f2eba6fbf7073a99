/** Operations on the service and on whole buckets. */
import { BucketError, type HttpResponse } from "@pleiad/ports";
import { listObjects } from "./object-list.ts";
import { answerEmpty, answerXml, documentOf, shelfOf, type S3Call, type S3World } from "./s3-call.ts";
import { fromBucketError, S3Error } from "./s3-error.ts";
import { parseXml, type XmlElement } from "./xml.ts";

const deletionsMax = 1000;
const deletionsAtOnce = 16;

export async function listBuckets(_call: S3Call, world: S3World): Promise<HttpResponse> {
  const created = new Date(0).toISOString();
  const buckets = [...world.shelves.keys()].sort().map((name): XmlElement => [
    "Bucket",
    [
      ["Name", name],
      ["CreationDate", created],
    ],
  ]);
  const owner: XmlElement = [
    "Owner",
    [
      ["ID", "pleiad"],
      ["DisplayName", "pleiad"],
    ],
  ];
  return answerXml(["ListAllMyBucketsResult", [owner, ["Buckets", buckets]]]);
}

export async function getBucketLocation(call: S3Call, world: S3World): Promise<HttpResponse> {
  shelfOf(call, world);
  return answerXml(["LocationConstraint", world.region === "us-east-1" ? "" : world.region]);
}

export async function getBucketVersioning(call: S3Call, world: S3World): Promise<HttpResponse> {
  shelfOf(call, world);
  return answerXml(["VersioningConfiguration", ""]);
}

export async function headBucket(call: S3Call, world: S3World): Promise<HttpResponse> {
  shelfOf(call, world);
  return answerEmpty(200, { "x-amz-bucket-region": world.region });
}

/** Fine for a bucket that is there: clients make sure of theirs in this way. */
export async function createBucket(call: S3Call, world: S3World): Promise<HttpResponse> {
  if (!world.shelves.has(call.bucketName)) throw fixedBuckets();
  return answerEmpty(200, { location: `/${call.bucketName}` });
}

export async function deleteBucket(call: S3Call, world: S3World): Promise<HttpResponse> {
  shelfOf(call, world);
  throw fixedBuckets();
}

export async function listBucket(call: S3Call, world: S3World): Promise<HttpResponse> {
  return answerXml(await listObjects(shelfOf(call, world), call.bucketName, call.query, call.request.signal));
}

export async function deleteObjects(call: S3Call, world: S3World): Promise<HttpResponse> {
  const shelf = shelfOf(call, world);
  const document = parseXml(await documentOf(call, world), "Delete");
  const isQuiet = document.text("Quiet") === "true";
  const keys = document.elements("Object").map((object) => object.text("Key") ?? "");
  if (keys.length === 0 || keys.length > deletionsMax) {
    throw new S3Error("MalformedXML", `A request deletes 1 to ${deletionsMax} objects.`);
  }
  const results: XmlElement[] = [];
  const remove = async (key: string): Promise<XmlElement | undefined> => {
    try {
      await shelf.remove(key, call.request.signal);
      return isQuiet ? undefined : ["Deleted", [["Key", key]]];
    } catch (error) {
      const told = fromBucketError(error);
      if (told === undefined || !(error instanceof BucketError)) throw error;
      return [
        "Error",
        [
          ["Key", key],
          ["Code", told.code],
          ["Message", told.message],
        ],
      ];
    }
  };
  for (let at = 0; at < keys.length; at += deletionsAtOnce) {
    const some = await Promise.all(keys.slice(at, at + deletionsAtOnce).map(remove));
    results.push(...some.filter((one) => one !== undefined));
  }
  return answerXml(["DeleteResult", results]);
}

function fixedBuckets(): S3Error {
  return new S3Error("AccessDenied", "The buckets of this server are fixed when it starts.");
}
