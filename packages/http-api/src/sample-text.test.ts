import { formatFloat, labelsFromRecord } from "@pleiad/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatTimestamp } from "./json-text.ts";
import { pieceBytes, sampleTextWriter } from "./sample-text.ts";

const writer = sampleTextWriter();

function write(timestampsMs: readonly number[], values: readonly number[]): string {
  const [times, column] = [Float64Array.from(timestampsMs), Float64Array.from(values)];
  const decoder = new TextDecoder();
  let text = "";
  for (let next = 0; next < times.length;) {
    next = writer.samples(times, column, next);
    for (const piece of writer.take()) text += decoder.decode(piece, { stream: true });
  }
  return text;
}

const expected = (timestampsMs: readonly number[], values: readonly number[]) =>
  values.map((value, i) => `[${formatTimestamp(timestampsMs[i] ?? NaN)},"${formatFloat(value)}"]`).join(",");

describe("samples as JSON", () => {
  for (const [rule, value, text] of [
    ["a whole number", 42, "42"],
    ["the largest that is exact", 2 ** 53, "9007199254740992"],
    ["a short decimal", 0.3, "0.3"],
    ["zeros at the end are not written", 1.5, "1.5"],
    ["all digits that are needed", 0.1 + 0.2, "0.30000000000000004"],
    ["below 1e-6 there is an exponent, of two digits", 1e-7, "1e-07"],
    ["1e-6 has none", 1e-6, "0.000001"],
    ["nor has what is below 1e21", 123456789012345680000, "123456789012345680000"],
    ["from 1e21 there is one", 1.5e21, "1.5e+21"],
    ["an exponent of three digits", 1.7976931348623157e308, "1.7976931348623157e+308"],
    ["the least of all has one digit", 5e-324, "5e-324"],
    ["the least with all its bits", 2.2250738585072014e-308, "2.2250738585072014e-308"],
    ["a power of two, whose neighbours are not equally far", 2 ** -44, "5.684341886080802e-14"],
    ["minus zero", -0, "-0"],
    ["no number", NaN, "NaN"],
    ["infinity", Infinity, "+Inf"],
    ["minus infinity", -Infinity, "-Inf"],
  ] as const) {
    it(rule, () => expect(write([1_500_500], [value])).toBe(`[1500.500,"${text}"]`));
  }

  it("has a text that reads back, the shortest there is, for any double", () => {
    const bits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((word) => Float64Array.of(asDouble(word))[0] ?? NaN);
    const decimal = fc
      .tuple(fc.maxSafeInteger(), fc.integer({ min: -20, max: 20 }))
      .map(([digits, exponent]) => Number(`${digits}e${exponent}`));
    const hundredths = fc
      .tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 15 }))
      .map(([digits, cut]) => Math.trunc(digits / 10 ** cut) / 100);
    const power = fc.integer({ min: -1074, max: 1023 }).map((exponent) => 2 ** exponent);
    const time = fc.integer({ min: -8.64e15, max: 8.64e15 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(time, fc.oneof(bits, decimal, hundredths, power)), { maxLength: 50 }),
        (samples) => {
          const [times, values] = [samples.map(([timestampMs]) => timestampMs), samples.map(([, value]) => value)];
          expect(write(times, values)).toBe(expected(times, values));
        },
      ),
    );
  });

  it("goes on where a piece was full", () => {
    const values = Array.from({ length: 30_000 }, (_, i) => Math.sqrt(i) / 3);
    const times = values.map((_, i) => i * 30_001);
    expect(write(times, values)).toBe(expected(times, values));
  });

  it("keeps text in its place, even what is longer than a piece", () => {
    const long = "ä".repeat(pieceBytes);
    writer.text("a");
    writer.text(long);
    writer.text("b");
    expect(writer.isFull).toBe(true);
    const text = Buffer.concat(writer.take()).toString("utf8");
    expect(text === `a${long}b`).toBe(true);
    expect(writer.take()).toEqual([]);
  });
});

describe("labels as JSON", () => {
  const json = (labels: Readonly<Record<string, string>>) => {
    writer.labels(labelsFromRecord(labels));
    return writer
      .take()
      .map((piece) => new TextDecoder().decode(piece))
      .join("");
  };

  it("are in label order, escaped where JSON must be, and not for HTML", () => {
    expect(json({ job: 'x"y\\z\n', __name__: "up", a: "<b>" })).toBe(
      String.raw`{"__name__":"up","a":"<b>","job":"x\"y\\z\n"}`,
    );
    expect(json({})).toBe("{}");
  });

  it("survive whatever is in them, and the end of a piece", () => {
    const text = fc.string({ unit: "binary", maxLength: 300 }).filter((value) => value !== "");
    const roomBytes = pieceBytes + 64 * 1024;
    const lengths = fc.oneof(fc.constant(0), fc.integer({ min: roomBytes - 1_000, max: roomBytes }));
    fc.assert(
      fc.property(fc.dictionary(text, text, { maxKeys: 5 }), lengths, (labels, before) => {
        const filler = "-".repeat(before);
        writer.text(filler);
        const written = json(labels);
        expect(written.slice(0, before) === filler).toBe(true);
        expect(JSON.parse(written.slice(before))).toEqual({ ...labels });
      }),
      { numRuns: 50 },
    );
  });
});

function asDouble(word: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, word);
  return view.getFloat64(0);
}
