/** For tests: a querier's real HTTP API and engine over series in memory, behind a frontend, all in one process. */
import { createMetricRegistry, observationsOf } from "@pleiad/exposition";
import { createHttpApi, defaultHttpApiLimits, loopbackAccess } from "@pleiad/http-api";
import { memorySource, type MemorySourceOptions, type TestSeries } from "@pleiad/http-api/testing";
import type { HttpRequest, HttpResponse } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { createEngine, defaultEngineOptions } from "@pleiad/promql-exec";
import {
  defaultQueryFrontend,
  startQueryFrontend,
  type QueryFrontend,
  type QueryFrontendOptions,
} from "./query-frontend.ts";

export const querierAddress = "127.0.0.1:33501";
export const otherQuerierAddress = "127.0.0.1:33502";
export const frontendAddress = "127.0.0.1:33500";

export type FrontendWorld = ReturnType<typeof frontendWorld>;

/** Its clock stands at `nowMs`; `series` may be changed between questions. */
export function frontendWorld(nowMs: number) {
  const ports = testPorts({ startMs: nowMs });
  const registry = createMetricRegistry();
  const lines: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];
  const observations = observationsOf(registry, (_level, message, fields) =>
    lines.push({ message, fields: fields ?? {} }),
  );
  const observed = { ...ports, observations };
  const world = {
    clock: ports.clock,
    network: ports.network,
    registry,
    lines,
    ports: observed,
    series: [] as readonly TestSeries[],
    source: {} as MemorySourceOptions,
    /** Every question that reached a querier, as `address path?form`. */
    asked: [] as string[],
    querier,
    serve,
    start,
    ask,
    range,
  };
  return world;

  /** The API over what `series` is at the time of the question. */
  function querier(): (request: HttpRequest) => Promise<HttpResponse> {
    const engine = createEngine(defaultEngineOptions, ports);
    return async (request) => {
      const api = createHttpApi(
        {
          engine,
          source: memorySource(world.series, world.source),
          stores: () => ({ stores: [], missingClusters: [] }),
          buildInfo: { version: "1", revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" },
          replicaLabels: ["replica"],
          partialResponseDefault: true,
          renderMetrics: () => "",
          ready: () => ({ ready: true }),
          access: loopbackAccess,
          limits: defaultHttpApiLimits,
        },
        ports,
      );
      return await api(request);
    };
  }

  /** Probes are answered and not noted. */
  async function serve(
    handle: (request: HttpRequest) => Promise<HttpResponse> = querier(),
    address: string = querierAddress,
  ) {
    await ports.network.serveHttp(address, async (request) => {
      if (request.path === "/-/ready") return { status: 200, headers: {}, body: "" };
      world.asked.push(`${address} ${request.path}?${new TextDecoder().decode(request.body) || request.query}`);
      return await handle(request);
    });
  }

  async function start(options: Partial<QueryFrontendOptions> = {}): Promise<QueryFrontend> {
    const started = await startQueryFrontend(
      {
        ...defaultQueryFrontend,
        name: "frontend",
        httpAddress: frontendAddress,
        downstreamUrls: [`http://${querierAddress}`],
        renderMetrics: () => registry.render(),
        ...options,
      },
      observed,
    );
    if (!started.ok) throw new Error(started.failure.message);
    await ports.clock.advance(0);
    return started.value;
  }

  async function ask(target: string, options: AskOptions = {}) {
    const { address = frontendAddress, headers = {}, signal = new AbortController().signal } = options;
    const answer = await ports.network.fetchHttp(`http://${address}${target}`, { headers, signal, bodyBytesMax: 1e9 });
    return { status: answer.status, headers: answer.headers, text: new TextDecoder().decode(answer.body) };
  }

  async function range(question: RangeQuestion, options: AskOptions = {}) {
    const { startMs, endMs, stepMs, ...others } = question;
    const times = { start: String(startMs / 1000), end: String(endMs / 1000), step: String(stepMs / 1000) };
    return await ask(`/api/v1/query_range?${new URLSearchParams({ ...others, ...times }).toString()}`, options);
  }
}

export interface AskOptions {
  readonly address?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface RangeQuestion {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly stats?: string;
  readonly dedup?: string;
  readonly limit?: string;
}
