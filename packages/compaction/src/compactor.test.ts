import { downloadBlock, formatBlockMark, ulidTimeMs, uploadBlock, type BlockMarkKind } from "@pleiad/blocks";
import { BucketError, FileError, type Bucket, type Observations } from "@pleiad/ports";
import { manualClock, memoryBucket, memoryFiles, type MemoryBucket } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import {
  describeBlocks,
  epochMs,
  hourMs,
  listBlocks,
  putBlock,
  readAll,
  steadySeries,
  type TestBlock,
} from "./compaction.fixtures.ts";
import { createCompactor } from "./bucket-compactor.ts";
import { defaultBlockWork, defaultCompactor, type Compactor, type CompactorOptions } from "./compactor.ts";

/** A bucket, a clock, and metrics that can be read. */
function world(startHours: number) {
  const clock = manualClock(epochMs + startHours * hourMs);
  const bucket = memoryBucket(() => clock.wallMs());
  const files = memoryFiles();
  const figures = new Map<string, number>();
  const nameOf = (name: string, labels: readonly string[]) => [name, ...labels].join(" ");
  const observations: Observations = {
    counter: (name) => ({
      add: (amount, ...labels) => figures.set(nameOf(name, labels), (figures.get(nameOf(name, labels)) ?? 0) + amount),
    }),
    gauge: (name) => ({ set: (value, ...labels) => void figures.set(nameOf(name, labels), value) }),
    histogram: () => ({ observe: () => {} }),
    log: () => {},
  };
  const ports = { clock, files, observations };
  const open = (options: Partial<CompactorOptions> = {}, on: Bucket = bucket): Compactor => {
    const made = createCompactor(
      on,
      { ...defaultCompactor, work: { ...defaultBlockWork, directory: "/work" }, ...options },
      ports,
    );
    if (!made.ok) throw new Error(made.failure);
    return made.value;
  };
  const { signal } = new AbortController();
  const pass = async (options: Partial<CompactorOptions> = {}, on: Bucket = bucket) => {
    const compactor = open(options, on);
    const outcome = await compactor.runPass(signal);
    return { compactor, outcome, status: compactor.status() };
  };
  return { clock, bucket, files, figures, ports, open, pass, signal };
}

const names = ["up", "requests_total", "bytes_total"];
const external = { cluster: "a" };

async function putBlocks(bucket: Bucket, toHours: number, more: Partial<TestBlock> = {}, lengthHours = 2) {
  for (let from = 0; from < toHours; from += lengthHours) {
    const to = from + lengthHours;
    await putBlock(bucket, { from, to, labels: external, series: steadySeries(names, from, to), ...more });
  }
}

/** What lies in the work folder, but for what is kept there from start to start. */
function leftovers({ contents }: ReturnType<typeof memoryFiles>): readonly string[] {
  return [...contents.keys()].filter((path) => !path.startsWith("/work/kept-metas/"));
}

/** The bucket with something done before each operation. */
function interrupted(bucket: Bucket, before: () => Promise<void>): Bucket {
  return {
    name: bucket.name,
    put: async (...asked) => (await before(), await bucket.put(...asked)),
    get: async (...asked) => (await before(), await bucket.get(...asked)),
    attributes: async (...asked) => (await before(), await bucket.attributes(...asked)),
    delete: async (...asked) => (await before(), await bucket.delete(...asked)),
    async *list(...asked) {
      await before();
      yield* bucket.list(...asked);
    },
  };
}

