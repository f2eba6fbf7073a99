import { encodeXor } from "@pleiad/chunks";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { appendAll, dump, named, openTestHead, startMs } from "./head.fixtures.ts";
import type { SeriesRef } from "./memory-series.ts";

const up = named("up", { job: "node" });

describe("an import", () => {
  const times = Float64Array.from({ length: 240 }, (_, i) => startMs - 7_200_000 + i * 30_000);
  const chunk = (from: number, to: number) => ({
    minTimeMs: times[from] ?? 0,
    maxTimeMs: times[to - 1] ?? 0,
    data: encodeXor(times, times, from, to),
  });

  it("puts closed chunks before what the head has, durably", async () => {
    const ports = testPorts();
    const head = await openTestHead(ports);
    await appendAll(head, [[up, startMs, 5]]);
    const importer = head.importer();
    expect(importer.add(up, [chunk(0, 120), chunk(120, 240)])).toBeUndefined();
    expect(importer.add(named("other"), [chunk(0, 120)])).toBeUndefined();
    expect(await dump(head)).toHaveLength(1);
    expect(await importer.commit()).toEqual({ ok: true, value: { series: 2, chunks: 3 } });
    const all = await dump(head);
    expect(all).toHaveLength(241 + 120);
    expect(head.statistics()).toMatchObject({ chunks: 4, minTimeMs: times[0], maxTimeMs: startMs });
    expect(await dump(await openTestHead(ports))).toEqual(all);
    await appendAll(head, [[named("other"), startMs, 1]]);
  });

  it("puts closed chunks behind what the head has, and later samples behind those", async () => {
    const ports = testPorts();
    const head = await openTestHead(ports);
    await appendAll(head, [
      [up, times[50] ?? 0, 5],
      [up, times[99] ?? 0, 5],
    ]);
    const importer = head.importer();
    expect(importer.add(up, [chunk(100, 180), chunk(180, 240)])).toBeUndefined();
    expect(await importer.commit()).toEqual({ ok: true, value: { series: 1, chunks: 2 } });
    await appendAll(head, [[up, startMs, 5]]);
    const all = await dump(head);
    expect(all).toHaveLength(143);
    expect(all.map((line) => Number(line.split(" ")[1]))).toEqual([
      times[50],
      times[99],
      ...times.subarray(100, 240),
      startMs,
    ]);
    for (const close of [false, true]) {
      if (close) expect((await head.close()).ok).toBe(true);
      const again = await openTestHead(ports);
      expect(await dump(again)).toEqual(all);
      expect(again.statistics()).toMatchObject({ chunks: 4, skippedSamples: 0, repairedBytes: 0 });
    }
  });

  it("costs no log but for series that it does not know yet", async () => {
    const head = await openTestHead();
    await appendAll(head, [[up, times[0] ?? 0, 5]]);
    const before = head.statistics().walBytes;
    const importer = head.importer();
    importer.add(up, [chunk(1, 240)]);
    expect((await importer.commit()).ok).toBe(true);
    expect(head.statistics().walBytes).toBe(before);
  });

  it("refuses chunks that are neither all older nor all newer than what the series has", async () => {
    const head = await openTestHead();
    await appendAll(head, [
      [up, times[100] ?? 0, 5],
      [up, times[110] ?? 0, 5],
    ]);
    const importer = head.importer();
    for (const chunks of [
      [chunk(0, 101)],
      [chunk(110, 120)],
      [chunk(102, 109)],
      [chunk(0, 240)],
      [chunk(0, 100), chunk(111, 240)],
      [chunk(50, 60), chunk(0, 10)],
    ]) {
      expect(importer.add(up, chunks)).toEqual({ kind: "overlap" });
    }
    expect(importer.add(up, [chunk(0, 100)])).toBeUndefined();
    expect(importer.add(up, [chunk(111, 112)])).toEqual({ kind: "overlap" });
  });

  for (const [reason, broken] of [
    ["a chunk without samples", { data: Uint8Array.of(0, 0) }],
    ["the chunk ends within its 0 samples, after 1 bytes", { data: new Uint8Array(1) }],
    ["a chunk whose first or last sample is not at the time told", { minTimeMs: startMs - 1 }],
    ["a chunk whose first or last sample is not at the time told", { maxTimeMs: startMs + 30_001 }],
    ["a chunk whose samples do not ascend in time", { data: fallingTimes() }],
    ["a chunk that ends too far in the future", farAhead()],
  ] as const) {
    it(`refuses ${reason}`, async () => {
      const head = await openTestHead();
      const pair = Float64Array.of(startMs, startMs + 30_000);
      const sound = { minTimeMs: startMs, maxTimeMs: startMs + 30_000, data: encodeXor(pair, pair, 0, 2) };
      expect(head.importer().add(up, [{ ...sound, ...broken }])).toEqual({ kind: "invalid-chunk", reason });
      expect(head.importer().add(up, [sound])).toBeUndefined();
    });
  }

  it("lets nothing be appended beneath it while it is open", async () => {
    const head = await openTestHead();
    const importer = head.importer();
    importer.add(up, [chunk(0, 100)]);
    const appender = head.appender();
    expect(appender.append(appender.series(up) as SeriesRef, times[50] ?? 0, 1)).toBe("out-of-order");
    expect(appender.append(appender.series(up) as SeriesRef, times[100] ?? 0, 1)).toBe("appended");
    await appender.commit();
    await importer.commit();
    expect(await dump(head)).toHaveLength(101);
  });

  it("comes between samples that were there and samples that were appended while it was open", async () => {
    const ports = testPorts();
    const head = await openTestHead(ports);
    await appendAll(head, [[up, times[9] ?? 0, 5]]);
    const importer = head.importer();
    importer.add(up, [chunk(10, 20)]);
    const appender = head.appender();
    const ref = appender.series(up) as SeriesRef;
    expect(appender.append(ref, times[19] ?? 0, 5)).toBe("duplicate");
    expect(appender.append(ref, times[15] ?? 0, 1)).toBe("out-of-order");
    expect(appender.append(ref, times[20] ?? 0, 1)).toBe("appended");
    expect((await appender.commit()).ok).toBe(true);
    expect((await importer.commit()).ok).toBe(true);
    const lines = await dump(head);
    expect(lines.map((line) => Number(line.split(" ")[1]))).toEqual([...times.subarray(9, 21)]);
    expect(await dump(await openTestHead(ports))).toEqual(lines);
  });

  it("fails as a whole where a commit that was under way brought samples of its time", async () => {
    const ports = testPorts();
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const syncDirectory = async (path: string) => {
      reached.resolve();
      await goOn.promise;
      await ports.files.syncDirectory(path);
    };
    const head = await openTestHead({ ...ports, files: { ...ports.files, syncDirectory } });
    const appender = head.appender();
    appender.append(appender.series(up) as SeriesRef, times[15] ?? 0, 1);
    const committing = appender.commit();
    await reached.promise;
    const importer = head.importer();
    expect(importer.add(up, [chunk(10, 20)])).toBeUndefined();
    expect(importer.add(named("other"), [chunk(10, 20)])).toBeUndefined();
    goOn.resolve();
    expect((await committing).ok).toBe(true);
    expect(await importer.commit()).toEqual({ ok: false, failure: { kind: "overlap" } });
    expect(await dump(head)).toHaveLength(1);
    await appendAll(head, [[up, times[16] ?? 0, 1]]);
  });

  it("is forgotten by an opening that finds it half-written", async () => {
    const ports = testPorts();
    const head = await openTestHead(ports);
    await appendAll(head, [[up, times[0] ?? 0, 5]]);
    const draft = "/data/chunks_head/000007.tmp";
    ports.files.contents.set(draft, Uint8Array.of(1, 2, 3));
    expect(await dump(await openTestHead(ports))).toHaveLength(1);
    expect(ports.files.contents.has(draft)).toBe(false);
  });

  it("leaves nothing when the disk refuses", async () => {
    for (let operation = 1; operation < 8; operation++) {
      const ports = testPorts();
      const head = await openTestHead(ports);
      const importer = head.importer();
      importer.add(up, [chunk(0, 100)]);
      ports.files.failFrom(operation, "ENOSPC");
      const committed = await importer.commit();
      expect(await dump(head)).toHaveLength(committed.ok ? 100 : 0);
      ports.files.heal();
      if (committed.ok) continue;
      expect(committed.failure.kind).toMatch(/files|sealed/);
      // What could not be removed then is removed now.
      await head.maintain(startMs);
      const again = head.importer();
      expect(again.add(up, [chunk(0, 100)])).toBeUndefined();
      if ((await again.commit()).ok) expect(await dump(head)).toHaveLength(100);
    }
  });
});

/** Two samples of one time, which no encoder of ours would write. */
function fallingTimes(): Uint8Array {
  const [near, far] = [1, 2].map((distanceMs) => {
    const times = Float64Array.of(startMs, startMs + distanceMs);
    return encodeXor(times, times, 0, 2);
  });
  return (near ?? new Uint8Array(0)).map((byte, i) => (byte === 1 && far?.[i] === 2 ? 0 : byte));
}

function farAhead() {
  const times = Float64Array.of(startMs + 600_001);
  return { minTimeMs: startMs + 600_001, maxTimeMs: startMs + 600_001, data: encodeXor(times, times, 0, 1) };
}
