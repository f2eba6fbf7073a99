/** A process of the twin that is one monitoring node: it runs the roles that the plan puts there. */
import { join } from "node:path";
import type { Plan, PlannedRole } from "@pleiad/fleet";
import type { Service } from "@pleiad/ports";
import { startAgent } from "@pleiad/role-agent";
import { startCompactor } from "@pleiad/role-compactor";
import { startObjectStore } from "@pleiad/role-object-store";
import { defaultQuerierLimits, startQuerier } from "@pleiad/role-querier";
import { startStoreGateway } from "@pleiad/role-store-gateway";
import { runChildProcess, type ProcessWorld } from "./child-process.ts";
import { blocksOf } from "./block-owners.ts";
import { openTwinBucket, s3Region } from "./object-storage.ts";
import { runsInTwin } from "./running-roles.ts";
import { serveStatus } from "./status-server.ts";
import { endpointsOf, monitoringLabels, ownTargets } from "./wiring.ts";

// By tier. A region gives up on a hung cluster in time for the global tier to take its answer, and to ask its replica.
const storeTimeoutMs = { 1: 30_000, 2: 10_000 } as const;

/** What is replaced goes sooner than in earnest: one disk has it all, and gateways look every few seconds. */
const twinCompaction = { deleteDelayMs: 15 * 60_000 };
const compactorPauseMs = 20_000;
/** Many gateways share a machine. A block that is marked is passed over well before it goes. */
const twinGateway = {
  ignoreDeletionMarksDelayMs: 6 * 60_000,
  cacheBytesMax: 32 * 2 ** 20,
  tableBytesMax: 32 * 2 ** 20,
};

/** A look at the bucket costs a request a thousand keys: the larger the fleet, the less often. */
function gatewaySyncMs({ clusters }: Plan): number {
  return Math.min(180_000, Math.max(10_000, clusters.length * 800));
}

runChildProcess(async (world) => {
  const { plan, process: node } = world.order;
  const roles = plan.roles.filter((role) => role.node === node && runsInTwin(role, plan));
  const services = await Promise.all(roles.map((role) => startRole(role, plan, world)));
  return { services: services.flat() };
});

async function startRole(role: PlannedRole, plan: Plan, world: ProcessWorld): Promise<readonly Service[]> {
  const own = world.forRole(role.id);
  const httpAddress = `127.0.0.1:${role.httpPort ?? 0}`;
  const grpcAddress = `127.0.0.1:${role.grpcPort ?? 0}`;
  const directory = join(world.order.dataDirectory, "roles", role.id);
  const bucket = openTwinBucket(plan, world.order.credential, own.ports);
  const serveOwnStatus = async () => await serveStatus(`${role.id}-http`, httpAddress, own);
  if (role.kind === "monitoring-agent" && plan.monitoring !== undefined) {
    const { job, scrapeIntervalMs } = plan.monitoring;
    const agent = await startAgent(
      {
        name: role.id,
        directory,
        externalLabels: monitoringLabels(plan, role),
        grpcAddress,
        targets: ownTargets(plan).map((url) => ({ job, url, honorLabels: false })),
        scrapeIntervalMs,
        retentionMs: plan.twin.retentionMs,
        intern: (text) => text,
        ...(bucket === undefined ? {} : { objectStorage: bucket }),
      },
      own.ports,
    );
    if (!agent.ok) throw new Error(agent.failure.message);
    return [agent.value, await serveOwnStatus()];
  }
  if (role.kind === "object-store" && plan.objectStorage !== undefined && world.order.credential !== undefined) {
    const store = await startObjectStore(
      {
        name: role.id,
        directory,
        address: `127.0.0.1:${role.s3Port ?? 0}`,
        region: s3Region,
        credentials: [world.order.credential],
        buckets: [plan.objectStorage.bucket],
        faultsOverHttp: true,
      },
      own.ports,
    );
    if (!store.ok) throw new Error(store.failure.message);
    return [store.value, await serveOwnStatus()];
  }
  if (role.kind === "compactor" && bucket !== undefined) {
    const compactor = startCompactor(
      bucket,
      { name: role.id, directory, compaction: twinCompaction, waitIntervalMs: compactorPauseMs },
      own.ports,
    );
    if (!compactor.ok) throw new Error(compactor.failure.message);
    return [compactor.value, await serveOwnStatus()];
  }
  if (role.kind === "store-gateway" && bucket !== undefined) {
    const gateway = await startStoreGateway(
      bucket,
      {
        name: role.id,
        httpAddress,
        grpcAddress,
        directory,
        store: { ...twinGateway, rules: blocksOf(role, plan), syncIntervalMs: gatewaySyncMs(plan) },
        renderMetrics: own.renderMetrics,
      },
      own.ports,
    );
    if (!gateway.ok) throw new Error(gateway.failure.message);
    return [gateway.value];
  }
  const querier = await startQuerier(
    {
      name: role.id,
      httpAddress,
      grpcAddress,
      endpoints: endpointsOf(plan, role.id),
      replicaLabels: plan.replicaLabels,
      renderMetrics: own.renderMetrics,
      limits: { ...defaultQuerierLimits, storeTimeoutMs: storeTimeoutMs[role.kind === "global-querier" ? 1 : 2] },
    },
    own.ports,
  );
  if (!querier.ok) throw new Error(querier.failure.message);
  return [querier.value];
}