describe("the list of blocks after a restart", () => {
  /** Passes of two compactors, one after the other on the same disk: the requests of each. */
  async function restarted(
    options: Partial<CompactorOptions>,
    between: (of: ReturnType<typeof world>) => Promise<void>,
  ) {
    const of = world(2);
    await putBlocks(of.bucket, 2);
    await putBlocks(of.bucket, 2, { labels: { cluster: "b" } });
    const gets: number[] = [];
    for (const before of [async () => {}, between]) {
      await before(of);
      const { get } = of.bucket.requests;
      const { compactor, outcome } = await of.pass(options);
      expect(outcome).toEqual({ kind: "done" });
      await compactor.close();
      gets.push(of.bucket.requests.get - get);
    }
    return { ...of, gets };
  }

  it("costs no request for blocks that an earlier process knew", async () => {
    expect((await restarted({}, async () => {})).gets).toEqual([2, 0]);
  });

  it("costs one for a block that is new", async () => {
    const put = ({ bucket }: ReturnType<typeof world>) => putBlocks(bucket, 2, { labels: { cluster: "c" } });
    expect((await restarted({}, put)).gets).toEqual([2, 1]);
  });

  it("costs one for each block whose meta.json is not as it was written, on disk", async () => {
    const damage = async ({ files }: ReturnType<typeof world>) => {
      for (const [path, bytes] of [...files.contents]) {
        if (path.startsWith("/work/kept-metas/"))
          await files.writeFileAtomic(
            path,
            bytes.map((byte) => byte ^ 1),
          );
      }
    };
    expect((await restarted({}, damage)).gets).toEqual([2, 2]);
  });

  it("costs one for each block where none may be kept", async () => {
    const { gets, files } = await restarted({ metaBytesMax: 0 }, async () => {});
    expect(gets).toEqual([2, 2]);
    expect([...files.contents.keys()].filter((path) => path.includes("kept-metas"))).toEqual([]);
  });

  it("has no block that is gone, and forgets it", async () => {
    const gone = async ({ bucket }: ReturnType<typeof world>) => {
      for (const key of [...bucket.objects.keys()]) await bucket.delete(key);
    };
    const { gets, files } = await restarted({}, gone);
    expect(gets).toEqual([2, 0]);
    expect([...files.contents.keys()].filter((path) => path.includes("kept-metas"))).toEqual([]);
  });
});

function putMark(bucket: MemoryBucket, kind: BlockMarkKind, ulid: string, timeMs: number) {
  const mark = formatBlockMark({ kind, ulid, timeMs, details: "by hand", reason: "manual" });
  bucket.objects.set(`${ulid}/${kind}-mark.json`, mark);
}

const objectsOfBlocks = ({ objects }: MemoryBucket) =>
  [...objects.keys()].filter((key) => !key.startsWith("debug/")).length;

describe("compaction", () => {
  it("merges what is there until nothing is left to merge, and keeps every sample", async () => {
    const { bucket, pass, figures } = world(60);
    await putBlocks(bucket, 58);
    const before = await readAll(bucket);
    const { outcome, status } = await pass();
    expect(outcome).toEqual({ kind: "done" });
    expect(await describeBlocks(bucket)).toEqual([
      '0-48 raw L3 {cluster="a"}',
      '0-48 5m L3 {cluster="a"}',
      '48-56 raw L2 {cluster="a"}',
      '56-58 raw L1 {cluster="a"}',
    ]);
    expect(await readAll(bucket)).toEqual(before);
    expect(status).toMatchObject({ running: undefined, planned: [], halted: [], todo: { compactions: 0 } });
    expect(figures.get("thanos_compact_group_compactions_total 0")).toBe(8);
    expect(figures.get("thanos_compact_iterations_total")).toBe(1);
    expect(figures.get("thanos_blocks_meta_synced loaded")).toBe(4);
    expect(figures.get("thanos_blocks_meta_synced marked-for-deletion")).toBe(28 + 6);
  });

  it("tells in meta.json what a block came from", async () => {
    const { bucket, pass } = world(12);
    await putBlocks(bucket, 10);
    const originals = [...(await listBlocks(bucket)).values()].slice(0, 4);
    await pass();
    const merged = [...(await listBlocks(bucket)).values()].find(({ compaction }) => compaction.level === 2);
    expect(merged).toMatchObject({
      stats: { numSeries: 3, numSamples: 3 * 48, numFloatSamples: 3 * 48 },
      compaction: {
        level: 2,
        sources: originals.map(({ ulid }) => ulid).sort(),
        parents: originals.map(({ ulid, minTimeMs, maxTimeMs }) => ({ ulid, minTimeMs, maxTimeMs })),
      },
      thanos: { labels: external, resolutionMs: 0, source: "compactor" },
    });
    expect(merged?.thanos?.files.map(({ path }) => path)).toEqual(["chunks/000001", "index", "meta.json"]);
  });

  it("keeps streams apart", async () => {
    const { bucket, pass } = world(12);
    for (const cluster of ["a", "b"]) await putBlocks(bucket, 10, { labels: { cluster } });
    const before = await readAll(bucket);
    await pass();
    expect((await describeBlocks(bucket)).sort()).toEqual([
      '0-8 raw L2 {cluster="a"}',
      '0-8 raw L2 {cluster="b"}',
      '8-10 raw L1 {cluster="a"}',
      '8-10 raw L1 {cluster="b"}',
    ]);
    expect(await readAll(bucket)).toEqual(before);
  });

  it("leaves alone what is not its shard", async () => {
    const { bucket, pass } = world(12);
    for (const cluster of ["a", "b"]) await putBlocks(bucket, 10, { labels: { cluster } });
    await pass({ isSelected: ({ thanos }) => thanos?.labels["cluster"] === "b" });
    const blocks = await describeBlocks(bucket);
    expect(blocks.filter((line) => line.includes('cluster="a"'))).toHaveLength(5);
    expect(blocks.filter((line) => line.includes('cluster="b"'))).toHaveLength(2);
  });

  it("leaves alone what is younger than the consistency delay", async () => {
    const { bucket, pass, clock } = world(10.4);
    await putBlocks(bucket, 10);
    await pass();
    expect(await describeBlocks(bucket)).toHaveLength(5);
    await clock.advance(hourMs / 2);
    await pass();
    expect(await describeBlocks(bucket)).toHaveLength(2);
  });

  it("leaves nothing in its work folder, nor what a crash left there, and touches nothing else", async () => {
    const { bucket, pass, files } = world(12);
    await files.makeDirectory("/work/compaction-01ARZ3NDEKTSV4RRFFQ69G5FAV");
    await files.makeDirectory("/work/01ARZ3NDEKTSV4RRFFQ69G5FAV");
    files.contents.set("/work/compaction-01ARZ3NDEKTSV4RRFFQ69G5FAV/index", new Uint8Array(10));
    files.contents.set("/work/01ARZ3NDEKTSV4RRFFQ69G5FAV/index", new Uint8Array(10));
    await putBlocks(bucket, 10);
    await pass();
    expect(leftovers(files)).toEqual(["/work/01ARZ3NDEKTSV4RRFFQ69G5FAV/index"]);
    expect(await files.list("/work")).toEqual(["01ARZ3NDEKTSV4RRFFQ69G5FAV", "kept-metas"]);
  });

  it("does nothing when there is nothing to do, with few requests", async () => {
    const { bucket, open, signal } = world(60);
    await putBlocks(bucket, 58);
    const compactor = open();
    await compactor.runPass(signal);
    const before = { ...bucket.requests };
    expect(await compactor.runPass(signal)).toEqual({ kind: "done" });
    // A walk over the keys before compaction, before downsampling, and before deletion.
    expect(bucket.requests).toEqual({ ...before, list: before.list + 3 });
  });
});

