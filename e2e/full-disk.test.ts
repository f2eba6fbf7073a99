/**
 * Disks that are really full, below a data folder, a bucket and a compactor's work folder. What was acknowledged is there and
 * can be read, what is refused is refused with a reason, and all goes on by itself once there is room.
 */
import { createBlockLister } from "@pleiad/blocks";
import { createCompactor, type Compactor } from "@pleiad/compaction";
import { labelsFromRecord } from "@pleiad/model";
import { createNodePorts, nodeClock, nodeFiles } from "@pleiad/node-ports";
import { createFileBucket } from "@pleiad/objstore";
import type { Bucket } from "@pleiad/ports";
import { silentObservations } from "@pleiad/ports/testing";
import { startObjectStore } from "@pleiad/role-object-store";
import { createShipper, formatTsdbFailure, openTsdb, type Tsdb, type TsdbOptions } from "@pleiad/tsdb";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { crashBucket, crashCredential, crashRegion, openCrashBucket } from "./crash-bucket.ts";
import { BucketInspection, inspectFolder } from "./crash-inspection.ts";
import { compactorOptionsOf, lineOf, samplesOf, shipperOptionsOf, workloadOptions } from "./crash-workload.ts";
import { openSmallDisk, type SmallDisk } from "./small-disk.ts";
import { temporaryFolder } from "./twin-under-test.ts";

const diskBytes = 8 * 2 ** 20;
const { signal } = new AbortController();
const ports = createNodePorts({ observations: silentObservations() });
const probe = openSmallDisk(diskBytes);
probe?.remove();

async function openFolder(directory: string, options: Partial<TsdbOptions> = {}): Promise<Tsdb> {
  const opened = await openTsdb(directory, { ...workloadOptions, ...options }, ports);
  if (!opened.ok) throw new Error(formatTsdbFailure(opened.failure));
  return opened.value;
}

/** Gives what became of the commit; its samples are in `lines` once it was acknowledged. */
async function commit(tsdb: Tsdb, number: number, lines: Set<string>) {
  const appender = tsdb.head.appender();
  for (const { name, timestampMs, value } of samplesOf(number)) {
    const ref = appender.series(labelsFromRecord({ __name__: name }));
    if (typeof ref !== "number") throw new Error(ref.kind);
    expect(appender.append(ref, timestampMs, value)).toBe("appended");
  }
  const committed = await appender.commit();
  if (committed.ok) for (const sample of samplesOf(number)) lines.add(lineOf(sample));
  return committed;
}

/** A closed folder of so many commits; those from `uncutFrom` on are in the head alone. */
async function folderOf(directory: string, commits: number, uncutFrom = commits): Promise<Set<string>> {
  const lines = new Set<string>();
  const tsdb = await openFolder(directory, { mayRemove: () => false });
  for (let number = 0; number < commits; number++) {
    await commit(tsdb, number, lines);
    if (number === uncutFrom - 1) expect((await tsdb.maintain(ports.clock.wallMs())).ok).toBe(true);
  }
  await tsdb.close();
  return lines;
}

async function inspected(directory: string): Promise<readonly string[]> {
  const faults: string[] = [];
  const lines = await inspectFolder(directory, faults);
  expect(faults).toEqual([]);
  return [...lines].sort();
}

async function visibleBlocks(bucket: Bucket): Promise<number> {
  const listed = await createBlockLister(bucket).refresh(signal);
  if (!listed.ok) throw listed.failure;
  expect(listed.value.malformed.size).toBe(0);
  return listed.value.blocks.size;
}

const bucketAt = (path: string) => createFileBucket(path, nodeFiles(), nodeClock());

