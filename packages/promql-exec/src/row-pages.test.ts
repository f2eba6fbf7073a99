import { expect, it } from "vitest";
import { createSampleBudget } from "./limits.ts";
import { createPagePool, pageBytes } from "./page-pool.ts";
import { createRowPages } from "./row-pages.ts";

const limits = { samplesMax: 1_000_000, memoryBytesMax: 2 ** 30 };
const rowOf = (row: number, stepCount: number) => ({
  values: Float64Array.from({ length: stepCount }, (_, step) => row * 1000 + step),
  present: Uint8Array.from({ length: stepCount }, (_, step) => (row + step) % 2),
});

for (const [rule, stepCount, rowCount] of [
  ["rows of one step share a page", 1, 5000],
  ["rows come back from whichever page they are on", 119, 2000],
  ["a row that is longer than a page has one of its own", pageBytes / 8, 3],
] as const) {
  it(rule, () => {
    const budget = createSampleBudget(limits);
    const pages = createRowPages(stepCount, budget, createPagePool(4));
    for (let row = 0; row < rowCount; row++) {
      const { values, present } = rowOf(row, stepCount);
      expect(pages.keep(values, present)).toBe(row);
    }
    for (let row = 0; row < rowCount; row++) {
      const at = pages.offsetOf(row);
      const page = pages.pageOf(row);
      const wanted = rowOf(row, stepCount);
      expect(page.values.slice(at, at + stepCount)).toEqual(wanted.values);
      expect(page.present.slice(at, at + stepCount)).toEqual(wanted.present);
    }
    expect(budget.peak).toBe(rowCount * stepCount);
  });
}

it("what is held leaves the budget once, row by row or with all that are left", () => {
  const stepCount = 1000;
  const budget = createSampleBudget({ ...limits, samplesMax: 10 * stepCount });
  const pages = createRowPages(stepCount, budget, createPagePool(4));
  const { values, present } = rowOf(0, stepCount);
  for (let round = 0; round < 20; round++) {
    const rows = Array.from({ length: 10 }, () => pages.keep(values, present));
    if (round % 2 === 0) for (const row of rows.slice(0, 7)) pages.free(row);
    pages.release();
  }
  expect(budget.peak).toBe(10 * stepCount);
});
