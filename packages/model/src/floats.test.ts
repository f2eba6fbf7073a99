import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatFloat, formatGoFloat, formatPlainFloat, isStale, parseFloatText, setStale } from "./floats.ts";

describe("the text of a value", () => {
  for (const [value, text] of [
    [1, "1"],
    [0.1, "0.1"],
    [-0, "-0"],
    [NaN, "NaN"],
    [Infinity, "+Inf"],
    [-Infinity, "-Inf"],
    [1e21, "1e+21"],
    [1e-7, "1e-07"],
    [-1.25e-9, "-1.25e-09"],
    [1e-10, "1e-10"],
    [0.000001, "0.000001"],
    [123456789012345680000, "123456789012345680000"],
  ] as const) {
    it(text, () => expect(formatFloat(value)).toBe(text));
  }

  it("reads back as the same number", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(parseFloatText(formatFloat(value))).toBe(value);
      }),
    );
  });
});

describe("the text of a value without exponents", () => {
  for (const [value, text] of [
    [1e-7, "0.0000001"],
    [-1.5e-9, "-0.0000000015"],
    [1e21, "1000000000000000000000"],
    [1.25e22, "12500000000000000000000"],
    [-0, "-0"],
    [NaN, "NaN"],
    [Infinity, "+Inf"],
    [-Infinity, "-Inf"],
    [5e-324, `0.${"0".repeat(323)}5`],
    [1.7976931348623157e308, `17976931348623157${"0".repeat(292)}`],
  ] as const) {
    it(text.slice(0, 30), () => expect(formatPlainFloat(value)).toBe(text));
  }

  it("reads back as the same value", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = formatPlainFloat(value);
        expect(text).toMatch(/^-?\d+(?:\.\d+)?$/);
        expect(Number(text)).toBe(value);
      }),
    );
  });
});

describe("reading a value as Go does", () => {
  for (const [text, value] of [
    ["+Inf", Infinity],
    ["-inf", -Infinity],
    ["nan", NaN],
    ["0x1F", 31],
    ["1.", 1],
    [".5", 0.5],
    ["1e-400", 0],
    ["", undefined],
    [" 1", undefined],
    ["1_000", undefined],
    ["0x1p-2", undefined],
    ["1e400", undefined],
    ["0b1", undefined],
    ["Infinite", undefined],
  ] as const) {
    it(`${JSON.stringify(text)} is ${value}`, () => expect(parseFloatText(text)).toBe(value));
  }
});

describe("the staleness marker", () => {
  it("is told from every other NaN by its bits", () => {
    const values = Float64Array.of(NaN, 1, NaN);
    setStale(values, 2);
    const words = new Uint32Array(values.buffer);
    expect([0, 1, 2].map((i) => isStale(words, i))).toEqual([false, false, true]);
    expect([...new Uint8Array(values.buffer, 16)]).toEqual([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);
  });
});

describe("the text of a value as Go prints it", () => {
  for (const [value, text] of [
    [100000, "100000"],
    [1e6, "1e+06"],
    [1234567.5, "1.2345675e+06"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [-2e-10, "-2e-10"],
    [-0, "-0"],
    [Infinity, "+Inf"],
    [NaN, "NaN"],
  ] as const) {
    it(text, () => expect(formatGoFloat(value)).toBe(text));
  }
});
