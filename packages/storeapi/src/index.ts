export { defaultStoreHandlers, storeHandlers, type StoreHandlerOptions } from "./store-handlers.ts";
export type { StoreIdentity } from "./store-identity.ts";
export {
  createStoreClient,
  defaultStoreClient,
  type StoreClient,
  type StoreClientOptions,
  type StoreCursor,
} from "./store-client.ts";