describe("blocks that overlap", () => {
  const replicaSeries = (from: number, to: number, replica: number) =>
    steadySeries(names, from, to, 30_000, replica * 2000);

  it("of replicas become one stream by penalty, without doubling the samples", async () => {
    const { bucket, pass, figures } = world(12);
    for (const replica of [0, 1]) {
      for (let from = 0; from < 10; from += 2) {
        const labels = { cluster: "a", replica: String(replica) };
        await putBlock(bucket, { from, to: from + 2, labels, series: replicaSeries(from, from + 2, replica) });
      }
    }
    await pass({ replicaLabels: ["replica"], replicaMerge: "penalty" });
    expect(await describeBlocks(bucket)).toEqual(['0-8 raw L3 {cluster="a"}', '8-10 raw L2 {cluster="a"}']);
    const merged = [...(await listBlocks(bucket)).values()].filter(({ compaction }) => compaction.level === 3);
    expect(merged[0]?.stats.numSamples).toBe(3 * 8 * 120);
    expect(figures.get("thanos_compact_group_vertical_compactions_total 0")).toBe(5);
  });

  it("of replicas that hold the same become one stream one to one", async () => {
    const { bucket, pass } = world(12);
    for (const replica of ["0", "1"]) await putBlocks(bucket, 10, { labels: { cluster: "a", replica } });
    await pass({ replicaLabels: ["replica"] });
    expect(await describeBlocks(bucket)).toEqual(['0-8 raw L3 {cluster="a"}', '8-10 raw L2 {cluster="a"}']);
    expect([...(await listBlocks(bucket)).values()].at(-1)?.stats.numSamples).toBeLessThanOrEqual(3 * 48);
  });

  it("and agree are merged: a late block that fills a gap, a block that is there twice", async () => {
    const { bucket, pass } = world(14);
    await putBlocks(bucket, 2);
    for (const from of [4, 6, 8]) {
      await putBlock(bucket, { from, to: from + 2, labels: external, series: steadySeries(names, from, from + 2) });
    }
    await pass();
    expect(await describeBlocks(bucket)).toEqual(['0-8 raw L2 {cluster="a"}', '8-10 raw L1 {cluster="a"}']);
    const late = { from: 2, to: 4, labels: external, series: steadySeries(names, 2, 4), samplesPerChunk: 5 };
    await putBlock(bucket, late);
    await putBlock(bucket, { ...late, samplesPerChunk: 7 });
    const all = await readAll(bucket);
    const { status } = await pass();
    expect(status.halted).toEqual([]);
    expect(await describeBlocks(bucket)).toEqual(['0-8 raw L3 {cluster="a"}', '8-10 raw L1 {cluster="a"}']);
    expect(await readAll(bucket)).toEqual(all);
  });

  it("of samples that came late are merged with those that came in time", async () => {
    const { bucket, pass } = world(12);
    const hints = ["from-out-of-order"];
    await putBlock(bucket, { from: 0, to: 2, labels: external, series: replicaSeries(0, 2, 0) });
    await putBlock(bucket, { from: 0, to: 2, labels: external, series: replicaSeries(0, 2, 1), hints });
    const before = await readAll(bucket);
    expect((await pass()).status.halted).toEqual([]);
    expect(await describeBlocks(bucket)).toEqual(['0-2 raw L2 {cluster="a"}']);
    expect(await readAll(bucket)).toEqual(before);
    expect([...(await listBlocks(bucket)).values()].at(-1)?.stats.numSamples).toBeLessThanOrEqual(before.length);
  });

  it("and disagree halt their stream alone, with the blocks by name and what to do", async () => {
    const { bucket, open, clock, figures, signal } = world(12);
    const first = await putBlock(bucket, { from: 0, to: 2, labels: external, series: replicaSeries(0, 2, 0) });
    const second = await putBlock(bucket, { from: 0, to: 2, labels: external, series: replicaSeries(0, 2, 1) });
    await putBlocks(bucket, 10, { labels: { cluster: "b" } });
    const compactor = open();
    expect(await compactor.runPass(signal)).toEqual({ kind: "done" });
    const [halt] = compactor.status().halted;
    expect(halt?.labels).toBe('{cluster="a"}');
    for (const text of [first.ulid, second.ulid, "two producers", "no-compact-mark.json"]) {
      expect(halt?.reason).toContain(text);
    }
    expect(figures.get("thanos_compact_halted")).toBe(1);
    expect(figures.get(`pleiad_compact_stream_halted ${halt?.group}`)).toBe(1);
    expect(await describeBlocks(bucket)).toContain('0-8 raw L2 {cluster="b"}');
    // Nothing is downloaded again while nothing has changed.
    const gets = bucket.requests.get;
    await compactor.runPass(signal);
    expect(bucket.requests.get).toBe(gets);
    // A mark ends it.
    putMark(bucket, "no-compact", second.ulid, clock.wallMs());
    await compactor.runPass(signal);
    expect(compactor.status().halted).toEqual([]);
    expect(figures.get("thanos_compact_halted")).toBe(0);
    expect(figures.get(`pleiad_compact_stream_halted ${halt?.group}`)).toBe(0);
  });
});

