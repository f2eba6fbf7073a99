import { labelsFromRecord, plainSelect } from "@pleiad/model";
import { FileError, type FileSystem } from "@pleiad/ports";
import { describe, expect, it } from "vitest";
import { viewTsdb, defaultTsdbView } from "./tsdb-view.ts";
import { openTsdb, type Tsdb } from "./tsdb.ts";
import {
  appendAt,
  at,
  chunkLines,
  hourMs,
  laterPorts,
  named,
  openTestTsdb,
  rangeStartMs,
  sampleCount,
  testOptions,
} from "./tsdb.fixtures.ts";

const a = named("a");
const b = named("b", { pod: "x" });

/** Samples of two series, ten minutes apart. */
async function fill(tsdb: Tsdb, fromHours: number, toHours: number): Promise<number> {
  let count = 0;
  for (let t = at(fromHours); t < at(toHours); t += hourMs / 6) {
    await appendAt(
      tsdb.head,
      t,
      new Map([
        [a, t / 7],
        [b, 1],
      ]),
    );
    count += 2;
  }
  return count;
}

async function maintained(tsdb: Tsdb) {
  const result = await tsdb.maintain(at(1000));
  if (!result.ok) throw new Error(result.failure.kind);
  return result.value;
}

describe("a data folder", () => {
  it("cuts blocks of two hours from its head, and answers the same before and after, from both", async () => {
    const tsdb = await openTestTsdb();
    const count = await fill(tsdb, 0.5, 7);
    const before = await chunkLines(tsdb);
    const { cut } = await maintained(tsdb);
    expect(cut.map(({ minTimeMs, maxTimeMs, stats }) => [minTimeMs, maxTimeMs, stats.numSamples])).toEqual([
      [at(0.5), at(2), 18],
      [at(2), at(4), 24],
    ]);
    expect(cut[0]?.compaction).toMatchObject({ level: 1, sources: [cut[0]?.ulid] });
    expect(await chunkLines(tsdb)).toEqual(before);
    expect(await sampleCount(tsdb)).toBe(count);
    expect(tsdb.statistics()).toMatchObject({ blocks: 2, minTimeMs: at(0.5), head: { minTimeMs: at(4) } });
    expect((await maintained(tsdb)).cut).toEqual([]);
  });

  it("asks each part only for its own time", async () => {
    const tsdb = await openTestTsdb();
    await fill(tsdb, 0, 8);
    await maintained(tsdb);
    expect(await chunkLines(tsdb, { minTimeMs: at(2.5), maxTimeMs: at(3) })).toEqual([
      "a 2..3.83",
      'b{pod="x"} 2..3.83',
    ]);
    expect(await chunkLines(tsdb, { minTimeMs: at(3.9), maxTimeMs: at(4.1), matchers: [] })).toEqual([
      "a 4..5.83",
      'b{pod="x"} 4..5.83',
    ]);
  });

  it("puts external labels on what it answers, and none into blocks", async () => {
    const ports = laterPorts();
    const externalLabels = labelsFromRecord({ cluster: "c1" });
    const tsdb = await openTestTsdb(ports, { head: { ...testOptions.head, externalLabels } });
    await fill(tsdb, 0, 4);
    await maintained(tsdb);
    expect(await chunkLines(tsdb)).toEqual([
      'a{cluster="c1"} 0..1.83',
      'a{cluster="c1"} 2..3.83',
      'b{cluster="c1", pod="x"} 0..1.83',
      'b{cluster="c1", pod="x"} 2..3.83',
    ]);
    const { signal } = new AbortController();
    const range = { ...plainSelect, limit: 0, minTimeMs: at(0), maxTimeMs: at(1) };
    expect(await tsdb.labelNames(range, signal)).toMatchObject({ value: { values: ["__name__", "cluster", "pod"] } });
    expect(await tsdb.labelValues("cluster", range, signal)).toMatchObject({ value: { values: ["c1"] } });
    await tsdb.close();
    const view = await viewTsdb("/data", defaultTsdbView, ports);
    expect(view.ok && (await chunkLines(view.value))[0]).toBe("a 0..1.83");
  });

  it("goes on after a restart where it was, and takes no sample of a time that blocks have", async () => {
    const ports = laterPorts();
    const first = await openTestTsdb(ports);
    const count = await fill(first, 0, 8);
    await maintained(first);
    const before = await chunkLines(first);
    expect((await first.close()).ok).toBe(true);
    const second = await openTestTsdb(ports);
    expect(await chunkLines(second)).toEqual(before);
    const appender = second.head.appender();
    const ref = appender.series(named("late"));
    expect(typeof ref === "number" && appender.append(ref, at(3.99), 1)).toBe("out-of-bounds");
    expect(await sampleCount(second)).toBe(count);
  });

  it("belongs to one at a time; who only looks may always", async () => {
    const ports = laterPorts();
    const tsdb = await openTestTsdb(ports);
    expect(await openTsdb("/data", testOptions, ports)).toEqual({
      ok: false,
      failure: { kind: "locked", directory: "/data" },
    });
    expect((await viewTsdb("/data", defaultTsdbView, ports)).ok).toBe(true);
    await tsdb.close();
    expect((await openTsdb("/data", testOptions, ports)).ok).toBe(true);
  });

  it("removes at its start what a crash left half written or half removed", async () => {
    const ports = laterPorts();
    const leftovers = ["01HF7YAT00AAAAAAAAAAAAAAAA.tmp-for-creation", "01HF7YAT00BBBBBBBBBBBBBBBB.tmp-for-deletion"];
    for (const name of leftovers) {
      await ports.files.makeDirectory(`/data/${name}/chunks`);
      ports.files.contents.set(`/data/${name}/chunks/000001`, Uint8Array.of(1));
    }
    // Neither a block nor anything of ours.
    await ports.files.makeDirectory("/data/notes.tmp-for-nothing");
    await openTestTsdb(ports);
    expect(await ports.files.list("/data")).toEqual(["chunks_head", "lock", "notes.tmp-for-nothing", "wal"]);
  });

  it("when closed answers that it is, and refuses maintenance", async () => {
    const tsdb = await openTestTsdb();
    const slow = tsdb.select(plainSelect, new AbortController().signal);
    await tsdb.close();
    expect(await slow.next()).toBeUndefined();
    expect(slow.failure?.kind).toBe("unavailable");
    expect(await tsdb.maintain(0)).toEqual({ ok: false, failure: { kind: "closed" } });
  });
});

