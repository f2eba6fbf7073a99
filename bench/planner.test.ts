import { describe, expect, it } from "vitest";
import { plannerSizes, timePlanner } from "./planner.ts";

describe("the planner's benchmark, small", () => {
  const { clusters = 0, nodes = 0 } = plannerSizes[0] ?? {};
  const timing = timePlanner({ clusters, nodes }, 0);

  it("plans four regions, and the same plan again", () => {
    expect(timing).toMatchObject({ regions: 4, superRegions: 0 });
    expect(timing.roles).toBeGreaterThan(20);
    expect(timePlanner({ clusters, nodes }, 0).checksum).toBe(timing.checksum);
  });

  it("plans another one for another fleet", () => {
    expect(timePlanner({ clusters: clusters + 1, nodes }, 0).checksum).not.toBe(timing.checksum);
  });
});
