import { describe, expect, it } from "vitest";
import { formatBytes, formatSpan, formatTime } from "./quantities.ts";

describe("quantities", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1024, "1.0 KiB"],
    [7_842_129, "7.5 MiB"],
    [200 * 1024 ** 3, "200 GiB"],
    [5000 * 1024 ** 4, "5000 TiB"],
  ])("%i bytes are %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0, "0m"],
    [59 * 60_000, "59m"],
    [7_199_011, "2h"],
    [48 * 3_600_000, "2d"],
    [52 * 3_600_000, "2d 4h"],
  ])("%i ms are %s", (spanMs, text) => expect(formatSpan(spanMs)).toBe(text));

  it("shows times in UTC, and what is no time as it is", () => {
    expect(formatTime(1_763_640_000_000)).toBe("2025-11-20 12:00:00");
    expect(formatTime(Infinity)).toBe("Infinity");
  });
});
