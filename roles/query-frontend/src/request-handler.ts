/** One request from the client to its answer: who may ask, whose turn it is, in parts or as it came, and how long it took. */
import {
  createProbeApi,
  failureResponse,
  judgeAccess,
  loopbackAccess,
  readForm,
  type HttpHandler,
  type RequestForm,
} from "@pleiad/http-api";
import { fail, type Result } from "@pleiad/model";
import { withDeadline, type HttpRequest, type HttpResponse, type Ports } from "@pleiad/ports";
import type { AnswerRoom, HeldBytes } from "./answer-room.ts";
import {
  noRoom,
  type DownstreamAnswer,
  type DownstreamFailure,
  type DownstreamRequest,
  type Downstreams,
} from "./downstreams.ts";
import { createInFlight } from "./in-flight.ts";
import type { QueryFrontendOptions } from "./query-frontend.ts";
import { createRangeQueries, type Caller } from "./range-queries.ts";
import {
  refusalOf,
  replyOfAnswer,
  replyOfFailed,
  replyOfFailure,
  replyOfRange,
  sending,
  type HeldReply,
  type Reply,
} from "./replies.ts";
import { rangeForm, readRangeRequest, type RangeRequest } from "./range-request.ts";
import type { GuardedCache } from "./results-cache.ts";
import { createTenantQueue } from "./tenant-queue.ts";

export interface HandlerParts {
  readonly downstreams: Downstreams;
  readonly cache: GuardedCache | undefined;
  readonly room: AnswerRoom;
  readonly ready: () => { readonly ready: boolean; readonly reason?: string };
}

const pathPrefix = "/api/v1/";

// What else is posted changes something, which is not for a cache to pass on.
const postedPath =
  /^\/api\/v1\/(?:(?:query|query_range)(?:_explain)?|query_exemplars|series|labels|format_query|parse_query)$/;

// Thanos's buckets.
const durationBuckets = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720];

const form = "application/x-www-form-urlencoded";

