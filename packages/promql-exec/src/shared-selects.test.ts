import { encodeXor } from "@pleiad/chunks";
import { cursorOf, labelsFromRecord, ok, xorEncoding, type SeriesSource, type SourceFailure } from "@pleiad/model";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import { describe, expect, it } from "vitest";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import { defaultLimits } from "./limits.ts";

const times = Float64Array.from({ length: 60 }, (_, i) => i * 10_000);
const data = encodeXor(times, times, 0, times.length);
const content = { kind: "raw", encoding: xorEncoding, data } as const;
const series = ["a", "b"].map((name) => ({
  labels: labelsFromRecord({ __name__: "x", name }),
  chunks: [{ minTimeMs: 0, maxTimeMs: 590_000, content }],
}));

/** The answer to a query, and how often the source was asked. */
async function ask(
  query: string,
  ending: { failure?: SourceFailure; warnings?: readonly string[] } = {},
  samplesMax = 1e6,
) {
  let selects = 0;
  const source: SeriesSource = {
    select() {
      selects++;
      return cursorOf(series, ending);
    },
    labelNames: async () => ok({ values: [], warnings: [] }),
    labelValues: async () => ok({ values: [], warnings: [] }),
  };
  const ports = { clock: manualClock(), observations: silentObservations() };
  const engine = createEngine({ ...defaultEngineOptions, limits: { ...defaultLimits, samplesMax } }, ports);
  const select = { withoutLabels: [], maxResolutionMs: 0, onFailure: "abort" } as const;
  const range = { startMs: 0, endMs: 600_000, stepMs: 60_000 };
  return { result: await engine.range({ query, ...range, select }, source, new AbortController().signal), selects };
}

describe("a select that a query has more than once is read once", () => {
  it.each([
    ["two of the same", "x / x", 1],
    ["three of the same", "x + x - x", 1],
    ["below an aggregation and beside it", "x / on () group_left () sum(x)", 1],
    ["the same range of the same function", "rate(x[1m]) > 0 and rate(x[1m]) < 9", 1],
    ["different functions of one range", "rate(x[1m]) / increase(x[1m])", 1],
    ["other conditions", 'x / x{name=~"a|b"}', 2],
    ["another time", "x - x offset 1m", 2],
    ["another range", "rate(x[1m]) / rate(x[2m])", 2],
  ])("%s: %s", async (_, query, selects) => {
    const asked = await ask(query);
    expect(asked.result).toMatchObject({ ok: true });
    expect(asked.selects).toBe(selects);
  });

  it("with the same samples for each reader", async () => {
    const { result } = await ask("x - x");
    if (!result.ok || result.value.value.kind !== "matrix") throw new Error("no answer");
    expect(result.value.value.series).toHaveLength(2);
    for (const { values } of result.value.value.series) expect(values).toEqual(new Float64Array(11));
  });

  it("with what is missing told once, and a failure failing all", async () => {
    const whole = await ask("x / x", { warnings: ["a store is down"] });
    expect(whole.result).toMatchObject({ ok: true, value: { sourceWarnings: ["a store is down"] } });
    const failed = await ask("x / x", { failure: { kind: "unavailable", source: "s", reason: "down" } });
    expect(failed.result).toMatchObject({ ok: false, failure: { kind: "source" } });
  });

  it("and held out of the budget meanwhile", async () => {
    expect((await ask("x / x", {}, 40)).result).toMatchObject({ ok: false, failure: { kind: "execution" } });
  });
});
