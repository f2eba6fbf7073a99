export { withConstantLabel } from "./constant-label.ts";
export { formatExpositionFailure, type ExpositionFailure } from "./exposition-failure.ts";
export {
  defaultExpositionLimits,
  parseExposition,
  type ExpositionLimits,
  type ExpositionSink,
  type ExpositionStats,
} from "./exposition-parser.ts";
export {
  expositionContentType,
  formatSeriesText,
  writeExposition,
  type ExpositionFamily,
  type ExpositionSample,
} from "./exposition-writer.ts";
export { formatOpenMetricsFloat, parseExpositionFloat } from "./float-text.ts";
export {
  createMetricRegistry,
  defaultMetricRegistryOptions,
  droppedObservationsMetric,
  observationsOf,
  type MetricRegistry,
  type MetricsPart,
  type MetricRegistryOptions,
} from "./metric-registry.ts";
export { decodeSeries, type MetricType } from "./series-text.ts";
