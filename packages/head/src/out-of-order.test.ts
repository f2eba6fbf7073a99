import { createSampleColumns, decodeChunk } from "@pleiad/chunks";
import { collectSeries, plainSelect } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { appendAll, dump, named, openTestHead } from "./head.fixtures.ts";
import type { Head } from "./head.ts";
import type { SeriesRef } from "./memory-series.ts";

const startMs = 1_699_992_000_000;
const windowMs = 10_000;
const options = { outOfOrderWindowMs: windowMs };
const a = named("a");

/** What becomes of samples of one series, a commit each. */
async function outcomesOf(head: Head, samples: readonly (readonly [timestampMs: number, value: number])[]) {
  const outcomes: string[] = [];
  for (const [timestampMs, value] of samples) {
    const appender = head.appender();
    outcomes.push(appender.append(appender.series(a) as SeriesRef, startMs + timestampMs, value));
    expect((await appender.commit()).ok).toBe(true);
  }
  return outcomes;
}

/** `time value` of every sample, as readers put chunks together: sorted, each time once. */
async function samplesOf(head: Head): Promise<string[]> {
  const { series } = await collectSeries(head.select(plainSelect, new AbortController().signal));
  const values = new Map<number, number>();
  for (const { chunks } of series) {
    let beforeMs = -Infinity;
    for (const { minTimeMs, content } of chunks) {
      expect(minTimeMs).toBeGreaterThanOrEqual(beforeMs);
      beforeMs = minTimeMs;
      if (content.kind !== "raw") throw new Error("a head has raw samples only");
      const columns = createSampleColumns(120);
      expect(decodeChunk(content.encoding, content.data, columns)).toBeUndefined();
      for (let i = 0; i < columns.count; i++) {
        const timestampMs = columns.timestampsMs[i] ?? 0;
        expect(values.has(timestampMs), `${timestampMs} twice`).toBe(false);
        values.set(timestampMs, columns.values[i] ?? 0);
      }
    }
  }
  return [...values].sort(([x], [y]) => x - y).map(([timestampMs, value]) => `${timestampMs - startMs} ${value}`);
}

describe("a sample out of order", () => {
  it.each([
    [
      "is taken within the window",
      [
        [20_000, 1],
        [15_000, 2],
      ],
      ["appended", "appended"],
      ["15000 2", "20000 1"],
    ],
    [
      "is refused before it",
      [
        [20_000, 1],
        [9_999, 2],
      ],
      ["appended", "out-of-order"],
      ["20000 1"],
    ],
    [
      "is fine again",
      [
        [20_000, 1],
        [15_000, 2],
        [15_000, 2],
      ],
      ["appended", "appended", "appended"],
      ["15000 2", "20000 1"],
    ],
    [
      "has one value",
      [
        [20_000, 1],
        [15_000, 2],
        [15_000, 3],
      ],
      ["appended", "appended", "duplicate"],
      ["15000 2", "20000 1"],
    ],
    [
      "has not another value than one in order",
      [
        [10_000, 1],
        [20_000, 2],
        [10_000, 1],
        [10_000, 3],
      ],
      ["appended", "appended", "appended", "duplicate"],
      ["10000 1", "20000 2"],
    ],
  ] as const)("%s", async (_rule, samples, outcomes, there) => {
    const head = await openTestHead(testPorts({ startMs: startMs + 1e6 }), options);
    expect(await outcomesOf(head, samples)).toEqual(outcomes);
    expect(await samplesOf(head)).toEqual(there);
  });

  it("is refused without a window, as ever", async () => {
    const head = await openTestHead(testPorts({ startMs: startMs + 1e6 }));
    expect(
      await outcomesOf(head, [
        [20_000, 1],
        [19_000, 2],
      ]),
    ).toEqual(["appended", "out-of-order"]);
  });

  it("is what a commit becomes that another has overtaken", async () => {
    const head = await openTestHead(testPorts({ startMs: startMs + 1e6 }), options);
    const slow = head.appender();
    slow.append(slow.series(a) as SeriesRef, startMs + 1000, 1);
    await appendAll(head, [[a, startMs + 2000, 2]]);
    expect(await slow.commit()).toMatchObject({ value: { samples: 1, outOfOrder: 1, overtaken: 0 } });
    expect(await samplesOf(head)).toEqual(["1000 1", "2000 2"]);
  });

  it("is told of by name, values, time range and matchers like any other", async () => {
    const head = await openTestHead(testPorts({ startMs: startMs + 1e7 }), { outOfOrderWindowMs: 5_000_000 });
    await appendAll(head, [[named("b"), startMs + 5_000_000, 1]]);
    // Its series has no other samples, and this one is older than the head takes in order.
    await appendAll(head, [[a, startMs, 1]]);
    expect(head.statistics()).toMatchObject({ minTimeMs: startMs, series: 2 });
    expect(await dump(head, { maxTimeMs: startMs })).toEqual([`a ${startMs} 3ff0000000000000`]);
    expect((await head.maintain(startMs + 5_000_000)).ok).toBe(true);
    expect(head.statistics().series).toBe(2);
  });
});

