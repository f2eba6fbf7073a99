/** Ports of the twin on loopback: all counted from one base, so that two twins on two bases never meet. */
import { fail, ok, type Result } from "@pleiad/model";
import type { RoleKind } from "./plan.ts";

const s3Offset = 20;
const roleHttpOffset = 100;
const roleGrpcOffset = 200;
const clusterProcessOffset = 300;
const exporterOffset = 1000;
const clusterGrpcOffset = 2000;

// Linux hands out ports from here on to outgoing connections: one of these could be taken at any time.
export const ephemeralPortMin = 32_768;

export interface PortPlan {
  readonly consolePort: number;
  /** Why there are no ports but the console's; undefined where there are. */
  readonly refusal: string | undefined;
  roleHttpPort(roleIndex: number, kind: RoleKind): number | undefined;
  roleGrpcPort(roleIndex: number, kind: RoleKind): number | undefined;
  /** Of the S3 API of an object store. */
  s3Port(replica: number): number | undefined;
  clusterProcessPort(regionIndex: number): number | undefined;
  exporterPort(clusterNumber: number): number | undefined;
  clusterGrpcPort(clusterNumber: number): number | undefined;
}

const servesGrpc: Readonly<Record<RoleKind, boolean>> = {
  "global-querier": true,
  "super-regional-querier": true,
  "regional-querier": true,
  "query-frontend": false,
  "store-gateway": true,
  receiver: true,
  compactor: false,
  ruler: true,
  alertmanager: false,
  grafana: false,
  "object-store": false,
  "object-store-console": false,
  "monitoring-agent": true,
};

/**
 * Ports for so many roles, regions and clusters. A fleet too large for one machine has none: it is planned all the same.
 * Fails where the fleet has room, and its base leaves none.
 */
export function planPorts(
  basePort: number,
  counts: { readonly roles: number; readonly regions: number; readonly clusters: number },
): Result<PortPlan, { readonly expected: string; readonly found: string }> {
  const rooms = [
    [counts.roles, roleGrpcOffset - roleHttpOffset, "roles"],
    [counts.regions, exporterOffset - clusterProcessOffset, "regions"],
    [counts.clusters, clusterGrpcOffset - exporterOffset, "clusters"],
  ] as const;
  for (const [count, room, noun] of rooms) {
    if (count > room) return ok(noPorts(basePort, `a twin has ports for ${room} ${noun}, and the plan has ${count}`));
  }
  const last = basePort + clusterGrpcOffset + counts.clusters;
  if (last >= ephemeralPortMin) {
    return fail({
      expected: `at most ${ephemeralPortMin - 1 - clusterGrpcOffset - counts.clusters}, so that ports stay below ${ephemeralPortMin}`,
      found: `${basePort}, and ports up to ${last}`,
    });
  }
  return ok({
    consolePort: basePort,
    refusal: undefined,
    roleHttpPort: (roleIndex) => basePort + roleHttpOffset + roleIndex,
    roleGrpcPort: (roleIndex, kind) => (servesGrpc[kind] ? basePort + roleGrpcOffset + roleIndex : undefined),
    s3Port: (replica) => basePort + s3Offset + replica,
    clusterProcessPort: (regionIndex) => basePort + clusterProcessOffset + regionIndex,
    exporterPort: (clusterNumber) => basePort + exporterOffset + clusterNumber,
    clusterGrpcPort: (clusterNumber) => basePort + clusterGrpcOffset + clusterNumber,
  });
}

function noPorts(basePort: number, refusal: string): PortPlan {
  const none = () => undefined;
  return {
    consolePort: basePort,
    refusal,
    roleHttpPort: none,
    roleGrpcPort: none,
    s3Port: none,
    clusterProcessPort: none,
    exporterPort: none,
    clusterGrpcPort: none,
  };
}
