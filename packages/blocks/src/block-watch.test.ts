import { collectSeries, labelsFromRecord, plainSelect } from "@pleiad/model";
import { memoryFiles } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { directoryBlockBytes, type BlockBytes } from "./block-bytes.ts";
import { BlockReadError } from "./block-failure.ts";
import { openOptions, startMs, testUlid, writeBlock, type TestSeries } from "./block.fixtures.ts";
import { openBlock, type BlockOptions } from "./block.ts";

/** 20,000 series: an index of many windows. Every hundredth is asked for. */
const series: readonly TestSeries[] = Array.from({ length: 20_000 }, (_, i) => ({
  labels: labelsFromRecord({ __name__: "m", i: String(i).padStart(5, "0"), part: i % 100 === 0 ? "wanted" : "other" }),
  samples: [[startMs, i]],
}));
const matchers = [{ type: "=", name: "part", value: "wanted" }] as const;

async function openCounted(options: Partial<BlockOptions> = {}) {
  const files = memoryFiles();
  await writeBlock(files, series);
  const reads: { readonly file: string; readonly length: number }[] = [];
  const bytes = directoryBlockBytes(files, `/data/${testUlid}`);
  const counted: BlockBytes = {
    ...bytes,
    read: (file, offset, length, signal) => {
      reads.push({ file, length });
      return bytes.read(file, offset, length, signal);
    },
  };
  const opened = await openBlock(counted, { ...openOptions, ...options });
  if (!opened.ok) throw new Error(opened.failure.kind);
  reads.length = 0;
  const { signal } = new AbortController();
  return {
    reads,
    signal,
    ask: () => collectSeries(opened.value.select({ ...plainSelect, matchers }, signal)),
  };
}

describe("reads of a block", () => {
  it("are as few as gaps and sizes allow", async () => {
    const far = await openCounted({ readRuns: { windowBytes: 1 << 17, gapBytesMax: 1 << 20, runBytesMax: 1 << 24 } });
    expect((await far.ask()).series).toHaveLength(200);
    // Series, and chunks: one read each; the postings came with the window in which the index ends.
    expect(far.reads.map(({ file }) => file)).toEqual(["index", "chunks/000001"]);
    const short = await openCounted({ readRuns: { windowBytes: 1 << 17, gapBytesMax: 1 << 20, runBytesMax: 1 << 18 } });
    expect((await short.ask()).series).toHaveLength(200);
    expect(short.reads.length).toBeGreaterThan(far.reads.length);
    expect(Math.max(...short.reads.map(({ length }) => length))).toBeLessThanOrEqual((1 << 18) + 4096);
  });

  it("are not repeated", async () => {
    const { reads, ask } = await openCounted();
    const first = await ask();
    reads.length = 0;
    expect(await ask()).toEqual(first);
    expect(reads).toEqual([]);
  });
});

describe("a watch", () => {
  it("hears what a question touches, and what of it was in memory", async () => {
    const touches: unknown[][] = [];
    const { ask, signal } = await openCounted({
      watch: {
        touch: (kind, count, keptCount, of) => {
          expect(of).toBe(signal);
          touches.push([kind, count, keptCount]);
        },
      },
    });
    await ask();
    expect(touches).toEqual([
      ["selection", 1, 0],
      ["postings", 1, 0],
      ["series", 200, 0],
      ["chunks", 200, 0],
    ]);
    touches.length = 0;
    await ask();
    expect(touches).toEqual([
      ["selection", 1, 1],
      ["series", 200, 200],
      ["chunks", 200, 200],
    ]);
  });

  it("ends a question by throwing, before anything is read", async () => {
    const { ask, reads } = await openCounted({
      watch: {
        touch: (kind, count) => {
          if (kind !== "series") return;
          throw new BlockReadError({ kind: "limit", block: testUlid, of: "series", max: count - 1 });
        },
      },
    });
    expect((await ask()).failure).toMatchObject({ kind: "limit", of: "series", max: 199 });
    expect(reads).toEqual([]);
  });
});
