/**
 * The S3 driver over loopback against the object store of the twin: the contract of a bucket, then the store's faults,
 * each of which ends as the port says: a kind of error, or nothing that a caller would see.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { nodeClock, nodeFiles, nodeRandom } from "@pleiad/node-ports";
import { createS3Bucket, defaultS3Transfer, type S3BucketOptions, type S3Transfer } from "@pleiad/objstore";
import { BucketError, type Bucket } from "@pleiad/ports";
import { runBucketAcceptance } from "@pleiad/ports/acceptance";
import { silentObservations } from "@pleiad/ports/testing";
import { faultsPath, signHeaders, type S3Fault, type S3FaultRule } from "@pleiad/s3-server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "./twin-under-test.ts";
import { openObjectStore, type ObjectStoreUnderTest } from "./object-store-under-test.ts";

const partBytes = 65_536;
const impatient: S3Transfer = { ...defaultS3Transfer, partBytes, pauseMs: 1, pauseMsMax: 10, answerMs: 2_000 };

function s3BucketOf(
  under: ObjectStoreUnderTest,
  transfer: Partial<S3Transfer> = {},
  options: Partial<S3BucketOptions> = {},
): Bucket {
  const { bucket, region, endpoint, accessKey, secretKey } = under;
  const credential = { accessKey, secretKey };
  return createS3Bucket(
    { bucket, region, endpoint, pathStyle: true, credential, transfer: { ...impatient, ...transfer }, ...options },
    { clock: nodeClock(), files: nodeFiles(), random: nodeRandom(), observations: silentObservations() },
  );
}

runBucketAcceptance("S3 over loopback", async () => {
  const under = await openObjectStore({ partBytesMin: 1 });
  return { bucket: s3BucketOf(under), close: () => under.close() };
});

const bytes = (text: string) => new TextEncoder().encode(text);
const filled = (byteCount: number) => Uint8Array.from({ length: byteCount }, (_, i) => (i * 31) >>> 3);
async function* inPieces(body: Uint8Array) {
  for (let at = 0; at < body.length; at += 10_000) yield body.subarray(at, at + 10_000);
}

describe("S3 with faults", () => {
  let under: ObjectStoreUnderTest;
  let bucket: Bucket;
  beforeEach(async () => {
    under = await openObjectStore({ partBytesMin: 1 });
    bucket = s3BucketOf(under);
  });
  afterEach(() => under.close());

  const strike = (fault: S3Fault, rule: Partial<S3FaultRule> = {}) =>
    under.store.setFaults({ rules: [{ probability: 1, fault, ...rule }] });
  const heal = () => under.store.setFaults({ rules: [] });
  const errorOf = async (act: Promise<unknown>): Promise<BucketError> => {
    const error = await act.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof BucketError))
      throw new Error(`expected a BucketError, not ${String(error)}`, { cause: error });
    return error;
  };
  const uploads = () => {
    try {
      return readdirSync(join(under.folder, "../../workspace/uploads"));
    } catch {
      return [];
    }
  };

  const noAnswer: S3Fault = { kind: "no-answer", applied: false };
  const lost: S3Fault = { kind: "no-answer", applied: true };
  const lasting: readonly (readonly [string, S3Fault, string, boolean])[] = [
    ["errors of its own", { kind: "error", code: "InternalError" }, "unavailable", true],
    ["being unavailable", { kind: "error", code: "ServiceUnavailable" }, "unavailable", true],
    ["being asked too much", { kind: "error", code: "SlowDown" }, "throttled", false],
    ["refusals", { kind: "error", code: "AccessDenied" }, "access-denied", false],
    ["closed connections", noAnswer, "unavailable", true],
    ["late answers", { kind: "latency", minMs: 5_000, maxMs: 5_000 }, "timeout", true],
  ];
  it.each(lasting)("lasting, as %s: every operation ends as %o, %s", { timeout: 30_000 }, async (...row) => {
    const [, fault, kind, ambiguous] = row;
    bucket = s3BucketOf(under, { answerMs: 150, attempts: 2 });
    await bucket.put("a", bytes("x"));
    strike(fault);
    for (const act of [
      () => bucket.put("a", bytes("y")),
      () => bucket.put("b", inPieces(filled(200_000))),
      () => bucket.get("a"),
      () => bucket.delete("a"),
      async () => {
        for await (const _key of bucket.list("")) throw new Error("no key was expected");
      },
    ]) {
      const error = await errorOf(act());
      expect([error.kind, error.ambiguous]).toEqual([kind, ambiguous]);
    }
    const { kind: headKind } = await errorOf(bucket.attributes("a"));
    // An answer to HEAD has no body to say why the store is not there.
    expect(headKind).toBe(kind === "throttled" ? "unavailable" : kind);
    heal();
    expect(await bucket.get("a")).toEqual(bytes("x"));
  });

  it.each([
    ["an error", { kind: "error", code: "ServiceUnavailable" }],
    ["SlowDown", { kind: "error", code: "SlowDown" }],
    ["a closed connection", noAnswer],
    ["an answer that was lost", lost],
    ["half an answer", { kind: "truncated-body", keptRatio: 0.5 }],
    ["no end of an answer", { kind: "stalled-body", keptRatio: 0.5, spanMs: 60_000 }],
  ] as const)("passing, as %s at the first request of each kind, is not seen", { timeout: 30_000 }, async (...row) => {
    const body = filled(300_000);
    bucket = s3BucketOf(under, { answerMs: 300 });
    const operations = [
      "PutObject",
      "GetObject",
      "HeadObject",
      "ListObjectsV2",
      "DeleteObject",
      "CreateMultipartUpload",
      "UploadPart",
      "CompleteMultipartUpload",
    ];
    under.store.setFaults({
      rules: operations.map((operation) => ({ operations: [operation], probability: 1, times: 1, fault: row[1] })),
    });
    await bucket.put("small", bytes("hello"));
    await bucket.put("large", inPieces(body));
    expect(await bucket.get("small")).toEqual(bytes("hello"));
    expect(
      createHash("md5")
        .update(await bucket.get("large"))
        .digest("hex"),
    ).toBe(createHash("md5").update(body).digest("hex"));
    expect((await bucket.attributes("large")).sizeBytes).toBe(body.length);
    const keys: string[] = [];
    for await (const key of bucket.list("")) keys.push(key);
    expect(keys).toEqual(["large", "small"]);
    await bucket.delete("small");
    expect((await errorOf(bucket.get("small"))).kind).toBe("not-found");
  });

  it.each([
    ["at once", () => bytes("mine")],
    ["in parts", () => inPieces(filled(200_000))],
  ])("knows a conditional put %s again whose answer was lost", async (_form, body) => {
    const operations = ["PutObject", "CompleteMultipartUpload"];
    strike(lost, { operations, times: 1 });
    const attributes = await bucket.put("lease", body(), { ifAbsent: true });
    expect(await bucket.attributes("lease")).toEqual(attributes);
    strike(lost, { operations, times: 1 });
    expect((await errorOf(bucket.put("lease", bytes("other"), { ifAbsent: true }))).kind).toBe("precondition");
    expect(await bucket.attributes("lease")).toEqual(attributes);
  });

  it("without conditional writes looks before it puts", async () => {
    under.store.setFaults({
      rules: [
        { operations: ["PutObject"], probability: 1, times: 1, fault: { kind: "error", code: "NotImplemented" } },
      ],
    });
    await bucket.put("lease", bytes("first"), { ifAbsent: true });
    expect((await errorOf(bucket.put("lease", bytes("second"), { ifAbsent: true }))).kind).toBe("precondition");
    expect(await bucket.get("lease")).toEqual(bytes("first"));
  });

  it.each([
    ["a part that fails for good", { kind: "error", code: "AccessDenied" }, "access-denied"],
    ["a part that is never answered", noAnswer, "unavailable"],
  ] as const)("%s aborts the upload and leaves no object", async (_rule, fault, kind) => {
    under.store.setFaults({
      rules: [
        { operations: ["UploadPart"], probability: 1, times: 2, fault: { kind: "latency", minMs: 0, maxMs: 20 } },
        { operations: ["UploadPart"], probability: 0.3, fault },
      ],
    });
    const error = await errorOf(s3BucketOf(under, { attempts: 1 }).put("large", inPieces(filled(2_000_000))));
    expect(error.kind).toBe(kind);
    heal();
    expect((await errorOf(bucket.attributes("large"))).kind).toBe("not-found");
    // Parts that the store had wholly received when they were called off end a moment later.
    await eventually("no upload is left", 5_000, async () => (uploads().length === 0 ? true : undefined));
  });

  it("a body that breaks off in the middle aborts the upload, and is told as it was", async () => {
    async function* broken() {
      yield filled(200_000);
      throw new Error("the disk broke");
    }
    await expect(bucket.put("large", broken())).rejects.toThrow("the disk broke");
    expect((await errorOf(bucket.attributes("large"))).kind).toBe("not-found");
    expect(uploads()).toEqual([]);
  });

  it("an abort by the caller ends at once what is under way, and is told as the caller's", async () => {
    await bucket.put("a", filled(100_000));
    strike({ kind: "stalled-body", keptRatio: 0.5, spanMs: 60_000 });
    for (const act of [
      (signal: AbortSignal) => bucket.get("a", undefined, signal),
      (signal: AbortSignal) => bucket.put("b", inPieces(filled(300_000)), { signal }),
    ]) {
      const controller = new AbortController();
      const outcome = expect(act(controller.signal)).rejects.toThrow("no longer wanted");
      await new Promise((resolve) => setTimeout(resolve, 100));
      controller.abort(new Error("no longer wanted"));
      await outcome;
    }
  });

  it(
    "whatever fails at random, reads are whole or errors, and puts are there or not",
    { timeout: 60_000 },
    async () => {
      under.store.setFaults({
        rules: [
          { probability: 0.1, fault: { kind: "error", code: "InternalError" } },
          { probability: 0.1, fault: lost },
          { probability: 0.1, fault: { kind: "truncated-body", keptRatio: 0.7 } },
          { probability: 0.05, fault: { kind: "latency", minMs: 1, maxMs: 5 } },
        ],
      });
      bucket = s3BucketOf(under, { attempts: 3 });
      let failures = 0;
      for (let i = 0; i < 60; i++) {
        const body = filled(1 + ((i * 7919) % 150_000));
        const key = `random/${i % 7}`;
        const isPut = await bucket.put(key, i % 2 === 0 ? body : inPieces(body)).then(
          () => true,
          (error: unknown) => (expect(error).toBeInstanceOf(BucketError), false),
        );
        const got = await bucket
          .get(key)
          .catch((error: unknown) => (expect(error).toBeInstanceOf(BucketError), undefined));
        if (!isPut || got === undefined) failures++;
        else expect(Buffer.compare(got, body)).toBe(0);
      }
      expect(failures).toBeGreaterThan(0);
      expect(failures).toBeLessThan(50);
    },
  );

  it("refuses what was damaged on its way", async () => {
    await bucket.put("a", bytes("as it was"));
    strike({ kind: "error", code: "BadDigest" });
    expect((await errorOf(bucket.put("a", bytes("other")))).kind).toBe("corrupt");
    heal();
    expect(readFileSync(join(under.folder, "a"), "utf8")).toBe("as it was");
  });

  it("a bucket that is not there is unavailable, and not without objects", async () => {
    const missing = () => s3BucketOf(under, {}, { bucket: "nobodys" });
    expect((await errorOf(missing().get("a"))).message).toContain("NoSuchBucket");
    expect((await errorOf(missing().get("a"))).kind).toBe("unavailable");
    expect((await errorOf(missing().attributes("a"))).kind).toBe("unavailable");
    expect((await errorOf(s3BucketOf(under).attributes("a"))).kind).toBe("not-found");
  });

  it("nobody listening is unavailable", async () => {
    const nobody = s3BucketOf(under, { attempts: 2 }, { endpoint: "http://127.0.0.1:1" });
    expect((await errorOf(nobody.get("a"))).kind).toBe("unavailable");
  });

  it("takes its faults over HTTP, signed, and tells them", async () => {
    const ask = async (method: string, body = "") => {
      const payloadHash = createHash("sha256").update(body).digest("hex");
      const headers = signHeaders(
        { method, path: faultsPath, query: "", headers: new Map([["host", under.store.address]]) },
        { credential: under, region: under.region, nowMs: Date.now(), payloadHash },
      );
      const answer = await fetch(under.endpoint + faultsPath, { method, headers, ...(body === "" ? {} : { body }) });
      return [answer.status, await answer.text()] as const;
    };
    const plan = { rules: [{ probability: 1, fault: { kind: "error", code: "SlowDown" } }] };
    expect(await ask("PUT", JSON.stringify(plan))).toEqual([200, JSON.stringify(plan)]);
    expect((await errorOf(s3BucketOf(under, { attempts: 1 }).get("a"))).kind).toBe("throttled");
    expect(await ask("GET")).toEqual([200, JSON.stringify(plan)]);
    const [status, text] = await ask(
      "PUT",
      JSON.stringify({ rules: [{ probability: 2, fault: { kind: "latency" } }] }),
    );
    expect([status, text]).toEqual([400, expect.stringContaining("rules[0]: probability must be 0 to 1")]);
    expect((await ask("DELETE"))[0]).toBe(200);
    expect((await errorOf(bucket.get("a"))).kind).toBe("not-found");
    expect((await fetch(under.endpoint + faultsPath)).status).toBe(403);
  });
});

describe("an S3 server that breaks its word", () => {
  async function withServer(listener: RequestListener, act: (bucket: Bucket) => Promise<void>) {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const bucket = createS3Bucket(
      {
        bucket: "blocks",
        region: "eu",
        endpoint: `http://127.0.0.1:${port}`,
        pathStyle: true,
        credential: { accessKey: "a", secretKey: "b" },
        transfer: { ...impatient, attempts: 2 },
      },
      { clock: nodeClock(), files: nodeFiles(), random: nodeRandom(), observations: silentObservations() },
    );
    try {
      await act(bucket);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }
  const page = (more: string) =>
    `<?xml version="1.0"?><ListBucketResult><Contents><Key>a</Key></Contents>${more}</ListBucketResult>`;

  it.each([
    ["says that there is more and not where", "<IsTruncated>true</IsTruncated>"],
    [
      "comes back to where it was",
      "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>",
    ],
  ])("and %s has no list: a short one would be taken for the whole", async (_rule, more) => {
    await withServer(
      (_request, response) => response.setHeader("content-type", "application/xml").end(page(more)),
      async (bucket) => {
        const list = async () => {
          let count = 0;
          for await (const _key of bucket.list("")) if (++count > 10) return "no end";
          return "an end";
        };
        await expect(list()).rejects.toMatchObject({ name: "BucketError", kind: "unavailable" });
      },
    );
  });

  it("and sends the whole for a part of it is not taken at its word", async () => {
    await withServer(
      (_request, response) => response.end("0123456789"),
      async (bucket) => {
        expect(await bucket.get("a")).toEqual(bytes("0123456789"));
        await expect(bucket.get("a", { offset: 3, length: 2 })).rejects.toMatchObject({ kind: "corrupt" });
      },
    );
  });
});
