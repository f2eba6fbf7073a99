/** What one app cluster gets: its Prometheus with the sidecar that is asked and uploads, or that writes to a receiver. */
import type { PlannedCluster } from "@pleiad/fleet";
import {
  certificateObjects,
  certificateSecret,
  clusterCertificate,
  inClusterServerName,
  receiverHost,
} from "./certificates.ts";
import { clusterCertificateWatch } from "./certificate-watch.ts";
import { clusterAddresses } from "./endpoints.ts";
import type { Deployment } from "./deployment.ts";
import type { IPrometheus, KubernetesObject } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";
import { storageSecret, storageSecretKey, storageSecretObjects } from "./object-storage-config.ts";
import { podSecurity } from "./pod.ts";
import { grpcPort, httpPort } from "./ports.ts";
import { scraperRules } from "./scraper-account.ts";
import { operatorStorage } from "./volume-claim.ts";

const nobody = 65534;
const name = "prometheus";
/** What the values make the chart call its objects, whatever its release is called. */
export const chartName = "kube-prometheus-stack";
/** The operator's own name for Prometheus's port, which the chart calls otherwise. */
export const prometheusPortName = "web";

export function appClusterObjects(deployment: Deployment, cluster: PlannedCluster): readonly KubernetesObject[] {
  const { settings } = deployment;
  const labels = clusterLabels();
  const metadata = { name, namespace: settings.namespace, labels };
  return [
    // The chart brings an account of its own.
    ...(settings.appClusters === "operator"
      ? [
          { apiVersion: "v1" as const, kind: "ServiceAccount" as const, metadata },
          ...scraperRules(metadata, "cluster"),
          prometheusObject(deployment, cluster),
        ]
      : []),
    ...(cluster.prometheusReplicas < 2 || settings.appClusters !== "operator"
      ? []
      : [
          {
            apiVersion: "policy/v1" as const,
            kind: "PodDisruptionBudget" as const,
            metadata,
            spec: { maxUnavailable: 1, selector: { matchLabels: podLabels(deployment) } },
          },
        ]),
    selfMonitor(deployment, metadata),
    ...clusterCertificateWatch(deployment, labels),
    ...(cluster.ingest === "pull" ? exposedSidecars(deployment, cluster) : []),
    ...storageSecretObjects(deployment, {
      use: "upload",
      namespace: settings.namespace,
      path: `pleiad/${cluster.name}/object-storage`,
      from: "app-cluster",
    }),
    ...certificateObjects(deployment, clusterCertificate(deployment, cluster)),
    networkPolicy(deployment, cluster),
  ];
}

function clusterLabels(): Record<string, string> {
  return { "app.kubernetes.io/name": "prometheus", "app.kubernetes.io/instance": name, ...commonLabels };
}

/** Prometheus and its sidecar watch themselves: without it nobody at the top would see that uploads stop. */
function selfMonitor(
  deployment: Deployment,
  metadata: { readonly name: string; readonly namespace: string },
): KubernetesObject {
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PodMonitor",
    metadata: { ...metadata, labels: clusterLabels() },
    spec: {
      jobLabel: "app.kubernetes.io/name",
      selector: { matchLabels: podLabels(deployment) },
      podMetricsEndpoints: [{ port: prometheusPortName }, { port: "http" }],
    },
  };
}

/** How the pods of the cluster's Prometheus are told apart, whoever made the custom resource. */
function podLabels({ settings }: Deployment): Record<string, string> {
  return settings.appClusters === "operator"
    ? { "app.kubernetes.io/name": "prometheus", "app.kubernetes.io/instance": name }
    : { "app.kubernetes.io/name": "prometheus", "operator.prometheus.io/name": `${chartName}-prometheus` };
}

function prometheusObject(deployment: Deployment, cluster: PlannedCluster): IPrometheus {
  const { settings } = deployment;
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "Prometheus",
    metadata: { name, namespace: settings.namespace, labels: clusterLabels() },
    spec: prometheusSpec(deployment, cluster),
  };
}

/** The part of a Prometheus resource that the hierarchy needs; what it scrapes, its own monitors say. */
export function prometheusSpec(deployment: Deployment, cluster: PlannedCluster): NonNullable<IPrometheus["spec"]> {
  const { images, plan, settings } = deployment;
  const { cpuMillicores, memoryMebibytes, diskGibibytes } = prometheusNeeds(cluster);
  const memory = `${memoryMebibytes}Mi`;
  const replicaLabel = plan.replicaLabels.find((label) => label in cluster.externalLabels);
  const externalLabels = Object.fromEntries(
    Object.entries(cluster.externalLabels).filter(([label]) => !plan.replicaLabels.includes(label)),
  );
  return {
    replicas: cluster.prometheusReplicas,
    version: `v${plan.versions.prometheus}`,
    image: images.prometheus,
    serviceAccountName: name,
    podMetadata: { labels: { "app.kubernetes.io/name": "prometheus", "app.kubernetes.io/instance": name } },
    externalLabels,
    // The operator gives each replica its own value. Its second label says nothing that `cluster` does not say.
    replicaExternalLabelName: replicaLabel ?? plan.replicaLabels[0] ?? "prometheus_replica",
    prometheusExternalLabelName: "",
    scrapeInterval: `${cluster.scrapeIntervalMs / 1000}s`,
    retention: `${Math.ceil(cluster.retentionMs / 3_600_000)}h`,
    retentionSize: `${Math.floor(diskGibibytes * 0.85)}GiB`,
    walCompression: true,
    serviceMonitorSelector: {},
    serviceMonitorNamespaceSelector: {},
    podMonitorSelector: {},
    podMonitorNamespaceSelector: {},
    probeSelector: {},
    probeNamespaceSelector: {},
    ruleSelector: {},
    ruleNamespaceSelector: {},
    resources: { requests: { cpu: `${cpuMillicores}m`, memory }, limits: { memory } },
    securityContext: podSecurity(nobody),
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: podLabels(deployment) },
      },
    ],
    storage: operatorStorage(settings, diskGibibytes * 2 ** 30),
    ...(cluster.ingest === "pull"
      ? { thanos: sidecar(deployment) }
      : { remoteWrite: [remoteWrite(deployment, cluster)] }),
  };
}

