import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { trimHistogram } from "./histogram-trim.ts";
import { customHistograms, exponentialHistograms, histogramOf } from "./histogram.testing.ts";

const histogram = histogramOf({ zeroThreshold: 0.5, zeroCount: 2, positive: { 1: 4, 2: 8 }, sum: 30 });
const custom = histogramOf({ bounds: [2, 4], positive: { 0: 4, 1: 8, 2: 2 }, sum: 40 });

describe("trimming", () => {
  for (const [rule, whole, side, limit, kept] of [
    ["below a bucket bound", histogram, "below", 2, { zeroThreshold: 0.5, zeroCount: 2, positive: { 1: 4 } }],
    ["above a bucket bound", histogram, "above", 2, { zeroThreshold: 0.5, positive: { 2: 8 } }],
    [
      "within an exponential bucket",
      histogram,
      "below",
      2 * Math.SQRT2,
      { zeroThreshold: 0.5, zeroCount: 2, positive: { 1: 4, 2: 4 } },
    ],
    [
      "within the zero bucket, which begins at 0 here",
      histogram,
      "above",
      0.25,
      { zeroThreshold: 0.5, zeroCount: 1, positive: { 1: 4, 2: 8 } },
    ],
    ["within a custom bucket", custom, "above", 3, { bounds: [2, 4], positive: { 1: 4, 2: 2 } }],
    ["within the first custom bucket, which begins at 0", custom, "below", 1, { bounds: [2, 4], positive: { 0: 2 } }],
    [
      "within the last custom bucket: nothing is known below",
      custom,
      "below",
      5,
      { bounds: [2, 4], positive: { 0: 4, 1: 8 } },
    ],
  ] as const) {
    it(rule, () => {
      const { sum: _, ...rest } = trimHistogram(whole, limit, side);
      const { sum: __, ...expected } = histogramOf(kept);
      expect(rest.count).toBeCloseTo(expected.count, 10);
      expect({
        ...rest,
        count: 0,
        positiveBuckets: rest.positiveBuckets.map((one) => Math.round(one * 1e9) / 1e9),
      }).toEqual({
        ...expected,
        count: 0,
      });
    });
  }

  it("leaves a histogram as it is where nothing is cut off", () => {
    expect(trimHistogram(histogram, 4, "below")).toBe(histogram);
    expect(trimHistogram(histogram, -1, "above")).toBe(histogram);
  });

  it("estimates the sum of what is left", () => {
    expect(trimHistogram(histogram, 2, "above").sum).toBeCloseTo(8 * 2 * Math.SQRT2, 12);
  });

  it("keeps each observation on one side", () => {
    fc.assert(
      fc.property(exponentialHistograms, fc.double({ min: -100, max: 100, noNaN: true }), (whole, limit) => {
        // A zero bucket without width lies at a limit of zero, and both sides keep it.
        fc.pre(limit !== 0 || whole.zeroThreshold > 0);
        const kept = trimHistogram(whole, limit, "below").count + trimHistogram(whole, limit, "above").count;
        expect(kept).toBeCloseTo(whole.count, 6);
      }),
    );
  });

  it("never adds observations", () => {
    fc.assert(
      fc.property(customHistograms, fc.integer({ min: -20, max: 20 }), (whole, limit) => {
        for (const side of ["below", "above"] as const) {
          expect(trimHistogram(whole, limit, side).count).toBeLessThanOrEqual(whole.count);
        }
      }),
    );
  });
});