/** Never rejects; every failure is a response. */
export function createRequestHandler(
  options: QueryFrontendOptions,
  { downstreams, cache, room, ready }: HandlerParts,
  ports: Pick<Ports, "clock" | "network" | "observations">,
): HttpHandler {
  const { clock } = ports;
  const access = options.access ?? loopbackAccess;
  const queue = createTenantQueue(options.queue);
  const metrics = declareMetrics(ports.observations);
  const probes = createProbeApi(
    {
      ready,
      renderMetrics: () => {
        metrics.queueLength.set(queue.waiting());
        metrics.running.set(queue.running());
        metrics.heldBytes.set(room.heldBytes());
        metrics.waitingForRoom.set(room.waiting());
        return options.renderMetrics();
      },
      access,
    },
    ports,
  );
  const requests = createInFlight<HeldReply>(() => metrics.shared.add(1, "request"));
  const questions = createInFlight<Result<DownstreamAnswer, DownstreamFailure>>(() =>
    metrics.shared.add(1, "question"),
  );
  const ranges = createRangeQueries({ ...options, cache, noRoom: () => noRoom(room) }, askRange, ports);

  return async (request) => {
    if (!request.path.startsWith(pathPrefix)) return await probes(request);
    const startMs = clock.monotonicMs();
    const response = await respond(request);
    const labels = [String(response.status), handlerOf(request.path), request.method === "POST" ? "post" : "get"];
    metrics.requests.add(1, ...labels);
    metrics.durations.observe((clock.monotonicMs() - startMs) / 1000, ...labels);
    return { ...response, headers: { "x-content-type-options": "nosniff", ...response.headers } };
  };

  async function respond(request: HttpRequest): Promise<HttpResponse> {
    const verdict = judgeAccess(request, access);
    if (verdict.kind === "answered") return verdict.response;
    const response = await answerAllowed(request);
    return { ...response, headers: { ...verdict.headers, ...response.headers } };
  }

  async function answerAllowed(request: HttpRequest): Promise<HttpResponse> {
    const methods = postedPath.test(request.path) ? ["GET", "POST"] : ["GET"];
    if (!methods.includes(request.method)) {
      const headers = { "content-type": "text/plain; charset=utf-8", allow: methods.join(", ") };
      return { status: 405, headers, body: "Method Not Allowed\n" };
    }
    const parameters = readForm(request);
    if (!parameters.ok) return failureResponse(parameters.failure);
    const caller = callerOf(request, options);
    const admitted = queue.admit(caller.tenant);
    if (!admitted.ok) {
      metrics.discarded.add(1, admitted.failure.kind);
      return failureResponse(refusalOf(admitted.failure, caller.tenant));
    }
    metrics.queries.add(1, handlerOf(request.path));
    const startMs = clock.monotonicMs();
    try {
      const reply = await requests.share(keyOf(request, parameters.value, caller), request.signal, async (signal) =>
        withDeadline(clock, options.requestTimeoutMs, signal, async (deadline) => {
          let held: HeldBytes;
          try {
            held = await room.begin(deadline);
          } catch {
            return { ...replyOfFailed(endOf(deadline)), held: room.open() };
          }
          letGo(held, signal);
          return { ...(await answer(request, parameters.value, caller, held, deadline)), held };
        }),
      );
      const response = sending(reply, request.signal);
      if (reply.refusal !== undefined) metrics.discarded.add(1, reply.refusal);
      logSlow(request, parameters.value, caller, reply, clock.monotonicMs() - startMs);
      return response;
    } catch (error) {
      if (request.signal.aborted) return failureResponse({ errorType: "canceled", message: "the client went away" });
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      ports.observations.log("error", "a request failed because of a bug", { path: request.path, error: text });
      return failureResponse({ errorType: "internal", message: "internal error: the log has the details" });
    } finally {
      admitted.value();
    }
  }

  async function answer(
    request: HttpRequest,
    parameters: RequestForm,
    caller: Caller,
    held: HeldBytes,
    signal: AbortSignal,
  ): Promise<Reply> {
    if (request.path !== `${pathPrefix}query_range`) return await pass(request, caller, held, signal);
    const range = readRangeRequest(parameters, options);
    if (typeof range === "string") {
      metrics.passed.add(1, range);
      return await pass(request, caller, held, signal);
    }
    const found = await ranges.answer(range, caller, held, signal);
    if (found.ok) return replyOfRange(found.value);
    if (found.failure.kind !== "unreadable") return replyOfFailure(found.failure);
    metrics.passed.add(1, "unreadable");
    ports.observations.log("warn", "an answer could not be put together from parts: the query is asked whole", {
      reason: found.failure.reason,
    });
    held.become(0);
    return await askWhole(range, caller, held, signal);
  }

  /** As it came. */
  async function pass(
    { method, path, query, body, headers }: HttpRequest,
    caller: Caller,
    held: HeldBytes,
    signal: AbortSignal,
  ) {
    const contentType = headers.get("content-type");
    const accept = headers.get("accept");
    const question: DownstreamRequest = {
      method: method === "POST" ? "POST" : "GET",
      path,
      query,
      body,
      headers: {
        ...caller.headers,
        ...(contentType === undefined ? {} : { "content-type": contentType }),
        ...(accept === undefined ? {} : { accept }),
      },
    };
    const found = await inTurn(question, caller, signal);
    if (found.ok) {
      held.share(found.value.held);
      found.value.held.release();
    }
    return replyOfAnswer(found);
  }

  /** In one question, with the steps that an answer in parts would have had. */
  async function askWhole({ parameters, grid }: RangeRequest, caller: Caller, held: HeldBytes, signal: AbortSignal) {
    const found = await askRange(rangeForm(parameters, grid), caller, signal);
    if (found.ok) held.share(found.value.held);
    return replyOfAnswer(found);
  }

  async function askRange(body: string, caller: Caller, signal: AbortSignal) {
    const question: DownstreamRequest = {
      method: "POST",
      path: `${pathPrefix}query_range`,
      query: "",
      body,
      headers: { ...caller.headers, "content-type": form },
    };
    const key = JSON.stringify([body, caller.tenant, caller.headers]);
    try {
      return await questions.share(key, signal, async (shared) => {
        const found = await inTurn(question, caller, shared);
        if (found.ok) letGo(found.value.held, shared);
        return found;
      });
    } catch (error) {
      // Others may still wait for it.
      if (signal.aborted) return fail(endOf(signal));
      throw error;
    }
  }

  async function inTurn(
    question: DownstreamRequest,
    { tenant }: Caller,
    signal: AbortSignal,
  ): Promise<Result<DownstreamAnswer, DownstreamFailure>> {
    const startMs = clock.monotonicMs();
    let leave: () => void;
    try {
      leave = await queue.enter(tenant, signal);
    } catch {
      return fail(endOf(signal));
    }
    metrics.waits.observe((clock.monotonicMs() - startMs) / 1000);
    try {
      return await downstreams.ask(question, signal);
    } finally {
      leave();
    }
  }

  function logSlow(request: HttpRequest, parameters: RequestForm, { tenant }: Caller, reply: Reply, elapsedMs: number) {
    if (options.slowQueryMs <= 0 || elapsedMs <= options.slowQueryMs) return;
    const asked = Object.fromEntries(
      ["query", "start", "end", "step", "time"].flatMap((name) => {
        const text = parameters.first(name);
        return text === "" ? [] : [[name, text]];
      }),
    );
    ports.observations.log("info", "slow query detected", {
      method: request.method,
      path: request.path,
      tenant,
      seconds: elapsedMs / 1000,
      status: reply.response.status,
      ...asked,
      ...reply.details,
    });
  }
}

