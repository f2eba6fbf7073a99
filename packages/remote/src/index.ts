export {
  createWriteReceiver,
  createWriteTables,
  defaultWriteReceiver,
  refusalAnswer,
  type WriteReceiver,
  type WriteReceiverOptions,
  type WriteTables,
  type WriteTarget,
} from "./write-receiver.ts";
export { createPrometheusApi, type PrometheusApi, type PrometheusFlags } from "./prometheus-api.ts";
export { createPrometheusClient, type PrometheusClient, type PrometheusClientOptions } from "./prometheus-client.ts";
export { createPrometheusMonitoring, type PrometheusMonitoringOptions } from "./prometheus-monitoring.ts";
export { createPrometheusSource, type PrometheusSourceOptions } from "./prometheus-source.ts";
export { createReadClient, defaultReadClient, type ReadClient, type ReadClientOptions } from "./read-client.ts";
