/** A process of the twin that is one monitoring node: it runs the roles that the plan puts there. */
import { join } from "node:path";
import type { Plan, PlannedRole } from "@pleiad/fleet";
import type { Result } from "@pleiad/model";
import type { Bucket, Service } from "@pleiad/ports";
import { startAgent } from "@pleiad/role-agent";
import { startCompactor } from "@pleiad/role-compactor";
import { startObjectStore } from "@pleiad/role-object-store";
import { defaultQuerierLimits, startQuerier } from "@pleiad/role-querier";
import {
  createMemoryCache,
  defaultMemoryCache,
  defaultQueryFrontend,
  startQueryFrontend,
} from "@pleiad/role-query-frontend";
import { startStoreGateway } from "@pleiad/role-store-gateway";
import type { ScrapeTarget } from "@pleiad/scrape";
import { blocksOf, compactedBlocksOf } from "./block-owners.ts";
import { runChildProcess, type ProcessWorld, type RoleWorld } from "./child-process.ts";
import { openTwinBucket, s3Region, type S3Credential } from "./object-storage.ts";
import { runsInTwin } from "./running-roles.ts";
import { shareListings } from "./shared-listings.ts";
import { serveStatus } from "./status-server.ts";
import { downstreamsOf, endpointsOf, monitoringLabels } from "./wiring.ts";

// By tier. A region gives up on a hung cluster in time for the global tier to take its answer, and to ask its replica.
const storeTimeoutMs = { 1: 30_000, 2: 10_000 } as const;

/** What is replaced goes sooner than in earnest: one disk has it all, and gateways look often. */
const twinCompaction = { deleteDelayMs: 15 * 60_000 };
const compactorPauseMs = 20_000;

/** Many gateways share a machine. A block that is marked is passed over well before it goes. */
const twinGateway = {
  ignoreDeletionMarksDelayMs: 6 * 60_000,
  cacheBytesMax: 64 * 2 ** 20,
  tableBytesMax: 32 * 2 ** 20,
};

/** Made-up history comes in below what was asked before: no answer is kept for long. */
const twinFrontend = { freshnessMsMin: 5 * 60_000, validityMs: 5 * 60_000, slowQueryMs: 10_000 };
const frontendCache = { ...defaultMemoryCache, bytesMax: 32 * 2 ** 20 };

/** A look at the bucket costs a request a thousand keys: the larger the fleet, the less often. */
function gatewaySyncMs({ clusters }: Plan): number {
  return Math.min(180_000, Math.max(10_000, clusters.length * 800));
}

/** Gateways that begin together look at the bucket together. */
const withSharedListings = shareListings();

/** A role with all that it is started with. */
interface RoleStart {
  readonly role: PlannedRole;
  readonly plan: Plan;
  readonly own: RoleWorld;
  readonly directory: string;
  readonly httpAddress: string;
  readonly grpcAddress: string;
  readonly bucket: Bucket | undefined;
  readonly credential: S3Credential | undefined;
  readonly ownTargets: readonly ScrapeTarget[];
}

runChildProcess(async (world) => {
  const { plan, process: node } = world.order;
  const roles = plan.roles.filter((role) => role.node === node && runsInTwin(role, plan));
  const services = await Promise.all(roles.map(async (role) => await startRole(roleStart(role, plan, world))));
  return { services: services.flat() };
});

function roleStart(role: PlannedRole, plan: Plan, world: ProcessWorld): RoleStart {
  const own = world.forRole(role.id);
  const { credential, dataDirectory, ownTargets } = world.order;
  return {
    role,
    plan,
    own,
    directory: join(dataDirectory, "roles", role.id),
    httpAddress: `127.0.0.1:${role.httpPort ?? 0}`,
    grpcAddress: `127.0.0.1:${role.grpcPort ?? 0}`,
    bucket: openTwinBucket(plan, credential, own.ports)?.observedBy(own.ports.observations),
    credential,
    ownTargets,
  };
}

