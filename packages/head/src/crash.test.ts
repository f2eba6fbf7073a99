import { encodeXor } from "@pleiad/chunks";
import { FileError, type File, type FileSystem } from "@pleiad/ports";
import { memoryFiles, silentObservations, manualClock } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { dump, named, openTestHead, testOptions } from "./head.fixtures.ts";
import type { Head, HeadPorts } from "./head.ts";
import { openHead } from "./open-head.ts";

/**
 * A run of all that a head writes: commits that close chunks, roll segments and make series, imports before and behind
 * what is there, maintenance with checkpoints and expired files, a restart in the middle. It goes on whatever fails, as a role would.
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
  walSegmentBytes: 300,
  checkpointBytesMin: 400,
  chunkFileBytesMax: 1500,
  syncIntervalMs: 1,
  outOfOrderWindowMs: 600,
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
  await bringIn(head, told, ["old"], [600, 700, 800]);
  for (let t = 1000; t < lastMs; t += 250) {
    const appender = head.appender();
    const lines: string[] = [];
    // Series come and go, so that some are made late and some are forgotten.
    for (const name of ["a", "b", t < 3000 ? "early" : "late", `only_${t % 3000 === 0 ? t : "x"}`]) {
      const ref = appender.series(named(name));
      if (typeof ref !== "number") throw new Error("refused");
      const line = lineOf(name, t, t / 7);
      if (appender.append(ref, t, t / 7) === "appended") lines.push(line);
    }
    for (const line of lines) told.attempted.add(line);
    if ((await appender.commit()).ok) for (const line of lines) told.acknowledged.add(line);
    // Of the past, of a series with samples in order and of one without; again and again into one log.
    if (t % 500 === 0) await bringLate(head, told, t - 130);
    // Behind samples of the log and before more of them; of series that are known and of one that is not.
    if (t % 1250 === 0) await bringIn(head, told, ["a", "b", `past_${t}`], [t + 50, t + 100, t + 150]);
    if (t % 750 === 0) await head.maintain(lastMs);
    if (t === 6000) await head.truncate(3000);
    if (t === 5000) {
      await head.close();
      opened = await openHead(options, ports);
      if (!opened.ok) return;
      head = opened.value;
    }
  }
}

/** Commits samples out of order: as many at once as make a chunk of one series full now and then. */
async function bringLate(head: Head, told: Told, newestMs: number) {
  const appender = head.appender();
  const lines: string[] = [];
  for (const name of ["a", "late_only"]) {
    const ref = appender.series(named(name));
    if (typeof ref !== "number") throw new Error("refused");
    for (let t = newestMs; t > newestMs - 30; t -= 3) {
      if (appender.append(ref, t, -t) === "appended") lines.push(lineOf(name, t, -t));
    }
  }
  for (const line of lines) told.attempted.add(line);
  if ((await appender.commit()).ok) for (const line of lines) told.acknowledged.add(line);
}

/** Imports three samples of each series, in two chunks. */
async function bringIn(head: Head, told: Told, names: readonly string[], times: readonly [number, number, number]) {
  const importer = head.importer();
  const columns = Float64Array.from(times);
  const [first, second, third] = times;
  const lines: string[] = [];
  for (const name of names) {
    const refusal = importer.add(named(name), [
      { minTimeMs: first, maxTimeMs: second, data: encodeXor(columns, columns, 0, 2) },
      { minTimeMs: third, maxTimeMs: third, data: encodeXor(columns, columns, 2, 3) },
    ]);
    if (refusal === undefined) lines.push(...times.map((t) => lineOf(name, t, t)));
  }
  for (const line of lines) told.attempted.add(line);
  if ((await importer.commit()).ok) for (const line of lines) told.acknowledged.add(line);
}

const timeOf = (line: string) => Number(line.split(" ")[1]);

/** What is wrong after a restart: lines that were acknowledged and are lost, lines that nobody handed in. */
async function faultsOf(ports: HeadPorts, told: Told): Promise<string[]> {
  const head = await openTestHead(ports, options);
  const faults: string[] = [];
  const all = await dump(head);
  const lines = new Set(all);
  if (lines.size < all.length) faults.push("told twice");
  const newestMs = Math.max(0, ...[...told.attempted].map(timeOf));
  for (const line of lines) if (!told.attempted.has(line)) faults.push(`invented: ${line}`);
  for (const line of told.acknowledged) {
    if (timeOf(line) > newestMs - options.retentionMs && !lines.has(line)) faults.push(`lost: ${line}`);
  }
  // And it is a head that works.
  const appender = head.appender();
  const ref = appender.series(named("after"));
  if (typeof ref !== "number") throw new Error("refused");
  if (appender.append(ref, lastMs + 1, 1) !== "appended") faults.push("takes no sample");
  if (!(await appender.commit()).ok) faults.push("commits nothing");
  if (!(await head.maintain(lastMs)).ok) faults.push("is not maintained");
  const again = new Set(await dump(await openTestHead(ports, options)));
  for (const line of await dump(head)) if (!again.has(line)) faults.push(`lost at the second opening: ${line}`);
  return faults;
}

