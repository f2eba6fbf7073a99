import { memoryFiles } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { gapFile, planPast, type PastQuestion } from "./cluster-past.ts";
import { scrapeTimes } from "./past-series.ts";

const hourMs = 3_600_000;
/** A multiple of two hours. */
const evenMs = 1_699_992_000_000;
const at = (hours: number) => evenMs + hours * hourMs;
const question: PastQuestion = {
  nowMs: at(1.2),
  backfillMs: 2 * hourMs,
  knownUntilMs: undefined,
  intervalMs: 30_000,
  offsetMs: 7_919,
};

describe("the past of a cluster at a start", () => {
  it("is the agent's for the newest hours, and a gap before its first sample", () => {
    const { fills, gap } = planPast(question);
    const [fill] = fills;
    expect(fills).toHaveLength(1);
    expect(fill?.untilMs).toBe(at(1.2));
    expect(fill?.fromMs).toBeGreaterThanOrEqual(at(-0.8));
    expect(fill?.fromMs).toBeLessThan(at(-0.8) + 30_000);
    expect(gap).toEqual({ fromMs: 0, untilMs: fill?.fromMs });
    expect(scrapeTimes(gap?.untilMs ?? 0, at(1), 30_000, 7_919)[0]).toBe(gap?.untilMs);
  });

  for (const [rule, offHours] of [
    ["a minute", 1 / 60],
    ["two hours", 2],
    ["as long as makes no whole block", 3],
  ] as const) {
    it(`is filled in by the agent after ${rule}`, () => {
      const knownUntilMs = at(1.2 - offHours);
      expect(planPast({ ...question, knownUntilMs })).toEqual({
        fills: [{ fromMs: knownUntilMs, untilMs: at(1.2) }],
        gap: undefined,
      });
    });
  }

  it("after a long time has a gap from the end of the agent's last block to its first new sample", () => {
    const { fills, gap } = planPast({ ...question, knownUntilMs: at(-30.5) });
    expect(fills).toHaveLength(2);
    expect(fills[0]).toEqual({ fromMs: at(-30.5), untilMs: at(-30) });
    expect(gap).toEqual({ fromMs: at(-30), untilMs: fills[1]?.fromMs });
    expect(fills[1]?.untilMs).toBe(at(1.2));
  });

  it("has nothing to be filled in where a clock went back", () => {
    expect(planPast({ ...question, knownUntilMs: at(5) })).toEqual({ fills: [], gap: undefined });
  });
});

describe("the file of gaps", () => {
  it("keeps those of all starts; a start that broke off and comes again has one", async () => {
    const files = memoryFiles();
    await files.makeDirectory("/d");
    const gaps = gapFile("/d/a.json", files);
    expect(await gaps.read()).toEqual({ ok: true, value: [] });
    await gaps.add({ fromMs: 0, untilMs: 5 });
    await gaps.add({ fromMs: 0, untilMs: 7 });
    await gaps.add({ fromMs: 9, untilMs: 12 });
    expect(await gapFile("/d/a.json", files).read()).toEqual({
      ok: true,
      value: [
        { fromMs: 0, untilMs: 7 },
        { fromMs: 9, untilMs: 12 },
      ],
    });
  });

  it("that is damaged is refused by name", async () => {
    const files = memoryFiles();
    await files.makeDirectory("/d");
    for (const text of ["{", '{"version":2,"pieces":[]}', '{"version":1,"pieces":[{"fromMs":"x","untilMs":1}]}']) {
      await files.writeFileAtomic("/d/a.json", new TextEncoder().encode(text));
      expect(await gapFile("/d/a.json", files).read()).toEqual({
        ok: false,
        failure: "/d/a.json is damaged; remove it, and what it tells of is made anew",
      });
    }
  });
});
