/**
 * Keys for gRPC: every StoreAPI of the fleet asks for a certificate of the fleet's own authority, inside a cluster as
 * between clusters, so that reaching a port is not enough to read everything.
 */
import type { PlannedCluster } from "@pleiad/fleet";
import type { Deployment } from "./deployment.ts";
import type { CertManagerObject } from "./kubernetes-object.ts";
import { commonLabels } from "./object-labels.ts";
import { portsOf } from "./ports.ts";
import { endpointFilesOf } from "./thanos-command.ts";
import type { Workload } from "./workload.ts";

/** Where a pod finds its certificate. */
export const tlsFolder = "/etc/thanos/tls";

/** The name that every server inside the monitoring cluster answers to: clients see only addresses of pods. */
export const inClusterServerName = "grpc.pleiad.internal";

/** The Secret with the authority's key pair, in cert-manager's own namespace of each cluster. */
export const authoritySecret = "pleiad-ca";
export const authorityNamespace = "cert-manager";

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

/** A certificate that somebody has to sign: a Secret with `tls.crt`, `tls.key` and `ca.crt`. */
export interface CertificateRequest {
  readonly cluster: string | undefined; // undefined = the monitoring cluster
  readonly namespace: string;
  readonly name: string;
  readonly secretName: string;
  readonly commonName: string; // receivers take it for the cluster that writes
  readonly dnsNames: readonly string[];
}

/** Every certificate of the deployment: the monitoring cluster's first, then one an app cluster. */
export function certificateRequests(deployment: Deployment): readonly CertificateRequest[] {
  const speaksGrpc = ({ kind }: Workload) => portsOf(kind).some(({ name }) => name === "grpc");
  return [
    ...deployment.workloads.filter(speaksGrpc).map((workload) => workloadCertificate(deployment, workload)),
    ...deployment.plan.clusters.map((cluster) => clusterCertificate(deployment, cluster)),
  ];
}

export function workloadCertificate(deployment: Deployment, workload: Workload): CertificateRequest {
  const { namespace } = deployment.settings;
  return {
    cluster: undefined,
    namespace,
    name: workload.name,
    secretName: certificateSecret(workload),
    commonName: workload.name,
    dnsNames: [
      inClusterServerName,
      `${workload.name}.${namespace}.svc`,
      ...(workload.kind === "receiver" ? [receiverHost(deployment, workload.region)] : []),
    ],
  };
}

export function clusterCertificate(deployment: Deployment, cluster: Pick<PlannedCluster, "name">): CertificateRequest {
  const name = "prometheus";
  return {
    cluster: cluster.name,
    namespace: deployment.settings.namespace,
    name,
    secretName: certificateSecret({ name }),
    commonName: cluster.name,
    dnsNames: clusterNames(deployment, cluster.name),
  };
}

/** What the certificates of an app cluster may be called, and no others. */
export function clusterNames({ thanos }: Deployment, cluster: string): readonly string[] {
  // Where one TLS profile serves all endpoints of a querier, all of them answer to one name.
  return [clusterServerName(cluster), ...(endpointFilesOf(thanos) === "with-tls" ? [] : [inClusterServerName])];
}

/** Where clusters of a region that push reach its receivers. */
export function receiverHost({ settings }: Deployment, region: string | undefined): string {
  return `receive${region === undefined ? "" : `-${region}`}.${settings.publicDomain}`;
}

/** A certificate of cert-manager; none where keys come from `pleiad certs`. */
export function certificateObjects(
  { settings }: Deployment,
  { name, namespace, secretName, commonName, dnsNames }: CertificateRequest,
): readonly CertManagerObject[] {
  if (settings.certificates === "built-in") return [];
  return [
    {
      apiVersion: "cert-manager.io/v1",
      kind: "Certificate",
      metadata: { name: `${name}-grpc`, namespace, labels: { ...commonLabels } },
      spec: {
        secretName,
        commonName,
        dnsNames: [...dnsNames],
        duration: "2160h",
        renewBefore: "720h",
        privateKey: { algorithm: "ECDSA", size: 256, rotationPolicy: "Always" },
        usages: ["digital signature", "server auth", "client auth"],
        issuerRef: { name: "pleiad", kind: "ClusterIssuer", group: "cert-manager.io" },
      },
    },
  ];
}

/**
 * The issuer of one cluster. In an app cluster its key pair is an authority of its own below the fleet's, which can sign
 * for no name but that cluster's.
 */
export function authorityObjects({ settings }: Deployment): readonly CertManagerObject[] {
  if (settings.certificates === "built-in") return [];
  return [
    {
      apiVersion: "cert-manager.io/v1",
      kind: "ClusterIssuer",
      metadata: { name: "pleiad", labels: { ...commonLabels } },
      spec: { ca: { secretName: authoritySecret } },
    },
  ];
}
