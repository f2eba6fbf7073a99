export {
  defaultQuerierLimits,
  startQuerier,
  type Querier,
  type QuerierLimits,
  type QuerierOptions,
  type QuerierPorts,
  type QueryMode,
} from "./querier.ts";
export type { QuerierFailure } from "./querier-failure.ts";