describe("a block that is damaged", () => {
  it.each([
    ["in a chunk", "chunks/000001", 100],
    ["in its index", "index", 20],
  ])("%s halts its stream alone and stays", async (_rule, file, at) => {
    const { bucket, pass } = world(12);
    for (const cluster of ["a", "b"]) await putBlocks(bucket, 10, { labels: { cluster } });
    const damaged = [...(await listBlocks(bucket)).values()].find(({ thanos }) => thanos?.labels["cluster"] === "a");
    const bytes = bucket.objects.get(`${damaged?.ulid}/${file}`)!;
    bytes[at]! ^= 0xff;
    const { status, outcome } = await pass();
    expect(outcome).toEqual({ kind: "done" });
    expect(status.halted).toHaveLength(1);
    expect(status.halted[0]?.reason).toContain(damaged?.ulid);
    const blocks = await describeBlocks(bucket);
    expect(blocks.filter((line) => line.includes('cluster="a"'))).toHaveLength(5);
    expect(blocks).toContain('0-8 raw L2 {cluster="b"}');
  });

  it("and is shorter than it says halts too, while one that is gone does not", async () => {
    const { bucket, pass } = world(12);
    await putBlocks(bucket, 10);
    const [ulid] = (await listBlocks(bucket)).keys();
    bucket.objects.set(`${ulid}/index`, bucket.objects.get(`${ulid}/index`)!.subarray(0, 100));
    expect((await pass()).status.halted[0]?.reason).toContain(`${ulid}: index`);
  });
});

