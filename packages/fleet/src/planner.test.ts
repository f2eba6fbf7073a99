import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFleet } from "./fleet-file.ts";
import { inventoryOf } from "./inventory.ts";
import type { Plan } from "./plan.ts";
import { planTable, planToJson } from "./plan-table.ts";
import { lossesWithoutRoom } from "./lost-nodes.ts";
import { planFleet } from "./planner.ts";

const shipped = (name: string) => readFileSync(new URL(`../../../fleets/${name}.yaml`, import.meta.url), "utf8");

function planText(text: string) {
  const fleet = readFleet(text, "f.yaml");
  return fleet.ok ? planFleet(fleet.value) : fleet;
}

function planOf(name: string): Plan {
  const plan = planText(shipped(name));
  if (!plan.ok) throw new Error(JSON.stringify(plan.failure.problems));
  return plan.value;
}

/** A plan's ends of edges: `to` of all edges from one role, by protocol and group. */
function edgesFrom(plan: Plan, from: string): Record<string, string[]> {
  const edges = plan.edges.filter((edge) => edge.from === from);
  const grouped = Map.groupBy(edges, ({ protocol, group }) => `${protocol} ${group ?? "each of"}`);
  return Object.fromEntries([...grouped].map(([key, ends]) => [key, ends.map(({ to }) => to)]));
}

it("queriers make replicas one as the file says, by themselves where it says nothing", () => {
  expect(planOf("laptop").deduplication).toBe("auto");
  for (const deduplication of ["auto", "penalty", "chain"] as const) {
    const plan = planText(`${shipped("laptop")}\ndeduplication: ${deduplication}\n`);
    expect(plan.ok && plan.value.deduplication).toBe(deduplication);
  }
  expect(readFleet(`${shipped("laptop")}\ndeduplication: both\n`, "f.yaml").ok).toBe(false);
});

describe("the design as written", () => {
  const plan = planOf("seven-nodes-as-designed");

  it("has the budget table of the requirements, to the digit", () => {
    const { rows, totals } = planTable(plan);
    expect(rows.map(({ node, roles, cpu, memory }) => [node, roles.join("; "), cpu, memory])).toEqual([
      ["node-1", "global-querier 4c/8Gi; store-gateway ×2 2c/4Gi; ruler 1c/2Gi; grafana ×2 1c/2Gi", "11/16", "22/32"],
      [
        "node-2",
        "global-querier 4c/8Gi; store-gateway 2c/4Gi; compactor 4c/8Gi; alertmanager ×3 0.5c/1Gi",
        "11.5/16",
        "23/32",
      ],
      ["node-3", "regional-querier a1 ×2 4c/8Gi; store-gateway a1 2c/4Gi", "10/16", "20/32"],
      ["node-4", "regional-querier a2 ×2 4c/8Gi; store-gateway a2 2c/4Gi", "10/16", "20/32"],
      ["node-5", "regional-querier a3 ×2 4c/8Gi; store-gateway a3 2c/4Gi", "10/16", "20/32"],
      ["node-6", "regional-querier bcd ×2 4c/8Gi; store-gateway bcd 2c/4Gi", "10/16", "20/32"],
      ["node-7", "object-store 8c/16Gi; object-store-console 0.5c/0.5Gi", "8.5/16", "16.5/32"],
    ]);
    expect(totals).toEqual({ cpu: "71/112", cpuPercent: "63 %", memory: "141.5/224", memoryPercent: "63 %" });
  });

  it("labels the nodes as the requirements do", () => {
    expect(plan.nodes.map(({ labels }) => `role=${labels["role"]},tier=${labels["tier"]}`)).toEqual([
      "role=global,tier=1",
      "role=global-ha,tier=1",
      "role=regional-a1,tier=2",
      "role=regional-a2,tier=2",
      "role=regional-a3,tier=2",
      "role=regional-bcd,tier=2",
      "role=storage,tier=3",
    ]);
  });

  it("keeps the five principles of the requirements", () => {
    const groupOf = new Map(plan.clusters.map(({ name, group }) => [name, group]));
    const groupsOf = (clusters: readonly string[]) => [...new Set(clusters.map((name) => groupOf.get(name)))];
    const sizes = plan.regions.map(({ name, clusters }) => [name, clusters.length, groupsOf(clusters)]);
    expect(sizes).toEqual([
      ["a1", 60, ["group-a"]],
      ["a2", 60, ["group-a"]],
      ["a3", 60, ["group-a"]],
      ["bcd", 40, ["group-b", "group-c", "group-d"]],
    ]);
    const nodesOf = (kind: string) => plan.roles.filter((role) => role.kind === kind).map(({ node }) => node);
    expect(nodesOf("global-querier")).toEqual(["node-1", "node-2"]);
    expect(plan.nodes.map(({ tier }) => tier)).toEqual([1, 1, 2, 2, 2, 2, 3]);
    expect(plan.regions.every(({ clusters, clustersMax }) => clusters.length <= 60 && clustersMax === 60)).toBe(true);
  });

  it("says what each lost node takes with it", () => {
    const lost = plan.survival.filter(({ survives }) => !survives);
    expect(lost.map(({ kind, region, nodes }) => `${nodes.join()} ${kind} ${region ?? ""}`.trim())).toEqual([
      "node-3 regional-querier a1",
      "node-4 regional-querier a2",
      "node-5 regional-querier a3",
      "node-6 regional-querier bcd",
      "node-3 store-gateway a1",
      "node-4 store-gateway a2",
      "node-5 store-gateway a3",
      "node-6 store-gateway bcd",
      "node-2 compactor",
      "node-1 ruler",
      "node-2 alertmanager",
      "node-1 grafana",
      "node-7 object-store",
      "node-7 object-store-console",
    ]);
    expect(lost[0]?.lost).toBe("the last hours of 60 clusters: nobody else asks those of region a1");
  });

  it("is refused for its replicas on one node, unless the file allows that", () => {
    const strict = planText(
      shipped("seven-nodes-as-designed").replace("spreadReplicas: false", "spreadReplicas: true"),
    );
    const codes = strict.ok ? [] : strict.failure.problems.map(({ code, path }) => `${code} ${path}`);
    expect(codes).toEqual([
      "HA_SAME_NODE regions.a1.on",
      "HA_SAME_NODE regions.a2.on",
      "HA_SAME_NODE regions.a3.on",
      "HA_SAME_NODE regions.bcd.on",
      "HA_SAME_NODE roles.global-store-gateway.on",
      "HA_SAME_NODE roles.alertmanager.on",
      "HA_SAME_NODE roles.grafana.on",
    ]);
  });
});

