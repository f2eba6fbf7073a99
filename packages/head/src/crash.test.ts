import { encodeXor } from "@pleiad/chunks";
import { FileError, type File, type FileSystem } from "@pleiad/ports";
import { memoryFiles, silentObservations, manualClock } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { dump, named, openTestHead, testOptions } from "./head.fixtures.ts";
import { openHead, type HeadPorts } from "./head.ts";
import type { SeriesRef } from "./memory-series.ts";

/**
 * A run of all that a head writes: commits that close chunks, roll segments and make series, an import, maintenance with
 * checkpoints and expired files, a restart in the middle. It goes on whatever fails, as a role would.
 */
interface Told {
  /** Lines that some call acknowledged, and that retention has not reached. */
  readonly acknowledged: Set<string>;
  /** Lines that were handed in at all. */
  readonly attempted: Set<string>;
}

const options = {
  ...testOptions,
  retentionMs: 4000,
  chunkRangeMs: 1000,
  samplesPerChunk: 4,
  walSegmentBytes: 32_768,
  checkpointBytesMin: 2000,
  chunkFileBytesMax: 1500,
  syncIntervalMs: 1,
};
const lastMs = 9_000;

const lineOf = (name: string, t: number, value: number) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return `${name} ${t} ${view.getBigUint64(0).toString(16).padStart(16, "0")}`;
};

async function run(ports: HeadPorts, told: Told): Promise<void> {
  let opened = await openHead(options, ports);
  if (!opened.ok) return;
  let head = opened.value;
  const importer = head.importer();
  const times = Float64Array.of(5000, 5100, 5200);
  const history = times
    .values()
    .map((t) => lineOf("old", t, t))
    .toArray();
  for (const line of history) told.attempted.add(line);
  importer.add(named("old"), [{ minTimeMs: 5000, maxTimeMs: 5200, data: encodeXor(times, times, 0, 3) }]);
  if ((await importer.commit()).ok) for (const line of history) told.acknowledged.add(line);
  for (let t = 1000; t < lastMs; t += 250) {
    const appender = head.appender();
    const lines: string[] = [];
    // Series come and go, so that some are made late and some are forgotten.
    for (const name of ["a", "b", t < 3000 ? "early" : "late", `only_${t % 3000 === 0 ? t : "x"}`]) {
      const ref = appender.series(named(name));
      if (typeof ref !== "number") throw new Error("refused");
      const line = lineOf(name, t, t / 7);
      if (appender.append(ref as SeriesRef, t, t / 7) === "appended") lines.push(line);
    }
    for (const line of lines) told.attempted.add(line);
    if ((await appender.commit()).ok) for (const line of lines) told.acknowledged.add(line);
    if (t % 750 === 0) await head.maintain(lastMs);
    if (t === 5000) {
      await head.close();
      opened = await openHead(options, ports);
      if (!opened.ok) return;
      head = opened.value;
    }
  }
}

const timeOf = (line: string) => Number(line.split(" ")[1]);

/** Everything acknowledged within retention is there, nothing is there that nobody handed in. */
async function check(ports: HeadPorts, told: Told, context: string): Promise<void> {
  const head = await openTestHead(ports, options);
  const lines = new Set(await dump(head));
  const newestMs = Math.max(0, ...[...told.attempted].map(timeOf));
  for (const line of lines) if (!told.attempted.has(line)) throw new Error(`${context}: invented ${line}`);
  for (const line of told.acknowledged) {
    if (timeOf(line) > newestMs - options.retentionMs && !lines.has(line)) throw new Error(`${context}: lost ${line}`);
  }
  // And it is a head that works.
  const appender = head.appender();
  const ref = appender.series(named("after"));
  expect(appender.append(ref as SeriesRef, lastMs + 1, 1)).toBe("appended");
  expect((await appender.commit()).ok).toBe(true);
  expect((await head.maintain(lastMs)).ok).toBe(true);
  const again = new Set(await dump(await openTestHead(ports, options)));
  for (const line of await dump(head))
    if (!again.has(line)) throw new Error(`${context}: lost at the second opening ${line}`);
}

const portsOver = (files: FileSystem): HeadPorts => {
  // A clock that moves, so that syncs come due.
  let nowMs = 0;
  const clock = { ...manualClock(lastMs), monotonicMs: () => nowMs++ };
  return { files, clock, observations: silentObservations() };
};

/** Files that die at a mutating operation, an append half way, and stay dead: the process was killed there. */
function dyingFiles(inner: FileSystem, operations: number, keptRatio: number): FileSystem {
  let left = operations;
  const guard = () => {
    if (--left < 0) throw new FileError("EIO", "any operation", "after the end");
  };
  const wrap = (file: File): File => ({
    ...file,
    append: async (bytes) => {
      if (left === 0) await file.append(bytes.subarray(0, Math.floor(bytes.length * keptRatio)));
      guard();
      await file.append(bytes);
    },
    truncate: async (sizeBytes) => {
      guard();
      await file.truncate(sizeBytes);
    },
    datasync: async () => {
      guard();
      await file.datasync();
    },
  });
  const guarded =
    <A extends unknown[], R>(operation: (...args: A) => Promise<R>) =>
    async (...args: A) => {
      guard();
      return await operation(...args);
    };
  return {
    ...inner,
    open: async (path, mode) => {
      if (mode !== "read" && !(await inner.exists(path))) guard();
      return wrap(await inner.open(path, mode));
    },
    rename: guarded(inner.rename),
    unlink: guarded(inner.unlink),
    makeDirectory: guarded(inner.makeDirectory),
    removeDirectory: guarded(inner.removeDirectory),
    syncDirectory: guarded(inner.syncDirectory),
  };
}

async function countOperations(): Promise<number> {
  const limit = 100_000;
  let used = 0;
  const inner = memoryFiles();
  const counting = dyingFiles(inner, limit, 0);
  const files = new Proxy(counting, {});
  const told: Told = { acknowledged: new Set(), attempted: new Set() };
  // Halving: the least number of operations with which the run acknowledges as much as without a limit.
  await run(portsOver(files), told);
  const whole = told.acknowledged.size;
  for (let step = 2 ** 12; step >= 1; step /= 2) {
    const part: Told = { acknowledged: new Set(), attempted: new Set() };
    await run(portsOver(dyingFiles(memoryFiles(), used + step, 0)), part);
    if (part.acknowledged.size < whole) used += step;
  }
  return used + 1;
}

describe("a head whose process dies", () => {
  it("keeps all that was acknowledged and invents nothing, at every operation, whole or half", async () => {
    const operations = await countOperations();
    expect(operations).toBeGreaterThan(100);
    for (const keptRatio of [0, 0.6, 1]) {
      for (let operation = 0; operation <= operations; operation++) {
        const files = memoryFiles();
        const told: Told = { acknowledged: new Set(), attempted: new Set() };
        await run(portsOver(dyingFiles(files, operation, keptRatio)), told);
        await check(portsOver(files), told, `died at operation ${operation}, ${keptRatio} of an append written`);
      }
    }
  });
});
