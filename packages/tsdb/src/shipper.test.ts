import { parseBlockMeta } from "@pleiad/blocks";
import { labelsFromRecord } from "@pleiad/model";
import { BucketError, type Bucket } from "@pleiad/ports";
import { memoryBucket } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createShipper, defaultShipper, type ShipperPorts } from "./shipper.ts";
import { formatShipperMeta, parseShipperMeta } from "./shipper-meta.ts";
import { appendAt, at, hourMs, laterPorts, named, openTestTsdb, testOptions } from "./tsdb.fixtures.ts";

const options = {
  ...defaultShipper,
  directory: "/data",
  externalLabels: labelsFromRecord({ cluster: "c1", replica: "0" }),
};
const { signal } = new AbortController();
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

/** A closed folder of three blocks; gives their names, the oldest first. */
async function threeBlocks() {
  const ports = laterPorts();
  const tsdb = await openTestTsdb(ports);
  for (let t = at(0); t < at(9); t += hourMs / 6) await appendAt(tsdb.head, t, new Map([[named("a"), t]]));
  const maintained = await tsdb.maintain(at(9));
  if (!maintained.ok) throw new Error(maintained.failure.kind);
  await tsdb.close();
  return { ports, ulids: maintained.value.cut.map(({ ulid }) => ulid) };
}

async function keysOf(bucket: Bucket): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of bucket.list("")) keys.push(key);
  return keys;
}

/** A bucket whose nth put from 1 on, and all after it up to `heal`, fail: before they do anything, or after. */
function failingPuts(inner: Bucket, from: number, when: "before" | "after") {
  let puts = 0;
  let isHealed = false;
  const keys: string[] = [];
  const bucket: Bucket = {
    ...inner,
    name: inner.name,
    get: (...asked) => inner.get(...asked),
    attributes: (...asked) => inner.attributes(...asked),
    list: (...asked) => inner.list(...asked),
    delete: (...asked) => inner.delete(...asked),
    put: async (key, body, settings) => {
      const fails = ++puts >= from && !isHealed;
      if (fails && when === "before") throw new BucketError("unavailable", key, "no answer");
      keys.push(key);
      const put = await inner.put(key, body, settings);
      if (fails) throw new BucketError("timeout", key, "no answer");
      return put;
    },
  };
  return { bucket, keys, heal: () => (isHealed = true) };
}

