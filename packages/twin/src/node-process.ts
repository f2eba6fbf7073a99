/** A process of the twin that is one monitoring node: it runs the roles that the plan puts there. */
import { join } from "node:path";
import type { Plan, PlannedRole } from "@pleiad/fleet";
import type { Service } from "@pleiad/ports";
import { startAgent } from "@pleiad/role-agent";
import { defaultQuerierLimits, startQuerier } from "@pleiad/role-querier";
import { runChildProcess, type ProcessWorld } from "./child-process.ts";
import { runningRoleKinds } from "./console-state.ts";
import { serveStatus } from "./status-server.ts";
import { endpointsOf, monitoringLabels, ownTargets } from "./wiring.ts";

// By tier. A region gives up on a hung cluster in time for the global tier to take its answer, and to ask its replica.
const storeTimeoutMs = { 1: 30_000, 2: 10_000 } as const;

runChildProcess(async (world) => {
  const { plan, process: node } = world.order;
  const roles = plan.roles.filter((role) => role.node === node && runningRoleKinds.has(role.kind));
  const services = await Promise.all(roles.map((role) => startRole(role, plan, world)));
  return { services: services.flat() };
});

async function startRole(role: PlannedRole, plan: Plan, world: ProcessWorld): Promise<readonly Service[]> {
  const own = world.forRole(role.id);
  const httpAddress = `127.0.0.1:${role.httpPort ?? 0}`;
  const grpcAddress = `127.0.0.1:${role.grpcPort ?? 0}`;
  if (role.kind === "monitoring-agent" && plan.monitoring !== undefined) {
    const { job, scrapeIntervalMs } = plan.monitoring;
    const agent = await startAgent(
      {
        name: role.id,
        directory: join(world.order.dataDirectory, "roles", role.id),
        externalLabels: monitoringLabels(plan, role),
        grpcAddress,
        targets: ownTargets(plan).map((url) => ({ job, url, honorLabels: false })),
        scrapeIntervalMs,
        retentionMs: plan.twin.retentionMs,
        intern: (text) => text,
      },
      own.ports,
    );
    if (!agent.ok) throw new Error(agent.failure.message);
    return [agent.value, await serveStatus(`${role.id}-http`, httpAddress, own)];
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
