/**
 * The S3 server as clients that know nothing of it meet it: AWS's SDK in both ways of checksums, minio-js, and, where
 * they are installed, Debian's rclone, s3cmd and boto3. Each signs, splits, lists and checks in its own way.
 */
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Client as MinioClient } from "minio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openObjectStore, type ObjectStoreUnderTest } from "./object-store-under-test.ts";
import { temporaryFolder } from "./twin-under-test.ts";

let under: ObjectStoreUnderTest;
beforeAll(async () => {
  under = await openObjectStore();
});
afterAll(() => under.close());

const strangeKey = "with space/한국어/percent%2e+plus&amp;'\"<>~!(*).txt";
const megabytes = (count: number) => Buffer.alloc(count * 1_048_576, "0123456789abcdef!");
const md5Of = (bytes: Uint8Array) => createHash("md5").update(bytes).digest("hex");

/** Programs that are not there skip their tests; where they are required, the tests run and fail. */
const areRequired = process.env["PLEIAD_REQUIRE_S3_CLIENTS"] === "1";
const hasClient = (program: string, args: readonly string[] = ["--version"]) =>
  areRequired || spawnSync(program, args, { stdio: "ignore" }).status === 0;

describe.each([["WHEN_SUPPORTED"], ["WHEN_REQUIRED"]] as const)("AWS's SDK with checksums %s", (checksums) => {
  const clientWith = (secretKey = under.secretKey, region = under.region) =>
    new S3Client({
      endpoint: under.endpoint,
      region,
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId: under.accessKey, secretAccessKey: secretKey },
      requestChecksumCalculation: checksums,
      responseChecksumValidation: checksums,
    });
  let client: S3Client;
  beforeAll(() => {
    client = clientWith();
  });
  afterAll(() => client.destroy());
  const Bucket = "metrics";
  const nameOf = async (act: Promise<unknown>) => {
    try {
      await act;
    } catch (error) {
      if (error instanceof S3ServiceException) return `${error.$metadata.httpStatusCode} ${error.name}`;
      throw error;
    }
    return "no error";
  };
  const contentOf = async (Key: string, Range?: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };

  it("puts and gets, with type and metadata", async () => {
    const body = Buffer.from("hello");
    const put = await client.send(
      new PutObjectCommand({
        Bucket,
        Key: strangeKey,
        Body: body,
        ContentType: "text/plain",
        CacheControl: "no-store",
        Metadata: { owner: "me" },
      }),
    );
    expect(put.ETag).toBe(`"${md5Of(body)}"`);
    const got = await client.send(new GetObjectCommand({ Bucket, Key: strangeKey }));
    expect(await got.Body?.transformToString()).toBe("hello");
    expect(got).toMatchObject({ ContentType: "text/plain", CacheControl: "no-store", Metadata: { owner: "me" } });
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: strangeKey }));
    expect(head).toMatchObject({ ContentLength: 5, ETag: put.ETag, Metadata: { owner: "me" } });
    expect(Math.abs((head.LastModified?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it("puts a stream of known length", async () => {
    const body = megabytes(9);
    const parts = Array.from({ length: 9 }, (_, i) => body.subarray(i * 1_048_576, (i + 1) * 1_048_576));
    await client.send(
      new PutObjectCommand({ Bucket, Key: "stream", Body: Readable.from(parts), ContentLength: body.length }),
    );
    expect((await contentOf("stream")).equals(body)).toBe(true);
  });

  it.each([
    ["bytes=0-4", "01234", "bytes 0-4/10"],
    ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=-3", "789", "bytes 7-9/10"],
    ["bytes=8-100", "89", "bytes 8-9/10"],
  ])("gets the range %s", async (range, expected, contentRange) => {
    await client.send(new PutObjectCommand({ Bucket, Key: "ten", Body: "0123456789" }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key: "ten", Range: range }));
    expect([got.$metadata.httpStatusCode, got.ContentRange]).toEqual([206, contentRange]);
    expect(await got.Body?.transformToString()).toBe(expected);
    expect(await nameOf(contentOf("ten", "bytes=10-"))).toBe("416 InvalidRange");
  });

  it("uploads in parts", async () => {
    const Key = "in/parts";
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ Bucket, Key, ContentType: "application/x-block" }),
    );
    const bodies = [megabytes(5), Buffer.from("the end")];
    const Parts: CompletedPart[] = [];
    for (const [i, Body] of bodies.entries()) {
      const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: i + 1, Body }));
      Parts.push({ ETag, PartNumber: i + 1 });
    }
    const listed = await client.send(new ListPartsCommand({ Bucket, Key, UploadId }));
    expect(listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual(
      bodies.map((body, i) => [i + 1, body.length]),
    );
    expect(await nameOf(contentOf(Key))).toBe("404 NoSuchKey");
    const wrong = [{ ETag: '"0"', PartNumber: 1 }];
    const complete = (parts: CompletedPart[]) =>
      client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }));
    expect(await nameOf(complete(wrong))).toBe("400 InvalidPart");
    expect(await nameOf(complete([...Parts].reverse()))).toBe("400 InvalidPartOrder");
    const { ETag } = await complete(Parts);
    const md5s = Buffer.concat(bodies.map((body) => createHash("md5").update(body).digest()));
    expect(ETag).toBe(`"${md5Of(md5s)}-2"`);
    expect((await contentOf(Key)).equals(Buffer.concat(bodies))).toBe(true);
    expect(await client.send(new HeadObjectCommand({ Bucket, Key }))).toMatchObject({
      ETag,
      ContentType: "application/x-block",
    });
    expect(await nameOf(complete(Parts))).toBe("404 NoSuchUpload");
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }] } }));
  });

  it("aborts an upload in parts", async () => {
    const Key = "aborted";
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const part = { Bucket, Key, UploadId, PartNumber: 1, Body: "x" };
    await client.send(new UploadPartCommand(part));
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    expect(await nameOf(client.send(new UploadPartCommand(part)))).toBe("404 NoSuchUpload");
    expect(await nameOf(client.send(new UploadPartCommand({ ...part, PartNumber: 10_001 })))).toMatch(/^40/);
  });

  it("lists in pages, folded and not, in both versions", async () => {
    const keys = ["l/a", "l/b/1", "l/b/2", "l/c", "l/d/1", "l/한"];
    for (const Key of keys) await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
    const pages: string[][] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({ Bucket, Prefix: "l/", Delimiter: "/", MaxKeys: 2, ContinuationToken }),
      );
      pages.push([
        ...(page.Contents ?? []).map(({ Key = "" }) => Key),
        ...(page.CommonPrefixes ?? []).map(({ Prefix = "" }) => Prefix),
      ]);
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    expect(pages).toEqual([["l/a", "l/b/"], ["l/c", "l/d/"], ["l/한"]]);
    const after = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "l/", StartAfter: "l/b/1" }));
    expect(after.Contents?.map(({ Key }) => Key)).toEqual(keys.slice(2));
    expect(after.Contents?.[0]).toMatchObject({ ETag: `"${md5Of(Buffer.from("l/b/2"))}"`, Size: 5 });
    const old = await client.send(new ListObjectsCommand({ Bucket, Prefix: "l/", Marker: "l/b/2", MaxKeys: 1 }));
    expect([old.Contents?.map(({ Key }) => Key), old.IsTruncated]).toEqual([["l/c"], true]);
    expect(await nameOf(client.send(new ListObjectsV2Command({ Bucket, ContinuationToken: "mine" })))).toBe(
      "400 InvalidArgument",
    );
  });

  it("writes under conditions", async () => {
    const put = (Body: string, condition: { IfNoneMatch?: string; IfMatch?: string }) =>
      client.send(new PutObjectCommand({ Bucket, Key: `lease-${checksums}`, Body, ...condition }));
    const { ETag = "" } = await put("one", { IfNoneMatch: "*" });
    expect(await nameOf(put("two", { IfNoneMatch: "*" }))).toBe("412 PreconditionFailed");
    expect(await nameOf(put("two", { IfMatch: '"other"' }))).toBe("412 PreconditionFailed");
    await put("two", { IfMatch: ETag });
    expect(String(await contentOf(`lease-${checksums}`))).toBe("two");
    const read = (condition: { IfNoneMatch?: string; IfMatch?: string }) =>
      client.send(new HeadObjectCommand({ Bucket, Key: `lease-${checksums}`, ...condition }));
    expect(await nameOf(read({ IfMatch: ETag }))).toMatch(/^412/);
    expect(await nameOf(read({ IfNoneMatch: `"${md5Of(Buffer.from("two"))}"` }))).toMatch(/^304/);
  });

  it("copies and deletes", async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: strangeKey, Body: "copy me", Metadata: { a: "b" } }));
    const CopySource = `${Bucket}/${encodeURIComponent(strangeKey)}`;
    await client.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource }));
    expect(String(await contentOf("copy"))).toBe("copy me");
    expect((await client.send(new HeadObjectCommand({ Bucket, Key: "copy" }))).Metadata).toEqual({ a: "b" });
    const Objects = [{ Key: "copy" }, { Key: strangeKey }, { Key: "never/was" }, { Key: "../out" }];
    const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(deleted.Deleted?.map(({ Key }) => Key)).toEqual(["copy", strangeKey, "never/was"]);
    expect(deleted.Errors).toMatchObject([{ Key: "../out", Code: "InvalidURI" }]);
    expect(await nameOf(contentOf("copy"))).toBe("404 NoSuchKey");
  });

  it("knows the buckets", async () => {
    expect((await client.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toEqual([
      "metrics",
      "other",
    ]);
    expect((await client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBe(under.region);
    await client.send(new HeadBucketCommand({ Bucket }));
    expect(await nameOf(client.send(new HeadBucketCommand({ Bucket: "nobodys" })))).toMatch(/^404/);
  });

  it.each<readonly [string, () => S3Client, string]>([
    ["another secret", () => clientWith("wrong"), "403 SignatureDoesNotMatch"],
    ["another region", () => clientWith(undefined, "elsewhere"), "400 AuthorizationHeaderMalformed"],
  ])("is refused with %s", async (_rule, make, expected) => {
    const other = make();
    expect(await nameOf(other.send(new ListObjectsV2Command({ Bucket })))).toBe(expected);
    expect(await nameOf(other.send(new PutObjectCommand({ Bucket, Key: "x", Body: megabytes(3) })))).toBe(expected);
    other.destroy();
  });
});

describe("minio-js", () => {
  const connect = (region?: string) =>
    new MinioClient({
      partSize: 5 * 1_048_576,
      endPoint: "127.0.0.1",
      port: under.port,
      useSSL: false,
      accessKey: under.accessKey,
      secretKey: under.secretKey,
      ...(region === undefined ? {} : { region }),
    });

  it("finds the region, puts, gets, lists and deletes", async () => {
    const client = connect();
    await client.putObject("other", strangeKey, "hello", 5, { "x-amz-meta-owner": "me" });
    expect(await client.statObject("other", strangeKey)).toMatchObject({ size: 5, metaData: { owner: "me" } });
    const parts: Buffer[] = [];
    for await (const part of await client.getPartialObject("other", strangeKey, 1, 3)) parts.push(part as Buffer);
    expect(String(Buffer.concat(parts))).toBe("ell");
    const names: (string | undefined)[] = [];
    for await (const item of client.listObjectsV2("other", "", true)) names.push((item as { name?: string }).name);
    expect(names).toEqual([strangeKey]);
    await client.removeObjects("other", [strangeKey]);
    await expect(client.statObject("other", strangeKey)).rejects.toThrow(/Not Found/i);
  });

  it("uploads a stream of unknown length in parts", { timeout: 60_000 }, async () => {
    const client = connect(under.region);
    const body = megabytes(12);
    const { etag } = await client.putObject("other", "big", Readable.from([body.subarray(0, 7e6), body.subarray(7e6)]));
    expect(etag).toMatch(/-\d$/);
    expect(readFileSync(join(under.store.folderOf("other"), "big")).equals(body)).toBe(true);
  });

  it("signs addresses that need no further signature, for a time", async () => {
    const client = connect(under.region);
    const body = "by address";
    const putUrl = await client.presignedPutObject("other", "signed key", 60);
    expect((await fetch(putUrl, { method: "PUT", body })).status).toBe(200);
    const getUrl = await client.presignedGetObject("other", "signed key", 60);
    expect(await (await fetch(getUrl)).text()).toBe(body);
    expect((await fetch(getUrl.replace("signed%20key", "other%20key"))).status).toBe(403);
    const late = await client.presignedGetObject("other", "signed key", 60, {}, new Date(Date.now() - 120_000));
    expect(await (await fetch(late)).text()).toContain("<Message>The request has expired.</Message>");
  });
});

const run = promisify(execFile);

describe.skipIf(!hasClient("rclone"))("rclone", () => {
  it("copies a folder there and back, and finds them equal", { timeout: 120_000 }, async () => {
    const folder = temporaryFolder();
    const environment = {
      PATH: process.env["PATH"],
      HOME: folder.path,
      RCLONE_CONFIG_TWIN_TYPE: "s3",
      RCLONE_CONFIG_TWIN_PROVIDER: "Other",
      RCLONE_CONFIG_TWIN_ENDPOINT: under.endpoint,
      RCLONE_CONFIG_TWIN_REGION: under.region,
      RCLONE_CONFIG_TWIN_ACCESS_KEY_ID: under.accessKey,
      RCLONE_CONFIG_TWIN_SECRET_ACCESS_KEY: under.secretKey,
    };
    const rclone = async (...args: string[]) =>
      (await run("rclone", ["--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", ...args], { env: environment }))
        .stdout;
    const from = join(folder.path, "from");
    mkdirSync(join(from, "01HX/chunks"), { recursive: true });
    writeFileSync(join(from, "01HX/meta.json"), "{}");
    writeFileSync(join(from, "01HX/empty"), "");
    writeFileSync(join(from, "01HX/chunks/000001"), megabytes(12));
    writeFileSync(join(from, "한국어 & more"), "x");
    await rclone("copy", from, "twin:metrics/rclone");
    await rclone("check", "--download", from, "twin:metrics/rclone");
    await rclone("check", from, "twin:metrics/rclone");
    expect((await rclone("lsf", "-R", "--files-only", "twin:metrics/rclone")).trim().split("\n").sort()).toEqual([
      "01HX/chunks/000001",
      "01HX/empty",
      "01HX/meta.json",
      "한국어 & more",
    ]);
    const to = join(folder.path, "to");
    await rclone("sync", "twin:metrics/rclone", to);
    expect(readFileSync(join(to, "01HX/chunks/000001")).equals(megabytes(12))).toBe(true);
    await rclone("move", "twin:metrics/rclone/01HX", "twin:other/moved");
    await rclone("purge", "twin:metrics/rclone");
    expect(await rclone("lsf", "-R", "twin:metrics/rclone")).toBe("");
    expect(await rclone("cat", "twin:other/moved/meta.json")).toBe("{}");
    folder.remove();
  });
});

describe.skipIf(!hasClient("s3cmd"))("s3cmd", () => {
  it("puts in parts, lists, gets and deletes", { timeout: 120_000 }, async () => {
    const folder = temporaryFolder();
    const config = join(folder.path, "s3cfg");
    writeFileSync(
      config,
      `[default]
access_key = ${under.accessKey}
secret_key = ${under.secretKey}
host_base = ${under.store.address}
host_bucket = ${under.store.address}
bucket_location = ${under.region}
use_https = False
multipart_chunk_size_mb = 5
`,
    );
    const s3cmd = async (...args: string[]) => (await run("s3cmd", ["-c", config, ...args])).stdout;
    const file = join(folder.path, "file");
    writeFileSync(file, megabytes(11));
    await s3cmd("put", file, "s3://metrics/s3cmd/big file");
    await s3cmd("put", config, "s3://metrics/s3cmd/small");
    expect(await s3cmd("ls", "s3://metrics/s3cmd/")).toMatch(/11534336 +s3:\/\/metrics\/s3cmd\/big file\n.*\/small\n/);
    const back = join(folder.path, "back");
    await s3cmd("get", "s3://metrics/s3cmd/big file", back);
    expect(readFileSync(back).equals(megabytes(11))).toBe(true);
    await s3cmd("cp", "s3://metrics/s3cmd/small", "s3://other/copied");
    await s3cmd("del", "--recursive", "--force", "s3://metrics/s3cmd/");
    expect(await s3cmd("ls", "s3://metrics/s3cmd/")).toBe("");
    folder.remove();
  });
});

describe.skipIf(!hasClient("python3", ["-c", "import boto3"]))("boto3", () => {
  const script = `
import boto3, io, os, sys
from botocore.client import Config
from botocore.exceptions import ClientError
from boto3.s3.transfer import TransferConfig
endpoint, region, access, secret = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name=region, aws_access_key_id=access,
                  aws_secret_access_key=secret, config=Config(s3={"addressing_style": "path"}))
key = "boto/with space/\\ud55c\\uad6d\\uc5b4"
s3.put_object(Bucket="metrics", Key=key, Body=b"hello", Metadata={"a": "b"})
assert s3.get_object(Bucket="metrics", Key=key, Range="bytes=1-3")["Body"].read() == b"ell"
assert s3.head_object(Bucket="metrics", Key=key)["Metadata"] == {"a": "b"}
big = os.urandom(12 * 1024 * 1024)
transfer = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024)
s3.upload_fileobj(io.BytesIO(big), "metrics", "boto/big", Config=transfer)
back = io.BytesIO()
s3.download_fileobj("metrics", "boto/big", back, Config=transfer)
assert back.getvalue() == big
for i in range(5):
    s3.put_object(Bucket="metrics", Key="boto/page/%d" % i, Body=b"")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="metrics", Prefix="boto/", PaginationConfig={"PageSize": 2})
keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
assert keys == ["boto/big"] + ["boto/page/%d" % i for i in range(5)] + [key], keys
s3.delete_objects(Bucket="metrics", Delete={"Objects": [{"Key": one} for one in keys]})
try:
    s3.get_object(Bucket="metrics", Key=key)
    raise AssertionError("there")
except ClientError as error:
    assert error.response["Error"]["Code"] == "NoSuchKey", error
print("all well")
`;
  it("puts, gets, uploads in parts, pages and deletes", { timeout: 120_000 }, async () => {
    const args = ["-c", script, under.endpoint, under.region, under.accessKey, under.secretKey];
    expect((await run("python3", args)).stdout).toBe("all well\n");
  });
});
