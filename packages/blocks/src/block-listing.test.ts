import { BucketError } from "@pleiad/ports";
import { memoryBucket, type MemoryBucket } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createBlockLister, defaultBlockLister, type BlockLister, type BlockListing } from "./block-listing.ts";
import { formatBlockMark, type BlockMarkKind } from "./block-mark.ts";
import { formatBlockMeta, type BlockMeta } from "./block-meta.ts";

const { signal } = new AbortController();
const ulidOf = (number: number) => `01ARZ3NDEKTSV4RRFFQ6${String(number).padStart(6, "0")}`;
const bytes = (text: string) => new TextEncoder().encode(text);

function metaOf(ulid: string): BlockMeta {
  return {
    ulid,
    minTimeMs: 0,
    maxTimeMs: 1,
    stats: {
      numSamples: 0,
      numFloatSamples: 0,
      numHistogramSamples: 0,
      numSeries: 0,
      numChunks: 0,
      numTombstones: 0,
    },
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: {
      labels: { cluster: "a" },
      resolutionMs: 0,
      source: "sidecar",
      files: [
        { path: "chunks/000001", sizeBytes: 6 },
        { path: "index", sizeBytes: 5 },
        { path: "meta.json", sizeBytes: undefined },
      ],
      indexStats: undefined,
      uploadTimeMs: undefined,
    },
  };
}

function putBlock(bucket: MemoryBucket, ulid: string): void {
  bucket.objects.set(`${ulid}/chunks/000001`, bytes("chunks"));
  bucket.objects.set(`${ulid}/index`, bytes("index"));
  bucket.objects.set(`${ulid}/meta.json`, formatBlockMeta(metaOf(ulid)));
}

function putMark(bucket: MemoryBucket, kind: BlockMarkKind, ulid: string, timeMs = 1000): void {
  const mark = formatBlockMark({ kind, ulid, timeMs, details: "", reason: "manual" });
  bucket.objects.set(`${ulid}/${kind}-mark.json`, mark);
}

async function refreshed(lister: BlockLister): Promise<BlockListing> {
  const listing = await lister.refresh(signal);
  if (!listing.ok) throw listing.failure;
  return listing.value;
}

describe("the blocks of a bucket", () => {
  it("are those with a meta.json, with their marks", async () => {
    const bucket = memoryBucket();
    for (const number of [1, 2, 3]) putBlock(bucket, ulidOf(number));
    putMark(bucket, "no-compact", ulidOf(2));
    putMark(bucket, "deletion", ulidOf(3), 5000);
    const { blocks, partial, malformed, faults } = await refreshed(createBlockLister(bucket));
    expect([...blocks.keys()]).toEqual([1, 2, 3].map(ulidOf));
    expect([...blocks.values()].map(({ marks }) => [...marks.keys()])).toEqual([[], ["no-compact"], ["deletion"]]);
    expect(blocks.get(ulidOf(3))?.marks.get("deletion")?.timeMs).toBe(5000);
    expect([partial.size, malformed.size, faults.length]).toEqual([0, 0, 0]);
  });

  it("without a meta.json are partial, and keep their deletion mark", async () => {
    const bucket = memoryBucket();
    putBlock(bucket, ulidOf(1));
    putBlock(bucket, ulidOf(2));
    putMark(bucket, "deletion", ulidOf(2));
    for (const number of [1, 2]) bucket.objects.delete(`${ulidOf(number)}/meta.json`);
    const { blocks, partial } = await refreshed(createBlockLister(bucket));
    expect(blocks.size).toBe(0);
    expect(partial.get(ulidOf(1))).toMatchObject({ deletionMark: undefined, keys: { length: 2 } });
    expect(partial.get(ulidOf(2))?.deletionMark?.ulid).toBe(ulidOf(2));
  });

  it.each([
    ["an empty meta.json", "meta.json", ""],
    ["a meta.json of another block", "meta.json", new TextDecoder().decode(formatBlockMeta(metaOf(ulidOf(9))))],
    ["no index", "index", undefined],
    ["no chunk file that meta.json names", "chunks/000001", undefined],
  ])("with %s are malformed", async (_rule, file, content) => {
    const bucket = memoryBucket();
    putBlock(bucket, ulidOf(1));
    putBlock(bucket, ulidOf(2));
    if (content === undefined) bucket.objects.delete(`${ulidOf(1)}/${file}`);
    else bucket.objects.set(`${ulidOf(1)}/${file}`, bytes(content));
    const { blocks, malformed } = await refreshed(createBlockLister(bucket));
    expect([...blocks.keys()]).toEqual([ulidOf(2)]);
    expect([...malformed.keys()]).toEqual([ulidOf(1)]);
  });

  it("have no mark where it cannot be read, and it is told", async () => {
    const bucket = memoryBucket();
    putBlock(bucket, ulidOf(1));
    bucket.objects.set(`${ulidOf(1)}/deletion-mark.json`, bytes("{}"));
    const { blocks, faults } = await refreshed(createBlockLister(bucket));
    expect(blocks.get(ulidOf(1))?.marks.size).toBe(0);
    expect(faults).toEqual([`${ulidOf(1)}/deletion-mark.json has version undefined; read is 1`]);
  });

  it("are not what lies beside them", async () => {
    const bucket = memoryBucket();
    putBlock(bucket, ulidOf(1));
    for (const key of ["01234", "debug/metas/x.json", "not-a-ulid/meta.json", `${ulidOf(2).toLowerCase()}/meta.json`]) {
      bucket.objects.set(key, bytes("{}"));
    }
    const { blocks, partial, malformed } = await refreshed(createBlockLister(bucket));
    expect([blocks.size, partial.size, malformed.size]).toEqual([1, 0, 0]);
  });
});

