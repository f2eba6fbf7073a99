import { expect, it } from "vitest";
import { freshnessOf } from "./freshness.ts";

const cluster = { name: "cluster-001", region: "a1", group: "a", series: 10, up: true };

for (const [ageMs, up, expected] of [
  [1000, true, "fresh"],
  [60_000, true, "fresh"],
  [80_000, true, "late"],
  [300_001, true, "missing"],
  [undefined, true, "missing"],
  [1000, false, "target-down"],
] as const) {
  it(`a newest sample ${ageMs ?? "never"} ms old, target ${up ? "up" : "down"}: ${expected}`, () => {
    expect(freshnessOf({ ...cluster, up, ageMs }, 30_000)).toBe(expected);
  });
}
