import { readFileSync } from "node:fs";
import { planFleet, readFleet, type Plan } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import { clusterIdentity } from "./cluster-identity.ts";

function planWith(externalLabels: string): Plan {
  const text = readFileSync(new URL("../../../fleets/laptop.yaml", import.meta.url), "utf8") + externalLabels;
  const fleet = readFleet(text, "laptop.yaml");
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!plan.ok) throw new Error(JSON.stringify(plan.failure));
  return plan.value;
}

describe("the cluster of a series", () => {
  for (const [rule, labels, grouping, metric] of [
    [
      "is told by the labels that clusters have by default",
      "",
      "cluster, cluster_group, region",
      { cluster: "shop-01", cluster_group: "shops", region: "east" },
    ],
    [
      "is told by whatever labels the fleet file gives them",
      '\nexternalLabels: { site: "${cluster}", replica: "${replica}" }\n',
      "site",
      { site: "shop-01" },
    ],
  ] as const) {
    it(rule, () => {
      const identity = clusterIdentity(planWith(labels));
      expect(identity.grouping).toBe(grouping);
      expect(identity.nameOf(metric)).toBe("shop-01");
    });
  }

  it("is none for the monitoring job", () => {
    expect(clusterIdentity(planWith("")).nameOf({ cluster: "monitoring" })).toBeUndefined();
  });
});
