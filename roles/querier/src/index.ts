export {
  defaultQuerierLimits,
  startQuerier,
  type Querier,
  type QuerierLimits,
  type QuerierOptions,
  type QuerierPorts,
} from "./querier.ts";
export type { QuerierFailure } from "./querier-failure.ts";
