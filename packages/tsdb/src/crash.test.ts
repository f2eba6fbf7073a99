/** A data folder whose process dies, or whose disk refuses, at each of its file operations in turn. */
import { bucketBlockBytes, isUlid, openBlock } from "@pleiad/blocks";
import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import {
  collectSeries,
  emptyLabels,
  formatLabels,
  labelsFromRecord,
  plainSelect,
  type SeriesSource,
} from "@pleiad/model";
import { BucketError, FileError, seededRandom, type Bucket, type File, type FileSystem } from "@pleiad/ports";
import {
  forgetfulFiles,
  manualClock,
  memoryBucket,
  memoryFiles,
  silentObservations,
  type MemoryBucket,
} from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createShipper, defaultShipper } from "./shipper.ts";
import { named, testOptions } from "./tsdb.fixtures.ts";
import { openTsdb, type TsdbOptions, type TsdbPorts } from "./tsdb.ts";

const options: TsdbOptions = {
  ...testOptions,
  head: {
    ...testOptions.head,
    chunkRangeMs: 1000,
    samplesPerChunk: 4,
    outOfOrderWindowMs: 300,
    walSegmentBytes: 400,
    checkpointBytesMin: 600,
    chunkFileBytesMax: 500,
    syncIntervalMs: 1,
  },
  retention: { retentionMs: 2500, retentionBytesMax: 0 },
  drainMs: 0,
};
const lastMs = 6000;
const shipping = { ...defaultShipper, directory: "/data", externalLabels: labelsFromRecord({ cluster: "c" }) };
const { signal } = new AbortController();

interface Told {
  readonly acknowledged: Set<string>;
  readonly attempted: Set<string>;
}

/** Commits, now and then out of order; cuts, uploads, retention; a restart. It goes on whatever fails, as a role would. */
async function run(ports: TsdbPorts, bucket: Bucket, told: Told): Promise<void> {
  for (const [fromMs, toMs] of [
    [0, 3500],
    [3500, lastMs],
  ] as const) {
    const shipper = createShipper(bucket, shipping, ports);
    await shipper.sync(signal);
    const opened = await openTsdb("/data", { ...options, mayRemove: (ulid) => shipper.isUploaded(ulid) }, ports);
    if (!opened.ok) return;
    const tsdb = opened.value;
    for (let t = fromMs; t < toMs; t += 125) {
      const appender = tsdb.head.appender();
      const lines: string[] = [];
      for (const [name, at] of [
        ["a", t],
        ["b", t],
        [`s_${t % 500}`, t],
        ...(t % 250 === 0 ? [["a", t - 60]] : []),
      ] as const) {
        const ref = appender.series(named(String(name)));
        if (typeof ref !== "number") throw new Error(ref.kind);
        if (appender.append(ref, Number(at), t) === "appended") lines.push(`${name} ${at} ${t}`);
      }
      for (const line of lines) told.attempted.add(line);
      if ((await appender.commit()).ok) for (const line of lines) told.acknowledged.add(line);
      if (t % 500 !== 0) continue;
      await tsdb.maintain(t);
      await shipper.sync(signal);
    }
    await tsdb.close();
  }
}

async function linesOf(source: SeriesSource): Promise<string[]> {
  const { series, failure, warnings } = await collectSeries(source.select(plainSelect, signal));
  const lines: string[] = failure === undefined ? [...warnings] : [failure.kind];
  for (const { labels, chunks } of series) {
    for (const { content } of chunks) {
      if (content.kind !== "raw") continue;
      const columns = createSampleColumns(120);
      if (decodeChunk(content.encoding, content.data, columns) !== undefined) lines.push("undecoded");
      for (let i = 0; i < columns.count; i++) {
        lines.push(`${formatLabels(labels)} ${columns.timestampsMs[i]} ${columns.values[i]}`);
      }
    }
  }
  return lines;
}

/** What is wrong after a restart, in the folder or in the bucket. */
async function faultsOf(ports: TsdbPorts, bucket: MemoryBucket, told: Told): Promise<string[]> {
  const opened = await openTsdb("/data", options, ports);
  if (!opened.ok) return [`does not open: ${JSON.stringify(opened.failure)}`];
  const tsdb = opened.value;
  const faults: string[] = [];
  const local = await linesOf(tsdb);
  const there = new Set(local);
  if (there.size < local.length) faults.push("told twice");
  for await (const folder of bucket.list("", { delimiter: "/" })) {
    const ulid = folder.replace("/", "");
    if (!isUlid(ulid) || !bucket.objects.has(`${ulid}/meta.json`)) continue;
    const blockOptions = { externalLabels: emptyLabels, intern: (text: string) => text, cacheBytesMax: 0 };
    const block = await openBlock(bucketBlockBytes(bucket, ulid), blockOptions);
    if (!block.ok) faults.push(`block ${ulid} of the bucket does not open`);
    else for (const line of await linesOf(block.value)) there.add(line);
  }
  for (const line of there) if (!told.attempted.has(line)) faults.push(`invented: ${line}`);
  for (const line of told.acknowledged) if (!there.has(line)) faults.push(`lost: ${line}`);
  if ((await ports.files.list("/data")).some((name) => name.includes(".tmp-for-"))) faults.push("leftovers");
  // And it is a folder that works.
  const appender = tsdb.head.appender();
  const ref = appender.series(named("after"));
  if (typeof ref !== "number" || appender.append(ref, lastMs + 1, 1) !== "appended") faults.push("takes no sample");
  if (!(await appender.commit()).ok) faults.push("commits nothing");
  if (!(await tsdb.maintain(lastMs)).ok) faults.push("is not maintained");
  const shipped = await createShipper(bucket, shipping, ports).sync(signal);
  if (shipped.failure !== undefined || shipped.pending !== 0) faults.push("uploads nothing");
  await tsdb.close();
  return faults;
}

