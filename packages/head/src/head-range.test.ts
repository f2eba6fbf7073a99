import { createSampleColumns, decodeChunk, encodeXor } from "@pleiad/chunks";
import { compareLabels, compareText, formatLabels, labelsFromRecord } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clipChunks, type TimedChunk } from "./chunk-clip.ts";
import { appendAll, dump, named, openTestHead } from "./head.fixtures.ts";
import type { HeadRange } from "./head-range.ts";
import type { Head } from "./head.ts";
import type { SeriesRef } from "./memory-series.ts";

const hourMs = 3_600_000;
/** A multiple of the chunk range. */
const rangeStartMs = 1_699_992_000_000;
const at = (hours: number) => rangeStartMs + hours * hourMs;
const nowOf = (hours: number) => testPorts({ startMs: at(hours) });

async function closed(head: Head, fromHours: number): Promise<HeadRange> {
  const range = await head.closeRange({ minTimeMs: at(fromHours), maxTimeMs: at(fromHours + 2) });
  if (!range.ok) throw new Error(range.failure.kind);
  return range.value;
}

/** A range as lines of `dump`, after a look at its order and bounds. */
async function linesOf(range: HeadRange): Promise<string[]> {
  const lines: string[] = [];
  const symbols = range.symbols();
  expect(symbols).toEqual([...new Set(symbols)].sort(compareText));
  let previous = labelsFromRecord({});
  for await (const { labels, chunks } of range.series()) {
    expect(compareLabels(previous, labels)).toBeLessThan(0);
    previous = labels;
    for (const text of labels) expect(symbols).toContain(text);
    let lastMs = range.minTimeMs - 1;
    for (const chunk of chunks) {
      const columns = createSampleColumns(chunk.sampleCount);
      expect(decodeChunk(chunk.encoding, chunk.data, columns)).toBeUndefined();
      expect(columns.count).toBe(chunk.sampleCount);
      expect([columns.timestampsMs[0], columns.timestampsMs[columns.count - 1]]).toEqual([
        chunk.minTimeMs,
        chunk.maxTimeMs,
      ]);
      expect(chunk.minTimeMs).toBeGreaterThan(lastMs);
      expect(chunk.maxTimeMs).toBeLessThan(range.maxTimeMs);
      lastMs = chunk.maxTimeMs;
      const bits = new BigUint64Array(columns.values.buffer);
      for (let i = 0; i < columns.count; i++) {
        const hex = (bits[i] ?? 0n).toString(16).padStart(16, "0");
        lines.push(`${formatLabels(labels)} ${columns.timestampsMs[i]} ${hex}`);
      }
    }
  }
  return lines;
}

describe("the range that a block may take over", () => {
  it.each([
    ["nothing of an empty head", [], undefined],
    ["nothing while the head spans one and a half ranges or less", [0.5, 3.5], undefined],
    ["the whole range that the oldest sample lies in, once it spans more", [0.5, 3.6], [0, 2]],
    ["the oldest range, of many", [-4, -1, 1, 3], [-4, -2]],
  ] as const)("is %s", async (_rule, hours, wanted) => {
    const head = await openTestHead(nowOf(10), { retentionMs: Infinity });
    for (const hour of hours) await appendAll(head, [[named("up"), at(hour), 1]]);
    const range = wanted && { minTimeMs: at(wanted[0]), maxTimeMs: at(wanted[1]) };
    expect(head.cuttableRange()).toEqual(range);
  });
});

describe("a closed range", () => {
  it("has every sample of its time, in chunks that lie in it, and the bits of staleness markers", async () => {
    const head = await openTestHead(nowOf(10), { retentionMs: Infinity, samplesPerChunk: 7 });
    for (let t = at(0); t < at(4); t += 600_000) {
      await appendAll(head, [
        [named("a"), t, t / 7],
        [named("b", { pod: "x" }), t + 1, 1],
      ]);
    }
    const appender = head.appender();
    appender.appendStale(appender.series(named("b", { pod: "x" })) as SeriesRef, at(3.99));
    await appender.commit();
    const all = await dump(head);
    expect(await linesOf(await closed(head, 0))).toEqual(all.filter((line) => timeOf(line) < at(2)));
    expect(await linesOf(await closed(head, 2))).toEqual(all.filter((line) => timeOf(line) >= at(2)));
    expect(all.at(-1)).toMatch(/7ff0000000000002$/);
  });

  it("tells series by the labels that they were made with, in the order of those", async () => {
    const externalLabels = labelsFromRecord({ cluster: "c", d: "x" });
    const head = await openTestHead(nowOf(1), { externalLabels });
    // With `d` between them, the second would come first.
    const series = [named("m", { a: "1" }), named("m", { a: "1", c: "2" }), named("m", { d: "hidden" })];
    await appendAll(
      head,
      series.map((labels) => [labels, at(1), 1] as const),
    );
    const range = await closed(head, 0);
    expect((await linesOf(range)).map((line) => line.replace(/ \d.*/, ""))).toEqual(series.map(formatLabels));
  });

  it("splits chunks that cross its borders", async () => {
    const head = await openTestHead(nowOf(10), { retentionMs: Infinity });
    const times = Float64Array.from({ length: 60 }, (_, i) => at(1) + i * 240_000);
    const importer = head.importer();
    const chunk = { minTimeMs: at(1), maxTimeMs: times[59] ?? 0, data: encodeXor(times, times, 0, 60) };
    expect(importer.add(named("past"), [chunk])).toBeUndefined();
    expect((await importer.commit()).ok).toBe(true);
    const all = await dump(head);
    const parts = [...(await linesOf(await closed(head, 0))), ...(await linesOf(await closed(head, 2)))];
    expect([...parts, ...(await linesOf(await closed(head, 4)))]).toEqual(all);
    expect((await head.truncate(at(2))).ok).toBe(true);
    expect(await dump(head)).toEqual(all.filter((line) => timeOf(line) >= at(2)));
  });

  it("takes no more samples, of commits under way and of imports neither", async () => {
    const head = await openTestHead(nowOf(10), { retentionMs: Infinity });
    await appendAll(head, [[named("a"), at(0.5), 1]]);
    const slow = head.appender();
    expect(slow.append(slow.series(named("a")) as SeriesRef, at(1.5), 1)).toBe("appended");
    const range = await closed(head, 0);
    expect(await slow.commit()).toMatchObject({ ok: true, value: { samples: 0, overtaken: 1 } });
    const late = head.appender();
    expect(late.append(late.series(named("a")) as SeriesRef, at(1.9), 1)).toBe("out-of-bounds");
    expect(late.append(late.series(named("a")) as SeriesRef, at(2), 1)).toBe("appended");
    const times = Float64Array.of(at(0.1));
    const data = encodeXor(times, times, 0, 1);
    const refusal = head.importer().add(named("b"), [{ minTimeMs: at(0.1), maxTimeMs: at(0.1), data }]);
    expect(refusal).toEqual({ kind: "overlap" });
    expect(await linesOf(range)).toHaveLength(1);
  });
});

