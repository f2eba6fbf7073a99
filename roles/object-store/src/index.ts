export {
  bucketFolderOf,
  startObjectStore,
  type ObjectStore,
  type ObjectStoreFailure,
  type ObjectStoreOptions,
} from "./object-store.ts";
