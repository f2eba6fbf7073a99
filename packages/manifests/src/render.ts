/** A fleet's plan as the files of a deployment: what the monitoring nodes run, and a folder for every app cluster. */
import { ok, unreachable, type Result } from "@pleiad/model";
import type { Fleet, Plan } from "@pleiad/fleet";
import { appClusterObjects } from "./app-cluster.ts";
import { bucketPolicyFiles } from "./bucket-policies.ts";
import { certificateWatch } from "./certificate-watch.ts";
import { authorityObjects } from "./certificates.ts";
import { chartValueFiles } from "./chart-values.ts";
import { deploymentOf, type Deployment, type RenderFailure } from "./deployment.ts";
import { endpointsConfigMap } from "./endpoints.ts";
import { fleetRules } from "./fleet-rules.ts";
import { folderReadme } from "./folder-readme.ts";
import { applicationSets } from "./git-ops.ts";
import { grafanaObjects } from "./grafana.ts";
import { imageList } from "./images.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { memcachedObjects } from "./memcached.ts";
import { alertmanagerObjects, monitoringAgentObjects } from "./monitoring-stack.ts";
import { cachePolicy, closedNamespace, namespaceOf, networkPolicies } from "./network-policies.ts";
import { commonLabels } from "./object-labels.ts";
import { objectStoreObjects } from "./object-storage.ts";
import { bucketUses, storageSecretObjects, storageSecretOf } from "./object-storage-config.ts";
import { priorities } from "./pod.ts";
import { formatRenderSettings, settingsFile, type RenderSettings } from "./render-settings.ts";
import { regionRules } from "./region-rules.ts";
import { renderedTree, type Kustomization, type RenderedTree } from "./rendered-tree.ts";
import {
  compactorObjects,
  querierObjects,
  queryFrontendObjects,
  receiverObjects,
  rulerObjects,
  storeGatewayObjects,
} from "./thanos-components.ts";
import type { Workload } from "./workload.ts";

/** The same tree for the same fleet, settings and plan, byte for byte. */
export function renderFleet(fleet: Fleet, plan: Plan, settings: RenderSettings): Result<RenderedTree, RenderFailure> {
  const deployment = deploymentOf(fleet, plan, settings);
  return deployment.ok ? ok(renderDeployment(deployment.value)) : deployment;
}

function renderDeployment(deployment: Deployment): RenderedTree {
  const { plan } = deployment;
  const storage = storageFolder(deployment);
  const tiers = [...(storage === undefined ? [] : [storage]), globalFolder(deployment), ...regionFolders(deployment)];
  const top: Kustomization = {
    path: "",
    comment: `The monitoring cluster of the fleet ${plan.fleet}, in the order in which it is applied.\nThe app clusters have a folder each below app-clusters: apply each to its own cluster.`,
    files: new Map(),
    folders: tiers.map(({ path }) => path),
  };
  const folders = top.folders;
  const all = [top, ...tiers, ...clusterFolders(deployment), ...gitOpsFolders(deployment, folders)];
  const others = new Map([
    ...chartValueFiles(deployment),
    ...bucketPolicyFiles(deployment),
    ["README.md", folderReadme(deployment, folders)],
    ["images.txt", imageList([all.map(({ files }) => [...files.values()]), operatorImages(deployment)])],
    [settingsFile, formatRenderSettings(deployment.settings)],
  ]);
  return renderedTree(all, others);
}

function storageFolder(deployment: Deployment): Kustomization | undefined {
  const own = deployment.workloads.filter(({ kind }) => kind === "object-store");
  const { storage, settings } = deployment;
  if (storage === undefined || storage.kind === "external") return undefined;
  return {
    path: "s3",
    comment: `Object storage (${storage.kind}) with the bucket ${storage.bucket}.`,
    files: new Map<string, readonly KubernetesObject[]>([
      ["namespace.yaml", [namespaceObject(settings.storageNamespace), closedNamespace(settings.storageNamespace)]],
      ["object-store.yaml", objectStoreObjects(deployment, own[0])],
      ["network-policies.yaml", storage.kind === "rook" ? [] : networkPolicies(deployment, own)],
    ]),
    folders: [],
  };
}

