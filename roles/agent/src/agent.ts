/**
 * The agent of one cluster: scrapes its targets into a data folder, serves that over StoreAPI, and takes its blocks to
 * object storage.
 */
import type { SharedCache } from "@pleiad/blocks";
import { defaultExpositionLimits, withConstantLabel, type ExpositionLimits } from "@pleiad/exposition";
import { defaultHead, formatHeadFailure, type HeadLimits } from "@pleiad/head";
import { fail, labelValue, ok, type Labels, type MonitoringSource, type Result } from "@pleiad/model";
import type { Bucket, Listener, Ports, RpcHandler, Service } from "@pleiad/ports";
import type { EngineEvaluators } from "@pleiad/promql-exec";
import { selectorReader } from "@pleiad/promql-syntax";
import {
  createScrapePool,
  defaultMetadataStore,
  type ScrapePool,
  type ScrapeTarget,
  type TargetStatus,
} from "@pleiad/scrape";
import {
  defaultQueryHandlers,
  monitoringHandlers,
  queryHandlers,
  storeHandlers,
  type StoreIdentity,
} from "@pleiad/storeapi";
import {
  createShipper,
  defaultShipper,
  defaultTsdb,
  formatTsdbFailure,
  openTsdb,
  startMaintenance,
  type Tsdb,
  type TsdbStatistics,
} from "@pleiad/tsdb";
import { agentMonitoring } from "./agent-monitoring.ts";
import { serveAgentHttp, type AgentHttp, type AgentHttpOptions } from "./agent-http.ts";

export interface AgentOptions {
  readonly name: string; // of the service
  readonly directory: string; // the data folder, absolute
  readonly externalLabels: Labels; // of every series; `cluster` also labels the agent's own metrics, else the name does
  readonly grpcAddress: string; // of StoreAPI
  /** Where it answers over HTTP as a Prometheus does, exemplars included; nowhere by default. */
  readonly http?: AgentHttpOptions;
  readonly targets: readonly ScrapeTarget[];
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs?: number; // by default the interval, but at most 10 s
  /** Of blocks. Where there is object storage, none goes before it is there. */
  readonly retentionMs: number;
  /** Where blocks are taken to, each once; agents of one process share it. Without it they only stay here. */
  readonly objectStorage?: Bucket;
  /** Gives one string for all equal ones; agents of one process share it. */
  readonly intern?: (text: string) => string;
  /** A bound on what open blocks keep in memory; agents of one process share it. */
  readonly blockCache?: SharedCache;
  /** By which it evaluates for queriers; those of agents of one process do it together. Without it there are series only. */
  readonly evaluators?: EngineEvaluators;
  readonly limits?: { readonly page?: ExpositionLimits; readonly head?: HeadLimits };
  /** Whether a page without a Content-Type is taken for the text format, as Prometheus did before version 3. */
  readonly fallbackToText?: boolean;
  /** Runs when the folder is open and before anything is scraped or served: to fill in the past. */
  readonly beforeScraping?: (folder: AgentFolder) => Promise<Result<unknown, string>>;
}

/** The data folder, for samples of the past to come in. */
export type AgentFolder = Pick<Tsdb, "head" | "statistics">;

/** Why an agent did not start; the message names the folder or the address. */
export interface AgentFailure {
  readonly kind: "folder" | "past" | "listen";
  readonly message: string;
}

export interface Agent extends Service {
  readonly grpcAddress: string; // as bound
  readonly httpAddress: string | undefined; // as bound
  /** Targets, metadata and exemplars, as it tells them over gRPC and HTTP. */
  readonly monitoring: MonitoringSource;
  targets(): readonly TargetStatus[];
  /** The targets from now on: the series of one that is not among them any more get staleness markers. */
  setTargets(targets: readonly ScrapeTarget[]): void;
  statistics(): TsdbStatistics;
}

const scrapeTimeoutMaxMs = 10_000;

/** Of one block, below what all blocks share. */
const cacheBytesMaxPerBlock = 1024 * 1024;

