/** Labels and names of rendered objects: one scheme, which selectors, services and policies share. */
import type { RoleKind } from "@pleiad/fleet";
import type { Workload } from "./workload.ts";

// As kube-thanos names the components, so that dashboards and people find what they know.
const componentOfKind: Readonly<Record<RoleKind, readonly [name: string, component: string]>> = {
  "global-querier": ["thanos-query", "query-layer"],
  "super-regional-querier": ["thanos-query", "query-layer"],
  "regional-querier": ["thanos-query", "query-layer"],
  "query-frontend": ["thanos-query-frontend", "query-cache"],
  "store-gateway": ["thanos-store", "object-store-gateway"],
  receiver: ["thanos-receive", "database-write-hashring"],
  compactor: ["thanos-compact", "database-compactor"],
  ruler: ["thanos-rule", "rule-evaluation-engine"],
  alertmanager: ["alertmanager", "alert-router"],
  grafana: ["grafana", "dashboards"],
  "object-store": ["object-store", "object-storage"],
  "object-store-console": ["object-store-console", "object-storage"],
  "monitoring-agent": ["prometheus", "prometheus"],
};

/** What selects the pods of a workload. Never changes for a workload: selectors of Kubernetes cannot be changed. */
export function selectorOf({ kind, name }: Pick<Workload, "kind" | "name">): Record<string, string> {
  return { "app.kubernetes.io/name": componentOfKind[kind][0], "app.kubernetes.io/instance": name };
}

export function labelsOf(workload: Workload, version?: string): Record<string, string> {
  return {
    ...selectorOf(workload),
    "app.kubernetes.io/component": componentOfKind[workload.kind][1],
    ...(version === undefined ? {} : { "app.kubernetes.io/version": version }),
    ...commonLabels,
    ...(workload.region === undefined ? {} : { "pleiad/region": workload.region }),
  };
}

export const commonLabels: Readonly<Record<string, string>> = {
  "app.kubernetes.io/part-of": "pleiad",
  "app.kubernetes.io/managed-by": "pleiad",
};
