/** What a restart costs, and what becomes of it when the disk lies: the list of blocks is always the bucket's. */
import { memoryBucket, memoryFiles, testPorts, type MemoryBucket } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  epochMs,
  hourMs,
  interceptedBucket,
  openStore,
  putBlock,
  putDeletionMark,
  steadySeries,
} from "./bucket-store.fixtures.ts";
import type { BucketStoreOptions } from "./store-options.ts";

type MemoryFiles = ReturnType<typeof memoryFiles>;

const directory = "/headers/kept-metas";

const clusters = ["a", "b", "c"];

async function threeBlocks<B extends MemoryBucket>(bucket: B) {
  const metas = [];
  for (const cluster of clusters) {
    metas.push(await putBlock(bucket, { from: 0, to: 2, external: { cluster }, series: steadySeries(["up"], 0, 2) }));
  }
  return { bucket, metas };
}

/** One process of the gateway: reads the list and ends. What it asked the bucket for, and the blocks that it serves. */
async function run(bucket: MemoryBucket, files: MemoryFiles, options: Partial<BucketStoreOptions> = {}) {
  const before = { ...bucket.requests };
  const { store } = await openStore(bucket, options, { ...testPorts({ startMs: epochMs }), files });
  const { blocks, states } = store.status();
  const { list, get } = bucket.requests;
  await store.stop();
  return { blocks, states, lists: list - before.list, gets: get - before.get };
}

const packsOf = ({ contents }: MemoryFiles) => [...contents.keys()].filter((path) => path.startsWith(directory));

describe("the list of blocks after a restart", () => {
  it.each([
    ["costs its keys alone", []],
    [
      "costs its keys alone, although most blocks are other shards'",
      [{ action: "keep", sourceLabels: ["cluster"], separator: ";", regex: "b" }],
    ],
  ] as const)("%s", async (_, rules) => {
    const { bucket } = await threeBlocks(memoryBucket());
    const files = memoryFiles();
    const first = await run(bucket, files, { rules });
    expect([first.lists, first.gets]).toEqual([1, clusters.length]);
    expect(await run(bucket, files, { rules })).toEqual({ ...first, gets: 0 });
    expect(await run(bucket, files, { rules })).toEqual({ ...first, gets: 0 });
  });

  it("costs a request for each mark of its own blocks besides, as marks may change", async () => {
    const { bucket, metas } = await threeBlocks(memoryBucket());
    for (const { ulid } of metas) await putDeletionMark(bucket, ulid, epochMs);
    const files = memoryFiles();
    const rules = [{ action: "keep", sourceLabels: ["cluster"], separator: ";", regex: "b|c" }] as const;
    expect(await run(bucket, files, { rules })).toMatchObject({ gets: 5, blocks: { length: 2 } });
    expect(await run(bucket, files, { rules })).toMatchObject({ gets: 2, blocks: { length: 2 } });
  });

  it("costs a request for a mark only where no other block covers what is marked", async () => {
    const bucket = memoryBucket();
    const put = (from: number, to: number, sources?: readonly string[]) =>
      putBlock(bucket, { from, to, ...(sources && { sources }), series: steadySeries(["up"], from, to) });
    const small = [await put(0, 2), await put(2, 4)];
    const sources = small.map(({ ulid }) => ulid);
    const large = await put(0, 4, sources);
    for (const ulid of sources) await putDeletionMark(bucket, ulid, epochMs - 25 * hourMs);
    const files = memoryFiles();
    const served = async () => {
      const { blocks, gets } = await run(bucket, files);
      return { served: blocks.map(({ ulid }) => ulid).sort(), gets };
    };
    expect(await served()).toEqual({ served: [large.ulid], gets: 3 });
    expect(await served()).toEqual({ served: [large.ulid], gets: 0 });
    // What covers them does not count any more: whether they do, their marks tell.
    await putDeletionMark(bucket, large.ulid, epochMs - 25 * hourMs);
    expect(await served()).toEqual({ served: [], gets: 3 });
    await bucket.delete(`${small[1]?.ulid ?? "none"}/deletion-mark.json`);
    expect(await served()).toEqual({ served: sources.slice(1), gets: 2 });
  });

  it("costs a request for each block that is new", async () => {
    const { bucket } = await threeBlocks(memoryBucket());
    const files = memoryFiles();
    await run(bucket, files);
    await putBlock(bucket, { from: 2, to: 4, series: steadySeries(["up"], 2, 4) });
    expect(await run(bucket, files)).toMatchObject({ gets: 1, blocks: { length: 4 } });
    expect(await run(bucket, files)).toMatchObject({ gets: 0, blocks: { length: 4 } });
  });

  it("has no block that is gone, or whose meta.json is", async () => {
    const { bucket, metas } = await threeBlocks(memoryBucket());
    const files = memoryFiles();
    await run(bucket, files);
    const [first, second, third] = metas.map(({ ulid }) => ulid);
    for (const key of [...bucket.objects.keys()]) if (key.startsWith(first ?? "none")) await bucket.delete(key);
    await bucket.delete(`${second}/meta.json`);
    const { blocks, states, gets } = await run(bucket, files);
    expect([blocks.map(({ ulid }) => ulid), states["no-meta"], gets]).toEqual([[third], 1, 0]);
  });

  it("keeps no meta.json that could not be understood", async () => {
    const { bucket, metas } = await threeBlocks(interceptedBucket());
    const files = memoryFiles();
    const [{ ulid } = { ulid: "none" }] = metas;
    bucket.answer = async ({ key }, real) => (await real()).subarray(0, key.startsWith(ulid) ? 40 : undefined);
    expect((await run(bucket, files)).states).toMatchObject({ loaded: 2, "corrupted-meta-json": 1 });
    bucket.answer = (_, real) => real();
    expect(await run(bucket, files)).toMatchObject({ gets: 1, states: { loaded: 3 } });
    expect(await run(bucket, files)).toMatchObject({ gets: 0, states: { loaded: 3 } });
  });

  it("reads all anew where nothing may be kept", async () => {
    const { bucket } = await threeBlocks(memoryBucket());
    const files = memoryFiles();
    for (let i = 0; i < 2; i++) {
      expect(await run(bucket, files, { metaBytesMax: 0 })).toMatchObject({ gets: 3, states: { loaded: 3 } });
    }
    expect(packsOf(files)).toEqual([]);
  });
});

