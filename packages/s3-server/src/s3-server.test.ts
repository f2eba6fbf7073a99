/** The server as a function: what the independent clients in e2e/s3-clients.test.ts do not try. */
import { createHash } from "node:crypto";
import { BucketError, HttpError, type Bucket, type HttpResponse } from "@pleiad/ports";
import { manualClock, memoryBucket, silentObservations, wholeBody } from "@pleiad/ports/testing";
import { seededRandom } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { defaultS3Limits, type S3Limits } from "./s3-limits.ts";
import { createS3Server, type S3ServerOptions } from "./s3-server.ts";
import { signHeaders } from "./signature.ts";

const credential = { accessKey: "key", secretKey: "secret" };
const bytes = (text: string) => new TextEncoder().encode(text);

function openServer(limits: Partial<S3Limits> = {}, options: Partial<S3ServerOptions> = {}) {
  const clock = manualClock();
  const bucket = memoryBucket(() => clock.wallMs());
  const workspace = memoryBucket(() => clock.wallMs());
  const sums = new Map<string, number>();
  const observations = {
    ...silentObservations(),
    counter: (name: string) => ({
      add: (amount: number, ...labels: readonly string[]) => {
        const key = [name, ...labels].join(" ");
        sums.set(key, (sums.get(key) ?? 0) + amount);
      },
    }),
  };
  const server = createS3Server(
    {
      region: "here",
      credentials: [credential],
      buckets: new Map<string, Bucket>([["metrics", bucket]]),
      workspace,
      limits: { ...defaultS3Limits, ...limits },
      ...options,
    },
    { clock, random: seededRandom(1), observations },
  );
  const ask = async (
    method: string,
    target: string,
    { body = "", headers = {}, signal = new AbortController().signal }: AskOptions = {},
  ) => {
    const [path = "", query = ""] = target.split("?");
    const all = new Map([["host", "store"], ...Object.entries(headers)]);
    const payloadHash = typeof body === "string" ? createHash("sha256").update(body).digest("hex") : "UNSIGNED-PAYLOAD";
    const request = { method, path, query, headers: all };
    const signed = signHeaders(request, { credential, region: "here", nowMs: clock.wallMs(), payloadHash });
    const parts = typeof body === "string" ? once(bytes(body)) : body;
    const response = await server.handle({
      ...request,
      headers: new Map([...all, ...Object.entries(signed)]),
      body: parts,
      signal,
    });
    return response;
  };
  const text = async (response: HttpResponse) => new TextDecoder().decode(await wholeBody(response.body));
  /** The status, and the code of an error. */
  const outcome = async (response: Promise<HttpResponse>) => {
    const answer = await response;
    const [, code] = /<Code>(.*)<\/Code>/.exec(await text(answer)) ?? [];
    return code === undefined ? String(answer.status) : `${answer.status} ${code}`;
  };
  return { server, clock, bucket, workspace, sums, ask, text, outcome };
}

