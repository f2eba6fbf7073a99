import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFleet } from "./fleet-file.ts";
import type { Plan } from "./plan.ts";
import { planToJson } from "./plan-table.ts";
import { planFleet } from "./planner.ts";
import { formatFleetFailure } from "./problems.ts";

interface AnyFleet {
  readonly nodes: readonly number[]; // cores of each
  readonly clusters: readonly string[]; // names of the first group
  readonly others: number; // clusters of the second
  readonly clustersMax: number;
  readonly series: number;
}

const anyFleet: fc.Arbitrary<AnyFleet> = fc.record({
  nodes: fc.array(fc.integer({ min: 24, max: 64 }), { minLength: 4, maxLength: 8 }),
  clusters: fc
    .uniqueArray(fc.integer({ min: 0, max: 999 }), { minLength: 1, maxLength: 40 })
    .map((numbers) => numbers.map((n) => `c-${n}`)),
  others: fc.integer({ min: 1, max: 20 }),
  clustersMax: fc.integer({ min: 3, max: 30 }),
  series: fc.integer({ min: 1000, max: 200_000 }),
});

const textOf = ({ nodes, clusters, others, clustersMax, series }: AnyFleet) =>
  JSON.stringify({
    version: 1,
    name: "random",
    policies: { clustersPerRegionMax: clustersMax },
    nodes: Object.fromEntries(
      nodes.map((cores, i) => [
        `n${i}`,
        { tier: (i % 2) + 1, role: "any", cores, memory: `${cores * 6}Gi`, disk: "9Ti", network: "10Gbit/s" },
      ]),
    ),
    groups: { a: { clusters, series }, b: { clusters: `b-{1..${others}}`, series: 1000 } },
    roles: {
      "global-querier": { replicas: 2, tiers: [1, 2] },
      "regional-querier": { replicas: 2, tiers: [1, 2] },
      "regional-store-gateway": { replicas: 2, tiers: [1, 2] },
      compactor: { tiers: [1, 2] },
      ruler: { replicas: 2, tiers: [1, 2] },
    },
    objectStorage: { bucket: "blocks", capacity: "1Pi" },
  });

function planOf(text: string, previous?: Plan): Plan | undefined {
  const fleet = readFleet(text, "f.yaml", { previous });
  if (!fleet.ok) throw new Error(formatFleetFailure(fleet.failure));
  const plan = planFleet(fleet.value, { previous });
  return plan.ok ? plan.value : undefined;
}

const movedClusters = (before: Plan, after: Plan) => {
  const regionOf = new Map(before.clusters.map(({ name, region }) => [name, region]));
  return after.clusters.filter(({ name, region }) => regionOf.has(name) && regionOf.get(name) !== region).length;
};
const movedRoles = (before: Plan, after: Plan) => {
  const nodeOf = new Map(before.roles.map(({ id, node }) => [id, node]));
  return after.roles.filter(({ id, node }) => nodeOf.has(id) && nodeOf.get(id) !== node);
};
const grownRoles = (before: Plan, after: Plan) => {
  const old = new Map(before.roles.map((role) => [role.id, role]));
  return after.roles.filter(({ id, cpuMillicores, memoryBytes }) => {
    const one = old.get(id);
    return one !== undefined && (one.cpuMillicores < cpuMillicores || one.memoryBytes < memoryBytes);
  });
};

