import { describe, expect, it } from "vitest";
import { formatAnalysis, formatExplanation } from "./query-explanation.ts";

describe("an explanation", () => {
  it("is the plan, and operators under their readers", () => {
    const select = { name: `select {__name__="up"}`, children: [] };
    const root = {
      name: "and",
      children: [select, { name: "sum by ()", children: [select] }],
      plan: "the plan",
      scalars: [],
    };
    expect(formatExplanation(root)).toBe(
      ["the plan", "and", `  select {__name__="up"}`, "  sum by ()", `    select {__name__="up"}`, ""].join("\n"),
    );
  });

  it("has operators of scalars first", () => {
    const scalar = { name: "select limit", children: [] };
    const root = { name: "/ scalar", children: [], plan: "the plan", scalars: [scalar] };
    expect(formatExplanation(root)).toBe("the plan\nselect limit\n/ scalar\n");
  });

  it("of a number is the plan alone", () => {
    expect(formatExplanation({ name: "2", children: [], plan: "2", scalars: [] })).toBe("2\n");
  });
});

describe("an analysis", () => {
  const select = {
    name: "select up",
    executionTime: "1.5ms",
    series: 3,
    totalSamples: 180,
    doneByReader: false,
    children: [],
  };

  it("has a row an operator, those of scalars first", () => {
    const scalar = { ...select, name: "select limit", series: 1, totalSamples: 60, executionTime: "0.2ms" };
    const root = { ...select, name: "/ scalar", executionTime: "2ms", children: [select] };
    expect(formatAnalysis({ ...root, plan: "(up / scalar(limit))", scalars: [scalar] }).split("\n")).toEqual([
      "(up / scalar(limit))",
      "OPERATOR      SERIES  SAMPLES   TIME",
      "select limit       1       60  0.2ms",
      "/ scalar           3      180    2ms",
      "  select up        3      180  1.5ms",
      "",
    ]);
  });

  it("says where an operator did the work of the one below", () => {
    const root = { ...select, name: "sum", series: 1, children: [{ ...select, doneByReader: true }] };
    expect(formatAnalysis({ ...root, plan: "sum(up)", scalars: [] }).split("\n")[3]).toMatch(
      /^ {2}select up +by its reader$/,
    );
  });
});
