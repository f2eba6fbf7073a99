/** The objects around a workload that every component has: how it runs, is found, is disturbed, and as whom. */
import type { Deployment } from "./deployment.ts";
import type {
  IDeployment,
  IPodDisruptionBudget,
  IService,
  IStatefulSet,
  KubernetesObject,
} from "./kubernetes-object.ts";
import { labelsOf, selectorOf } from "./object-labels.ts";
import { podOf, type WorkloadPod } from "./pod.ts";
import { portsOf } from "./ports.ts";
import { volumeClaimSpec } from "./volume-claim.ts";
import type { Workload } from "./workload.ts";

export interface WorkloadOptions extends WorkloadPod {
  /** Undefined = a Deployment; else a StatefulSet whose replicas have this volume, which outlives them. */
  readonly volume?: { readonly mountPath: string; readonly bytes: number };
  readonly namespace?: string;
}

/** Deployment or StatefulSet, its Service, account and disruption budget. */
export function workloadObjects(
  deployment: Deployment,
  workload: Workload,
  options: WorkloadOptions,
): readonly KubernetesObject[] {
  const namespace = options.namespace ?? deployment.settings.namespace;
  const labels = labelsOf(workload, options.version);
  const metadata = { name: workload.name, namespace, labels };
  const runner =
    options.volume === undefined
      ? deploymentObject(workload, options, namespace)
      : statefulSet(deployment, workload, { ...options, volume: options.volume }, namespace);
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata, automountServiceAccountToken: false },
    serviceObject(workload, namespace, labels),
    runner,
    ...disruptionBudget(workload, namespace, labels),
  ];
}

function deploymentObject(workload: Workload, options: WorkloadOptions, namespace: string): IDeployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: workload.name, namespace, labels: labelsOf(workload, options.version) },
    spec: {
      replicas: workload.roles.length,
      // One pod more than there are nodes for them would wait for ever: a replica goes before the next one comes.
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      selector: { matchLabels: selectorOf(workload) },
      template: podOf(workload, options),
    },
  };
}

function statefulSet(
  { settings }: Deployment,
  workload: Workload,
  options: WorkloadOptions & { readonly volume: NonNullable<WorkloadOptions["volume"]> },
  namespace: string,
): IStatefulSet {
  const { volume } = options;
  const mounts = [...(options.mounts ?? []), { name: "data", mountPath: volume.mountPath }];
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: workload.name, namespace, labels: labelsOf(workload, options.version) },
    spec: {
      replicas: workload.roles.length,
      serviceName: workload.name,
      podManagementPolicy: "Parallel",
      updateStrategy: { type: "RollingUpdate" },
      selector: { matchLabels: selectorOf(workload) },
      template: podOf(workload, { ...options, mounts }),
      volumeClaimTemplates: [
        {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          metadata: { name: "data" },
          spec: volumeClaimSpec(settings, volume.bytes),
        },
      ],
    },
  };
}

/** Headless, ports named: found by `dnssrv+_grpc._tcp`, each replica by itself. */
function serviceObject(workload: Workload, namespace: string, labels: Record<string, string>): IService {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: workload.name, namespace, labels },
    spec: {
      // Browsers and Grafana ask the frontends, over short connections: there the Service itself balances.
      ...(workload.kind === "query-frontend" ? {} : { clusterIP: "None" }),
      selector: selectorOf(workload),
      ports: portsOf(workload.kind).map(({ name, port }) => ({ name, port, targetPort: port })),
    },
  };
}

function disruptionBudget(
  workload: Workload,
  namespace: string,
  labels: Record<string, string>,
): readonly IPodDisruptionBudget[] {
  if (workload.roles.length < 2) return [];
  return [
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: workload.name, namespace, labels },
      spec: { maxUnavailable: 1, selector: { matchLabels: selectorOf(workload) } },
    },
  ];
}
