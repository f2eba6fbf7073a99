import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { memoryBucket, memoryFiles, testPorts } from "@pleiad/ports/testing";
import { labelsFromRecord } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import {
  answerOf,
  ask,
  decode,
  epochMs,
  hourMs,
  interceptedBucket,
  linesOf,
  openStore,
  putBlock,
  putCompacted,
  putDeletionMark,
  putDownsampled,
  steadySeries,
} from "./bucket-store.fixtures.ts";
import { createBucketStore } from "./bucket-store.ts";
import { defaultBucketStore } from "./store-options.ts";

runSeriesSourceAcceptance("a store over one block", async (series) => {
  const bucket = memoryBucket();
  await putBlock(bucket, {
    from: -epochMs / hourMs,
    to: 3 - epochMs / hourMs,
    series: new Map(series.map(({ labels, samples }) => [labels, samples])),
  });
  return { source: (await openStore(bucket)).store, decode };
});

runSeriesSourceAcceptance("a store over several blocks", async (series) => {
  const bucket = memoryBucket();
  for (const hours of [0, 1, 2]) {
    const [fromMs, toMs] = [hours * hourMs, (hours + 1) * hourMs];
    const part = series
      .map(({ labels, samples }) => [labels, samples.filter(([t]) => t >= fromMs && t < toMs)] as const)
      .filter(([, samples]) => samples.length > 0);
    const from = hours - epochMs / hourMs;
    if (part.length > 0) await putBlock(bucket, { from, to: from + 1, series: new Map(part) });
  }
  return { source: (await openStore(bucket)).store, decode };
});

const names = ["apples", "pears", "plums"];

