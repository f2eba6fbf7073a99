import { describe, expect, it } from "vitest";
import { functionSignatures } from "./functions.ts";

describe("functions of Prometheus 3.14", () => {
  const signatures = [...functionSignatures.values()];

  it("are 90, of which 17 are experimental", () => {
    expect(signatures).toHaveLength(90);
    expect(signatures.filter(({ experimental }) => experimental)).toHaveLength(17);
  });

  for (const [name, expected] of [
    ["rate", { argumentTypes: ["matrix"], variadic: 0, returnType: "vector", experimental: false }],
    ["time", { argumentTypes: [], variadic: 0, returnType: "scalar", experimental: false }],
    ["round", { argumentTypes: ["vector", "scalar"], variadic: 1, returnType: "vector", experimental: false }],
    ["info", { argumentTypes: ["vector", "vector"], variadic: 1, returnType: "vector", experimental: true }],
  ] as const) {
    it(name, () => expect(functionSignatures.get(name)).toEqual({ name, ...expected }));
  }
});
