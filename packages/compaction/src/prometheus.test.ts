/** Merged blocks read by the real thing; skipped where it is not installed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { manualClock, memoryBucket, memoryFiles, silentObservations, type MemoryBucket } from "@pleiad/ports/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { epochMs, hourMs, listBlocks, putBlock, steadySeries } from "./compaction.fixtures.ts";
import { createCompactor } from "./bucket-compactor.ts";
import { defaultBlockWork, defaultCompactor } from "./compactor.ts";

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
if (!hasPromtool && process.env["PLEIAD_REQUIRE_PEERS"] === "1")
  throw new Error("promtool is required here and missing");

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "pleiad-compaction-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The blocks named as a data folder. */
function dataFolder(name: string, bucket: MemoryBucket, ulids: readonly string[]): string {
  const data = join(directory, name);
  for (const [key, bytes] of bucket.objects) {
    if (!ulids.some((ulid) => key.startsWith(ulid))) continue;
    mkdirSync(dirname(join(data, key)), { recursive: true });
    writeFileSync(join(data, key), bytes);
  }
  // Without a log of newest samples promtool does not open a folder.
  mkdirSync(join(data, "wal"), { recursive: true });
  return data;
}

function promtool(...args: readonly string[]): string {
  const run = spawnSync("promtool", ["tsdb", ...args], { encoding: "utf8", timeout: 30_000, maxBuffer: 1 << 28 });
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
  return run.stdout;
}

describe.skipIf(!hasPromtool)("promtool", () => {
  it("reads from merged blocks what it reads from those that they were made of", async () => {
    const clock = manualClock(epochMs + 20 * hourMs);
    const bucket = memoryBucket();
    for (let from = 0; from < 18; from += 2) {
      const series = steadySeries(["up", "requests_total"], from, from + 2, 60_000);
      await putBlock(bucket, { from, to: from + 2, labels: { cluster: "a" }, series });
      // The same once more, cut otherwise: these chunks are merged, not copied.
      if (from === 4)
        await putBlock(bucket, { from, to: from + 2, labels: { cluster: "a" }, series, samplesPerChunk: 50 });
    }
    const sources = [...(await listBlocks(bucket)).keys()];
    const before = promtool("dump", dataFolder("before", bucket, sources));
    const made = createCompactor(
      bucket,
      { ...defaultCompactor, work: { ...defaultBlockWork, directory: "/work" } },
      { clock, files: memoryFiles(), observations: silentObservations() },
    );
    if (!made.ok) throw new Error(made.failure);
    await made.value.runPass(new AbortController().signal);
    expect(made.value.status().halted).toEqual([]);
    const merged = [...(await listBlocks(bucket)).values()].filter(({ compaction }) => compaction.level > 1);
    const rest = [...(await listBlocks(bucket)).values()].filter(
      ({ minTimeMs }) => minTimeMs === epochMs + 16 * hourMs,
    );
    const largest = merged.filter(({ minTimeMs, maxTimeMs }) => maxTimeMs - minTimeMs === 8 * hourMs);
    expect([largest.length, rest.length]).toEqual([2, 1]);
    const after = dataFolder(
      "after",
      bucket,
      [...largest, ...rest].map(({ ulid }) => ulid),
    );
    expect(promtool("dump", after)).toBe(before);
    expect(before.split("\n").length).toBe(2 * 18 * 60 + 1);
    for (const { ulid } of largest) expect(promtool("analyze", after, ulid)).toMatch(/^Duration: 8h0m0s\nSeries: 2$/m);
  });
});
