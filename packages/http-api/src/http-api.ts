/**
 * The HTTP API of Prometheus and Thanos as one function from request to response. It opens no socket: a world hands the
 * function to its network.
 */
import type { MonitoringSource } from "@pleiad/model";
import type { HttpRequest, HttpResponse } from "@pleiad/ports";
import type { Engine } from "@pleiad/promql-exec";
import { loopbackAccess, type AccessOptions } from "./access.ts";
import { probeRoutes, type ProbeRoutesOptions } from "./probe-routes.ts";
import { defaultQueryGate } from "./query-gate.ts";
import { queryRoutes } from "./query-routes.ts";
import { createRouter, type RouterPorts } from "./router.ts";
import { seriesRoutes } from "./series-routes.ts";
import { exemplarRoutes } from "./exemplar-routes.ts";
import { monitoringRoutes } from "./monitoring-routes.ts";
import { targetMetadataRoutes } from "./target-metadata.ts";
import type { SelectableSource } from "./store-selection.ts";
import { statusRoutes, type BuildInfo, type StoreListing } from "./status-routes.ts";

export interface HttpApiLimits {
  readonly concurrentQueriesMax: number;
  readonly waitingQueriesMax: number; // more are answered 429
  readonly timeoutMs: number; // of a whole request, waiting for a place included; the engine has its own
  readonly seriesMax: number; // listed by one request to `series`
}

export const defaultHttpApiLimits: HttpApiLimits = {
  concurrentQueriesMax: defaultQueryGate.concurrentMax,
  waitingQueriesMax: defaultQueryGate.waitingMax,
  timeoutMs: 120_000,
  seriesMax: 500_000,
};

export interface HttpApiOptions extends ProbeRoutesOptions, SelectableSource {
  readonly engine: Engine;
  /** Rules, targets, metadata and exemplars; what it lacks is answered with nothing. */
  readonly monitoring?: MonitoringSource;
  readonly stores: () => StoreListing;
  readonly buildInfo: BuildInfo;
  /** Removed from answers unless a request says `dedup=false` or names others. */
  readonly replicaLabels: readonly string[];
  /** Whether a failed store makes an answer partial (with a warning) or makes it fail, where the request is silent. */
  readonly partialResponseDefault: boolean;
  readonly access: AccessOptions;
  readonly limits: HttpApiLimits;
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

/** Never rejects; every failure is a response. */
export function createHttpApi(options: HttpApiOptions, ports: RouterPorts): HttpHandler {
  const { engine, source, sourceOfStores, limits, replicaLabels, monitoring = {} } = options;
  const defaults = { replicaLabels, partialResponse: options.partialResponseDefault };
  const gate = { concurrentMax: limits.concurrentQueriesMax, waitingMax: limits.waitingQueriesMax };
  const routes = [
    ...queryRoutes({ engine, source, sourceOfStores, defaults, gate, timeoutMs: limits.timeoutMs }, ports),
    ...seriesRoutes(
      { source, sourceOfStores, defaults, timeoutMs: limits.timeoutMs, seriesMax: limits.seriesMax },
      ports,
    ),
    ...statusRoutes(options),
    ...monitoringRoutes({ monitoring, defaults, timeoutMs: limits.timeoutMs }, ports),
    ...targetMetadataRoutes(
      { monitoring, source, defaults, timeoutMs: limits.timeoutMs, seriesMax: limits.seriesMax },
      ports,
    ),
    ...exemplarRoutes({ monitoring, defaults, timeoutMs: limits.timeoutMs }, ports),
    ...probeRoutes(options),
  ];
  return createRouter(routes, options.access, ports);
}

/** Health, readiness and metrics alone: for roles that answer no queries over HTTP. */
export function createProbeApi(
  options: ProbeRoutesOptions & { readonly access?: AccessOptions },
  ports: RouterPorts,
): HttpHandler {
  return createRouter(probeRoutes(options), options.access ?? loopbackAccess, ports);
}
