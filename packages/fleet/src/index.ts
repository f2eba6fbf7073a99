export { deployedComponents, type DeployedComponent, type FleetDeployment } from "./deployment-schema.ts";
export type {
  Fleet,
  FleetAcceptance,
  FleetBucketRetention,
  FleetCluster,
  FleetGrowth,
  FleetMonitoring,
  FleetNode,
  FleetObjectStorage,
  FleetPolicies,
  FleetPrices,
  FleetQueryLoad,
  FleetRegion,
  FleetRole,
  FleetStaff,
  FleetTwin,
  RoleKey,
} from "./fleet.ts";
export { readFleet, type ReadFleetOptions } from "./fleet-file.ts";
export { fleetJsonSchema } from "./fleet-schema.ts";
export { keyPlace, pathText, valuePlace, type FleetSource, type Path, type Place } from "./fleet-source.ts";
export { compareNames } from "./name-order.ts";
export { inventoryOf, type Inventory, type InventoryCluster, type InventoryRegion } from "./inventory.ts";
export type {
  Deduplication,
  Ingest,
  Plan,
  PlannedCluster,
  PlannedClusterProcess,
  PlannedEdge,
  PlannedHistory,
  PlannedHistoryProcess,
  PlannedMonitoring,
  PlannedMonitoringAgent,
  PlannedNode,
  PlannedObjectStorage,
  PlannedRegion,
  PlannedRole,
  PlannedShard,
  PlannedSuperRegion,
  PlannedSurvival,
  PlannedTarget,
  PlannedTwin,
  PlanTotals,
  QueryMode,
  RoleKind,
  StorageKind,
  Tier,
  Versions,
} from "./plan.ts";
export { planTable, planToJson, type PlanTable, type PlanTableRow } from "./plan-table.ts";
export { capacityOf, capacityOfTwin } from "./capacity-load.ts";
export { planFleet, type PlanOptions } from "./planner.ts";
export { fleetRoleOf, lossesWithoutRoom, type LossWithoutRoom } from "./lost-nodes.ts";
export type { PreviousPlan } from "./previous-plan.ts";
export { defaultAnswers, starterFleet, type StarterAnswers } from "./starter-fleet.ts";
export {
  fleetProblemCodes,
  formatFleetFailure,
  formatFleetProblem,
  formatFleetProblemWithExcerpt,
  type FleetFailure,
  type FleetProblem,
  type FleetProblemCode,
} from "./problems.ts";
export { applyEdits, type FleetEdit, type FleetValue } from "./yaml-text.ts";
export { changeCluster, type ChangedFleetFile, type ClusterChange, type ClusterChangeFailure } from "./cluster-edit.ts";
export { workloadName } from "./workload-name.ts";