async function startRole(start: RoleStart): Promise<readonly Service[]> {
  switch (start.role.kind) {
    case "monitoring-agent":
      return [await monitoringAgent(start), await ownStatus(start)];
    case "object-store":
      return [await objectStore(start), await ownStatus(start)];
    case "compactor":
      return [compactor(start), await ownStatus(start)];
    case "store-gateway":
      return [await storeGateway(start)];
    case "global-querier":
    case "regional-querier":
      return [await querier(start)];
    case "query-frontend":
      return [await queryFrontend(start)];
    default:
      throw new Error(`the twin does not run ${start.role.kind}`);
  }
}

async function ownStatus({ role, httpAddress, own }: RoleStart): Promise<Service> {
  return await serveStatus(`${role.id}-http`, httpAddress, own);
}

async function monitoringAgent(start: RoleStart): Promise<Service> {
  const { role, plan, own, directory, grpcAddress, bucket, ownTargets } = start;
  const { scrapeIntervalMs } = planned(plan.monitoring, "monitoring");
  const started = await startAgent(
    {
      name: role.id,
      directory,
      externalLabels: monitoringLabels(plan, role),
      grpcAddress,
      targets: ownTargets,
      scrapeIntervalMs,
      retentionMs: plan.twin.retentionMs,
      intern: (text) => text,
      ...(bucket === undefined ? {} : { objectStorage: bucket }),
    },
    own.ports,
  );
  return valueOf(started);
}

async function objectStore({ role, plan, own, directory, credential }: RoleStart): Promise<Service> {
  const started = await startObjectStore(
    {
      name: role.id,
      directory,
      address: `127.0.0.1:${role.s3Port ?? 0}`,
      region: s3Region,
      credentials: [planned(credential, "credential")],
      buckets: [planned(plan.objectStorage, "objectStorage").bucket],
      faultsOverHttp: true,
    },
    own.ports,
  );
  return valueOf(started);
}

function compactor({ role, plan, own, directory, bucket }: RoleStart): Service {
  const selector = { rules: compactedBlocksOf(role, plan), minTimeMs: undefined, maxTimeMs: undefined };
  const options = { name: role.id, directory, compaction: twinCompaction, waitIntervalMs: compactorPauseMs, selector };
  return valueOf(startCompactor(planned(bucket, "bucket"), options, own.ports));
}

async function storeGateway(start: RoleStart): Promise<Service> {
  const { role, plan, own, directory, httpAddress, grpcAddress, bucket } = start;
  const started = await startStoreGateway(
    withSharedListings(planned(bucket, "bucket")),
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
  return valueOf(started);
}

async function querier({ role, plan, own, httpAddress, grpcAddress }: RoleStart): Promise<Service> {
  const started = await startQuerier(
    {
      name: role.id,
      httpAddress,
      grpcAddress,
      endpoints: endpointsOf(plan, role.id),
      replicaLabels: plan.replicaLabels,
      queryMode: plan.queryMode,
      deduplication: plan.deduplication,
      renderMetrics: own.renderMetrics,
      limits: { ...defaultQuerierLimits, storeTimeoutMs: storeTimeoutMs[role.kind === "global-querier" ? 1 : 2] },
    },
    own.ports,
  );
  return valueOf(started);
}

async function queryFrontend({ role, plan, own, httpAddress }: RoleStart): Promise<Service> {
  const started = await startQueryFrontend(
    {
      ...defaultQueryFrontend,
      ...twinFrontend,
      name: role.id,
      httpAddress,
      downstreamUrls: downstreamsOf(plan, role.id),
      cache: createMemoryCache(frontendCache),
      renderMetrics: own.renderMetrics,
    },
    own.ports,
  );
  return valueOf(started);
}

function planned<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new Error(`the plan has no ${name}`);
  return part;
}

function valueOf<T>(started: Result<T, { readonly message: string }>): T {
  if (!started.ok) throw new Error(started.failure.message);
  return started.value;
}
