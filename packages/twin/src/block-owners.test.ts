import { readFileSync } from "node:fs";
import { compileBlockSelector, type BlockMeta } from "@pleiad/blocks";
import { planFleet, readFleet, type Plan } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import { blocksOf, compactedBlocksOf } from "./block-owners.ts";

function planOf(edit: (text: string) => string = (text) => text): Plan {
  const text = readFileSync(new URL("../../../fleets/seven-nodes.yaml", import.meta.url), "utf8");
  const fleet = readFleet(edit(text), "f.yaml");
  const plan = fleet.ok ? planFleet(fleet.value) : fleet;
  if (!plan.ok) throw new Error(JSON.stringify(plan.failure));
  return plan.value;
}

/** A function that gives the gateways which serve a block of external labels. */
function ownersIn(plan: Plan): (labels: Readonly<Record<string, string>>) => readonly string[] {
  const gateways = plan.roles.filter(({ kind }) => kind === "store-gateway");
  const selectors = gateways.map((gateway) => {
    const rules = blocksOf(gateway, plan);
    const selector = compileBlockSelector({ rules, minTimeMs: undefined, maxTimeMs: undefined });
    if (!selector.ok) throw new Error(selector.failure);
    return { id: gateway.id, isOwned: selector.value };
  });
  return (labels) => {
    const thanos = { ...noThanos, labels };
    return selectors.filter(({ isOwned }) => isOwned({ ...block, thanos })).map(({ id }) => id);
  };
}

const noThanos = { resolutionMs: 0, source: "", files: [], indexStats: undefined, uploadTimeMs: undefined };
const block: Omit<BlockMeta, "thanos"> = {
  ulid: "01HZZZZZZZZZZZZZZZZZZZZZZZ",
  minTimeMs: 0,
  maxTimeMs: 1,
  stats: {
    numSamples: 1,
    numFloatSamples: 1,
    numHistogramSamples: 0,
    numSeries: 1,
    numChunks: 1,
    numTombstones: 0,
  },
  compaction: { level: 1, sources: [], parents: [], isDeletable: false, isFailed: false, hints: [] },
};

/** The file with other external labels. */
const labelled = (labels: readonly string[]) => (text: string) =>
  text.replace(/^externalLabels:\n(?: .*\n)+/m, `externalLabels:\n${labels.map((one) => `  ${one}\n`).join("")}`);

describe("a block is served by the gateways", () => {
  for (const [rule, edit] of [
    ["with the labels of the shipped file", (text: string) => text],
    ["where no label is the region's own", labelled(["cluster: ${cluster}", "replica: ${replica}"])],
    [
      "where two labels together tell clusters apart",
      labelled(['one: "${group}.${cluster}"', "two: ${group}", "replica: ${replica}"]),
    ],
  ] as const) {
    it(`of its cluster's region, all of them and no other, ${rule}`, () => {
      const plan = planOf(edit);
      const ownersOf = ownersIn(plan);
      for (const { externalLabels, region } of plan.clusters) {
        expect(ownersOf(externalLabels)).toEqual([`store-gateway-${region}-0`, `store-gateway-${region}-1`]);
      }
    });

    it(`without a region, where it is no cluster's, ${rule}`, () => {
      const ownersOf = ownersIn(planOf(edit));
      for (const labels of [{ cluster: "monitoring", replica: "0" }, { ruler_replica: "1" }, {}]) {
        expect(ownersOf(labels)).toEqual(["store-gateway-0", "store-gateway-1"]);
      }
    });
  }

  it("without a region, all of it, where no region has one", () => {
    const plan = planOf((text) => text.replace(/^ +regional-store-gateway:.*\n/m, ""));
    expect(ownersIn(plan)(plan.clusters[0]?.externalLabels ?? {})).toEqual(["store-gateway-0", "store-gateway-1"]);
  });
});

describe("shards", () => {
  const shards = 3;
  const plan = planOf((text) =>
    text
      .replace(
        "regional-store-gateway: { replicas: 2, shards: 1",
        `regional-store-gateway: { replicas: 1, shards: ${shards}`,
      )
      .replace("compactor: { replicas: 1, shards: 1", `compactor: { replicas: 1, shards: ${shards}`)
      .replaceAll("cores: 16, memory: 32Gi, disk: 500Gi", "cores: 160, memory: 320Gi, disk: 50Ti"),
  );
  const selectorsOf = (kind: string, rulesOf: typeof blocksOf) =>
    plan.roles
      .filter((role) => role.kind === kind)
      .map((role) => {
        const selector = compileBlockSelector({
          rules: rulesOf(role, plan),
          minTimeMs: undefined,
          maxTimeMs: undefined,
        });
        if (!selector.ok) throw new Error(selector.failure);
        return { id: role.id, isOwned: selector.value };
      });
  const blocks = plan.clusters.flatMap(({ externalLabels }, i) =>
    ["0", "1"].map((replica) => ({
      ...block,
      ulid: `01HZZZZZZZZZZZZZZZZZZZ${String(i).padStart(3, "0")}${replica}`,
      thanos: { ...noThanos, labels: { ...externalLabels, replica } },
    })),
  );

  for (const [kind, rulesOf] of [
    ["store-gateway", blocksOf],
    ["compactor", compactedBlocksOf],
  ] as const) {
    it(`of the ${kind}: every block of a cluster has exactly one owner, and every shard has some`, () => {
      const selectors = selectorsOf(kind, rulesOf).filter(
        ({ id }) => id.startsWith("compactor") || /-[a-z]+\d?-\d+$/.test(id),
      );
      const owners = blocks.map((one) => selectors.filter(({ isOwned }) => isOwned(one)).map(({ id }) => id));
      expect(owners.filter((ids) => ids.length !== 1)).toEqual([]);
      const regions = kind === "compactor" ? 1 : plan.regions.length;
      expect(new Set(owners.flat()).size).toBe(shards * regions);
    });
  }

  it("of the compactor keep the replicas of a cluster together, so that they can be merged", () => {
    const selectors = selectorsOf("compactor", compactedBlocksOf);
    const ownerOf = (one: BlockMeta) => selectors.find(({ isOwned }) => isOwned(one))?.id;
    const ownersOf = Map.groupBy(
      blocks,
      ({ thanos }) => (thanos.labels as Readonly<Record<string, string>>)["cluster"],
    );
    const apart = [...ownersOf].filter(([, pair]) => new Set(pair.map(ownerOf)).size !== 1);
    expect(apart.map(([cluster]) => cluster)).toEqual([]);
  });
});