describe("the corrected design", () => {
  const plan = planOf("seven-nodes");

  it("has all replicas of a role, and of a region, on different nodes", () => {
    const replicaSets = Map.groupBy(plan.roles, ({ kind, region }) => `${kind} ${region ?? ""}`);
    for (const [set, roles] of replicaSets) {
      expect([set, new Set(roles.map(({ node }) => node)).size]).toEqual([set, roles.length]);
    }
    const queriers = plan.roles.filter(({ kind, region }) => kind === "regional-querier" && region !== undefined);
    expect(queriers.map(({ id, node }) => `${id} ${node}`)).toEqual([
      "regional-querier-a1-0 node-3",
      "regional-querier-a1-1 node-4",
      "regional-querier-a2-0 node-4",
      "regional-querier-a2-1 node-5",
      "regional-querier-a3-0 node-5",
      "regional-querier-a3-1 node-6",
      "regional-querier-bcd-0 node-6",
      "regional-querier-bcd-1 node-3",
    ]);
  });

  it("survives the loss of any one node, but for what may wait", () => {
    const lost = plan.survival.filter(({ survives }) => !survives).map(({ kind }) => kind);
    expect(lost).toEqual(["compactor", "object-store-console", "monitoring-agent"]);
  });

  it("fits, with room on every node", () => {
    const { rows, totals } = planTable(plan);
    expect(rows.map(({ cpu, memory }) => `${cpu} ${memory}`)).toEqual([
      "9/16 18/32",
      "9.5/16 19/32",
      "12/16 24/32",
      "12/16 24/32",
      "14/16 28/32",
      "14/16 28/32",
      "5/16 15.5/32",
    ]);
    expect(totals).toEqual({ cpu: "75.5/112", cpuPercent: "67 %", memory: "156.5/224", memoryPercent: "70 %" });
  });

  it("has the regions and clusters of the requirements", () => {
    const span = ({ clusters }: { clusters: readonly string[] }) =>
      `${clusters[0]}..${clusters.at(-1)} ${clusters.length}`;
    expect(plan.regions.map((region) => `${region.name} ${span(region)}`)).toEqual([
      "a1 cluster-001..cluster-060 60",
      "a2 cluster-061..cluster-120 60",
      "a3 cluster-121..cluster-180 60",
      "bcd cluster-181..cluster-220 40",
    ]);
    expect(plan.clusters[180]).toEqual({
      name: "cluster-181",
      number: 181,
      group: "group-b",
      region: "bcd",
      externalLabels: { cluster: "cluster-181", cluster_group: "group-b", region: "bcd", replica: "0" },
      series: 50_000,
      prometheusReplicas: 1,
      ingest: "pull",
      twinSeries: 500,
      scrapeIntervalMs: 30_000,
      retentionMs: 172_800_000,
      targets: [],
      exporterPort: 20_181,
      grpcPort: 21_181,
    });
    expect(plan.totals).toMatchObject({ clusters: 220, series: 180 * 100_000 + 20 * 50_000 + 20 * 20_000 });
  });

  it("wires every role to what it asks", () => {
    const objectStores = ["object-store-0", "object-store-1", "object-store-2"];
    const regional = (region: string) => [`regional-querier-${region}-0`, `regional-querier-${region}-1`];
    expect(edgesFrom(plan, "grafana-0")).toEqual({ "http query-frontend": ["query-frontend-0", "query-frontend-1"] });
    expect(edgesFrom(plan, "query-frontend-1")).toEqual({
      "http global-querier": ["global-querier-0", "global-querier-1"],
    });
    expect(edgesFrom(plan, "global-querier-0")).toEqual({
      "grpc regional-querier-a1": regional("a1"),
      "grpc regional-querier-a2": regional("a2"),
      "grpc regional-querier-a3": regional("a3"),
      "grpc regional-querier-bcd": regional("bcd"),
      "grpc regional-querier": ["regional-querier-0", "regional-querier-1"],
    });
    // What has no region is asked by queriers of its own: the root evaluates nothing that only it could see.
    expect(edgesFrom(plan, "regional-querier-0")).toEqual({
      "grpc store-gateway": ["store-gateway-0", "store-gateway-1"],
      "grpc each of": ["ruler-0", "ruler-1", "monitoring-agent-0"],
    });
    expect(edgesFrom(plan, "regional-querier-bcd-1")).toEqual({
      "grpc each of": Array.from({ length: 40 }, (_, i) => `cluster-${181 + i}`),
      "grpc store-gateway-bcd": ["store-gateway-bcd-0", "store-gateway-bcd-1"],
    });
    expect(edgesFrom(plan, "ruler-0")).toEqual({
      "http global-querier": ["global-querier-0", "global-querier-1"],
      "http each of": ["alertmanager-0", "alertmanager-1", "alertmanager-2"],
      "s3 object-store": objectStores,
    });
    expect(edgesFrom(plan, "cluster-007")).toEqual({ "s3 object-store": objectStores });
    const others = plan.roles.map(({ id }) => id).filter((id) => id !== "monitoring-agent-0");
    expect(edgesFrom(plan, "monitoring-agent-0")).toEqual({
      "http each of": others,
      "s3 object-store": objectStores,
    });
  });

  it("scrapes its own roles as the job monitoring", () => {
    expect(plan.monitoring).toEqual({
      job: "monitoring",
      scrapeIntervalMs: 30_000,
      retentionMs: 172_800_000,
      agents: [{ role: "monitoring-agent-0", externalLabels: { cluster: "monitoring", replica: "0" } }],
    });
  });

  it("counts ports from the base of the twin", () => {
    const { twin, roles } = plan;
    expect(twin.consolePort).toBe(19_000);
    expect(roles[0]).toMatchObject({ id: "query-frontend-0", httpPort: 19_100, grpcPort: undefined });
    expect(roles[2]).toMatchObject({ id: "global-querier-0", httpPort: 19_102, grpcPort: 19_202 });
    expect(twin.clusterProcesses.map(({ name, httpPort, clusters }) => [name, httpPort, clusters.length])).toEqual([
      ["clusters-a1", 19_300, 60],
      ["clusters-a2", 19_301, 60],
      ["clusters-a3", 19_302, 60],
      ["clusters-bcd", 19_303, 40],
    ]);
  });

  it("says who should be there", () => {
    const { regions } = inventoryOf(plan);
    expect(regions.map(({ name, clusters }) => [name, clusters.length])).toEqual([
      ["a1", 60],
      ["a2", 60],
      ["a3", 60],
      ["bcd", 40],
    ]);
    expect(regions[3]?.clusters[39]).toEqual({
      name: "cluster-220",
      externalLabels: { cluster: "cluster-220", cluster_group: "group-d", region: "bcd", replica: "0" },
    });
  });

  it("is planned in a moment (the time is printed, not judged)", () => {
    const text = shipped("seven-nodes");
    const startMs = performance.now();
    expect(planText(text).ok).toBe(true);
    console.info(`220 clusters read and planned in ${(performance.now() - startMs).toFixed(1)} ms`);
  });
});

