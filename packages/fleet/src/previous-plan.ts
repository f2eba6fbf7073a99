/** What a new plan keeps of an older one: where each role is, and which region each cluster belongs to. */
import type { PlannedCluster, PlannedRole } from "./plan.ts";

/** A `Plan` is one. */
export interface PreviousPlan {
  readonly roles: readonly Pick<PlannedRole, "id" | "node" | "cpuMillicores" | "memoryBytes">[];
  readonly clusters: readonly Pick<PlannedCluster, "name" | "region">[];
}
