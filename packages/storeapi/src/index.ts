export { defaultStoreHandlers, storeHandlers, type StoreHandlerOptions } from "./store-handlers.ts";
export { listenForStore, type StoreListenerOptions, type StoreListeners } from "./store-listeners.ts";
export type { StoreIdentity } from "./store-identity.ts";
export {
  createStoreClient,
  defaultStoreClient,
  type StoreClient,
  type StoreClientOptions,
  type StoreCursor,
} from "./store-client.ts";
export type { EndpointSpec, EndpointStatus, ExpectedCluster } from "./endpoint.ts";
export { deduplicate, deduplicationFunctions, type DeduplicationFunction } from "./deduplication.ts";
export { createFanout, defaultFanout, type Fanout, type FanoutOptions } from "./fanout.ts";
export {
  defaultMonitoringHandlers,
  monitoringHandlers,
  type MonitoringHandlerOptions,
  type SelectorReader,
} from "./monitoring-handlers.ts";
export { heldExemplars, type ExemplarHolder } from "./held-exemplars.ts";
export type { Inventory } from "./endpoint-set.ts";
export { defaultQueryHandlers, queryHandlers, type QueryHandlerOptions } from "./query-handlers.ts";
export { endpointAddressFault, lookedUpAddress } from "./endpoint-address.ts";
export { parseEndpoints, strictLookup } from "./endpoint-file.ts";
export { defaultEndpointNamesIntervalMs, type EndpointNamesOptions } from "./endpoint-names.ts";
export { openEndpointSource, type EndpointSource, type EndpointSourceOptions } from "./endpoint-source.ts";
export { defaultEndpointFiles, type EndpointFilesOptions } from "./endpoint-files.ts";