describe("the laptop", () => {
  const plan = planOf("laptop");

  it("spreads replicas without being told where", () => {
    for (const { roles, nodes } of plan.survival) expect(nodes.length).toBe(roles.length);
  });

  it("loses nothing but its bucket with any one node", () => {
    const fleet = readFleet(shipped("laptop"), "laptop.yaml");
    if (!fleet.ok) throw new Error("no fleet");
    expect(lossesWithoutRoom(fleet.value, plan)).toEqual([]);
    const lost = plan.survival.filter(({ survives }) => !survives).map(({ kind }) => kind);
    expect(lost).toEqual(["compactor", "object-store", "monitoring-agent"]);
  });

  it("asks the global querier directly where there is no query frontend", () => {
    const direct = planText(shipped("laptop").replace(/^ {2}query-frontend: .*\n/m, ""));
    expect(direct.ok ? edgesFrom(direct.value, "grafana-0") : direct.failure).toEqual({
      "http global-querier": ["global-querier-0", "global-querier-1"],
    });
  });

  it("takes a region by clusters and a group together", () => {
    expect(plan.regions.map(({ name, clusters }) => `${name}: ${clusters.join(" ")}`)).toEqual([
      "east: shop-01 shop-02 shop-03 shop-04 shop-05 shop-06",
      "west: office-1 office-2 office-3 shop-07 shop-08 warehouse",
    ]);
  });
});

