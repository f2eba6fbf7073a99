import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import {
  collectSeries,
  labelsFromPairs,
  labelsFromRecord,
  labelsFromSorted,
  plainSelect,
  type Labels,
} from "@pleiad/model";
import { runSeriesSourceAcceptance } from "@pleiad/model/acceptance";
import { FileError } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { appendAll, dump, named, openTestHead, startMs, testOptions } from "./head.fixtures.ts";
import type { Head, HeadPorts } from "./head.ts";
import { openHead } from "./open-head.ts";
import type { SeriesRef } from "./memory-series.ts";

const decode = (encoding: number, data: Uint8Array) => {
  const columns = createSampleColumns(120);
  expect(encoding).toBe(1);
  expect(decodeChunk(1, data, columns)).toBeUndefined();
  return Array.from(
    { length: columns.count },
    (_, i) => [columns.timestampsMs[i], columns.values[i]] as [number, number],
  );
};

runSeriesSourceAcceptance("a head", async (series) => {
  const head = await openTestHead();
  await appendAll(
    head,
    series.flatMap(({ labels, samples }) => samples.map(([t, v]) => [labels, t, v] as const)),
  );
  return { source: head, decode };
});

runSeriesSourceAcceptance("a head after a restart, replica being an external label", async (series) => {
  const ports = testPorts();
  const options = { externalLabels: labelsFromRecord({ replica: "0" }) };
  const without = (labels: Labels) =>
    labelsFromPairs(Object.entries(Object.fromEntries(pairs(labels))).filter(([name]) => name !== "replica"));
  const head = await openTestHead(ports, options);
  await appendAll(
    head,
    series.flatMap(({ labels, samples }) => samples.map(([t, v]) => [without(labels), t, v] as const)),
  );
  await head.close();
  return { source: await openTestHead(ports, options), decode };
});

function pairs(labels: Labels): [string, string][] {
  return Array.from({ length: labels.length / 2 }, (_, i) => [labels[2 * i] ?? "", labels[2 * i + 1] ?? ""]);
}

const up = named("up", { job: "node" });

