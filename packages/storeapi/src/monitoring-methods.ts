/** Full names of the methods by which a peer tells of rules, targets, metadata and exemplars. */
import type { MonitoringService } from "@pleiad/model";

export const monitoringMethods = {
  rules: "/thanos.Rules/Rules",
  targets: "/thanos.Targets/Targets",
  metadata: "/thanos.Metadata/MetricMetadata",
  exemplars: "/thanos.Exemplars/Exemplars",
} as const satisfies Record<MonitoringService, string>;
