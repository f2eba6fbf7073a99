/** Kernels that keep something from one window to the next, against ones that look at each window anew. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quantileOf } from "./quantile.ts";
import { rangeKernels, type SampleWindows } from "./range-kernels.ts";

const value = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -5, max: 5 }) },
  { weight: 2, arbitrary: fc.double({ noDefaultInfinity: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, NaN, Infinity, -Infinity, Number.MAX_VALUE) },
);

const windowsOfSeries = fc
  .record({
    samples: fc.array(value, { minLength: 1, maxLength: 60 }),
    moves: fc.array(fc.tuple(fc.nat({ max: 8 }), fc.nat({ max: 8 })), { minLength: 1, maxLength: 30 }),
    phis: fc.array(fc.constantFrom(0, 0.1, 0.5, 0.9, 1, -1, 2, NaN), { minLength: 1, maxLength: 5 }),
  })
  .map(({ samples, moves, phis }): SampleWindows => {
    let start = 0;
    let end = 0;
    const bounds = moves.map(([starts, ends]) => {
      start = Math.min(samples.length, start + starts);
      end = Math.min(samples.length, Math.max(start, end + ends));
      return [start, end] as const;
    });
    return {
      timestampsMs: Float64Array.from(samples, (_, i) => i * 1000),
      values: Float64Array.from(samples),
      startTimestampsMs: undefined,
      weights: undefined,
      starts: Uint32Array.from(bounds, ([from]) => from),
      ends: Uint32Array.from(bounds, ([, to]) => to),
      referencesMs: new Float64Array(bounds.length),
      rangeMs: 1,
      stepTimesMs: new Float64Array(bounds.length),
      parameters: [Float64Array.from(bounds, (_, step) => phis[step % phis.length])],
      remark: () => undefined,
    };
  });

/** The index of the sample that beats all before it; any number beats NaN. */
function extremeOf(values: Float64Array, beats: (value: number, held: number) => boolean): number {
  let at = 0;
  values.forEach((one, i) => {
    if (beats(one, values[at]) || values[at] !== values[at]) at = i;
  });
  return at;
}

type WindowFunction = (values: Float64Array, phi: number, start: number) => number;

const plainly: Readonly<Record<string, WindowFunction>> = {
  quantile_over_time: (values, phi) => quantileOf(phi, values.slice()),
  mad_over_time: (values) => {
    if (values.some((one) => one !== one)) return NaN;
    const median = quantileOf(0.5, values.slice());
    return quantileOf(
      0.5,
      values.map((one) => Math.abs(one - median)),
    );
  },
  min_over_time: (values) => values[extremeOf(values, (one, held) => one < held)],
  max_over_time: (values) => values[extremeOf(values, (one, held) => one > held)],
  ts_of_min_over_time: (values, _, start) => start + extremeOf(values, (one, held) => one <= held),
  ts_of_max_over_time: (values, _, start) => start + extremeOf(values, (one, held) => one >= held),
};

describe.each(Object.entries(plainly))("%s", (name, plain) => {
  it("gives the same bits as each window alone", () => {
    fc.assert(
      fc.property(windowsOfSeries, (windows) => {
        const { starts, ends, parameters } = windows;
        const values = new Float64Array(starts.length);
        const present = new Uint8Array(starts.length);
        const found = rangeKernels[name](windows, values, present);
        expect(found).toBe(present.includes(1));
        starts.forEach((start, step) => {
          const window = windows.values.slice(start, ends[step]);
          expect(present[step]).toBe(window.length === 0 ? 0 : 1);
          if (window.length > 0) expect(values[step]).toBe(plain(window, parameters[0][step], start));
        });
      }),
      { numRuns: 400 },
    );
  });
});
