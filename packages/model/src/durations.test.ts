import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "./durations.ts";

describe("durations", () => {
  for (const [text, ms] of [
    ["0", 0],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["1d", 86_400_000],
    ["1w", 604_800_000],
    ["1y", 31_536_000_000],
    ["1m30s250ms", 90_250],
  ] as const) {
    it(`${text} is ${ms} ms, and back`, () => {
      expect(parseDuration(text)).toEqual({ ok: true, value: ms });
      expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms });
    });
  }

  for (const text of ["", "5", "1m1h", "-5m", "1.5h", "5 m", "1M", "300000y"]) {
    it(`${JSON.stringify(text)} is none`, () => {
      expect(parseDuration(text).ok).toBe(false);
    });
  }

  for (const [ms, text] of [
    [0, "0s"],
    [90_000, "1m30s"],
    [604_800_000, "1w"],
    [691_200_000, "8d"],
    [-300_000, "-5m"],
  ] as const) {
    it(`${ms} ms prints as ${text}`, () => expect(formatDuration(ms)).toBe(text));
  }
});
