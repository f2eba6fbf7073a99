import { describe, expect, it } from "vitest";
import { alignToGrid, gridOffsetMs, nextGridMs } from "./scrape-grid.ts";

describe("the grid of scrapes", () => {
  it("gives a target the same place in every run", () => {
    expect(gridOffsetMs("node http://a:9100/metrics", 30_000)).toBe(gridOffsetMs("node http://a:9100/metrics", 30_000));
  });

  it("spreads similar targets over the interval", () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 1000; i++) {
      const tenth = Math.floor(gridOffsetMs(`node http://10.0.0.${i}:9100/metrics`, 30_000) / 3000);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(Math.min(...tenths)).toBeGreaterThan(60);
    expect(Math.max(...tenths)).toBeLessThan(140);
  });

  for (const [rule, afterMs, next] of [
    ["before the first", 99, 100],
    ["on a place: the next", 100, 130],
    ["between two", 131, 160],
  ] as const) {
    it(`comes after the time given: ${rule}`, () => expect(nextGridMs(afterMs, 30, 10)).toBe(next));
  }

  for (const [rule, nowMs, gridMs, intervalMs, aligned] of [
    ["within 2 ms", 10_002, 10_000, 30_000, 10_000],
    ["early by 1 ms", 9_999, 10_000, 30_000, 10_000],
    ["off by 3 ms", 10_003, 10_000, 30_000, 10_003],
    ["within 2 ms, but over 1 % of a short interval", 10_002, 10_000, 100, 10_002],
    ["within 1 % of a short interval", 10_001, 10_000, 100, 10_000],
  ] as const) {
    it(`aligns timestamps: ${rule}`, () => expect(alignToGrid(nowMs, gridMs, intervalMs)).toBe(aligned));
  }
});
