import { BucketError, type Bucket } from "@pleiad/ports";
import { memoryBucket, memoryFiles, type MemoryBucket, type MemoryFileSystem } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { formatBlockMeta, parseBlockMeta, type BlockMeta } from "./block-meta.ts";
import { deleteBlock, downloadBlock, uploadBlock } from "./block-transfer.ts";

const { signal } = new AbortController();
const ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const indexBytes = 4_300_000;

const meta: BlockMeta = {
  ulid,
  minTimeMs: 0,
  maxTimeMs: 7_200_000,
  stats: { numSamples: 1, numFloatSamples: 1, numHistogramSamples: 0, numSeries: 1, numChunks: 1, numTombstones: 0 },
  compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
  thanos: {
    labels: { a: "b" },
    resolutionMs: 0,
    source: "sidecar",
    files: [],
    indexStats: undefined,
    uploadTimeMs: undefined,
  },
};

async function blockFolder(): Promise<MemoryFileSystem> {
  const files = memoryFiles();
  await files.makeDirectory(`/data/${ulid}/chunks`);
  files.contents.set(`/data/${ulid}/chunks/000001`, new Uint8Array(100).fill(1));
  files.contents.set(`/data/${ulid}/chunks/000002`, new Uint8Array(200).fill(2));
  // More than is read at once.
  files.contents.set(`/data/${ulid}/index`, new Uint8Array(indexBytes).fill(3));
  files.contents.set(`/data/${ulid}/meta.json`, formatBlockMeta(meta));
  return files;
}

const upload = (files: MemoryFileSystem, bucket: Bucket) =>
  uploadBlock({ files, path: `/data/${ulid}`, bucket, signal });

async function uploaded(): Promise<{ bucket: MemoryBucket; meta: BlockMeta }> {
  const bucket = memoryBucket();
  const result = await upload(await blockFolder(), bucket);
  if (!result.ok) throw new Error(result.failure.kind);
  return { bucket, meta: result.value };
}

/** The nth operation from now on fails, and all behind it. */
function failingFrom(bucket: Bucket, n: number): Bucket {
  let operation = 0;
  const guard = (key: string) => {
    if (++operation >= n) throw new BucketError("unavailable", key, "down");
  };
  return {
    name: bucket.name,
    put: async (key, body, options) => {
      guard(key);
      return bucket.put(key, body, options);
    },
    get: async (key, range, at) => {
      guard(key);
      return bucket.get(key, range, at);
    },
    attributes: async (key, at) => {
      guard(key);
      return bucket.attributes(key, at);
    },
    delete: async (key, at) => {
      guard(key);
      await bucket.delete(key, at);
    },
    async *list(prefix, options) {
      guard(prefix);
      yield* bucket.list(prefix, options);
    },
  };
}

const areEqual = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;

describe("uploadBlock", () => {
  it("puts every file, and tells their sizes in meta.json", async () => {
    const { bucket } = await uploaded();
    expect([...bucket.objects].map(([key, { length }]) => [key.slice(ulid.length + 1), length]).slice(0, 3)).toEqual([
      ["chunks/000001", 100],
      ["chunks/000002", 200],
      ["index", indexBytes],
    ]);
    const inBucket = parseBlockMeta(bucket.objects.get(`${ulid}/meta.json`)!);
    expect(inBucket).toMatchObject({
      ok: true,
      value: {
        thanos: {
          files: [
            { path: "chunks/000001", sizeBytes: 100 },
            { path: "chunks/000002", sizeBytes: 200 },
            { path: "index", sizeBytes: indexBytes },
            { path: "meta.json", sizeBytes: undefined },
          ],
        },
      },
    });
  });

  it("shows meta.json last, whichever request breaks it off, and can be repeated", async () => {
    const files = await blockFolder();
    for (let n = 1; ; n++) {
      const bucket = memoryBucket();
      const broken = await upload(files, failingFrom(bucket, n));
      if (bucket.objects.has(`${ulid}/meta.json`)) expect(bucket.objects.size).toBe(4);
      if (broken.ok) break;
      expect(broken.failure).toMatchObject({ kind: "unavailable", block: ulid });
      const putsBefore = bucket.requests.put;
      expect((await upload(files, bucket)).ok).toBe(true);
      // What was there stays: three files and meta.json in all, but for a meta.json that is put again.
      expect(bucket.requests.put - putsBefore).toBe(4 - Math.min(3, putsBefore));
    }
  });

  it("takes meta.json back when a file was deleted meanwhile", async () => {
    const bucket = memoryBucket();
    const racing: Bucket = {
      ...bucket,
      put: async (key, body, options) => {
        if (key.endsWith("meta.json")) bucket.objects.delete(`${ulid}/index`);
        return bucket.put(key, body, options);
      },
    };
    expect(await upload(await blockFolder(), racing)).toMatchObject({ ok: false, failure: { kind: "unavailable" } });
    expect(bucket.objects.has(`${ulid}/meta.json`)).toBe(false);
  });
});

