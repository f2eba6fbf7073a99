import { crc32c } from "@pleiad/chunks";
import { labelsFromRecord } from "@pleiad/model";
import { seededRandom } from "@pleiad/ports";
import { memoryFiles, type MemoryFileSystem } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { fileOf, startMs, testUlid, writeBlock, writerOptions, type TestSeries } from "./block.fixtures.ts";
import { directoryBlockBytes } from "./block-bytes.ts";
import { formatBlockMeta, type BlockMeta } from "./block-meta.ts";
import { checkWrittenBlock } from "./written-block.ts";

const { signal } = new AbortController();
const series: readonly TestSeries[] = Array.from({ length: 24 }, (_, i) => ({
  labels: labelsFromRecord({ __name__: `m${i % 3}`, even: i % 2 === 0 ? "yes" : "", i: `\u00e4${i}` }),
  samples: Array.from({ length: 10 + i }, (_, k) => [startMs + k * 30_000, k * i] as const),
}));

async function goodBlock() {
  const files = memoryFiles();
  const meta = await writeBlock(files, series, { samplesPerChunk: 12, chunkFileBytesMax: 1000 });
  return { files, meta };
}

/** What is wrong, as `file: reason`; undefined where nothing is. */
async function faultOf(files: MemoryFileSystem, meta: BlockMeta): Promise<string | undefined> {
  const bytes = directoryBlockBytes(files, `/data/${testUlid}`);
  const checked = await checkWrittenBlock(bytes, meta, async () => {}, signal);
  if (checked.ok) return undefined;
  const { failure } = checked;
  return failure.kind === "corrupt" ? `${failure.file}: ${failure.reason}` : failure.kind;
}

describe("a block that was just written", () => {
  it("is sound where nothing happened to it", async () => {
    const { files, meta } = await goodBlock();
    expect(await faultOf(files, meta)).toBeUndefined();
  });

  it.each(["index", "chunks/000001", "chunks/000002", "meta.json", "tombstones"])(
    "is not where any bit of %s differs, those between its parts left out",
    async (name) => {
      const { files, meta } = await goodBlock();
      const whole = fileOf(files, name).slice();
      const random = seededRandom(name.length);
      const unseen: number[] = [];
      for (let at = 0; at < whole.length; at += 1 + random.int(whole.length > 2000 ? 4 : 2)) {
        const bytes = whole.slice();
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(8));
        files.contents.set(`/data/${testUlid}/${name}`, bytes);
        if ((await faultOf(files, meta)) === undefined) unseen.push(at);
      }
      // Between series there are zeros, in the header of a chunk file three bytes of them.
      expect(unseen.filter((at) => whole[at] !== 0 || (name !== "index" && (at < 5 || at > 7)))).toEqual([]);
      expect(unseen.length).toBeLessThan(whole.length / 8);
    },
  );

  it.each(["index", "chunks/000001", "chunks/000002"])("is not where %s is cut short or missing", async (name) => {
    const { files, meta } = await goodBlock();
    const whole = fileOf(files, name).slice();
    for (const length of [0, 7, Math.floor(whole.length / 2), whole.length - 1]) {
      files.contents.set(`/data/${testUlid}/${name}`, whole.slice(0, length));
      expect(await faultOf(files, meta), `${length} bytes`).toBeDefined();
    }
    files.contents.delete(`/data/${testUlid}/${name}`);
    expect(await faultOf(files, meta)).toBeDefined();
  });

  const otherMetas: readonly (readonly [string, (meta: BlockMeta) => BlockMeta, RegExp])[] = [
    ["counts", (meta) => ({ ...meta, stats: { ...meta.stats, numSamples: 1 } }), /numSamples is 1, and there are/],
    ["its beginning", (meta) => ({ ...meta, minTimeMs: startMs + 1 }), /outside of the block's time/],
    ["its end", (meta) => ({ ...meta, maxTimeMs: startMs + 30_000 }), /outside of the block's time/],
  ];
  it.each(otherMetas)("is not where %s were said to be others", async (_rule, change, reason) => {
    const { files, meta } = await goodBlock();
    const changed = change(meta);
    files.contents.set(`/data/${testUlid}/meta.json`, formatBlockMeta(changed));
    expect(await faultOf(files, changed)).toMatch(reason);
    expect(await faultOf(files, meta)).toBe("meta.json: it is not what was written");
  });

  it("is not where the postings of two labels are exchanged, though each list is sound", async () => {
    const { files, meta } = await goodBlock();
    const index = fileOf(files, "index");
    const lists = postingsOf(index);
    let tried = 0;
    for (const [i, one] of lists.entries()) {
      const other = lists.find(
        (list, k) => k > i && list.refs.length === one.refs.length && list.refs.join() !== one.refs.join(),
      );
      if (other === undefined) continue;
      tried++;
      setRefs(index, one.at, other.refs);
      setRefs(index, other.at, one.refs);
      expect(await faultOf(files, meta)).toBe("index: postings are not those of the series");
      setRefs(index, one.at, one.refs);
      setRefs(index, other.at, other.refs);
    }
    expect(tried).toBeGreaterThan(20);
    expect(await faultOf(files, meta)).toBeUndefined();
  });

  it("is not where a list of postings names another series, names one twice, or lacks one", async () => {
    const { files, meta } = await goodBlock();
    const index = fileOf(files, "index");
    const all = postingsOf(index)[0];
    if (all === undefined) throw new Error("no postings");
    const [first = 0, second = 0, ...rest] = all.refs;
    setRefs(index, all.at, [first, second + 1, ...rest]);
    expect(await faultOf(files, meta)).toBe("index: postings are not those of the series");
    setRefs(index, all.at, [first, first, ...rest]);
    expect(await faultOf(files, meta)).toBe("index: postings are not sorted");
    setRefs(index, all.at, [first, ...rest.slice(0, 1), ...rest]);
    expect(await faultOf(files, meta)).toBe("index: postings are not sorted");
  });

  it("of many series is read on from piece to piece", async () => {
    const files = memoryFiles();
    const many = Array.from({ length: 3000 }, (_, i) => ({
      labels: labelsFromRecord({ __name__: "m", path: `/${"x".repeat(i % 700)}/${i}` }),
      samples: [[startMs, i]] as const,
    }));
    const meta = await writeBlock(files, many, writerOptions);
    expect(fileOf(files, "index").length).toBeGreaterThan(2 ** 21);
    expect(await faultOf(files, meta)).toBeUndefined();
  });
});

interface PostingsList {
  readonly at: number;
  readonly refs: readonly number[];
}

/** Every list between the beginning of the postings and their table. */
function postingsOf(index: Uint8Array): readonly PostingsList[] {
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  const toc = index.length - 52;
  const end = Number(view.getBigUint64(toc + 40));
  const lists: PostingsList[] = [];
  for (let at = Number(view.getBigUint64(toc + 32)); at < end; at += 4 + view.getUint32(at) + 4) {
    const count = view.getUint32(at + 4);
    lists.push({ at, refs: Array.from({ length: count }, (_, i) => view.getUint32(at + 8 + 4 * i)) });
  }
  return lists;
}

/** Writes another list of the same length, with a checksum that fits. */
function setRefs(index: Uint8Array, at: number, refs: readonly number[]): void {
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  for (const [i, ref] of refs.entries()) view.setUint32(at + 8 + 4 * i, ref);
  const length = 4 + 4 * refs.length;
  view.setUint32(at + 4 + length, crc32c(index, at + 4, at + 4 + length));
}
