/**
 * `node bench/hierarchy/reference-tier-job.ts OPTIONS`: a process of the reference hierarchy, either the clusters of one region or one
 * querier. It says where it listens, and lives until it is ended.
 */
import { mergeSources } from "@pleiad/blocks";
import { createNodePorts } from "@pleiad/node-ports";
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import {
  labelsFromRecord,
  type LabelsRequest,
  type Matcher,
  type SelectRequest,
  type SeriesSource,
} from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import { createEngine, defaultEngineOptions, engineEvaluators } from "@pleiad/promql-exec";
import { defaultQuerierLimits, startQuerier, type QueryMode } from "@pleiad/role-querier";
import {
  defaultQueryHandlers,
  queryHandlers,
  storeHandlers,
  type EndpointSpec,
  type StoreIdentity,
} from "@pleiad/storeapi";
import { defaultTsdbView, viewTsdb } from "@pleiad/tsdb";

export interface ServedCluster {
  readonly name: string;
  readonly externalLabels: Readonly<Record<string, string>>;
}

export interface ClustersOrder {
  readonly kind: "clusters";
  /** Data folders, each with the clusters whose series are in it. */
  readonly folders: readonly { readonly directory: string; readonly clusters: readonly ServedCluster[] }[];
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

/** An endpoint as it passes between processes: expected clusters with labels as records. */
export interface OrderedEndpoint {
  readonly address: string;
  readonly name: string;
  readonly expects: readonly ServedCluster[];
}

export interface QuerierOrder {
  readonly kind: "querier";
  readonly name: string;
  readonly queryMode: QueryMode;
  readonly endpoints: readonly OrderedEndpoint[];
  readonly storeTimeoutMs: number;
}

/** Of clusters: the address of each, in order. Of a querier: that of StoreAPI and that of HTTP. */
export interface TierListens {
  readonly addresses: readonly string[];
}

const address = "127.0.0.1:0";
const [evaluationsMax, evaluationsWaitingMax] = [4, 10_000]; // as a process of the twin's clusters has them
const cacheBytesMax = 48 * 2 ** 20;

const order = JSON.parse(process.argv[2] ?? "{}") as ClustersOrder | QuerierOrder;
const registry = createMetricRegistry();
const ports = createNodePorts({ observations: observationsOf(registry, () => {}) });
const addresses = order.kind === "clusters" ? await serveClusters(order, ports) : await serveQuerier(order, ports);
process.send?.({ addresses } satisfies TierListens);

async function serveClusters(order: ClustersOrder, ports: Ports): Promise<readonly string[]> {
  const { clock, observations } = ports;
  const engineOptions = { ...defaultEngineOptions, concurrencyMax: evaluationsMax, waitingMax: evaluationsWaitingMax };
  const engine = createEngine(engineOptions, { clock, observations });
  const { minTimeMs, maxTimeMs } = order;
  const evaluators = engineEvaluators(engine, defaultEngineOptions, mergeSources);
  const texts = new Map<string, string>();
  const intern = (text: string) => {
    const held = texts.get(text);
    if (held === undefined) texts.set(text, text);
    return held ?? text;
  };
  const listening: string[] = [];
  for (const { directory, clusters } of order.folders) {
    const cacheBytesMaxPerBlock = cacheBytesMax / order.folders.length;
    const view = await viewTsdb(directory, { ...defaultTsdbView, intern, cacheBytesMaxPerBlock }, ports);
    if (!view.ok) throw new Error(`${directory}: ${view.failure.kind}`);
    for (const { name, externalLabels } of clusters) {
      const source = seriesOfCluster(view.value, name);
      const labels = labelsFromRecord(externalLabels);
      const identity: StoreIdentity = {
        componentType: "sidecar",
        labelSets: [labels],
        minTimeMs,
        maxTimeMs,
        tsdbInfos: [{ labels, minTimeMs, maxTimeMs }],
        query: "exact",
      };
      const evaluator = evaluators.add(source, labels, name);
      const handlers = new Map([
        ...storeHandlers(source, () => identity),
        ...queryHandlers(evaluator, () => true, defaultQueryHandlers, clock, evaluators),
      ]);
      listening.push((await ports.network.serveRpc(address, handlers)).address);
    }
  }
  return listening;
}

/** What a folder of several clusters has of one. */
function seriesOfCluster(source: SeriesSource, cluster: string): SeriesSource {
  const own: Matcher = { type: "=", name: "cluster", value: cluster };
  const narrowed = <R extends SelectRequest | LabelsRequest>(request: R): R => ({
    ...request,
    matchers: [own, ...request.matchers],
  });
  return {
    select: (request, signal) => source.select(narrowed(request), signal),
    labelNames: (request, signal) => source.labelNames(narrowed(request), signal),
    labelValues: (label, request, signal) => source.labelValues(label, narrowed(request), signal),
  };
}

async function serveQuerier(order: QuerierOrder, ports: Ports): Promise<readonly string[]> {
  const endpoints = order.endpoints.map(({ address, name, expects }): EndpointSpec => ({
    address,
    name,
    expects: expects.map(({ name, externalLabels }) => ({ name, labels: labelsFromRecord(externalLabels) })),
  }));
  const { name, queryMode, storeTimeoutMs } = order;
  const started = await startQuerier(
    {
      ...{ name, queryMode, endpoints, httpAddress: address, grpcAddress: address },
      replicaLabels: [], // one replica, whose label Prometheus's answers have too
      renderMetrics: () => registry.render(),
      limits: { ...defaultQuerierLimits, storeTimeoutMs },
      warmsUp: true, // as the command of a querier does
    },
    ports,
  );
  if (!started.ok) throw new Error(started.failure.message);
  const untilMs = ports.clock.wallMs() + 30_000;
  while (!started.value.ready().ready) {
    if (ports.clock.wallMs() > untilMs) throw new Error(`${name} is not ready`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await started.value.warmedUp();
  return [started.value.grpcAddress, started.value.httpAddress];
}
