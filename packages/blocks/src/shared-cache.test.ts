import { labelsFromRecord } from "@pleiad/model";
import { memoryFiles } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import { directoryBlockBytes, type BlockBytes } from "./block-bytes.ts";
import {
  blockOf,
  dump,
  linesOf,
  openOptions,
  startMs,
  testUlid,
  writeBlock,
  type TestSeries,
} from "./block.fixtures.ts";
import { openBlock } from "./block.ts";
import { createSharedCache } from "./shared-cache.ts";

const series: readonly TestSeries[] = Array.from({ length: 300 }, (_, i) => ({
  labels: labelsFromRecord({ __name__: "m", i: String(i) }),
  samples: Array.from({ length: 20 }, (_, k) => [startMs + k * 1000, Math.sin(i * k)] as const),
}));

it("bounds what all blocks keep together, and no answer is the smaller for it", async () => {
  const sharedCache = createSharedCache(1_000_000);
  const blocks = await Promise.all(Array.from({ length: 8 }, () => blockOf(series, { sharedCache })));
  for (let round = 0; round < 2; round++) {
    for (const block of blocks) {
      expect(await dump(block)).toEqual(linesOf(series));
      expect(sharedCache.heldBytes).toBeLessThanOrEqual(sharedCache.bytesMax);
    }
  }
  expect(sharedCache.heldBytes).toBeGreaterThan(sharedCache.bytesMax / 4);
  const answers = await Promise.all(blocks.map((block) => dump(block)));
  for (const lines of answers) expect(lines).toEqual(linesOf(series));
  for (const block of blocks) await block.close();
  expect(sharedCache.heldBytes).toBe(0);
});

it("lets the block go first that was asked least recently", () => {
  const sharedCache = createSharedCache(100);
  const forgotten: string[] = [];
  const seats = ["a", "b", "c"].map((name) => {
    let held = 40;
    const forget = () => {
      held = 0;
      forgotten.push(name);
    };
    return sharedCache.join({ heldBytes: () => held, forget });
  });
  const [a, b, c] = seats;
  a?.settle();
  b?.settle();
  a?.settle();
  c?.settle();
  expect(forgotten).toEqual(["b", "a"]);
  expect(sharedCache.heldBytes).toBe(40);
});

it("keeps nothing of a block that is larger than all of it", () => {
  const sharedCache = createSharedCache(100);
  let held = 500;
  sharedCache.join({ heldBytes: () => held, forget: () => (held = 0) }).settle();
  expect(sharedCache.heldBytes).toBe(0);
});

it("takes nothing from a question that waits for more", async () => {
  const files = memoryFiles();
  // Chunks of many windows, in two runs: the second comes late, and in between another block needs room.
  const long = Array.from({ length: 60 }, (_, i) => ({
    labels: labelsFromRecord({ __name__: "m", i: String(i).padStart(3, "0") }),
    samples: Array.from({ length: 1200 }, (_, k) => [startMs + k * 1000, Math.sin(i * k)] as const),
  }));
  await writeBlock(files, long);
  const sharedCache = createSharedCache(1_000_000);
  const other = sharedCache.join({ heldBytes: () => 2_000_000, forget: () => {} });
  const bytes = directoryBlockBytes(files, `/data/${testUlid}`);
  let readCount = 0;
  const crowded: BlockBytes = {
    ...bytes,
    async read(file, offset, length) {
      const answer = await bytes.read(file, offset, length);
      if (file === "chunks/000001" && readCount++ > 0) {
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
        other.settle();
      }
      return answer;
    },
  };
  const readRuns = { windowBytes: 1 << 17, gapBytesMax: 0, runBytesMax: 1 << 17 };
  const opened = await openBlock(crowded, { ...openOptions, sharedCache, readRuns });
  if (!opened.ok) throw new Error(opened.failure.kind);
  // The block has a share of the cache from its first answer on.
  await dump(opened.value, { matchers: [{ type: "=", name: "i", value: "000" }] });
  expect(await dump(opened.value)).toEqual(linesOf(long));
  const size = files.contents.get(`/data/${testUlid}/chunks/000001`)?.length ?? 0;
  expect(readCount).toBe(Math.ceil(size / (1 << 17)));
});
