export { createBucket, parseBucketConfig, type BucketConfig, type BucketConfigPorts } from "./bucket-config.ts";
export {
  withFaults,
  type BucketFault,
  type BucketFaultPlan,
  type BucketFaultRule,
  type BucketOperation,
  type FaultyBucket,
} from "./faulty-bucket.ts";
export { createFileBucket } from "./file-bucket.ts";
export { withMetrics } from "./observed-bucket.ts";
export { withPrefix } from "./prefixed-bucket.ts";
export { createS3Bucket } from "./s3-bucket.ts";
export { defaultS3Transfer, type S3BucketOptions, type S3Transfer } from "./s3-options.ts";
