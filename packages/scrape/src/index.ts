export {
  createScrapeLoop,
  defaultScrapeOptions,
  type ScrapeLoop,
  type ScrapeOptions,
  type TargetStatus,
} from "./scrape-loop.ts";
export { createScrapePool, type ScrapePool } from "./scrape-pool.ts";
export type { ScrapeTarget } from "./scrape-target.ts";
