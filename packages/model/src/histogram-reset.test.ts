import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addHistograms } from "./histogram-arithmetic.ts";
import { isHistogramReset } from "./histogram-reset.ts";
import { customHistograms, exponentialHistograms, histogramOf } from "./histogram.testing.ts";

describe("a counter reset", () => {
  const earlier = histogramOf({ zeroThreshold: 0.25, zeroCount: 2, positive: { 0: 1, 1: 4, 3: 6 } });
  for (const [rule, later, isReset] of [
    ["not when nothing changed", earlier, false],
    ["a hint says so", { ...earlier, counterReset: "reset" }, true],
    ["a hint says that it is none", { ...histogramOf({}), counterReset: "not-reset" }, false],
    ["the count fell", { ...earlier, count: 12 }, true],
    ["a bucket fell", histogramOf({ zeroThreshold: 0.25, zeroCount: 9, positive: { 0: 1, 1: 3, 3: 6 } }), true],
    ["a bucket is gone", histogramOf({ zeroThreshold: 0.25, zeroCount: 9, positive: { 0: 1, 1: 4, 4: 9 } }), true],
    ["the zero bucket fell", histogramOf({ zeroThreshold: 0.25, zeroCount: 1, positive: { 0: 9, 1: 4, 3: 6 } }), true],
    ["the schema became finer", histogramOf({ schema: 1, zeroThreshold: 0.25, zeroCount: 99 }), true],
    ["the zero bucket became narrower", { ...earlier, zeroThreshold: 0.125, count: 99 }, true],
    [
      "not when a coarser schema holds as much",
      histogramOf({ schema: -1, zeroThreshold: 0.25, zeroCount: 2, positive: { 0: 1, 1: 4, 2: 6 } }),
      false,
    ],
    [
      "not when the zero bucket took buckets in",
      histogramOf({ zeroThreshold: 1, zeroCount: 3, positive: { 1: 4, 3: 6 } }),
      false,
    ],
    [
      "the zero bucket now ends within a bucket",
      histogramOf({ zeroThreshold: 0.75, zeroCount: 3, positive: { 1: 4, 3: 6 } }),
      true,
    ],
    ["custom bounds took the place of others", histogramOf({ bounds: [1], positive: { 0: 99 } }), true],
  ] as const) {
    it(rule, () => expect(isHistogramReset(later, earlier)).toBe(isReset));
  }

  it("of custom buckets is told by the bounds that both have", () => {
    const before = histogramOf({ bounds: [1, 2, 5], positive: { 0: 1, 1: 2, 2: 4 } });
    const grown = histogramOf({ bounds: [2, 5, 6], positive: { 0: 3, 1: 4, 2: 1 } });
    const fallen = histogramOf({ bounds: [2, 5, 6], positive: { 0: 2, 1: 9, 2: 1 } });
    expect([isHistogramReset(grown, before), isHistogramReset(fallen, before)]).toEqual([false, true]);
  });

  it("is none when observations were added", () => {
    const either = fc.oneof(
      fc.tuple(exponentialHistograms, exponentialHistograms),
      fc.tuple(customHistograms, customHistograms),
    );
    fc.assert(
      fc.property(either, ([before, more]) => {
        const later = addHistograms(before, more)?.histogram;
        expect(later && isHistogramReset(later, before)).toBe(false);
      }),
    );
  });
});
