import { memoryBucket } from "@pleiad/ports/testing";
import type { Bucket } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { shareListings } from "./shared-listings.ts";

describe("shared listings", () => {
  it("ask the storage once for all who begin while one is under way, and give each of them every key", async () => {
    const storage = await countingBucket(2500);
    const share = shareListings();
    const first = share(storage.bucket).list("blocks/")[Symbol.asyncIterator]();
    const begun: string[] = [];
    for (let i = 0; i < 1000; i++) begun.push(String((await first.next()).value));
    const others = await Promise.all([
      keysOf(share(storage.bucket), "blocks/"),
      keysOf(share(storage.bucket), "blocks/"),
    ]);
    for (let next = await first.next(); next.done !== true; next = await first.next()) begun.push(next.value);
    expect(storage.listings()).toEqual(["blocks/"]);
    for (const keys of [begun, ...others]) expect(keys).toEqual(storage.keys);
  });

  it("begin anew for who comes after the end: what was put before is there", async () => {
    const storage = await countingBucket(3);
    const bucket = shareListings()(storage.bucket);
    await keysOf(bucket, "blocks/");
    await bucket.put("blocks/later", Uint8Array.of(1));
    expect(await keysOf(bucket, "blocks/")).toEqual([...storage.keys, "blocks/later"]);
    expect(storage.listings()).toHaveLength(2);
  });

  it("differ by prefix, and are nobody else's with a delimiter or from a key on", async () => {
    const storage = await countingBucket(3);
    const bucket = shareListings()(storage.bucket);
    const lists = [
      bucket.list("blocks/"),
      bucket.list("blocks/00"),
      bucket.list("", { delimiter: "/" }),
      bucket.list("blocks/", { after: "blocks/0000" }),
    ];
    const found = await Promise.all(lists.map(async (list) => await all(list)));
    expect(found).toEqual([storage.keys, storage.keys, ["blocks/"], storage.keys.slice(1)]);
    expect(storage.listings()).toHaveLength(4);
  });

  it("fail for all who follow, and not for the next", async () => {
    const storage = await countingBucket(3);
    let fails = true;
    const failing: Bucket = {
      ...storage.bucket,
      async *list(prefix, options) {
        yield* storage.bucket.list(prefix, options);
        if (fails) throw new Error("the storage is away");
      },
    };
    const bucket = shareListings()(failing);
    const both = await Promise.allSettled([keysOf(bucket, "blocks/"), keysOf(bucket, "blocks/")]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    fails = false;
    expect(await keysOf(bucket, "blocks/")).toEqual(storage.keys);
  });

  it("end for who gives up, and at the storage when the last has", async () => {
    const storage = await countingBucket(3);
    let ended: unknown;
    const hanging: Bucket = {
      ...storage.bucket,
      async *list(prefix, { signal } = {}) {
        yield* storage.bucket.list(prefix);
        signal?.throwIfAborted();
        await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));
      },
    };
    const observed: Bucket = {
      ...hanging,
      async *list(prefix, options) {
        try {
          yield* hanging.list(prefix, options);
        } finally {
          ended = options?.signal?.aborted;
        }
      },
    };
    const bucket = shareListings()(observed);
    const [one, other] = [new AbortController(), new AbortController()];
    const waits = [keysOf(bucket, "blocks/", one.signal), keysOf(bucket, "blocks/", other.signal)];
    one.abort(new Error("no longer needed"));
    await expect(waits[0]).rejects.toThrow("no longer needed");
    expect(ended).toBeUndefined();
    other.abort(new Error("stopped"));
    await expect(waits[1]).rejects.toThrow("stopped");
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(true);
  });
});

const keysOf = async (bucket: Bucket, prefix: string, signal?: AbortSignal) =>
  await all(bucket.list(prefix, signal === undefined ? {} : { signal }));

async function all(list: AsyncIterable<string>): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of list) keys.push(key);
  return keys;
}

/** A bucket with so many objects, which notes the prefixes that it is asked to list. */
async function countingBucket(objects: number) {
  const inner = memoryBucket();
  const keys = Array.from({ length: objects }, (_, i) => `blocks/${String(i).padStart(4, "0")}`);
  for (const key of keys) await inner.put(key, Uint8Array.of(1));
  const listed: string[] = [];
  const bucket: Bucket = {
    name: inner.name,
    put: (key, body, options) => inner.put(key, body, options),
    get: (key, range, signal) => inner.get(key, range, signal),
    attributes: (key, signal) => inner.attributes(key, signal),
    delete: (key, signal) => inner.delete(key, signal),
    list: (prefix, options) => {
      listed.push(prefix);
      return inner.list(prefix, options);
    },
  };
  return { bucket, keys, listings: () => listed };
}