const portsOver = (files: FileSystem): HeadPorts => {
  // A clock that moves, so that syncs come due.
  let nowMs = 0;
  const clock = { ...manualClock(lastMs), monotonicMs: () => nowMs++ };
  return { files, clock, observations: silentObservations() };
};

/** What becomes of the nth mutating operation, from 0: a torn append writes a part of its bytes, then fails. */
type Fate = (operation: number) => "works" | "torn" | "fails";

function faultyFiles(inner: FileSystem, fate: Fate, keptRatio: number): FileSystem {
  let operation = 0;
  const guard = (path: string, torn: () => Promise<void> = async () => {}) => {
    const becomes = fate(operation++);
    if (becomes === "works") return Promise.resolve();
    return (becomes === "torn" ? torn() : Promise.resolve()).then(() => {
      throw new FileError("ENOSPC", "an operation", path);
    });
  };
  const wrap = (file: File, path: string): File => ({
    ...file,
    append: async (bytes) => {
      const part = bytes.slice(0, Math.floor(bytes.length * keptRatio));
      await guard(path, async () => await file.append(part));
      await file.append(bytes);
    },
    truncate: async (sizeBytes) => {
      await guard(path);
      await file.truncate(sizeBytes);
    },
    datasync: async () => {
      await guard(path);
      await file.datasync();
    },
  });
  return {
    ...inner,
    open: async (path, mode) => {
      if (mode !== "read" && !(await inner.exists(path))) await guard(path);
      return wrap(await inner.open(path, mode), path);
    },
    rename: async (from, to) => {
      await guard(from);
      await inner.rename(from, to);
    },
    unlink: async (path) => {
      await guard(path);
      await inner.unlink(path);
    },
    makeDirectory: async (path) => {
      await guard(path);
      await inner.makeDirectory(path);
    },
    removeDirectory: async (path) => {
      await guard(path);
      await inner.removeDirectory(path);
    },
    syncDirectory: async (path) => {
      await guard(path);
      await inner.syncDirectory(path);
    },
  };
}

/** Hundreds of runs: seconds, and more on a machine that is busy. */
const patient = { timeout: 60_000 };

const nothingTold = (): Told => ({ acknowledged: new Set(), attempted: new Set() });

/** How many mutating operations the run takes when nothing fails. */
async function countOperations(): Promise<number> {
  let operations = 0;
  const told = nothingTold();
  const counting: Fate = (operation) => {
    operations = operation + 1;
    return "works";
  };
  await run(portsOver(faultyFiles(memoryFiles(), counting, 0)), told);
  expect(operations).toBeGreaterThan(150);
  expect(told.acknowledged.size).toBeGreaterThan(100);
  return operations;
}

describe("a head whose process dies", () => {
  for (const keptRatio of [0, 0.6, 1]) {
    it(
      `at any operation, ${keptRatio} of an append written, keeps what was acknowledged, invents nothing`,
      patient,
      async () => {
        const operations = await countOperations();
        for (let last = 0; last < operations; last++) {
          const files = memoryFiles();
          const told = nothingTold();
          const fate: Fate = (operation) => (operation < last ? "works" : operation === last ? "torn" : "fails");
          await run(portsOver(faultyFiles(files, fate, keptRatio)), told);
          expect(await faultsOf(portsOver(files), told), `died at operation ${last}`).toEqual([]);
        }
      },
    );
  }
});

describe("a head whose disk refuses for a while", () => {
  it("loses nothing acknowledged and invents nothing", patient, async () => {
    const operations = await countOperations();
    for (let first = 0; first < operations; first++) {
      for (const refusals of [1, 7]) {
        const files = memoryFiles();
        const told = nothingTold();
        const fate: Fate = (operation) => (operation >= first && operation < first + refusals ? "torn" : "works");
        await run(portsOver(faultyFiles(files, fate, 0.5)), told);
        expect(await faultsOf(portsOver(files), told), `${refusals} refusals from operation ${first} on`).toEqual([]);
      }
    }
  });
});