interface AskOptions {
  readonly body?: string | AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

async function* once(part: Uint8Array) {
  if (part.length > 0) yield part;
}

describe("server", () => {
  it.each([
    ["no credential", []],
    ["an empty key", [{ accessKey: "", secretKey: "x" }]],
    ["an empty secret", [{ accessKey: "x", secretKey: "" }]],
  ])("does not start with %s", (_rule, credentials) => {
    expect(() => openServer({}, { credentials })).toThrow("needs at least one credential");
  });

  it.each([
    ["PUT", "/metrics/../../etc/passwd", "400 InvalidURI"],
    ["PUT", "/metrics/a/../b", "400 InvalidURI"],
    ["PUT", "/metrics/a//b", "400 InvalidURI"],
    ["PUT", "/metrics/a/", "400 InvalidURI"],
    ["PUT", "/metrics/nul%00", "400 InvalidURI"],
    ["PUT", "/metrics/line%0Abreak", "400 InvalidURI"],
    ["PUT", `/metrics/${"k".repeat(1025)}`, "400 KeyTooLongError"],
    ["PUT", "/metrics/%2e%2e%252f", "200"],
    ["PUT", "/metrics/C:%5Cx", "200"],
    ["GET", "/metrics/none", "404 NoSuchKey"],
    ["GET", "/nobodys/key", "404 NoSuchBucket"],
    ["GET", "/a/key", "400 InvalidBucketName"],
    ["GET", "/-/faults", "400 InvalidBucketName"],
    ["GET", "/metrics/key?acl", "501 NotImplemented"],
    ["GET", "/metrics?policy", "501 NotImplemented"],
    ["GET", "/metrics?list-type=2&delimiter=-", "501 NotImplemented"],
    ["GET", "/metrics?list-type=2&max-keys=x", "400 InvalidArgument"],
    ["GET", "/metrics?list-type=2&continuation-token=bWluZQ==", "400 InvalidArgument"],
    ["PATCH", "/metrics/key", "405 MethodNotAllowed"],
    ["POST", "/metrics/key", "405 MethodNotAllowed"],
    ["POST", "/metrics?delete", "400 MalformedXML"],
    ["PUT", "/metrics", "200"],
    ["PUT", "/others", "403 AccessDenied"],
    ["DELETE", "/metrics", "403 AccessDenied"],
    ["DELETE", "/metrics/never-was", "204"],
    ["PUT", "/metrics/key?partNumber=1&uploadId=none", "404 NoSuchUpload"],
    ["GET", "/metrics/key?uploadId=../../objects", "404 NoSuchUpload"],
  ])("answers %s %s with %s", async (method, target, expected) => {
    const { ask, outcome } = openServer();
    expect(await outcome(ask(method, target))).toBe(expected);
  });

  it("refuses a path that is no UTF-8", async () => {
    const { server, clock, outcome } = openServer();
    const request = { method: "PUT", path: "/metrics/x", query: "", headers: new Map([["host", "store"]]) };
    const payloadHash = createHash("sha256").digest("hex");
    const signed = signHeaders(request, { credential, region: "here", nowMs: clock.wallMs(), payloadHash });
    const headers = new Map([...request.headers, ...Object.entries(signed)]);
    const { signal } = new AbortController();
    const body = once(bytes(""));
    const answer = server.handle({ ...request, path: "/metrics/overlong%C0%AE", headers, body, signal });
    expect(await outcome(answer)).toBe("400 InvalidURI");
  });

  it("keeps the bytes in the bucket as they are, under the key, and nothing else there", async () => {
    const { ask, bucket, workspace } = openServer();
    await ask("PUT", "/metrics/01HX/index", { body: "bytes", headers: { "content-type": "application/octet-stream" } });
    expect([...bucket.objects]).toEqual([["01HX/index", bytes("bytes")]]);
    expect(workspace.objects.size).toBe(0);
  });

  it("forgets what it kept with an object once that was written by another way", async () => {
    const { ask, bucket } = openServer();
    await ask("PUT", "/metrics/a", { body: "one", headers: { "content-type": "text/x", "x-amz-meta-a": "b" } });
    expect((await ask("HEAD", "/metrics/a")).headers).toMatchObject({ "content-type": "text/x", "x-amz-meta-a": "b" });
    await bucket.put("a", bytes("another"));
    const { headers } = await ask("HEAD", "/metrics/a");
    expect([headers["content-type"], headers["x-amz-meta-a"], headers["content-length"]]).toEqual([
      "binary/octet-stream",
      undefined,
      "7",
    ]);
  });

  it("takes the host for the bucket where it has a domain", async () => {
    const { ask, bucket, outcome } = openServer({}, { domain: "s3.local" });
    const headers = { host: "metrics.s3.local:9000" };
    expect(await outcome(ask("PUT", "/a/b", { body: "x", headers }))).toBe("200");
    expect(await outcome(ask("GET", "/metrics/a/b"))).toBe("200");
    expect([...bucket.objects.keys()]).toEqual(["a/b"]);
  });

  it("refuses more requests than it may have at once, and takes them again", async () => {
    const { ask, outcome } = openServer({ requestsMax: 2 });
    const gate = Promise.withResolvers<void>();
    async function* waiting() {
      await gate.promise;
      yield bytes("x");
    }
    const first = [ask("PUT", "/metrics/a", { body: waiting() }), ask("PUT", "/metrics/b", { body: waiting() })];
    expect(await outcome(ask("GET", "/metrics/a"))).toBe("503 SlowDown");
    gate.resolve();
    await Promise.all(first);
    expect(await outcome(ask("GET", "/metrics/a"))).toBe("200");
  });

  it.each([
    ["an object", "/metrics/a", {}, "400 EntityTooLarge"],
    ["an object's metadata", "/metrics/a", { "x-amz-meta-a": "x".repeat(2100) }, "400 MetadataTooLarge"],
  ])("bounds %s", async (_what, target, headers, expected) => {
    const { ask, outcome, bucket } = openServer({ objectBytesMax: 10 });
    expect(await outcome(ask("PUT", target, { body: "x".repeat(11), headers }))).toBe(expected);
    expect(bucket.objects.size).toBe(0);
  });

  it("pages through many keys, each once, in byte order", async () => {
    const { ask, bucket, text } = openServer();
    const keys = Array.from({ length: 2501 }, (_, i) => `k/${String(i).padStart(5, "0")}`);
    for (const key of keys) await bucket.put(key, bytes("x"));
    const found: string[] = [];
    let token = "";
    do {
      const page = await text(await ask("GET", `/metrics?list-type=2&prefix=k%2F${token}`));
      const some = [...page.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key as string);
      expect(some.length).toBeLessThanOrEqual(1000);
      found.push(...some);
      const [, next] = /<NextContinuationToken>(.*?)</.exec(page) ?? [];
      token = next === undefined ? "" : `&continuation-token=${encodeURIComponent(next)}`;
    } while (token !== "");
    expect(found).toEqual(keys);
  });

  it("sends no mixture of two versions", async () => {
    const { server: _server, ask, bucket } = openServer({ pieceBytes: 10 });
    await bucket.put("a", bytes("1".repeat(25)));
    const { body } = await ask("GET", "/metrics/a");
    const reading = wholeBody(
      (async function* () {
        for await (const piece of body as AsyncIterable<Uint8Array>) {
          yield piece;
          await bucket.put("a", bytes("2".repeat(25)));
        }
      })(),
    );
    await expect(reading).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("lets one of many writers under If-Match win", async () => {
    const { ask, outcome, bucket } = openServer();
    const etag = String((await ask("PUT", "/metrics/a", { body: "old" })).headers["etag"]);
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        outcome(ask("PUT", "/metrics/a", { body: `writer ${i}`, headers: { "if-match": etag } })),
      ),
    );
    expect(outcomes.filter((one) => one === "200")).toHaveLength(1);
    expect(outcomes.filter((one) => one === "412 PreconditionFailed")).toHaveLength(7);
    expect(bucket.objects.get("a")).toEqual(bytes(`writer ${outcomes.indexOf("200")}`));
    expect(await outcome(ask("PUT", "/metrics/none", { headers: { "if-match": etag } }))).toBe("404 NoSuchKey");
    expect(await outcome(ask("PUT", "/metrics/a", { headers: { "if-none-match": etag } }))).toBe("501 NotImplemented");
  });

  it("lets no writer wait for another's connection", async () => {
    const { ask, outcome, bucket } = openServer();
    const gate = Promise.withResolvers<void>();
    async function* slow() {
      yield bytes("slow");
      await gate.promise;
    }
    const first = ask("PUT", "/metrics/a", { body: slow() });
    expect(await outcome(ask("PUT", "/metrics/a", { body: "fast" }))).toBe("200");
    gate.resolve();
    await first;
    expect(bucket.objects.get("a")).toEqual(bytes("slow"));
  });

  it("says 507 where the disk is full, and keeps what is there", async () => {
    const inner = memoryBucket();
    let isFull = false;
    const bucket: Bucket = {
      ...inner,
      put: async (key, ...rest) => {
        if (isFull) throw new BucketError("full", key, "ENOSPC");
        return await inner.put(key, ...rest);
      },
    };
    const { ask, outcome, text } = openServer({}, { buckets: new Map([["metrics", bucket]]) });
    await ask("PUT", "/metrics/a", { body: "old" });
    isFull = true;
    expect(await outcome(ask("PUT", "/metrics/a", { body: "new" }))).toBe("507 InsufficientStorage");
    expect(await text(await ask("GET", "/metrics/a"))).toBe("old");
    isFull = false;
    expect(await outcome(ask("PUT", "/metrics/a", { body: "new" }))).toBe("200");
  });

  it("leaves nothing of a body that breaks off", async () => {
    const { ask, bucket, workspace } = openServer();
    async function* broken(kind: HttpError["kind"]) {
      yield bytes("half");
      throw new HttpError(kind, "broken");
    }
    const answer = await ask("PUT", "/metrics/a", { body: broken("timeout") });
    expect(answer.status).toBe(400);
    await expect(ask("PUT", "/metrics/a", { body: broken("canceled") })).rejects.toMatchObject({ kind: "canceled" });
    expect([bucket.objects.size, workspace.objects.size]).toEqual([0, 0]);
  });

  it.each<readonly [BucketError["kind"], string]>([
    ["unavailable", "503 ServiceUnavailable"],
    ["timeout", "503 ServiceUnavailable"],
    ["throttled", "503 SlowDown"],
    ["access-denied", "403 AccessDenied"],
    ["corrupt", "500 InternalError"],
  ])("tells of a bucket that is %s", async (kind, expected) => {
    const inner = memoryBucket();
    const failing: Bucket = {
      ...inner,
      attributes: async (key) => {
        throw new BucketError(kind, key, "broken");
      },
    };
    const { ask, outcome } = openServer({}, { buckets: new Map([["metrics", failing]]) });
    expect(await outcome(ask("GET", "/metrics/a"))).toBe(expected);
  });

  it("counts requests by operation and outcome", async () => {
    const { ask, sums } = openServer();
    await ask("PUT", "/metrics/a", { body: "x" });
    await ask("GET", "/metrics/none");
    await ask("GET", "/metrics/none");
    expect(sums.get("pleiad_s3_requests_total PutObject 200")).toBe(1);
    expect(sums.get("pleiad_s3_requests_total GetObject 404")).toBe(2);
  });

  it("has an id for each request, in its headers and its errors", async () => {
    const { ask, text } = openServer();
    const answer = await ask("GET", "/metrics/none");
    const id = answer.headers["x-amz-request-id"];
    expect(id).toMatch(/^[0-9A-F]{16}$/);
    expect(await text(answer)).toContain(`<RequestId>${id}</RequestId>`);
    expect((await ask("GET", "/metrics/none")).headers["x-amz-request-id"]).not.toBe(id);
  });
});

describe("uploads in parts", () => {
  const start = async ({ ask, text }: ReturnType<typeof openServer>, key = "a") =>
    /<UploadId>(.*)<\/UploadId>/.exec(await text(await ask("POST", `/metrics/${key}?uploads=`)))?.[1] ?? "";
  const part = async ({ ask }: ReturnType<typeof openServer>, id: string, number: number, body: string) => {
    const { headers } = await ask("PUT", `/metrics/a?partNumber=${number}&uploadId=${id}`, { body });
    return `<Part><PartNumber>${number}</PartNumber><ETag>${headers["etag"]}</ETag></Part>`;
  };
  const complete = ({ ask, outcome }: ReturnType<typeof openServer>, id: string, parts: readonly string[]) =>
    outcome(
      ask("POST", `/metrics/a?uploadId=${id}`, {
        body: `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`,
      }),
    );

  it("take a part again, and leave nothing in the workspace at the end", async () => {
    const open = openServer({ partBytesMin: 3 });
    const id = await start(open);
    await part(open, id, 2, "never");
    const parts = [await part(open, id, 1, "one"), await part(open, id, 2, "two"), await part(open, id, 7, "!")];
    expect(await complete(open, id, parts)).toBe("200");
    expect(open.bucket.objects.get("a")).toEqual(bytes("onetwo!"));
    expect([...open.workspace.objects.keys()].filter((key) => key.startsWith("uploads/"))).toEqual([]);
  });

  it.each<readonly [string, (parts: readonly string[]) => readonly string[], string]>([
    ["without parts", () => [], "400 MalformedXML"],
    ["with a part that is too small, but the last", (parts) => parts, "400 EntityTooSmall"],
    ["with the parts in another order", (parts) => [...parts].reverse(), "400 InvalidPartOrder"],
    ["with a part twice", ([first = ""]) => [first, first], "400 InvalidPartOrder"],
    ["with an etag that no part has", ([first = ""]) => [first.replace(/[0-9a-f]{4}/, "zzzz")], "400 InvalidPart"],
    ["with a part that never came", ([first = ""]) => [first.replace(">1<", ">9<")], "400 InvalidPart"],
  ])("are not completed %s", async (_rule, change, expected) => {
    const open = openServer({ partBytesMin: 4 });
    const id = await start(open);
    const parts = [await part(open, id, 1, "one"), await part(open, id, 2, "two")];
    expect(await complete(open, id, change(parts))).toBe(expected);
    expect(open.bucket.objects.size).toBe(0);
  });

  it.each([0, 10_001, 1.5, Number.NaN])("have no part %d", async (number) => {
    const open = openServer();
    const id = await start(open);
    const answer = open.ask("PUT", `/metrics/a?partNumber=${number}&uploadId=${id}`, { body: "x" });
    expect(await open.outcome(answer)).toBe("400 InvalidArgument");
  });

  it("belong to their key", async () => {
    const open = openServer();
    const id = await start(open);
    const answer = open.ask("PUT", `/metrics/b?partNumber=1&uploadId=${id}`, { body: "x" });
    expect(await open.outcome(answer)).toBe("404 NoSuchUpload");
  });

  it("are completed once, however many ask", async () => {
    const open = openServer();
    const id = await start(open);
    const parts = [await part(open, id, 1, "one")];
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => complete(open, id, parts)));
    expect(outcomes.sort()).toEqual(["200", "404 NoSuchUpload", "404 NoSuchUpload", "404 NoSuchUpload"]);
  });

