import { labelsFromRecord, type Matcher } from "@pleiad/model";
import { testPorts } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { named, openTestHead } from "./head.fixtures.ts";
import type { Head } from "./head.ts";
import type { SeriesRef } from "./memory-series.ts";

const startMs = 1_699_992_000_000;

async function append(head: Head, name: string, timestampMs: number, value: number, trace = `t${value}`) {
  const appender = head.appender();
  const ref = appender.series(named(name)) as SeriesRef;
  appender.append(ref, startMs + 1_000_000 + timestampMs, value);
  const labels = labelsFromRecord({ trace_id: trace });
  const outcome = appender.appendExemplar(ref, { timestampMs: startMs + timestampMs, value, labels });
  expect((await appender.commit()).ok).toBe(true);
  return outcome;
}

/** `series: time value trace, …` */
function linesOf(head: Head, matchers: readonly Matcher[] = [], fromMs = 0, toMs = 1e9): string[] {
  const found = head.exemplars(matchers, startMs + fromMs, startMs + toMs);
  if (!found.ok) throw new Error(found.failure.kind);
  return found.value.map(({ labels, exemplars }) => {
    const texts = exemplars.map((one) => `${one.timestampMs - startMs} ${one.value} ${one.labels[1]}`);
    return `${labels[1]}: ${texts.join(", ")}`;
  });
}

const ports = () => testPorts({ startMs: startMs + 1e7 });

describe("exemplars", () => {
  it("are found by matchers and time, by series in label order", async () => {
    const head = await openTestHead(ports());
    for (const [name, t, value] of [
      ["b", 1, 1],
      ["a", 2, 2],
      ["b", 3, 3],
    ] as const)
      await append(head, name, t, value);
    expect(linesOf(head)).toEqual(["a: 2 2 t2", "b: 1 1 t1, 3 3 t3"]);
    expect(linesOf(head, [{ type: "=", name: "__name__", value: "b" }], 2, 3)).toEqual(["b: 3 3 t3"]);
    expect(linesOf(head, [], 4, 9)).toEqual([]);
  });

  it("ascend within a series; the same again is one", async () => {
    const head = await openTestHead(ports());
    expect(await append(head, "a", 5, 1)).toBe("appended");
    expect(await append(head, "a", 5, 1)).toBe("duplicate");
    expect(await append(head, "a", 5, 2)).toBe("out-of-order");
    expect(await append(head, "a", 4, 2)).toBe("out-of-order");
    expect(await append(head, "a", 6, 2, "x".repeat(121))).toBe("too-long");
    expect(await append(head, "a", 6, 2)).toBe("appended");
    expect(linesOf(head)).toEqual(["a: 5 1 t1, 6 2 t2"]);
  });

  it("are as many as the bound, the newest of all series", async () => {
    const head = await openTestHead(ports(), { exemplarsMax: 3 });
    for (let i = 1; i <= 5; i++) await append(head, i % 2 === 0 ? "even" : "odd", i, i);
    expect(linesOf(head)).toEqual(["even: 4 4 t4", "odd: 3 3 t3, 5 5 t5"]);
    expect(head.statistics().exemplars).toBe(3);
    const none = await openTestHead(ports(), { exemplarsMax: 0 });
    expect(await append(none, "a", 1, 1)).toBe("disabled");
  });

  it("survive a restart, by the log and by a checkpoint", async () => {
    const world = ports();
    const head = await openTestHead(world, { checkpointBytesMin: 1 });
    await append(head, "a", 1, 1);
    expect(await head.maintain(startMs)).toMatchObject({ value: { isLogTruncated: true } });
    await append(head, "a", 2, 2);
    const wanted = ["a: 1 1 t1, 2 2 t2"];
    expect(linesOf(head)).toEqual(wanted);
    expect(linesOf(await openTestHead(world))).toEqual(wanted);
  });

  it("of a commit that failed are not there", async () => {
    const world = ports();
    const head = await openTestHead(world);
    await append(head, "a", 1, 1);
    world.files.failFrom(1, "ENOSPC");
    const appender = head.appender();
    const ref = appender.series(named("a")) as SeriesRef;
    appender.appendExemplar(ref, { timestampMs: startMs + 2, value: 2, labels: labelsFromRecord({ trace_id: "x" }) });
    expect((await appender.commit()).ok).toBe(false);
    expect(linesOf(head)).toEqual(["a: 1 1 t1"]);
  });
});
