/** Blocks whose files are cut short or have flipped bits: an error by name, or the right answer. Never a smaller one. */
import { crc32c } from "@pleiad/chunks";
import { collectSeries, formatLabels, labelsFromRecord, plainSelect, type LabelsRequest } from "@pleiad/model";
import { seededRandom, type Random } from "@pleiad/ports";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import { beforeAll, describe, expect, it } from "vitest";
import {
  decode,
  fileOf,
  linesOf,
  openOptions,
  startMs,
  testUlid,
  writeBlock,
  type TestSeries,
} from "./block.fixtures.ts";
import { directoryBlockBytes } from "./block-bytes.ts";
import { BlockReadError } from "./block-failure.ts";
import { openBlock } from "./block.ts";
import { defaultVerify, verifyBlock } from "./verify-block.ts";

const { signal } = new AbortController();
const series: readonly TestSeries[] = Array.from({ length: 24 }, (_, i) => ({
  labels: labelsFromRecord({ __name__: `m${i % 3}`, even: i % 2 === 0 ? "yes" : "", i: `\u00e4${i}` }),
  samples: Array.from({ length: 10 + i }, (_, k) => [startMs + k * 30_000, k * i] as const),
}));
const wanted = linesOf(series);
const files = memoryFiles();

beforeAll(async () => {
  await writeBlock(files, series, { samplesPerChunk: 12, chunkFileBytesMax: 1000 });
});

/** A block with one file replaced. */
function damagedBlock(file: string, bytes: Uint8Array): MemoryFileSystem {
  const damaged = memoryFiles();
  for (const [path, content] of files.contents) damaged.contents.set(path, content);
  damaged.contents.set(`/data/${testUlid}/${file}`, bytes);
  damaged.list = (directory) => files.list(directory);
  return damaged;
}

interface Outcome {
  readonly isRefused: boolean;
  readonly lines: readonly string[];
}

/** Asks a damaged block for everything, in every way. Throws where a way ends in anything but an answer or a failure. */
async function outcomeOf(damaged: MemoryFileSystem): Promise<Outcome> {
  const opened = await openBlock(directoryBlockBytes(damaged, `/data/${testUlid}`), openOptions);
  if (!opened.ok) return { isRefused: true, lines: [] };
  const block = opened.value;
  const { series: found, failure } = await collectSeries(block.select(plainSelect, signal));
  const some = [{ type: "=", name: "__name__", value: "m1" }] as const;
  const selected = await collectSeries(block.select({ ...plainSelect, matchers: some }, signal));
  const request: LabelsRequest = { ...plainSelect, matchers: some, limit: 0 };
  await block.labelNames(request, signal);
  await block.labelValues("i", request, signal);
  let scanFailed = false;
  try {
    for await (const one of block.everySeries(signal)) expect(one.labels.length).toBeGreaterThanOrEqual(0);
  } catch (error) {
    if (!(error instanceof BlockReadError)) throw error;
    scanFailed = true;
  }
  const isRefused = failure !== undefined || selected.failure !== undefined || scanFailed;
  const lines = isRefused
    ? []
    : found.flatMap(({ labels, chunks }) =>
        chunks.flatMap(({ content }) => {
          if (content.kind !== "raw") throw new Error("raw chunks were written");
          return decode(content.encoding, content.data).map(([t, value]) => `${formatLabels(labels)} ${t} ${value}`);
        }),
      );
  return { isRefused, lines };
}

const names = ["index", "chunks/000001", "chunks/000002"] as const;

describe.each(names)("%s", (name) => {
  it("with any bit flipped is refused, or the answer is right", async () => {
    const whole = fileOf(files, name);
    const random = seededRandom(name.length);
    let refused = 0;
    // Every byte of small files; of larger ones every third or so, others with other seeds.
    for (let at = 0; at < whole.length; at += 1 + random.int(whole.length > 2000 ? 5 : 2)) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(8));
      const { isRefused, lines } = await outcomeOf(damagedBlock(name, bytes));
      if (isRefused) refused++;
      else expect(lines, `byte ${at} of ${name}`).toEqual(wanted);
    }
    expect(refused).toBeGreaterThan(whole.length / 10);
  });

  it("cut short anywhere is refused", async () => {
    const whole = fileOf(files, name);
    const random = seededRandom(5);
    for (let length = 0; length < whole.length; length += 1 + random.int(whole.length / 100)) {
      const { isRefused } = await outcomeOf(damagedBlock(name, whole.slice(0, length)));
      expect(isRefused, `${length} of ${whole.length} bytes`).toBe(true);
    }
  });
});

describe("damage under checksums that fit", () => {
  // Whoever forges checksums may change what is said; it must end, and in an answer or a failure.
  it("of the index is read or refused, and never ends otherwise", async () => {
    const random = seededRandom(11);
    for (let round = 0; round < 400; round++) {
      const index = fileOf(files, "index").slice();
      forge(index, random);
      await outcomeOf(damagedBlock("index", index));
      if (round % 10 === 0) {
        const bytes = directoryBlockBytes(damagedBlock("index", index), `/data/${testUlid}`);
        expect((await verifyBlock(bytes, defaultVerify, signal)).ok).toBe(true);
      }
    }
  });

  it("of a chunk is read or refused", async () => {
    const random = seededRandom(13);
    for (let round = 0; round < 200; round++) {
      const bytes = fileOf(files, "chunks/000001").slice();
      const view = new DataView(bytes.buffer);
      const length = bytes[8] ?? 0;
      const at = 9 + random.int(length + 1);
      bytes[at] = random.int(256);
      view.setUint32(10 + length, crc32c(bytes, 9, 10 + length));
      const opened = await openBlock(
        directoryBlockBytes(damagedBlock("chunks/000001", bytes), `/data/${testUlid}`),
        openOptions,
      );
      if (!opened.ok) throw new Error(opened.failure.kind);
      // What is in a chunk is for its decoder to judge.
      const { failure } = await collectSeries(opened.value.select(plainSelect, signal));
      expect(["corrupt", undefined]).toContain(failure?.kind);
    }
  });
});

/** Changes one byte of one part and makes its checksum fit again; or an offset in the table of contents. */
function forge(index: Uint8Array, random: Random): void {
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  const toc = index.length - 52;
  const offset = (i: number) => Number(view.getBigUint64(toc + 8 * i));
  const part = random.int(5);
  if (part === 0) {
    view.setBigUint64(
      toc + 8 * random.int(6),
      BigInt(random.int(2) === 0 ? random.int(index.length) : random.uint32()),
    );
    view.setUint32(toc + 48, crc32c(index, toc, toc + 48));
    return;
  }
  // Symbols, the postings of all series, the postings offsets; else the first series, whose length is one byte.
  const from = [offset(0), offset(4), offset(5)][part - 1] ?? offset(1);
  const lengthBytes = part <= 3 ? 4 : 1;
  const length = lengthBytes === 4 ? view.getUint32(from) : (index[from] ?? 0);
  const start = from + lengthBytes;
  for (let changes = 1 + random.int(2); changes > 0; changes--) index[start + random.int(length)] = random.int(256);
  view.setUint32(start + length, crc32c(index, start, start + length));
}
