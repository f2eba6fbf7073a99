/** A process of the twin that holds app clusters: for each its made-up `/metrics` and its agent. */
import { join } from "node:path";
import type { PlannedCluster } from "@pleiad/fleet";
import type { Head } from "@pleiad/head";
import { labelsFromRecord, type Result } from "@pleiad/model";
import type { Ports, Service } from "@pleiad/ports";
import { startAgent } from "@pleiad/role-agent";
import { backFill } from "./back-fill.ts";
import { runChildProcess, type StartOrder } from "./child-process.ts";
import { makeUpCluster } from "./made-up-cluster.ts";
import { createMadeUpPage } from "./made-up-page.ts";
import { serveStatus } from "./status-server.ts";

const madeUpJob = "cluster";
const internedMax = 1_000_000;

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
  services.push(await serveStatus(own.name, `127.0.0.1:${own.httpPort}`, role));
  let done = 0;
  for (const name of own.clusters) {
    const cluster = byName.get(name);
    if (cluster === undefined) throw new Error(`the plan has no cluster ${name}`);
    services.push(...(await startCluster(cluster, intern, world.order, role.ports)));
    world.progress(++done, own.clusters.length, "clusters");
  }
  return { services };
});

async function startCluster(
  cluster: PlannedCluster,
  intern: (text: string) => string,
  order: StartOrder,
  ports: Ports,
): Promise<readonly Service[]> {
  const services: Service[] = [];
  const targets = cluster.targets.map(({ job, url }) => ({ job, url, honorLabels: false }));
  const madeUp =
    cluster.twinSeries > 0
      ? makeUpCluster({ name: cluster.name, number: cluster.number, seriesCount: cluster.twinSeries })
      : undefined;
  const instance = `127.0.0.1:${cluster.exporterPort}`;
  if (madeUp !== undefined) {
    const page = createMadeUpPage(madeUp);
    const listener = await ports.network.serveHttp(instance, async ({ path }) =>
      path === "/metrics"
        ? {
            status: 200,
            headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
            body: page.render(ports.clock.wallMs()),
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
      grpcAddress: `127.0.0.1:${cluster.grpcPort}`,
      targets,
      scrapeIntervalMs: cluster.scrapeIntervalMs,
      retentionMs: order.plan.twin.retentionMs,
      intern,
      beforeScraping: async (head: Head): Promise<Result<unknown, string>> => {
        if (madeUp === undefined) return { ok: true, value: undefined };
        return await fillPast(head, cluster, madeUp, instance, order.plan.twin.backfillMs, ports);
      },
    },
    ports,
  );
  if (!agent.ok) throw new Error(agent.failure.message);
  services.push(agent.value);
  return services;
}

/** Fills what is missing of the last `backfillMs`: all of it at the first start, later the time when the twin was off. */
async function fillPast(
  head: Head,
  cluster: PlannedCluster,
  madeUp: ReturnType<typeof makeUpCluster>,
  instance: string,
  backfillMs: number,
  ports: Ports,
): Promise<Result<unknown, string>> {
  const nowMs = ports.clock.wallMs();
  const { maxTimeMs } = head.statistics();
  const intervalMs = cluster.scrapeIntervalMs;
  const fromMs = Math.max(nowMs - backfillMs, Number.isNaN(maxTimeMs) ? -Infinity : maxTimeMs + intervalMs / 2);
  return await backFill(
    head,
    {
      cluster: madeUp,
      target: { job: madeUpJob, instance },
      intervalMs,
      offsetMs: (cluster.number * 7919) % intervalMs,
      fromMs,
      toMs: nowMs,
    },
    ports.clock,
  );
}
