import { readFileSync } from "node:fs";
import { planFleet, readFleet, type Plan } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import { ownTargets } from "./own-targets.ts";
import { downstreamsOf, endpointsOf, entryUrlsOf } from "./wiring.ts";

function shippedPlan(name: string): Plan {
  const url = new URL(`../../../fleets/${name}`, import.meta.url);
  const fleet = readFleet(readFileSync(url, "utf8"), name);
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!plan.ok) throw new Error(JSON.stringify(plan.failure));
  return plan.value;
}

describe("the endpoints of the seven-node fleet", () => {
  const plan = shippedPlan("seven-nodes.yaml");

  it("a regional querier asks each of its clusters, and must hear of it, and one of its store gateways", () => {
    const endpoints = endpointsOf(plan, "regional-querier-bcd-1");
    expect(endpoints).toHaveLength(40 + 2);
    // An empty bucket lacks nothing.
    expect(endpoints.slice(40)).toMatchObject([
      { name: "store-gateway-bcd-0", group: "store-gateway-bcd", expects: [] },
      { name: "store-gateway-bcd-1", group: "store-gateway-bcd", expects: [] },
    ]);
    expect(endpoints[0]).toMatchObject({ name: "cluster-181", expects: [{ name: "cluster-181" }] });
    expect(endpoints[0]?.expects[0]?.labels).toEqual([
      ...["cluster", "cluster-181", "cluster_group", "group-b", "region", "bcd", "replica", "0"],
    ]);
  });

  it("a global querier asks one of each region's pair, and must hear of all 220 clusters", () => {
    const endpoints = endpointsOf(plan, "global-querier-0");
    const groups = Map.groupBy(endpoints, (one) => one.group);
    expect([...groups].map(([group, members]) => [group, members.length])).toEqual(
      expect.arrayContaining([
        [expect.stringContaining("a1"), 2],
        [expect.stringContaining("bcd"), 2],
      ]),
    );
    const expected = new Set(endpoints.flatMap((one) => one.expects.map(({ name }) => name)));
    expect([...expected].filter((name) => name.startsWith("cluster-"))).toHaveLength(220);
    expect(expected).toContain("monitoring-agent-0");
  });

  it("roles that the twin does not run yet are not asked", () => {
    const names = endpointsOf(plan, "global-querier-0").map((one) => one.name);
    expect(names.filter((name) => name.startsWith("ruler"))).toEqual([]);
  });

  it("a query frontend asks both global queriers, and people ask the frontends before them", () => {
    const queriers = downstreamsOf(plan, "query-frontend-1");
    expect(queriers).toHaveLength(2);
    expect(entryUrlsOf(plan)).toEqual([expect.any(String), expect.any(String), ...queriers]);
  });

  it("the twin scrapes its console, its running roles and its cluster processes", () => {
    const targets = ownTargets(plan, "monitoring");
    expect(targets).toHaveLength(1 + 2 + 2 + 8 + 2 + 10 + 1 + 1 + 1 + 4);
    expect(new Set(targets.map(({ url }) => url)).size).toBe(targets.length);
    expect(targets.every(({ job }) => job === "monitoring")).toBe(true);
  });

  it("and tells them apart as Kubernetes does", () => {
    const labels = ownTargets(plan, "monitoring").map((target) => target.labels);
    expect(labels).toContainEqual({
      service: "regional-querier-a2",
      pod: "regional-querier-a2-1",
      node: plan.roles.find(({ id }) => id === "regional-querier-a2-1")?.node,
    });
    expect(labels).toContainEqual({ service: "clusters-bcd", pod: "clusters-bcd" });
  });
});
