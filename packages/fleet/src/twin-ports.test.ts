import { describe, expect, it } from "vitest";
import { planPorts } from "./twin-ports.ts";

describe("ports of the twin", () => {
  it("reach 1000 clusters", () => {
    const ports = planPorts(19_000, { roles: 100, regions: 20, clusters: 1000 });
    if (!ports.ok) throw new Error(ports.failure.found);
    expect([ports.value.exporterPort(1000), ports.value.clusterGrpcPort(1)]).toEqual([21_000, 21_001]);
    expect(ports.value.clusterGrpcPort(1000)).toBe(22_000);
  });

  for (const [counts, refusal] of [
    [{ roles: 101, regions: 1, clusters: 1 }, "a twin has ports for 100 roles, and the plan has 101"],
    [{ roles: 1, regions: 1, clusters: 1001 }, "a twin has ports for 1000 clusters, and the plan has 1001"],
    [{ roles: 1, regions: 701, clusters: 1 }, "a twin has ports for 700 regions, and the plan has 701"],
  ] as const) {
    it(`a fleet past them has none: ${refusal}`, () => {
      const ports = planPorts(19_000, counts);
      if (!ports.ok) throw new Error(ports.failure.found);
      expect(ports.value.refusal).toBe(refusal);
      expect([ports.value.exporterPort(1), ports.value.roleHttpPort(0, "grafana")]).toEqual([undefined, undefined]);
    });
  }

  for (const [rule, basePort, counts, expected, found] of [
    [
      "no port that Linux hands out to others",
      30_548,
      { roles: 1, regions: 1, clusters: 220 },
      "at most 30547, so that ports stay below 32768",
      "30548, and ports up to 32768",
    ],
  ] as const) {
    it(rule, () => expect(planPorts(basePort, counts)).toEqual({ ok: false, failure: { expected, found } }));
  }

  it("the highest base is allowed", () => {
    expect(planPorts(30_547, { roles: 1, regions: 1, clusters: 220 }).ok).toBe(true);
  });
});