describe("requests", () => {
  it("one for a thousand keys, and one for each meta and mark that is new", async () => {
    const bucket = memoryBucket();
    for (let i = 0; i < 1500; i++) putBlock(bucket, ulidOf(i));
    putMark(bucket, "deletion", ulidOf(3));
    const lister = createBlockLister(bucket);
    await refreshed(lister);
    expect(bucket.requests).toMatchObject({ list: 5, get: 1501, attributes: 0 });
    putBlock(bucket, ulidOf(1500));
    putMark(bucket, "no-compact", ulidOf(4));
    expect((await refreshed(lister)).blocks.size).toBe(1501);
    expect(bucket.requests).toMatchObject({ list: 10, get: 1503, attributes: 0 });
  });

  it("read a mark again that went and came back", async () => {
    const bucket = memoryBucket();
    putBlock(bucket, ulidOf(1));
    const lister = createBlockLister(bucket);
    for (const timeMs of [1000, 2000]) {
      putMark(bucket, "deletion", ulidOf(1), timeMs);
      expect((await refreshed(lister)).blocks.get(ulidOf(1))?.marks.get("deletion")?.timeMs).toBe(timeMs);
      bucket.objects.delete(`${ulidOf(1)}/deletion-mark.json`);
      expect((await refreshed(lister)).blocks.get(ulidOf(1))?.marks.size).toBe(0);
    }
  });

  it("read again what could not be understood: an answer may have been cut short, or a person mended it", async () => {
    const bucket = memoryBucket();
    putBlock(bucket, ulidOf(1));
    putMark(bucket, "deletion", ulidOf(1));
    let isCut = true;
    const cutting = {
      ...bucket,
      get: async (...request: Parameters<typeof bucket.get>) => {
        const whole = await bucket.get(...request);
        return isCut ? whole.subarray(0, whole.length / 2) : whole;
      },
    };
    const lister = createBlockLister(cutting);
    const first = await refreshed(lister);
    expect([first.blocks.size, first.malformed.size, first.faults.length]).toEqual([0, 1, 1]);
    isCut = false;
    const second = await refreshed(lister);
    expect([second.blocks.size, second.malformed.size, second.faults.length]).toEqual([1, 0, 0]);
    expect(second.blocks.get(ulidOf(1))?.marks.size).toBe(1);
  });

  it("that fail make the refresh fail, and the next one goes on from what was known", async () => {
    const bucket = memoryBucket();
    putBlock(bucket, ulidOf(1));
    let fails = false;
    const faulty = {
      ...bucket,
      get: async (...request: Parameters<typeof bucket.get>) => {
        if (fails) throw new BucketError("unavailable", request[0], "down");
        return bucket.get(...request);
      },
    };
    const lister = createBlockLister(faulty);
    await refreshed(lister);
    putBlock(bucket, ulidOf(2));
    fails = true;
    expect(await lister.refresh(signal)).toMatchObject({ ok: false, failure: { kind: "unavailable" } });
    fails = false;
    expect((await refreshed(lister)).blocks.size).toBe(2);
    expect(bucket.requests.get).toBe(2);
  });

  it("that fail at times do not make it begin anew: what was read is known", async () => {
    const bucket = memoryBucket();
    for (let i = 0; i < 40; i++) putBlock(bucket, ulidOf(i));
    for (let i = 0; i < 20; i++) putMark(bucket, "deletion", ulidOf(i));
    let answers = 0;
    const tired = {
      ...bucket,
      get: async (...request: Parameters<typeof bucket.get>) => {
        if (++answers % 10 === 0) throw new BucketError("unavailable", request[0], "down");
        return await bucket.get(...request);
      },
    };
    const lister = createBlockLister(tired, { ...defaultBlockLister, requestsAtOnceMax: 1 });
    let attempts = 1;
    while (!(await lister.refresh(signal)).ok) attempts++;
    expect([attempts, bucket.requests.get]).toEqual([7, 60]);
    const { blocks } = await refreshed(lister);
    expect([...blocks.values()].filter(({ marks }) => marks.has("deletion"))).toHaveLength(20);
  });

  it("are none for marks of blocks that are not wanted, until they are", async () => {
    const bucket = memoryBucket();
    for (let i = 0; i < 4; i++) {
      putBlock(bucket, ulidOf(i));
      putMark(bucket, "deletion", ulidOf(i));
    }
    let wanted = [ulidOf(1)];
    const wantsMarksOf = () => wanted;
    const lister = createBlockLister(bucket, { ...defaultBlockLister, wantsMarksOf });
    const marked = async () =>
      [...(await refreshed(lister)).blocks].filter(([, { marks }]) => marks.size > 0).map(([ulid]) => ulid);
    expect([await marked(), bucket.requests.get]).toEqual([wanted, 5]);
    wanted = [ulidOf(1), ulidOf(2)];
    expect([await marked(), bucket.requests.get]).toEqual([wanted, 6]);
  });

  it("have the marks of those read too that count once the marks of others are known", async () => {
    const bucket = memoryBucket();
    for (let i = 0; i < 4; i++) {
      putBlock(bucket, ulidOf(i));
      if (i < 2) putMark(bucket, "deletion", ulidOf(i));
    }
    // The first that is not marked, as far as is known.
    const wantsMarksOf = ({ blocks }: BlockListing) =>
      [...blocks.values()]
        .filter(({ marks }) => marks.size === 0)
        .map(({ meta }) => meta.ulid)
        .slice(0, 1);
    const { blocks } = await refreshed(createBlockLister(bucket, { ...defaultBlockLister, wantsMarksOf }));
    expect([...blocks.values()].map(({ marks }) => marks.size)).toEqual([1, 1, 0, 0]);
    expect(bucket.requests.get).toBe(4 + 2);
  });

  it("are bounded", async () => {
    const bucket = memoryBucket();
    for (let i = 0; i < 5; i++) putBlock(bucket, ulidOf(i));
    const lister = createBlockLister(bucket, { ...defaultBlockLister, blocksMax: 4 });
    expect(await lister.refresh(signal)).toMatchObject({ ok: false, failure: { message: /more than 4 blocks/ } });
  });
});

it("a block that is deleted between listing and reading is partial", async () => {
  const bucket = memoryBucket();
  putBlock(bucket, ulidOf(1));
  const racing = {
    ...bucket,
    get: async (...request: Parameters<typeof bucket.get>) => {
      bucket.objects.delete(`${ulidOf(1)}/meta.json`);
      return bucket.get(...request);
    },
  };
  const { blocks, partial } = await refreshed(createBlockLister(racing));
  expect([blocks.size, partial.size]).toEqual([0, 1]);
});
