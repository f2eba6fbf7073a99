/** What replicas of one role are called together: the name of what Kubernetes runs, and of the service that is scraped. */
import type { PlannedRole } from "./plan.ts";

/** Name of the workload that a role is a replica of: `regional-querier-a1`, `store-gateway-a1-0` where it is a shard. */
export function workloadName({ kind, region, shard }: Pick<PlannedRole, "kind" | "region" | "shard">): string {
  const base = region === undefined ? kind : `${kind}-${region}`;
  return shard === undefined ? base : `${base}-${shard.index}`;
}
