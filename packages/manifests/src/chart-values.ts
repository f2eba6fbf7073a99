/**
 * What an app cluster's kube-prometheus-stack is told: the same Prometheus as the custom resource's, in the chart's own
 * words. The chart drops what it does not know without a word, so that each difference to the resource stands here.
 */
import type { PlannedCluster } from "@pleiad/fleet";
import { chartName, prometheusPortName, prometheusSpec } from "./app-cluster.ts";
import type { Deployment } from "./deployment.ts";
import type { RenderedTree } from "./rendered-tree.ts";
import { yamlOf } from "./yaml-text.ts";

/** `values.yaml` of each app cluster, by path; none where the operator's resource is rendered instead. */
export function chartValueFiles(deployment: Deployment): RenderedTree {
  const { plan, settings } = deployment;
  if (settings.appClusters !== "kube-prometheus-stack") return new Map();
  const { kubePrometheusStack } = plan.versions;
  return new Map(
    plan.clusters.map((cluster) => [
      `app-clusters/${cluster.name}/values.yaml`,
      `# helm upgrade --install ${chartName} oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack \\\n` +
        `#   --version ${kubePrometheusStack} --namespace ${settings.namespace} --values values.yaml\n` +
        yamlOf(chartValues(deployment, cluster)),
    ]),
  );
}

export function chartValues(deployment: Deployment, cluster: PlannedCluster) {
  const {
    image,
    storage,
    thanos,
    serviceAccountName: _,
    podMetadata: __,
    ...spec
  } = prometheusSpec(deployment, cluster);
  const { objectStorageConfig, ...sidecar } = thanos ?? {};
  return {
    fullnameOverride: chartName,
    // Dashboards and alerts of the fleet are the monitoring cluster's; the chart's Grafana has a known password.
    grafana: { enabled: false },
    alertmanager: { enabled: false },
    prometheus: {
      podDisruptionBudget:
        cluster.prometheusReplicas < 2 ? { enabled: false } : { enabled: true, minAvailable: null, maxUnavailable: 1 },
      // Each replica has a Service of its own beside these values.
      thanosService: { enabled: false },
      thanosServiceExternal: { enabled: false },
      // Beside these values a PodMonitor scrapes Prometheus and its sidecar: once is enough.
      serviceMonitor: { selfMonitor: false },
      prometheusSpec: {
        ...spec,
        image: imageParts(image ?? ""),
        portName: prometheusPortName,
        storageSpec: storage,
        // Else the chart scrapes only what its own release brought.
        serviceMonitorSelectorNilUsesHelmValues: false,
        podMonitorSelectorNilUsesHelmValues: false,
        probeSelectorNilUsesHelmValues: false,
        ruleSelectorNilUsesHelmValues: false,
        replicaExternalLabelNameClear: false,
        prometheusExternalLabelNameClear: true,
        ...(thanos === undefined
          ? {}
          : // The plain form, name and key at the top, is left out by the chart: no block would be uploaded.
            { thanos: { ...sidecar, objectStorageConfig: { existingSecret: objectStorageConfig } } }),
      },
    },
  };
}

function imageParts(image: string): { readonly registry: string; readonly repository: string; readonly tag: string } {
  const slash = image.indexOf("/");
  const colon = image.lastIndexOf(":");
  return { registry: image.slice(0, slash), repository: image.slice(slash + 1, colon), tag: image.slice(colon + 1) };
}
