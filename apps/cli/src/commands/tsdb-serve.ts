/** `pleiad tsdb serve <folder>`: the HTTP API over a data folder of Prometheus or Pleiad, read and never written. */
import { setFlagsFromString } from "node:v8";
import { createSharedCache } from "@pleiad/blocks";
import { createMetricRegistry, type MetricRegistry } from "@pleiad/exposition";
import { collectionFlags } from "@pleiad/node-ports";
import {
  createHttpApi,
  defaultHttpApiLimits,
  defaultWarmUp,
  loopbackAccess,
  warmUp,
  type HttpHandler,
} from "@pleiad/http-api";
import { createEngine, defaultEngineOptions, featuresOf, type Engine } from "@pleiad/promql-exec";
import type { Ports } from "@pleiad/ports";
import { defaultTsdbView, formatTsdbFailure, viewTsdb, type TsdbView } from "@pleiad/tsdb";
import { commandPorts } from "../command-ports.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { existingFolder } from "../folder-input.ts";

export interface TsdbServeOptions {
  readonly listen: string;
  readonly cacheMib: string;
  readonly enableFeature: readonly string[];
  readonly version: string;
}

const mebibyte = 1024 * 1024;
const blockCacheBytesMax = 256 * mebibyte;
const stopGraceMs = 2000;

export async function tsdbServeCommand(folder: string, options: TsdbServeOptions): Promise<void> {
  for (const flag of collectionFlags) setFlagsFromString(flag);
  const directory = existingFolder(folder);
  const features = featuresOf(options.enableFeature);
  if (!features.ok) throw new CommandFailure(exitCodes.badInput, features.failure);
  const registry = createMetricRegistry();
  const ports = commandPorts(registry);
  const texts = new Map<string, string>();
  const intern = (text: string) => {
    const held = texts.get(text);
    if (held === undefined) texts.set(text, text);
    return held ?? text;
  };
  const cacheBytesMax = Number(options.cacheMib) * mebibyte;
  const sharedCache = createSharedCache(cacheBytesMax);
  const viewOptions = {
    ...defaultTsdbView,
    intern,
    cacheBytesMaxPerBlock: Math.min(cacheBytesMax, blockCacheBytesMax),
    sharedCache,
  };
  const view = await viewTsdb(directory, viewOptions, ports);
  if (!view.ok) throw new CommandFailure(exitCodes.failed, formatTsdbFailure(view.failure));
  const served = view.value;
  const engineOptions = { ...defaultEngineOptions, features: features.value };
  const handleWith = (engine: Engine, counts: MetricRegistry, ports: Ports): HttpHandler =>
    createHttpApi(
      {
        engine,
        source: served,
        stores: () => ({ stores: [], missingClusters: [] }),
        buildInfo: { version: options.version, revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" },
        replicaLabels: [],
        partialResponseDefault: true,
        renderMetrics: () => counts.render(),
        ready: () => ({ ready: true }),
        access: loopbackAccess,
        limits: defaultHttpApiLimits,
      },
      ports,
    );
  const handle = handleWith(createEngine(engineOptions, ports), registry, ports);
  const listener = await listen(() => ports.network.serveHttp(options.listen, handle));
  process.stdout.write(
    `${directory}: ${String(served.blocks().length)} blocks, served on http://${listener.address} until Ctrl-C\n`,
  );
  const closing = new AbortController();
  const unread = createMetricRegistry();
  const unreadPorts = commandPorts(unread);
  const warmUpOptions = { ...defaultWarmUp, atMs: endOf(served) };
  const unreadEngine = createEngine(engineOptions, unreadPorts);
  const warmedUp = warmUp(handleWith(unreadEngine, unread, unreadPorts), warmUpOptions, unreadPorts, closing.signal)
    // Without it, the first answers take longer.
    .catch((error: unknown) => ports.observations.log("info", "no warm-up", { error: String(error) }))
    .finally(() => unreadEngine.close());
  await new Promise<void>((stopped) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => stopped());
  });
  closing.abort();
  await warmedUp;
  await listener.close(stopGraceMs);
  await view.value.close();
  // Threads and idle connections would keep the process for as long as they last.
  process.exit(exitCodes.done);
}

/** The time of the newest data; 0 where there is none. */
function endOf(view: TsdbView): number {
  const ends = view.blocks().map(({ meta }) => meta.maxTimeMs - 1);
  if (!Number.isNaN(view.head.maxTimeMs)) ends.push(view.head.maxTimeMs);
  return ends.length === 0 ? 0 : Math.max(...ends);
}

async function listen<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw new CommandFailure(exitCodes.failed, error instanceof Error ? error.message : String(error));
  }
}
