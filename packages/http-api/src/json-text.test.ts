import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatScalarTime, formatTimestamp, quoteJson } from "./json-text.ts";

describe("the time of a sample", () => {
  for (const [rule, timestampMs, text] of [
    ["whole seconds are an integer", 1_500_000, "1500"],
    ["a millisecond part has exactly three decimals", 1_500_500, "1500.500"],
    ["also below a hundred", 1_435_781_451_078, "1435781451.078"],
    ["and below ten", 1_435_781_451_001, "1435781451.001"],
    ["no rounding of a binary fraction shows", 1_435_781_451_781, "1435781451.781"],
    ["before 1970 the sign comes first", -1_500, "-1.500"],
    ["zero", 0, "0"],
    ["the last time of all", 8.64e15, "8640000000000"],
  ] as const) {
    it(rule, () => expect(formatTimestamp(timestampMs)).toBe(text));
  }

  it("reads back as the same millisecond", () => {
    fc.assert(
      fc.property(fc.integer({ min: -4e12, max: 4e12 }), (timestampMs) => {
        expect(Math.round(Number(formatTimestamp(timestampMs)) * 1000)).toBe(timestampMs);
      }),
    );
  });
});

describe("scalar and string results go through another encoder", () => {
  it("prints the shortest time", () => expect(formatScalarTime(1_500_500)).toBe("1500.5"));
});

describe("texts", () => {
  it("are escaped for HTML", () => {
    expect(quoteJson(["<a>&\u2028"])).toBe(String.raw`["\u003ca\u003e\u0026\u2028"]`);
  });
});
