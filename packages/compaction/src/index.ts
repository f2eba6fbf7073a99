export { compareBlocks, formatGroupKey, groupBlocks, type BlockGroup } from "./block-group.ts";
export { resolutionName, type Retention } from "./block-lifetime.ts";
export { findCovered, viewBlocks, type BlockView, type BlockViewOptions } from "./block-view.ts";
export type { BlockWorkOptions } from "./block-work.ts";
export { createCompactor } from "./bucket-compactor.ts";
export { compactBlocks, type CompactBlocksOptions } from "./compact-blocks.ts";
export { formatCompactionFailure, type CompactionFailure } from "./compaction-failure.ts";
export {
  countBacklog,
  defaultPlan,
  firstOverlap,
  formatPlan,
  planCompaction,
  type CompactionPlan,
  type PlanOptions,
} from "./compaction-plan.ts";
export {
  defaultBlockWork,
  defaultCompactor,
  type Compactor,
  type CompactorOptions,
  type CompactorPorts,
  type CompactorStatus,
  type PassOutcome,
} from "./compactor.ts";
export { downsampleBlock, type DownsampleBlockOptions } from "./downsample-block.ts";
export type { HaltedStream, PlannedWork } from "./halted-streams.ts";