describe("with the plan before it", () => {
  it("a fleet that has not changed keeps every byte of its plan", () => {
    fc.assert(
      fc.property(anyFleet, (fleet) => {
        const plan = planOf(textOf(fleet));
        if (plan === undefined) return;
        const again = planOf(textOf(fleet), plan);
        expect(again === undefined ? "" : planToJson(again)).toBe(planToJson(plan));
      }),
      { numRuns: 60 },
    );
  });

  it("and so it does after any other change was made and taken back", () => {
    fc.assert(
      fc.property(anyFleet, fc.integer({ min: 1, max: 9 }), (fleet, more) => {
        const grown = planOf(textOf({ ...fleet, others: fleet.others + more }));
        const back = grown === undefined ? undefined : planOf(textOf(fleet), grown);
        const again = back === undefined ? undefined : planOf(textOf(fleet), back);
        if (back === undefined || again === undefined) return;
        expect([movedClusters(back, again), movedRoles(back, again).length]).toEqual([0, 0]);
      }),
      { numRuns: 40 },
    );
  });

  it("a cluster more, wherever it sorts, moves no other cluster, and no role but such as need more than before", () => {
    let compared = 0;
    fc.assert(
      fc.property(anyFleet, fc.integer({ min: 1000, max: 1999 }), (fleet, number) => {
        const before = planOf(textOf(fleet));
        if (before === undefined) return;
        // Between others by name: without the older plan each region behind it would pass one on.
        const clusters = [...fleet.clusters, `c-${number % 7}-${number}`];
        const after = planOf(textOf({ ...fleet, clusters }), before);
        if (after === undefined) return;
        compared++;
        const grown = new Set(grownRoles(before, after).map(({ id }) => id));
        expect(movedClusters(before, after)).toBe(0);
        expect(movedRoles(before, after).filter(({ id }) => !grown.has(id))).toEqual([]);
      }),
      { numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(20);
  });

  it("a node less moves what it had, and nothing that was elsewhere", () => {
    const text = readFileSync(new URL("../../../fleets/seven-nodes.yaml", import.meta.url), "utf8");
    const before = planOf(text);
    if (before === undefined) throw new Error("no plan");
    // The second global node's roles need another: the first node of tier 2 becomes one of tier 1.
    const changed = text.replace(
      /^ {2}node-2: .*\n/m,
      "  node-8: { tier: 1, role: global, cores: 16, memory: 32Gi, disk: 500Gi, network: 10Gbit/s }\n",
    );
    const after = planOf(changed, before);
    if (after === undefined) throw new Error("no plan");
    const was = new Map(before.roles.map(({ id, node }) => [id, node]));
    expect([...new Set(movedRoles(before, after).map(({ id }) => was.get(id)))]).toEqual(["node-2"]);
  });

  it("replicas keep their numbers when one of them has to go", () => {
    const text = (pinned: string) => `version: 1
name: f
nodes:
${["a", "b", "c"]
  .map((name) => `  ${name}: { tier: 1, role: any, cores: 4, memory: 8Gi, disk: 1Ti, network: 1Gbit/s }`)
  .filter((line) => !line.startsWith(`  ${pinned}:`))
  .join("\n")}
groups: { all: { clusters: c, series: 1k } }
roles:
  global-querier: { replicas: 2, cpu: 1, memory: 1Gi }
  regional-querier: { cpu: 1, memory: 1Gi, tiers: [1] }
`;
    const before = planOf(text("none"));
    const [first, second] = before?.roles ?? [];
    const after = planOf(text(first?.node ?? ""), before);
    expect(after?.roles[1]).toMatchObject({ id: "global-querier-1", node: second?.node });
    expect(after?.roles[0]?.node).not.toBe(second?.node);
  });

  it("all is placed anew where what stays leaves no room for the rest", () => {
    const nodes = ["a", "b"].map(
      (name) => `  ${name}: { tier: 1, role: any, cores: 10, memory: 64Gi, disk: 1Ti, network: 1Gbit/s }`,
    );
    const text = (more: string) => `version: 1
name: f
nodes:
${nodes.join("\n")}
groups: { all: { clusters: c, series: 1k } }
roles:
  global-querier: { cpu: 4, memory: 1Gi }
  regional-querier: { cpu: 4, memory: 1Gi, tiers: [1] }
${more}`;
    const before = planOf(text(""));
    const fleet = readFleet(text("  ruler: { cpu: 10, memory: 1Gi }\n"), "f.yaml");
    if (!fleet.ok || before === undefined) throw new Error("no plan");
    expect(new Set(before.roles.map(({ node }) => node)).size).toBe(2);
    const kept = planFleet(fleet.value, { previous: before, mayPlaceAnew: false });
    expect(kept.ok ? [] : kept.failure.problems.map(({ code }) => code)).toEqual(["NODE_CPU"]);
    const anew = planFleet(fleet.value, { previous: before });
    expect(anew.ok ? movedRoles(before, anew.value).length : -1).toBe(1);
  });
});