describe("files meta.json on disk", () => {
  it("are read anew from the bucket where they were cut short or have one byte changed, and are whole again", async () => {
    const { bucket } = await threeBlocks(memoryBucket());
    const whole = memoryFiles();
    const { blocks } = await run(bucket, whole);
    const [path = "none"] = packsOf(whole);
    const pack = whole.contents.get(path)?.slice() ?? new Uint8Array();
    expect(pack.length).toBeGreaterThan(1000);
    const damaged = fc.oneof(
      fc.nat(pack.length - 1).map((length) => ({ bytes: pack.slice(0, length), what: `cut after ${length}` })),
      fc.tuple(fc.nat(pack.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, mask]) => ({
        bytes: pack.map((byte, i) => (i === at ? byte ^ mask : byte)),
        what: `byte ${at} changed by ${mask}`,
      })),
    );
    await fc.assert(
      fc.asyncProperty(damaged, async ({ bytes }) => {
        const files = memoryFiles();
        await files.makeDirectory(directory);
        await files.writeFileAtomic(path, bytes);
        const again = await run(bucket, files);
        expect(again.blocks).toEqual(blocks);
        expect(again.gets).toBeGreaterThan(0);
        expect(await run(bucket, files)).toMatchObject({ blocks, gets: 0 });
      }),
      { numRuns: 80 },
    );
  });

  it("leave the disk with their blocks", async () => {
    const { bucket } = await threeBlocks(memoryBucket());
    const files = memoryFiles();
    await run(bucket, files);
    expect(packsOf(files)).toHaveLength(1);
    for (const key of [...bucket.objects.keys()]) await bucket.delete(key);
    expect((await run(bucket, files)).blocks).toEqual([]);
    expect(packsOf(files)).toEqual([]);
  });

  it("never take more than they may: the oldest go, and are read anew", async () => {
    const { bucket } = await threeBlocks(memoryBucket());
    const files = memoryFiles();
    const metaBytesMax = 8 * 1024;
    for (let i = 0; i < 30; i++) {
      await putBlock(bucket, { from: i, to: i + 1, series: steadySeries(["up"], i, i + 1) });
      const { blocks } = await run(bucket, files, { metaBytesMax });
      expect(blocks).toHaveLength(clusters.length + i + 1);
      const bytes = packsOf(files).map((path) => files.contents.get(path)?.length ?? NaN);
      expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(metaBytesMax);
    }
    const { gets } = await run(bucket, files, { metaBytesMax });
    expect(gets).toBeGreaterThan(0);
    expect(gets).toBeLessThan(clusters.length + 30);
  });

  it("that a full disk takes not cost requests, and no block", async () => {
    const { bucket } = await threeBlocks(memoryBucket());
    const files = memoryFiles();
    files.failFrom(1, "ENOSPC");
    expect(await run(bucket, files)).toMatchObject({ gets: 3, states: { loaded: 3 } });
    files.heal();
    expect(await run(bucket, files)).toMatchObject({ gets: 3, states: { loaded: 3 } });
    expect(await run(bucket, files)).toMatchObject({ gets: 0, states: { loaded: 3 } });
  });
});
