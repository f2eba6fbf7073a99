import { createHash } from "node:crypto";
import {
  BucketError,
  FileError,
  seededRandom,
  type Bucket,
  type Clock,
  type FileSystem,
  type OpenMode,
  type Random,
} from "@pleiad/ports";
import { runBucketAcceptance } from "@pleiad/ports/acceptance";
import { forgetfulFiles, manualClock, memoryFiles } from "@pleiad/ports/testing";
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
  const paths = () =>
    [...files.contents.keys()]
      .map((path) => path.slice("/data/bucket/".length))
      .filter((path) => !/^%pleiad\/(?:digests\/|displacing$)/.test(path))
      .sort();
  return { files, bucket, paths };
}

/** The same files, each operation after a while of its own. */
function mixed(files: FileSystem, random: Random): FileSystem {
  const wait = async () => {
    for (let i = random.int(4); i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
  };
  const after =
    <A extends unknown[], T>(act: (path: string, ...rest: A) => Promise<T>) =>
    async (path: string, ...rest: A): Promise<T> => {
      await wait();
      return act(path, ...rest);
    };
  return {
    ...files,
    open: after((path, mode: OpenMode) => files.open(path, mode)),
    rename: after((from, to: string) => files.rename(from, to)),
    link: after((from, to: string) => files.link(from, to)),
    unlink: after((path) => files.unlink(path)),
    entries: after((path) => files.entries(path)),
    makeDirectory: after((path) => files.makeDirectory(path)),
    removeDirectory: after((path) => files.removeDirectory(path)),
    exists: after((path) => files.exists(path)),
    lock: after((path) => files.lock(path)),
  };
}

describe("file bucket", () => {
  it.each([
    ["a", "a"],
    ["01HX/meta.json", "01HX/meta.json"],
    ["01HX/chunks/000001", "01HX/chunks/000001"],
    ["%2e%2e/x", "%252e%252e/x"],
    ["C:\\x", "C:%5Cx"],
    ["a%/b%object", "a%25/b%25object"],
  ])("keeps key %s in file %s", async (key, path) => {
    const { bucket, files, paths } = openBucket();
    await bucket.put(key, bytes("the object's bytes"));
    expect(paths()).toEqual([path]);
    expect(files.contents.get(`/data/bucket/${path}`)).toEqual(bytes("the object's bytes"));
  });

  it("refuses a segment that no file name holds", async () => {
    const { bucket } = openBucket();
    await expect(bucket.put("k".repeat(250), bytes("x"))).rejects.toThrow(
      "segment of 250 bytes, a file name holds 248",
    );
  });

  it("takes a key for absent while its put is under way", async () => {
    const { bucket, paths } = openBucket();
    async function* body() {
      yield bytes("half");
      expect(paths()[0]).toMatch(/^%pleiad\/staging\//);
      await expect(bucket.get("a")).rejects.toMatchObject({ kind: "not-found" });
    }
    await bucket.put("a", body());
    expect(paths()).toEqual(["a"]);
  });

  it("finds an object corrupt whose bytes the disk has changed", async () => {
    const { bucket, files } = openBucket();
    const { etag } = await bucket.put("a", bytes("content"));
    const stored = files.contents.get("/data/bucket/a") ?? new Uint8Array(0);
    stored[2] = (stored[2] ?? 0) ^ 1;
    await expect(bucket.get("a")).rejects.toMatchObject({ kind: "corrupt", key: "a" });
    expect((await bucket.attributes("a")).etag).toBe(etag);
  });

  it.each([
    ["was put there by somebody else", async () => {}],
    ["was changed by somebody else", async (bucket: Bucket) => void (await bucket.put("block/index", bytes("old")))],
  ])("takes a file that %s for an object", async (_rule, prepare) => {
    const { bucket, files } = openBucket();
    await prepare(bucket);
    await files.makeDirectory("/data/bucket/block");
    await files.writeFileAtomic("/data/bucket/block/index", bytes("theirs"));
    expect(await keysOf(bucket, "")).toEqual(["block/index"]);
    expect(await bucket.get("block/index")).toEqual(bytes("theirs"));
    const attributes = await bucket.attributes("block/index");
    expect(attributes).toMatchObject({ sizeBytes: 6, etag: createHash("md5").update("theirs").digest("hex") });
    expect(await bucket.attributes("block/index")).toEqual(attributes);
  });

  it("has MD5 for its etags, as S3 has", async () => {
    const { bucket } = openBucket();
    expect((await bucket.put("a", bytes("hello"))).etag).toBe("5d41402abc4b2a76b9719d911017c592");
  });

  it("works without its digests, and makes them again", async () => {
    const { bucket, files, paths } = openBucket();
    const attributes = await bucket.put("a", bytes("hello"));
    const digests = () => [...files.contents.keys()].filter((path) => path.includes("/digests/"));
    for (const damage of [undefined, bytes(""), bytes("nonsense"), bytes("1 5 x y\n")]) {
      for (const path of digests()) {
        if (damage === undefined) await files.unlink(path);
        else files.contents.set(path, damage);
      }
      // One that has them in memory, and one that begins.
      for (const one of [bucket, createFileBucket("/data/bucket", files, impatientClock())]) {
        expect(await one.get("a")).toEqual(bytes("hello"));
        expect(await one.attributes("a")).toEqual(attributes);
      }
      expect(digests()).toHaveLength(1);
    }
    await bucket.delete("a");
    expect([paths(), digests()]).toEqual([[], []]);
  });

  it("moves an object aside where a folder is needed, and back once the folder is gone", async () => {
    const { bucket, paths } = openBucket();
    await bucket.put("a/b", bytes("object"));
    await bucket.put("a/b/c/d", bytes("below"));
    expect(paths()).toEqual(["a/b%object", "a/b/c/d"]);
    await bucket.put("a/b", bytes("object again"));
    expect(paths()).toEqual(["a/b%object", "a/b/c/d"]);
    await expect(bucket.put("a/b", bytes("x"), { ifAbsent: true })).rejects.toMatchObject({ kind: "precondition" });
    await expect(bucket.put("a/b/c", bytes("new"), { ifAbsent: true })).resolves.toMatchObject({ sizeBytes: 3 });
    expect(await keysOf(bucket, "a/")).toEqual(["a/b", "a/b/c", "a/b/c/d"]);
    await bucket.delete("a/b/c/d");
    await bucket.delete("a/b/c");
    expect(paths()).toEqual(["a/b%object"]);
    expect(await bucket.get("a/b")).toEqual(bytes("object again"));
    await bucket.put("a/b", bytes("back"));
    expect(paths()).toEqual(["a/b"]);
    await bucket.delete("a/b");
    expect(paths()).toEqual([]);
  });

  it("of an object at its path and one beside it has the one at its path, and deletes both", async () => {
    const { bucket, files, paths } = openBucket();
    await bucket.put("a", bytes("new"));
    await files.writeFileAtomic("/data/bucket/a%object", bytes("old"));
    expect(await keysOf(bucket, "")).toEqual(["a"]);
    expect(await bucket.get("a")).toEqual(bytes("new"));
    await bucket.delete("a");
    expect(paths()).toEqual([]);
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
        expect(error).toMatchObject({ kind: "full" });
      }
      files.heal();
      const content = new TextDecoder().decode(await bucket.get("block/meta.json"));
      if (!failed) {
        expect(content).toBe("new");
        expect(paths()).toEqual(["block/meta.json"]);
        expect(failAt).toBeGreaterThan(5);
        return;
      }
      expect(["old", "new"]).toContain(content);
    }
  });

  it("has after a loss of power what was put, whole, and nothing half of what was being put", async () => {
    for (let seed = 0; seed < 60; seed++) {
      const files = forgetfulFiles(memoryFiles());
      const bucket = createFileBucket("/data/bucket", files, impatientClock());
      await bucket.put("a/meta.json", bytes("old"));
      await bucket.put("a/meta.json", bytes("newer"));
      await bucket.put("b/meta.json", bytes("one"), { ifAbsent: true });
      const found = memoryFiles();
      await files.surviveIn(found, seededRandom(seed));
      const again = createFileBucket("/data/bucket", found, impatientClock());
      const text = async (key: string) => new TextDecoder().decode(await again.get(key));
      expect([await text("a/meta.json"), await text("b/meta.json")], `seed ${seed}`).toEqual(["newer", "one"]);
    }
  });

  it.each([
    ["an object makes way for a folder", "a", "a/b"],
    ["an object is put beside its folder", "a/b", "a"],
  ])("loses nothing when any operation fails while %s", async (_rule, there, coming) => {
    for (let failAt = 1; ; failAt++) {
      const { bucket, files } = openBucket();
      await bucket.put(there, bytes("there"));
      files.failFrom(failAt, "EIO");
      const isPut = await bucket.put(coming, bytes("coming")).then(
        () => true,
        () => false,
      );
      files.heal();
      // Another process, later: what the first one held is free.
      const later = createFileBucket("/data/bucket", files, impatientClock());
      expect(await later.get(there)).toEqual(bytes("there"));
      const found = await later.get(coming).catch((error: unknown) => error);
      if (isPut) expect(found).toEqual(bytes("coming"));
      expect(await keysOf(later, "")).toEqual(found instanceof Error ? [there] : ["a", "a/b"]);
      await later.put(coming, bytes("again"));
      expect([await later.get(coming), await later.get(there)]).toEqual([bytes("again"), bytes("there")]);
      if (isPut) {
        expect(failAt).toBeGreaterThan(5);
        return;
      }
    }
  });

  it("keeps order among processes that put and delete keys and keys below them", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = seededRandom(seed);
      const files = memoryFiles();
      // Every file operation gives way, so that those of all processes mix.
      const givingWay = mixed(files, random);
      const buckets = Array.from({ length: 3 }, () => createFileBucket("/data/bucket", givingWay, impatientClock()));
      const keys = ["a", "a/b", "a/b/c", "a/d"];
      // One writer a key, so that it is known what must be there; all processes read all.
      const writer = async (key: string) => {
        let expected: string | undefined;
        for (let i = 0; i < 12; i++) {
          const bucket = buckets[random.int(buckets.length)] as Bucket;
          const content = `${key} ${i}`;
          const choice = random.float();
          if (choice < 0.3) {
            await bucket.delete(key);
            expected = undefined;
          } else if (choice < 0.5) {
            const isNew = await bucket.put(key, bytes(content), { ifAbsent: true }).then(
              () => true,
              (error: unknown) => (expect(error).toMatchObject({ kind: "precondition" }), false),
            );
            expect([seed, key, isNew]).toEqual([seed, key, expected === undefined]);
            expected ??= content;
          } else {
            await bucket.put(key, bytes(content));
            expected = content;
          }
          const found = await (buckets[random.int(buckets.length)] as Bucket).get(key).then(
            (got) => new TextDecoder().decode(got),
            (error: unknown) => (expect([seed, error]).toMatchObject([seed, { kind: "not-found" }]), undefined),
          );
          expect([seed, key, i, found]).toEqual([seed, key, i, expected]);
        }
        return expected === undefined ? [] : [key];
      };
      const left = (await Promise.all(keys.map(writer))).flat();
      expect([seed, await keysOf(buckets[0] as Bucket, "")]).toEqual([seed, left.sort()]);
    }
  });

  it("clears away what a crash left a day ago", async () => {
    const { bucket, files, paths } = openBucket();
    await files.makeDirectory("/data/bucket/%pleiad/staging");
    await files.writeFileAtomic("/data/bucket/%pleiad/staging/1600000000000-0", bytes("half"));
    await bucket.put("a", bytes("x"));
    expect(paths()).toEqual(["a"]);
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

it("a link in the place of an object is none: lists pass it over, and reads refuse it", async () => {
  const { files } = openBucket();
  await files.makeDirectory("/data/bucket");
  await files.writeFileAtomic("/data/bucket/link", bytes("elsewhere"));
  const linked: FileSystem = {
    ...files,
    entries: async (path) =>
      (await files.entries(path)).map((entry) => (entry.name === "link" ? { name: "link", kind: "other" } : entry)),
    open: async (path, mode) => {
      if (path.endsWith("/link") && mode !== "read") throw new FileError("EACCES", "open", path);
      return await files.open(path, mode);
    },
  };
  const bucket = createFileBucket("/data/bucket", linked, impatientClock());
  expect(await keysOf(bucket, "")).toEqual([]);
  for (const read of [bucket.get("link"), bucket.attributes("link")]) {
    await expect(read).rejects.toMatchObject({ name: "BucketError", kind: "access-denied" });
  }
});
