/** How components reach the bucket: `objstore.yml`, whose keys come from a Secret and never stand in a rendered file. */
import type { RoleKind } from "@pleiad/fleet";
import { storageEndpoint, type Deployment } from "./deployment.ts";
import type { ExternalSecretObject } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";
import { yamlOf } from "./yaml-text.ts";

/** What keys are for: blocks are uploaded by whoever makes them, read by store gateways, merged and deleted by compactors. */
export const bucketUseKinds = ["upload", "read", "compact"] as const;
export type BucketUse = (typeof bucketUseKinds)[number];

/** The Secret with keys for a use; an app cluster has only the first. */
export function storageSecretOf(use: BucketUse): string {
  return use === "upload" ? storageSecret : `${storageSecret}-${use}`;
}

export const storageSecret = "object-storage";
export const storageSecretKey = "objstore.yml";
export const storageFolder = "/etc/thanos/objstore";
export const storageConfigFile = `${storageFolder}/${storageSecretKey}`;

/** Which keys the monitoring cluster needs. */
export function bucketUses({ workloads, storage }: Deployment): readonly BucketUse[] {
  if (storage === undefined) return [];
  const uses = new Set(workloads.flatMap(({ kind }) => useOf[kind] ?? []));
  return bucketUseKinds.filter((use) => uses.has(use));
}

const useOf: Partial<Readonly<Record<RoleKind, BucketUse>>> = {
  "store-gateway": "read",
  compactor: "compact",
  ruler: "upload",
  receiver: "upload",
  "monitoring-agent": "upload",
};

/**
 * The Secret with keys for a use, filled by External Secrets from `<path>` (properties `access_key` and `secret_key`).
 * Nothing where Secrets are there already: what must be in them says `storageConfigExample`.
 */
export function storageSecretObjects(
  deployment: Deployment,
  place: {
    readonly use: BucketUse;
    readonly namespace: string;
    readonly path: string;
    readonly from: "monitoring" | "app-cluster";
  },
): readonly ExternalSecretObject[] {
  const { settings, storage } = deployment;
  if (storage === undefined || settings.secrets.kind !== "external-secrets") return [];
  return [
    {
      apiVersion: "external-secrets.io/v1",
      kind: "ExternalSecret",
      metadata: { name: storageSecretOf(place.use), namespace: place.namespace, labels: { ...commonLabels } },
      spec: {
        refreshInterval: "1h",
        secretStoreRef: { kind: "ClusterSecretStore", name: settings.secrets.store },
        target: {
          name: storageSecretOf(place.use),
          template: {
            data: {
              [storageSecretKey]: storageConfig(deployment, place.from, "{{ .access_key }}", "{{ .secret_key }}"),
            },
          },
        },
        data: ["access_key", "secret_key"].map((property) => ({
          secretKey: property,
          remoteRef: { key: place.path, property },
        })),
      },
    },
  ];
}

/** `objstore.yml` as it must be in the Secret. */
export function storageConfig(
  deployment: Deployment,
  from: "monitoring" | "app-cluster",
  accessKey: string,
  secretKey: string,
): string {
  const { storage } = deployment;
  if (storage === undefined) throw new Error("the fleet has no bucket");
  return yamlOf({
    type: "S3",
    config: {
      bucket: storage.bucket,
      endpoint: storageEndpoint(deployment, from),
      access_key: accessKey,
      secret_key: secretKey,
      // The fleet's own store does not know buckets by host name.
      ...(storage.kind === "external" ? {} : { bucket_lookup_type: "path" }),
    },
  });
}
