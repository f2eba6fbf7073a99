export { formatDownsampleFailure, type DownsampleFailure } from "./downsample-failure.ts";
export { downsampleAggregates, downsampleRaw } from "./downsample.ts";
