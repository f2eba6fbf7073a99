/** For tests: a querier over a good store and one that does what it should not; and what is asked of it. */
import { labelsFromRecord, monitoringServices, type SeriesSource } from "@pleiad/model";
import { monitoringDataOf } from "@pleiad/model/monitoring-acceptance";
import { RpcError, type RpcHandler } from "@pleiad/ports";
import { testPorts, type TestPorts } from "@pleiad/ports/testing";
import { createEngine, defaultEngineOptions, engineEvaluator, noFeatures } from "@pleiad/promql-exec";
import {
  defaultQueryHandlers,
  monitoringHandlers,
  queryHandlers,
  storeHandlers,
  type EndpointSpec,
} from "@pleiad/storeapi";
import { memoryMonitoring, memorySource, plainSelectors, seriesOf } from "@pleiad/storeapi/testing";
import {
  defaultQuerierLimits,
  startQuerier,
  type QuerierLimits,
  type QuerierOptions,
  type QueryMode,
} from "./querier.ts";

export const nowMs = 1_700_000_000_000;
export const storeTimeoutMs = 10_000;

export type Handlers = ReadonlyMap<string, RpcHandler>;

export const good = { name: "cluster-good", address: "127.0.0.1:11001" } as const;
export const hostile = { name: "cluster-hostile", address: "127.0.0.1:11002" } as const;

export const samples = Array.from({ length: 20 }, (_, i) => [nowMs - 570_000 + i * 30_000, i + 1] as const);

export const seriesOfCluster = (cluster: string, more: Readonly<Record<string, string>> = {}) =>
  seriesOf(labelsFromRecord({ __name__: "up", cluster, ...more }), samples);

/** What a store that evaluates as well, and tells of rules and the like, serves of a source. */
export function handlersOf(
  source: SeriesSource,
  external: Readonly<Record<string, string>>,
  ports: TestPorts,
): Map<string, RpcHandler> {
  const labels = labelsFromRecord(external);
  const times = { minTimeMs: 0, maxTimeMs: Number.MAX_SAFE_INTEGER };
  const identity = {
    componentType: "query",
    labelSets: [labels],
    ...times,
    tsdbInfos: [{ labels, ...times }],
    query: "exact" as const,
    serves: monitoringServices,
  };
  const engine = createEngine(defaultEngineOptions, ports);
  const evaluator = engineEvaluator(engine, source, { name: "store", features: noFeatures });
  return new Map([
    ...storeHandlers(source, () => identity),
    ...queryHandlers(evaluator, () => true, defaultQueryHandlers, ports.clock),
    ...monitoringHandlers(memoryMonitoring(monitoringDataOf(labels)), () => true, plainSelectors),
  ]);
}

/** The handlers for data with something else in their place; those that tell of the store stay. */
export function misbehaving(handlers: Handlers, fault: (handler: RpcHandler) => RpcHandler): Handlers {
  const asks = /^\/thanos\.(Store|Query|Rules|Targets|Metadata|Exemplars)\//;
  return new Map(Array.from(handlers, ([method, one]) => [method, asks.test(method) ? fault(one) : one] as const));
}

/** A stream that begins with so much of what the handler gives, and goes on otherwise; of a unary call, only that. */
export function breakingOff(firstItems: number, then: (signal: AbortSignal) => Promise<never>) {
  return (handler: RpcHandler): RpcHandler =>
    handler.kind === "unary"
      ? { kind: "unary", handle: (_, { signal }) => then(signal) }
      : {
          kind: "stream",
          async *handle(request, context) {
            let given = 0;
            if (firstItems > 0) {
              for await (const messages of handler.handle(request, context)) {
                yield messages;
                if (++given === firstItems) break;
              }
            }
            await then(context.signal);
          },
        };
}

export const lost = async (): Promise<never> => {
  throw new RpcError("UNAVAILABLE", "the disk is on fire");
};

export const silence = async (signal: AbortSignal): Promise<never> =>
  await new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new RpcError("CANCELLED", "canceled")), { once: true });
  });

export interface HostileWorld {
  readonly ports: TestPorts;
  /** What the API would answer if the good store were the only one. */
  askOfTheGood(target: string): Promise<unknown>;
  /** Status and answer of the API. */
  ask(target: string, signal?: AbortSignal): Promise<ApiAnswer>;
  /** The same of what waits for a store: not before its time is up, and then at once. */
  askUntilTimeout(target: string): Promise<ApiAnswer>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: {
    readonly status: string;
    readonly data?: unknown;
    readonly warnings?: readonly string[];
    readonly error?: string;
  };
}

export interface HostileWorldOptions {
  readonly mode: QueryMode;
  readonly limits?: Partial<QuerierLimits>;
  /** What the hostile store serves, of what it would serve if it were none. */
  readonly serve: (handlers: Handlers, ports: TestPorts) => Handlers;
}

export async function startHostileWorld({ mode, limits, serve }: HostileWorldOptions): Promise<HostileWorld> {
  const ports = testPorts({ startMs: nowMs });
  for (const { name, address } of [good, hostile]) {
    const handlers = handlersOf(memorySource([seriesOfCluster(name)]), { cluster: name }, ports);
    await ports.network.serveRpc(address, name === hostile.name ? serve(handlers, ports) : handlers);
  }
  await startAt("127.0.0.1:12000", [good, hostile].map(endpointOf), ports, mode, limits);
  await startAt("127.0.0.1:12001", [endpointOf(good)], ports, mode, limits);
  const askAt = async (port: number, target: string, signal: AbortSignal): Promise<ApiAnswer> => {
    const url = `http://127.0.0.1:${port}/api/v1/${target}`;
    const { status, body } = await ports.network.fetchHttp(url, { signal, bodyBytesMax: 1 << 28 });
    return { status, body: JSON.parse(new TextDecoder().decode(body)) as ApiAnswer["body"] };
  };
  const ask: HostileWorld["ask"] = async (target, signal = new AbortController().signal) =>
    await askAt(12_000, target, signal);
  return {
    ports,
    askOfTheGood: async (target) => (await askAt(12_001, target, new AbortController().signal)).body.data,
    ask,
    async askUntilTimeout(target) {
      let isSettled = false;
      const asking = ask(target).finally(() => (isSettled = true));
      await ports.clock.advance(storeTimeoutMs - 1);
      if (isSettled) throw new Error("the querier did not wait");
      await ports.clock.advance(1);
      if (!isSettled) throw new Error("the querier waits for longer than it may");
      return await asking;
    },
  };
}

const endpointOf = ({ name, address }: typeof good | typeof hostile): EndpointSpec => ({
  address,
  name,
  expects: [{ name, labels: labelsFromRecord({ cluster: name }) }],
});

/** A querier that listens and has asked its endpoints once; its StoreAPI is 100 ports above. */
export async function startAt(
  httpAddress: string,
  endpoints: QuerierOptions["endpoints"],
  ports: TestPorts,
  queryMode: QueryMode,
  limits: Partial<QuerierLimits> = {},
): Promise<string> {
  const grpcAddress = httpAddress.replace(/\d+$/, (port) => String(Number(port) + 100));
  const started = await startQuerier(
    {
      name: `querier at ${httpAddress}`,
      httpAddress,
      grpcAddress,
      endpoints,
      replicaLabels: [],
      queryMode,
      limits: { ...defaultQuerierLimits, storeTimeoutMs, ...limits },
      renderMetrics: () => "",
    },
    ports,
  );
  if (!started.ok) throw new Error(started.failure.message);
  await ports.clock.advance(100);
  return grpcAddress;
}
