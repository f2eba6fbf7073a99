/** Ports on which components listen, by the conventions of their projects. */
import type { RoleKind } from "@pleiad/fleet";

export interface NamedPort {
  readonly name: string; // as Services name it; endpoints are found by `_grpc._tcp`
  readonly port: number;
}

export const grpcPort: NamedPort = { name: "grpc", port: 10901 };
export const httpPort: NamedPort = { name: "http", port: 10902 };
export const remoteWritePort: NamedPort = { name: "remote-write", port: 19291 };
export const memcachedPort: NamedPort = { name: "memcached", port: 11211 };
export const alertmanagerMeshPort: NamedPort = { name: "mesh", port: 9094 };

const portsOfKind: Readonly<Record<RoleKind, readonly NamedPort[]>> = {
  "global-querier": [grpcPort, httpPort],
  "super-regional-querier": [grpcPort, httpPort],
  "regional-querier": [grpcPort, httpPort],
  "query-frontend": [httpPort],
  "store-gateway": [grpcPort, httpPort],
  receiver: [grpcPort, httpPort, remoteWritePort],
  compactor: [httpPort],
  ruler: [grpcPort, httpPort],
  alertmanager: [{ name: "http", port: 9093 }, alertmanagerMeshPort],
  grafana: [{ name: "http", port: 3000 }],
  "object-store": [
    { name: "s3", port: 8333 },
    { name: "http", port: 9327 },
  ],
  "object-store-console": [{ name: "http", port: 23646 }],
  "monitoring-agent": [grpcPort, { name: "http", port: 9090 }],
};

export function portsOf(kind: RoleKind): readonly NamedPort[] {
  return portsOfKind[kind];
}

/** The port of a kind that speaks the protocol of an edge; undefined where it does not speak it. */
export function portFor(kind: RoleKind, protocol: "grpc" | "http" | "s3"): NamedPort | undefined {
  return portsOfKind[kind].find(({ name }) => name === protocol);
}
