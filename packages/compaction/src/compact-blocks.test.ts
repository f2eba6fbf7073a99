import {
  createBlockWriter,
  defaultVerify,
  directoryBlockBytes,
  listBlockFolders,
  newUlid,
  openBlock,
  removeTree,
  verifyBlock,
  type Block,
  type TimeSpan,
} from "@pleiad/blocks";
import { createSampleColumns, decodeChunk, parseAggregateChunk } from "@pleiad/chunks";
import {
  compareLabels,
  compareText,
  emptyLabels,
  formatLabels,
  labelsFromRecord,
  setStale,
  type Labels,
} from "@pleiad/model";
import { seededRandom, type Random } from "@pleiad/ports";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { compactBlocks, type CompactBlocksOptions } from "./compact-blocks.ts";
import { chunksOf, type TestSample } from "./compaction.fixtures.ts";
import { downsampleBlock } from "./downsample-block.ts";

const { signal } = new AbortController();
const ulids = seededRandom(1);
const hourMs = 3_600_000;
const stale = new Float64Array(1);
setStale(stale, 0);

interface LocalBlock {
  readonly from: number;
  readonly to: number; // exclusive, in ms
  readonly series: ReadonlyMap<Labels, readonly TestSample[]>;
  readonly samplesPerChunk: number;
  readonly thanos?: Block["meta"]["thanos"];
}

async function writeLocal(files: MemoryFileSystem, block: LocalBlock): Promise<string> {
  const ulid = newUlid(block.to, ulids);
  const symbols = new Set([...block.series.keys()].flat());
  const writer = await createBlockWriter(files, [...symbols].sort(compareText), {
    directory: "/data",
    ulid,
    minTimeMs: block.from,
    maxTimeMs: block.to,
    compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
    thanos: block.thanos,
    chunkFileBytesMax: 4000, // so that there are several
  });
  if (!writer.ok) throw new Error(writer.failure.kind);
  for (const [labels, samples] of [...block.series].sort(([a], [b]) => compareLabels(a, b))) {
    const added = await writer.value.add(labels, chunksOf(samples, block.samplesPerChunk));
    if (!added.ok) throw new Error(added.failure.kind);
  }
  const finished = await writer.value.finish();
  if (!finished.ok) throw new Error(finished.failure.kind);
  return ulid;
}

async function openLocal(files: MemoryFileSystem, directory: string, ulid: string): Promise<Block> {
  const opened = await openBlock(directoryBlockBytes(files, `${directory}/${ulid}`), {
    externalLabels: emptyLabels,
    intern: (text) => text,
    cacheBytesMax: 1 << 20,
  });
  if (!opened.ok) throw new Error(opened.failure.kind);
  return opened.value;
}

/** Every sample that is not under a tombstone. */
async function linesOf(block: Block): Promise<string[]> {
  const lines: string[] = [];
  for await (const { ref, labels, chunks } of block.everySeries(signal)) {
    const spans = block.tombstones.get(ref) ?? [];
    const columns = createSampleColumns(120);
    for (const { encoding, data } of chunks) expect(decodeChunk(encoding as 1, data, columns)).toBeUndefined();
    const bits = new BigUint64Array(columns.values.buffer);
    for (let i = 0; i < columns.count; i++) {
      const time = columns.timestampsMs[i]!;
      if (spans.some(({ minTimeMs, maxTimeMs }) => minTimeMs <= time && time <= maxTimeMs)) continue;
      lines.push(`${formatLabels(labels)} ${time} ${bits[i]!.toString(16)}`);
    }
  }
  return lines;
}

async function compact(
  files: MemoryFileSystem,
  blocks: readonly Block[],
  directory: string,
  more: Partial<CompactBlocksOptions> = {},
) {
  const ulid = newUlid(1, seededRandom(7));
  const made = await compactBlocks(blocks, {
    files,
    directory,
    ulid,
    thanos: undefined,
    overlap: "identical",
    chunkFileBytesMax: 4000,
    signal,
    yield: async () => {},
    ...more,
  });
  if (!made.ok) throw new Error(JSON.stringify(made.failure));
  return { meta: made.value, block: made.value === undefined ? undefined : await openLocal(files, directory, ulid) };
}

/** Some series as they were scraped: with gaps, staleness markers, and jitter. */
function truth(random: Random): ReadonlyMap<Labels, readonly TestSample[]> {
  const series = new Map<Labels, readonly TestSample[]>();
  for (let i = 0; i < 2 + random.int(6); i++) {
    const samples: TestSample[] = [];
    for (let time = random.int(hourMs); time < 8 * hourMs; time += 30_000 + random.int(5)) {
      if (random.float() < 0.01) {
        samples.push([time, stale[0]!]);
        time += random.int(2 * hourMs);
      } else samples.push([time, random.float() < 0.5 ? 1 : random.int(1000) / 8]);
    }
    series.set(
      labelsFromRecord({ __name__: `metric_${i}`, odd: String.fromCodePoint(0xff00 + random.int(90)) }),
      samples,
    );
  }
  return series;
}

