/** A process of the twin that holds app clusters: for each its made-up `/metrics` and its agent. */
import { join } from "node:path";
import { createSharedCache, mergeSources, type SharedCache } from "@pleiad/blocks";
import { withConstantLabel } from "@pleiad/exposition";
import type { PlannedCluster } from "@pleiad/fleet";
import { labelsFromRecord, type Result } from "@pleiad/model";
import type { Ports, Service } from "@pleiad/ports";
import { createEngine, defaultEngineOptions, engineEvaluators, type EngineEvaluators } from "@pleiad/promql-exec";
import { startAgent, type AgentFolder } from "@pleiad/role-agent";
import { agentPart, clusterLabel, knownMetrics } from "./agent-page.ts";
import { backFill } from "./back-fill.ts";
import { runChildProcess, type RoleWorld, type StartOrder } from "./child-process.ts";
import { gapFile, historyFiles, planPast } from "./cluster-past.ts";
import type { MadeUpCluster } from "./made-up-cluster.ts";
import { madeUpClusterOf, madeUpJob, madeUpTarget, scrapeGridOf } from "./made-up-target.ts";
import { createMadeUpPage } from "./made-up-page.ts";
import { openTwinBucket, type TwinBucket } from "./object-storage.ts";
import { serveStatus } from "./status-server.ts";
import { processMetricsPath } from "./process-metrics.ts";

const internedMax = 1_000_000;
/** Of the local blocks of all clusters of the process. */
const blockCacheBytesMax = 48 * 2 ** 20;
/**
 * At once, in one process. Its agents are asked together, each evaluation is short, and all share a thread: what is begun and
 * not ended is only in the way of what runs, in the processor's cache and before the collector. Some may wait for a disk.
 */
const evaluationsMax = 4;
/** Many questions to each agent. One that refuses to evaluate is asked for all its series, which takes far longer. */
const evaluationsWaitingMax = 10_000;

/** What the agents of a process have in common. */
interface SharedParts {
  readonly intern: (text: string) => string;
  readonly blockCache: SharedCache;
  readonly bucket: TwinBucket | undefined;
  /** Evaluate what regional queriers ask of the clusters, without threads: many such processes share the machine. */
  readonly evaluators: EngineEvaluators;
}

runChildProcess(async (world) => {
  const { plan } = world.order;
  const own = plan.twin.clusterProcesses.find((one) => one.name === world.order.process);
  if (own === undefined) throw new Error(`the plan has no process ${world.order.process}`);
  const byName = new Map(plan.clusters.map((cluster) => [cluster.name, cluster]));
  const texts = new Map<string, string>();
  const intern = (text: string) => {
    const known = texts.get(text);
    if (known !== undefined) return known;
    // Real targets bring new texts for ever. Those that are forgotten here are kept once more where they come again.
    if (texts.size >= internedMax) texts.clear();
    texts.set(text, text);
    return text;
  };
  const services: Service[] = [];
  const role = world.forRole(own.name);
  const processMetrics = () => role.renderMetrics({ where: ["cluster", ""], labels: [] });
  const parts = new Map([[processMetricsPath, processMetrics]]);
  services.push(await serveStatus(own.name, `127.0.0.1:${own.httpPort}`, role, parts));
  const { clock, observations } = role.ports;
  const engineOptions = { ...defaultEngineOptions, concurrencyMax: evaluationsMax, waitingMax: evaluationsWaitingMax };
  const engine = createEngine(engineOptions, { clock, observations });
  const shared: SharedParts = {
    evaluators: engineEvaluators(engine, defaultEngineOptions, mergeSources),
    intern,
    blockCache: createSharedCache(blockCacheBytesMax),
    bucket: openTwinBucket(plan, world.order.credential, role.ports),
  };
  await role.ports.files.makeDirectory(`${world.order.dataDirectory}/history`);
  let done = 0;
  for (const name of own.clusters) {
    const cluster = byName.get(name);
    if (cluster === undefined) throw new Error(`the plan has no cluster ${name}`);
    services.push(...(await startCluster(cluster, shared, world.order, role)));
    world.progress(++done, own.clusters.length, "clusters");
  }
  return { services };
});