describe("marks", () => {
  it("of no-compact keep a block as it is", async () => {
    const { bucket, pass, clock } = world(12);
    await putBlocks(bucket, 10);
    const [ulid = ""] = (await listBlocks(bucket)).keys();
    putMark(bucket, "no-compact", ulid, clock.wallMs());
    await pass();
    expect(await describeBlocks(bucket)).toEqual([
      '0-2 raw L1 {cluster="a"}',
      '2-8 raw L2 {cluster="a"}',
      '8-10 raw L1 {cluster="a"}',
    ]);
  });

  it("of deletion take a block out at once, and the bucket loses it after the delay", async () => {
    const { bucket, pass, clock, figures } = world(14);
    await putBlocks(bucket, 12);
    const [ulid = ""] = (await listBlocks(bucket)).keys();
    putMark(bucket, "deletion", ulid, clock.wallMs());
    await pass();
    const left = ['2-8 raw L2 {cluster="a"}', '8-10 raw L1 {cluster="a"}', '10-12 raw L1 {cluster="a"}'];
    expect(await describeBlocks(bucket)).toEqual(left);
    const objects = bucket.objects.size;
    await clock.advance(47 * hourMs);
    await pass();
    expect(bucket.objects.size).toBe(objects);
    await clock.advance(hourMs);
    await pass();
    expect(bucket.objects.has(`${ulid}/meta.json`)).toBe(false);
    expect([...bucket.objects.keys()].filter((key) => key.startsWith(ulid))).toEqual([]);
    expect((await listBlocks(bucket)).size).toBe(3);
    expect(figures.get("thanos_compact_blocks_cleaned_total")).toBe(4);
  });

  it("that are taken back after the listing save the block", async () => {
    const { bucket, pass, clock } = world(120);
    await putBlocks(bucket, 2);
    const [ulid = ""] = (await listBlocks(bucket)).keys();
    putMark(bucket, "deletion", ulid, clock.wallMs() - 49 * hourMs);
    let reads = 0;
    const racing: Bucket = {
      ...bucket,
      get: async (key, range, signal) => {
        // The first read belongs to the listing.
        if (key.endsWith("deletion-mark.json") && reads++ === 1) bucket.objects.delete(key);
        return bucket.get(key, range, signal);
      },
    };
    await pass({}, racing);
    expect(reads).toBe(2);
    expect([...(await listBlocks(bucket)).keys()]).toEqual([ulid]);
  });

  it("of deletion on a merged block, with its sources taken back, give a merged block of another name", async () => {
    const { bucket, pass, clock } = world(14);
    await putBlocks(bucket, 12);
    const before = await readAll(bucket);
    await pass();
    const [first] = [...(await listBlocks(bucket)).values()].filter(({ compaction }) => compaction.level === 2);
    for (const key of bucket.objects.keys()) if (key.endsWith("deletion-mark.json")) bucket.objects.delete(key);
    putMark(bucket, "deletion", first?.ulid ?? "", clock.wallMs());
    await pass();
    const merged = [...(await listBlocks(bucket)).values()].filter(({ compaction }) => compaction.level === 2);
    expect(merged).toHaveLength(2);
    await clock.advance(50 * hourMs);
    await pass();
    expect(await describeBlocks(bucket)).toHaveLength(3);
    expect(await readAll(bucket)).toEqual(before);
  });

  it("of no-downsample keep a block from it", async () => {
    const { bucket, pass, clock } = world(100);
    await putBlocks(bucket, 96, {}, 48);
    for (const ulid of (await listBlocks(bucket)).keys()) putMark(bucket, "no-downsample", ulid, clock.wallMs());
    await pass();
    expect(await describeBlocks(bucket)).toHaveLength(2);
  });
});

describe("downsampling", () => {
  it("gives blocks of two days a form of 5 minutes, and those of two weeks one of an hour", async () => {
    const { bucket, pass, figures } = world(400);
    await putBlocks(bucket, 384, {}, 48);
    const before = await readAll(bucket);
    await pass();
    expect(await describeBlocks(bucket)).toEqual([
      '0-336 raw L2 {cluster="a"}',
      '0-336 5m L2 {cluster="a"}',
      '0-336 1h L2 {cluster="a"}',
      '336-384 raw L1 {cluster="a"}',
      '336-384 5m L1 {cluster="a"}',
    ]);
    expect(await readAll(bucket)).toEqual(before);
    expect(figures.get("thanos_compact_downsample_total 300000")).toBe(2);
    expect(figures.get("thanos_compact_downsample_total 3600000")).toBe(1);
  });

  it("can be switched off", async () => {
    const { bucket, pass } = world(400);
    await putBlocks(bucket, 384, {}, 48);
    await pass({ isDownsampling: false });
    expect(await describeBlocks(bucket)).toHaveLength(2);
  });

  it("halts on a block that is damaged, and does the others", async () => {
    const { bucket, pass, figures } = world(100);
    await putBlocks(bucket, 96, {}, 48);
    const [ulid] = (await listBlocks(bucket)).keys();
    bucket.objects.get(`${ulid}/chunks/000001`)![60]! ^= 1;
    const { status } = await pass();
    expect(status.halted).toMatchObject([{ plan: `downsample to 5m: ${ulid}` }]);
    expect(await describeBlocks(bucket)).toHaveLength(3);
    expect(figures.get("thanos_compact_downsample_failures_total 300000")).toBe(1);
  });
});

