import { labelsFromRecord } from "@pleiad/model";
import { expect, it } from "vitest";
import { blockOf, dump, linesOf, startMs, type TestSeries } from "./block.fixtures.ts";
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
