/**
 * Beside a Prometheus: serves what it has over StoreAPI, and its rules, targets, metadata and exemplars, under its external
 * labels, and takes its blocks to a bucket.
 */
import { createProbeApi, createQueryGate, loopbackAccess, type AccessOptions } from "@pleiad/http-api";
import {
  emptyLabels,
  fail,
  formatLabels,
  formatSourceFailure,
  monitoringServices,
  ok,
  type Labels,
  type Result,
} from "@pleiad/model";
import { FileError, type Bucket, type Ports, type ServerTls, type Service } from "@pleiad/ports";
import {
  createPrometheusApi,
  createPrometheusClient,
  createPrometheusMonitoring,
  createPrometheusSource,
  createReadClient,
  defaultReadClient,
  type PrometheusApi,
  type ReadClient,
  type ReadClientOptions,
} from "@pleiad/remote";
import { selectorReader } from "@pleiad/promql-syntax";
import {
  defaultStoreHandlers,
  listenForStore,
  monitoringHandlers,
  storeHandlers,
  type StoreIdentity,
} from "@pleiad/storeapi";
import { createShipper, defaultShipper } from "@pleiad/tsdb";
import { refusalOf, riskOf, type DataLossOptions } from "./data-loss.ts";
import { askState, watchPrometheus, type PrometheusState, type PrometheusWatch } from "./prometheus-watch.ts";

export interface SidecarOptions {
  readonly name: string;
  readonly prometheusUrl: string;
  /** Prometheus's data folder; its blocks are taken from there. */
  readonly directory: string;
  readonly grpcAddress: string; // of StoreAPI
  /** Of its StoreAPI; by default plain text. */
  readonly grpcTls?: ServerTls | undefined;
  readonly httpAddress: string; // of probes and own metrics
  /** How long a start waits for Prometheus. */
  readonly readyTimeoutMs: number;
  readonly readyIntervalMs: number;
  /** Its configuration and flags are read anew this often, and when it comes back. */
  readonly configIntervalMs: number;
  /** Of one question to it, for series, and for how it is. */
  readonly requestTimeoutMs: number;
  readonly statusTimeoutMs: number;
  readonly read: ReadClientOptions;
  /** Reads of samples at once, which hold their answers in memory; more wait. */
  readonly readsMax: number;
  readonly readsWaitingMax: number;
  /** Of lists of labels, of series, of rules and such. */
  readonly listBytesMax: number;
  /** Samples before this are not served. */
  readonly minTimeMs: number;
  readonly objectStorage?: Bucket;
  readonly uploadsCompacted: boolean;
  readonly ignoresUnequalBlockSize: boolean;
  /** Own metrics in the text exposition format: those that `ports.observations` collects. */
  readonly renderMetrics: () => string;
  readonly access?: AccessOptions;
}

/** All that has a usual value, the one of Thanos where it has it too. */
export const defaultSidecar: Omit<
  SidecarOptions,
  "name" | "prometheusUrl" | "directory" | "grpcAddress" | "httpAddress" | "renderMetrics"
> = {
  readyTimeoutMs: 600_000,
  readyIntervalMs: 5_000,
  configIntervalMs: 30_000,
  requestTimeoutMs: 120_000,
  statusTimeoutMs: 10_000,
  read: defaultReadClient,
  readsMax: 8,
  readsWaitingMax: 128,
  listBytesMax: 64 * 1024 * 1024,
  minTimeMs: -Infinity,
  uploadsCompacted: false,
  ignoresUnequalBlockSize: false,
};

/** Why a sidecar did not start. `refused`: it would lose data, and the message says what to change. */
export interface SidecarFailure {
  readonly kind: "listen" | "unreachable" | "refused" | "folder";
  readonly message: string;
}

export interface Sidecar extends Service {
  readonly grpcAddress: string; // as bound
  readonly httpAddress: string;
}

/**
 * Listens, waits for Prometheus, looks whether all is well with it, then is ready. Aborting the signal ends the wait. On a
 * failure nothing is left open.
 */
