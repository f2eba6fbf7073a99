/** The first seconds of a querier: its code is run before anybody asks. */
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { createHttpApi, defaultWarmUp, warmUp, warmUpSource, type HttpApiOptions } from "@pleiad/http-api";
import { labelsFromRecord, type EvaluatingSource, type SeriesSource } from "@pleiad/model";
import type { Listener, Ports } from "@pleiad/ports";
import { createEngine, defaultEngineOptions, engineEvaluator, type EngineOptions } from "@pleiad/promql-exec";
import {
  createFanout,
  defaultFanout,
  defaultQueryHandlers,
  queryHandlers,
  storeHandlers,
  type EndpointSpec,
  type StoreIdentity,
} from "@pleiad/storeapi";

export interface WarmUpOptions {
  readonly engine: EngineOptions;
  /** What its engine reads of the endpoints. */
  readonly evaluated: (stores: EvaluatingSource) => SeriesSource;
}

/** As many as make the questions to endpoints the most of the work, as they are later. */
const endpointCount = 8;

/**
 * Asks an API like the querier's, over endpoints of its own with a made-up series each: no store is asked, and what is counted is
 * counted nowhere. Gives how many questions were answered.
 */
export async function warmUpQuerier(
  api: Omit<HttpApiOptions, "engine" | "source" | "sourceOfStores" | "monitoring">,
  options: WarmUpOptions,
  ports: Pick<Ports, "clock" | "network">,
  signal: AbortSignal,
): Promise<number> {
  const unread = { ...ports, observations: observationsOf(createMetricRegistry(), () => {}) };
  const engine = createEngine(options.engine, unread);
  // Of its own: a query would wait for its parts in the queue that it is first of.
  const endpointEngine = createEngine(defaultEngineOptions, unread);
  const atMs = ports.clock.wallMs();
  const listeners: Listener[] = [];
  const endpoints: EndpointSpec[] = [];
  for (let i = 0; i < endpointCount; i++) {
    const name = `warm-up-${i}`;
    const source = warmUpSource(atMs, { cluster: name });
    const labels = labelsFromRecord({ cluster: name });
    const times = { minTimeMs: 0, maxTimeMs: atMs };
    const identity: StoreIdentity = {
      ...{ componentType: "sidecar", labelSets: [labels], query: "exact", ...times },
      tsdbInfos: [{ labels, ...times }],
    };
    const evaluator = engineEvaluator(endpointEngine, source, { name, features: defaultEngineOptions.features });
    const listener = await ports.network.serveRpc(
      "127.0.0.1:0",
      new Map([
        ...storeHandlers(source, () => identity),
        ...queryHandlers(evaluator, () => true, defaultQueryHandlers, ports.clock),
      ]),
    );
    listeners.push(listener);
    endpoints.push({ address: listener.address, name, expects: [{ name, labels }] });
  }
  const fanout = createFanout({ ...defaultFanout, name: "warm-up", endpoints }, unread);
  const handle = createHttpApi({ ...api, engine, source: options.evaluated(fanout) }, unread);
  try {
    await fanout.refresh();
    const half = { questionsMax: defaultWarmUp.questionsMax / 2, spanMsMax: defaultWarmUp.spanMsMax / 2, atMs };
    const ofAll = await warmUp(handle, { ...half, selector: "up" }, ports, signal);
    return ofAll + (await warmUp(handle, half, ports, signal));
  } finally {
    await fanout.stop();
    await Promise.all(listeners.map((one) => one.close(0)));
    await Promise.all([engine.close(), endpointEngine.close()]);
  }
}
