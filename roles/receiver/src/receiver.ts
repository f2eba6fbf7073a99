/** Takes remote write of many tenants, keeps each in a data folder of its own, serves all over StoreAPI, and ships them. */
import { createSharedCache, mergeSources } from "@pleiad/blocks";
import { createProbeApi, createQueryGate, loopbackAccess, type AccessOptions } from "@pleiad/http-api";
import { cursorOf, fail, ok, type Labels, type MonitoringSource, type Result, type SeriesSource } from "@pleiad/model";
import {
  sleepUnlessAborted,
  FileError,
  type Bucket,
  type HttpRequest,
  type HttpResponse,
  type Listener,
  type Ports,
  type ServerTls,
  type Service,
} from "@pleiad/ports";
import { selectorReader } from "@pleiad/promql-syntax";
import { createWriteTables, defaultWriteReceiver, refusalAnswer, type WriteReceiverOptions } from "@pleiad/remote";
import {
  defaultStoreHandlers,
  heldExemplars,
  listenForStore,
  monitoringHandlers,
  storeHandlers,
  type StoreIdentity,
} from "@pleiad/storeapi";
import { TenantSet } from "./tenant-set.ts";
import { parseTenants, type TenantRules } from "./tenants-file.ts";

export interface ReceiverOptions {
  readonly name: string;
  /** Holds a folder a tenant; absolute, for this receiver alone. */
  readonly directory: string;
  readonly remoteWriteAddress: string;
  /** Of remote write and of StoreAPI; by default plain text. */
  readonly remoteWriteTls?: ServerTls | undefined;
  readonly grpcTls?: ServerTls | undefined;
  readonly grpcAddress: string; // of StoreAPI
  readonly httpAddress: string; // of probes and own metrics
  /** On the series of all tenants: what tells this receiver from its replica. */
  readonly labels: Labels;
  /** The header that names the tenant, in any case; and the tenant of requests without it. */
  readonly tenantHeader: string;
  readonly defaultTenant: string;
  /** The label with the tenant's name, of tenants to which the file gives no labels. */
  readonly tenantLabelName: string;
  /** Labels and limits of tenants, read anew every `tenantsIntervalMs`. Without it all have the usual ones. */
  readonly tenantsFile?: string;
  readonly tenantsIntervalMs: number;
  readonly tenantsMax: number;
  /** Requests of all tenants at once, those that wait included; over it, 503. */
  readonly requestsMax: number;
  /** Of blocks. Where there is object storage, none goes before it is there. */
  readonly retentionMs: number;
  readonly objectStorage?: Bucket;
  readonly outOfOrderWindowMs: number;
  readonly futureMaxMs: number;
  readonly write: WriteReceiverOptions;
  readonly blockCacheBytesMax: number;
  /** Own metrics in the text exposition format: those that `ports.observations` collects. */
  readonly renderMetrics: () => string;
  readonly access?: AccessOptions;
}

/** All that has a usual value, the one of Thanos where it has it too. */
export const defaultReceiver: Omit<
  ReceiverOptions,
  "name" | "directory" | "remoteWriteAddress" | "grpcAddress" | "httpAddress" | "labels" | "renderMetrics"
> = {
  tenantHeader: "THANOS-TENANT",
  defaultTenant: "default-tenant",
  tenantLabelName: "tenant_id",
  tenantsIntervalMs: 15_000,
  tenantsMax: 1000,
  requestsMax: 1024,
  retentionMs: 15 * 86_400_000,
  outOfOrderWindowMs: 0,
  futureMaxMs: 600_000,
  write: defaultWriteReceiver,
  blockCacheBytesMax: 64 * 1024 * 1024,
};

/** Why a receiver did not start; the message names the folder, the file or the address. */
export interface ReceiverFailure {
  readonly kind: "folder" | "tenants" | "listen";
  readonly message: string;
}

export interface Receiver extends Service {
  readonly remoteWriteAddress: string; // as bound
  readonly grpcAddress: string;
  readonly httpAddress: string;
}

/** Texts of labels that are kept so that equal ones are one: those of about a million series. */
const internedTextsMax = 1 << 20;

/** Thanos's path, and Prometheus's. */
const writePaths: ReadonlySet<string> = new Set(["/api/v1/receive", "/api/v1/write"]);