export async function startSidecar(
  options: SidecarOptions,
  ports: Ports,
  signal: AbortSignal,
): Promise<Result<Sidecar, SidecarFailure>> {
  const { name, minTimeMs } = options;
  const { observations } = ports;
  const url = options.prometheusUrl.replace(/\/+$/, "");
  const client = createPrometheusClient({ url, name, timeoutMs: options.requestTimeoutMs }, ports);
  const statusClient = createPrometheusClient({ url, name, timeoutMs: options.statusTimeoutMs }, ports);
  const status = createPrometheusApi(statusClient, options.listBytesMax);
  const loss: DataLossOptions = {
    ships: options.objectStorage !== undefined,
    ignoresUnequalBlockSize: options.ignoresUnequalBlockSize || options.uploadsCompacted,
  };
  const stopping = new AbortController();
  let watch: PrometheusWatch | undefined;
  const labels = () => watch?.state.externalLabels ?? emptyLabels;
  const ready = () => readiness(watch, loss, stopping.signal);
  const reader = bounded(createReadClient(client, options.read), options);
  const source = createPrometheusSource(createPrometheusApi(client, options.listBytesMax), reader, {
    name,
    externalLabels: labels,
    minTimeMs,
  });
  const monitoring = createPrometheusMonitoring(client, {
    externalLabels: labels,
    answerBytesMax: options.listBytesMax,
  });
  const store = await listenForStore(ports, {
    name,
    grpcAddress: options.grpcAddress,
    httpAddress: options.httpAddress,
    tls: options.grpcTls,
    handlers: new Map([
      ...storeHandlers(source, () => identityOf(watch?.state, ready().ready, minTimeMs), defaultStoreHandlers),
      ...monitoringHandlers(monitoring, () => ready().ready, selectorReader),
    ]),
    handleHttp: createProbeApi(
      { ready, renderMetrics: options.renderMetrics, access: options.access ?? loopbackAccess },
      ports,
    ),
  });
  if (!store.ok) return fail({ kind: "listen", message: store.failure });

  const first = await acceptedState(status, loss, options, ports, signal);
  if (!first.ok) {
    await store.value.close(0);
    return first;
  }
  const uploads = new Uploads(options, ports);
  const follow = async (state: PrometheusState) => {
    const refused = refusalOf(state, loss);
    const risk = riskOf(state, loss);
    if (refused !== undefined) observations.log("error", "The sidecar stops: it would lose data.", { reason: refused });
    else if (risk !== undefined) observations.log("warn", risk);
    await uploads.follow(refused === undefined ? state.externalLabels : emptyLabels);
  };
  watch = watchPrometheus(
    status,
    first.value,
    { readyIntervalMs: options.readyIntervalMs, stateIntervalMs: options.configIntervalMs, onChange: follow },
    ports,
  );
  await follow(first.value);
  const watching = watch.run(stopping.signal);
  observations.log("info", "The sidecar serves a Prometheus.", {
    name,
    prometheus: options.prometheusUrl,
    version: first.value.version,
    retention: first.value.flags.retention,
    labels: formatLabels(first.value.externalLabels),
    grpc: store.value.rpc.address,
    http: store.value.http.address,
  });
  return ok({
    name,
    grpcAddress: store.value.rpc.address,
    httpAddress: store.value.http.address,
    ready,
    async stop(graceMs) {
      stopping.abort();
      await Promise.all([store.value.close(graceMs), watching, uploads.follow(emptyLabels)]);
    },
  });
}

/** What Prometheus says of itself, once it is there and nothing would be lost beside it. */
async function acceptedState(
  api: PrometheusApi,
  loss: DataLossOptions,
  options: SidecarOptions,
  ports: Ports,
  signal: AbortSignal,
): Promise<Result<PrometheusState, SidecarFailure>> {
  const state = await firstState(api, options, ports, signal);
  if (!state.ok) return state;
  const refusal = refusalOf(state.value, loss);
  if (refusal !== undefined) return fail({ kind: "refused", message: refusal });
  const fault = loss.ships ? await folderFault(options.directory, state.value, ports) : undefined;
  return fault === undefined ? state : fail({ kind: "folder", message: fault });
}

