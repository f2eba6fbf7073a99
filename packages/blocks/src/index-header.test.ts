import { crc32c } from "@pleiad/chunks";
import { labelsFromRecord } from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import {
  dump,
  fileOf,
  linesOf,
  openOptions,
  startMs,
  testUlid,
  writeBlock,
  type TestSeries,
} from "./block.fixtures.ts";
import { directoryBlockBytes, type BlockBytes } from "./block-bytes.ts";
import { openBlock } from "./block.ts";
import { buildIndexHeader, indexHeaderFile } from "./index-header.ts";

const series: readonly TestSeries[] = Array.from({ length: 40 }, (_, i) => ({
  labels: labelsFromRecord({ __name__: `m${i % 4}`, i: String(i) }),
  samples: [[startMs + i, i]],
}));

async function headerOf(files: MemoryFileSystem): Promise<Uint8Array> {
  const header = await buildIndexHeader(directoryBlockBytes(files, `/data/${testUlid}`));
  if (!header.ok) throw new Error(header.failure.kind);
  return header.value;
}

async function blockFiles(): Promise<MemoryFileSystem> {
  const files = memoryFiles();
  await writeBlock(files, series);
  return files;
}

// The facts of docs/format/index-header.md.
it("is symbols and postings offsets of an index, copied, between a head and an end", async () => {
  const files = await blockFiles();
  const index = fileOf(files, "index");
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  const offset = (i: number) => Number(view.getBigUint64(index.length - 52 + 8 * i));
  const [symbols, firstSeries, table] = [offset(0), offset(1), offset(5)];
  const header = await headerOf(files);
  const head = new DataView(header.buffer, header.byteOffset, header.length);
  expect([head.getUint32(0), head.getUint8(4), head.getUint8(5)]).toEqual([0xbaaad792, 1, 2]);
  expect(Number(head.getBigUint64(6))).toBe(table);
  const symbolsEnd = 14 + firstSeries - symbols;
  expect(header.subarray(14, symbolsEnd)).toEqual(index.subarray(symbols, firstSeries));
  expect(header.subarray(symbolsEnd, header.length - 20)).toEqual(index.subarray(table));
  const end = header.length - 20;
  expect([Number(head.getBigUint64(end)), Number(head.getBigUint64(end + 8))]).toEqual([14, symbolsEnd]);
  expect(head.getUint32(end + 16)).toBe(crc32c(header, end, end + 16));
});

it("opens a block without reading its index", async () => {
  const files = await blockFiles();
  const indexHeader = await headerOf(files);
  const bytes = directoryBlockBytes(files, `/data/${testUlid}`);
  const reads: string[] = [];
  const counted: BlockBytes = {
    ...bytes,
    read: (file, offset, length) => (reads.push(file), bytes.read(file, offset, length)),
  };
  const opened = await openBlock(counted, { ...openOptions, indexHeader });
  if (!opened.ok) throw new Error(opened.failure.kind);
  expect(reads).toEqual(["meta.json", "tombstones"]);
  expect(await dump(opened.value)).toEqual(linesOf(series));
});

it("is made by four reads", async () => {
  const bytes = directoryBlockBytes(await blockFiles(), `/data/${testUlid}`);
  let reads = 0;
  const counted: BlockBytes = { ...bytes, read: (...args) => (reads++, bytes.read(...args)) };
  expect((await buildIndexHeader(counted)).ok).toBe(true);
  expect(reads).toBe(4);
});

describe("one that is damaged", () => {
  const open = async (files: MemoryFileSystem, indexHeader: Uint8Array) =>
    openBlock(directoryBlockBytes(files, `/data/${testUlid}`), { ...openOptions, indexHeader });

  it("in any byte is refused by its name, or does not matter", async () => {
    const files = await blockFiles();
    const whole = await headerOf(files);
    const random = seededRandom(9);
    for (let at = 0; at < whole.length; at++) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.int(8));
      const opened = await open(files, damaged);
      if (opened.ok) expect(await dump(opened.value), `byte ${at}`).toEqual(linesOf(series));
      else expect(opened.failure, `byte ${at}`).toMatchObject({ kind: "corrupt", file: indexHeaderFile });
    }
  });

  it("or cut short, or of another block, is refused by its name", async () => {
    const files = await blockFiles();
    const whole = await headerOf(files);
    const refused = { ok: false, failure: { kind: "corrupt", file: indexHeaderFile } };
    for (let length = 0; length < whole.length; length += 7) {
      expect(await open(files, whole.subarray(0, length))).toMatchObject(refused);
    }
    const others = memoryFiles();
    await writeBlock(others, series.slice(1));
    expect(await open(others, whole)).toMatchObject(refused);
  });

  it("is not made of an index that is", async () => {
    const files = await blockFiles();
    const index = fileOf(files, "index");
    index[20] = (index[20] ?? 0) ^ 4;
    const header = await buildIndexHeader(directoryBlockBytes(files, `/data/${testUlid}`));
    expect(header).toMatchObject({ ok: false, failure: { kind: "corrupt" } });
  });
});