describe("appending", () => {
  const cases: readonly (readonly [
    rule: string,
    samples: readonly (readonly [number, number])[],
    outcomes: string[],
  ])[] = [
    [
      "samples of a series ascend in time",
      [
        [10, 1],
        [20, 2],
        [15, 3],
      ],
      ["appended", "appended", "out-of-order"],
    ],
    [
      "the same sample again is fine",
      [
        [10, 1],
        [10, 1],
      ],
      ["appended", "appended"],
    ],
    [
      "another value at the same time is a duplicate",
      [
        [10, 1],
        [10, 2],
      ],
      ["appended", "duplicate"],
    ],
    [
      "0 and -0 are other values",
      [
        [10, 0],
        [10, -0],
      ],
      ["appended", "duplicate"],
    ],
    [
      "a time must be whole",
      [
        [10.5, 1],
        [NaN, 1],
        [Infinity, 1],
      ],
      ["out-of-bounds", "out-of-bounds", "out-of-bounds"],
    ],
    ["a time far ahead of the clock is out of bounds", [[startMs + 600_001, 1]], ["out-of-bounds"]],
    ["a time a little ahead of the clock is fine", [[startMs + 600_000, 1]], ["appended"]],
  ];
  for (const [rule, samples, outcomes] of cases) {
    it(`in one transaction: ${rule}`, async () => {
      const head = await openTestHead();
      const appender = head.appender();
      const ref = appender.series(up) as SeriesRef;
      expect(samples.map(([t, v]) => appender.append(ref, t, v))).toEqual(outcomes);
    });
    it(`over transactions: ${rule}`, async () => {
      const head = await openTestHead();
      const got: string[] = [];
      for (const [t, v] of samples) {
        const appender = head.appender();
        got.push(appender.append(appender.series(up) as SeriesRef, t, v));
        expect((await appender.commit()).ok).toBe(true);
      }
      expect(got).toEqual(outcomes);
    });
  }

  it("refuses what is older than half a chunk range behind the newest sample of the head", async () => {
    const head = await openTestHead();
    await appendAll(head, [[up, startMs, 1]]);
    const appender = head.appender();
    const other = appender.series(named("other")) as SeriesRef;
    expect(appender.append(other, startMs - 3_600_001, 1)).toBe("out-of-bounds");
    expect(appender.append(other, startMs - 3_600_000, 1)).toBe("appended");
  });

  it("shows nothing before the commit, nothing after a rollback", async () => {
    const head = await openTestHead();
    const appender = head.appender();
    appender.append(appender.series(up) as SeriesRef, 10, 1);
    expect(await dump(head)).toEqual([]);
    appender.rollback();
    expect(await dump(head)).toEqual([]);
    expect(() => appender.series(up)).toThrow("rolled back");
    expect((await head.maintain(startMs)).ok).toBe(true);
    expect(head.statistics().series).toBe(0);
  });

  it("keeps the bits of a staleness marker, from commit over replay to select", async () => {
    const ports = testPorts();
    const head = await openTestHead(ports);
    const appender = head.appender();
    const ref = appender.series(up) as SeriesRef;
    expect(appender.appendStale(ref, 10)).toBe("appended");
    expect(appender.append(ref, 11, NaN)).toBe("appended");
    await appender.commit();
    const wanted = ['up{job="node"} 10 7ff0000000000002', 'up{job="node"} 11 7ff8000000000001'];
    expect(await dump(head)).toEqual(wanted);
    expect(await dump(await openTestHead(ports))).toEqual(wanted);
  });

  it("leaves nothing of a failed commit in the way of the next, wherever the disk refused", async () => {
    // Three records of the log, which do not fit the rest of a segment.
    const count = 60_000;
    for (const operation of [2, 3]) {
      const ports = testPorts();
      const head = await openTestHead(ports, { walSegmentBytes: 800_000 });
      const first = head.appender();
      const ref = first.series(up) as SeriesRef;
      for (let t = 0; t < count / 2; t++) first.append(ref, t, t);
      expect((await first.commit()).ok).toBe(true);
      const refused = head.appender();
      for (let t = count; t < 2 * count; t++) refused.append(ref, t, t);
      ports.files.failFrom(operation, "ENOSPC");
      const outcome = await refused.commit();
      ports.files.heal();
      if (outcome.ok || outcome.failure.kind === "sealed") continue;
      await appendAll(head, [
        [up, count - 1, 5],
        [up, count, 6],
      ]);
      const lines = await dump(await openTestHead(ports));
      expect(lines.slice(count / 2), `refused at ${operation}`).toEqual((await dump(head)).slice(count / 2));
      expect(lines).toHaveLength(count / 2 + 2);
    }
  });

  it.each(["fails", "is rolled back"])("keeps a new series of two transactions when the first one %s", async (fate) => {
    const ports = testPorts();
    const head = await openTestHead(ports);
    const [first, second] = [head.appender(), head.appender()];
    first.append(first.series(up) as SeriesRef, 1, 1);
    second.append(second.series(up) as SeriesRef, 2, 2);
    if (fate === "fails") {
      ports.files.failFrom(1, "ENOSPC");
      expect((await first.commit()).ok).toBe(false);
      ports.files.heal();
    } else first.rollback();
    expect((await second.commit()).ok).toBe(true);
    const all = await dump(head);
    expect(all).toHaveLength(1);
    // Its labels are in the log, though the transaction that made it never came there.
    expect(await dump(await openTestHead(ports))).toEqual(all);
  });

  it("drops from a commit what another commit has overtaken", async () => {
    const head = await openTestHead();
    const [slow, quick] = [head.appender(), head.appender()];
    const ref = slow.series(up) as SeriesRef;
    slow.append(ref, 10, 1);
    quick.append(ref, 20, 2);
    slow.append(ref, 5, 1);
    // At the very time of the other.
    slow.append(ref, 20, 1);
    slow.append(ref, 30, 3);
    expect(await quick.commit()).toEqual({
      ok: true,
      value: { samples: 1, outOfOrder: 0, overtaken: 0, newSeries: 1 },
    });
    expect(await slow.commit()).toEqual({
      ok: true,
      value: { samples: 1, outOfOrder: 0, overtaken: 3, newSeries: 0 },
    });
    expect((await dump(head)).map((line) => line.split(" ")[1])).toEqual(["20", "30"]);
  });

  it.each([
    ["no labels", labelsFromSorted([]), "invalid-labels"],
    ["names out of order", labelsFromSorted(["b", "1", "a", "1"]), "invalid-labels"],
    ["a repeated name", labelsFromSorted(["a", "1", "a", "2"]), "invalid-labels"],
    ["an empty value", labelsFromSorted(["a", ""]), "invalid-labels"],
    ["half a character", labelsFromSorted(["a", "\ud800"]), "invalid-labels"],
    ["too many labels", labelsFromSorted(["a", "1", "b", "1", "c", "1"]), "labels-per-series"],
    ["a name of too many bytes", labelsFromSorted(["äöü", "1"]), "label-name-bytes"],
    ["a value of too many bytes", labelsFromSorted(["a", "123456789"]), "label-value-bytes"],
  ])("refuses a series: %s", async (_, labels, reason) => {
    const limits = {
      seriesMax: 10,
      labelsPerSeriesMax: 2,
      labelNameBytesMax: 5,
      labelValueBytesMax: 8,
    };
    const head = await openTestHead(testPorts(), { limits });
    const refusal = head.appender().series(labels);
    expect(typeof refusal === "object" && (refusal.kind === "limit" ? refusal.of : refusal.kind)).toBe(reason);
  });

  it("refuses new series above its limit, and goes on with those it has", async () => {
    const limits = { ...testOptions.limits, seriesMax: 1 };
    const head = await openTestHead(testPorts(), { limits });
    await appendAll(head, [[up, 10, 1]]);
    const appender = head.appender();
    expect(appender.series(named("other"))).toEqual({ kind: "limit", of: "series", max: 1 });
    expect(appender.append(appender.series(up) as SeriesRef, 20, 1)).toBe("appended");
  });
});

