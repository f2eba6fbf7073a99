/** Aggregations that share an input, against the same ones that each evaluate it: who counts samples shares nothing. */
import { seededRandom, type Random } from "@pleiad/ports";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import type { SeriesSource } from "@pleiad/model";
import { describe, expect, it } from "vitest";
import { createEngine, defaultEngineOptions, type EngineOptions } from "./engine.ts";
import { defaultLimits } from "./limits.ts";
import { loadedSource } from "./test-script-sources.ts";

const select = { withoutLabels: [], maxResolutionMs: 0, onFailure: "warn" } as const;
const { signal } = new AbortController();
const range = { startMs: 0, endMs: 20 * 60_000, stepMs: 60_000 };

const engineWith = (options: Partial<EngineOptions> = {}) =>
  createEngine({ ...defaultEngineOptions, ...options }, { clock: manualClock(), observations: silentObservations() });

/** Two metrics of floats with gaps and odd values, and, in some, native histograms among them. */
function randomSource(random: Random): SeriesSource {
  const sample = () => {
    const kind = random.int(40);
    if (kind < 6) return "_";
    if (kind === 6) return ["NaN", "Inf", "-Inf", "stale", "1e308", "-0"][random.int(6)];
    return kind < 20 ? String(random.int(100)) : String(random.float() * 1000);
  };
  const histogram = () => `{{schema:0 sum:${random.int(9)} count:3 buckets:[1 2]}}`;
  const lines = ["x", "y", "c_total"].flatMap((metric) =>
    Array.from({ length: 6 }, (_, id) => {
      const isMixed = random.int(5) === 0;
      const samples = Array.from({ length: 21 }, () => (isMixed && random.int(4) === 0 ? histogram() : sample()));
      return `  ${metric}{a="${id % 2}", b="${id % 3}", id="${id}"} ${samples.join(" ")}`;
    }),
  );
  return loadedSource(`load 1m\n${lines.join("\n")}\n`);
}

const operators = ["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"] as const;
const inputs = [
  "x",
  "rate(c_total[5m])",
  "increase(x[3m])",
  "x / on (id) y",
  "x > 50",
  "x or y",
  "topk by (a) (2, x)",
  "sum_over_time((x * 2)[3m:1m])",
  "x @ 300 + on (id) group_left () y @ 300",
  'label_replace(x, "c", "$1", "id", "(.).*")',
  "sum by (a, b) (x)",
];
const groupings = ["by (a)", "by ()", "without (id)"];

describe("aggregations of one pass give what each of them gives alone, to the last bit and remark", () => {
  for (let seed = 1; seed <= 40; seed++) {
    it(`seed ${seed}`, async () => {
      const random = seededRandom(seed);
      const source = randomSource(random);
      const input = inputs[random.int(inputs.length)];
      const grouping = groupings[random.int(groupings.length)];
      const count = 2 + random.int(3);
      const parts = Array.from({ length: count }, (_, i) => {
        const one = `${operators[random.int(operators.length)]} ${grouping} (${input})`;
        return `label_replace(${one}, "part", "${i}", "", "")`;
      });
      const query = parts.join(" or ");
      const engine = engineWith({ leafResultsMin: random.int(2) * 64 });
      const ask = async (more: { readonly countSamples?: "total" }) => {
        const result = await engine.range({ query, ...range, select, ...more }, source, signal);
        if (!result.ok) return { query, failure: result.failure };
        const { value, warnings, infos } = result.value;
        return { query, series: value.kind === "matrix" ? value.series : [], remarks: [...warnings, ...infos].sort() };
      };
      expect(await ask({})).toEqual(await ask({ countSamples: "total" }));
    });
  }
});

describe("an input that aggregations share", () => {
  const source = randomSource(seededRandom(1));
  const operatorsOf = (query: string) => {
    const explained = engineWith().explain({ query, ...range, select }, source);
    if (!explained.ok) throw new Error(explained.failure.message);
    return explained.value.operators.join("\n");
  };

  it("is evaluated once", () => {
    const operatorsOfAverage = operatorsOf("sum(x / on (id) y) / count(x / on (id) y)");
    expect(operatorsOfAverage.match(/\/ one-to-one/g)).toHaveLength(2);
    expect(operatorsOfAverage).toContain("count by (), of the pass of sum");
  });

  it("is read once, and nothing of it is kept for others", async () => {
    const peakOf = async (query: string) => {
      const result = await engineWith().range({ query, ...range, select }, source, signal);
      return result.ok ? result.value.statistics.samplesPeak : NaN;
    };
    const groups = 2 * 21;
    const [one, two] = [await peakOf("sum by (a) (x ^ 2)"), await peakOf("sum by (a) (x ^ 2) / count by (a) (x ^ 2)")];
    expect(two).toBeLessThanOrEqual(one + 4 * groups);
  });

  it("has a bound: groups and steps of each that is computed", async () => {
    const limits = { ...defaultLimits, samplesMax: 150 };
    const query = "sum by (id) (x / on (id) y) / count by (id) (x / on (id) y)";
    const result = await engineWith({ limits }).range({ query, ...range, select }, source, signal);
    expect(result).toMatchObject({ ok: false, failure: { kind: "execution" } });
  });
});