/** What a block of some time has of it: some of the series, all of their samples there. */
function cut(all: ReadonlyMap<Labels, readonly TestSample[]>, from: number, to: number, random: Random): LocalBlock {
  const series = new Map<Labels, readonly TestSample[]>();
  for (const [labels, samples] of all) {
    const part = samples.filter(([time]) => time >= from && time < to);
    if (part.length > 0 && random.float() < 0.9) series.set(labels, part);
  }
  return { from, to, series, samplesPerChunk: 1 + random.int(150) };
}

async function randomBlocks(files: MemoryFileSystem, random: Random): Promise<readonly Block[]> {
  const all = truth(random);
  const blocks: Block[] = [];
  for (let i = 0; i < 2 + random.int(5); i++) {
    const from = random.int(7) * hourMs;
    const part = cut(all, from, from + (1 + random.int(4)) * hourMs, random);
    if (part.series.size === 0) continue;
    const block = await openLocal(files, "/data", await writeLocal(files, part));
    blocks.push(random.float() < 0.5 ? block : await withTombstones(block, random));
  }
  return blocks;
}

async function withTombstones(block: Block, random: Random): Promise<Block> {
  const tombstones = new Map<number, readonly TimeSpan[]>();
  for await (const { ref } of block.everySeries(signal)) {
    const minTimeMs = random.int(8 * hourMs);
    if (random.float() < 0.3) tombstones.set(ref, [{ minTimeMs, maxTimeMs: minTimeMs + random.int(hourMs) }]);
  }
  return { ...block, tombstones };
}

describe("compactBlocks", () => {
  it("keeps every sample of every block and invents none, whatever they share", async () => {
    for (let seed = 0; seed < 25; seed++) {
      const random = seededRandom(seed);
      const files = memoryFiles();
      await files.makeDirectory("/data");
      await files.makeDirectory("/out");
      const blocks = await randomBlocks(files, random);
      const expected = new Set((await Promise.all(blocks.map(linesOf))).flat());
      // Where a tombstone cuts one of two overlapping blocks they no longer hold the same.
      const { meta, block } = await compact(files, blocks, "/out", { overlap: "one-to-one" });
      const found = block === undefined ? [] : await linesOf(block);
      expect([...found].sort(), `seed ${seed}`).toEqual([...expected].sort());
      if (meta === undefined || block === undefined) continue;
      expect(meta.stats).toMatchObject({ numSamples: found.length, numHistogramSamples: 0, numTombstones: 0 });
      const report = await verifyBlock(directoryBlockBytes(files, `/out/${meta.ulid}`), defaultVerify, signal);
      expect(report.ok && report.value.findings, `seed ${seed}`).toEqual([]);
    }
  });

  it("gives the same bytes for the same blocks in any order", async () => {
    for (let seed = 0; seed < 10; seed++) {
      const files = memoryFiles();
      for (const path of ["/data", "/a", "/b"]) await files.makeDirectory(path);
      const blocks = await randomBlocks(files, seededRandom(seed));
      await compact(files, blocks, "/a", { overlap: "one-to-one" });
      await compact(files, blocks.toReversed(), "/b", { overlap: "one-to-one" });
      const contentOf = (path: string) =>
        [...files.contents].filter(([name]) => name.startsWith(path)).map(([name, bytes]) => [name.slice(2), bytes]);
      expect(contentOf("/a"), `seed ${seed}`).toEqual(contentOf("/b"));
    }
  });

  it("gives the same samples step by step as at once", async () => {
    for (let seed = 0; seed < 10; seed++) {
      const files = memoryFiles();
      for (const path of ["/data", "/once", "/half", "/steps"]) await files.makeDirectory(path);
      const [first, ...others] = await randomBlocks(files, seededRandom(seed));
      if (first === undefined || others.length === 0) continue;
      const once = await compact(files, [first, ...others], "/once", { overlap: "one-to-one" });
      const half = await compact(files, others, "/half", { overlap: "one-to-one" });
      const steps = await compact(files, half.block === undefined ? [first] : [first, half.block], "/steps", {
        overlap: "one-to-one",
      });
      const lines = async ({ block }: { block: Block | undefined }) =>
        block === undefined ? [] : await linesOf(block);
      expect(await lines(steps), `seed ${seed}`).toEqual(await lines(once));
    }
  });

  it("gives no block where every sample is under a tombstone", async () => {
    const files = memoryFiles();
    for (const path of ["/data", "/out"]) await files.makeDirectory(path);
    const series = new Map([[labelsFromRecord({ __name__: "up" }), [[5, 1]] as const]]);
    const block = await openLocal(
      files,
      "/data",
      await writeLocal(files, { from: 0, to: 10, series, samplesPerChunk: 1 }),
    );
    const tombstones = new Map<number, readonly TimeSpan[]>();
    for await (const { ref } of block.everySeries(signal)) tombstones.set(ref, [{ minTimeMs: 0, maxTimeMs: 10 }]);
    expect((await compact(files, [{ ...block, tombstones }], "/out")).meta).toBeUndefined();
    expect(await files.list("/out")).toEqual([]);
  });

  it("leaves no half of a block where the disk fails, whichever operation it is", async () => {
    const files = memoryFiles();
    for (const path of ["/data", "/out"]) await files.makeDirectory(path);
    const blocks = await randomBlocks(files, seededRandom(3));
    const before = files.contents.size;
    for (let n = 1; ; n++) {
      files.failFrom(n, "ENOSPC");
      const made = await compactBlocks(blocks, {
        files,
        directory: "/out",
        ulid: newUlid(1, seededRandom(7)),
        thanos: undefined,
        overlap: "one-to-one",
        chunkFileBytesMax: 4000,
        signal,
        yield: async () => {},
      });
      files.heal();
      if (made.ok) break;
      expect(made.failure).toMatchObject({
        kind: "block",
        failure: { kind: "unavailable", cause: { code: "ENOSPC" } },
      });
      // What could not be removed while the disk failed has a name that is no block's, or is the block, whole.
      for (const ulid of await listBlockFolders(files, "/out")) {
        const report = await verifyBlock(directoryBlockBytes(files, `/out/${ulid}`), defaultVerify, signal);
        expect(report.ok && report.value.findings, `operation ${n}`).toEqual([]);
      }
      await removeTree(files, "/out");
      await files.makeDirectory("/out");
    }
    expect(files.contents.size).toBeGreaterThan(before);
  });
});