describe("retention", () => {
  const retention = { rawMs: 100 * hourMs, fiveMinutesMs: 0, oneHourMs: 0 };

  it("marks blocks of a resolution whose last sample is too old", async () => {
    const { bucket, pass, figures } = world(160);
    await putBlocks(bucket, 144, {}, 48);
    await pass({ retention });
    expect(await describeBlocks(bucket)).toEqual([
      '0-48 5m L1 {cluster="a"}',
      '48-96 raw L1 {cluster="a"}',
      '48-96 5m L1 {cluster="a"}',
      '96-144 raw L1 {cluster="a"}',
      '96-144 5m L1 {cluster="a"}',
    ]);
    expect(figures.get("thanos_compact_blocks_marked_total deletion-mark.json retention")).toBe(1);
  });

  it("waits for the coarser form", async () => {
    const { bucket, pass } = world(160);
    await putBlocks(bucket, 144, {}, 48);
    const [ulid] = (await listBlocks(bucket)).keys();
    bucket.objects.get(`${ulid}/chunks/000001`)![60]! ^= 1;
    await pass({ retention });
    expect(await describeBlocks(bucket)).toContain('0-48 raw L1 {cluster="a"}');
    await pass({ retention: { ...retention, fiveMinutesMs: 260 * hourMs } });
    expect(await describeBlocks(bucket)).toContain('0-48 raw L1 {cluster="a"}');
  });

  it("waits in a halted stream, whose blocks are too short to be downsampled until they are merged", async () => {
    const { bucket, pass } = world(160);
    await putBlocks(bucket, 56, {}, 8);
    await putBlocks(bucket, 56, { labels: { cluster: "b" } }, 8);
    // Someone goes on: else nothing would be expired.
    await putBlock(bucket, { from: 156, to: 158, labels: { cluster: "c" }, series: steadySeries(names, 156, 158) });
    const damaged = [...(await listBlocks(bucket)).values()].find(({ thanos }) => thanos?.labels["cluster"] === "a");
    bucket.objects.get(`${damaged?.ulid}/index`)![20]! ^= 0xff;
    const { status } = await pass({ retention });
    expect(status.halted).toHaveLength(1);
    expect(status.todo.deletionBlocks).toBe(0);
    const blocks = await describeBlocks(bucket);
    expect(blocks.filter((line) => line.includes('raw L1 {cluster="a"}'))).toHaveLength(7);
    expect(blocks).toContain('0-48 5m L2 {cluster="b"}');
    expect(blocks).not.toContain('0-48 raw L2 {cluster="b"}');
  });

  it("deletes nothing by a clock that is behind", async () => {
    const { bucket, pass, clock, figures } = world(160);
    await putBlocks(bucket, 144, {}, 48);
    await putBlock(bucket, {
      from: 144,
      to: 146,
      labels: external,
      series: steadySeries(names, 144, 146),
      madeMs: clock.wallMs() + hourMs,
    });
    await pass({ retention });
    expect(await describeBlocks(bucket)).toContain('0-48 raw L1 {cluster="a"}');
    expect(figures.get("pleiad_compact_cleaning_stopped")).toBe(1);
  });

  describe("nothing is deleted by a clock that is ahead", () => {
    it("of the bucket's own, however little", async () => {
      const { bucket, pass, clock, figures } = world(160);
      await putBlocks(bucket, 144, {}, 48);
      const other = { from: 0, to: 2, labels: { cluster: "b" }, series: steadySeries(names, 0, 2) };
      const { ulid: marked } = await putBlock(bucket, other);
      putMark(bucket, "deletion", marked, clock.wallMs() - 49 * hourMs);
      const behind: Bucket = {
        ...bucket,
        attributes: async (...asked) => {
          const attributes = await bucket.attributes(...asked);
          return { ...attributes, modifiedMs: attributes.modifiedMs - hourMs };
        },
      };
      await pass({ retention }, behind);
      expect(await describeBlocks(bucket)).toContain('0-48 raw L1 {cluster="a"}');
      expect(bucket.objects.has(`${marked}/meta.json`)).toBe(true);
      expect(figures.get("pleiad_compact_cleaning_stopped")).toBe(1);
      await pass({ retention });
      expect(await describeBlocks(bucket)).not.toContain('0-48 raw L1 {cluster="a"}');
      expect(bucket.objects.has(`${marked}/meta.json`)).toBe(false);
      expect(figures.get("pleiad_compact_cleaning_stopped")).toBe(0);
    });

    it("of the newest block by more than a day, where the bucket has the same clock", async () => {
      const { bucket, pass } = world(146 + 365 * 24);
      await putBlocks(bucket, 144, {}, 48);
      const keeping = { ...retention, rawMs: 144 * hourMs };
      await pass({ retention: keeping });
      expect(await describeBlocks(bucket)).toContain('48-96 raw L1 {cluster="a"}');
    });
  });

  it.each([
    [{ rawMs: 39 * hourMs, fiveMinutesMs: 0, oneHourMs: 0 }, "raw samples are kept for 1d15h"],
    [{ rawMs: 0, fiveMinutesMs: 9 * 24 * hourMs, oneHourMs: 0 }, "5m samples are kept for 9d"],
    [{ rawMs: -1, fiveMinutesMs: 0, oneHourMs: 0 }, "rawMs must be 0 or more"],
  ])("of %j is refused", (wrong, reason) => {
    const { ports, bucket } = world(0);
    const work = { ...defaultBlockWork, directory: "/work" };
    const made = createCompactor(bucket, { ...defaultCompactor, work, retention: wrong }, ports);
    expect(made.ok ? "" : made.failure).toContain(reason);
  });
});

