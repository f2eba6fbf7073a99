/** Days in the life of a small head: what it holds, on disk and in memory, stays in proportion to its retention. */
import { plainSelect } from "@pleiad/model";
import { memoryFiles, manualClock, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { named, openTestHead, startMs } from "./head.fixtures.ts";
import type { Head } from "./head.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const options = { retentionMs: 6 * hourMs, checkpointBytesMin: 32_768, walSegmentBytes: 65_536 };
const steadySeries = 6;
const seriesPerHour = 3;

describe("three days of scrapes, with new series every hour and restarts", () => {
  it("keep a head of six hours small", async () => {
    const files = memoryFiles();
    let nowMs = startMs;
    const clock = { ...manualClock(startMs), wallMs: () => nowMs };
    const open = async () => await openTestHead({ files, clock, observations: silentObservations() }, options);
    let head = await open();
    const largest = { files: 0, bytes: 0, series: 0, chunks: 0, pods: 0 };
    for (let minute = 0; minute < 3 * 24 * 60; minute++) {
      nowMs += minuteMs;
      const hour = Math.floor(minute / 60);
      const appender = head.appender();
      const append = (labels: ReturnType<typeof named>) => {
        const ref = appender.series(labels);
        if (typeof ref !== "number") throw new Error(ref.kind);
        expect(appender.append(ref, nowMs, minute)).toBe("appended");
      };
      for (let i = 0; i < steadySeries; i++) append(named("steady", { i: String(i) }));
      for (let i = 0; i < seriesPerHour; i++) append(named("churning", { pod: `${hour}-${i}` }));
      expect((await appender.commit()).ok).toBe(true);
      if (minute % 2 === 0) expect((await head.maintain(nowMs)).ok).toBe(true);
      if (minute % (11 * 60) === 0) {
        if (hour % 2 === 0) await head.close();
        head = await open();
      }
      if (minute % 30 !== 0) continue;
      const sizes = [...files.contents.values()].map(({ length }) => length);
      largest.files = Math.max(largest.files, sizes.length);
      largest.bytes = Math.max(
        largest.bytes,
        sizes.reduce((sum, size) => sum + size, 0),
      );
      largest.series = Math.max(largest.series, head.statistics().series);
      largest.chunks = Math.max(largest.chunks, head.statistics().chunks);
      largest.pods = Math.max(largest.pods, (await podsOf(head)).length);
    }
    // Six hours, and the one that is being written or forgotten.
    expect(largest.pods).toBe(7 * seriesPerHour);
    expect(largest.series).toBe(steadySeries + 7 * seriesPerHour);
    // Two hours make a chunk of a steady series and a file.
    expect(largest.chunks).toBeLessThanOrEqual(steadySeries * 5 + 7 * seriesPerHour * 2);
    expect(largest.files).toBeLessThanOrEqual(8);
    expect(largest.bytes).toBeLessThan(80_000);
    expect(await podsOf(head)).toContain("71-0");
  });
});

async function podsOf(head: Head): Promise<readonly string[]> {
  const request = { ...plainSelect, onFailure: "warn" as const, limit: 0 };
  const pods = await head.labelValues("pod", request, new AbortController().signal);
  if (!pods.ok) throw new Error(pods.failure.kind);
  return pods.value.values;
}
