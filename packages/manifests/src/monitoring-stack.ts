/** What the operator of Prometheus runs in the monitoring cluster: Alertmanager, and the Prometheus that watches the fleet itself. */
import { certificateObjects, certificateSecret, workloadCertificate } from "./certificates.ts";
import type { Deployment } from "./deployment.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { commonLabels, labelsOf, selectorOf } from "./object-labels.ts";
import { storageSecret, storageSecretKey } from "./object-storage-config.ts";
import { onTiers, podSecurity, resourcesOf } from "./pod.ts";
import { portsOf } from "./ports.ts";
import { scraperRules } from "./scraper-account.ts";
import { operatorStorage } from "./volume-claim.ts";
import type { Workload } from "./workload.ts";

const nobody = 65534;
const gibibyte = 2 ** 30;

export function alertmanagerObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const { images, plan, settings } = deployment;
  const labels = labelsOf(workload, plan.versions.alertmanager);
  const metadata = { name: workload.name, namespace: settings.namespace, labels };
  const resources = resourcesOf(workload);
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata, automountServiceAccountToken: false },
    serviceOf(deployment, workload, labels),
    {
      apiVersion: "monitoring.coreos.com/v1",
      kind: "Alertmanager",
      metadata,
      spec: {
        replicas: workload.roles.length,
        version: `v${plan.versions.alertmanager}`,
        image: images.alertmanager,
        serviceAccountName: workload.name,
        podMetadata: { labels: selectorOf(workload) },
        // Receivers hold tokens: the Secret is the user's.
        configSecret: "alertmanager-config",
        priorityClassName: "pleiad-alerting",
        resources,
        securityContext: podSecurity(nobody),
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: onTiers(workload.tiers) } },
        topologySpreadConstraints: spread(workload),
        storage: operatorStorage(settings, 10 * gibibyte),
      },
    },
    budget(deployment, workload, labels),
  ];
}

/** Scrapes every role, keeps the history in the bucket like any cluster, and is asked by the global queriers. */
export function monitoringAgentObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const { images, plan, settings, storage, workloads } = deployment;
  const labels = labelsOf(workload, plan.versions.prometheus);
  const metadata = { name: workload.name, namespace: settings.namespace, labels };
  const monitoring = plan.monitoring;
  if (monitoring === undefined) throw new Error("a monitoring agent is planned without its job");
  const { replica: _, ...externalLabels } = monitoring.agents[0]?.externalLabels ?? {};
  const intervalSeconds = monitoring.scrapeIntervalMs / 1000;
  const selector = { matchLabels: { "app.kubernetes.io/managed-by": "pleiad" } };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    ...scraperRules(metadata, "namespace"),
    // The object store is in a namespace of its own.
    ...(workloads.some(({ kind }) => kind === "object-store") && settings.storageNamespace !== settings.namespace
      ? scraperRules(metadata, "namespace", settings.storageNamespace)
      : []),
    serviceOf(deployment, workload, labels),
    {
      apiVersion: "monitoring.coreos.com/v1",
      kind: "Prometheus",
      metadata,
      spec: {
        replicas: workload.roles.length,
        version: `v${plan.versions.prometheus}`,
        image: images.prometheus,
        serviceAccountName: workload.name,
        podMetadata: { labels: selectorOf(workload) },
        externalLabels,
        replicaExternalLabelName: plan.replicaLabels[0] ?? "replica",
        prometheusExternalLabelName: "",
        scrapeInterval: `${intervalSeconds}s`,
        retention: `${Math.ceil(monitoring.retentionMs / 3_600_000)}h`,
        serviceMonitorSelector: selector,
        podMonitorSelector: selector,
        ruleSelector: selector,
        alerting: { alertmanagers: [{ name: "alertmanager", namespace: settings.namespace, port: "http" }] },
        priorityClassName: "pleiad-alerting",
        resources: resourcesOf(workload),
        securityContext: podSecurity(nobody),
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: onTiers(workload.tiers) } },
        topologySpreadConstraints: spread(workload),
        storage: operatorStorage(settings, 50 * gibibyte),
        ...(storage === undefined
          ? {}
          : {
              thanos: {
                version: `v${plan.versions.thanos}`,
                image: images.thanos,
                objectStorageConfig: { name: storageSecret, key: storageSecretKey },
                grpcServerTlsConfig: {
                  cert: { secret: { name: certificateSecret(workload), key: "tls.crt" } },
                  keySecret: { name: certificateSecret(workload), key: "tls.key" },
                  ca: { secret: { name: certificateSecret(workload), key: "ca.crt" } },
                },
                resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "256Mi" } },
              },
            }),
      },
    },
    ...(workload.roles.length < 2 ? [] : [budget(deployment, workload, labels)]),
    ...certificateObjects(deployment, workloadCertificate(deployment, workload)),
    ...workloads
      .filter((one) => one.name !== workload.name && portsOf(one.kind).some(({ name }) => name === "http"))
      .map((one): KubernetesObject => {
        const inStorage = one.kind === "object-store" || one.kind === "object-store-console";
        return {
          apiVersion: "monitoring.coreos.com/v1",
          kind: "ServiceMonitor",
          metadata: { name: one.name, namespace: settings.namespace, labels: labelsOf(one) },
          spec: {
            jobLabel: "app.kubernetes.io/name",
            namespaceSelector: { matchNames: [inStorage ? settings.storageNamespace : settings.namespace] },
            selector: { matchLabels: selectorOf(one) },
            endpoints: [
              {
                port: "http",
                interval: `${intervalSeconds}s`,
                // What a node gives to its roles is watched by node.
                relabelings: [{ sourceLabels: ["__meta_kubernetes_pod_node_name"], targetLabel: "node" }],
              },
            ],
          },
        };
      }),
  ];
}

function serviceOf({ settings }: Deployment, workload: Workload, labels: Record<string, string>): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: workload.name, namespace: settings.namespace, labels },
    spec: {
      clusterIP: "None",
      selector: selectorOf(workload),
      ports: portsOf(workload.kind).map(({ name, port }) => ({ name, port, targetPort: port })),
    },
  };
}

function budget({ settings }: Deployment, workload: Workload, labels: Record<string, string>): KubernetesObject {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: workload.name, namespace: settings.namespace, labels: { ...labels, ...commonLabels } },
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorOf(workload) } },
  };
}

function spread(workload: Workload) {
  return [
    {
      maxSkew: 1,
      topologyKey: "kubernetes.io/hostname",
      whenUnsatisfiable: "DoNotSchedule" as const,
      labelSelector: { matchLabels: selectorOf(workload) },
    },
  ];
}