/** Reads the file of tenants, opens their folders, serves StoreAPI, takes requests, in this order. */
export async function startReceiver(
  options: ReceiverOptions,
  ports: Ports,
): Promise<Result<Receiver, ReceiverFailure>> {
  const { name, tenantsFile } = options;
  const tenants = new TenantSet({ ...options, storage: storageOf(options) }, ports);
  const rules = tenantsFile === undefined ? undefined : await readRules(tenantsFile, ports);
  if (rules?.ok === false) return fail({ kind: "tenants", message: rules.failure });
  if (rules !== undefined) await tenants.setRules(rules.value.rules);
  const opened = await tenants.openAll().catch((error: unknown) => {
    if (!(error instanceof FileError)) throw error;
    return fail(error.message);
  });
  if (!opened.ok) {
    await tenants.close();
    return fail({ kind: "folder", message: opened.failure });
  }
  const stopping = new AbortController();
  const ready = () => readiness(tenants, stopping.signal);
  const store = await listenForStore(ports, {
    name,
    grpcAddress: options.grpcAddress,
    httpAddress: options.httpAddress,
    tls: options.grpcTls,
    handlers: new Map([
      ...storeHandlers(unionOf(tenants), () => identityOf(tenants), defaultStoreHandlers),
      ...monitoringHandlers(monitoringOf(tenants), () => true, selectorReader),
    ]),
    handleHttp: createProbeApi(
      { ready, renderMetrics: options.renderMetrics, access: options.access ?? loopbackAccess },
      ports,
    ),
  });
  if (!store.ok) {
    await tenants.close();
    return fail({ kind: "listen", message: store.failure });
  }
  const handle = handleWrites(tenants, options, ports);
  let writes: Listener;
  try {
    const { remoteWriteTls: tls } = options;
    writes = await ports.network.serveHttp(options.remoteWriteAddress, handle, tls === undefined ? {} : { tls });
  } catch (error) {
    await store.value.close(0);
    await tenants.close();
    const reason = error instanceof Error ? error.message : String(error);
    return fail({ kind: "listen", message: `${name} cannot listen for remote write: ${reason}` });
  }
  const following =
    tenantsFile === undefined || rules === undefined
      ? undefined
      : followRules(tenantsFile, rules.value.text, options.tenantsIntervalMs, tenants, ports, stopping.signal);
  ports.observations.log("info", "The receiver listens.", {
    name,
    remoteWrite: writes.address,
    grpc: store.value.rpc.address,
    http: store.value.http.address,
    tenants: tenants.all.length,
  });
  return ok({
    name,
    remoteWriteAddress: writes.address,
    grpcAddress: store.value.rpc.address,
    httpAddress: store.value.http.address,
    ready,
    async stop(graceMs) {
      stopping.abort();
      await writes.close(graceMs);
      await Promise.all([store.value.close(graceMs), following]);
      await tenants.close();
    },
  });
}

function storageOf(options: ReceiverOptions) {
  const texts = new Map<string, string>();
  return {
    ...options,
    objectStorage: options.objectStorage,
    blockCache: createSharedCache(options.blockCacheBytesMax),
    tables: createWriteTables(options.write),
    intern: (text: string) => {
      const held = texts.get(text);
      if (texts.size >= internedTextsMax) texts.clear();
      if (held === undefined) texts.set(text, text);
      return held ?? text;
    },
  };
}

function readiness(tenants: TenantSet, stopping: AbortSignal): { readonly ready: boolean; readonly reason?: string } {
  if (stopping.aborted) return { ready: false, reason: "stopping" };
  const fault = tenants.all.map((tenant) => tenant.fault()).find((one) => one !== undefined);
  return fault === undefined ? { ready: true } : { ready: false, reason: `takes no samples: ${fault}` };
}

