/** For tests: rules, targets, metadata and exemplars of one cluster, or of one of its replicas. */
import { withLabels, type Labels } from "@pleiad/model";
import { acceptanceMonitoring, type MonitoringData } from "@pleiad/model/monitoring-acceptance";

/** The data of the acceptance suite as whoever has these labels tells it. */
export function monitoringDataOf(external: Labels): MonitoringData {
  const own = (labels: Labels) => withLabels(labels, external);
  const { groups, active, dropped, metrics, exemplars } = acceptanceMonitoring;
  return {
    groups: groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule) => ({ ...rule, labels: own(rule.labels) })),
    })),
    active: active.map((one) => ({ ...one, labels: own(one.labels), discoveredLabels: own(one.discoveredLabels) })),
    dropped: dropped.map(({ discoveredLabels }) => ({ discoveredLabels: own(discoveredLabels) })),
    metrics,
    exemplars: exemplars.map((one) => ({ ...one, labels: own(one.labels) })),
  };
}