describe("external labels", () => {
  const externalLabels = labelsFromRecord({ cluster: "c1", replica: "0" });
  const open = async () => {
    const head = await openTestHead(testPorts(), { externalLabels });
    await appendAll(head, [
      [named("up", { zone: "a" }), 10, 1],
      [named("up", { cluster: "mine", zone: "a" }), 20, 2],
      [named("up", { cluster: "mine" }), 10, 3],
    ]);
    return head;
  };
  const everything = { ...plainSelect, onFailure: "warn", limit: 0 } as const;

  it("are on every series and hide its own; what is then one series is given once", async () => {
    expect((await dump(await open())).map((line) => line.slice(0, -17))).toEqual([
      'up{cluster="c1", replica="0"} 10',
      'up{cluster="c1", replica="0", zone="a"} 10',
      'up{cluster="c1", replica="0", zone="a"} 20',
    ]);
  });

  it.each([
    ["=", "cluster", "c1", 3],
    ["=", "cluster", "mine", 0],
    ["!=", "cluster", "c1", 0],
    ["=~", "cluster", "c.*", 3],
    ["=", "replica", "", 0],
    ["!~", "replica", "1|2", 3],
  ] as const)("are what matchers see: %s %s %s", async (type, name, value, count) => {
    expect(await dump(await open(), { matchers: [{ type, name, value }] })).toHaveLength(count);
  });

  it("are among names and values", async () => {
    const head = await open();
    const { signal } = new AbortController();
    const names = await head.labelNames(everything, signal);
    expect(names.ok && names.value.values).toEqual(["__name__", "cluster", "replica", "zone"]);
    const values = await head.labelValues("cluster", everything, signal);
    expect(values.ok && values.value.values).toEqual(["c1"]);
    const none = await head.labelValues(
      "cluster",
      { ...everything, matchers: [{ type: "=", name: "zone", value: "b" }] },
      signal,
    );
    expect(none.ok && none.value.values).toEqual([]);
    const late = await head.labelNames({ ...everything, minTimeMs: 15, withoutLabels: ["replica"] }, signal);
    expect(late.ok && late.value.values).toEqual(["__name__", "cluster", "zone"]);
  });
});

