/** Every Secret that the rendered objects name, with its keys and with who fills it: what has to be there before they are applied. */
import { authorityNamespace, authoritySecret, certificateRequests } from "./certificates.ts";
import type { Deployment } from "./deployment.ts";
import { grafanaSecret, grafanaSecretKeys } from "./grafana.ts";
import { storageAdminSecret } from "./object-storage.ts";
import { bucketUses, storageSecretKey, storageSecretOf, type BucketUse } from "./object-storage-config.ts";

export interface RequiredSecret {
  readonly cluster: string | undefined; // undefined = the monitoring cluster
  readonly namespace: string;
  readonly name: string;
  readonly keys: readonly string[];
  readonly filledBy: "you" | "external-secrets" | "cert-manager" | "pleiad certs";
  readonly content: string;
}

const bucketRights: Readonly<Record<BucketUse, string>> = {
  upload: "may write and list, and neither delete nor read blocks",
  read: "may read and list",
  compact: "may read, write, list and delete",
};

const tlsKeys = ["ca.crt", "tls.crt", "tls.key"] as const;

/** The monitoring cluster's first, then those of each app cluster. */
export function requiredSecrets(deployment: Deployment): readonly RequiredSecret[] {
  const { plan, settings, workloads } = deployment;
  const clusters = [undefined, ...plan.clusters.map(({ name }) => name)];
  const certificates = Map.groupBy(certificateRequests(deployment), ({ cluster }) => cluster);
  const has = (kind: string) => workloads.some((workload) => workload.kind === kind);
  return clusters.flatMap((cluster): readonly RequiredSecret[] => [
    ...usesOf(deployment, cluster).map((use) => ({
      cluster,
      namespace: settings.namespace,
      name: storageSecretOf(use),
      keys: [storageSecretKey],
      filledBy: settings.secrets.kind === "existing" ? ("you" as const) : ("external-secrets" as const),
      content: `the bucket with keys that ${bucketRights[use]}`,
    })),
    ...(cluster === undefined ? monitoringSecrets(deployment, has) : []),
    ...(settings.certificates === "built-in"
      ? (certificates.get(cluster) ?? []).map(({ namespace, secretName }) => ({
          cluster,
          namespace,
          name: secretName,
          keys: tlsKeys,
          filledBy: "pleiad certs" as const,
          content: "key and certificate for gRPC",
        }))
      : [
          {
            cluster,
            namespace: authorityNamespace,
            name: authoritySecret,
            keys: tlsKeys,
            filledBy: "pleiad certs" as const,
            content:
              cluster === undefined
                ? "the fleet's certificate authority"
                : "an authority below the fleet's that may sign only for this cluster",
          },
        ]),
  ]);
}

function usesOf(deployment: Deployment, cluster: string | undefined): readonly BucketUse[] {
  if (cluster === undefined) return bucketUses(deployment);
  return deployment.storage === undefined ? [] : ["upload"];
}

function monitoringSecrets(deployment: Deployment, has: (kind: string) => boolean): readonly RequiredSecret[] {
  const { settings, storage } = deployment;
  const own = { cluster: undefined, namespace: settings.namespace, filledBy: "you" } as const;
  return [
    ...(has("object-store")
      ? [
          {
            ...own,
            namespace: settings.storageNamespace,
            name: storageAdminSecret,
            keys: storage?.kind === "seaweedfs" ? ["s3.json"] : ["MINIO_ROOT_PASSWORD", "MINIO_ROOT_USER"],
            content: "administrator of the object store, and the keys that it gives out",
          },
        ]
      : []),
    ...(has("grafana")
      ? [
          {
            ...own,
            name: grafanaSecret,
            keys: grafanaSecretKeys,
            content: "database, administrator, key of its secrets",
          },
        ]
      : []),
    ...(has("alertmanager")
      ? [{ ...own, name: "alertmanager-config", keys: ["alertmanager.yaml"], content: "who is notified of what" }]
      : []),
  ];
}