describe("downsampleBlock", () => {
  const aggregatesOf = async (block: Block) => {
    const totals = { count: 0, sum: 0, min: Infinity, max: -Infinity };
    for await (const { chunks } of block.everySeries(signal)) {
      for (const { encoding, data } of chunks) {
        expect(encoding).toBe(255);
        const parsed = parseAggregateChunk(data);
        if (!parsed.ok) throw new Error(parsed.failure.kind);
        for (const name of ["count", "sum", "min", "max"] as const) {
          const columns = createSampleColumns(1);
          const chunk = parsed.value.get(name);
          if (chunk === undefined) throw new Error(`no ${name}`);
          expect(decodeChunk(chunk.encoding, chunk.data, columns)).toBeUndefined();
          for (const value of columns.values.subarray(0, columns.count)) {
            if (name === "min") totals.min = Math.min(totals.min, value);
            else if (name === "max") totals.max = Math.max(totals.max, value);
            else totals[name] += value;
          }
        }
      }
    }
    return totals;
  };

  it("keeps count, sum, least and most of all samples, at five minutes and again at an hour", async () => {
    const files = memoryFiles();
    for (const path of ["/data", "/out"]) await files.makeDirectory(path);
    const series = new Map<Labels, readonly TestSample[]>();
    const values: number[] = [];
    for (let i = 0; i < 3; i++) {
      const samples = Array.from({ length: 5000 }, (_, k): TestSample => [k * 30_000, (k * (i + 1)) % 1000]);
      values.push(...samples.map(([, value]) => value));
      // A staleness marker is no sample of a window.
      samples.push([5000 * 30_000, stale[0]!]);
      series.set(labelsFromRecord({ __name__: `metric_${i}` }), samples);
    }
    const thanos = {
      labels: { cluster: "a" },
      resolutionMs: 0,
      source: "sidecar",
      files: [],
      indexStats: undefined,
      uploadTimeMs: undefined,
    };
    const raw = await openLocal(
      files,
      "/data",
      await writeLocal(files, { from: 0, to: 42 * hourMs, series, samplesPerChunk: 120, thanos }),
    );
    const expected = {
      count: values.length,
      sum: values.reduce((sum, value) => sum + value, 0),
      min: Math.min(...values),
      max: Math.max(...values),
    };
    let from = raw;
    for (const resolutionMs of [300_000, 3_600_000]) {
      const ulid = newUlid(resolutionMs, ulids);
      const options = { files, directory: "/out", ulid, chunkFileBytesMax: 1 << 20, signal, yield: async () => {} };
      const made = await downsampleBlock(from, { ...options, resolutionMs });
      expect(made).toMatchObject({
        ok: true,
        value: {
          ulid,
          minTimeMs: 0,
          maxTimeMs: 42 * hourMs,
          compaction: raw.meta.compaction,
          thanos: { resolutionMs, labels: { cluster: "a" } },
        },
      });
      from = await openLocal(files, "/out", ulid);
      expect(await aggregatesOf(from)).toEqual(expected);
      const report = await verifyBlock(directoryBlockBytes(files, `/out/${ulid}`), defaultVerify, signal);
      expect(report.ok && report.value.findings).toEqual([]);
    }
  });
});