describe("chunks", () => {
  const chunkTimes = async (head: Head) => {
    const batch = await head.select(plainSelect, new AbortController().signal).next();
    return (batch?.[0]?.chunks ?? []).map((chunk) => [chunk.minTimeMs, chunk.maxTimeMs]);
  };

  it("close when they are full, and at multiples of the chunk range", async () => {
    const head = await openTestHead(testPorts(), { samplesPerChunk: 3, chunkRangeMs: 100 });
    await appendAll(
      head,
      [0, 10, 20, 30, 99, 100, 110, 250].map((t) => [up, t, t]),
    );
    expect(await chunkTimes(head)).toEqual([
      [0, 20],
      [30, 99],
      [100, 110],
      [250, 250],
    ]);
    expect(head.statistics()).toMatchObject({ chunks: 4, series: 1, minTimeMs: 0, maxTimeMs: 250 });
  });

  it("that are handed out do not change with later appends", async () => {
    const head = await openTestHead();
    await appendAll(head, [[up, 0, 1]]);
    const batch = await head.select(plainSelect, new AbortController().signal).next();
    const content = batch?.[0]?.chunks[0]?.content;
    const before = content?.kind === "raw" ? content.data.slice() : undefined;
    await appendAll(
      head,
      Array.from({ length: 300 }, (_, i) => [up, 10 + i, i * i]),
    );
    expect(content?.kind === "raw" ? content.data : undefined).toEqual(before);
  });
});

