export { openCache, parseCacheConfig, type CacheConfig } from "./cache-config.ts";
export {
  defaultQueryFrontend,
  startQueryFrontend,
  type QueryFrontend,
  type QueryFrontendFailure,
  type QueryFrontendOptions,
  type QueryFrontendPorts,
} from "./query-frontend.ts";
export { createMemoryCache, defaultMemoryCache, type MemoryCacheOptions, type ResultsCache } from "./results-cache.ts";
