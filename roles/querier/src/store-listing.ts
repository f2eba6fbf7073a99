/** What the fan-out knows of its endpoints, as the API lists it and as Thanos's metric counts it. Pure. */
import type { ListedStore } from "@pleiad/http-api";
import type { EndpointStatus } from "@pleiad/storeapi";

export function listStores(endpoints: readonly EndpointStatus[]): readonly ListedStore[] {
  return endpoints.map((endpoint) => ({
    componentType: endpoint.componentType,
    name: endpoint.address,
    lastCheckMs: endpoint.lastCheckMs,
    lastError: endpoint.lastError,
    labelSets: endpoint.labelSets,
    minTimeMs: endpoint.minTimeMs,
    maxTimeMs: endpoint.maxTimeMs,
  }));
}

/** Healthy endpoints by component type; a type of which none is healthy counts 0. */
export function countConnections(endpoints: readonly EndpointStatus[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { componentType, healthy } of endpoints) {
    counts.set(componentType, (counts.get(componentType) ?? 0) + (healthy ? 1 : 0));
  }
  return counts;
}