  it("under conditions are completed only if they hold, and stay otherwise", async () => {
    const open = openServer();
    await open.bucket.put("a", bytes("there"));
    const id = await start(open);
    const body = `<CompleteMultipartUpload>${await part(open, id, 1, "one")}</CompleteMultipartUpload>`;
    const ask = () =>
      open.outcome(open.ask("POST", `/metrics/a?uploadId=${id}`, { body, headers: { "if-none-match": "*" } }));
    expect(await ask()).toBe("412 PreconditionFailed");
    await open.bucket.delete("a");
    expect(await ask()).toBe("200");
  });

  it("are bounded in number, and removed when nobody has completed them for a day", async () => {
    const open = openServer({ uploadsMax: 2 });
    const first = await start(open);
    await part(open, first, 1, "one");
    await open.clock.advance(23 * 3_600_000);
    const second = await start(open);
    expect(await open.outcome(open.ask("POST", "/metrics/c?uploads="))).toBe("503 SlowDown");
    await open.clock.advance(2 * 3_600_000);
    expect(await open.server.removeAbandonedUploads()).toBe(1);
    expect(await open.outcome(open.ask("GET", `/metrics/a?uploadId=${first}`))).toBe("404 NoSuchUpload");
    expect(await open.outcome(open.ask("GET", `/metrics/a?uploadId=${second}`))).toBe("200");
    expect([...open.workspace.objects.keys()]).toEqual([`uploads/${second}/upload`]);
  });