describe("a shipper", () => {
  it("uploads every block once, the oldest first, meta.json last, with the external labels in it", async () => {
    const { ports, ulids } = await threeBlocks();
    const { bucket, keys } = failingPuts(memoryBucket(), Infinity, "before");
    const shipper = createShipper(bucket, options, ports);
    expect(ulids.map((ulid) => shipper.isUploaded(ulid))).toEqual([false, false, false]);
    expect(await shipper.sync(signal)).toEqual({ uploaded: ulids, pending: 0, failure: undefined });
    expect(keys).toEqual(ulids.flatMap((ulid) => [`${ulid}/chunks/000001`, `${ulid}/index`, `${ulid}/meta.json`]));
    expect(ulids.map((ulid) => shipper.isUploaded(ulid))).toEqual([true, true, true]);
    const meta = parseBlockMeta(await bucket.get(`${ulids[0]}/meta.json`));
    expect(meta).toMatchObject({
      value: { thanos: { labels: { cluster: "c1", replica: "0" }, resolutionMs: 0, source: "sidecar" } },
    });
    // The block of the folder stays as it was.
    expect(parseBlockMeta(ports.files.contents.get(`/data/${ulids[0]}/meta.json`) ?? new Uint8Array(0))).toMatchObject({
      value: { thanos: undefined },
    });
    expect(await shipper.sync(signal)).toEqual({ uploaded: [], pending: 0, failure: undefined });
    expect(keys).toHaveLength(9);
  });

  it("keeps Thanos's record, and takes nothing twice after a restart, nor where the record is lost", async () => {
    const { ports, ulids } = await threeBlocks();
    const { bucket, keys } = failingPuts(memoryBucket(), Infinity, "before");
    await createShipper(bucket, options, ports).sync(signal);
    const recordPath = "/data/thanos.shipper.json";
    const record = `{\n\t"version": 1,\n\t"uploaded": [\n${ulids
      .toSorted()
      .map((ulid) => `\t\t"${ulid}"`)
      .join(",\n")}\n\t]\n}\n`;
    expect(text(ports.files.contents.get(recordPath))).toBe(record);
    for (const lost of [undefined, "", "{", '{"version": 2}', '{"version": 1, "uploaded": 7}']) {
      if (lost !== undefined) ports.files.contents.set(recordPath, new TextEncoder().encode(lost));
      const again = createShipper(bucket, options, ports);
      expect((await again.sync(signal)).failure).toBeUndefined();
      expect(again.isUploaded(ulids[2] ?? "")).toBe(true);
      expect(text(ports.files.contents.get(recordPath))).toBe(record);
    }
    expect(keys).toHaveLength(9);
  });

  for (const when of ["before", "after"] as const) {
    it(`goes on where it was broken off, whichever put failed ${when} it was done`, async () => {
      const { ports, ulids } = await threeBlocks();
      for (let from = 1; from <= 9; from++) {
        ports.files.contents.delete("/data/thanos.shipper.json");
        const inner = memoryBucket();
        const { bucket, heal, keys } = failingPuts(inner, from, when);
        const shipper = createShipper(bucket, options, ports);
        const first = await shipper.sync(signal);
        expect(first.failure).toContain("no answer");
        // What counts as uploaded is there whole; nothing counts that is not.
        for (const ulid of ulids) {
          const isThere = (await keysOf(inner)).includes(`${ulid}/meta.json`);
          if (shipper.isUploaded(ulid)) expect(isThere).toBe(true);
        }
        heal();
        const second = await shipper.sync(signal);
        expect([second.failure, second.pending]).toEqual([undefined, 0]);
        expect([...first.uploaded, ...second.uploaded]).toEqual(ulids);
        expect(await keysOf(inner)).toHaveLength(9);
        expect(new Set(keys).size).toBe(keys.length);
      }
    });
  }

  it("does not rely on a block that is marked for deletion, unless it knows of an upload that ended well", async () => {
    const { ports, ulids } = await threeBlocks();
    const bucket = memoryBucket();
    await createShipper(bucket, options, ports).sync(signal);
    const [ulid = ""] = ulids;
    await bucket.put(`${ulid}/deletion-mark.json`, new TextEncoder().encode("{}"));
    const knowing = createShipper(bucket, options, ports);
    expect((await knowing.sync(signal)).pending).toBe(0);
    expect(knowing.isUploaded(ulid)).toBe(true);
    const unknowing = createShipper(bucket, options, await fresh(ports));
    expect(await unknowing.sync(signal)).toMatchObject({
      uploaded: ulids.slice(1),
      pending: 1,
      failure: expect.stringContaining("marked for deletion"),
    });
    expect(unknowing.isUploaded(ulid)).toBe(false);
    for (const key of await keysOf(bucket)) if (key.startsWith(ulid)) await bucket.delete(key);
    expect(await unknowing.sync(signal)).toEqual({ uploaded: [ulid], pending: 0, failure: undefined });
    expect(unknowing.isUploaded(ulid)).toBe(true);
  });

  it("stops at a bucket that is down, but not at a damaged block", async () => {
    const { ports, ulids } = await threeBlocks();
    ports.files.contents.set(`/data/${ulids[0]}/meta.json`, new TextEncoder().encode("{"));
    const shipper = createShipper(memoryBucket(), options, ports);
    expect(await shipper.sync(signal)).toEqual({ uploaded: ulids.slice(1), pending: 0, failure: undefined });
    expect(shipper.isUploaded(ulids[0] ?? "")).toBe(false);
    const down = failingPuts(memoryBucket(), 1, "before");
    const other = createShipper(down.bucket, { ...options, directory: "/data" }, await fresh(ports));
    expect(await other.sync(signal)).toMatchObject({ uploaded: [], pending: 2 });
  });

  it("uploads nothing of a block whose bytes are damaged, but the others, and says which it is", async () => {
    for (const file of ["index", "chunks/000001", "meta.json"]) {
      const { ports, ulids } = await threeBlocks();
      const path = `/data/${ulids[1]}/${file}`;
      const damaged = Uint8Array.from(ports.files.contents.get(path) ?? []);
      damaged[damaged.length >> 1] = 0xff ^ (damaged[damaged.length >> 1] ?? 0);
      ports.files.contents.set(path, damaged);
      const bucket = memoryBucket();
      const shipper = createShipper(bucket, options, ports);
      expect(await shipper.sync(signal), file).toEqual({
        uploaded: [ulids[0], ulids[2]],
        pending: 0,
        failure: undefined,
      });
      expect(await shipper.sync(signal), file).toEqual({ uploaded: [], pending: 0, failure: undefined });
      expect(
        (await keysOf(bucket)).some((key) => key.startsWith(ulids[1] ?? "")),
        file,
      ).toBe(false);
      // It is neither lost nor taken for uploaded.
      expect(shipper.isUploaded(ulids[1] ?? ""), file).toBe(false);
      expect(ports.files.contents.get(path), file).toEqual(damaged);
    }
  });

  it("goes on without its record where that cannot be written, and writes it as soon as it can", async () => {
    const { ports, ulids } = await threeBlocks();
    ports.files.failFrom(1, "ENOSPC");
    const shipper = createShipper(memoryBucket(), options, ports);
    expect(await shipper.sync(signal)).toMatchObject({
      uploaded: ulids,
      pending: 0,
      failure: expect.stringContaining("ENOSPC"),
    });
    expect(ulids.every((ulid) => shipper.isUploaded(ulid))).toBe(true);
    ports.files.heal();
    expect(await shipper.sync(signal)).toEqual({ uploaded: [], pending: 0, failure: undefined });
    expect(parseShipperMeta(ports.files.contents.get("/data/thanos.shipper.json") ?? new Uint8Array(0))).toEqual({
      ok: true,
      value: ulids.toSorted(),
    });
  });

  it("takes a block for uploaded only once meta.json is there", async () => {
    const { ports, ulids } = await threeBlocks();
    const inner = memoryBucket();
    const told: boolean[] = [];
    const bucket: Bucket = {
      ...inner,
      put: async (key, ...rest) => {
        told.push(shipper.isUploaded(key.slice(0, key.indexOf("/"))));
        return await inner.put(key, ...rest);
      },
    };
    const shipper = createShipper(bucket, options, ports);
    expect((await shipper.sync(signal)).uploaded).toEqual(ulids);
    expect(told).toEqual(Array.from({ length: 9 }, () => false));
  });

  it("takes compacted blocks only when told to", async () => {
    const { ports, ulids } = await threeBlocks();
    const path = `/data/${ulids[1]}/meta.json`;
    const meta = text(ports.files.contents.get(path)).replace('"level": 1', '"level": 2');
    ports.files.contents.set(path, new TextEncoder().encode(meta));
    expect(await createShipper(memoryBucket(), options, ports).sync(signal)).toMatchObject({
      uploaded: [ulids[0], ulids[2]],
    });
    const all = createShipper(memoryBucket(), { ...options, uploadsCompacted: true }, await fresh(ports));
    expect((await all.sync(signal)).uploaded).toEqual(ulids);
  });

  it("tries for days while the bucket is down, less often as time goes, and is done soon after", async () => {
    const { ports, ulids } = await threeBlocks();
    const inner = memoryBucket();
    let asked = 0;
    let isDown = true;
    const bucket: Bucket = {
      ...failingPuts(inner, Infinity, "before").bucket,
      attributes: async (key) => {
        asked++;
        if (isDown) throw new BucketError("unavailable", key, "no route to host");
        return await inner.attributes(key);
      },
    };
    const stop = new AbortController();
    const shipper = createShipper(bucket, options, ports);
    const running = shipper.run(stop.signal);
    await ports.clock.advance(hourMs);
    const inFirstHour = asked;
    expect(inFirstHour).toBeGreaterThanOrEqual(3_600_000 / 300_000);
    expect(inFirstHour).toBeLessThan(40);
    await ports.clock.advance(10 * hourMs);
    expect(asked).toBeLessThan(11 * 40);
    isDown = false;
    await ports.clock.advance(300_000);
    expect(ulids.every((ulid) => shipper.isUploaded(ulid))).toBe(true);
    stop.abort();
    await running;
  });

  it("ends when it is told to while it waits for an answer of the bucket", async () => {
    const { ports } = await threeBlocks();
    for (const operation of ["attributes", "put", "list"] as const) {
      const stop = new AbortController();
      const inner = memoryBucket();
      // As a bucket does whose caller gives up: it rejects with the caller's reason.
      const giveUp = () => {
        stop.abort(new Error("stopping"));
        stop.signal.throwIfAborted();
        throw new Error("not stopped");
      };
      const bucket: Bucket = {
        ...failingPuts(inner, Infinity, "before").bucket,
        [operation]: operation === "list" ? giveUp : async () => giveUp(),
      };
      const shipper = createShipper(bucket, { ...options, directory: "/data" }, ports);
      await expect(shipper.run(stop.signal), operation).resolves.toBeUndefined();
    }
  });

  it("holds back local retention until a block is in the bucket", async () => {
    const { ports, ulids } = await threeBlocks();
    const { bucket, heal } = failingPuts(memoryBucket(), 1, "before");
    const shipper = createShipper(bucket, options, ports);
    const tsdb = await openTestTsdb(ports, {
      retention: { retentionMs: 2 * hourMs, retentionBytesMax: 1 },
      mayRemove: (ulid) => shipper.isUploaded(ulid),
    });
    await shipper.sync(signal);
    expect(await tsdb.maintain(0)).toMatchObject({ value: { removed: [] } });
    heal();
    await shipper.sync(signal);
    expect(await tsdb.maintain(0)).toMatchObject({ value: { removed: ulids } });
    expect(tsdb.statistics()).toMatchObject({ blocks: 0, heldBlocks: 0 });
    expect(testOptions.mayRemove).toBeUndefined();
  });

  it("wants external labels, by which blocks are told apart", () => {
    const none = { ...options, externalLabels: labelsFromRecord({}) };
    expect(() => createShipper(memoryBucket(), none, laterPorts())).toThrow("need external labels");
  });
});

/** The same files, without the record of what is uploaded. */
async function fresh(ports: ShipperPorts): Promise<ShipperPorts> {
  await ports.files.unlink("/data/thanos.shipper.json");
  return ports;
}

describe("thanos.shipper.json", () => {
  it("is read as Thanos writes it", () => {
    const ulid = "01HF7YAT00AAAAAAAAAAAAAAAA";
    expect(parseShipperMeta(formatShipperMeta([ulid]))).toEqual({ ok: true, value: [ulid] });
    const read = (json: string) => parseShipperMeta(new TextEncoder().encode(json));
    expect(read('{"version":1,"uploaded":null}')).toEqual({ ok: true, value: [] });
    expect(read(`{"version":1,"uploaded":["../x","${ulid}",3]}`)).toEqual({ ok: true, value: [ulid] });
  });
});
