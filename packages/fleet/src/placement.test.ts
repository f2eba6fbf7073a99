import { describe, expect, it } from "vitest";
import { readFleet } from "./fleet-file.ts";
import type { Plan } from "./plan.ts";
import { planFleet } from "./planner.ts";
import { formatFleetFailure } from "./problems.ts";

interface Script {
  readonly nodes: readonly string[]; // `zone cores`, or `- cores` where the zone is not told
  readonly roles: string;
  readonly policies?: string;
  readonly groups?: string;
  readonly more?: string;
}

function planText({
  nodes,
  roles,
  policies = "{}",
  groups = "{ all: { clusters: c, series: 1k } }",
  more = "",
}: Script) {
  const lines = nodes.map((text, i) => {
    const [zone, cores] = text.split(" ");
    const told = zone === "-" ? "" : `, zone: ${zone}`;
    return `  n${i + 1}: { tier: 1, role: any, cores: ${cores}, memory: 64Gi, disk: 1Ti, network: 1Gbit/s${told} }`;
  });
  const text = `version: 1\nname: f\npolicies: ${policies}\nnodes:\n${lines.join("\n")}\ngroups: ${groups}\nroles:\n${roles}\n${more}`;
  const fleet = readFleet(text, "f.yaml");
  return fleet.ok ? planFleet(fleet.value) : fleet;
}

function planOf(script: Script): Plan {
  const plan = planText(script);
  if (!plan.ok) throw new Error(formatFleetFailure(plan.failure));
  return plan.value;
}

const placesOf = ({ roles }: Plan, kind: string) =>
  roles.filter((role) => role.kind === kind).map(({ id, node }) => `${id} ${node}`);
const tiers = "tiers: [1]";
const querier = `  global-querier: { cpu: 100m, memory: 64Mi }\n  regional-querier: { cpu: 100m, memory: 64Mi, ${tiers} }`;
const roles = (text: string) => `${querier}\n  ${text}`;

describe("zones", () => {
  const spread = roles("ruler: { replicas: 2, cpu: 1, memory: 1Gi }");
  const zonesOf = (plan: Plan, kind: string) =>
    plan.survival.find((one) => one.kind === kind)?.zones.toSorted() ?? ["none"];

  it("replicas go to different ones", () => {
    const plan = planOf({ nodes: ["a 8", "a 8", "a 8", "b 8"], roles: spread });
    expect(zonesOf(plan, "ruler")).toEqual(["a", "b"]);
  });

  it("as far as there are any: three replicas in two zones leave none empty", () => {
    const three = roles("alertmanager: { replicas: 3, cpu: 1, memory: 1Gi }");
    const plan = planOf({ nodes: ["a 8", "a 8", "b 8", "b 8"], roles: three });
    expect(zonesOf(plan, "alertmanager")).toEqual(["a", "b"]);
  });

  it("room comes before zones", () => {
    const plan = planOf({ nodes: ["a 8", "a 8", "b 1"], roles: roles("ruler: { replicas: 2, cpu: 2, memory: 1Gi }") });
    expect(placesOf(plan, "ruler")).toEqual(["ruler-0 n1", "ruler-1 n2"]);
    expect(plan.survival.find(({ kind }) => kind === "ruler")).toMatchObject({
      survives: true,
      survivesZone: false,
      lost: undefined,
    });
  });

  it("that are not told are not taken for granted", () => {
    const plan = planOf({ nodes: ["- 8", "- 8"], roles: spread });
    expect(plan.survival.find(({ kind }) => kind === "ruler")).toMatchObject({
      survives: true,
      survivesZone: undefined,
    });
  });

  it("do not matter where policies say so", () => {
    const nodes = ["a 64", "a 64", "b 4", "b 4"];
    const big = roles("ruler: { replicas: 2, cpu: 2, memory: 1Gi }");
    expect(zonesOf(planOf({ nodes, roles: big, policies: "{ spreadZones: false }" }), "ruler")).toEqual(["a"]);
    expect(zonesOf(planOf({ nodes, roles: big }), "ruler")).toEqual(["a", "b"]);
  });
});

describe("budgets", () => {
  const one = roles("ruler: { cpu: 7, memory: 1Gi }");
  const refused = (policies: string) => {
    const plan = planText({ nodes: ["- 7500m"], roles: one, policies });
    return plan.ok ? "" : formatFleetFailure(plan.failure);
  };

  it("are what a node has", () => expect(refused("{}")).toBe(""));
  it("less its own system's share", () =>
    expect(refused("{ reserve: { cpu: 500m } }")).toContain(
      "expected roles of at most 7 cores (of 7.5, less what policies.reserve and policies.headroom keep), found 7.2 cores",
    ));
  it("less what is kept free", () =>
    expect(refused("{ headroom: 0.1 }")).toContain("expected roles of at most 6.75 cores"));
});