describe("the blocks of a bucket as series", () => {
  it("are those of all blocks, with external labels, each sample once", async () => {
    const bucket = memoryBucket();
    const blocks = [0, 2, 4].flatMap((from) =>
      ["a", "b"].map((cluster) => ({
        from,
        to: from + 2,
        external: { cluster },
        series: steadySeries(names, from, from + 2),
      })),
    );
    for (const block of blocks) await putBlock(bucket, block);
    const { store } = await openStore(bucket);
    expect(await ask(store)).toEqual({ lines: linesOf(blocks), failure: undefined, warnings: [] });
    const [minTimeMs, maxTimeMs] = [epochMs + hourMs, epochMs + 3 * hourMs];
    expect((await ask(store, { minTimeMs, maxTimeMs })).lines).toEqual(linesOf(blocks, minTimeMs, maxTimeMs));
    const matchers = [{ type: "=", name: "cluster", value: "b" }] as const;
    expect((await ask(store, { matchers })).lines).toEqual(
      linesOf(blocks.filter(({ external }) => external.cluster === "b")),
    );
  });

  it("lose replica labels on request, and are sorted again", async () => {
    const bucket = memoryBucket();
    // "a_replica" sorts before the metric's other labels: without it, the order is another one.
    const blocks = ["0", "1"].map((a_replica) => ({
      from: 0,
      to: 2,
      external: { a_replica },
      series: steadySeries(names, 0, 2),
    }));
    for (const block of blocks) await putBlock(bucket, block);
    const { store } = await openStore(bucket);
    const { lines } = await ask(store, { withoutLabels: ["a_replica"] });
    expect(lines).toEqual(linesOf([{ series: steadySeries(names, 0, 2) }]));
  });

  it("are there once while parents and child are both in the bucket", async () => {
    const bucket = memoryBucket();
    const blocks = [0, 2].map((from) => ({ from, to: from + 2, series: steadySeries(names, from, from + 2) }));
    const parents = [];
    for (const block of blocks) parents.push(await putBlock(bucket, block));
    const child = await putCompacted(bucket, parents);
    const { store } = await openStore(bucket);
    expect(store.status().blocks.map(({ ulid }) => ulid)).toEqual([child.ulid]);
    expect(store.status().states).toMatchObject({ loaded: 1, duplicate: 2 });
    expect((await ask(store)).lines).toEqual(linesOf(blocks));
  });

  it("are not served before the first reading of the list", async () => {
    const made = createBucketStore(
      memoryBucket(),
      { ...defaultBucketStore, name: "gateway", directory: "/headers" },
      testPorts(),
    );
    if (!made.ok) throw new Error(made.failure);
    expect(made.value.ready()).toEqual({ ready: false, reason: "the list of blocks was not read yet" });
    expect((await ask(made.value)).failure).toBe("gateway: the list of blocks was not read yet");
  });

  it("come from the coarsest blocks that a question allows, and from finer ones where those are missing", async () => {
    const bucket = memoryBucket();
    const blocks = [0, 48].map((from) => ({ from, to: from + 48, series: steadySeries(["apples"], from, from + 48) }));
    const metas = [];
    for (const block of blocks) metas.push(await putBlock(bucket, block));
    const [first] = metas;
    if (first === undefined) throw new Error("no block");
    await putDownsampled(bucket, first, 300_000);
    const { store } = await openStore(bucket);
    const raw = await ask(store);
    expect(raw.lines).toEqual(linesOf(blocks));
    for (const maxResolutionMs of [300_000, 3_600_000]) {
      const { lines } = await ask(store, { maxResolutionMs });
      const aggregated = lines.filter((line) => line.includes("@"));
      const plain = lines.filter((line) => !line.includes("@"));
      expect(aggregated.filter((line) => line.includes("count@"))).toHaveLength(288);
      expect(plain).toEqual(linesOf(blocks.slice(1)));
    }
  });

  it("of finer blocks in a gap end where the coarser ones begin, in the middle of a chunk too", async () => {
    const bucket = memoryBucket();
    // Chunks of the raw block are 20 h long, and the coarse block begins after 48 h.
    const raw = { from: 0, to: 96, series: steadySeries(["apples", "pears"], 0, 96) };
    await putBlock(bucket, raw);
    const late = await putBlock(bucket, { from: 48, to: 96, series: steadySeries(["apples", "pears"], 48, 96) });
    await putDownsampled(bucket, late, 300_000);
    const { store } = await openStore(bucket);
    const { lines } = await ask(store, { maxResolutionMs: 300_000 });
    expect(lines.filter((line) => !line.includes("@"))).toEqual(linesOf([raw], -Infinity, epochMs + 48 * hourMs - 1));
    expect(lines.filter((line) => line.includes("count@"))).toHaveLength(2 * 288);
    expect((await ask(store)).lines).toEqual(linesOf([raw]));
  });

  it("of a time partition are those of its time, also of blocks that reach beyond", async () => {
    const bucket = memoryBucket();
    const blocks = [0, 2, 4].map((from) => ({ from, to: from + 2, series: steadySeries(names, from, from + 2) }));
    for (const block of blocks) await putBlock(bucket, block);
    const minTimeMs = epochMs + 3 * hourMs;
    const ports = () => testPorts({ startMs: epochMs + 6 * hourMs });
    const { store: young } = await openStore(bucket, { minTime: { kind: "ago", spanMs: 3 * hourMs } }, ports());
    const { store: old } = await openStore(bucket, { maxTime: { kind: "at", timeMs: minTimeMs - 1 } }, ports());
    expect((await ask(young)).lines).not.toEqual([]);
    expect(young.coverage()).toMatchObject({ minTimeMs, maxTimeMs: epochMs + 6 * hourMs });
    expect(old.coverage()).toMatchObject({ minTimeMs: epochMs, maxTimeMs: minTimeMs - 1 });
    const ulids = (store: typeof young) => store.status().blocks.map(({ minTimeMs: at }) => (at - epochMs) / hourMs);
    expect([ulids(old), ulids(young)]).toEqual([
      [0, 2],
      [2, 4],
    ]);
    expect(young.status().states).toMatchObject({ "time-excluded": 1 });
  });
});

describe("labels of a bucket", () => {
  it("come from every block of the time", async () => {
    const bucket = memoryBucket();
    await putBlock(bucket, { from: 0, to: 2, external: { cluster: "a" }, series: steadySeries(["apples"], 0, 2) });
    await putBlock(bucket, { from: 2, to: 4, external: { cluster: "b" }, series: steadySeries(["pears"], 2, 4) });
    const { store } = await openStore(bucket);
    const { signal } = new AbortController();
    const request = {
      minTimeMs: epochMs,
      maxTimeMs: epochMs + 4 * hourMs,
      matchers: [],
      withoutLabels: [],
      onFailure: "warn",
      limit: 0,
    } as const;
    expect(await store.labelNames(request, signal)).toMatchObject({
      value: { values: ["__name__", "cluster", "job"] },
    });
    expect(await store.labelValues("__name__", request, signal)).toMatchObject({
      value: { values: ["apples", "pears"] },
    });
    const matchers = [{ type: "=", name: "cluster", value: "b" }] as const;
    expect(await store.labelValues("__name__", { ...request, matchers }, signal)).toMatchObject({
      value: { values: ["pears"] },
    });
    const early = { ...request, maxTimeMs: epochMs + hourMs };
    expect(await store.labelValues("cluster", early, signal)).toMatchObject({ value: { values: ["a"] } });
  });
});

