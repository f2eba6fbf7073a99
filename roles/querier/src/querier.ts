/**
 * A querier, regional and global alike: it asks its endpoints over StoreAPI, evaluates PromQL, and answers over HTTP and,
 * to queriers above it, over StoreAPI; rules, targets, metadata and exemplars it passes on both ways. What differs between
 * the tiers is whom it asks.
 */
import {
  createHttpApi,
  defaultHttpApiLimits,
  loopbackAccess,
  type AccessOptions,
  type BuildInfo,
  type HttpApiOptions,
} from "@pleiad/http-api";
import { fail, monitoringServices, ok, type EvaluatingSource, type Result, type SeriesSource } from "@pleiad/model";
import type { Ports, ServerTls, Service } from "@pleiad/ports";
import {
  createEngine,
  defaultEngineOptions,
  defaultLimits,
  engineEvaluator,
  noFeatures,
  type Features,
} from "@pleiad/promql-exec";
import { selectorReader } from "@pleiad/promql-syntax";
import {
  createFanout,
  deduplicate,
  defaultFanout,
  defaultQueryHandlers,
  defaultStoreHandlers,
  listenForStore,
  monitoringHandlers,
  openEndpointSource,
  queryHandlers,
  storeHandlers,
  type DeduplicationFunction,
  type EndpointFilesOptions,
  type EndpointNamesOptions,
  type EndpointSpec,
  type Fanout,
} from "@pleiad/storeapi";
import type { QuerierFailure } from "./querier-failure.ts";
import { verifyingEngine } from "./verifying-engine.ts";
import { warmUpQuerier } from "./querier-warm-up.ts";
import { countConnections, listStores } from "./store-listing.ts";

export interface QuerierLimits {
  readonly concurrentQueriesMax: number;
  readonly waitingQueriesMax: number; // more are answered 429
  readonly queryTimeoutMs: number;
  /** How long a question waits for one endpoint. A querier above waits more than twice as long, or it gives up first. */
  readonly storeTimeoutMs: number;
  readonly samplesMax: number; // held by one query
  readonly seriesMax: number; // of one question to the stores
  readonly endpointsMax: number;
  readonly storeRequestsMax: number; // at once, from queriers above
}

export const defaultQuerierLimits: QuerierLimits = {
  concurrentQueriesMax: defaultHttpApiLimits.concurrentQueriesMax,
  waitingQueriesMax: defaultHttpApiLimits.waitingQueriesMax,
  queryTimeoutMs: defaultLimits.timeoutMs,
  storeTimeoutMs: defaultFanout.requestTimeoutMs,
  samplesMax: defaultLimits.samplesMax,
  seriesMax: defaultFanout.seriesMax,
  endpointsMax: defaultFanout.endpointsMax,
  storeRequestsMax: defaultStoreHandlers.requestsMax,
};

export interface QuerierOptions {
  readonly name: string;
  readonly httpAddress: string;
  readonly grpcAddress: string;
  readonly endpoints: readonly EndpointSpec[];
  /** Files that name further endpoints, and are read anew while it runs. */
  readonly endpointFiles?: EndpointFilesOptions;
  /** How endpoints are found that are named by DNS: `dns+`, `dnssrv+`, `dnssrvnoa+`. Without it there are none such. */
  readonly endpointNames?: EndpointNamesOptions;
  /** Of its StoreAPI; by default plain text. */
  readonly grpcTls?: ServerTls;
  /** Removed from answers over HTTP unless a request says otherwise; a querier above asks for what it needs itself. */
  readonly replicaLabels: readonly string[];
  /** How the series of replicas are made one where it evaluates; by default auto. */
  readonly deduplication?: DeduplicationFunction;
  /** Own metrics in the text exposition format: those that `ports.observations` collects. */
  readonly renderMetrics: () => string;
  /** Who may call over HTTP; by default only by a loopback name, and no page of another origin. */
  readonly access?: AccessOptions;
  readonly buildInfo?: BuildInfo;
  readonly limits?: QuerierLimits;
  /**
   * Whether endpoints that evaluate are asked for their share of an answer, or all of them for series. Either way it
   * evaluates for queriers above. By default distributed.
   */
  readonly queryMode?: QueryMode;
  /** Whether an answer that lacks something is one with a warning, unless a request says otherwise; by default it is. */
  readonly partialResponse?: boolean;
  /** What its engine has of Prometheus's experimental features; by default none. */
  readonly features?: Features;
  /** Whether it runs its code over a made-up series once it listens, for some seconds, so that first answers take no longer. */
  readonly warmsUp?: boolean;
}

