/** The dashboards of a hierarchy: the fleet, a region, a cluster, each role of Thanos, and object storage. */
import type { Dashboard } from "./dashboard.ts";
import { clusterDashboard, fleetDashboard, regionDashboard } from "./fleet-dashboards.ts";
import { readerOf, type Recorder } from "./recordings.ts";
import {
  compactorDashboard,
  objectStorageDashboard,
  querierDashboard,
  queryFrontendDashboard,
  receiverDashboard,
  rulerDashboard,
  storeGatewayDashboard,
} from "./role-dashboards.ts";

/**
 * All of them, in the order in which a fault is looked for. What the recorders have worked out is read from them; without
 * them every look at a dashboard asks all clusters.
 */
export function dashboardsOf(recorders: ReadonlySet<Recorder>): readonly Dashboard[] {
  const read = readerOf(recorders);
  return [
    fleetDashboard(read),
    regionDashboard(read),
    clusterDashboard(read),
    queryFrontendDashboard(read),
    querierDashboard(read),
    storeGatewayDashboard(read),
    compactorDashboard(read),
    rulerDashboard(read),
    receiverDashboard(read),
    objectStorageDashboard(read),
  ];
}

/** Their names, whoever records: those of their files. */
export const dashboardNames: readonly string[] = dashboardsOf(new Set()).map(({ name }) => name);
