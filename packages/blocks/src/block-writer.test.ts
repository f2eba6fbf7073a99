import { crc32c } from "@pleiad/chunks";
import { compareLabels, labelsFromRecord } from "@pleiad/model";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  dump,
  fileOf,
  linesOf,
  openTestBlock,
  startMs,
  symbolsOf,
  testUlid,
  writeBlock,
  writerOptions,
  xorChunks,
  type TestSeries,
} from "./block.fixtures.ts";
import { listBlockFolders, removeLeftovers } from "./block-folder.ts";
import { createBlockWriter } from "./block-writer.ts";

const named = (name: string, more: Readonly<Record<string, string>> = {}) =>
  labelsFromRecord({ __name__: name, ...more });
const at = (...values: readonly number[]): TestSeries["samples"] =>
  values.map((value, i) => [startMs + i * 30_000, value] as const);

const fleet: readonly TestSeries[] = [
  { labels: named("a", { x: "1" }), samples: at(1, 2, 3) },
  { labels: named("a", { x: "\u00e4" }), samples: at(4) },
  { labels: named("b", { x: "1" }), samples: at(5, 6) },
];

const paths = (files: MemoryFileSystem) => [...files.contents.keys()].sort();

// The facts of docs/format/block.md, byte by byte.
describe("the layout", () => {
  const layout = async () => {
    const files = memoryFiles();
    await writeBlock(files, fleet);
    const index = fileOf(files, "index");
    const view = new DataView(index.buffer, index.byteOffset, index.length);
    const toc = Array.from({ length: 6 }, (_, i) => Number(view.getBigUint64(index.length - 52 + 8 * i)));
    return { files, index, view, toc };
  };

  it("is four files in a folder of the block's name", async () => {
    const { files } = await layout();
    expect(paths(files)).toEqual(
      ["chunks/000001", "index", "meta.json", "tombstones"].map((f) => `/data/${testUlid}/${f}`),
    );
  });

  it("begins an index with a magic number and version 2, and ends it with six offsets and their checksum", async () => {
    const { index, view, toc } = await layout();
    expect([view.getUint32(0), index[4]]).toEqual([0xbaaad700, 2]);
    expect(view.getUint32(index.length - 4)).toBe(crc32c(index, index.length - 52, index.length - 4));
    const [symbols, series, labelIndices, labelOffsets, postings, postingsOffsets] = toc as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    expect(symbols).toBe(5);
    expect(series % 16).toBe(0);
    // Label indices are written no longer: their part is empty, and their table is that of the postings.
    expect(labelIndices).toBeLessThanOrEqual(postings);
    expect(labelOffsets).toBe(postingsOffsets);
    expect(postings % 4).toBe(0);
  });

  it("has symbols in byte order, the empty text first, each once, under one checksum", async () => {
    const { index, view } = await layout();
    const length = view.getUint32(5);
    expect(view.getUint32(9)).toBe(7);
    expect(new TextDecoder().decode(index.subarray(13, 9 + length))).toBe(
      "\0\u00011\u0008__name__\u0001a\u0001b\u0001x\u0002\u00e4",
    );
    expect(view.getUint32(9 + length)).toBe(crc32c(index, 9, 9 + length));
  });

  it("has series at multiples of 16: labels by symbol, then the chunks by differences", async () => {
    const { index, view, toc } = await layout();
    const from = toc[1] ?? 0;
    const length = index[from] ?? 0;
    const body = [...index.subarray(from + 1, from + 1 + length)];
    // Two labels: __name__ = a, x = 1; one chunk: its time as a zigzag varint, its span, its place after the header.
    expect(body.slice(0, 6)).toEqual([2, 2, 3, 5, 1, 1]);
    expect(body.slice(-4)).toEqual([0xe0, 0xd4, 0x03, 8]);
    expect(view.getUint32(from + 1 + length)).toBe(crc32c(index, from + 1, from + 1 + length));
  });

  it("has the postings of all series first, then those of each pair, as series references", async () => {
    const { view, toc } = await layout();
    const [, series = 0, , , postings = 0] = toc;
    const list = (offset: number) =>
      Array.from({ length: view.getUint32(offset + 4) }, (_, i) => view.getUint32(offset + 8 + 4 * i));
    const all = list(postings);
    expect(all).toHaveLength(3);
    expect(all[0]).toBe(series / 16);
    expect(view.getUint32(postings)).toBe(4 + 4 * 3);
    // __name__="a" follows.
    expect(list(postings + 24)).toEqual(all.slice(0, 2));
  });

  it("has chunk files of a header, then length, encoding, data, checksum", async () => {
    const { files } = await layout();
    const bytes = fileOf(files, "chunks/000001");
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    expect([...bytes.subarray(0, 8)]).toEqual([0x85, 0xbd, 0x40, 0xdd, 1, 0, 0, 0]);
    const length = bytes[8] ?? 0;
    expect(bytes[9]).toBe(1);
    expect(bytes.subarray(10, 10 + length)).toEqual(xorChunks(at(1, 2, 3))[0]?.data);
    expect(view.getUint32(10 + length)).toBe(crc32c(bytes, 9, 10 + length));
  });

  it("has tombstones of nine bytes where nothing is deleted", async () => {
    const { files } = await layout();
    expect([...fileOf(files, "tombstones")]).toEqual([0x01, 0x30, 0xba, 0x30, 1, 0, 0, 0, 0]);
  });

  it("cuts a chunk file before it would pass its size, and numbers the files from 1", async () => {
    const files = memoryFiles();
    const series = Array.from({ length: 30 }, (_, i) => ({ labels: named("a", { i: String(i) }), samples: at(i) }));
    await writeBlock(files, series, { chunkFileBytesMax: 100 });
    const segments = paths(files).filter((path) => path.includes("/chunks/"));
    expect(segments.slice(0, 2)).toEqual([`/data/${testUlid}/chunks/000001`, `/data/${testUlid}/chunks/000002`]);
    for (const path of segments) expect(files.contents.get(path)?.length).toBeLessThanOrEqual(100);
    expect(await dump(await openTestBlock(files))).toEqual(linesOf(series));
  });
});

