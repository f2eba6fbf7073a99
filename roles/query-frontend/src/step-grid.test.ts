import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alignToStep, countSteps, gridOf, splitGrid, splitIntervalOf } from "./step-grid.ts";

describe("parts of a range", () => {
  for (const [rule, start, end, step, interval, parts] of [
    ["in one interval is one", 10, 90, 20, 100, ["0: 10..90"]],
    ["a step on the border belongs to the later interval", 0, 200, 50, 100, ["0: 0..50", "1: 100..150", "2: 200..200"]],
    ["steps keep their distance over a border", 30, 250, 60, 100, ["0: 30..90", "1: 150..150", "2: 210..210"]],
    ["the end need not be a step", 0, 119, 40, 100, ["0: 0..80"]],
    ["an interval without a step is left out", 0, 300, 250, 100, ["0: 0..0", "2: 250..250"]],
    ["before 1970 intervals have numbers below 0", -150, 50, 50, 100, ["-2: -150..-150", "-1: -100..-50", "0: 0..50"]],
    ["one instant is one part", 7, 7, 1, 100, ["0: 7..7"]],
  ] as const) {
    it(rule, () => {
      const found = splitGrid(gridOf(start, end, step), interval);
      expect(found.map(({ slot, grid }) => `${slot}: ${grid.startMs}..${grid.endMs}`)).toEqual(parts);
    });
  }

  it("have every step of the range once, in order", () => {
    const whole = fc.integer({ min: -100_000, max: 100_000 });
    fc.assert(
      fc.property(
        whole,
        fc.nat(50_000),
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 50, max: 9_000 }),
        (start, span, step, interval) => {
          const grid = gridOf(start, start + span, step);
          const steps = splitGrid(grid, interval).flatMap(({ slot, grid: part }) =>
            Array.from({ length: countSteps(part) }, (_, i) => {
              const at = part.startMs + i * part.stepMs;
              expect(Math.floor(at / interval)).toBe(slot);
              return at;
            }),
          );
          expect(steps).toEqual(Array.from({ length: Math.floor(span / step) + 1 }, (_, i) => start + i * step));
        },
      ),
    );
  });
});

it("queries of wide steps are cut into wide parts, so that no part has a step or two", () => {
  const day = 86_400;
  expect([60, day / 8, day / 4, day, 7 * day].map((step) => splitIntervalOf(step, day) / day)).toEqual([
    1, 1, 2, 8, 64,
  ]);
});

it("aligned times are multiples of the step at or before them", () => {
  expect(alignToStep(61, 179, 60)).toEqual([60, 120]);
  expect(alignToStep(-61, -1, 60)).toEqual([-120, -60]);
});
