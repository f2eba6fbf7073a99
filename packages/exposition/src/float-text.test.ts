import { formatFloat } from "@pleiad/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatOpenMetricsFloat, readFloat } from "./float-text.ts";

const read = (text: string) => {
  const bytes = new TextEncoder().encode(`>${text}<`);
  return readFloat(bytes, 1, bytes.length - 1);
};

describe("a value on a page", () => {
  for (const [text, value] of [
    ["0", 0],
    ["-0", -0],
    ["+1", 1],
    ["1.", 1],
    [".5", 0.5],
    ["-1.5e+3", -1500],
    ["1E-2", 0.01],
    ["001.50", 1.5],
    ["123456789012345", 123456789012345],
    ["1234567890123456789", 1234567890123456800],
    ["0.30000000000000004", 0.30000000000000004],
    ["1.7976931348623157e308", Number.MAX_VALUE],
    ["5e-324", 5e-324],
    ["1e-400", 0],
    ["1e22", 1e22],
    ["1e23", 1e23],
    ["+Inf", Infinity],
    ["-INF", -Infinity],
    ["infinity", Infinity],
    ["NaN", NaN],
    ["nan", NaN],
  ] as const) {
    it(`${text} is ${Object.is(value, -0) ? "-0" : value}`, () => expect(read(text)).toBe(value));
  }

  for (const [rule, text] of [
    ["nothing", ""],
    ["out of range", "1e400"],
    ["out of range below", "-1e309"],
    ["hexadecimal", "0x10"],
    ["a hexadecimal float", "0x1p3"],
    ["a digit separator", "1_000"],
    ["a sign alone", "-"],
    ["a point alone", "."],
    ["an exponent without digits", "1e"],
    ["an exponent with a sign only", "1e+"],
    ["two points", "1.2.3"],
    ["a signed NaN", "+NaN"],
    ["half a word", "infin"],
    ["a letter after", "1s"],
    ["Unicode digits", "\u0661"],
    ["a blank in front", " 1"],
  ] as const) {
    it(`is refused: ${rule}`, () => expect(read(text)).toBeUndefined());
  }

  it("reads back every float that is written, bit by bit", () => {
    const bits = new DataView(new ArrayBuffer(8));
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        bits.setFloat64(0, read(formatFloat(value)) ?? NaN);
        expect(Object.is(bits.getFloat64(0), value)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("agrees with Number on every short decimal", () => {
    const digits = fc.stringMatching(/^[0-9]{1,18}$/);
    const shape = fc.tuple(digits, fc.option(digits), fc.option(fc.integer({ min: -40, max: 40 })));
    fc.assert(
      fc.property(shape, ([whole, fraction, exponent]) => {
        const text = whole + (fraction === null ? "" : `.${fraction}`) + (exponent === null ? "" : `e${exponent}`);
        expect(read(text)).toBe(Number(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a bound as OpenMetrics writes it", () => {
  // The right column is Go's strconv.FormatFloat(x, 'g', -1, 64), with ".0" where that has neither point nor exponent.
  for (const [value, text] of [
    [1, "1.0"],
    [0, "0.0"],
    [-0, "0.0"],
    [-1, "-1.0"],
    [0.25, "0.25"],
    [1000, "1000.0"],
    [100000, "100000.0"],
    [123456.5, "123456.5"],
    [1000000, "1e+06"],
    [1234567, "1.234567e+06"],
    [1234567.5, "1.2345675e+06"],
    [1e21, "1e+21"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [0.00012345, "0.00012345"],
    [1.5e-7, "1.5e-07"],
    [1e-100, "1e-100"],
    [Infinity, "+Inf"],
    [-Infinity, "-Inf"],
    [NaN, "NaN"],
  ] as const) {
    it(text, () => expect(formatOpenMetricsFloat(value)).toBe(text));
  }
});