describe("the list of blocks", () => {
  it("costs pages of keys alone, once its blocks are known", async () => {
    const bucket = memoryBucket();
    const meta = await putBlock(bucket, { from: 0, to: 2, series: steadySeries(["apples"], 0, 2) });
    const contents = [...bucket.objects].map(([key, bytes]) => [key.slice(meta.ulid.length), bytes] as const);
    bucket.objects.clear();
    for (let i = 0; i < 500; i++) {
      const ulid = `01${i
        .toString(32)
        .toUpperCase()
        .replaceAll(/[ILOU]/g, "Z")
        .padStart(4, "0")}${"0".repeat(20)}`;
      for (const [file, bytes] of contents) {
        const renamed =
          file === "/meta.json"
            ? new TextEncoder().encode(new TextDecoder().decode(bytes).replaceAll(meta.ulid, ulid))
            : bytes;
        bucket.objects.set(`${ulid}${file}`, renamed);
      }
    }
    const blockCount = new Set([...bucket.objects.keys()].map((key) => key.split("/")[0])).size;
    const { store } = await openStore(bucket);
    expect(store.status().blocks).toHaveLength(blockCount);
    const before = { ...bucket.requests };
    await store.refresh();
    const pages = Math.ceil(bucket.objects.size / 1000);
    expect(bucket.requests).toEqual({ ...before, list: before.list + pages });
    expect(pages).toBe(2);
  });

  it("leaves out what is partial, malformed, excluded, or marked long ago", async () => {
    const bucket = memoryBucket();
    const put = (cluster: string) =>
      putBlock(bucket, { from: 0, to: 2, external: { cluster }, series: steadySeries(["apples"], 0, 2) });
    const [good, partial, malformed, other, justMarked, longMarked] = [
      await put("good"),
      await put("partial"),
      await put("malformed"),
      await put("other"),
      await put("just-marked"),
      await put("long-marked"),
    ];
    await bucket.delete(`${partial.ulid}/meta.json`);
    await bucket.put(`${malformed.ulid}/meta.json`, new Uint8Array([1]));
    await putDeletionMark(bucket, justMarked.ulid, epochMs - 23 * hourMs);
    await putDeletionMark(bucket, longMarked.ulid, epochMs - 25 * hourMs);
    const rules = [{ action: "drop", sourceLabels: ["cluster"], separator: ";", regex: "other" }] as const;
    const { store } = await openStore(bucket, { rules });
    expect(store.status().blocks.map(({ ulid }) => ulid)).toEqual([good.ulid, justMarked.ulid].sort());
    expect(store.status().states).toEqual({
      loaded: 2,
      "no-meta": 1,
      "corrupted-meta-json": 1,
      "time-excluded": 0,
      "label-excluded": 1,
      "marked-for-deletion": 1,
      duplicate: 0,
    });
    expect(other.ulid).toBeDefined();
  });

  it("is read every three minutes; one that cannot be read stays as it was, and says so when it is old", async () => {
    const bucket = interceptedBucket();
    const block = { from: 0, to: 2, series: steadySeries(["apples"], 0, 2) };
    await putBlock(bucket, block);
    const { store, ports } = await openStore(bucket);
    store.start();
    const later = { from: 2, to: 4, series: steadySeries(["apples"], 2, 4) };
    await putBlock(bucket, later);
    await ports.clock.advance(4 * 60_000);
    expect((await ask(store)).lines).toEqual(linesOf([block, later]));
    bucket.isListable = false;
    await ports.clock.advance(5 * 60_000);
    expect(await ask(store)).toMatchObject({ lines: linesOf([block, later]), warnings: [] });
    await ports.clock.advance(10 * 60_000);
    const stale = await ask(store);
    expect(stale.lines).toEqual(linesOf([block, later]));
    expect(stale.warnings).toEqual([
      expect.stringMatching(/^gateway: the list of blocks is \d+ s old: unavailable: .*down$/),
    ]);
    bucket.isListable = true;
    await ports.clock.advance(4 * 60_000);
    expect((await ask(store)).warnings).toEqual([]);
    await store.stop();
    expect(store.ready()).toEqual({ ready: false, reason: "stopping" });
  });
});