describe("uploads that broke off", () => {
  const partial = async (startHours: number) => {
    const made = world(startHours);
    await putBlocks(made.bucket, 2);
    const [ulid = ""] = (await listBlocks(made.bucket)).keys();
    made.bucket.objects.delete(`${ulid}/meta.json`);
    return { ...made, ulid };
  };

  it("are left alone for two days, then removed", async () => {
    const { bucket, pass, clock, figures } = await partial(2);
    await pass();
    expect(objectsOfBlocks(bucket)).toBe(2);
    await clock.advance(49 * hourMs);
    await pass();
    expect(objectsOfBlocks(bucket)).toBe(0);
    expect(figures.get("thanos_compact_aborted_partial_uploads_deletion_attempts_total")).toBe(1);
  });

  it("are left alone while something is added to them, however old their name", async () => {
    const { bucket, pass, clock, ulid } = await partial(2);
    await clock.advance(49 * hourMs);
    await bucket.put(`${ulid}/chunks/000002`, new Uint8Array(1));
    await pass();
    expect(objectsOfBlocks(bucket)).toBe(3);
  });

  it("and go on at any moment of their removal end well only if the block stays", async () => {
    let outcomes = "";
    for (let at = 1; ; at++) {
      const { bucket, pass, clock, signal } = world(2);
      await putBlocks(bucket, 2);
      const local = memoryFiles();
      await local.makeDirectory("/data");
      const [[ulid = "", meta] = []] = await listBlocks(bucket);
      if (meta === undefined) throw new Error("there is a block");
      await downloadBlock({ bucket, meta, files: local, directory: "/data", signal });
      bucket.objects.delete(`${ulid}/meta.json`);
      await clock.advance(49 * hourMs);
      const upload = () => uploadBlock({ files: local, path: `/data/${ulid}`, bucket, signal });
      let operations = 0;
      let result: Awaited<ReturnType<typeof upload>> | undefined;
      const before = async () => {
        if (++operations === at) result = await upload();
      };
      await pass({}, interrupted(bucket, before));
      if (result === undefined) break;
      outcomes += result.ok ? "ok " : "failed ";
      if (!result.ok) continue;
      await clock.advance(49 * hourMs);
      await pass();
      expect(
        [...bucket.objects.keys()].map((key) => key.slice(ulid.length + 1)),
        `operation ${at}`,
      ).toEqual(expect.arrayContaining(["chunks/000001", "index", "meta.json"]));
      expect(bucket.objects.has(`${ulid}/deletion-mark.json`)).toBe(false);
    }
    expect(outcomes).toContain("ok ");
    expect(outcomes).toContain("failed ");
  });

  it("that were deletions are ended when those are due", async () => {
    const { bucket, pass, clock, ulid } = await partial(2);
    putMark(bucket, "deletion", ulid, clock.wallMs());
    await clock.advance(47 * hourMs);
    await pass();
    expect(objectsOfBlocks(bucket)).toBe(3);
    await clock.advance(hourMs);
    await pass();
    expect(objectsOfBlocks(bucket)).toBe(0);
  });

  it("of blocks that are malformed are left to people", async () => {
    const { bucket, pass, clock, figures } = world(2);
    await putBlocks(bucket, 2);
    const [ulid = ""] = (await listBlocks(bucket)).keys();
    bucket.objects.set(`${ulid}/meta.json`, new TextEncoder().encode("{"));
    await clock.advance(100 * hourMs);
    await pass();
    expect(objectsOfBlocks(bucket)).toBe(3);
    expect(figures.get("thanos_blocks_meta_synced corrupted-meta-json")).toBe(1);
    expect(ulidTimeMs(ulid)).toBe(epochMs + 2 * hourMs);
  });
});

