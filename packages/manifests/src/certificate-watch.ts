/** Who says when cert-manager's certificates end: its controller, whom the Prometheus of the same cluster scrapes. */
import type { Deployment } from "./deployment.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { commonLabels, selectorOf } from "./object-labels.ts";
import { scraperRules } from "./scraper-account.ts";

/** Where cert-manager's chart and its manifests put it. */
const certManagerNamespace = "cert-manager";
const metricsPort = 9402;
const name = "cert-manager";

/** In the monitoring cluster, whose Prometheus has rights and ways only to where it is told. */
export function certificateWatch(deployment: Deployment): readonly KubernetesObject[] {
  const { settings, workloads } = deployment;
  const agent = workloads.find(({ kind }) => kind === "monitoring-agent");
  if (agent === undefined || settings.certificates !== "cert-manager") return [];
  const labels = { ...commonLabels };
  return [
    ...clusterCertificateWatch(deployment, labels),
    ...scraperRules({ name: agent.name, namespace: settings.namespace, labels }, "namespace", certManagerNamespace),
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: `${agent.name}-certificates`, namespace: settings.namespace, labels },
      spec: {
        podSelector: { matchLabels: selectorOf(agent) },
        policyTypes: ["Egress"],
        egress: [
          {
            to: [
              {
                namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": certManagerNamespace } },
                podSelector: { matchLabels: { "app.kubernetes.io/name": name } },
              },
            ],
            ports: [{ protocol: "TCP", port: metricsPort }],
          },
        ],
      },
    },
  ];
}

/** In an app cluster, whose Prometheus may discover everything. */
export function clusterCertificateWatch(
  { settings }: Deployment,
  labels: Record<string, string>,
): readonly KubernetesObject[] {
  if (settings.certificates !== "cert-manager") return [];
  return [
    {
      apiVersion: "monitoring.coreos.com/v1",
      kind: "PodMonitor",
      metadata: { name, namespace: settings.namespace, labels },
      spec: {
        namespaceSelector: { matchNames: [certManagerNamespace] },
        selector: { matchLabels: { "app.kubernetes.io/name": name } },
        // A certificate's namespace is its own, not that of the controller.
        podMetricsEndpoints: [{ port: "http-metrics", honorLabels: true }],
      },
    },
  ];
}
