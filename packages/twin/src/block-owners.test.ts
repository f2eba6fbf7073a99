import { readFileSync } from "node:fs";
import { compileBlockSelector, type BlockMeta } from "@pleiad/blocks";
import { planFleet, readFleet, type Plan } from "@pleiad/fleet";
import { describe, expect, it } from "vitest";
import { blocksOf } from "./block-owners.ts";

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