type Fate = (operation: number) => "works" | "torn" | "fails";

function faultyFiles(inner: FileSystem, fate: Fate): FileSystem {
  let operation = 0;
  const guard = async (path: string, torn: () => Promise<void> = async () => {}) => {
    const becomes = fate(operation++);
    if (becomes === "works") return;
    if (becomes === "torn") await torn();
    throw new FileError("ENOSPC", "an operation", path);
  };
  const wrap = (file: File, path: string): File => ({
    ...file,
    append: async (bytes) => {
      await guard(path, async () => await file.append(bytes.slice(0, bytes.length >> 1)));
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
    // A process that died holds nothing.
    lock: async () => ({ release: async () => {} }),
    open: async (path, mode) => {
      if (mode !== "read" && !(await inner.exists(path))) await guard(path);
      return wrap(await inner.open(path, mode), path);
    },
    writeFileAtomic: async (path, bytes) => {
      await guard(path);
      await inner.writeFileAtomic(path, bytes);
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

function portsOver(files: FileSystem, seed: number): TsdbPorts {
  let nowMs = 0;
  const clock = { ...manualClock(lastMs), monotonicMs: () => nowMs++ };
  return { files, clock, random: seededRandom(seed), observations: silentObservations() };
}

const nothingTold = (): Told => ({ acknowledged: new Set(), attempted: new Set() });

async function countOperations(): Promise<number> {
  let operations = 0;
  const told = nothingTold();
  const bucket = memoryBucket();
  const count: Fate = (operation) => {
    operations = operation + 1;
    return "works";
  };
  await run(portsOver(faultyFiles(memoryFiles(), count), 1), bucket, told);
  expect(told.acknowledged.size).toBe(told.attempted.size);
  expect([...bucket.objects.keys()].filter((key) => key.endsWith("meta.json")).length).toBeGreaterThan(2);
  return operations;
}

const patient = { timeout: 120_000 };

describe("a data folder", () => {
  // Every third operation, of each kind of fault others.
  for (const [first, [rule, fateOf]] of (
    [
      [
        "whose process dies at an operation",
        (at: number): Fate =>
          (n) =>
            n < at ? "works" : n === at ? "torn" : "fails",
      ],
      [
        "whose disk refuses once",
        (at: number): Fate =>
          (n) =>
            n === at ? "torn" : "works",
      ],
      [
        "whose disk refuses for a while",
        (at: number): Fate =>
          (n) =>
            n >= at && n < at + 9 ? "torn" : "works",
      ],
    ] satisfies [string, (at: number) => Fate][]
  ).entries()) {
    it(`${rule} loses nothing acknowledged, invents nothing, has nothing half done`, patient, async () => {
      const operations = await countOperations();
      expect(operations).toBeGreaterThan(300);
      for (let at = first; at < operations; at += 3) {
        const files = memoryFiles();
        const told = nothingTold();
        const bucket = memoryBucket();
        await run(portsOver(faultyFiles(files, fateOf(at)), 1), bucket, told);
        const again = portsOver(
          faultyFiles(files, () => "works"),
          2,
        );
        expect(await faultsOf(again, bucket, told), `operation ${at}`).toEqual([]);
      }
    });
  }

  it("whose machine loses power loses nothing that was acknowledged, as each commit is synced", patient, async () => {
    const operations = await countOperations();
    for (let at = 0; at < operations; at += 3) {
      const files = forgetfulFiles(memoryFiles());
      const told = nothingTold();
      const bucket = memoryBucket();
      // Nothing is in the bucket, where it would be safe.
      const down = async (key: string) => await Promise.reject(new BucketError("unavailable", key, "down"));
      await run(
        portsOver(
          faultyFiles(files, (n) => (n < at ? "works" : n === at ? "torn" : "fails")),
          1,
        ),
        { ...bucket, put: down },
        told,
      );
      const found = memoryFiles();
      await files.surviveIn(found, seededRandom(at));
      const again = portsOver(
        faultyFiles(found, () => "works"),
        2,
      );
      expect(await faultsOf(again, bucket, told), `power lost at operation ${at}`).toEqual([]);
    }
  });
});