describe("a reader", () => {
  it("that began before a cut reads all from the head, which waits for it", async () => {
    const tsdb = await openTestTsdb();
    await fill(tsdb, 0, 4);
    const before = await chunkLines(tsdb);
    const cursor = tsdb.select(plainSelect, new AbortController().signal);
    const maintenance = tsdb.maintain(at(1000));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const lines: string[] = [];
    for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
      for (const { chunks } of batch) lines.push(...chunks.map(({ minTimeMs }) => String(minTimeMs)));
    }
    expect(cursor.failure).toBeUndefined();
    expect(lines).toHaveLength(before.length);
    expect((await maintenance).ok).toBe(true);
    expect(await chunkLines(tsdb)).toEqual(before);
  });

  it("that takes too long fails: its answer would lack what moved on", async () => {
    const ports = laterPorts();
    const tsdb = await openTestTsdb(ports, { drainMs: 60_000 });
    await fill(tsdb, 0, 4);
    const cursor = tsdb.select(plainSelect, new AbortController().signal);
    const maintenance = tsdb.maintain(at(1000));
    await ports.clock.advance(61_000);
    expect((await maintenance).ok).toBe(true);
    expect(await cursor.next()).toBeUndefined();
    expect(cursor.failure).toMatchObject({ kind: "unavailable", reason: "read too slowly: the data has moved on" });
  });
});

