import { BucketError, seededRandom, type Bucket } from "@pleiad/ports";
import { memoryBucket, testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { startCompactor, type CompactorRole, type CompactorRoleOptions } from "./compactor.ts";

const minuteMs = 60_000;

function start(bucket: Bucket, options: Partial<CompactorRoleOptions> = {}) {
  const ports = { ...testPorts(), random: seededRandom(1) };
  const started = startCompactor(bucket, { name: "compactor", directory: "/work", ...options }, ports);
  if (!started.ok) throw new Error(started.failure.message);
  const role: CompactorRole = started.value;
  return { role, clock: ports.clock, files: ports.files };
}

describe("the compactor as a role", () => {
  it("begins at once and goes on after the pause", async () => {
    const bucket = memoryBucket();
    const { role, clock } = start(bucket);
    await clock.advance(0);
    const perPass = bucket.requests.list;
    expect(perPass).toBeGreaterThan(0);
    expect(role.ready()).toEqual({ ready: true });
    expect(role.status().lastPass?.outcome).toEqual({ kind: "done" });
    await clock.advance(4 * minuteMs);
    expect(bucket.requests.list).toBe(perPass);
    await clock.advance(2 * minuteMs);
    expect(bucket.requests.list).toBe(2 * perPass);
    await role.stop(1000);
  });

  it("tries again soon while the bucket is down, then less often", async () => {
    let lists = 0;
    const down: Bucket = {
      ...memoryBucket(),
      // oxlint-disable-next-line require-yield -- it fails before the first key
      async *list(prefix) {
        lists++;
        throw new BucketError("unavailable", prefix, "down");
      },
    };
    const { role, clock } = start(down);
    await clock.advance(2 * minuteMs);
    // At 0, 10, 30 and 70 s, each a little late.
    expect(lists).toBe(4);
    expect(role.status().lastPass?.outcome).toMatchObject({ kind: "again" });
    await clock.advance(30 * minuteMs);
    expect(lists).toBeLessThan(13);
    await role.stop(1000);
  });

  it("stops within its pause and in the middle of a pass", async () => {
    const { role, clock } = start(memoryBucket());
    await role.stop(1000);
    expect(role.ready()).toEqual({ ready: false, reason: "stopping" });
    await clock.advance(60 * minuteMs);
    expect(role.status().running).toBeUndefined();
  });

  it("is not ready any more after a bug", async () => {
    const broken: Bucket = {
      ...memoryBucket(),
      // oxlint-disable-next-line require-yield -- it fails before the first key
      async *list() {
        throw new TypeError("no such method");
      },
    };
    const { role, clock } = start(broken);
    await clock.advance(0);
    expect(role.ready()).toEqual({ ready: false, reason: "ended by a bug: no such method" });
    await role.stop(1000);
  });

  it("refuses options that would lose samples", () => {
    const compaction = { retention: { rawMs: 3_600_000, fiveMinutesMs: 0, oneHourMs: 0 } };
    const started = startCompactor(memoryBucket(), { name: "c", directory: "/work", compaction }, testPorts());
    expect(started.ok ? "" : started.failure.message).toMatch(/^c: raw samples are kept for 1h/);
  });

  it("refuses a selector that it cannot understand", () => {
    const rule = { action: "keep", sourceLabels: ["cluster"], separator: ";", regex: "(" } as const;
    const selector = { rules: [rule], minTimeMs: undefined, maxTimeMs: undefined };
    const started = startCompactor(memoryBucket(), { name: "c", directory: "/work", selector }, testPorts());
    expect(started.ok ? "" : started.failure.message).toBe(
      'c: the selector: rule 1 (keep): "(" is no regular expression',
    );
  });
});
