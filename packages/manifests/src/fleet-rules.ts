/** The rules of the Prometheus that watches the roles, as the operator reads them: recordings, and alerts on the hierarchy. */
import { recordingRules, type AlertRule, type RecordingRule } from "./alert-rule.ts";
import type { Deployment } from "./deployment.ts";
import { hierarchyAlerts } from "./hierarchy-alerts.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";

export function fleetRules(deployment: Deployment): readonly KubernetesObject[] {
  const { settings, workloads } = deployment;
  if (!workloads.some(({ kind }) => kind === "monitoring-agent")) return [];
  return [
    {
      apiVersion: "monitoring.coreos.com/v1",
      kind: "PrometheusRule",
      metadata: { name: "hierarchy", namespace: settings.namespace, labels: { ...commonLabels } },
      spec: {
        groups: [
          { name: "hierarchy-recordings", rules: recordingRules("monitoring", "").map(mutable) },
          { name: "hierarchy", rules: hierarchyAlerts(deployment).map(mutable) },
        ],
      },
    },
  ];
}

/** The types of Kubernetes objects know no constants. */
function mutable(rule: AlertRule | RecordingRule) {
  return "alert" in rule ? { ...rule, labels: { ...rule.labels }, annotations: { ...rule.annotations } } : { ...rule };
}
