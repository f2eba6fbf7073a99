import { describe, expect, it } from "vitest";
import { createQueryAnnotations, type RemarkDetail } from "./query-annotations.ts";

const query = "rate(a[1m])\n  + rate(b[1m])";
const first = { start: 5, end: 10 };
const second = { start: 21, end: 26 };

const repair: RemarkDetail = {
  kind: "bucket-repairs",
  count: 1,
  minBound: 0.1,
  maxBound: 5,
  maxDifference: 2,
  firstMs: 60_000,
  lastMs: 60_000,
};

describe("annotations", () => {
  it("have line and column of what they are about", () => {
    const annotations = createQueryAnnotations(query);
    annotations.warn(second, "odd");
    expect(annotations.warnings).toEqual(["PromQL warning: odd (2:10)"]);
  });

  it("have a bound", () => {
    const annotations = createQueryAnnotations(query);
    for (let i = 0; i < 10_100; i++) annotations.warn(first, String(i));
    expect(annotations.warnings).toHaveLength(10_000);
  });

  it("are told once, where they were said last", () => {
    const annotations = createQueryAnnotations(query);
    annotations.inform(second, "odd");
    annotations.inform(first, "odd");
    annotations.inform(first, "even");
    expect(annotations.infos).toEqual(["PromQL info: odd (2:10)", "PromQL info: even (1:6)"]);
  });

  it("keep warnings and infos apart", () => {
    const annotations = createQueryAnnotations(query);
    annotations.inform(first, "odd");
    annotations.warn(first, "odd");
    expect([annotations.warnings, annotations.infos]).toEqual([
      ["PromQL warning: odd (1:6)"],
      ["PromQL info: odd (1:6)"],
    ]);
  });

  for (const [rule, details, sentence] of [
    ["no count of one", [{ kind: "occurrences", count: 1 }], "PromQL warning: odd (1:6)"],
    [
      "counts of several together",
      [
        { kind: "occurrences", count: 1 },
        { kind: "occurrences", count: 2 },
      ],
      "PromQL warning: odd (3 occurrences) (1:6)",
    ],
    [
      "all repairs together",
      [repair, { ...repair, maxBound: Infinity, maxDifference: 1234, lastMs: 120_000 }],
      "PromQL warning: odd, from buckets 0.1 to +Inf, with a max diff of 1.2e+03, over 2 samples from 1970-01-01T00:01:00Z to 1970-01-01T00:02:00Z (1:6)",
    ],
  ] as const satisfies readonly (readonly [string, readonly RemarkDetail[], string])[]) {
    it(`tell ${rule}`, () => {
      const annotations = createQueryAnnotations(query);
      for (const detail of details) annotations.warn(first, "odd", detail);
      expect(annotations.warnings).toEqual([sentence]);
    });
  }
});