describe("a bucket or disk that fails", () => {
  it("makes the pass end early, to be tried again", async () => {
    const { bucket, pass, figures } = world(12);
    await putBlocks(bucket, 10);
    const down: Bucket = {
      ...bucket,
      put: async (key) => {
        throw new BucketError("unavailable", key, "down");
      },
    };
    expect((await pass({}, down)).outcome).toMatchObject({ kind: "again" });
    expect(figures.get("thanos_compact_retries_total")).toBe(1);
    expect(figures.get("thanos_compact_halted")).toBe(0);
    expect((await pass()).outcome).toEqual({ kind: "done" });
    expect(await describeBlocks(bucket)).toHaveLength(2);
  });

  it("without room for four blocks takes two at a time", async () => {
    const { bucket, pass, figures } = world(12);
    await putBlocks(bucket, 10);
    const before = await readAll(bucket);
    const [first] = (await listBlocks(bucket)).values();
    const blockBytes = (first?.thanos?.files ?? []).reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
    const work = { ...defaultBlockWork, directory: "/work", workBytesMax: 1_000_000 + 7 * blockBytes };
    expect((await pass({ work })).outcome).toEqual({ kind: "done" });
    // First two, then what they became with the other two: the overhead of a block is gone.
    expect(await describeBlocks(bucket)).toEqual(['0-8 raw L3 {cluster="a"}', '8-10 raw L1 {cluster="a"}']);
    expect(await readAll(bucket)).toEqual(before);
    expect(figures.get("thanos_compact_group_compactions_total 0")).toBe(2);
  });

  it("without any room waits, and says so", async () => {
    const { bucket, pass } = world(12);
    await putBlocks(bucket, 10);
    const work = { ...defaultBlockWork, directory: "/work", workBytesMax: 1000 };
    expect((await pass({ work })).outcome).toMatchObject({ kind: "again", reasons: [/the work folder may hold 1000/] });
    expect(await describeBlocks(bucket)).toHaveLength(5);
  });

  it("and fills up half-way leaves nothing, and goes on with less", async () => {
    const { bucket, pass, files } = world(12);
    await putBlocks(bucket, 10);
    files.failFrom(40, "ENOSPC");
    const { outcome } = await pass();
    expect(outcome.kind).toBe("again");
    expect(await describeBlocks(bucket)).toHaveLength(5);
    files.heal();
    expect((await pass()).outcome).toEqual({ kind: "done" });
    expect(leftovers(files)).toEqual([]);
    expect(await describeBlocks(bucket)).toHaveLength(2);
  });

  it("is told apart from a bug", async () => {
    const { bucket, pass, ports } = world(12);
    await putBlocks(bucket, 10);
    const broken = {
      ...ports.files,
      exists: async (path: string) => Promise.reject(new FileError("EIO", "exists", path)),
    };
    const made = createCompactor(
      bucket,
      { ...defaultCompactor, work: { ...defaultBlockWork, directory: "/work" } },
      { ...ports, files: broken },
    );
    if (!made.ok) throw new Error(made.failure);
    expect(await made.value.runPass(new AbortController().signal)).toMatchObject({ kind: "again" });
    const bug: Bucket = {
      ...bucket,
      put: async () => {
        throw new TypeError("a bug");
      },
    };
    await expect(pass({}, bug)).rejects.toThrow("a bug");
  });
});

it("a pass that is canceled ends, and leaves nothing half-done that matters", async () => {
  const { bucket, open, files } = world(12);
  await putBlocks(bucket, 10);
  const before = await readAll(bucket);
  for (let n = 1; n < 40; n += 3) {
    const stopping = new AbortController();
    let operations = 0;
    const counting: Bucket = {
      ...bucket,
      get: async (key, range, signal) => {
        if (++operations === n) stopping.abort(new Error("stopping"));
        return bucket.get(key, range, signal);
      },
    };
    const outcome = await open({}, counting).runPass(stopping.signal);
    if (operations >= n) expect(outcome).toEqual({ kind: "canceled" });
    expect(await readAll(bucket)).toEqual(before);
    expect(leftovers(files)).toEqual([]);
  }
});
