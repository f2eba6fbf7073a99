/**
 * Keys for gRPC: every StoreAPI of the fleet asks for a certificate of the fleet's own authority, inside a cluster as
 * between clusters, so that reaching a port is not enough to read everything.
 */
import type { Deployment } from "./deployment.ts";
import type { CertManagerObject } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";
import type { Workload } from "./workload.ts";

/** Where a pod finds its certificate. */
export const tlsFolder = "/etc/thanos/tls";

/** The name that every server inside the monitoring cluster answers to: clients see only addresses of pods. */
export const inClusterServerName = "grpc.pleiad.internal";

/** The name that only one app cluster's certificate has. */
export function clusterServerName(cluster: string): string {
  return `${cluster}.grpc.pleiad.internal`;
}

export function certificateSecret({ name }: Pick<Workload, "name">): string {
  return `${name}-grpc-tls`;
}

export const tlsServerFlags = {
  "grpc-server-tls-cert": `${tlsFolder}/tls.crt`,
  "grpc-server-tls-key": `${tlsFolder}/tls.key`,
  "grpc-server-tls-client-ca": `${tlsFolder}/ca.crt`,
} as const;

/** A certificate of cert-manager; none where keys come from `pleiad certs`. */
export function certificateOf(
  { settings }: Deployment,
  owner: { readonly name: string; readonly namespace: string; readonly dnsNames: readonly string[] },
): readonly CertManagerObject[] {
  if (settings.certificates === "built-in") return [];
  return [
    {
      apiVersion: "cert-manager.io/v1",
      kind: "Certificate",
      metadata: { name: `${owner.name}-grpc`, namespace: owner.namespace, labels: { ...commonLabels } },
      spec: {
        secretName: certificateSecret(owner),
        commonName: owner.name,
        dnsNames: [...owner.dnsNames],
        duration: "2160h",
        renewBefore: "720h",
        privateKey: { algorithm: "ECDSA", size: 256, rotationPolicy: "Always" },
        usages: ["digital signature", "server auth", "client auth"],
        issuerRef: { name: "pleiad", kind: "ClusterIssuer", group: "cert-manager.io" },
      },
    },
  ];
}

/** The authority, in the monitoring cluster: its key pair is the Secret `pleiad-ca` of cert-manager's own namespace. */
export function authorityObjects({ settings }: Deployment): readonly CertManagerObject[] {
  if (settings.certificates === "built-in") return [];
  return [
    {
      apiVersion: "cert-manager.io/v1",
      kind: "ClusterIssuer",
      metadata: { name: "pleiad", labels: { ...commonLabels } },
      spec: { ca: { secretName: "pleiad-ca" } },
    },
  ];
}