/** Asks until Prometheus tells all, for `readyTimeoutMs` at most. */
async function firstState(
  api: PrometheusApi,
  { readyTimeoutMs, readyIntervalMs, prometheusUrl }: SidecarOptions,
  { clock, observations }: Ports,
  signal: AbortSignal,
): Promise<Result<PrometheusState, SidecarFailure>> {
  const untilMs = clock.monotonicMs() + readyTimeoutMs;
  for (let attempt = 1; ; attempt++) {
    const state = await askState(api, signal);
    if (state.ok) return state;
    const reason = formatSourceFailure(state.failure);
    if (attempt === 1) observations.log("info", "The sidecar waits for Prometheus.", { reason });
    if (signal.aborted) return fail({ kind: "unreachable", message: `${prometheusUrl}: given up` });
    if (clock.monotonicMs() + readyIntervalMs > untilMs) {
      return fail({ kind: "unreachable", message: `not within ${readyTimeoutMs / 1000} s: ${reason}` });
    }
    // Woken early by the signal, which the next round sees.
    await clock.sleep(readyIntervalMs, signal).catch(() => {});
  }
}

/** Why there are no blocks to take from a folder: an empty one would look like a Prometheus that has none. */
async function folderFault(
  directory: string,
  { flags }: PrometheusState,
  { files }: Ports,
): Promise<string | undefined> {
  try {
    if (await files.exists(`${directory}/wal`)) return undefined;
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return error.message;
  }
  return `${directory} is no data folder: it has no wal. Prometheus says that its own is ${flags.storagePath}`;
}

/** Uploads blocks under the labels that Prometheus has now. */
class Uploads {
  readonly #options: SidecarOptions;
  readonly #ports: Ports;
  #running: { readonly stopping: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(options: SidecarOptions, ports: Ports) {
    this.#options = options;
    this.#ports = ports;
  }

  /** Goes on under these labels; without labels not at all. What is broken off is taken up again later. */
  async follow(labels: Labels): Promise<void> {
    this.#running?.stopping.abort();
    await this.#running?.ended;
    this.#running = undefined;
    const { objectStorage, directory, uploadsCompacted } = this.#options;
    if (objectStorage === undefined || labels.length === 0) return;
    const stopping = new AbortController();
    const shipper = createShipper(
      objectStorage,
      { ...defaultShipper, directory, externalLabels: labels, uploadsCompacted },
      this.#ports,
    );
    this.#running = { stopping, ended: shipper.run(stopping.signal) };
  }
}

/** As many reads at once as there is memory for; the others wait in their order. */
function bounded(reader: ReadClient, { name, readsMax, readsWaitingMax }: SidecarOptions): ReadClient {
  const gate = createQueryGate({ concurrentMax: readsMax, waitingMax: readsWaitingMax });
  return {
    async read(query, signal) {
      const place = await gate.enter(signal);
      if (!place.ok) {
        return place.failure.kind === "canceled"
          ? fail({ kind: "canceled", source: name })
          : fail({ kind: "unavailable", source: name, reason: `more than ${readsWaitingMax} questions wait` });
      }
      try {
        return await reader.read(query, signal);
      } finally {
        place.value();
      }
    },
  };
}

function readiness(
  watch: PrometheusWatch | undefined,
  loss: DataLossOptions,
  stopping: AbortSignal,
): { readonly ready: boolean; readonly reason?: string } {
  if (stopping.aborted) return { ready: false, reason: "stopping" };
  if (watch === undefined) return { ready: false, reason: "waiting for Prometheus" };
  if (watch.failure !== undefined) return { ready: false, reason: formatSourceFailure(watch.failure) };
  const refusal = refusalOf(watch.state, loss);
  return refusal === undefined ? { ready: true } : { ready: false, reason: refusal };
}

/** From the oldest sample, as far as Prometheus tells it, to the end of time. */
function identityOf(state: PrometheusState | undefined, isReady: boolean, minTimeMs: number): StoreIdentity {
  const labels = state?.externalLabels ?? emptyLabels;
  const maxTimeMs = Number.MAX_SAFE_INTEGER;
  const fromMs = Math.max(minTimeMs, state?.oldestSampleMs ?? -maxTimeMs, -maxTimeMs);
  const labelSets = labels.length === 0 ? [] : [labels];
  return {
    componentType: "sidecar",
    labelSets,
    minTimeMs: fromMs,
    maxTimeMs,
    tsdbInfos: labelSets.map((one) => ({ labels: one, minTimeMs: fromMs, maxTimeMs })),
    ready: isReady,
    serves: monitoringServices,
  };
}
