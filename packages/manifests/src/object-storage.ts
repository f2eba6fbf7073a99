/** The bucket where the fleet keeps it itself: SeaweedFS by default, a Rook claim, or MinIO and its successor where asked. */
import { unreachable } from "@pleiad/model";
import type { Deployment } from "./deployment.ts";
import type { IContainer, WorkloadPod } from "./pod.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { commonLabels, labelsOf, selectorOf } from "./object-labels.ts";
import { workloadObjects } from "./workload-objects.ts";
import type { Workload } from "./workload.ts";

/** Keys of the store's own administrator, and of what it gives to others: never rendered. */
export const storageAdminSecret = "object-store";
const userId = 1000;
const s3Port = 8333;
const metricsPort = 9327;

/** `workload` is undefined where the store is run by somebody else, an operator such as Rook's included. */
export function objectStoreObjects(
  deployment: Deployment,
  workload: Workload | undefined,
): readonly KubernetesObject[] {
  const { storage } = deployment;
  if (storage?.kind === "rook") return [bucketClaim(deployment, storage.bucket)];
  if (storage === undefined || workload === undefined) return [];
  switch (storage.kind) {
    case "external":
      return [];
    case "seaweedfs":
      return storeObjects(deployment, workload, seaweedfs(deployment, workload));
    case "silo":
      return storeObjects(deployment, workload, minioLike(deployment, workload, deployment.images.silo));
    case "minio":
      return storeObjects(deployment, workload, minioLike(deployment, workload, deployment.images.minio));
    default:
      return unreachable(storage.kind);
  }
}

function bucketClaim({ settings }: Deployment, bucket: string): KubernetesObject {
  return {
    apiVersion: "objectbucket.io/v1alpha1",
    kind: "ObjectBucketClaim",
    metadata: { name: bucket, namespace: settings.storageNamespace, labels: { ...commonLabels } },
    spec: { bucketName: bucket, storageClassName: "rook-ceph-bucket" },
  };
}

function storeObjects(deployment: Deployment, workload: Workload, pod: WorkloadPod): readonly KubernetesObject[] {
  const { storage, settings } = deployment;
  const bytes = workload.roles[0]?.diskBytes ?? (storage?.capacityBytes ?? 0) / workload.roles.length;
  return [
    ...workloadObjects(deployment, workload, {
      ...pod,
      userId,
      namespace: settings.storageNamespace,
      volume: { mountPath: "/data", bytes },
      terminationGraceSeconds: 300,
    }),
    {
      // What is asked for balances over the replicas; the headless Service is for them among each other.
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: `${workload.name}-s3`,
        namespace: settings.storageNamespace,
        labels: labelsOf(workload),
      },
      spec: { selector: selectorOf(workload), ports: [{ name: "s3", port: s3Port, targetPort: s3Port }] },
    },
  ];
}

/**
 * Master, volume server, filer and S3 gateway in each pod. From three replicas on the masters agree by quorum and every
 * object is on two of them; below, there is one copy, as findings say.
 */
function seaweedfs({ images, settings }: Deployment, workload: Workload): WorkloadPod {
  const hosts = workload.roles.map((_, i) => hostOf(workload, settings.storageNamespace, i));
  const replicated = hosts.length >= 3;
  return {
    version: imageVersion(images.seaweedfs),
    image: images.seaweedfs,
    command: ["weed"],
    args: [
      "server",
      "-dir=/data",
      `-ip=$(POD_NAME).${domainOf(workload, settings.storageNamespace)}`,
      "-ip.bind=0.0.0.0",
      "-master",
      "-volume",
      "-filer",
      "-s3",
      `-s3.port=${s3Port}`,
      "-s3.config=/etc/seaweedfs/s3.json",
      `-metricsPort=${metricsPort}`,
      "-volume.max=0",
      ...(replicated
        ? [`-master.peers=${hosts.map((host) => `${host}:9333`).join(",")}`, "-master.defaultReplication=001"]
        : []),
    ],
    env: [podName],
    mounts: [
      { name: "config", mountPath: "/etc/seaweedfs", readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
    ],
    volumes: [
      { name: "config", secret: { secretName: storageAdminSecret } },
      { name: "tmp", emptyDir: { sizeLimit: "1Gi" } },
    ],
    probes: { port: s3Port, livePath: "/status", readyPath: "/status" },
  };
}

/** MinIO and its successor silo have the same command line; from four replicas on they spread each object over all. */
function minioLike({ settings }: Deployment, workload: Workload, image: string): WorkloadPod {
  const count = workload.roles.length;
  const domain = domainOf(workload, settings.storageNamespace);
  const data = count === 1 ? "/data" : `http://${workload.name}-{0...${count - 1}}.${domain}/data`;
  return {
    version: imageVersion(image),
    image,
    args: ["server", `--address=:${s3Port}`, `--console-address=:${metricsPort}`, data],
    env: ["MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"].map((key) => ({
      name: key,
      valueFrom: { secretKeyRef: { name: storageAdminSecret, key } },
    })),
    mounts: [{ name: "tmp", mountPath: "/tmp" }],
    volumes: [{ name: "tmp", emptyDir: { sizeLimit: "1Gi" } }],
    probes: { port: s3Port, livePath: "/minio/health/live", readyPath: "/minio/health/ready" },
  };
}

const podName: NonNullable<IContainer["env"]>[number] = {
  name: "POD_NAME",
  valueFrom: { fieldRef: { fieldPath: "metadata.name" } },
};

function hostOf(workload: Workload, namespace: string, replica: number): string {
  return `${workload.name}-${replica}.${domainOf(workload, namespace)}`;
}

function domainOf({ name }: Workload, namespace: string): string {
  return `${name}.${namespace}.svc.cluster.local`;
}

function imageVersion(image: string): string {
  return image.slice(image.lastIndexOf(":") + 1).replaceAll(/[^A-Za-z0-9._-]/g, "-");
}
