export {
  gatherConsoleState,
  type ConsoleCluster,
  type ConsoleHistory,
  type ConsoleNode,
  type ConsoleRole,
  type ConsoleState,
} from "./console-state.ts";
export { fillValues, makeUpCluster, timeColumn, type MadeUpCluster, type MadeUpSeries } from "./made-up-cluster.ts";
export { createMadeUpPage, type MadeUpPage } from "./made-up-page.ts";
export { runsInTwin } from "./running-roles.ts";
export { readRunningTwin, type RunningTwin } from "./state-folder.ts";
export type { ProcessStatus } from "./supervised-process.ts";
export { startTwin, type Twin, type TwinOptions, type TwinProgress } from "./twin.ts";
export { endpointsOf, type WiredEndpoint } from "./wiring.ts";