describe("index headers", () => {
  // Small files are not kept as they are.
  const ranged = { keptBytesMax: 0 };

  it("are built once, kept on disk, loaded at the first question and dropped when the block rests", async () => {
    const bucket = interceptedBucket();
    const block = { from: 0, to: 2, series: steadySeries(names, 0, 2) };
    const { ulid } = await putBlock(bucket, block);
    const { store, ports } = await openStore(bucket, ranged);
    store.start();
    const path = `/headers/${ulid}/index-header`;
    expect(ports.files.contents.has(path)).toBe(false);
    await ask(store);
    expect(ports.files.contents.has(path)).toBe(true);
    expect(store.status().blocks[0]?.isOpen).toBe(true);
    await ports.clock.advance(6 * 60_000);
    expect(store.status()).toMatchObject({ blocks: [{ isOpen: false }], cacheBytes: 0, tableBytes: 0 });
    const reads: string[] = [];
    bucket.answer = (call, real) => {
      reads.push(call.key);
      return real();
    };
    expect((await ask(store)).lines).toEqual(linesOf([block]));
    // The header is there: postings and series in one read, chunks in another.
    expect(reads).toEqual([`${ulid}/index`, `${ulid}/chunks/000001`]);
    await store.stop();
  });

  it("that are damaged or cut short are built anew", async () => {
    const bucket = memoryBucket();
    const block = { from: 0, to: 2, series: steadySeries(names, 0, 2) };
    const { ulid } = await putBlock(bucket, block);
    const { store, ports } = await openStore(bucket, ranged);
    await ask(store);
    await store.stop();
    const path = `/headers/${ulid}/index-header`;
    const good = ports.files.contents.get(path)?.slice() ?? new Uint8Array();
    for (const damage of [
      (bytes: Uint8Array) => bytes.slice(0, bytes.length / 2),
      (bytes: Uint8Array) => bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
      () => new Uint8Array(),
    ]) {
      await ports.files.writeFileAtomic(path, damage(good));
      const again = await openStore(bucket, ranged, { ...testPorts({ startMs: epochMs }), files: ports.files });
      expect((await ask(again.store)).lines).toEqual(linesOf([block]));
      expect(ports.files.contents.get(path)).toEqual(good);
    }
  });

  it("of blocks that are gone are removed, at the start too", async () => {
    const bucket = memoryBucket();
    const { ulid } = await putBlock(bucket, { from: 0, to: 2, series: steadySeries(names, 0, 2) });
    const { store, ports } = await openStore(bucket, ranged);
    await ask(store);
    for (const key of [...bucket.objects.keys()]) await bucket.delete(key);
    await store.refresh();
    expect(ports.files.contents.has(`/headers/${ulid}/index-header`)).toBe(false);
    await ports.files.makeDirectory(`/headers/${ulid}`);
    await ports.files.writeFileAtomic(`/headers/${ulid}/index-header`, new Uint8Array(9));
    await openStore(bucket, ranged, { ...testPorts(), files: ports.files });
    expect(ports.files.contents.has(`/headers/${ulid}/index-header`)).toBe(false);
  });
});

