/** What topk, bottomk and limitk keep of random samples is what a sort of all of them puts first. */
import { encodeXor } from "@pleiad/chunks";
import { cursorOf, labelsFromRecord, labelValue, ok, xorEncoding, type SeriesSource } from "@pleiad/model";
import { manualClock, silentObservations } from "@pleiad/ports/testing";
import fc from "fast-check";
import { expect, it } from "vitest";
import { createEngine, defaultEngineOptions } from "./engine.ts";
import { allFeatures } from "./features.ts";

const engine = createEngine(
  { ...defaultEngineOptions, features: allFeatures },
  { clock: manualClock(), observations: silentObservations() },
);

/** A series a value, numbered in their order. */
function sourceOf(values: readonly number[]): SeriesSource {
  const series = values.map((value, i) => {
    const data = encodeXor(Float64Array.of(0), Float64Array.of(value), 0, 1).slice();
    const chunk = { minTimeMs: 0, maxTimeMs: 0, content: { kind: "raw", encoding: xorEncoding, data } } as const;
    return { labels: labelsFromRecord({ __name__: "x", number: String(i).padStart(4, "0") }), chunks: [chunk] };
  });
  const none = async () => ok({ values: [], warnings: [] });
  return { select: () => cursorOf(series), labelNames: none, labelValues: none };
}

async function numbersKept(query: string, values: readonly number[]): Promise<readonly number[]> {
  const select = { withoutLabels: [], maxResolutionMs: 0, onFailure: "warn" } as const;
  const result = await engine.instant({ query, timeMs: 0, select }, sourceOf(values), new AbortController().signal);
  if (!result.ok || result.value.value.kind !== "vector") throw new Error("no vector");
  return result.value.value.labels.map((labels) => Number(labelValue(labels, "number")));
}

/** Best first; equal ones as they come; NaN last. */
function sortedNumbers(values: readonly number[], isBetter: (a: number, b: number) => boolean): readonly number[] {
  const order = (a: number, b: number) => {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    return isBetter(a, b) ? -1 : isBetter(b, a) ? 1 : 0;
  };
  return values.map((_, i) => i).sort((a, b) => order(values[a], values[b]));
}

const anyValues = fc.array(fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom(NaN, Infinity, -Infinity)), {
  minLength: 1,
  maxLength: 120,
});

it.each([
  ["topk", (a: number, b: number) => a > b],
  ["bottomk", (a: number, b: number) => a < b],
] as const)("%s", async (name, isBetter) => {
  await fc.assert(
    fc.asyncProperty(anyValues, fc.integer({ min: 1, max: 130 }), async (values, count) => {
      expect(await numbersKept(`${name}(${count}, x)`, values)).toEqual(
        sortedNumbers(values, isBetter).slice(0, count),
      );
    }),
  );
});

it("limitk keeps the first ones", async () => {
  expect(await numbersKept("limitk(3, x)", [1, 9, NaN, 5])).toEqual([0, 1, 2]);
});
