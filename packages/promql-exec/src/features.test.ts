import { describe, expect, it } from "vitest";
import { allFeatures, featuresOf, noFeatures } from "./features.ts";

describe("features by name", () => {
  it("are off unless they are named", () => {
    expect(featuresOf([])).toEqual({ ok: true, value: noFeatures });
    expect(featuresOf(["promql-binop-fill-modifiers", "promql-binop-fill-modifiers"])).toEqual({
      ok: true,
      value: { ...noFeatures, fillModifiers: true },
    });
  });

  it("have the names that Prometheus gives them", () => {
    const names = [
      "promql-experimental-functions",
      "promql-extended-range-selectors",
      "promql-binop-fill-modifiers",
      "promql-delayed-name-removal",
      "use-start-timestamps",
    ];
    expect(featuresOf(names)).toEqual({ ok: true, value: allFeatures });
  });

  it("that nobody knows are refused", () => {
    expect(featuresOf(["promql-magic"])).toMatchObject({
      failure: expect.stringContaining('no feature "promql-magic"'),
    });
  });
});