describe("truncation", () => {
  async function threeRanges() {
    const ports = nowOf(10);
    const options = { retentionMs: Infinity, checkpointBytesMin: 1, chunkFileBytesMax: 400, samplesPerChunk: 4 };
    const head = await openTestHead(ports, options);
    for (let t = at(0); t < at(5.9); t += 600_000) {
      await appendAll(head, [[named("a"), t, t], ...(t < at(2) ? [[named("gone"), t, t] as const] : [])]);
    }
    return { ports, options, head, all: await dump(head) };
  }

  it("drops memory, files and log below a time, and nothing else; series without samples are forgotten", async () => {
    const { ports, options, head, all } = await threeRanges();
    const filesBefore = (await ports.files.list("/data/chunks_head")).length;
    const kept = all.filter((line) => timeOf(line) >= at(2));
    expect(await head.truncate(at(2))).toMatchObject({ ok: true, value: { forgottenSeries: 1, isLogTruncated: true } });
    expect(await dump(head)).toEqual(kept);
    expect((await ports.files.list("/data/chunks_head")).length).toBeLessThan(filesBefore);
    expect(head.statistics()).toMatchObject({ series: 1, minTimeMs: at(2) });
    await head.close();
    expect(await dump(await openTestHead(ports, options))).toEqual(kept);
  });

  it("is made up for by an opening that is told how far the blocks reach", async () => {
    const { ports, options, all } = await threeRanges();
    const minValidTimeMs = at(2);
    const head = await openTestHead(ports, { ...options, minValidTimeMs });
    expect(await dump(head)).toEqual(all.filter((line) => timeOf(line) >= at(2)));
    expect(head.statistics()).toMatchObject({ series: 1, minTimeMs: at(2) });
    const appender = head.appender();
    const ref = appender.series(named("new")) as SeriesRef;
    expect(appender.append(ref, at(1.99), 1)).toBe("out-of-bounds");
  });

  it("is nothing that maintenance does by itself", async () => {
    const { head, all } = await threeRanges();
    await closed(head, 0);
    expect((await head.maintain(at(1000))).ok).toBe(true);
    expect(await dump(head)).toEqual(all);
  });
});

const timeOf = (line: string) => Number(/ (\d+) [0-9a-f]{16}$/.exec(line)?.[1]);

describe("clipping chunks", () => {
  it("keeps every time of the range once, the first chunk's sample where two have it, by its bits", () => {
    const sample = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.double());
    const chunkSamples = fc.uniqueArray(sample, { minLength: 1, maxLength: 12, selector: ([t]) => t });
    const border = fc.integer({ min: -5, max: 65 });
    const property = fc.property(fc.array(chunkSamples, { maxLength: 5 }), border, border, (groups, a, b) => {
      const chunks: TimedChunk[] = [];
      const wanted = new Map<number, number>();
      for (const group of groups) {
        const sorted = group.toSorted((one, other) => one[0] - other[0]);
        const times = Float64Array.from(sorted, ([t]) => t);
        const data = encodeXor(
          times,
          Float64Array.from(sorted, ([, v]) => v),
          0,
          times.length,
        );
        chunks.push({ minTimeMs: times[0] ?? 0, maxTimeMs: times.at(-1) ?? 0, encoding: 1, data });
        for (const [t, value] of sorted) if (!wanted.has(t)) wanted.set(t, value);
      }
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const clipped = clipChunks(chunks, from, to, 5);
      if (!clipped.ok) throw new Error(clipped.failure.kind);
      const got: [number, number][] = [];
      for (const { data, sampleCount, minTimeMs, maxTimeMs } of clipped.value) {
        const columns = createSampleColumns(16);
        decodeChunk(1, data, columns);
        expect([columns.count, columns.timestampsMs[0]]).toEqual([sampleCount, minTimeMs]);
        expect(columns.timestampsMs[columns.count - 1]).toBe(maxTimeMs);
        for (let i = 0; i < columns.count; i++) got.push([columns.timestampsMs[i] ?? 0, columns.values[i] ?? 0]);
      }
      const inRange = [...wanted].filter(([t]) => t >= from && t < to).sort((one, other) => one[0] - other[0]);
      expect(got).toEqual(inRange);
    });
    fc.assert(property, { numRuns: 150 });
  });
});