export type QueryMode = "fan-out" | "distributed";

export type QuerierPorts = Pick<Ports, "clock" | "files" | "network" | "observations" | "threads">;

export interface Querier extends Service {
  readonly httpAddress: string; // as bound
  readonly grpcAddress: string;
  /** Resolves when its warm-up has ended; at once where there is none. */
  warmedUp(): Promise<void>;
}

/** Of the packages; a test compares it with them. */
export const releasedVersion = "0.1.0";

const unknownBuild: BuildInfo = {
  version: releasedVersion,
  revision: "",
  branch: "",
  buildUser: "",
  buildDate: "",
  goVersion: "",
};

/** Resolves when it listens on both addresses; it is ready when every endpoint has answered or failed once. */
export async function startQuerier(
  options: QuerierOptions,
  ports: QuerierPorts,
): Promise<Result<Querier, QuerierFailure>> {
  const { name, replicaLabels, limits = defaultQuerierLimits, features = noFeatures } = options;
  const { endpoints: own, endpointFiles: files, endpointNames: names } = options;
  const named = await openEndpointSource({ endpoints: own, files, names }, ports);
  if (!named.ok) return fail({ kind: "endpoints", message: `${name}: ${named.failure}` });
  const { specs: endpoints } = named.value;
  if (endpoints.length > limits.endpointsMax) {
    const message = `${name}: ${endpoints.length} endpoints, at most ${limits.endpointsMax} are allowed`;
    return fail({ kind: "endpoints", message });
  }
  const { seriesMax, endpointsMax, queryTimeoutMs, storeTimeoutMs: requestTimeoutMs, samplesMax } = limits;
  const fanout = createFanout(
    { ...defaultFanout, name, endpoints, replicaLabels, requestTimeoutMs, seriesMax, endpointsMax },
    ports,
  );
  const engineOptions = {
    ...defaultEngineOptions,
    limits: { ...defaultLimits, samplesMax, timeoutMs: queryTimeoutMs },
    concurrencyMax: limits.concurrentQueriesMax,
    features,
  };
  const ownedEngine = createEngine(engineOptions, ports);
  // Not of what queriers above ask for: replicas of theirs may be elsewhere.
  const evaluated = (stores: EvaluatingSource): SeriesSource =>
    deduplicate(options.queryMode === "fan-out" ? seriesOnly(stores) : stores, options.deduplication ?? "auto");
  const verifiedSources = new WeakMap<SeriesSource, () => SeriesSource | undefined>();
  const verifiable = (stores: EvaluatingSource, selectors: Parameters<Fanout["ofStores"]>[0]): SeriesSource => {
    const source = evaluated(stores);
    verifiedSources.set(source, () => {
      const verified = fanout.ofVerifiedStores(selectors);
      return verified.ok ? evaluated(verified.value) : undefined;
    });
    return source;
  };
  const source = verifiable(fanout, []);
  const repeats = ports.observations.counter(
    "pleiad_querier_verified_queries_total",
    "Queries evaluated once more, since a store had sent a damaged chunk.",
  );
  const engine = verifyingEngine(
    ownedEngine,
    (from) => verifiedSources.get(from)?.(),
    () => repeats.add(1),
  );
  const stopping = new AbortController();
  const judge = readinessOf(fanout);
  const ready = () => (stopping.signal.aborted ? { ready: false, reason: "stopping" } : judge());
  const observeConnections = connectionGauge(fanout, ports);
  const api = {
    stores: () => ({ stores: listStores(fanout.endpoints()), missingClusters: fanout.inventory().missing }),
    buildInfo: options.buildInfo ?? unknownBuild,
    replicaLabels,
    partialResponseDefault: options.partialResponse ?? true,
    renderMetrics: () => {
      observeConnections();
      return options.renderMetrics();
    },
    ready,
    access: options.access ?? loopbackAccess,
    limits: {
      concurrentQueriesMax: limits.concurrentQueriesMax,
      waitingQueriesMax: limits.waitingQueriesMax,
      timeoutMs: queryTimeoutMs,
      seriesMax,
    },
  };
  const sourceOfStores: HttpApiOptions["sourceOfStores"] = (selectors) => {
    const stores = fanout.ofStores(selectors);
    return stores.ok ? ok(verifiable(stores.value, selectors)) : stores;
  };
  const handleHttp = createHttpApi({ ...api, engine, source, sourceOfStores, monitoring: fanout.monitoring }, ports);
  const { storeRequestsMax: requestsMax } = limits;
  const identity = () => ({
    ...fanout.identity(),
    ready: ready().ready,
    query: "exact" as const,
    serves: monitoringServices,
  });
  const evaluator = engineEvaluator(engine, source, { name, features });
  const isReady = () => ready().ready;
  const handlers = new Map([
    ...storeHandlers(fanout, identity, { ...defaultStoreHandlers, requestsMax, ready: isReady }),
    ...queryHandlers(evaluator, isReady, { ...defaultQueryHandlers, replicaLabels, requestsMax }, ports.clock),
    ...monitoringHandlers(fanout.monitoring, isReady, selectorReader),
  ]);

  const { httpAddress, grpcAddress } = options;
  const listening = await listenForStore(ports, {
    name,
    grpcAddress,
    httpAddress,
    handlers,
    handleHttp,
    tls: options.grpcTls,
  });
  if (!listening.ok) {
    await fanout.stop();
    return fail({ kind: "address", message: listening.failure });
  }
  const { http, rpc } = listening.value;
  fanout.start();
  const following = named.value.follow((specs) => fanout.setEndpoints(specs), stopping.signal);
  ports.observations.log("info", "the querier listens", {
    name,
    http: http.address,
    grpc: rpc.address,
    endpoints: endpoints.length,
  });
  const warming =
    options.warmsUp === true
      ? warmUpQuerier(api, { engine: engineOptions, evaluated }, ports, stopping.signal)
      : undefined;
  // Without it, the first answers take longer.
  const warmed = warming?.catch((error: unknown) =>
    ports.observations.log("info", "no warm-up", { name, error: String(error) }),
  );
  return ok({
    name,
    httpAddress: http.address,
    grpcAddress: rpc.address,
    ready,
    async warmedUp() {
      await warmed;
    },
    async stop(graceMs) {
      stopping.abort();
      await warmed;
      await listening.value.close(graceMs);
      await following;
      await Promise.all([fanout.stop(), ownedEngine.close()]);
    },
  });
}

