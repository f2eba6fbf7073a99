/**
 * What each querier asks, as Thanos reads it: a file that is re-read while it runs, so that a cluster is added by changing
 * one file. From 0.38 on that file knows groups and TLS for each endpoint; before it is a list of addresses.
 */
import { unreachable } from "@pleiad/model";
import type { PlannedCluster } from "@pleiad/fleet";
import { clusterServerName, inClusterServerName, tlsFolder } from "./certificates.ts";
import type { Deployment } from "./deployment.ts";
import type { IConfigMap } from "./kubernetes-object.ts";
import { labelsOf } from "./object-labels.ts";
import { endpointFilesOf, type FlagValues } from "./thanos-command.ts";
import type { Workload } from "./workload.ts";
import { yamlOf } from "./yaml-text.ts";

export const endpointsFolder = "/etc/thanos/endpoints";
const fileName = "endpoints.yaml";

export function endpointsName({ name }: Pick<Workload, "name">): string {
  return `endpoints-${name}`;
}

/** Flags of a querier that make it find its endpoints. */
export function endpointFlags(deployment: Deployment, querier: Workload): FlagValues {
  const { groups, clusters } = targetsOf(deployment, querier);
  const file = `${endpointsFolder}/${fileName}`;
  const files = endpointFilesOf(deployment.thanos);
  switch (files) {
    case "with-tls":
      return { "endpoint.sd-config-file": file };
    case "without-tls":
      return { "endpoint.sd-config-file": file, ...globalTlsFlags };
    case "none":
      return {
        "endpoint-group": groups.map((group) => groupAddress(deployment, group)),
        "store.sd-files": clusters.length === 0 ? undefined : file,
        ...globalTlsFlags,
      };
    default:
      return unreachable(files);
  }
}

/** Where one profile serves all endpoints, every server of the fleet answers to one name. */
const globalTlsFlags: FlagValues = {
  "grpc-client-tls-secure": true,
  "grpc-client-tls-cert": `${tlsFolder}/tls.crt`,
  "grpc-client-tls-key": `${tlsFolder}/tls.key`,
  "grpc-client-tls-ca": `${tlsFolder}/ca.crt`,
  "grpc-client-server-name": inClusterServerName,
};

const tlsConfig = {
  enabled: true,
  cert_file: `${tlsFolder}/tls.crt`,
  key_file: `${tlsFolder}/tls.key`,
  ca_file: `${tlsFolder}/ca.crt`,
};

/** Rendered without a hash in its name: queriers see changes of the mounted file without a restart. */
export function endpointsConfigMap(deployment: Deployment, querier: Workload): IConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: endpointsName(querier),
      namespace: deployment.settings.namespace,
      labels: labelsOf(querier),
    },
    data: { [fileName]: yamlOf(endpointsDocument(deployment, querier)) },
  };
}

function endpointsDocument(deployment: Deployment, querier: Workload): unknown {
  const { groups, clusters } = targetsOf(deployment, querier);
  const addresses = clusters.flatMap((cluster) =>
    clusterAddresses(deployment, cluster).map((address) => ({ address, cluster: cluster.name })),
  );
  const files = endpointFilesOf(deployment.thanos);
  if (files === "none") return [{ targets: addresses.map(({ address }) => address) }];
  const grouped = groups.map((group) => ({ address: groupAddress(deployment, group), group: true }));
  if (files === "without-tls") return { endpoints: [...grouped, ...addresses.map(({ address }) => ({ address }))] };
  return {
    default_client_config: { tls_config: tlsConfig, server_name: inClusterServerName },
    endpoints: [
      ...grouped,
      ...addresses.map(({ address, cluster }) => ({
        address,
        // A key stolen from one cluster cannot answer for another.
        client_config: { tls_config: tlsConfig, server_name: clusterServerName(cluster) },
      })),
    ],
  };
}

/** Addresses of a cluster's StoreAPIs as the monitoring nodes see them: each Prometheus replica has its own. */
export function clusterAddresses({ settings }: Deployment, cluster: PlannedCluster): readonly string[] {
  return Array.from({ length: cluster.prometheusReplicas }, (_, replica) =>
    settings.clusterAddress.replaceAll("${cluster}", cluster.name).replaceAll("${replica}", String(replica)),
  );
}

/** What a querier asks over gRPC: workloads, whose replicas are one endpoint each, and app clusters that are pulled. */
function targetsOf(
  { workloads, edges, plan }: Deployment,
  querier: Workload,
): { readonly groups: readonly Workload[]; readonly clusters: readonly PlannedCluster[] } {
  const asked = new Set(
    edges.filter((edge) => edge.from === querier.name && edge.protocol === "grpc").map(({ to }) => to),
  );
  return {
    groups: workloads.filter(({ name }) => asked.has(name)),
    clusters: plan.clusters.filter(({ name, ingest }) => ingest === "pull" && asked.has(name)),
  };
}

function groupAddress({ settings }: Deployment, { name }: Workload): string {
  return `dnssrv+_grpc._tcp.${name}.${settings.namespace}.svc.cluster.local`;
}
