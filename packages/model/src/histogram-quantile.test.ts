import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { histogramFraction, histogramQuantile, histogramVariance } from "./histogram-quantile.ts";
import { exponentialHistograms, histogramOf } from "./histogram.testing.ts";

const positive = histogramOf({ zeroThreshold: 0.001, zeroCount: 2, positive: { 1: 4, 2: 4 }, sum: 18 });
const custom = histogramOf({ bounds: [1, 2, 4], positive: { 0: 4, 1: 4, 2: 8, 3: 4 }, sum: 40 });

const closeTo = (value: number) => (Number.isFinite(value) ? expect.closeTo(value, 12) : value);

/** Buckets and zero bucket do not overlap. */
const separateHistograms = exponentialHistograms.map((histogram) => ({ ...histogram, zeroThreshold: 0 }));

describe("quantiles", () => {
  for (const [rule, phi, histogram, value] of [
    ["below 0", -0.1, positive, -Infinity],
    ["above 1", 1.1, positive, Infinity],
    ["of no observations", 0.5, histogramOf({}), NaN],
    ["in the middle of an exponential bucket", 0.4, positive, Math.SQRT2],
    ["at the upper end of a bucket, from above", 1, positive, 4],
    ["in a zero bucket beside positive buckets: from 0", 0.1, positive, 0.0005],
    ["in a custom bucket: linear", 0.3, custom, 1.5],
    ["in the first custom bucket: from 0", 0.1, custom, 0.5],
    ["in the last custom bucket: its lower bound", 0.95, custom, 4],
    ["of negative buckets", 0.5, histogramOf({ negative: { 1: 4 }, sum: -5 }), -Math.SQRT2],
  ] as const) {
    it(rule, () => expect(histogramQuantile(phi, histogram).value).toEqual(closeTo(value)));
  }

  it("say what observations of NaN do", () => {
    const withNaN = { ...positive, count: 20, sum: NaN };
    expect(histogramQuantile(0.9, withNaN)).toEqual({ value: NaN, nanEffect: "result" });
    expect(histogramQuantile(0.2, withNaN)).toEqual({ value: Math.SQRT2, nanEffect: "skew" });
  });

  it("ascend with φ", () => {
    fc.assert(
      fc.property(
        separateHistograms,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (histogram, a, b) => {
          fc.pre(histogram.count > 0);
          const low = histogramQuantile(Math.min(a, b), histogram).value;
          const high = histogramQuantile(Math.max(a, b), histogram).value;
          expect(low).toBeLessThanOrEqual(high + 1e-9 * Math.abs(high));
        },
      ),
    );
  });
});

describe("fractions", () => {
  for (const [rule, from, to, histogram, value] of [
    ["between bucket bounds", 1, 2, positive, 0.4],
    ["within a bucket", 1, Math.SQRT2, positive, 0.2],
    ["of everything", -Infinity, Infinity, positive, 1],
    ["the wrong way round", 2, 1, positive, 0],
    ["of nothing", 1, 2, histogramOf({}), NaN],
    ["of custom buckets", 1.5, 3, custom, 0.3],
  ] as const) {
    it(rule, () => expect(histogramFraction(from, to, histogram).value).toEqual(closeTo(value)));
  }

  it("undo quantiles", () => {
    fc.assert(
      fc.property(separateHistograms, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (histogram, phi) => {
        fc.pre(histogram.count > 0);
        const { value } = histogramQuantile(phi, histogram);
        // In a gap between buckets, or a zero bucket without width, many ranks have one value.
        const below = histogramFraction(-Infinity, value * (1 - 1e-9 * Math.sign(value)), histogram).value;
        const upTo = histogramFraction(
          -Infinity,
          value * (1 + 1e-9 * Math.sign(value)) + Number.MIN_VALUE,
          histogram,
        ).value;
        expect(below).toBeLessThanOrEqual(phi + 1e-6);
        expect(upTo).toBeGreaterThanOrEqual(phi - 1e-6);
      }),
    );
  });
});

describe("the variance", () => {
  it("takes the geometric middle of exponential buckets", () => {
    const histogram = histogramOf({ positive: { 1: 1, 3: 1 }, sum: Math.SQRT2 + 4 * Math.SQRT2 });
    expect(histogramVariance(histogram)).toBeCloseTo((1.5 * Math.SQRT2) ** 2, 12);
  });

  it("takes the arithmetic middle of custom ones", () => {
    expect(histogramVariance(histogramOf({ bounds: [0, 2, 4], positive: { 1: 1, 2: 1 }, sum: 4 }))).toBe(1);
  });
});