function globalFolder(deployment: Deployment): Kustomization {
  const { settings, workloads } = deployment;
  const own = workloads.filter(
    (workload) => workload.region === undefined && namespaceOf(deployment, workload) === settings.namespace,
  );
  const hasCache = own.some(({ kind }) => kind === "query-frontend");
  return {
    path: "global",
    comment: "What serves the whole fleet.",
    files: new Map<string, readonly KubernetesObject[]>([
      ["namespace.yaml", [namespaceObject(settings.namespace), closedNamespace(settings.namespace)]],
      ["priority-classes.yaml", priorityObjects()],
      ["certificates.yaml", authorityObjects(deployment)],
      [
        "secrets.yaml",
        bucketUses(deployment).flatMap((use) =>
          storageSecretObjects(deployment, {
            use,
            namespace: settings.namespace,
            path: `pleiad/monitoring/${storageSecretOf(use)}`,
            from: "monitoring",
          }),
        ),
      ],
      ["memcached.yaml", hasCache ? [...memcachedObjects(deployment), cachePolicy(deployment)] : []],
      ...own.map((workload) => [`${workload.name}.yaml`, componentObjects(deployment, workload)] as const),
      ["endpoints.yaml", endpointObjects(deployment, own)],
      ["rules.yaml", [...fleetRules(deployment), ...certificateWatch(deployment)]],
      ["network-policies.yaml", networkPolicies(deployment, own)],
    ]),
    folders: [],
  };
}

function regionFolders(deployment: Deployment): readonly Kustomization[] {
  const regional = deployment.workloads.filter(({ region }) => region !== undefined);
  return [...Map.groupBy(regional, ({ region }) => region as string)].map(([region, workloads]) => ({
    path: `regional-${region}`,
    comment: `The region ${region}. Which clusters it has, only endpoints.yaml says.`,
    files: new Map<string, readonly KubernetesObject[]>([
      ...workloads.map((workload) => [`${workload.name}.yaml`, componentObjects(deployment, workload)] as const),
      ["endpoints.yaml", [...endpointObjects(deployment, workloads), ...regionRules(deployment, region)]],
      ["network-policies.yaml", networkPolicies(deployment, workloads)],
    ]),
    folders: [],
  }));
}

/** What the operator runs beside what objects name. */
function operatorImages({ images }: Deployment): readonly unknown[] {
  return [images.prometheus, images.prometheusConfigReloader, images.thanos].map((image) => ({ image }));
}

/** Beside the top folder: applied to where Argo CD runs. */
function gitOpsFolders(deployment: Deployment, folders: readonly string[]): readonly Kustomization[] {
  const objects = applicationSets(deployment, folders);
  if (objects.length === 0) return [];
  const comment = "For Argo CD: apply it where that runs, and it applies the rest.";
  return [{ path: "argo-cd", comment, files: new Map([["application-sets.yaml", objects]]), folders: [] }];
}

function clusterFolders(deployment: Deployment): readonly Kustomization[] {
  const { plan, settings } = deployment;
  return plan.clusters.map((cluster) => ({
    path: `app-clusters/${cluster.name}`,
    comment: `For the app cluster ${cluster.name} (group ${cluster.group}, region ${cluster.region}): apply it there.`,
    files: new Map<string, readonly KubernetesObject[]>([
      [
        "namespace.yaml",
        [
          settings.appClusters === "operator"
            ? namespaceObject(settings.namespace)
            : chartNamespace(settings.namespace),
        ],
      ],
      ["certificates.yaml", authorityObjects(deployment)],
      ["prometheus.yaml", appClusterObjects(deployment, cluster)],
    ]),
    folders: [],
  }));
}

/** What the queriers among the workloads ask. */
function endpointObjects(deployment: Deployment, workloads: readonly Workload[]): readonly KubernetesObject[] {
  return workloads.filter(({ kind }) => kind.endsWith("-querier")).map((one) => endpointsConfigMap(deployment, one));
}

function componentObjects(deployment: Deployment, workload: Workload): readonly KubernetesObject[] {
  const { kind } = workload;
  switch (kind) {
    case "global-querier":
    case "super-regional-querier":
    case "regional-querier":
      return querierObjects(deployment, workload);
    case "query-frontend":
      return queryFrontendObjects(deployment, workload);
    case "store-gateway":
      return storeGatewayObjects(deployment, workload);
    case "compactor":
      return compactorObjects(deployment, workload);
    case "ruler":
      return rulerObjects(deployment, workload);
    case "receiver":
      return receiverObjects(deployment, workload);
    case "alertmanager":
      return alertmanagerObjects(deployment, workload);
    case "grafana":
      return grafanaObjects(deployment, workload);
    case "monitoring-agent":
      return monitoringAgentObjects(deployment, workload);
    case "object-store":
    case "object-store-console":
      throw new Error(`${kind} belongs to the folder s3`);
    default:
      return unreachable(kind);
  }
}

/** A namespace of Pleiad's own pods admits only those of the strictest profile. */
function namespaceObject(name: string): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name,
      labels: {
        ...commonLabels,
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
      },
    },
  };
}

/** The chart puts its node-exporter beside Prometheus, which looks at the host: a profile here would keep it out. */
function chartNamespace(name: string): KubernetesObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels: { ...commonLabels } } };
}

function priorityObjects(): readonly KubernetesObject[] {
  return Object.entries(priorities).map(([name, value]) => ({
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name, labels: { ...commonLabels } },
    value,
    description: `Of the fleet's monitoring: ${name.slice("pleiad-".length)}`,
  }));
}