describe("maintenance", () => {
  const options = {
    retentionMs: 1000,
    chunkRangeMs: 200,
    samplesPerChunk: 5,
    checkpointBytesMin: 0,
  };
  const files = (ports: ReturnType<typeof testPorts>) => [...ports.files.contents.keys()].sort();

  it("drops chunks and files past retention, and forgets series without samples", async () => {
    const ports = testPorts();
    const head = await openTestHead(ports, options);
    const old = named("old");
    await appendAll(head, [
      [old, 0, 1],
      ...Array.from({ length: 30 }, (_, i) => [up, i * 100, i] as const).slice(0, 1),
    ]);
    for (let t = 100; t < 3000; t += 50) await appendAll(head, [[up, t, t]]);
    const first = head.appender();
    const oldRef = first.series(old) as SeriesRef;
    first.rollback();
    const before = head.statistics();
    const result = await head.maintain(startMs);
    expect(result).toMatchObject({ ok: true, value: { forgottenSeries: 1, isLogTruncated: true } });
    const after = head.statistics();
    expect(after.series).toBe(1);
    expect(after.chunks).toBeLessThan(before.chunks);
    expect(after.minTimeMs).toBeGreaterThanOrEqual(1700);
    expect(after.minTimeMs).toBeLessThanOrEqual(1950);
    expect(result.ok && result.value.droppedFiles).toBeGreaterThan(3);
    const appender = head.appender();
    expect(appender.append(oldRef, 3000, 1)).toBe("unknown-series");
    const lines = await dump(head);
    const again = await openTestHead(ports, options);
    expect(await dump(again)).toEqual(lines);
    const { signal } = new AbortController();
    const values = await again.labelValues("__name__", { ...plainSelect, onFailure: "warn", limit: 0 }, signal);
    expect(values.ok && values.value.values).toEqual(["up"]);
  });

  it("cuts the log behind a checkpoint, from which a head comes back", async () => {
    const ports = testPorts();
    const head = await openTestHead(ports, options);
    for (let t = 100; t < 600; t += 50)
      await appendAll(head, [
        [up, t, t],
        [named("b", { x: "ä" }), t, -t],
      ]);
    expect(await head.maintain(startMs)).toMatchObject({
      ok: true,
      value: { isLogTruncated: true },
    });
    expect(files(ports).filter((path) => path.includes("/wal/"))).toEqual(["/data/wal/checkpoint.00000000/00000000"]);
    for (let t = 600; t < 700; t += 50) await appendAll(head, [[up, t, t]]);
    const lines = await dump(head);
    expect(await dump(await openTestHead(ports, options))).toEqual(lines);
    expect(await head.maintain(startMs)).toMatchObject({ ok: true });
    expect(await dump(await openTestHead(ports, options))).toEqual(lines);
  });

  it("counts retention from the newest sample, however far the clock has jumped", async () => {
    const head = await openTestHead(testPorts(), options);
    await appendAll(head, [[up, 0, 1]]);
    await head.maintain(startMs + 1e12);
    expect(await dump(head)).toHaveLength(1);
  });

  it("keeps a series that an open transaction names", async () => {
    const head = await openTestHead(testPorts(), options);
    await appendAll(head, [
      [up, 0, 1],
      [named("new"), 1500, 1],
    ]);
    const appender = head.appender();
    const ref = appender.series(up) as SeriesRef;
    await head.maintain(startMs);
    expect(appender.append(ref, 1600, 1)).toBe("appended");
    expect(await appender.commit()).toMatchObject({ ok: true, value: { samples: 1 } });
    expect(await dump(head)).toHaveLength(2);
  });

  it("keeps what transactions name that begin while it is under way", async () => {
    const ports = testPorts();
    let ticks = 0;
    let meanwhile = () => {};
    const clock = {
      ...ports.clock,
      monotonicMs: () => (ticks += 10),
      yield: async () => meanwhile(),
    };
    const head = await openTestHead({ ...ports, clock }, options);
    await appendAll(head, [
      [up, 0, 1],
      [named("newest"), 1500, 1],
    ]);
    const appender = head.appender();
    meanwhile = () => {
      for (const labels of [up, named("fresh")]) {
        expect(appender.append(appender.series(labels) as SeriesRef, 1600, 1)).toBe("appended");
      }
    };
    const maintained = await head.maintain(startMs);
    meanwhile = () => {};
    expect(maintained).toMatchObject({ ok: true, value: { droppedChunks: 1, forgottenSeries: 0 } });
    expect(await appender.commit()).toMatchObject({
      ok: true,
      value: { samples: 2, outOfOrder: 0, overtaken: 0 },
    });
    expect(await dump(head)).toHaveLength(3);
  });

  it("goes on where somebody has removed files of expired chunks", async () => {
    const ports = testPorts();
    const head = await openTestHead(ports, options);
    for (let t = 100; t < 3000; t += 50) await appendAll(head, [[up, t, t]]);
    for (const number of [1, 2, 3]) expect(ports.files.contents.delete(`/data/chunks_head/00000${number}`)).toBe(true);
    expect(await head.maintain(startMs)).toMatchObject({
      ok: true,
      value: { isLogTruncated: true },
    });
  });

  it("leaves no half of a checkpoint on a full disk", async () => {
    const ports = testPorts();
    let isFull = true;
    const open: HeadPorts["files"]["open"] = async (path, mode) => {
      const file = await ports.files.open(path, mode);
      const full = async () => await Promise.reject(new FileError("ENOSPC", "append", path));
      return isFull && path.includes("checkpoint") ? { ...file, append: full } : file;
    };
    const head = await openTestHead({ ...ports, files: { ...ports.files, open } }, options);
    await appendAll(head, [[up, 0, 1]]);
    expect(await head.maintain(startMs)).toMatchObject({
      ok: false,
      failure: { kind: "files", code: "ENOSPC" },
    });
    expect(files(ports)).toEqual(["/data/wal/00000000"]);
    isFull = false;
    expect(await head.maintain(startMs)).toMatchObject({
      ok: true,
      value: { isLogTruncated: true },
    });
  });

  it("knows a series again that was forgotten and came back, under both of its references", async () => {
    const ports = testPorts();
    const noCheckpoint = { ...options, checkpointBytesMin: 1e9 };
    const head = await openTestHead(ports, noCheckpoint);
    await appendAll(head, [
      [up, 0, 1],
      [named("new"), 1500, 1],
    ]);
    expect(await head.maintain(startMs)).toMatchObject({ ok: true, value: { forgottenSeries: 1 } });
    for (let t = 1500; t < 1800; t += 20) await appendAll(head, [[up, t, 1]]);
    const lines = await dump(head);
    // Files still hold the old sample: it comes back until the next maintenance.
    const young = (all: string[]) => all.filter((line) => !line.startsWith('up{job="node"} 0 '));
    const second = await openTestHead(ports, options);
    expect(young(await dump(second))).toEqual(lines);
    expect(await second.maintain(startMs)).toMatchObject({
      ok: true,
      value: { isLogTruncated: true },
    });
    for (let t = 1800; t < 1900; t += 20) await appendAll(second, [[up, t, 1]]);
    const later = await dump(second);
    expect(young(await dump(await openTestHead(ports, options)))).toEqual(later);
  });
});