describe.skipIf(probe === undefined)("a full disk (needs a file system of its own)", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let disk: SmallDisk;
  beforeEach(() => {
    folder = temporaryFolder();
    const opened = openSmallDisk(diskBytes);
    if (opened === undefined) throw new Error("no file system could be mounted");
    disk = opened;
  });
  afterEach(() => {
    disk.remove();
    folder.remove();
  });

  it("below a data folder: samples are refused, reads and uploads go on, and so do samples once there is room", async () => {
    const directory = `${disk.path}/data`;
    await nodeFiles().makeDirectory(directory);
    const bucket = bucketAt(`${folder.path}/bucket`);
    const shipper = createShipper(bucket, shipperOptionsOf(directory), ports);
    const tsdb = await openFolder(directory, { mayRemove: () => false });
    const acknowledged = new Set<string>();
    let number = 0;
    for (; number < 70; number++) expect((await commit(tsdb, number, acknowledged)).ok).toBe(true);
    expect((await tsdb.maintain(ports.clock.wallMs())).ok).toBe(true);
    disk.fill(0);
    for (;;) {
      const committed = await commit(tsdb, number, acknowledged);
      if (!committed.ok) {
        expect(committed.failure).toMatchObject({ kind: "files", code: "ENOSPC" });
        break;
      }
      // What the last page of a file has room for.
      expect(++number).toBeLessThan(1000);
    }
    expect(tsdb.head.statistics().commitFailure).toMatchObject({ code: "ENOSPC" });
    const maintained = await tsdb.maintain(ports.clock.wallMs());
    if (!maintained.ok) expect(formatTsdbFailure(maintained.failure)).toContain("ENOSPC");
    // The record of what is uploaded cannot be written; that is no reason not to upload.
    const shipped = await shipper.sync(signal);
    expect(shipped).toMatchObject({ pending: 0, failure: expect.stringContaining("ENOSPC") });
    expect(tsdb.blocks().every(({ ulid }) => shipper.isUploaded(ulid))).toBe(true);
    expect(await visibleBlocks(bucket)).toBe(tsdb.blocks().length);
    disk.free();
    expect(await shipper.sync(signal)).toEqual({ uploaded: [], pending: 0, failure: undefined });
    for (let more = 0; more < 50; more++, number++) expect((await commit(tsdb, number, acknowledged)).ok).toBe(true);
    expect((await tsdb.maintain(ports.clock.wallMs())).ok).toBe(true);
    expect(tsdb.head.statistics().commitFailure).toBeUndefined();
    await tsdb.close();
    expect(await inspected(directory)).toEqual([...acknowledged].sort());
  });

  it("below a data folder at its opening: nothing is lost by the attempt", async () => {
    const directory = `${disk.path}/data`;
    await nodeFiles().makeDirectory(directory);
    const acknowledged = await folderOf(directory, 65);
    disk.fill(0);
    const opened = await openTsdb(directory, workloadOptions, ports);
    if (opened.ok) await opened.value.close();
    else expect(formatTsdbFailure(opened.failure)).toContain("ENOSPC");
    disk.free();
    expect(await inspected(directory)).toEqual([...acknowledged].sort());
  });

  it("below a data folder makes way by itself where blocks are past retention, though no block can be cut", async () => {
    const directory = `${disk.path}/data`;
    await nodeFiles().makeDirectory(directory);
    await folderOf(directory, 100, 70);
    const tsdb = await openFolder(directory, { retention: { retentionMs: 20 * 3_600_000, retentionBytesMax: 0 } });
    const before = tsdb.blocks().length;
    disk.fill(0);
    const maintained = await tsdb.maintain(ports.clock.wallMs());
    expect(maintained.ok ? "" : formatTsdbFailure(maintained.failure)).toContain("ENOSPC");
    expect(tsdb.blocks().length).toBeLessThan(before);
    expect((await tsdb.maintain(ports.clock.wallMs())).ok).toBe(true);
    expect((await commit(tsdb, 100, new Set())).ok).toBe(true);
    await tsdb.close();
  });

  it("below a bucket: blocks stay where they are, none is half there, and are uploaded once there is room", async () => {
    const directory = `${folder.path}/data`;
    await nodeFiles().makeDirectory(directory);
    await folderOf(directory, 65);
    const bucket = bucketAt(`${disk.path}/bucket`);
    const shipper = createShipper(bucket, shipperOptionsOf(directory), ports);
    disk.fill(8192);
    const first = await shipper.sync(signal);
    expect(first.failure).toContain("ENOSPC");
    expect(first.pending).toBeGreaterThan(0);
    expect(await visibleBlocks(bucket)).toBe(first.uploaded.length);
    disk.free();
    expect(await shipper.sync(signal)).toMatchObject({ pending: 0, failure: undefined });
    const faults: string[] = [];
    expect((await new BucketInspection(bucket).lines(faults)).size).toBeGreaterThan(100);
    expect(faults).toEqual([]);
  });

  it("below an object store: puts are refused with 507, what is there stays, and puts go on once there is room", async () => {
    const started = await startObjectStore(
      {
        name: "object-store",
        directory: disk.path,
        address: "127.0.0.1:0",
        region: crashRegion,
        credentials: [crashCredential],
        buckets: [crashBucket],
      },
      ports,
    );
    if (!started.ok) throw new Error(started.failure.message);
    const store = started.value;
    const bucket = openCrashBucket(`s3:${store.address}`);
    const [old, large] = [new Uint8Array(5000).fill(1), new Uint8Array(1_000_000).fill(2)];
    await bucket.put("a", old);
    disk.fill(8192);
    await expect(bucket.put("a", large)).rejects.toMatchObject({
      kind: "full",
      message: expect.stringContaining("InsufficientStorage"),
    });
    expect(await bucket.get("a")).toEqual(old);
    disk.free();
    await bucket.put("a", large);
    expect(await bucket.get("a")).toEqual(large);
    await store.stop(0);
  });

  it.each(["the work folder", "the bucket"] as const)(
    "below %s of a compactor: the pass is to be tried again, and is done once there is room",
    async (of) => {
      const directory = `${folder.path}/data`;
      await nodeFiles().makeDirectory(directory);
      await folderOf(directory, 150);
      const bucket = bucketAt(`${of === "the bucket" ? disk.path : folder.path}/bucket`);
      await createShipper(bucket, shipperOptionsOf(directory), ports).sync(signal);
      const inspection = new BucketInspection(bucket);
      const faults: string[] = [];
      const samples = await inspection.lines(faults);
      const work = `${of === "the bucket" ? folder.path : disk.path}/work`;
      await nodeFiles().makeDirectory(work);
      const compactor = openCompactor(bucket, work);
      onTestFinished(() => compactor.close());
      disk.fill(of === "the bucket" ? 0 : 16_384);
      expect(await compactor.runPass(signal)).toMatchObject({ kind: "again" });
      expect(compactor.status().halted).toEqual([]);
      expect(await inspection.lines(faults)).toEqual(samples);
      disk.free();
      expect(await compactor.runPass(signal)).toEqual({ kind: "done" });
      expect(compactor.status().todo).toMatchObject({ compactions: 0, downsampleBlocks: 0 });
      expect([...(await inspection.lines(faults))].sort()).toEqual([...samples].sort());
      expect([...faults, ...(await inspection.faultsAtRest())]).toEqual([]);
    },
  );
});

function openCompactor(bucket: Bucket, directory: string): Compactor {
  const created = createCompactor(bucket, { ...compactorOptionsOf(directory, true), deleteDelayMs: 3_600_000 }, ports);
  if (!created.ok) throw new Error(created.failure);
  return created.value;
}
