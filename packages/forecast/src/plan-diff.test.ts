import { planToJson } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import { withClusters, withNodes } from "./grown-fleet.ts";
import { diffPlans, type PlanDiff } from "./plan-diff.ts";
import { readPlanJson } from "./plan-json.ts";
import { fleetOf, planned, shippedFleet, shippedText } from "./shipped-fleet.testing.ts";

const laptop = planned(shippedFleet("laptop"));
const changed = (from: string, to: string) => {
  const text = shippedText("laptop");
  if (!text.includes(from)) throw new Error(`the file has no ${from}`);
  return planned(fleetOf(text.replace(from, to)), laptop);
};
const lines = ({ steps }: PlanDiff) => steps.map(({ action, subject, what }) => `${action} ${subject}: ${what}`);

describe("from one plan to another", () => {
  it("nothing changes between equal plans", () => {
    expect(diffPlans(laptop, laptop)).toEqual({
      steps: [],
      movedRoles: 0,
      movedClusters: 0,
      unchangedRoles: laptop.roles.length,
    });
  });

  it("a role that grows restarts, one replica at a time", () => {
    const after = changed("regional-querier: { replicas: 2, cpu: 500m,", "regional-querier: { replicas: 2, cpu: 600m,");
    const diff = diffPlans(laptop, after);
    expect(lines(diff)).toEqual([
      "restart regional-querier-east-0: CPU 0.5 → 0.6 cores",
      "restart regional-querier-east-1: CPU 0.5 → 0.6 cores",
      "restart regional-querier-west-0: CPU 0.5 → 0.6 cores",
      "restart regional-querier-west-1: CPU 0.5 → 0.6 cores",
    ]);
    expect(new Set(diff.steps.map(({ order, note }) => `${order} ${note}`))).toEqual(
      new Set(["1 one replica at a time, the next when this one is ready"]),
    );
  });

  it("a cluster that changes its region gets other labels, and both regions' queriers read their endpoints again", () => {
    const after = changed(
      'east: { clusters: "shop-{01..06}" }\n  west: { clusters: "shop-{07..08}"',
      'east: { clusters: "shop-{01..05}" }\n  west: { clusters: "shop-{06..08}"',
    );
    const diff = diffPlans(laptop, after);
    expect(lines(diff).filter((line) => !line.startsWith("restart"))).toEqual([
      "move shop-06: from east to west",
      "re-read regional-querier-east-0: − shop-06",
      "re-read regional-querier-east-1: − shop-06",
      "re-read regional-querier-west-0: + shop-06",
      "re-read regional-querier-west-1: + shop-06",
    ]);
    expect(diff.movedClusters).toBe(1);
  });

  it("what must not run twice ends before it starts elsewhere", () => {
    const pin = (node: string) => changed("disk: 20Gi, tiers: [1, 2] }", `disk: 20Gi, on: [${node}] }`);
    const [step] = diffPlans(pin("node-1"), pin("node-2")).steps.filter(({ subject }) => subject === "compactor-0");
    expect(step).toMatchObject({
      action: "move",
      what: "from node-1 to node-2",
      note: "the old one ends first: two at once would write overlapping blocks",
    });
  });

  it("who is asked starts before those who ask, and stops after they were told", () => {
    const fleet = shippedFleet("seven-nodes-as-designed");
    const before = planned(fleet);
    const after = planned(withNodes(withClusters(fleet, new Map([["region-1", 20]])), [2]));
    const order = (diff: PlanDiff, action: string, subject: string) =>
      diff.steps.find((step) => step.action === action && step.subject.startsWith(subject))?.order ?? Number.NaN;
    const grown = diffPlans(before, after);
    const rising = [
      order(grown, "join", "node-8"),
      order(grown, "start", "store-gateway-region-1"),
      order(grown, "start", "regional-querier-region-1"),
      order(grown, "join", "cluster-{221..240}"),
      order(grown, "re-read", "global-querier"),
    ];
    expect(rising).toEqual(rising.toSorted((a, b) => a - b));
    expect(rising).not.toContain(Number.NaN);
    const shrunk = diffPlans(after, before);
    const falling = [
      order(shrunk, "re-read", "global-querier"),
      order(shrunk, "stop", "regional-querier-region-1"),
      order(shrunk, "stop", "store-gateway-region-1"),
      order(shrunk, "leave", "node-8"),
    ];
    expect(falling).toEqual(falling.toSorted((a, b) => a - b));
    expect(falling).not.toContain(Number.NaN);
  });

  it("the order of lists in either plan makes no difference to what is done", () => {
    const after = planned(shippedFleet("seven-nodes"));
    const before = planned(shippedFleet("seven-nodes-as-designed"));
    const turned = {
      ...before,
      nodes: before.nodes.toReversed(),
      roles: before.roles.toReversed(),
      clusters: before.clusters.toReversed(),
      edges: before.edges.toReversed(),
    };
    expect(new Set(lines(diffPlans(turned, after)))).toEqual(new Set(lines(diffPlans(before, after))));
  });
});

describe("a plan that was written as JSON", () => {
  it("is read back, and differs in nothing", () => {
    const read = readPlanJson(planToJson(laptop));
    expect(read.ok && diffPlans(read.value, laptop).steps).toEqual([]);
  });

  it("of an earlier release differs in nothing that it had no say in", () => {
    const text = planToJson(laptop).replace(/^ *"(?:prometheusReplicas|ingest|sizedBy)": .*,\n/gm, "");
    const read = readPlanJson(text);
    expect(read.ok && diffPlans(read.value, laptop).steps).toEqual([]);
  });

  for (const [rule, text, reason] of [
    ["no JSON", "version: 1", "it is no JSON"],
    ["something else", "[]", /^the whole: /],
    ["another version", '{"version": 2}', /^version: /],
    ["a part that is missing", planToJson(laptop).replace(/^ {2}"roles"/m, '  "rolls"'), /^roles: /],
  ] as const) {
    it(`is refused: ${rule}`, () => {
      const read = readPlanJson(text);
      expect(read.ok ? "" : read.failure.reason).toMatch(reason);
    });
  }
});