describe("a closed head", () => {
  it("answers that it is unavailable, and refuses writes", async () => {
    const ports = testPorts();
    const head = await openTestHead(ports);
    await appendAll(head, [[up, 0, 1]]);
    const late = head.appender();
    expect(await head.close()).toEqual({ ok: true, value: undefined });
    expect(await head.close()).toEqual({ ok: true, value: undefined });
    const cursor = head.select(plainSelect, new AbortController().signal);
    expect(await cursor.next()).toBeUndefined();
    expect(cursor.failure?.kind).toBe("unavailable");
    expect(await late.commit()).toEqual({ ok: false, failure: { kind: "closed" } });
    expect(await head.maintain(0)).toEqual({ ok: false, failure: { kind: "closed" } });
  });
});

describe("chunks", () => {
  it.each([
    ["every 15 s, from the start of a range", 15, 0, [120, 120, 120, 120]],
    ["every 15 s, from a quarter of it on", 15, 1800, [120, 120, 120]],
    ["every 10 s, for the last 30 minutes", 10, 5400, [180]],
    ["every 30 s", 30, 0, [120, 120]],
    ["every 40 s", 40, 0, [180]],
    ["every 7 s", 7, 0, [129, 129, 129, 129, 129, 128, 128, 128]],
  ] as const)("end as Prometheus ends them: a sample %s", async (_rule, intervalSeconds, fromSeconds, lengths) => {
    const rangeStartMs = 1_699_992_000_000;
    const head = await openTestHead(testPorts({ startMs: rangeStartMs + 7_200_000 }));
    for (let t = fromSeconds * 1000; t < 7_200_000; t += intervalSeconds * 1000) {
      await appendAll(head, [[up, rangeStartMs + t, t]]);
    }
    await appendAll(head, [[up, rangeStartMs + 7_200_000, 0]]);
    const { series } = await collectSeries(head.select(plainSelect, new AbortController().signal));
    const counts = series[0]?.chunks.map(({ content }) => content.kind === "raw" && decode(1, content.data).length);
    expect(counts).toEqual([...lengths, 1]);
  });
});

