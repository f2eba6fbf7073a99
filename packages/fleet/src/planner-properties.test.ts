import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFleet } from "./fleet-file.ts";
import type { Fleet } from "./fleet.ts";
import type { Plan } from "./plan.ts";
import { planToJson } from "./plan-table.ts";
import { planFleet } from "./planner.ts";

/** What a random fleet file is made of: regions by themselves, roles sized by the model, zones, pushing clusters. */
interface RandomFleet {
  readonly nodes: readonly { readonly tier: number; readonly cores: number; readonly zone: number }[];
  readonly groups: readonly {
    readonly clusters: number;
    readonly series: number;
    readonly replicas: number;
    readonly push: boolean;
  }[];
  readonly clustersMax: number;
  readonly regionsMax: number;
  readonly shards: number | undefined;
  readonly headroom: number;
  readonly queries: number;
}

const randomFleet: fc.Arbitrary<RandomFleet> = fc.record({
  nodes: fc.array(
    fc.record({
      tier: fc.integer({ min: 1, max: 2 }),
      cores: fc.integer({ min: 8, max: 64 }),
      zone: fc.integer({ min: 0, max: 3 }), // 0 = not told
    }),
    { minLength: 4, maxLength: 14 },
  ),
  groups: fc.array(
    fc.record({
      clusters: fc.integer({ min: 1, max: 40 }),
      series: fc.integer({ min: 1, max: 200_000 }),
      replicas: fc.integer({ min: 1, max: 2 }),
      push: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  clustersMax: fc.integer({ min: 3, max: 30 }),
  regionsMax: fc.integer({ min: 2, max: 4 }),
  shards: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  headroom: fc.constantFrom(0, 0.1),
  queries: fc.integer({ min: 1, max: 50 }),
});

type Shuffle = <T>(items: T[]) => T[];

/** The fleet as a file, its mappings in the order of `shuffle`. JSON is YAML. */
function fileOf(fleet: RandomFleet, shuffle: Shuffle = (items) => items): string {
  const { nodes, groups, clustersMax, regionsMax, shards, headroom, queries } = fleet;
  const mapping = <T>(entries: [string, T][]) => Object.fromEntries(shuffle(entries));
  const anywhere = { replicas: 2, tiers: [1, 2] };
  const divided = shards === undefined ? anywhere : { ...anywhere, shards };
  return JSON.stringify(
    mapping<unknown>([
      ["version", 1],
      ["name", "random"],
      ["policies", { clustersPerRegionMax: clustersMax, regionsPerQuerierMax: regionsMax, headroom }],
      [
        "nodes",
        mapping(
          nodes.map(({ tier, cores, zone }, i) => [
            `n${i}`,
            {
              ...{ tier, role: "any", cores, memory: `${cores * 4}Gi`, disk: "4Ti", network: "10Gbit/s" },
              ...(zone === 0 ? {} : { zone: `z${zone}` }),
            },
          ]),
        ),
      ],
      [
        "groups",
        mapping(
          groups.map(({ clusters, series, replicas, push }, i) => [
            `g${i}`,
            {
              clusters: `g${i}-{1..${clusters}}`,
              series,
              prometheusReplicas: replicas,
              ingest: push ? "push" : "pull",
            },
          ]),
        ),
      ],
      [
        "roles",
        mapping([
          ["global-querier", anywhere],
          ["regional-querier", anywhere],
          ["receiver", anywhere],
          ["regional-store-gateway", divided],
          ["compactor", { ...anywhere, replicas: 1 }],
          ["alertmanager", { ...anywhere, replicas: 3 }],
        ]),
      ],
      ["queryLoad", { perSecond: queries }],
      ["objectStorage", { bucket: "blocks", capacity: "1Pi" }],
    ]),
  );
}

function fleetOf(random: RandomFleet, shuffle?: Shuffle): Fleet {
  const fleet = readFleet(fileOf(random, shuffle), "f.yaml");
  if (!fleet.ok) throw new Error(JSON.stringify(fleet.failure.problems[0]));
  return fleet.value;
}

/** Checks a property on random fleets that have a plan, and that there were some. */
function onPlans(runs: number, check: (plan: Plan, fleet: Fleet, random: RandomFleet) => void): void {
  let planned = 0;
  fc.assert(
    fc.property(randomFleet, (random) => {
      const fleet = fleetOf(random);
      const plan = planFleet(fleet);
      if (!plan.ok) {
        for (const { code } of plan.failure.problems) expect(["NODE_CPU", "NODE_MEM", "NODE_DISK"]).toContain(code);
        return;
      }
      planned++;
      check(plan.value, fleet, random);
    }),
    { numRuns: runs },
  );
  expect(planned).toBeGreaterThan(runs / 10);
}

/** The replicas that back each other up. */
const replicaSets = ({ roles }: Plan) => [
  ...Map.groupBy(roles, ({ kind, region, shard }) => `${kind} ${region ?? ""} ${shard?.index ?? 0}`).values(),
];

describe("on any fleet", () => {
  it("no node is over its budget, less what the policies keep", () => {
    onPlans(50, (plan, { policies }) => {
      for (const node of plan.nodes) {
        expect(node.cpuMillicoresUsed).toBeLessThanOrEqual(node.cpuMillicores * (1 - policies.headroomRatio));
        expect(node.memoryBytesUsed).toBeLessThanOrEqual(node.memoryBytes * (1 - policies.headroomRatio));
      }
    });
  });

  it("each cluster is in exactly one region, and no region is over its limit", () => {
    onPlans(40, (plan, _, { clustersMax }) => {
      const members = plan.regions.flatMap(({ clusters }) => clusters);
      expect(members.sort()).toEqual(plan.clusters.map(({ name }) => name).sort());
      expect(new Set(members).size).toBe(members.length);
      for (const { clusters } of plan.regions) expect(clusters.length).toBeLessThanOrEqual(clustersMax);
    });
  });

  it("replicas are on different nodes, and the plan says who survives the loss of one", () => {
    onPlans(50, (plan) => {
      for (const replicas of replicaSets(plan)) {
        expect(new Set(replicas.map(({ node }) => node)).size).toBe(replicas.length);
      }
      for (const { nodes, survives } of plan.survival) expect(survives).toBe(nodes.length > 1);
    });
  });

  it("the shards of a region's gateways, and of the compactor, are all there, each with all its replicas", () => {
    onPlans(40, (plan) => {
      const divided = plan.roles.filter(({ kind }) => kind === "store-gateway" || kind === "compactor");
      for (const parts of Map.groupBy(divided, ({ kind, region }) => `${kind} ${region ?? ""}`).values()) {
        const count = parts[0]?.shard?.count ?? 1;
        const indexes = parts.map(({ shard }) => shard?.index ?? 0);
        expect(parts.every(({ shard }) => (shard?.count ?? 1) === count)).toBe(true);
        const replicas = parts.length / count;
        expect(indexes).toEqual(Array.from({ length: parts.length }, (_, i) => Math.floor(i / replicas)));
      }
    });
  });

  it("every cluster is reached from a global querier, by one way of groups, and nobody asks more than policies allow", () => {
    onPlans(40, (plan, { policies }) => {
      const asked = Map.groupBy(
        plan.edges.filter(({ protocol }) => protocol === "grpc"),
        ({ from }) => from,
      );
      const receiverOf = new Map(
        plan.roles.filter(({ kind }) => kind === "receiver").map((one) => [one.id, one.region]),
      );
      const reached: string[] = [];
      const visit = (id: string): void => {
        const edges = asked.get(id) ?? [];
        const groups = Map.groupBy(edges, ({ group, to }) => group ?? to);
        for (const [, [first]] of groups) if (first !== undefined) visit(first.to);
        const queriers = [...groups.keys()].filter((group) => group.includes("regional-querier"));
        expect(queriers.length).toBeLessThanOrEqual(policies.regionsPerQuerierMax);
        if (edges.length === 0) reached.push(id);
      };
      visit("global-querier-0");
      const pulled = plan.clusters.filter(({ ingest }) => ingest === "pull").map(({ name }) => name);
      const clusters = reached.filter((id) => plan.clusters.some(({ name }) => name === id));
      expect(clusters.sort()).toEqual(pulled.sort());
      for (const { name, region, ingest } of plan.clusters) {
        const written = plan.edges.filter(({ from, protocol }) => from === name && protocol === "http");
        expect(written.every(({ to }) => receiverOf.get(to) === region)).toBe(true);
        expect(written.length).toBe(ingest === "push" ? 2 : 0);
      }
    });
  });

  it("planning again gives the same bytes, and so does any order of the file", () => {
    fc.assert(
      fc.property(randomFleet, fc.infiniteStream(fc.nat()), (random, numbers) => {
        const shuffle: Shuffle = (items) =>
          items
            .map((item) => [numbers.next().value ?? 0, item] as const)
            .sort(([a], [b]) => a - b)
            .map(([, item]) => item);
        const [once, again, shuffled] = [fleetOf(random), fleetOf(random), fleetOf(random, shuffle)].map((fleet) =>
          planFleet(fleet),
        );
        expect([again?.ok, shuffled?.ok]).toEqual([once?.ok, once?.ok]);
        if (once?.ok !== true || again?.ok !== true || shuffled?.ok !== true) return;
        expect(planToJson(again.value)).toBe(planToJson(once.value));
        expect(planToJson(shuffled.value)).toBe(planToJson(once.value));
      }),
      { numRuns: 30 },
    );
  });

  it("more load never needs less: of series, of queries, of replicas", () => {
    const needs = (random: RandomFleet) => {
      const huge = { ...random, nodes: random.nodes.map((node) => ({ ...node, cores: 9000 })) };
      const plan = planFleet(fleetOf(huge));
      if (!plan.ok) throw new Error(JSON.stringify(plan.failure.problems[0]));
      const { roles, totals } = plan.value;
      return [roles.length, totals.cpuMillicoresUsed, totals.memoryBytesUsed] as const;
    };
    const more = fc.constantFrom<(random: RandomFleet) => RandomFleet>(
      (random) => ({ ...random, groups: random.groups.map((group) => ({ ...group, series: group.series * 2 })) }),
      (random) => ({ ...random, queries: random.queries * 2 }),
      (random) => ({ ...random, groups: random.groups.map((group) => ({ ...group, replicas: 2 })) }),
    );
    fc.assert(
      fc.property(randomFleet, more, (random, enlarge) => {
        const [before, after] = [needs(random), needs(enlarge(random))];
        before.forEach((least, i) => expect(after[i]).toBeGreaterThanOrEqual(least));
      }),
      { numRuns: 30 },
    );
  });
});

describe("a small change moves little", () => {
  const shipped = readFileSync(new URL("../../../fleets/seven-nodes.yaml", import.meta.url), "utf8");
  const text = (nodes: number, clusters: number) => `version: 1
name: stable
nodes:
${Array.from({ length: nodes }, (_, i) => `  n-${i + 1}: { tier: 2, role: any, cores: 32, memory: 128Gi, disk: 4Ti, network: 10Gbit/s }`).join("\n")}
  g-1: { tier: 1, role: any, cores: 32, memory: 128Gi, disk: 4Ti, network: 10Gbit/s }
groups:
  all: { clusters: "c-{0001..${String(clusters).padStart(4, "0")}}", series: 50k }
roles:
  global-querier: {}
  regional-querier: { replicas: 2 }
  regional-store-gateway: { replicas: 2 }
objectStorage: { bucket: blocks, capacity: 1Pi, retention: { raw: 30d, 5m: 90d, 1h: 1y } }
`;
  const planOf = (file: string): Plan => {
    const fleet = readFleet(file, "f.yaml");
    const plan = fleet.ok ? planFleet(fleet.value) : fleet;
    if (!plan.ok) throw new Error(JSON.stringify(plan.failure.problems[0]));
    return plan.value;
  };
  const movedRoles = (before: Plan, after: Plan) => {
    const nodeOf = new Map(before.roles.map(({ id, node }) => [id, node]));
    return after.roles.filter(({ id, node }) => nodeOf.has(id) && nodeOf.get(id) !== node).length;
  };
  const movedClusters = (before: Plan, after: Plan) => {
    const regionOf = new Map(before.clusters.map(({ name, region }) => [name, region]));
    return after.clusters.filter(({ name, region }) => regionOf.has(name) && regionOf.get(name) !== region).length;
  };
  const before = planOf(text(30, 2400));

  it("a cluster more at the end moves no cluster, a region more moves few roles", () => {
    expect(movedClusters(before, planOf(text(30, 2399)))).toBe(0);
    const after = planOf(text(30, 2460));
    expect(movedClusters(before, after)).toBe(0);
    expect(movedRoles(before, after)).toBeLessThanOrEqual(before.roles.length * 0.05);
  });

  it("a cluster more in the midst moves one cluster at each border behind it", () => {
    const after = planOf(text(30, 2400).replace('"c-{0001..2400}"', '[c-0500-new, "c-{0001..2400}"]'));
    expect(movedClusters(before, after)).toBe(40 - Math.ceil(500 / 60) + 1);
  });

  it("a node more takes its share, and the rest stays", () => {
    const after = planOf(text(31, 2400));
    // A thirtieth would go to it at best.
    expect(movedRoles(before, after)).toBeLessThanOrEqual(before.roles.length * 0.2);
  });

  it("and all nodes of a tier stay about as full", () => {
    const fills = before.nodes
      .filter(({ tier }) => tier === 2)
      .map(({ cpuMillicores, cpuMillicoresUsed, memoryBytes, memoryBytesUsed }) =>
        Math.max(cpuMillicoresUsed / cpuMillicores, memoryBytesUsed / memoryBytes),
      );
    const largestRole = Math.max(...before.roles.map(({ memoryBytes }) => memoryBytes / (128 * 2 ** 30)));
    expect(Math.max(...fills) - Math.min(...fills)).toBeLessThanOrEqual(0.05 + largestRole);
  });

  it("the names of the shipped fleet's regions are kept, whatever is added", () => {
    const more = shipped
      .replace("clusterCount: 220", "clusterCount: 240")
      .replace("cluster-{211..220}", "cluster-{211..240}");
    expect(movedClusters(planOf(shipped), planOf(more))).toBe(0);
  });
});

describe("past what three tiers hold", () => {
  const tiersOf = (clusters: number, perRegion: number, perQuerier: number) => {
    const fleet = readFleet(
      `version: 1
name: tall
policies: { clustersPerRegionMax: ${perRegion}, regionsPerQuerierMax: ${perQuerier} }
nodes:
${[1, 2, 3, 4].map((i) => `  n-${i}: { tier: ${i < 3 ? 1 : 2}, role: any, cores: 9000, memory: 9Ti, disk: 1Ti, network: 10Gbit/s }`).join("\n")}
groups:
  all: { clusters: "c-{0001..${String(clusters).padStart(4, "0")}}", series: 1k }
roles: { global-querier: { replicas: 2 }, regional-querier: { replicas: 2 } }
`,
      "f.yaml",
    );
    const plan = fleet.ok ? planFleet(fleet.value) : fleet;
    if (!plan.ok) throw new Error(JSON.stringify(plan.failure.problems[0]));
    return plan.value;
  };

  it("regions that one querier can ask need no other tier", () => {
    const plan = tiersOf(12, 4, 3);
    expect([plan.regions.length, plan.superRegions, plan.tiersReason]).toEqual([3, undefined, undefined]);
  });

  it("one more gets a tier between, and says why", () => {
    const plan = tiersOf(13, 4, 3);
    expect(plan.superRegions?.map(({ name, level, members }) => `${name} ${level}: ${members.join(" ")}`)).toEqual([
      "super-1 1: region-1 region-2 region-3",
      "super-2 1: region-4",
    ]);
    expect(plan.tiersReason).toBe(
      "4 regions are more than the 3 that one querier asks: a fourth tier between regions and global queriers. Three tiers hold 12 clusters.",
    );
    const asked = plan.edges.filter(({ from }) => from === "global-querier-0").map(({ to }) => to);
    expect(asked).toEqual([
      "super-regional-querier-super-1-0",
      "super-regional-querier-super-1-1",
      "super-regional-querier-super-2-0",
      "super-regional-querier-super-2-1",
    ]);
  });

  it("and a fifth where that is not enough", () => {
    const plan = tiersOf(40, 4, 3);
    expect(plan.superRegions?.map(({ name, members }) => `${name}: ${members.length}`)).toEqual([
      "super-1: 3",
      "super-2: 3",
      "super-3: 3",
      "super-4: 1",
      "super-2-1: 3",
      "super-2-2: 1",
    ]);
    expect(plan.tiersReason).toContain("2 more tiers");
  });

  it("a fleet that no twin can hold is planned, without ports", () => {
    const plan = tiersOf(2400, 60, 60);
    expect(plan.twin.refusal).toBe("a twin has ports for 1000 clusters, and the plan has 2400");
    expect(plan.clusters.every(({ grpcPort }) => grpcPort === undefined)).toBe(true);
  });
});