async function startCluster(
  cluster: PlannedCluster,
  { intern, blockCache, bucket, evaluators }: SharedParts,
  order: StartOrder,
  { ports, renderMetrics }: RoleWorld,
): Promise<readonly Service[]> {
  const services: Service[] = [];
  const targets = cluster.targets.map(({ job, url }) => ({ job, url, honorLabels: false }));
  const { instance } = madeUpTarget(cluster);
  const observations = withConstantLabel(ports.observations, "cluster", clusterLabel(cluster));
  const madeUp = cluster.twinSeries > 0 ? madeUpClusterOf(cluster) : undefined;
  if (madeUp !== undefined) {
    const page = createMadeUpPage(madeUp);
    const part = agentPart(cluster);
    const listener = await ports.network.serveHttp(instance, async ({ path }) =>
      path === "/metrics"
        ? {
            status: 200,
            headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
            body: page.render(ports.clock.wallMs()) + knownMetrics(renderMetrics(part)),
          }
        : { status: 404, headers: { "content-type": "text/plain" }, body: "Not Found\n" },
    );
    services.push({
      name: `${cluster.name}-exporter`,
      ready: () => ({ ready: true }),
      stop: (graceMs) => listener.close(graceMs),
    });
    // The page stands for all targets of a cluster, as a federation endpoint does: its own job and instance stay.
    targets.unshift({ job: madeUpJob, url: `http://${instance}/metrics`, honorLabels: true });
  }
  const agent = await startAgent(
    {
      name: cluster.name,
      directory: join(order.dataDirectory, "clusters", cluster.name),
      externalLabels: labelsFromRecord(cluster.externalLabels),
      grpcAddress: `127.0.0.1:${cluster.grpcPort ?? 0}`,
      targets,
      scrapeIntervalMs: cluster.scrapeIntervalMs,
      retentionMs: order.plan.twin.retentionMs,
      intern,
      blockCache,
      evaluators,
      ...(bucket === undefined ? {} : { objectStorage: bucket.observedBy(observations) }),
      ...(madeUp === undefined
        ? {}
        : { beforeScraping: async (folder: AgentFolder) => await fillPast(folder, cluster, madeUp, order, ports) }),
    },
    ports,
  );
  if (!agent.ok) throw new Error(agent.failure.message);
  services.push(agent.value);
  return services;
}

/** Takes in what the agent lacks of the newest hours, and notes what it leaves out. */
async function fillPast(
  folder: AgentFolder,
  cluster: PlannedCluster,
  madeUp: MadeUpCluster,
  order: StartOrder,
  ports: Ports,
): Promise<Result<unknown, string>> {
  const { head, maxTimeMs } = folder.statistics();
  const { intervalMs, offsetMs } = scrapeGridOf(cluster);
  // The end of a block is no sample: the first one behind it is missing.
  const knownUntilMs = Number.isNaN(head.maxTimeMs) ? maxTimeMs + 1 : head.maxTimeMs + intervalMs / 2;
  const { fills, gap } = planPast({
    nowMs: ports.clock.wallMs(),
    backfillMs: order.plan.twin.backfillMs,
    knownUntilMs: Number.isNaN(maxTimeMs) ? undefined : knownUntilMs,
    intervalMs,
    offsetMs,
  });
  if (gap !== undefined) {
    // First: samples behind a gap that nobody knows would hide it.
    const noted = await gapFile(historyFiles(order.dataDirectory, cluster.name).gaps, ports.files).add(gap);
    if (!noted.ok) return noted;
  }
  for (const { fromMs, untilMs } of fills) {
    const target = madeUpTarget(cluster);
    const options = { cluster: madeUp, target, intervalMs, offsetMs, fromMs, toMs: untilMs };
    const filled = await backFill(folder.head, options, ports.clock);
    if (!filled.ok) return filled;
  }
  return { ok: true, value: undefined };
}