describe("a head whose datasync failed", () => {
  const options = { samplesPerChunk: 2, checkpointBytesMin: 0 };
  for (const [of, part] of [
    ["the log", "/wal/"],
    ["closed chunks", "/chunks_head/"],
  ] as const) {
    it(`takes nothing more: that of ${of}`, async () => {
      const ports = testPorts();
      const opened = new Set<string>();
      const head = await openTestHead(
        {
          ...ports,
          files: {
            ...ports.files,
            open: async (path, mode) => {
              const file = await ports.files.open(path, mode);
              opened.add(path);
              const fail = async () => await Promise.reject(new FileError("EIO", "datasync", path));
              const close = async () => {
                opened.delete(path);
                await file.close();
              };
              return { ...file, close, ...(path.includes(part) && { datasync: fail }) };
            },
          },
        },
        options,
      );
      for (let t = 0; t < 9; t++) {
        const appender = head.appender();
        appender.append(appender.series(up) as SeriesRef, t, t);
        await appender.commit();
        if (t === 5)
          expect(await head.maintain(startMs)).toMatchObject({
            ok: false,
            failure: { kind: "sealed" },
          });
      }
      const appender = head.appender();
      appender.append(appender.series(up) as SeriesRef, 10, 1);
      expect(await appender.commit()).toMatchObject({ ok: false, failure: { kind: "sealed" } });
      const importer = head.importer();
      expect(await importer.commit()).toMatchObject({ ok: false, failure: { kind: "sealed" } });
      expect((await dump(head)).length).toBeGreaterThan(2);
      await head.close();
      expect(opened).toEqual(new Set());
    });
  }
});

describe("a head whose log has failed to reach the disk", () => {
  it("takes nothing until a maintenance has brought all that was acknowledged to disk anew, then goes on", async () => {
    const ports = testPorts();
    let failures = 0;
    const failing = {
      ...ports,
      files: {
        ...ports.files,
        open: async (path: string, mode: "read" | "append" | "create-new") => {
          const file = await ports.files.open(path, mode);
          const datasync = async () => {
            if (failures === 0) return await file.datasync();
            failures--;
            throw new FileError("EIO", "datasync", path);
          };
          return { ...file, datasync };
        },
      },
    };
    const head = await openTestHead(failing, { samplesPerChunk: 4, checkpointBytesMin: 1e9 });
    for (let t = 0; t < 10; t++) await appendAll(head, [[up, t, t]]);
    const acknowledged = await dump(head);
    // That of the log, then that of the first checkpoint.
    failures = 2;
    expect(await head.maintain(startMs)).toMatchObject({ ok: false, failure: { kind: "sealed" } });
    const refused = head.appender();
    refused.append(refused.series(up) as SeriesRef, 10, 10);
    expect(await refused.commit()).toMatchObject({ ok: false, failure: { kind: "sealed" } });
    expect(await head.maintain(startMs)).toMatchObject({ ok: false, failure: { kind: "sealed" } });
    expect(await dump(head)).toEqual(acknowledged);
    expect((await head.maintain(startMs)).ok).toBe(true);
    // The segment in doubt is gone: what is there now was synced.
    expect(await ports.files.list("/data/wal")).toEqual(["checkpoint.00000000"]);
    await appendAll(head, [[up, 11, 11]]);
    const all = await dump(head);
    expect(all.slice(0, -1)).toEqual(acknowledged);
    expect(await dump(await openTestHead(ports, { samplesPerChunk: 4 }))).toEqual(all);
  });
});

describe("opening", () => {
  it("fails with the disk's own words where the directory cannot be made", async () => {
    const ports = testPorts();
    ports.files.failFrom(1, "EROFS");
    const opened = await openHead(testOptions, ports);
    expect(opened).toEqual({
      ok: false,
      failure: { kind: "files", code: "EROFS", reason: "EROFS: makeDirectory /data/wal" },
    });
  });

  it("writes nothing before there is something to write", async () => {
    const ports = testPorts();
    for (let i = 0; i < 3; i++) await (await openTestHead(ports)).close();
    expect([...ports.files.contents.keys()]).toEqual([]);
  });
});
