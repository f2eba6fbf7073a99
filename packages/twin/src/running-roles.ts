/** Which roles of a plan the twin runs; the others are planned and shown as not yet running. Pure. */
import type { Plan, PlannedRole, RoleKind } from "@pleiad/fleet";

const alwaysRun: ReadonlySet<RoleKind> = new Set<RoleKind>([
  "query-frontend",
  "global-querier",
  "regional-querier",
  "monitoring-agent",
]);
const runOnBucket: ReadonlySet<RoleKind> = new Set<RoleKind>(["object-store", "compactor", "store-gateway"]);

/** The role that has the bucket; undefined where the fleet has none of its own. A twin has one disk, and so one store. */
export function objectStoreOf(plan: Plan): PlannedRole | undefined {
  if (plan.objectStorage === undefined) return undefined;
  return plan.roles.find(({ kind, replica }) => kind === "object-store" && replica === 0);
}

export function runsInTwin(role: PlannedRole, plan: Plan): boolean {
  if (alwaysRun.has(role.kind)) return true;
  const store = objectStoreOf(plan);
  if (store === undefined || !runOnBucket.has(role.kind)) return false;
  return role.kind !== "object-store" || role.id === store.id;
}