/** The same series, of which no part evaluates. */
function seriesOnly(source: SeriesSource): SeriesSource {
  return {
    select: (request, signal) => source.select(request, signal),
    labelNames: (request, signal) => source.labelNames(request, signal),
    labelValues: (label, request, signal) => source.labelValues(label, request, signal),
  };
}

/**
 * Until every endpoint was asked once, an answer would lack stores of which it is not even known that they are missing.
 * Those that come later count only once they were asked.
 */
function readinessOf(fanout: Fanout): () => { readonly ready: boolean; readonly reason?: string } {
  let wasReady = false;
  return () => {
    if (wasReady) return { ready: true };
    const endpoints = fanout.endpoints();
    const asked = endpoints.filter(({ lastCheckMs }) => lastCheckMs !== undefined).length;
    wasReady = asked === endpoints.length;
    return wasReady
      ? { ready: true }
      : { ready: false, reason: `${asked} of ${endpoints.length} endpoints have answered or failed so far` };
  };
}

/** Thanos's count of the stores that a querier is connected to, brought up to date for each scrape. */
function connectionGauge(fanout: Fanout, { observations }: QuerierPorts): () => void {
  const gauge = observations.gauge("thanos_store_nodes_grpc_connections", "Endpoints that answer, by component type.", [
    "store_type",
  ]);
  const seen = new Set<string>();
  return () => {
    const counts = countConnections(fanout.endpoints());
    for (const type of counts.keys()) seen.add(type);
    for (const type of seen) gauge.set(counts.get(type) ?? 0, type);
  };
}