describe("local retention", () => {
  const keeping = (retentionMs: number, retentionBytesMax = 0) => ({ retention: { retentionMs, retentionBytesMax } });

  it("drops blocks that end too long before the newest block, whatever the clock says", async () => {
    const ports = laterPorts();
    const tsdb = await openTestTsdb(ports, keeping(2 * hourMs));
    await fill(tsdb, 0, 9);
    const { cut, removed } = await maintained(tsdb);
    expect(removed).toEqual([cut[0]?.ulid, cut[1]?.ulid]);
    expect(tsdb.statistics()).toMatchObject({ blocks: 1, minTimeMs: at(4) });
    expect((await chunkLines(tsdb))[0]).toBe("a 4..5.83");
    expect((await ports.files.list("/data")).filter((name) => name.startsWith("0"))).toEqual([cut[2]?.ulid]);
  });

  it("drops the oldest blocks until the folder is small enough", async () => {
    const ports = laterPorts();
    const tsdb = await openTestTsdb(ports);
    await fill(tsdb, 0, 9);
    const { cut } = await maintained(tsdb);
    const { blockBytes, head } = tsdb.statistics();
    await tsdb.close();
    const bytesMax = blockBytes + head.walBytes + head.chunkFileBytes - 1;
    const bounded = await openTestTsdb(ports, keeping(Infinity, bytesMax));
    expect((await maintained(bounded)).removed).toEqual([cut[0]?.ulid]);
  });

  it("keeps what may not be removed yet, and says how much", async () => {
    const tsdb = await openTestTsdb(laterPorts(), { ...keeping(2 * hourMs), mayRemove: () => false });
    await fill(tsdb, 0, 9);
    expect((await maintained(tsdb)).removed).toEqual([]);
    expect(tsdb.statistics()).toMatchObject({ blocks: 3, heldBlocks: 2 });
  });

  it("drops nothing for a clock that jumped ahead, as long as only the head has samples of its time", async () => {
    const tsdb = await openTestTsdb(laterPorts(), keeping(24 * hourMs));
    await fill(tsdb, 0, 9);
    await fill(tsdb, 900, 901);
    expect((await maintained(tsdb)).removed).toEqual([]);
    expect((await chunkLines(tsdb))[0]).toBe("a 0..1.83");
  });

  it("goes on where nothing can be cut: on a full disk it makes room", async () => {
    const ports = laterPorts();
    const filled = await openTestTsdb(ports);
    await fill(filled, 0, 9);
    const { cut } = await maintained(filled);
    await fill(filled, 9, 13);
    await filled.close();
    // Names can be changed and removed, but nothing can be written.
    const full = async () => await Promise.reject(new FileError("ENOSPC", "makeDirectory", "/data"));
    const tsdb = await openTestTsdb({ ...ports, files: { ...ports.files, makeDirectory: full } }, keeping(2 * hourMs));
    expect(await tsdb.maintain(at(1000))).toMatchObject({ ok: false });
    expect(tsdb.blocks().map(({ ulid }) => ulid)).toEqual([cut[2]?.ulid]);
  });

  it("keeps in the head what could not be cut, however old", async () => {
    const ports = laterPorts();
    const tsdb = await openTestTsdb(ports, keeping(2 * hourMs));
    const count = await fill(tsdb, 0, 9);
    ports.files.failFrom(1, "ENOSPC");
    expect(await tsdb.maintain(at(1000))).toMatchObject({ ok: false, failure: { kind: "block" } });
    expect(await sampleCount(tsdb)).toBe(count);
    ports.files.heal();
    expect((await maintained(tsdb)).cut).toHaveLength(3);
    expect((await ports.files.list("/data")).filter((name) => name.includes("tmp"))).toEqual([]);
  });
});