function sidecar({ images, plan }: Deployment): NonNullable<NonNullable<IPrometheus["spec"]>["thanos"]> {
  const secret = certificateSecret({ name });
  return {
    version: `v${plan.versions.thanos}`,
    image: images.thanos,
    objectStorageConfig: { name: storageSecret, key: storageSecretKey },
    grpcServerTlsConfig: {
      cert: { secret: { name: secret, key: "tls.crt" } },
      keySecret: { name: secret, key: "tls.key" },
      ca: { secret: { name: secret, key: "ca.crt" } },
    },
    resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "256Mi" } },
  };
}

type RemoteWrite = NonNullable<NonNullable<IPrometheus["spec"]>["remoteWrite"]>[number];

function remoteWrite(deployment: Deployment, cluster: PlannedCluster): RemoteWrite {
  const secret = certificateSecret({ name });
  return {
    url: `https://${receiverHost(deployment, cluster.region)}/api/v1/receive`,
    name: "pleiad",
    remoteTimeout: "30s",
    tlsConfig: {
      ca: { secret: { name: secret, key: "ca.crt" } },
      cert: { secret: { name: secret, key: "tls.crt" } },
      keySecret: { name: secret, key: "tls.key" },
      serverName: inClusterServerName,
    },
    queueConfig: { maxShards: 50, capacity: 10_000, maxSamplesPerSend: 2_000 },
  };
}

/**
 * A Service a replica, so that two Prometheus replicas never hide each other behind one address. The name that external-dns
 * makes is the one in the region's endpoint file.
 */
function exposedSidecars(deployment: Deployment, cluster: PlannedCluster): readonly KubernetesObject[] {
  const { settings } = deployment;
  return clusterAddresses(deployment, cluster).map((address, replica) => ({
    apiVersion: "v1" as const,
    kind: "Service" as const,
    metadata: {
      name: `prometheus-grpc-${replica}`,
      namespace: settings.namespace,
      labels: clusterLabels(),
      annotations: { "external-dns.alpha.kubernetes.io/hostname": address.slice(0, address.lastIndexOf(":")) },
    },
    spec: {
      type: "LoadBalancer" as const,
      externalTrafficPolicy: "Local" as const,
      loadBalancerSourceRanges: [...settings.monitoringCidrs],
      selector: { ...podLabels(deployment), "apps.kubernetes.io/pod-index": String(replica) },
      ports: [{ name: "grpc", port: Number(address.slice(address.lastIndexOf(":") + 1)), targetPort: grpcPort.port }],
    },
  }));
}

/** In: only gRPC, only from the monitoring nodes. Out: a Prometheus scrapes whatever there is. */
function networkPolicy({ settings, ...deployment }: Deployment, cluster: PlannedCluster): KubernetesObject {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: settings.namespace, labels: clusterLabels() },
    spec: {
      podSelector: { matchLabels: podLabels({ settings, ...deployment }) },
      policyTypes: ["Ingress"],
      ingress: [
        ...(cluster.ingest === "pull"
          ? [
              {
                from: settings.monitoringCidrs.map((cidr) => ({ ipBlock: { cidr } })),
                ports: [{ protocol: "TCP" as const, port: grpcPort.port }],
              },
            ]
          : []),
        // Its own replicas and the operator ask for readiness and metrics.
        {
          from: [{ podSelector: {} }],
          ports: [9090, 8080, httpPort.port].map((port) => ({ protocol: "TCP" as const, port })),
        },
      ],
    },
  };
}

/**
 * What a Prometheus needs for the cluster's series. 4 KiB a series and the same again for queries and the compaction of
 * the head; a sample takes 1.5 bytes in blocks, kept for the retention with a half for the log and for growth.
 */
export function prometheusNeeds({ series, scrapeIntervalMs, retentionMs }: PlannedCluster): {
  readonly cpuMillicores: number;
  readonly memoryMebibytes: number;
  readonly diskGibibytes: number;
} {
  const samplesPerSecond = series / (scrapeIntervalMs / 1000);
  return {
    cpuMillicores: Math.max(250, Math.ceil(samplesPerSecond / 10_000) * 500),
    memoryMebibytes: Math.max(512, Math.ceil((series * 8) / 1024 / 256) * 256),
    diskGibibytes: Math.max(10, Math.ceil((samplesPerSecond * (retentionMs / 1000) * 1.5 * 1.5) / 2 ** 30 / 10) * 10),
  };
}