describe("downloadBlock", () => {
  const download = async (bucket: Bucket, of: BlockMeta, files = memoryFiles()) => ({
    files,
    result: await downloadBlock({ bucket, meta: of, files, directory: "/work", signal }),
  });

  it("copies every file", async () => {
    const { bucket, meta: inBucket } = await uploaded();
    const { files, result } = await download(bucket, inBucket);
    expect(result).toEqual({ ok: true, value: `/work/${ulid}` });
    for (const [key, content] of bucket.objects)
      expect(areEqual(files.contents.get(`/work/${key}`), content)).toBe(true);
  });

  it("looks for the files where meta.json lists none", async () => {
    const { bucket } = await uploaded();
    const { files, result } = await download(bucket, meta);
    expect(result.ok).toBe(true);
    expect(files.contents.get(`/work/${ulid}/index`)?.length).toBe(indexBytes);
  });

  it("can be repeated", async () => {
    const { bucket, meta: inBucket } = await uploaded();
    const { files, result } = await download(failingFrom(bucket, 3), inBucket);
    expect(result.ok).toBe(false);
    expect((await download(bucket, inBucket, files)).result.ok).toBe(true);
  });

  it("goes on after a short answer", async () => {
    const { bucket, meta: inBucket } = await uploaded();
    const stuttering: Bucket = {
      ...bucket,
      get: async (key, range, at) => (await bucket.get(key, range, at)).subarray(0, 1_000_000),
    };
    const { files, result } = await download(stuttering, inBucket);
    expect(result.ok).toBe(true);
    expect(areEqual(files.contents.get(`/work/${ulid}/index`), bucket.objects.get(`${ulid}/index`))).toBe(true);
  });

  it.each([
    ["shorter", 99],
    ["longer", 101],
  ])("finds a file corrupt that is %s than meta.json says", async (_rule, size) => {
    const { bucket, meta: inBucket } = await uploaded();
    bucket.objects.set(`${ulid}/chunks/000001`, new Uint8Array(size));
    const { result } = await download(bucket, inBucket);
    expect(result).toMatchObject({ ok: false, failure: { kind: "corrupt", file: "chunks/000001" } });
  });

  it("tells that a file is gone by the bucket's error", async () => {
    const { bucket, meta: inBucket } = await uploaded();
    bucket.objects.delete(`${ulid}/index`);
    const { result } = await download(bucket, inBucket);
    expect(result).toMatchObject({ ok: false, failure: { kind: "unavailable", cause: { kind: "not-found" } } });
  });

  it("makes no file of any other name, whatever meta.json says", async () => {
    const { bucket, meta: inBucket } = await uploaded();
    const planted = { path: "../../etc/passwd", sizeBytes: 3 };
    const thanos = { ...inBucket.thanos!, files: [...inBucket.thanos!.files, planted] };
    const { files } = await download(bucket, { ...inBucket, thanos });
    expect([...files.contents.keys()].filter((path) => !path.startsWith(`/work/${ulid}/`))).toEqual([]);
  });
});

describe("deleteBlock", () => {
  it("takes meta.json first and the mark last, whichever request breaks it off", async () => {
    for (let n = 1; ; n++) {
      const { bucket } = await uploaded();
      bucket.objects.set(`${ulid}/deletion-mark.json`, new Uint8Array(1));
      let isDone = true;
      try {
        await deleteBlock(failingFrom(bucket, n), ulid, signal);
      } catch {
        isDone = false;
      }
      const names = [...bucket.objects.keys()].map((key) => key.slice(ulid.length + 1));
      if (names.length < 5) expect(names).not.toContain("meta.json");
      if (names.length > 0) expect(names).toContain("deletion-mark.json");
      expect(await deleteBlock(bucket, ulid, signal)).toBe(true);
      expect(bucket.objects.size).toBe(0);
      if (isDone) break;
    }
  });

  it("keeps the mark where a file comes back meanwhile", async () => {
    const { bucket } = await uploaded();
    bucket.objects.set(`${ulid}/deletion-mark.json`, new Uint8Array(1));
    const racing: Bucket = {
      ...bucket,
      delete: async (key, at) => {
        await bucket.delete(key, at);
        if (key.endsWith("index")) bucket.objects.set(`${ulid}/meta.json`, new Uint8Array(1));
      },
    };
    expect(await deleteBlock(racing, ulid, signal)).toBe(false);
    expect(bucket.objects.has(`${ulid}/deletion-mark.json`)).toBe(true);
    expect(await deleteBlock(bucket, ulid, signal)).toBe(true);
  });
});
