export { defaultMetadataStore, type MetadataStoreOptions } from "./metadata-store.ts";
export {
  createScrapeLoop,
  defaultScrapeOptions,
  type ScrapeLoop,
  type ScrapeOptions,
  type TargetStatus,
} from "./scrape-loop.ts";
export { createScrapePool, type ScrapePool } from "./scrape-pool.ts";
export { discoveredLabels, type ScrapeTarget } from "./scrape-target.ts";
