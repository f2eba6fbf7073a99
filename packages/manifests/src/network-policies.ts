/**
 * Who may connect to whom: nothing but the plan's edges, and what they rest on (names, the cache, Alertmanager's mesh, the
 * database). Every namespace starts closed.
 */
import type { INetworkPolicySpec } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicySpec";
import type { Deployment } from "./deployment.ts";
import type { INetworkPolicy } from "./kubernetes-object.ts";
import { memcachedName, memcachedSelector } from "./memcached.ts";
import { commonLabels, labelsOf, selectorOf } from "./object-labels.ts";
import { alertmanagerMeshPort, grpcPort, memcachedPort, portFor, remoteWritePort } from "./ports.ts";
import type { Workload } from "./workload.ts";

type Ingress = NonNullable<INetworkPolicySpec["ingress"]>[number];
type Egress = NonNullable<INetworkPolicySpec["egress"]>[number];
type Peer = NonNullable<Ingress["from"]>[number];

/** One arrow that is let through, both ends by name. `to` is a workload, `memcached`, or "outside". */
export interface AllowedEdge {
  readonly from: string;
  readonly to: string;
  readonly port: number;
}

/** Everything that is let through between pods of the monitoring cluster, and out of it. */
export function allowedEdges(deployment: Deployment): readonly AllowedEdge[] {
  const { workloads, edges, plan, storage } = deployment;
  const byName = new Map(workloads.map((workload) => [workload.name, workload]));
  const pulled = new Set(plan.clusters.filter(({ ingest }) => ingest === "pull").map(({ name }) => name));
  const allowed = edges.flatMap(({ from, to, protocol }): AllowedEdge[] => {
    if (!byName.has(from)) return [];
    const target = byName.get(to);
    if (target === undefined) return pulled.has(to) ? [{ from, to: "outside", port: clusterPort(deployment) }] : [];
    const port = portFor(target.kind, protocol);
    return port === undefined ? [] : [{ from, to, port: port.port }];
  });
  const support = workloads.flatMap(({ name, kind }): AllowedEdge[] => {
    switch (kind) {
      case "query-frontend":
        return [{ from: name, to: memcachedName, port: memcachedPort.port }];
      case "alertmanager":
        return [
          { from: name, to: name, port: alertmanagerMeshPort.port },
          { from: name, to: "outside", port: 443 }, // those whom it notifies
        ];
      case "monitoring-agent":
        return [
          { from: name, to: "alertmanager", port: 9093 },
          // The API of Kubernetes, where it discovers whom to scrape: its Service, and what that leads to.
          { from: name, to: "outside", port: 443 },
          { from: name, to: "outside", port: 6443 },
        ];
      case "grafana":
        return [
          { from: name, to: name, port: alertmanagerMeshPort.port },
          { from: name, to: "outside", port: 5432 }, // its database
        ];
      case "receiver":
        return [
          { from: name, to: name, port: grpcPort.port },
          { from: "outside", to: name, port: remoteWritePort.port },
        ];
      default:
        return [];
    }
  });
  const bucket = storage === undefined || storage.kind === "external" || storage.kind === "rook";
  const outside = workloads
    .filter(
      ({ kind }) => bucket && ["store-gateway", "compactor", "ruler", "receiver", "monitoring-agent"].includes(kind),
    )
    .map(({ name }): AllowedEdge => ({ from: name, to: "outside", port: 443 }));
  const all = [...allowed, ...support, ...outside].filter(({ to }) => to !== "alertmanager" || byName.has(to));
  return [...new Map(all.map((edge) => [JSON.stringify(edge), edge])).values()];
}

/** The port under which app clusters show their sidecars. */
function clusterPort({ settings }: Deployment): number {
  return Number(settings.clusterAddress.slice(settings.clusterAddress.lastIndexOf(":") + 1));
}

/** One policy a workload, for what comes in and what goes out; and one a namespace that closes what no other opens. */
export function networkPolicies(deployment: Deployment, workloads: readonly Workload[]): readonly INetworkPolicy[] {
  const edges = allowedEdges(deployment);
  return workloads.map((workload) => policyOf(deployment, edges, workload));
}

export function closedNamespace(namespace: string): INetworkPolicy {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "closed", namespace, labels: { ...commonLabels } },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  };
}

export function cachePolicy(deployment: Deployment): INetworkPolicy {
  const from = allowedEdges(deployment).filter(({ to }) => to === memcachedName);
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: memcachedName, namespace: deployment.settings.namespace, labels: { ...commonLabels } },
    spec: {
      podSelector: { matchLabels: memcachedSelector },
      policyTypes: ["Ingress", "Egress"],
      ingress: from.map((edge) => ({ from: [peerOf(deployment, edge.from)], ports: [tcp(edge.port)] })),
    },
  };
}

function policyOf(deployment: Deployment, edges: readonly AllowedEdge[], workload: Workload): INetworkPolicy {
  const incoming = byPort(edges.filter(({ to }) => to === workload.name));
  const outgoing = byPort(edges.filter(({ from }) => from === workload.name));
  const ingress = incoming.map(([port, ends]): Ingress => ({
    from: ends.map(({ from }) => peerOf(deployment, from)),
    ports: [tcp(port)],
  }));
  const egress = outgoing.map(([port, ends]): Egress => ({
    to: ends.map(({ to }) => peerOf(deployment, to)),
    ports: [tcp(port)],
  }));
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name: workload.name,
      namespace: namespaceOf(deployment, workload),
      labels: labelsOf(workload),
    },
    spec: {
      podSelector: { matchLabels: selectorOf(workload) },
      policyTypes: ["Ingress", "Egress"],
      ingress,
      egress: [nameLookups, ...egress],
    },
  };
}

const nameLookups: Egress = {
  to: [
    {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
      podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
    },
  ],
  ports: [
    { protocol: "UDP", port: 53 },
    { protocol: "TCP", port: 53 },
  ],
};

export function namespaceOf({ settings }: Deployment, { kind }: Pick<Workload, "kind">): string {
  return kind === "object-store" || kind === "object-store-console" ? settings.storageNamespace : settings.namespace;
}

function byPort(edges: readonly AllowedEdge[]): readonly (readonly [port: number, edges: readonly AllowedEdge[]])[] {
  return [...Map.groupBy(edges, ({ port }) => port)];
}

function peerOf(deployment: Deployment, name: string): Peer {
  // Where names outside resolve to is not known here.
  if (name === "outside") return { ipBlock: { cidr: "0.0.0.0/0" } };
  if (name === memcachedName) return { podSelector: { matchLabels: memcachedSelector } };
  const workload = deployment.workloads.find((one) => one.name === name);
  if (workload === undefined) throw new Error(`no workload ${name}`);
  return {
    // Always named: a peer without it would be one of the policy's own namespace.
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespaceOf(deployment, workload) } },
    podSelector: { matchLabels: selectorOf(workload) },
  };
}

function tcp(port: number): { protocol: "TCP"; port: number } {
  return { protocol: "TCP", port };
}