interface RandomFleet {
  readonly nodes: readonly { readonly tier: number; readonly cores: number; readonly gibibytes: number }[];
  readonly regionSizes: readonly number[];
  readonly replicas: readonly number[]; // of global and regional queriers, and of regional store gateways
  readonly cores: number;
  readonly pinned: boolean;
  readonly spread: boolean;
  readonly clustersMax: number;
}

const randomFleet: fc.Arbitrary<RandomFleet> = fc.record({
  nodes: fc.array(
    fc.record({
      tier: fc.integer({ min: 1, max: 3 }),
      cores: fc.integer({ min: 4, max: 16 }),
      gibibytes: fc.integer({ min: 4, max: 32 }),
    }),
    { minLength: 3, maxLength: 12 },
  ),
  regionSizes: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
  replicas: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  cores: fc.integer({ min: 1, max: 4 }),
  pinned: fc.boolean(),
  spread: fc.boolean(),
  clustersMax: fc.integer({ min: 10, max: 40 }),
});

/** The fleet as a file, its mappings in the order of `shuffle`. JSON is YAML. */
function fileOf(fleet: RandomFleet, shuffle: <T>(items: T[]) => T[] = (items) => items): string {
  const { nodes, regionSizes, replicas, cores, pinned, spread, clustersMax } = fleet;
  const mapping = <T>(entries: [string, T][]) => Object.fromEntries(shuffle(entries));
  const starts = regionSizes.map((_, i) => regionSizes.slice(0, i).reduce((sum, size) => sum + size, 1));
  const total = regionSizes.reduce((sum, size) => sum + size, 0);
  const on = pinned ? { on: nodes.map((_, i) => `n${i}`) } : {};
  const size = { cpu: cores, memory: `${cores}Gi` };
  return JSON.stringify(
    mapping<unknown>([
      ["version", 1],
      ["name", "random"],
      ["policies", { clustersPerRegionMax: clustersMax, spreadReplicas: spread }],
      [
        "nodes",
        mapping(
          nodes.map(({ tier, cores, gibibytes }, i) => [
            `n${i}`,
            { tier, role: "any", cores, memory: `${gibibytes}Gi`, disk: "1Ti", network: "1Gbit/s" },
          ]),
        ),
      ],
      ["groups", mapping([["all", { clusters: `c-{1..${total}}`, series: "1k" }]])],
      [
        "regions",
        mapping(
          regionSizes.map((size, i) => [
            `r${i}`,
            { clusters: `c-{${starts[i]}..${(starts[i] ?? 0) + size - 1}}`, ...on },
          ]),
        ),
      ],
      [
        "roles",
        mapping([
          ["global-querier", { replicas: replicas[0], ...size }],
          ["regional-querier", { replicas: replicas[1], ...size, tiers: [1, 2, 3] }],
          ["regional-store-gateway", { replicas: replicas[2], ...size }],
        ]),
      ],
      ["objectStorage", { bucket: "blocks", capacity: "1Ti" }],
    ]),
  );
}