describe("small files of blocks", () => {
  async function twoBlocks() {
    const bucket = interceptedBucket();
    const blocks = [0, 2].map((from) => ({ from, to: from + 2, series: steadySeries(names, from, from + 2) }));
    for (const block of blocks) await putBlock(bucket, block);
    const reads: string[] = [];
    bucket.answer = ({ key }, real) => {
      reads.push(key.slice(27));
      return real();
    };
    return { bucket, blocks, reads };
  }

  it("come by one request each, for all who ask at once, and from the disk after a restart", async () => {
    const { bucket, blocks, reads } = await twoBlocks();
    const first = await openStore(bucket);
    reads.length = 0;
    const answers = await Promise.all([ask(first.store), ask(first.store), ask(first.store)]);
    for (const { lines } of answers) expect(lines).toEqual(linesOf(blocks));
    expect(reads.sort()).toEqual(["chunks/000001", "chunks/000001", "index", "index"]);
    await first.store.stop();
    const again = await openStore(bucket, {}, { ...testPorts({ startMs: epochMs }), files: first.ports.files });
    reads.length = 0;
    expect((await ask(again.store)).lines).toEqual(linesOf(blocks));
    expect(reads).toEqual([]);
    await again.store.stop();
  });

  it("are there before anybody asks, soon after the list was read", async () => {
    const { bucket, blocks, reads } = await twoBlocks();
    const { store, ports } = await openStore(bucket, { aheadAtOnceMax: 1 });
    reads.length = 0;
    store.start();
    await ports.clock.advance(2000);
    expect(reads).toHaveLength(4);
    expect((await ask(store)).lines).toEqual(linesOf(blocks));
    expect(reads).toHaveLength(4);
    await store.stop();
  });

  it("that are damaged on disk are read anew, and the answer is whole", async () => {
    const { bucket, blocks } = await twoBlocks();
    const first = await openStore(bucket);
    await ask(first.store);
    await first.store.stop();
    const { files } = first.ports;
    const path = "/headers/kept-files/000001";
    const good = files.contents.get(path)?.slice() ?? new Uint8Array();
    expect(good.length).toBeGreaterThan(1000);
    for (let at = 0; at < good.length; at += 61) {
      const pack = good.slice();
      pack[at] = (pack[at] ?? 0) ^ 0x10;
      const disk = memoryFiles();
      await disk.makeDirectory("/headers/kept-files");
      await disk.writeFileAtomic(path, pack);
      const { store } = await openStore(bucket, {}, { ...testPorts({ startMs: epochMs }), files: disk });
      expect(await ask(store)).toEqual({ lines: linesOf(blocks), failure: undefined, warnings: [] });
      await store.stop();
    }
  });

  it("leave the disk with their blocks", async () => {
    const { bucket } = await twoBlocks();
    const { store, ports } = await openStore(bucket);
    await ask(store);
    for (const key of [...bucket.objects.keys()]) await bucket.delete(key);
    await store.refresh();
    await store.stop();
    const again = await openStore(bucket, {}, { ...testPorts({ startMs: epochMs }), files: ports.files });
    expect([...ports.files.contents.keys()].filter((path) => path.includes("kept-files"))).toEqual([]);
    await again.store.stop();
  });
});

describe("limits of a question", () => {
  const block = { from: 0, to: 2, series: steadySeries(names, 0, 2) };
  for (const [limits, failure] of [
    [{ seriesMax: 2 }, "gateway: exceeded series limit: more than 2 series"],
    [{ samplesMax: 240 }, "gateway: exceeded samples limit: more than 240 samples"],
    [{ bytesMax: 10 }, "gateway: exceeded bytes limit: more than 10 bytes"],
    [{ seriesMax: 3, samplesMax: 360, bytesMax: 100_000 }, undefined],
  ] as const) {
    it(failure ?? "are no hindrance below", async () => {
      const bucket = memoryBucket();
      await putBlock(bucket, block);
      const { store } = await openStore(bucket, { limits: { seriesMax: 0, samplesMax: 0, bytesMax: 0, ...limits } });
      expect((await ask(store)).failure).toBe(failure);
      // The next question begins from nothing.
      const matchers = [{ type: "=", name: "__name__", value: "apples" }] as const;
      if (limits.bytesMax !== 10) expect((await ask(store, { matchers })).failure).toBeUndefined();
    });
  }

  it("run so many at once, and cancel while they wait", async () => {
    const bucket = interceptedBucket();
    await putBlock(bucket, block);
    const { store } = await openStore(bucket, { questionsAtOnceMax: 1 });
    let release = () => {};
    const stalled = new Promise<void>((resolve) => (release = resolve));
    bucket.answer = async (_, real) => {
      await stalled;
      return await real();
    };
    const first = ask(store);
    const canceled = new AbortController();
    const second = answerOf(store, {}, canceled.signal);
    const third = ask(store);
    canceled.abort();
    expect((await second).failure).toBe("gateway: the request was canceled");
    release();
    expect((await first).lines).toEqual(linesOf([block]));
    expect((await third).lines).toEqual(linesOf([block]));
  });
});

it("tells which streams it has, and of which time", async () => {
  const bucket = memoryBucket();
  for (const [from, to, cluster] of [
    [0, 2, "a"],
    [2, 4, "a"],
    [8, 10, "a"],
    [0, 2, "b"],
  ] as const) {
    await putBlock(bucket, { from, to, external: { cluster }, series: steadySeries(["apples"], from, to) });
  }
  const { store } = await openStore(bucket);
  const [a, b] = ["a", "b"].map((cluster) => labelsFromRecord({ cluster }));
  const at = (hours: number) => epochMs + hours * hourMs;
  expect(store.coverage()).toEqual({
    labelSets: [a, b],
    minTimeMs: at(0),
    maxTimeMs: at(10),
    tsdbInfos: [
      { labels: a, minTimeMs: at(0), maxTimeMs: at(4) },
      { labels: a, minTimeMs: at(8), maxTimeMs: at(10) },
      { labels: b, minTimeMs: at(0), maxTimeMs: at(2) },
    ],
  });
});
