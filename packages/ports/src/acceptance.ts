/** What every implementation of a port must do, as test suites: run them in the implementation's own test file. */
export { runBucketAcceptance, type BucketUnderTest } from "./bucket-acceptance.ts";
export { runClockAcceptance } from "./clock-acceptance.ts";
export { runFileSystemAcceptance, type FileSystemUnderTest } from "./file-system-acceptance.ts";
export { runNetworkAcceptance, type NetworkUnderTest } from "./network-acceptance.ts";
export { runThreadsAcceptance } from "./threads-acceptance.ts";