describe("on any fleet", () => {
  const expectedCodes = ["NO_NODE", "UNSCHEDULABLE", "HA_SAME_NODE", "NODE_CPU", "NODE_MEM", "REGION_CAPACITY"];

  it("a plan keeps every promise, or the failure says which it cannot keep", () => {
    let planned = 0;
    fc.assert(
      fc.property(randomFleet, (fleet) => {
        const plan = planText(fileOf(fleet));
        if (!plan.ok) {
          for (const { code } of plan.failure.problems) expect(expectedCodes).toContain(code);
          return;
        }
        planned++;
        expectPromises(plan.value, fleet);
      }),
      { numRuns: 200 },
    );
    // Otherwise the promises were never put to the test.
    expect(planned).toBeGreaterThan(10);
  });

  it("the order of the file's keys changes no byte", () => {
    fc.assert(
      fc.property(randomFleet, fc.infiniteStream(fc.nat()), (fleet, numbers) => {
        const shuffle = <T>(items: T[]) =>
          items
            .map((item) => [numbers.next().value ?? 0, item] as const)
            .sort(([a], [b]) => a - b)
            .map(([, item]) => item);
        const [straight, shuffled] = [planText(fileOf(fleet)), planText(fileOf(fleet, shuffle))];
        expect(shuffled.ok).toBe(straight.ok);
        if (straight.ok && shuffled.ok) expect(planToJson(shuffled.value)).toBe(planToJson(straight.value));
      }),
      { numRuns: 60 },
    );
  });

  it("planning twice gives the same bytes", () => {
    for (const name of ["seven-nodes", "seven-nodes-as-designed", "laptop"]) {
      expect(planToJson(planOf(name))).toBe(planToJson(planOf(name)));
    }
  });
});

function expectPromises(plan: Plan, { spread, regionSizes, clustersMax }: RandomFleet): void {
  for (const node of plan.nodes) {
    expect(node.cpuMillicoresUsed).toBeLessThanOrEqual(node.cpuMillicores);
    expect(node.memoryBytesUsed).toBeLessThanOrEqual(node.memoryBytes);
  }
  const clusters = plan.regions.flatMap(({ clusters }) => clusters);
  expect(clusters.sort()).toEqual(plan.clusters.map(({ name }) => name).sort());
  expect(new Set(clusters).size).toBe(regionSizes.reduce((sum, size) => sum + size, 0));
  for (const { clusters } of plan.regions) expect(clusters.length).toBeLessThanOrEqual(clustersMax);
  if (spread) {
    const places = plan.roles.map(({ kind, region, node }) => `${kind} ${region ?? ""} ${node}`);
    expect(new Set(places).size).toBe(places.length);
  }
  const ends = new Set([...plan.roles.map(({ id }) => id), ...clusters]);
  for (const { from, to } of plan.edges) expect(ends.has(from) && ends.has(to)).toBe(true);
  const ports = [
    plan.twin.consolePort,
    ...plan.roles.flatMap(({ httpPort, grpcPort }) => [httpPort, grpcPort]),
    ...plan.twin.clusterProcesses.map(({ httpPort }) => httpPort),
    ...plan.clusters.flatMap(({ exporterPort, grpcPort }) => [exporterPort, grpcPort]),
  ].filter((port) => port !== undefined);
  expect(new Set(ports).size).toBe(ports.length);
}
