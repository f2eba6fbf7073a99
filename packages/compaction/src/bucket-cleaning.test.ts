import { formatBlockMark } from "@pleiad/blocks";
import type { Bucket } from "@pleiad/ports";
import { manualClock, memoryBucket, memoryFiles, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { epochMs, hourMs, putBlock, steadySeries } from "./compaction.fixtures.ts";
import { createCompactor } from "./bucket-compactor.ts";
import { defaultBlockWork, defaultCompactor } from "./compactor.ts";

async function oneBlock() {
  const clock = manualClock(epochMs + 2 * hourMs);
  const bucket = memoryBucket(() => clock.wallMs());
  const series = steadySeries(["up"], 0, 2);
  const { ulid } = await putBlock(bucket, { from: 0, to: 2, labels: { cluster: "a" }, series });
  const mark = () => formatBlockMark({ kind: "deletion", ulid, timeMs: clock.wallMs(), details: "", reason: "" });
  const pass = async (seen: Bucket = bucket) => {
    const work = { ...defaultBlockWork, directory: "/work" };
    const ports = { clock, files: memoryFiles(), observations: silentObservations() };
    const made = createCompactor(seen, { ...defaultCompactor, work }, ports);
    if (!made.ok) throw new Error(made.failure);
    expect(await made.value.runPass(new AbortController().signal)).toEqual({ kind: "done" });
  };
  return { clock, bucket, ulid, mark, pass };
}

describe("a deletion", () => {
  it("waits anew where its mark was renewed after the listing", async () => {
    const { clock, bucket, ulid, mark, pass } = await oneBlock();
    const key = `${ulid}/deletion-mark.json`;
    await bucket.put(key, mark());
    await clock.advance(49 * hourMs);
    await pass({
      ...bucket,
      get: async (asked, ...rest) => {
        const bytes = await bucket.get(asked, ...rest);
        // Someone takes the block back and marks it again, right after the mark was read.
        if (asked === key) bucket.objects.set(key, mark());
        return bytes;
      },
    });
    expect(bucket.objects.has(`${ulid}/meta.json`)).toBe(true);
    await clock.advance(48 * hourMs);
    await pass();
    expect([...bucket.objects.keys()]).toEqual(["debug/compactor-clock"]);
  });
});