function handleWrites(
  tenants: TenantSet,
  options: ReceiverOptions,
  { observations }: Pick<Ports, "observations">,
): (request: HttpRequest) => Promise<HttpResponse> {
  const { requestsMax, defaultTenant } = options;
  const tenantHeader = options.tenantHeader.toLowerCase();
  const gate = createQueryGate({ concurrentMax: requestsMax, waitingMax: 0 });
  const answers = observations.counter("http_requests_total", "Requests answered.", ["code", "handler", "method"]);

  async function answer(request: HttpRequest): Promise<HttpResponse> {
    if (!writePaths.has(request.path)) return refusalAnswer({ status: 404, reason: `nothing at ${request.path}` });
    const place = gate.tryEnter();
    if (place === undefined) return refusalAnswer({ status: 503, reason: `more than ${requestsMax} requests at once` });
    try {
      const tenant = await tenants.tenantOf(request.headers.get(tenantHeader) ?? defaultTenant);
      return tenant.ok ? await tenant.value.write(request) : refusalAnswer(tenant.failure);
    } finally {
      place();
    }
  }

  return async (request) => {
    const answered = await answer(request);
    answers.add(1, String(answered.status), "receive", request.method.toLowerCase());
    return answered;
  };
}

/** All tenants as one source. One that is being opened anew is a gap, and said to be one. */
function unionOf(tenants: TenantSet): SeriesSource {
  const now = () => mergeSources(tenants.all.map(({ tsdb }) => tsdb));
  const isEmpty = () => tenants.all.length === 0;
  const nothing = ok({ values: [], warnings: [] });
  return {
    select: (request, signal) => (isEmpty() ? cursorOf([]) : now().select(request, signal)),
    labelNames: async (request, signal) => (isEmpty() ? nothing : await now().labelNames(request, signal)),
    labelValues: async (label, request, signal) =>
      isEmpty() ? nothing : await now().labelValues(label, request, signal),
  };
}

/** A database a tenant, each from its first sample to the end of time. */
function identityOf(tenants: TenantSet): StoreIdentity {
  const maxTimeMs = Number.MAX_SAFE_INTEGER;
  const tsdbInfos = tenants.all.map(({ options, tsdb }) => {
    const firstMs = tsdb.statistics().minTimeMs;
    return { labels: options.labels, minTimeMs: Number.isNaN(firstMs) ? maxTimeMs : firstMs, maxTimeMs };
  });
  const minTimeMs = Math.min(maxTimeMs, ...tsdbInfos.map((one) => one.minTimeMs));
  return {
    componentType: "receive",
    labelSets: tsdbInfos.map(({ labels }) => labels),
    minTimeMs,
    maxTimeMs,
    tsdbInfos,
    serves: ["exemplars"],
  };
}

/** As in Thanos, of what tenants wrote beside samples: exemplars, each under its tenant's labels. */
function monitoringOf(tenants: TenantSet): MonitoringSource {
  return {
    exemplars: async (request) =>
      heldExemplars(
        tenants.all.map(({ tsdb }) => tsdb.head),
        request,
      ),
  };
}

interface ReadRules {
  readonly text: string;
  readonly rules: TenantRules;
}

async function readRules(path: string, { files }: Pick<Ports, "files">): Promise<Result<ReadRules, string>> {
  try {
    const text = new TextDecoder().decode(await files.readFile(path));
    const rules = parseTenants(text);
    return rules.ok ? ok({ text, rules: rules.value }) : fail(`${path}: ${rules.failure.join("; ")}`);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return fail(error.message);
  }
}

/** Looks again and again at the file. One that has become wrong changes nothing, and a metric says so. */
async function followRules(
  path: string,
  firstText: string,
  intervalMs: number,
  tenants: TenantSet,
  ports: Ports,
  signal: AbortSignal,
): Promise<void> {
  const { clock, observations } = ports;
  const isGood = observations.gauge(
    "pleiad_receiver_tenants_last_reload_successful",
    "1 where the file of tenants is what the receiver goes by.",
  );
  isGood.set(1);
  let text = firstText;
  let lastFailure: string | undefined;
  while (await sleepUnlessAborted(clock, intervalMs, signal)) {
    const read = await readRules(path, ports);
    isGood.set(read.ok ? 1 : 0);
    if (!read.ok) {
      if (read.failure !== lastFailure) {
        observations.log("error", "The file of tenants is no use; what it said before holds.", {
          reason: read.failure,
        });
      }
      lastFailure = read.failure;
      continue;
    }
    lastFailure = undefined;
    if (read.value.text === text) continue;
    if (await tenants.setRules(read.value.rules)) ({ text } = read.value);
  }
}
