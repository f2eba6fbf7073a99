import { describe, expect, it } from "vitest";
import { compareInstants, formatInstant, instantOfMs, parseInstant, zeroInstant } from "./instant.ts";

describe("an instant", () => {
  for (const [rule, text, seconds, nanos, written = text] of [
    ["is written with as many decimals as it has", "2023-02-01T10:20:30.123456789Z", 1675246830, 123_456_789],
    ["has none where it is whole", "1970-01-01T00:00:00Z", 0, 0],
    ["loses zeros at its end", "1970-01-01T00:00:01.500000000Z", 1, 500_000_000, "1970-01-01T00:00:01.5Z"],
    ["counts forward before 1970 too", "1969-12-31T23:59:59.25Z", -1, 250_000_000],
    ["is moved to UTC", "2023-02-01T11:20:30+01:00", 1675246830, 0, "2023-02-01T10:20:30Z"],
    ["is never where Go says so", "0001-01-01T00:00:00Z", zeroInstant.seconds, 0],
    ["ends at the ninth decimal", "1970-01-01T00:00:00.1234567891Z", 0, 123_456_789, "1970-01-01T00:00:00.123456789Z"],
  ] as const) {
    it(rule, () => {
      expect(parseInstant(text)).toEqual({ seconds, nanos });
      expect(formatInstant({ seconds, nanos })).toBe(written);
    });
  }

  it("is refused where it is no date", () => {
    const odd = ["2023-02-30T00:00:00Z", "2023-02-01T24:00:00Z", "2023-02-01", "2023-02-01T00:00:00", "now", ""];
    for (const text of odd) expect([text, parseInstant(text)]).toEqual([text, undefined]);
  });

  it("of milliseconds is exact, on both sides of 1970", () => {
    for (const timeMs of [0, 1, 999, 1_700_000_000_123, -1, -1_000, -62_135_596_800_000]) {
      const { seconds, nanos } = instantOfMs(timeMs);
      expect([timeMs, seconds * 1000 + nanos / 1e6]).toEqual([timeMs, timeMs]);
    }
  });

  it("has an order", () => {
    const sorted = [zeroInstant, { seconds: -1, nanos: 5 }, { seconds: 0, nanos: 0 }, { seconds: 0, nanos: 1 }];
    expect(sorted.toReversed().sort(compareInstants)).toEqual(sorted);
  });
});