describe("a block that is written", () => {
  it("is read again as it was", async () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }).filter((one) => one.isWellFormed());
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.dictionary(text, text, { minKeys: 1, maxKeys: 5 }), {
          minLength: 1,
          maxLength: 20,
          selector: (one) => JSON.stringify(Object.entries(one).sort()),
        }),
        fc.integer({ min: 1, max: 300 }),
        async (records, count) => {
          const series = records.map((record, i) => ({
            labels: labelsFromRecord(record),
            samples: at(...Array.from({ length: (count * (i + 1)) % 240 || 1 }, (_, k) => k / (i + 1))),
          }));
          const files = memoryFiles();
          const meta = await writeBlock(files, series);
          const block = await openTestBlock(files);
          expect(await dump(block)).toEqual(linesOf(series));
          const samples = series.reduce((sum, one) => sum + one.samples.length, 0);
          expect(meta.stats).toMatchObject({ numSeries: series.length, numSamples: samples, numFloatSamples: samples });
          const symbols: string[] = [];
          for await (const symbol of block.symbols()) symbols.push(symbol);
          expect(symbols).toEqual(["", ...symbolsOf(series)]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("of no series is no block", async () => {
    const files = memoryFiles();
    await files.makeDirectory("/data");
    const writer = await createBlockWriter(files, ["a", "b"], writerOptions);
    if (!writer.ok) throw new Error(writer.failure.kind);
    expect(await writer.value.finish()).toEqual({ ok: true, value: undefined });
    expect(await files.list("/data")).toEqual([]);
  });

  it.each([
    ["series that do not ascend", named("b"), named("a"), undefined],
    ["a series twice", named("a"), named("a"), undefined],
    ["a label that is not among the symbols", named("a"), named("a", { c: "d" }), undefined],
    ["chunks that overlap", named("a"), named("b"), [...xorChunks(at(1, 2)), ...xorChunks(at(1))]],
  ])("refuses %s: they are bugs of the caller", async (_rule, first, second, chunks = xorChunks(at(1))) => {
    const files = memoryFiles();
    await files.makeDirectory("/data");
    const writer = await createBlockWriter(files, ["__name__", "a", "b"], writerOptions);
    if (!writer.ok) throw new Error(writer.failure.kind);
    expect((await writer.value.add(first, xorChunks(at(1)))).ok).toBe(true);
    await expect(writer.value.add(second, chunks)).rejects.toThrow(RangeError);
    await writer.value.abort();
    expect(await files.list("/data")).toEqual([]);
  });
});

describe("a disk that fails", () => {
  /** Writes the fleet; gives the outcome of the step that failed, or of the end. */
  async function write(files: MemoryFileSystem): Promise<boolean> {
    const writer = await createBlockWriter(files, symbolsOf(fleet), writerOptions);
    if (!writer.ok) return false;
    for (const { labels, samples } of [...fleet].sort((a, b) => compareLabels(a.labels, b.labels))) {
      if (!(await writer.value.add(labels, xorChunks(samples))).ok) return false;
    }
    return (await writer.value.finish()).ok;
  }

  it("at any operation leaves the whole block or none, and a new try is fine", async () => {
    let successes = 0;
    for (let operations = 1; successes < 2; operations++) {
      const files = memoryFiles();
      await files.makeDirectory("/data");
      files.failFrom(operations, "ENOSPC");
      const isOk = await write(files);
      files.heal();
      const there = await listBlockFolders(files, "/data");
      // The last sync may fail when the name is there already.
      if (isOk) expect(there).toEqual([testUlid]);
      if (there.length > 0) expect(await dump(await openTestBlock(files))).toEqual(linesOf(fleet));
      else {
        expect(await write(files)).toBe(true);
        expect(await dump(await openTestBlock(files))).toEqual(linesOf(fleet));
      }
      await removeLeftovers(files, "/data");
      expect(await files.list("/data")).toEqual([testUlid]);
      if (isOk) successes++;
      expect(operations).toBeLessThan(60);
    }
  });

  it("is told as unavailable, and again at every later call", async () => {
    const files = memoryFiles();
    await files.makeDirectory("/data");
    const writer = await createBlockWriter(files, symbolsOf(fleet), writerOptions);
    if (!writer.ok) throw new Error(writer.failure.kind);
    files.failFrom(1, "EIO");
    const added = await writer.value.add(named("a", { x: "1" }), xorChunks(at(1)));
    expect(added).toMatchObject({ ok: false, failure: { kind: "unavailable", block: testUlid } });
    files.heal();
    expect((await writer.value.add(named("b"), xorChunks(at(1)))).ok).toBe(false);
    expect((await writer.value.finish()).ok).toBe(false);
    await writer.value.abort();
    expect(await files.list("/data")).toEqual([]);
  });
});
