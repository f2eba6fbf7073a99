import { lintFleet } from "@pleiad/findings";
import { defaultAnswers, formatFleetFailure, planFleet, readFleet, starterFleet } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import { clusterRangeOf } from "./init.ts";

describe("a number of clusters becomes a range of names", () => {
  for (const [text, range] of [
    ["1", "cluster-1"],
    ["40", "cluster-{01..40}"],
    ["220", "cluster-{001..220}"],
    ["shop-{1..3}", "shop-{1..3}"],
    ["0", "cluster-{1..0}"],
  ] as const) {
    it(`${text}: ${range}`, () => expect(clusterRangeOf(text)).toBe(range));
  }
});

describe("what init writes plans, and has no finding", () => {
  for (const [rule, answers] of [
    ["untold", {}],
    ["a store of its own", { storage: "seaweedfs" }],
    ["one cluster", { clusters: "only", series: "1k" }],
    ["twenty regions", { clusters: "c-{0001..1200}", series: "100k" }],
    ["four tiers", { clusters: "c-{00001..05000}", cores: "64", memory: "256Gi", disk: "4Ti" }],
  ] as const) {
    it(rule, () => {
      const text = starterFleet({ ...defaultAnswers, ...answers });
      if (!text.ok) throw new Error(formatFleetFailure(text.failure));
      const fleet = readFleet(text.value, "fleet.yaml");
      const plan = fleet.ok ? planFleet(fleet.value) : fleet;
      if (!fleet.ok || !plan.ok) throw new Error("it does not plan");
      expect(lintFleet({ fleet: fleet.value, plan: plan.value })).toEqual([]);
    });
  }

  it("answers that cannot be are told with their place in the file", () => {
    const wrong = starterFleet({ ...defaultAnswers, memory: "32GB" });
    expect(wrong.ok ? "" : formatFleetFailure(wrong.failure).split("\n")[0]).toMatch(/write 32Gi \[SIZE\]$/);
    const few = starterFleet({ ...defaultAnswers, clusters: "c-{001..600}", nodes: 4 });
    expect(few.ok ? "" : formatFleetFailure(few.failure)).toMatch(/NODE_(CPU|MEM|DISK)/);
  });
});
