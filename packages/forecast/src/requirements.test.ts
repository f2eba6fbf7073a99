/** The design's own arithmetic: to the digit where it holds, else what it is by its own rules. */
import { capacityOf, planTable } from "@pleiad/fleet";
import { lintFleet } from "@pleiad/findings";
import { describe, expect, it } from "vitest";
import { planned, shippedFleet } from "./shipped-fleet.testing.ts";

const fleet = shippedFleet("seven-nodes-as-designed");
const plan = planned(fleet);
const corrected = planned(shippedFleet("seven-nodes"));
const findings = lintFleet({ fleet, plan });
const capacity = capacityOf(fleet);
const value = (name: string) => capacity.fleet.figure(name).value;
const found = (code: string) => findings.filter((one) => one.code === code).map((one) => one.found);

describe("the fleet", () => {
  it("is 180 + 20 + 10 + 10 = 220 clusters", () => {
    const groups = Map.groupBy(plan.clusters, ({ group }) => group);
    expect([...groups].map(([name, { length }]) => [name, length])).toEqual([
      ["group-a", 180],
      ["group-b", 20],
      ["group-c", 10],
      ["group-d", 10],
    ]);
    expect(plan.totals.clusters).toBe(220);
  });

  it("has 112 cores and 224 GiB; its disks are 3500 GiB, which is 3.42 TiB or 3.76 TB, and not 3.5 of either", () => {
    const { cpuMillicores, memoryBytes, diskBytes } = plan.totals;
    expect([cpuMillicores / 1000, memoryBytes / 2 ** 30, diskBytes / 2 ** 30]).toEqual([112, 224, 3500]);
    expect([(diskBytes / 2 ** 40).toFixed(2), (diskBytes / 1e12).toFixed(2)]).toEqual(["3.42", "3.76"]);
  });
});

describe("the five principles", () => {
  it("1: the 180 large clusters are split into three regions of 60", () => {
    const large = plan.regions.filter(({ clusters }) =>
      clusters.every((name) => plan.clusters.find((one) => one.name === name)?.group === "group-a"),
    );
    expect(large.map(({ name, clusters }) => `${name} ${clusters.length}`)).toEqual(["a1 60", "a2 60", "a3 60"]);
  });

  it("2: the 40 small ones share one region", () => {
    expect(plan.regions.find(({ name }) => name === "bcd")?.clusters.length).toBe(40);
  });

  it("3: the global query has two replicas on two nodes; but all else that answers depends on single nodes", () => {
    const global = plan.survival.find(({ kind }) => kind === "global-querier");
    expect(global).toMatchObject({ nodes: ["node-1", "node-2"], survives: true });
    expect(found("replicas-on-one-node").length).toBe(6);
    // What may be away in the corrected design is what only works ahead or looks on.
    const lost = corrected.survival.filter(({ survives }) => !survives).map(({ kind }) => kind);
    const mayBeAway = ["compactor", "object-store-console", "monitoring-agent"];
    expect(lost.filter((kind) => !mayBeAway.includes(kind))).toEqual([]);
  });

  it("4: nodes 1 and 2 are global, 3 to 6 regional, 7 storage", () => {
    expect(plan.nodes.map(({ tier }) => tier)).toEqual([1, 1, 2, 2, 2, 2, 3]);
  });

  it("5: no regional querier has more than 60 clusters", () => {
    expect(plan.regions.every(({ clusters }) => clusters.length <= 60)).toBe(true);
    expect(found("region-over-rule")).toEqual([]);
  });
});

describe("the budget", () => {
  it("is 71 of 112 cores and 141.5 of 224 GiB, 63 % of each", () => {
    expect(planTable(plan).totals).toEqual({
      cpu: "71/112",
      cpuPercent: "63 %",
      memory: "141.5/224",
      memoryPercent: "63 %",
    });
  });

  it("leaves 5 cores of node 1, where the design says 4.5, and 41 in all, where its column has 40.5", () => {
    const free = plan.nodes.map(({ cpuMillicores, cpuMillicoresUsed }) => (cpuMillicores - cpuMillicoresUsed) / 1000);
    expect(free[0]).toBe(5);
    expect(free.reduce((sum, one) => sum + one, 0)).toBe(41);
    expect(found("no-system-reserve")).toHaveLength(1);
  });
});

describe("figures of performance", () => {
  it("global: 7 connections is 4 regions and 3 stores, with a ruler 8; each replica apart they are 8 + 3 + 1", () => {
    const asked = plan.edges.filter(({ from, protocol }) => from === "global-querier-0" && protocol === "grpc");
    const kindOf = new Map(plan.roles.map(({ id, kind }) => [id, kind]));
    const counts = Map.groupBy(asked, ({ to }) => kindOf.get(to));
    expect([...counts].map(([kind, { length }]) => [kind, length])).toEqual([
      ["regional-querier", 8],
      ["store-gateway", 3],
      ["ruler", 1],
    ]);
    expect(value("global-querier.connections")).toBe(12);
  });

  it("regional: 60 a querier, and so 120 a node, not 60", () => {
    const clusters = new Set(plan.clusters.map(({ name }) => name));
    const onNode3 = plan.roles.filter(({ node, kind }) => node === "node-3" && kind === "regional-querier");
    const streams = plan.edges.filter(({ from, to }) => onNode3.some(({ id }) => id === from) && clusters.has(to));
    expect([onNode3.length, streams.length]).toEqual([2, 120]);
  });

  it("100 to 200 queries at once wait: two queriers let in 40", () => {
    expect(found("queries-wait")).toEqual(["200 queries at once, of which 2 global queriers let in 40"]);
  });

  it("uploads: 220 clusters cut 2640 blocks a day, so that 1 % late is 26 a day", () => {
    const blocks = value("fleet.streams") * 12;
    expect([blocks, Math.round(blocks / 100)]).toEqual([2640, 26]);
  });

  it("10 TB are no unlimited retention: raw samples alone fill them in about four months", () => {
    expect(value("bucket.days-until-full-raw")).toBeGreaterThan(105);
    expect(value("bucket.days-until-full-raw")).toBeLessThan(140);
    expect(found("bucket-fills-up")[0]).toMatch(/full after 100 days$/);
    expect(found("bucket-retention-unlimited")).toHaveLength(1);
  });
});
