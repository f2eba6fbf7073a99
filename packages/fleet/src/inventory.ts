/** Who should be there: queriers hold it against who answers, so that no cluster goes missing unseen. */
import type { Plan } from "./plan.ts";

export interface InventoryCluster {
  readonly name: string;
  readonly externalLabels: Readonly<Record<string, string>>; // sorted by name
}

export interface InventoryRegion {
  readonly name: string;
  readonly clusters: readonly InventoryCluster[];
}

export interface Inventory {
  readonly regions: readonly InventoryRegion[];
}

/** The clusters that the plan expects, by region; both in the order of their names. */
export function inventoryOf(plan: Plan): Inventory {
  const clusterOf = new Map(plan.clusters.map((cluster) => [cluster.name, cluster]));
  return {
    regions: plan.regions.map(({ name, clusters }) => ({
      name,
      clusters: clusters.flatMap((clusterName) => {
        const cluster = clusterOf.get(clusterName);
        return cluster === undefined ? [] : [{ name: cluster.name, externalLabels: cluster.externalLabels }];
      }),
    })),
  };
}