/** Opens the folder, fills in the past, serves, scrapes, in this order; what was opened is closed again on a failure. */
export async function startAgent(options: AgentOptions, ports: Ports): Promise<Result<Agent, AgentFailure>> {
  const { directory, externalLabels, retentionMs, objectStorage, blockCache } = options;
  const cluster = labelValue(externalLabels, "cluster") || options.name;
  const own: Ports = { ...ports, observations: withConstantLabel(ports.observations, "cluster", cluster) };
  // An agent compacts nothing, but its folder may have been that of a Prometheus, whose blocks would stay for ever else.
  const shipper =
    objectStorage === undefined
      ? undefined
      : createShipper(objectStorage, { ...defaultShipper, directory, externalLabels, uploadsCompacted: true }, own);

  const opened = await openTsdb(
    directory,
    {
      ...defaultTsdb,
      head: {
        ...defaultHead,
        externalLabels,
        intern: options.intern ?? ((text) => text),
        limits: options.limits?.head ?? defaultHead.limits,
      },
      retention: { retentionMs, retentionBytesMax: 0 },
      cacheBytesMaxPerBlock,
      ...(blockCache === undefined ? {} : { sharedCache: blockCache }),
      ...(shipper === undefined ? {} : { mayRemove: (ulid: string) => shipper.isUploaded(ulid) }),
    },
    own,
  );
  if (!opened.ok) return fail({ kind: "folder", message: `${directory}: ${formatTsdbFailure(opened.failure)}` });
  const tsdb = opened.value;

  const filled = await options.beforeScraping?.(tsdb);
  if (filled?.ok === false) {
    await tsdb.close();
    return fail({ kind: "past", message: `${directory}: ${filled.failure}` });
  }

  const stopping = new AbortController();
  const ready = () => {
    if (stopping.signal.aborted) return { ready: false, reason: "stopping" };
    const { commitFailure } = tsdb.head.statistics();
    if (commitFailure === undefined) return { ready: true };
    return { ready: false, reason: `takes no samples: ${formatHeadFailure(commitFailure)}` };
  };
  const scrapeTimeoutMs = options.scrapeTimeoutMs ?? Math.min(options.scrapeIntervalMs, scrapeTimeoutMaxMs);
  let scraping: ScrapePool | undefined;
  const { scrapeIntervalMs } = options;
  const monitoring = agentMonitoring(tsdb.head, () => scraping, { externalLabels, scrapeIntervalMs, scrapeTimeoutMs });
  const bound = await bind(tsdb, monitoring, options, ready, own);
  if (!bound.ok) {
    await tsdb.close();
    return bound;
  }
  const { rpc, http } = bound.value;

  const pool = createScrapePool(
    options.targets,
    tsdb.head,
    own,
    {
      intervalMs: scrapeIntervalMs,
      timeoutMs: scrapeTimeoutMs,
      limits: options.limits?.page ?? defaultExpositionLimits,
      fallbackToText: options.fallbackToText ?? false,
    },
    { ...defaultMetadataStore, intern: options.intern ?? defaultMetadataStore.intern },
  );
  scraping = pool;
  const maintenance = startMaintenance(tsdb, own);
  const shipping = shipper?.run(stopping.signal);
  return ok({
    name: options.name,
    grpcAddress: rpc.address,
    httpAddress: http?.address,
    monitoring,
    targets: () => pool.status(),
    setTargets: (targets) => pool.setTargets(targets),
    statistics: () => tsdb.statistics(),
    ready,
    stop: async (graceMs) => {
      // An upload that is broken off goes on at the next start.
      stopping.abort();
      await Promise.all([rpc.close(graceMs), http?.close(graceMs), maintenance.stop(), shipping, pool.stop()]);
      const closed = await tsdb.close();
      if (closed.ok) return;
      const reason = formatTsdbFailure(closed.failure);
      own.observations.log("error", "The data folder could not be closed in good order.", { reason });
    },
  });
}

/** Binds StoreAPI, and HTTP where it is asked for. What was bound before a failure is closed again. */
async function bind(
  tsdb: Tsdb,
  monitoring: MonitoringSource,
  options: AgentOptions,
  ready: Service["ready"],
  ports: Ports,
): Promise<Result<{ readonly rpc: Listener; readonly http: AgentHttp | undefined }, AgentFailure>> {
  const { grpcAddress, http } = options;
  const failed = (what: string, error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    return fail<AgentFailure>({ kind: "listen", message: `${what}: ${reason}` });
  };
  let rpc: Listener;
  try {
    rpc = await ports.network.serveRpc(grpcAddress, handlersOf(tsdb, monitoring, options, ports));
  } catch (error) {
    return failed(`StoreAPI on ${grpcAddress}`, error);
  }
  if (http === undefined) return ok({ rpc, http: undefined });
  try {
    return ok({ rpc, http: await serveAgentHttp(http, tsdb, monitoring, ready, ports) });
  } catch (error) {
    await rpc.close(0);
    return failed(`HTTP on ${http.address}`, error);
  }
}

function handlersOf(
  tsdb: Tsdb,
  monitoring: MonitoringSource,
  { name, externalLabels, evaluators }: AgentOptions,
  { clock }: Ports,
): ReadonlyMap<string, RpcHandler> {
  const query = evaluators === undefined ? "none" : "exact";
  const handlers = new Map([
    ...storeHandlers(tsdb, () => ({ ...identityOf(tsdb, externalLabels), query })),
    ...monitoringHandlers(monitoring, () => true, selectorReader),
  ]);
  if (evaluators === undefined) return handlers;
  const evaluator = evaluators.add(tsdb, externalLabels, name);
  return new Map([...handlers, ...queryHandlers(evaluator, () => true, defaultQueryHandlers, clock, evaluators)]);
}

/** As a sidecar beside a Prometheus: external labels, and all times from the folder's first sample on. */
function identityOf(tsdb: Tsdb, externalLabels: Labels): StoreIdentity {
  const maxTimeMs = Number.MAX_SAFE_INTEGER;
  const firstMs = tsdb.statistics().minTimeMs;
  const minTimeMs = Number.isNaN(firstMs) ? maxTimeMs : firstMs;
  return {
    componentType: "sidecar",
    labelSets: [externalLabels],
    minTimeMs,
    maxTimeMs,
    tsdbInfos: [{ labels: externalLabels, minTimeMs, maxTimeMs }],
    serves: ["targets", "metadata", "exemplars"],
  };
}
