export { createBucketStore, type BucketStore, type BucketStoreStatus, type ServedBlock } from "./bucket-store.ts";
export type { BucketReadOptions } from "./bucket-reads.ts";
export type { Coverage, StreamCoverage } from "./coverage.ts";
export type { QuestionLimits } from "./question.ts";
export type { BlockState, TimeBound } from "./shard-view.ts";
export { defaultBucketStore, type BucketStoreOptions, type BucketStorePorts } from "./store-options.ts";
