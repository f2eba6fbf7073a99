import { BucketError, type Bucket, type Clock } from "@pleiad/ports";
import { runBucketAcceptance } from "@pleiad/ports/acceptance";
import { manualClock, memoryFiles } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createFileBucket } from "./file-bucket.ts";

/** Time stands still, and nobody waits for it. */
function impatientClock(): Clock {
  const clock = manualClock();
  return { ...clock, sleep: () => new Promise((resolve) => setImmediate(resolve)) };
}

const bytes = (text: string) => new TextEncoder().encode(text);

async function keysOf(bucket: Bucket, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of bucket.list(prefix)) keys.push(key);
  return keys;
}

runBucketAcceptance("files in memory", async () => ({
  bucket: createFileBucket("/data/bucket", memoryFiles(), impatientClock()),
  close: async () => {},
}));

/** A bucket, the files that it keeps its objects in, and a look at them. */
function openBucket() {
  const files = memoryFiles();
  const bucket = createFileBucket("/data/bucket", files, impatientClock());
  const paths = () => [...files.contents.keys()].map((path) => path.slice("/data/bucket/".length)).sort();
  return { files, bucket, paths };
}

describe("file bucket", () => {
  it.each([
    ["a", "a"],
    ["01HX/meta.json", "01HX%/meta.json"],
    ["01HX/chunks/000001", "01HX%/chunks%/000001"],
    ["%2e%2e/x", "%252e%252e%/x"],
    ["C:\\x", "C:%5Cx"],
    ["a%/b%claim", "a%25%/b%25claim"],
  ])("keeps key %s in file %s", async (key, path) => {
    const { bucket, paths } = openBucket();
    await bucket.put(key, bytes("x"));
    expect(paths()).toEqual([path]);
  });

  it("refuses a segment that no file name holds", async () => {
    const { bucket } = openBucket();
    await expect(bucket.put("k".repeat(250), bytes("x"))).rejects.toThrow(
      "segment of 250 bytes, a file name holds 249",
    );
  });

  it("takes a key for absent while its put is under way", async () => {
    const { bucket, paths } = openBucket();
    async function* body() {
      yield bytes("half");
      expect(paths()[0]).toMatch(/^%staging\//);
      await expect(bucket.get("a")).rejects.toMatchObject({ kind: "not-found" });
    }
    await bucket.put("a", body());
    expect(paths()).toEqual(["a"]);
  });

  const damages: readonly (readonly [string, (file: Uint8Array) => Uint8Array])[] = [
    ["cut short", (file) => file.subarray(0, -1)],
    ["emptied", () => new Uint8Array(0)],
    ["cut at its front", (file) => file.subarray(1)],
    ["changed in one bit", (file) => file.with(2, (file[2] ?? 0) ^ 1)],
    ["changed in its checksum", (file) => file.with(14, (file[14] ?? 0) ^ 1)],
  ];
  it.each(damages)("finds an object that was %s corrupt", async (_rule, damage) => {
    const { bucket, files } = openBucket();
    await bucket.put("a", bytes("content"));
    files.contents.set("/data/bucket/a", damage(files.contents.get("/data/bucket/a") ?? new Uint8Array(0)));
    await expect(bucket.get("a")).rejects.toMatchObject({ kind: "corrupt", key: "a" });
  });

  it("keeps the old object when any operation of a put fails, and the new one once all have passed", async () => {
    for (let failAt = 1; ; failAt++) {
      const { bucket, files, paths } = openBucket();
      await bucket.put("block/meta.json", bytes("old"));
      files.failFrom(failAt, "ENOSPC");
      let failed = false;
      try {
        await bucket.put("block/meta.json", bytes("new"));
      } catch (error) {
        failed = true;
        expect(error).toBeInstanceOf(BucketError);
        expect(error).toMatchObject({ kind: "unavailable" });
      }
      files.heal();
      const content = new TextDecoder().decode(await bucket.get("block/meta.json"));
      if (!failed) {
        expect(content).toBe("new");
        expect(paths()).toEqual(["block%/meta.json"]);
        expect(failAt).toBeGreaterThan(5);
        return;
      }
      expect(["old", "new"]).toContain(content);
    }
  });

  it("clears away what a crash left a day ago", async () => {
    const { bucket, files, paths } = openBucket();
    await files.makeDirectory("/data/bucket/%staging");
    await files.writeFileAtomic("/data/bucket/%staging/1600000000000-0", bytes("half"));
    await bucket.put("a", bytes("x"));
    expect(paths()).toEqual(["a"]);
  });

  it("takes over the claim of a process that died", async () => {
    const { bucket, files, paths } = openBucket();
    await files.makeDirectory("/data/bucket");
    await files.writeFileAtomic("/data/bucket/lease%claim", bytes(""));
    expect(await keysOf(bucket, "")).toEqual([]);
    await bucket.put("lease", bytes("x"), { ifAbsent: true });
    expect(paths()).toEqual(["lease"]);
  });

  it("can be shared by several processes", async () => {
    const files = memoryFiles();
    const buckets = Array.from({ length: 4 }, () => createFileBucket("/data/bucket", files, impatientClock()));
    await Promise.all(
      buckets.flatMap((bucket, i) => [bucket.put(`shared/${i}`, bytes("x")), bucket.put("shared/same", bytes("same"))]),
    );
    for (const bucket of buckets) {
      expect(await keysOf(bucket, "shared/")).toEqual(["shared/0", "shared/1", "shared/2", "shared/3", "shared/same"]);
    }
    await Promise.all(
      buckets.flatMap((bucket, i) => [bucket.delete(`shared/${i}`), bucket.put(`shared/new-${i}`, bytes("x"))]),
    );
    expect(await keysOf(buckets[0] as Bucket, "shared/new")).toHaveLength(4);
  });
});
