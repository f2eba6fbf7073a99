export {
  startObjectStore,
  type ObjectStore,
  type ObjectStoreFailure,
  type ObjectStoreOptions,
} from "./object-store.ts";
