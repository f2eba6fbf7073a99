import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareLabels,
  formatLabels,
  hashLabels,
  isSortedLabels,
  labelsEqual,
  labelsFromPairs,
  labelsFromRecord,
  labelsKey,
  labelsToRecord,
  labelValue,
  onlyLabels,
  withLabels,
  withoutLabels,
} from "./labels.ts";
import { compareText } from "./text-order.ts";

describe("labels", () => {
  it("are sorted, without empty values, the last of a repeated name", () => {
    const labels = labelsFromPairs([
      ["b", "1"],
      ["a", ""],
      ["__name__", "up"],
      ["b", "2"],
    ]);
    expect(labels).toEqual(["__name__", "up", "b", "2"]);
  });

  it("tell an absent label from none: both are the empty text", () => {
    expect(labelValue(labelsFromRecord({ a: "x" }), "b")).toBe("");
  });

  for (const [rule, labels, text] of [
    ["a plain name stands before the braces", { __name__: "up", job: "a" }, 'up{job="a"}'],
    ["a name alone needs no braces", { __name__: "up" }, "up"],
    ["no name", { job: "a", z: "b" }, '{job="a", z="b"}'],
    ["no label at all", {}, "{}"],
    ["escapes", { a: 'x"y\\z\n' }, '{a="x\\"y\\\\z\\n"}'],
    ["a UTF-8 name is quoted inside the braces", { __name__: "my.metric", "l-1": "v" }, '{"my.metric", "l-1"="v"}'],
  ] as const) {
    it(`print as Prometheus prints them: ${rule}`, () => {
      expect(formatLabels(labelsFromRecord(labels))).toBe(text);
    });
  }

  it("labels that are laid over others win", () => {
    const base = labelsFromRecord({ a: "1", c: "3" });
    expect(withLabels(base, labelsFromRecord({ b: "2", c: "9" }))).toEqual(["a", "1", "b", "2", "c", "9"]);
    expect(withoutLabels(base, new Set(["a"]))).toEqual(["c", "3"]);
    expect(onlyLabels(base, new Set(["a"]))).toEqual(["a", "1"]);
  });

  it("a label may be called __proto__", () => {
    const record = labelsToRecord(labelsFromPairs([["__proto__", "x"]]));
    expect(Object.entries(record)).toEqual([["__proto__", "x"]]);
  });

  const labelArbitrary = fc.dictionary(
    fc.string({ minLength: 1, maxLength: 3 }),
    fc.string({ maxLength: 3, unit: "binary" }),
  );

  it("keep their promises and one identity, whatever goes in", () => {
    fc.assert(
      fc.property(labelArbitrary, labelArbitrary, (first, second) => {
        const a = labelsFromRecord(first);
        const b = labelsFromRecord(second);
        expect(isSortedLabels(a)).toBe(true);
        expect(isSortedLabels(withLabels(a, b))).toBe(true);
        const equal = compareLabels(a, b) === 0;
        expect(labelsEqual(a, b)).toBe(equal);
        expect(labelsKey(a) === labelsKey(b)).toBe(equal);
        if (equal) expect(hashLabels(a)).toBe(hashLabels(b));
      }),
    );
  });
});

describe("the order of texts", () => {
  it("is that of their UTF-8 bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 4 }), fc.string({ unit: "binary", maxLength: 4 }), (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  it("puts an emoji after a full-width tilde, which UTF-16 would not", () => {
    expect(compareText("\u{1f600}", "\uff5e")).toBeGreaterThan(0);
    expect("\u{1f600}" > "\uff5e").toBe(false);
  });
});
