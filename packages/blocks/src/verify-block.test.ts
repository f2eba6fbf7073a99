import { crc32c } from "@pleiad/chunks";
import { labelsFromRecord } from "@pleiad/model";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { fileOf, startMs, testUlid, writeBlock, type TestSeries } from "./block.fixtures.ts";
import { directoryBlockBytes } from "./block-bytes.ts";
import { formatBlockMeta, parseBlockMeta, type BlockMeta } from "./block-meta.ts";
import { formatTombstones } from "./tombstones.ts";
import { defaultVerify, verifyBlock, type BlockReport } from "./verify-block.ts";

const { signal } = new AbortController();
const at = (...values: readonly number[]): TestSeries["samples"] =>
  values.map((value, i) => [startMs + i * 30_000, value] as const);
const series = ["a", "b", "c"].map((x) => ({ labels: labelsFromRecord({ __name__: "m", x }), samples: at(1, 2, 3) }));

async function goodBlock(): Promise<MemoryFileSystem> {
  const files = memoryFiles();
  await writeBlock(files, series);
  return files;
}

async function verify(files: MemoryFileSystem, findingsMax = 100): Promise<BlockReport> {
  const bytes = directoryBlockBytes(files, `/data/${testUlid}`);
  const report = await verifyBlock(bytes, { ...defaultVerify, findingsMax, ulid: testUlid }, signal);
  if (!report.ok) throw new Error(report.failure.kind);
  return report.value;
}

function changeMeta(files: MemoryFileSystem, change: (meta: BlockMeta) => BlockMeta): void {
  const meta = parseBlockMeta(fileOf(files, "meta.json"));
  if (!meta.ok) throw new Error(meta.failure.kind);
  files.contents.set(`/data/${testUlid}/meta.json`, formatBlockMeta(change(meta.value)));
}

/** Changes the postings of all series and makes their checksum fit again. */
function changeAllPostings(files: MemoryFileSystem, change: (refs: DataView) => void): void {
  const index = fileOf(files, "index");
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  const from = Number(view.getBigUint64(index.length - 52 + 32));
  const length = view.getUint32(from);
  change(new DataView(index.buffer, index.byteOffset + from + 8, length - 4));
  view.setUint32(from + 4 + length, crc32c(index, from + 4, from + 4 + length));
}

describe("the report on a block", () => {
  it("that is good has counts and no findings", async () => {
    const report = await verify(await goodBlock());
    expect(report.findings).toEqual([]);
    expect(report.stats).toMatchObject({ numSeries: 3, numSamples: 9, numChunks: 3 });
  });

  const cases: readonly (readonly [string, (files: MemoryFileSystem) => void, RegExp])[] = [
    ["the magic number of a chunk file", (files) => (fileOf(files, "chunks/000001")[0] = 0), /no chunks: the magic/],
    ["a chunk", (files) => (fileOf(files, "chunks/000001")[14] = 255), /the checksum of a chunk does not fit/],
    ["a chunk file that is gone", (files) => files.contents.delete(`/data/${testUlid}/chunks/000001`), /is missing/],
    ["the index", (files) => (fileOf(files, "index")[0] = 0), /no index: the magic number/],
    [
      "counts in meta.json",
      (files) => changeMeta(files, (meta) => ({ ...meta, stats: { ...meta.stats, numSamples: 8 } })),
      /numSamples is 8, and the block has 9/,
    ],
    [
      "the times in meta.json",
      (files) => changeMeta(files, (meta) => ({ ...meta, maxTimeMs: startMs + 1 })),
      /lies outside the block/,
    ],
    [
      "the name in meta.json",
      (files) => changeMeta(files, (meta) => ({ ...meta, ulid: "01ARYZ6S41TSV4RRFFQ69G5FAV" })),
      /is of block 01ARYZ6S41TSV4RRFFQ69G5FAV/,
    ],
    ["postings out of order", (files) => changeAllPostings(files, (refs) => refs.setUint32(0, 0xffff)), /not sorted/],
    [
      "postings of another series",
      (files) => changeAllPostings(files, (refs) => refs.setUint32(8, refs.getUint32(8) + 1)),
      /postings of all series: 3 series, and 3 have it/,
    ],
    [
      "a tombstone of no series",
      (files) => {
        const stones = formatTombstones(new Map([[9999, [{ minTimeMs: 1, maxTimeMs: 2 }]]]));
        files.contents.set(`/data/${testUlid}/tombstones`, stones);
      },
      /series 9999 is not in the index/,
    ],
  ];
  it.each(cases)("tells of %s", async (_rule, damage, finding) => {
    const files = await goodBlock();
    damage(files);
    expect((await verify(files)).findings.join("\n")).toMatch(finding);
  });

  it("tells no more than it may, and how many it left out", async () => {
    const files = await goodBlock();
    changeMeta(files, (meta) => ({ ...meta, minTimeMs: 0, maxTimeMs: 1 }));
    const { findings, untold } = await verify(files, 2);
    expect([findings.length, untold]).toEqual([2, 1]);
  });

  it("is none where there is no block to read", async () => {
    const bytes = directoryBlockBytes(memoryFiles(), `/data/${testUlid}`);
    expect(await verifyBlock(bytes, defaultVerify, signal)).toMatchObject({
      ok: false,
      failure: { kind: "unavailable" },
    });
  });
});
