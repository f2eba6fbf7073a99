/**
 * The HTTP API of Prometheus in front of one or several queriers. Range queries are cut by day, answered from a cache where
 * that is sure to be right, and put together again; everything else passes. Equal requests are answered once, tenants take
 * turns.
 */
import type { AccessOptions } from "@pleiad/http-api";
import { fail, ok, type Result } from "@pleiad/model";
import type { Listener, Ports, Service } from "@pleiad/ports";
import { createAnswerRoom } from "./answer-room.ts";
import { createDownstreams } from "./downstreams.ts";
import { createRequestHandler } from "./request-handler.ts";
import { defaultGuard, guardCache, shareKeys, type ResultsCache } from "./results-cache.ts";
import { defaultTenantQueue, type TenantQueueOptions } from "./tenant-queue.ts";

export interface QueryFrontendOptions {
  readonly name: string;
  readonly httpAddress: string;
  /** Of queriers that hold the same, each with `http://` and maybe a path. */
  readonly downstreamUrls: readonly string[];
  readonly alignWithStep: boolean;
  readonly splitIntervalMs: number; // 0: queries stay whole, and nothing is kept
  readonly parallelismMax: number; // parts of one query at once
  readonly triesMax: number; // of one question to the queriers
  /** Where answers are kept; without it, none are. Several share the keys among them. Closed by the frontend. */
  readonly cache?: ResultsCache | readonly ResultsCache[];
  readonly cacheTimeoutMs: number; // of one question to it: a slow cache is passed over
  readonly freshnessMsMin: number; // steps that are younger are not kept
  readonly validityMs: number; // of what is kept
  readonly queue: TenantQueueOptions;
  /** Headers that name the tenant, the first that is there; and the tenant of requests without one. */
  readonly tenantHeaders: readonly string[];
  readonly defaultTenant: string;
  readonly forwardHeaders: readonly string[]; // go downstream as they came
  readonly slowQueryMs: number; // a request that takes longer is logged; 0: none is
  readonly requestTimeoutMs: number; // of a whole request, waiting included
  readonly answerBytesMax: number; // of one answer
  /** Of all answers that are held at once; queries wait to begin while there are more than half of it. */
  readonly heldBytesMax: number;
  readonly probeIntervalMs: number; // of looks at the queriers
  readonly access?: AccessOptions;
  /** Own metrics in the text exposition format: those that `ports.observations` collects. */
  readonly renderMetrics: () => string;
}

/** All that has a usual value, the one of Thanos where it has it too. */
export const defaultQueryFrontend: Omit<
  QueryFrontendOptions,
  "name" | "httpAddress" | "downstreamUrls" | "renderMetrics"
> = {
  alignWithStep: true,
  splitIntervalMs: 86_400_000,
  parallelismMax: 14,
  triesMax: 5,
  cacheTimeoutMs: defaultGuard.timeoutMs,
  freshnessMsMin: 60_000,
  validityMs: 86_400_000,
  queue: defaultTenantQueue,
  tenantHeaders: ["THANOS-TENANT", "X-Scope-OrgID"],
  defaultTenant: "default-tenant",
  forwardHeaders: [],
  slowQueryMs: 0,
  requestTimeoutMs: 300_000,
  answerBytesMax: 64 * 1024 * 1024,
  heldBytesMax: 256 * 1024 * 1024,
  probeIntervalMs: 5_000,
};

/** Why a frontend did not start; the message names what to change. */
export interface QueryFrontendFailure {
  readonly kind: "address" | "downstreams";
  readonly message: string;
}

export interface QueryFrontend extends Service {
  readonly httpAddress: string; // as bound
}

export type QueryFrontendPorts = Pick<Ports, "clock" | "network" | "observations">;

const downstreamsMax = 100;
/** Resolves when it listens; it is ready when a querier answers. */
export async function startQueryFrontend(
  options: QueryFrontendOptions,
  ports: QueryFrontendPorts,
): Promise<Result<QueryFrontend, QueryFrontendFailure>> {
  const { name, downstreamUrls } = options;
  const fault = faultOfDownstreams(downstreamUrls);
  if (fault !== undefined) return fail({ kind: "downstreams", message: `${name}: ${fault}` });
  const room = createAnswerRoom({ bytesMax: options.heldBytesMax });
  const downstreams = createDownstreams(
    {
      urls: downstreamUrls.map((url) => url.replace(/\/+$/, "")),
      triesMax: options.triesMax,
      answerBytesMax: options.answerBytesMax,
      probeIntervalMs: options.probeIntervalMs,
      probeTimeoutMs: options.probeIntervalMs,
    },
    room,
    ports,
  );
  const guard = { ...defaultGuard, name: "query-range", timeoutMs: options.cacheTimeoutMs };
  const caches = options.cache === undefined ? [] : [options.cache].flat();
  const guarded = caches.map((cache) => guardCache(cache, guard, ports));
  const cache = guarded.length > 1 ? shareKeys(guarded) : guarded[0];
  let stopping = false;
  const ready = () => (stopping ? { ready: false, reason: "stopping" } : downstreams.ready());
  const handle = createRequestHandler(options, { downstreams, cache, room, ready }, ports);
  let listener: Listener;
  try {
    listener = await ports.network.serveHttp(options.httpAddress, handle);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail({ kind: "address", message: `${name} cannot listen: ${reason}` });
  }
  downstreams.start();
  ports.observations.log("info", "the query frontend listens", { name, http: listener.address });
  return ok({
    name,
    httpAddress: listener.address,
    ready,
    async stop(graceMs) {
      stopping = true;
      await listener.close(graceMs);
      downstreams.stop();
      await cache?.close();
    },
  });
}

function faultOfDownstreams(urls: readonly string[]): string | undefined {
  if (urls.length === 0) return "there is no downstream URL";
  if (urls.length > downstreamsMax) return `${urls.length} downstream URLs, at most ${downstreamsMax} are allowed`;
  for (const url of urls) {
    const { protocol = "", search = "", hash = "" } = URL.parse(url) ?? {};
    if (protocol !== "http:" && protocol !== "https:") return `${JSON.stringify(url)} is no http or https URL`;
    if (search !== "" || hash !== "") return `${JSON.stringify(url)} has more than a path`;
  }
  return undefined;
}