describe("shards", () => {
  const bucket = "objectStorage: { bucket: blocks, capacity: 1Ti }";
  const gateways = roles(`regional-store-gateway: { replicas: 2, shards: 2, cpu: 1, memory: 1Gi, ${tiers} }`);
  const plan = planOf({ nodes: ["- 8", "- 8", "- 8"], roles: gateways, more: bucket });

  it("are numbered through, each on nodes of its own", () => {
    const found = plan.roles.filter(({ kind }) => kind === "store-gateway");
    expect(found.map(({ id, shard }) => `${id} ${shard?.index}/${shard?.count}`)).toEqual([
      "store-gateway-region-1-0 0/2",
      "store-gateway-region-1-1 0/2",
      "store-gateway-region-1-2 1/2",
      "store-gateway-region-1-3 1/2",
    ]);
    expect(plan.survival.filter(({ kind }) => kind === "store-gateway").map(({ survives }) => survives)).toEqual([
      true,
      true,
    ]);
  });

  it("are asked each, their replicas in turn", () => {
    const edges = plan.edges.filter(({ from, group }) => from === "regional-querier-region-1-0" && group !== undefined);
    expect(edges.map(({ to, group }) => `${to} ${group}`)).toEqual([
      "store-gateway-region-1-0 store-gateway-region-1-shard-0",
      "store-gateway-region-1-1 store-gateway-region-1-shard-0",
      "store-gateway-region-1-2 store-gateway-region-1-shard-1",
      "store-gateway-region-1-3 store-gateway-region-1-shard-1",
    ]);
  });

  it("are as many as the model asks for where the file names none", () => {
    const many = "{ all: { clusters: 'c-{1..50}', series: 1k, prometheusReplicas: 3 } }";
    const open = roles(`regional-store-gateway: { replicas: 2, ${tiers} }`);
    const plan = planOf({ nodes: ["- 32", "- 32"], roles: open, groups: many, more: bucket });
    // 150 streams of 92 blocks a year, 5000 blocks a shard.
    expect(placesOf(plan, "store-gateway").length).toBe(2 * 3);
    expect(plan.roles.filter(({ kind }) => kind === "store-gateway").every(({ sizedBy }) => sizedBy === "model")).toBe(
      true,
    );
  });
});

describe("clusters that push", () => {
  const groups = "{ far: { clusters: 'far-{1..2}', series: 1k, ingest: push }, near: { clusters: near, series: 1k } }";
  const plan = planOf({
    nodes: ["- 8", "- 8"],
    roles: roles(`receiver: { replicas: 2, ${tiers} }`),
    groups,
    policies: "{ clustersPerRegionMax: 2 }",
  });

  it("write to every receiver of their region, and are not asked themselves", () => {
    expect(plan.edges.filter(({ from }) => from === "far-1").map(({ to, protocol }) => `${protocol} ${to}`)).toEqual([
      "http receiver-region-1-0",
      "http receiver-region-1-1",
    ]);
    const asked = plan.edges.filter(({ from }) => from === "regional-querier-region-1-0").map(({ to }) => to);
    expect(asked).toEqual(["receiver-region-1-0", "receiver-region-1-1"]);
  });

  it("have receivers where they are, and nowhere else", () => {
    expect(placesOf(plan, "receiver").map((place) => place.split(" ")[0])).toEqual([
      "receiver-region-1-0",
      "receiver-region-1-1",
    ]);
  });

  it("are no fleet for the twin, which says so", () => {
    expect(plan.twin.refusal).toBe("it runs no receivers, and far-1 pushes");
  });
});

describe("a leaf querier", () => {
  const rest = "\n  leaf-querier: { replicas: 2 }\n  ruler: { replicas: 2 }\n  global-store-gateway: { replicas: 2 }";
  const plan = planOf({
    nodes: ["- 16", "- 16"],
    roles: roles(rest.trim().replaceAll("\n  ", "\n  ")),
    more: "objectStorage: { bucket: blocks, capacity: 1Ti }",
  });
  const askedBy = (id: string) =>
    plan.edges.filter(({ from, protocol }) => from === id && protocol === "grpc").map(({ to }) => to);

  it("asks what has no region, and global queriers ask queriers alone", () => {
    expect(askedBy("global-querier-0")).toEqual([
      "regional-querier-region-1-0",
      "regional-querier-0",
      "regional-querier-1",
    ]);
    expect(askedBy("regional-querier-1")).toEqual(["store-gateway-0", "store-gateway-1", "ruler-0", "ruler-1"]);
  });
});
