/**
 * Which store gateway serves which blocks: those of a region the blocks of its clusters, those without a region the rest.
 * Each block has owners of one kind only, told by its external labels as the plan gives them. Pure.
 */
import type { SelectorRule } from "@pleiad/blocks";
import type { Plan, PlannedRole } from "@pleiad/fleet";

export function blocksOf(gateway: PlannedRole, plan: Plan): readonly SelectorRule[] {
  return [...regionRules(gateway, plan), ...shardRules(gateway, ["__block_id"])];
}

/** The blocks of one shard of the compactor: whole streams, and replicas of one cluster together. */
export function compactedBlocksOf(compactor: PlannedRole, { clusters, replicaLabels }: Plan): readonly SelectorRule[] {
  const names = new Set(clusters.flatMap(({ externalLabels }) => Object.keys(externalLabels)));
  return shardRules(compactor, [...names].filter((name) => !replicaLabels.includes(name)).sort());
}

const shardLabel = "__shard";

function shardRules({ shard }: PlannedRole, sourceLabels: readonly string[]): readonly SelectorRule[] {
  if (shard === undefined) return [];
  return [
    { action: "hashmod", sourceLabels, separator, modulus: shard.count, targetLabel: shardLabel },
    { action: "keep", sourceLabels: [shardLabel], separator, regex: String(shard.index) },
  ];
}

function regionRules(gateway: PlannedRole, plan: Plan): readonly SelectorRule[] {
  const hasRegions = plan.roles.some(({ kind, region }) => kind === "store-gateway" && region !== undefined);
  if (!hasRegions) return [];
  const { labels, keysOf } = regionKeys(plan);
  const keys = gateway.region === undefined ? plan.regions.flatMap(({ name }) => keysOf(name)) : keysOf(gateway.region);
  return [
    {
      action: gateway.region === undefined ? "drop" : "keep",
      sourceLabels: labels,
      separator,
      regex: keys.map(escapeRegex).join("|"),
    },
  ];
}

const separator = ";";

interface RegionKeys {
  readonly labels: readonly string[];
  /** What the labels of the blocks of a region say, joined. No two regions share one. */
  readonly keysOf: (region: string) => readonly string[];
}

/** The one label with the fewest values that tells regions apart; all labels where no single one does. */
function regionKeys({ clusters, replicaLabels }: Plan): RegionKeys {
  const names = [...new Set(clusters.flatMap(({ externalLabels }) => Object.keys(externalLabels)))]
    .filter((name) => !replicaLabels.includes(name))
    .sort();
  const candidates = [...names.map((name) => [name]), names].map((labels) => {
    const regionsByKey = new Map<string, Set<string>>();
    for (const { externalLabels, region } of clusters) {
      const key = labels.map((name) => externalLabels[name] ?? "").join(separator);
      const regions = regionsByKey.get(key);
      if (regions === undefined) regionsByKey.set(key, new Set([region]));
      else regions.add(region);
    }
    return { labels, regionsByKey };
  });
  const fit = candidates
    // Blocks without the label, of rulers or of monitoring, have the empty key.
    .filter(({ labels, regionsByKey }) => {
      const isTold = [...regionsByKey].every(([key, regions]) => regions.size === 1 && key !== "");
      return isTold || labels === names;
    })
    .sort((a, b) => a.regionsByKey.size - b.regionsByKey.size)[0];
  if (fit === undefined) throw new Error("a plan without external labels");
  return {
    labels: fit.labels,
    keysOf: (region) => [...fit.regionsByKey].filter(([, regions]) => regions.has(region)).map(([key]) => key),
  };
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
