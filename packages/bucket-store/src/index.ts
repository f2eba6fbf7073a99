export {
  createBucketStore,
  defaultBucketStore,
  type BucketStore,
  type BucketStoreOptions,
  type BucketStorePorts,
  type BucketStoreStatus,
  type ServedBlock,
} from "./bucket-store.ts";
export type { BucketReadOptions } from "./bucket-reads.ts";
export type { Coverage, StreamCoverage } from "./coverage.ts";
export type { QuestionLimits } from "./question.ts";
export type { BlockState, TimeBound } from "./shard-view.ts";
