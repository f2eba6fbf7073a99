/** For tests: stores and queriers of a made-up fleet on a network, and what to ask them by. */
import { mergeSources } from "@pleiad/blocks";
import type { Labels, SourceSeries } from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import { createEngine, defaultEngineOptions, engineEvaluator, engineEvaluators, noFeatures } from "@pleiad/promql-exec";
import {
  defaultQueryHandlers,
  queryHandlers,
  storeHandlers,
  type EndpointSpec,
  type StoreIdentity,
} from "@pleiad/storeapi";
import { memorySource } from "@pleiad/storeapi/testing";
import type { FleetAnswer } from "./answer-difference.testing.ts";
import { startQuerier, type Querier, type QueryMode } from "./querier.ts";

/** What holds series, and by which external labels it is told apart. */
export interface MadeUpStore {
  readonly series: readonly SourceSeries[];
  /** A set for each cluster that it has something of. */
  readonly labelSets: readonly Labels[];
  /** As the roles have it: an agent has all time to come, a gateway ends with its blocks. */
  readonly kind: "agent" | "gateway";
  readonly evaluates: boolean;
}

export interface ServedStore {
  readonly address: string;
  stop(): Promise<void>;
}

export interface ServedFleet {
  serve(store: MadeUpStore): Promise<ServedStore>;
  /** Resolves when the querier is ready. */
  startQuerier(name: string, endpoints: readonly EndpointSpec[], queryMode: QueryMode): Promise<Querier>;
  /** Asks a querier for a path below `/api/v1/`. */
  ask(querier: Querier, path: string): Promise<FleetAnswer>;
  stop(): Promise<void>;
}

/** Who serves has its port from the network. `settle` asks its argument until it holds. */
export function createServedFleet(
  ports: Pick<Ports, "clock" | "files" | "network" | "observations">,
  settle: (isReady: () => boolean) => Promise<void>,
): ServedFleet {
  const engine = createEngine(defaultEngineOptions, ports);
  // Agents are of one process, and evaluate together where the network lets them.
  const evaluators = engineEvaluators(engine, defaultEngineOptions, mergeSources);
  const stops: ((graceMs: number) => Promise<void>)[] = [];
  const address = "127.0.0.1:0";
  return {
    async serve(store) {
      const source = memorySource(store.series);
      const query = store.evaluates ? ("exact" as const) : ("none" as const);
      const identity = { ...identityOf(store), query };
      const [labels, ...others] = store.labelSets;
      const isShared = labels !== undefined && others.length === 0;
      const evaluator = isShared
        ? evaluators.add(source, labels, store.kind)
        : engineEvaluator(engine, source, { name: store.kind, features: noFeatures });
      const group = isShared ? evaluators : undefined;
      const handlers = new Map([
        ...storeHandlers(source, () => identity),
        ...(store.evaluates ? queryHandlers(evaluator, () => true, defaultQueryHandlers, ports.clock, group) : []),
      ]);
      const listener = await ports.network.serveRpc(address, handlers);
      stops.push((graceMs) => listener.close(graceMs));
      return { address: listener.address, stop: () => listener.close(0) };
    },
    async startQuerier(name, endpoints, queryMode) {
      const options = { name, endpoints, queryMode, replicaLabels: ["replica"], renderMetrics: () => "" };
      const started = await startQuerier({ ...options, httpAddress: address, grpcAddress: address }, ports);
      if (!started.ok) throw new Error(started.failure.message);
      const querier = started.value;
      stops.push((graceMs) => querier.stop(graceMs));
      await settle(() => querier.ready().ready);
      return querier;
    },
    async ask({ httpAddress }, path) {
      const answer = await ports.network.fetchHttp(`http://${httpAddress}/api/v1/${path}`, {
        signal: new AbortController().signal,
        bodyBytesMax: 1 << 28,
      });
      return JSON.parse(new TextDecoder().decode(answer.body)) as FleetAnswer;
    },
    async stop() {
      for (const stop of stops.toReversed()) await stop(0);
      await engine.close();
    },
  };
}

function identityOf({ series, labelSets, kind }: MadeUpStore): StoreIdentity {
  let minTimeMs = Infinity;
  let lastMs = -Infinity;
  for (const chunk of series.flatMap((one) => one.chunks)) {
    minTimeMs = Math.min(minTimeMs, chunk.minTimeMs);
    lastMs = Math.max(lastMs, chunk.maxTimeMs);
  }
  const maxTimeMs = kind === "agent" ? Number.MAX_SAFE_INTEGER : lastMs + 1;
  return {
    componentType: kind === "agent" ? "sidecar" : "store",
    labelSets,
    minTimeMs,
    maxTimeMs,
    tsdbInfos: labelSets.map((labels) => ({ labels, minTimeMs, maxTimeMs })),
  };
}