describe("a block that cannot be read", () => {
  async function damagedFolder() {
    const ports = laterPorts();
    const tsdb = await openTestTsdb(ports);
    await fill(tsdb, 0, 7);
    const { cut } = await maintained(tsdb);
    await tsdb.close();
    const path = `/data/${cut[0]?.ulid}/index`;
    ports.files.contents.set(path, (ports.files.contents.get(path) ?? new Uint8Array(0)).slice(0, 40));
    return { ports, ulid: cut[0]?.ulid ?? "", others: cut.slice(1).map((block) => block.ulid) };
  }

  /** Of the damaged block, as it was. */
  async function wholeIndex(): Promise<Uint8Array> {
    const ports = laterPorts();
    const tsdb = await openTestTsdb(ports);
    await fill(tsdb, 0, 7);
    const { cut } = await maintained(tsdb);
    return ports.files.contents.get(`/data/${cut[0]?.ulid}/index`) ?? new Uint8Array(0);
  }

  it("is set aside at an opening; answers of its time say what is missing, others do not", async () => {
    const { ports, ulid } = await damagedFolder();
    for (const round of [1, 2]) {
      const tsdb = await openTestTsdb(ports);
      expect(tsdb.statistics(), `opening ${round}`).toMatchObject({ blocks: 1, unreadableBlocks: 1 });
      expect(await ports.files.list("/data/quarantine")).toEqual([ulid]);
      expect((await chunkLines(tsdb)).at(-1)).toContain(`block ${ulid}: corrupt data: `);
      expect(await chunkLines(tsdb, { minTimeMs: at(3), maxTimeMs: at(3) })).toEqual([
        "a 2..3.83",
        'b{pod="x"} 2..3.83',
      ]);
      const strict = tsdb.select({ ...plainSelect, onFailure: "abort" }, new AbortController().signal);
      expect(await strict.next()).toBeUndefined();
      expect(strict.failure?.kind).toBe("corrupt");
      await tsdb.close();
    }
  });

  it("is a block again once a person has put a whole one into its place", async () => {
    const { ports, ulid } = await damagedFolder();
    const whole = new Map([...ports.files.contents].filter(([path]) => path.startsWith(`/data/${ulid}/`)));
    await (await openTestTsdb(ports)).close();
    await ports.files.makeDirectory(`/data/${ulid}/chunks`);
    for (const [path, bytes] of whole) ports.files.contents.set(path, bytes);
    ports.files.contents.set(`/data/${ulid}/index`, await wholeIndex());
    const tsdb = await openTestTsdb(ports);
    expect(tsdb.statistics()).toMatchObject({ blocks: 2, unreadableBlocks: 0 });
    expect((await chunkLines(tsdb))[0]).toBe("a 0..1.83");
    await tsdb.close();
  });

  it("is set aside once more where one of its name was before", async () => {
    const { ports, ulid } = await damagedFolder();
    const damaged = new Map([...ports.files.contents].filter(([path]) => path.startsWith(`/data/${ulid}/`)));
    await (await openTestTsdb(ports)).close();
    await ports.files.makeDirectory(`/data/${ulid}/chunks`);
    for (const [path, bytes] of damaged) ports.files.contents.set(path, bytes);
    const tsdb = await openTestTsdb(ports);
    expect(tsdb.statistics()).toMatchObject({ blocks: 1, unreadableBlocks: 1 });
    expect(await ports.files.exists(`/data/${ulid}`)).toBe(false);
    for (const name of [ulid, `${ulid}-2`]) {
      expect(await ports.files.exists(`/data/quarantine/${name}/meta.json`)).toBe(true);
    }
  });

  it("does not hide the blocks that it was made of", async () => {
    const { ports, ulid, others } = await damagedFolder();
    const path = `/data/${ulid}/meta.json`;
    const parents = others.map((other) => ({ ulid: other, minTime: at(2), maxTime: at(4) }));
    const meta = JSON.parse(new TextDecoder().decode(ports.files.contents.get(path))) as { compaction: object };
    const merged = { ...meta, compaction: { ...meta.compaction, level: 2, parents } };
    ports.files.contents.set(path, new TextEncoder().encode(JSON.stringify(merged)));
    const tsdb = await openTestTsdb(ports);
    expect(tsdb.statistics()).toMatchObject({ blocks: 1, unreadableBlocks: 1 });
    expect(await chunkLines(tsdb, { minTimeMs: at(3), maxTimeMs: at(3) })).toEqual(["a 2..3.83", 'b{pod="x"} 2..3.83']);
  });

  it("stays where it is when someone only looks", async () => {
    const { ports, ulid } = await damagedFolder();
    const view = await viewTsdb("/data", defaultTsdbView, ports);
    expect(view.ok && view.value.unreadableBlocks).toBe(1);
    expect(await ports.files.exists(`/data/${ulid}/meta.json`)).toBe(true);
  });
});

describe("a view", () => {
  it("has what the folder has, and writes nothing at all", async () => {
    const ports = laterPorts();
    const tsdb = await openTestTsdb(ports);
    const count = await fill(tsdb, 0, 7);
    await maintained(tsdb);
    const frozen: FileSystem = new Proxy(ports.files, {
      get: (target, name: keyof FileSystem) => {
        if (
          ["rename", "unlink", "link", "makeDirectory", "removeDirectory", "writeFileAtomic", "lock"].includes(name)
        ) {
          throw new FileError("EROFS", name, "/data");
        }
        if (name !== "open") return target[name];
        return async (path: string, mode: "read" | "append" | "create-new") => {
          if (mode !== "read") throw new FileError("EROFS", "open", path);
          return await target.open(path, mode);
        };
      },
    });
    const view = await viewTsdb("/data", defaultTsdbView, { ...ports, files: frozen });
    if (!view.ok) throw new Error(view.failure.kind);
    expect(await chunkLines(view.value)).toEqual(await chunkLines(tsdb));
    expect(await sampleCount(view.value)).toBe(count);
    expect(view.value.head).toMatchObject({ series: 2, minTimeMs: rangeStartMs + 4 * hourMs });
  });

  it("of a folder that is not there fails", async () => {
    expect(await viewTsdb("/none", defaultTsdbView, laterPorts())).toMatchObject({
      ok: false,
      failure: { kind: "files", code: "ENOENT" },
    });
  });
});