/** Lets go of what is shared once all who wanted it have taken it, or have gone: then they hold it themselves. */
function letGo(held: HeldBytes, shared: AbortSignal): void {
  if (shared.aborted) held.release();
  else shared.addEventListener("abort", () => held.release(), { once: true });
}

function declareMetrics(observations: Ports["observations"]) {
  const labels = ["code", "handler", "method"];
  return {
    requests: observations.counter("http_requests_total", "Requests over HTTP.", labels),
    durations: observations.histogram(
      "http_request_duration_seconds",
      "Time from a request over HTTP to the start of its answer.",
      durationBuckets,
      labels,
    ),
    queries: observations.counter("thanos_query_frontend_queries_total", "Requests that were let in.", ["op"]),
    passed: observations.counter(
      "pleiad_query_frontend_passed_range_queries_total",
      "Range queries that went downstream whole, by what about them was not to be cut.",
      ["reason"],
    ),
    shared: observations.counter(
      "pleiad_query_frontend_shared_total",
      "Requests, and questions to queriers, that were answered by an equal one under way.",
      ["of"],
    ),
    discarded: observations.counter(
      "pleiad_query_frontend_discarded_requests_total",
      "Requests for which there was no room.",
      ["reason"],
    ),
    queueLength: observations.gauge("pleiad_query_frontend_queue_length", "Questions that wait for their turn."),
    heldBytes: observations.gauge("pleiad_query_frontend_held_bytes", "Bytes of answers that are held."),
    waitingForRoom: observations.gauge(
      "pleiad_query_frontend_waiting_for_room",
      "Queries that wait until fewer answers are held.",
    ),
    running: observations.gauge("pleiad_query_frontend_questions_in_flight", "Questions to queriers."),
    waits: observations.histogram(
      "pleiad_query_frontend_queue_duration_seconds",
      "Time that questions waited for their turn.",
      durationBuckets,
    ),
  };
}

function callerOf({ headers }: HttpRequest, options: QueryFrontendOptions): Caller {
  const { tenantHeaders, defaultTenant, forwardHeaders } = options;
  const names = tenantHeaders.map((name) => name.toLowerCase());
  const tenant = names.map((name) => headers.get(name)).find((value) => value !== undefined && value !== "");
  const forwarded = [...names, ...forwardHeaders.map((name) => name.toLowerCase())].flatMap((name) => {
    const value = headers.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    tenant: tenant ?? defaultTenant,
    headers: Object.fromEntries(forwarded),
    // As in Thanos: a client may ask for an answer that was not kept.
    usesCache: !/\bno-(?:store|cache)\b/.test(headers.get("cache-control") ?? ""),
  };
}

/** What makes two requests one: all that goes downstream, whether in the path, the form or the headers. */
function keyOf({ path, headers }: HttpRequest, parameters: RequestForm, caller: Caller): string {
  const values = parameters.names().map((name) => [name, ...parameters.all(name)]);
  return JSON.stringify([path, headers.get("accept"), caller, values.sort()]);
}

/** The path's last word, where it is one of the API. */
function handlerOf(path: string): string {
  const word = path.slice(pathPrefix.length);
  if (/^label\/[^/]+\/values$/.test(word)) return "label_values";
  return /^(?:query|query_range|query_explain|query_range_explain|query_exemplars|series|labels|stores)$/.test(word)
    ? word
    : "other";
}

function endOf(signal: AbortSignal): DownstreamFailure {
  const timedOut = (signal.reason as { name?: unknown } | undefined)?.name === "TimeoutError";
  return timedOut
    ? { kind: "timeout", message: "no querier answered in time" }
    : { kind: "canceled", message: "the client went away" };
}