describe("a range that samples out of order may still come into", () => {
  it("is not cut, and once it is, has them", async () => {
    const hourMs = 3_600_000;
    const head = await openTestHead(testPorts({ startMs: startMs + 100 * hourMs }), {
      outOfOrderWindowMs: 4 * hourMs,
      retentionMs: Infinity,
    });
    for (let hour = 0; hour < 6; hour++) await appendAll(head, [[a, startMs + hour * hourMs, hour]]);
    expect(head.cuttableRange()).toBeUndefined();
    await appendAll(head, [[a, startMs + 1.5 * hourMs, -1]]);
    await appendAll(head, [[a, startMs + 6 * hourMs, 6]]);
    const range = head.cuttableRange();
    if (range === undefined) throw new Error("nothing to cut");
    const closed = await head.closeRange(range);
    if (!closed.ok) throw new Error(closed.failure.kind);
    const times: number[] = [];
    for await (const { chunks } of closed.value.series()) {
      for (const { encoding, data } of chunks) {
        const columns = createSampleColumns(8);
        decodeChunk(encoding, data, columns);
        times.push(...columns.timestampsMs.subarray(0, columns.count));
      }
    }
    expect(times.map((t) => (t - startMs) / hourMs)).toEqual([0, 1, 1.5]);
    expect((await head.truncate(range.maxTimeMs)).ok).toBe(true);
    expect((await samplesOf(head))[0]).toBe(`${2 * hourMs} 2`);
  });
});

describe("samples in any order", () => {
  it("are all there that were taken, each once, over chunks, checkpoints, segments and restarts", async () => {
    const act = fc.oneof(
      { weight: 30, arbitrary: fc.integer({ min: -windowMs, max: 500 }).map((t) => ({ kind: "sample", t }) as const) },
      { weight: 2, arbitrary: fc.constant({ kind: "maintain" } as const) },
      { weight: 1, arbitrary: fc.constant({ kind: "restart" } as const) },
    );
    const property = fc.asyncProperty(fc.array(act, { minLength: 50, maxLength: 300 }), async (acts) => {
      const ports = testPorts({ startMs: startMs + 1e9 });
      const small = { ...options, walSegmentBytes: 300, checkpointBytesMin: 500, samplesPerChunk: 9, retentionMs: 1e9 };
      let head = await openTestHead(ports, small);
      const taken = new Map<number, number>();
      let newestMs = 0;
      for (const [i, one] of acts.entries()) {
        if (one.kind === "maintain") expect((await head.maintain(startMs)).ok).toBe(true);
        else if (one.kind === "restart") {
          head = await openTestHead(ports, small);
        } else {
          const t = newestMs + one.t;
          const [outcome] = await outcomesOf(head, [[t, i]]);
          expect(outcome).toBe(taken.has(t) ? "duplicate" : "appended");
          if (!taken.has(t)) taken.set(t, i);
          newestMs = Math.max(newestMs, t);
        }
      }
      const wanted = [...taken].sort(([x], [y]) => x - y).map(([t, value]) => `${t} ${value}`);
      expect(await samplesOf(head)).toEqual(wanted);
      expect(await samplesOf(await openTestHead(ports, small))).toEqual(wanted);
    });
    await fc.assert(property, { numRuns: 25 });
  });
});

describe("the log of samples out of order", () => {
  it("goes segment by segment once all in it is past retention", async () => {
    const ports = testPorts({ startMs: startMs + 1e9 });
    const head = await openTestHead(ports, { ...options, walSegmentBytes: 200, retentionMs: 60_000 });
    for (let t = 20_000; t < 200_000; t += 1000) {
      await outcomesOf(head, [
        [t, t],
        [t - 5500, t],
      ]);
      expect((await head.maintain(startMs + 1e9)).ok).toBe(true);
    }
    const segments = await ports.files.list("/data/wbl");
    expect(segments.length).toBeGreaterThan(3);
    expect(segments.length).toBeLessThan(20);
    expect(Number(segments[0])).toBeGreaterThan(10);
  });
});