  it("leave no part behind that came after their end", async () => {
    const open = openServer();
    const id = await start(open);
    const gate = Promise.withResolvers<void>();
    async function* late() {
      yield bytes("late");
      await gate.promise;
    }
    const sending = open.outcome(open.ask("PUT", `/metrics/a?partNumber=1&uploadId=${id}`, { body: late() }));
    await open.ask("DELETE", `/metrics/a?uploadId=${id}`);
    gate.resolve();
    expect(await sending).toBe("404 NoSuchUpload");
    expect(open.workspace.objects.size).toBe(0);
  });

  it("are listed in pages", async () => {
    const open = openServer();
    const ids = [await start(open, "b"), await start(open, "a"), await start(open, "c")];
    const page = await open.text(await open.ask("GET", "/metrics?uploads=&max-uploads=2"));
    expect([...page.matchAll(/<UploadId>(.*?)</g)].map(([, id]) => id)).toEqual([ids[1], ids[0]]);
    const next = await open.text(await open.ask("GET", `/metrics?uploads=&key-marker=b&upload-id-marker=${ids[0]}`));
    expect([...next.matchAll(/<UploadId>(.*?)</g)].map(([, id]) => id)).toEqual([ids[2]]);
  });
});

describe("faults", () => {
  it("strike what the plan names, as often as it says, the same under the same seed", async () => {
    const lineOf = async () => {
      const { server, ask } = openServer();
      server.setFaults({
        rules: [
          {
            operations: ["GetObject"],
            keyPrefix: "a/",
            probability: 0.5,
            times: 5,
            fault: { kind: "error", code: "SlowDown" },
          },
        ],
      });
      let line = "";
      for (let i = 0; i < 30; i++) line += (await ask("GET", "/metrics/a/x")).status === 503 ? "x" : ".";
      for (let i = 0; i < 10; i++) {
        expect((await ask("GET", "/metrics/b/x")).status).toBe(404);
        expect((await ask("HEAD", "/metrics/a/x")).status).toBe(404);
      }
      return line;
    };
    const line = await lineOf();
    expect(line.replaceAll(".", "")).toBe("xxxxx");
    expect(await lineOf()).toBe(line);
  });

  it("wait", async () => {
    const { server, ask, clock } = openServer();
    server.setFaults({ rules: [{ probability: 1, fault: { kind: "latency", minMs: 200, maxMs: 200 } }] });
    let isAnswered = false;
    const answer = ask("GET", "/metrics/a").then(() => (isAnswered = true));
    await clock.advance(199);
    expect(isAnswered).toBe(false);
    await clock.advance(1);
    await answer;
  });
});
