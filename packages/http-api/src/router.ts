/** Routes to one function from request to response: who may call, which handler, and what every response has in common. */
import type { Result } from "@pleiad/model";
import type { HttpRequest, HttpResponse, Ports } from "@pleiad/ports";
import { judgeAccess, type AccessOptions } from "./access.ts";
import { failureResponse, successText, type ApiAnswer, type ApiFailure } from "./envelope.ts";
import { readForm, type RequestForm } from "./request-form.ts";
import { bodyOf } from "./response-body.ts";

export type RouterPorts = Pick<Ports, "clock" | "observations">;

export interface RouteRequest {
  readonly form: RequestForm;
  readonly segment: string; // what stood for `*` in the path, decoded; "" where the path has none
  readonly signal: AbortSignal; // aborted when the client goes away
}

export interface Route {
  readonly path: string; // as it is, or with one segment `*`
  readonly methods: readonly ("GET" | "POST")[];
  readonly handler: string; // its name in metrics
  readonly answer:
    | { readonly kind: "api"; answer(request: RouteRequest): Promise<Result<ApiAnswer, ApiFailure>> }
    | { readonly kind: "text"; answer(): { status: number; contentType: string; text: string } };
}

// Thanos's buckets.
const durationBuckets = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720];

/**
 * Never rejects: a bug in a handler becomes a 500 without its text, which goes to the log. The duration in the metrics
 * ends where the body starts to be written.
 */
export function createRouter(
  routes: readonly Route[],
  access: AccessOptions,
  ports: RouterPorts,
): (request: HttpRequest) => Promise<HttpResponse> {
  const { clock, observations } = ports;
  const metricLabels = ["code", "handler", "method"];
  const requests = observations.counter("http_requests_total", "Requests over HTTP.", metricLabels);
  const durations = observations.histogram(
    "http_request_duration_seconds",
    "Time from a request over HTTP to the start of its answer.",
    durationBuckets,
    metricLabels,
  );
  const find = indexRoutes(routes);
  return async (request) => {
    const startMs = clock.monotonicMs();
    const { response, handler } = await respond(request, find, access, ports);
    const method = /^(?:GET|HEAD|OPTIONS|POST|PUT|DELETE)$/.test(request.method)
      ? request.method.toLowerCase()
      : "other";
    const labelValues = [String(response.status), handler, method];
    requests.add(1, ...labelValues);
    durations.observe((clock.monotonicMs() - startMs) / 1000, ...labelValues);
    return { ...response, headers: { "x-content-type-options": "nosniff", ...response.headers } };
  };
}

async function respond(
  request: HttpRequest,
  find: RouteFinder,
  access: AccessOptions,
  ports: RouterPorts,
): Promise<{ readonly response: HttpResponse; readonly handler: string }> {
  const verdict = judgeAccess(request, access);
  if (verdict.kind === "answered") return { response: verdict.response, handler: "access" };
  const found = find(request.path);
  if (found === undefined) {
    const response = failureResponse({ errorType: "not_found", message: "there is nothing at this path" });
    return { response: withHeaders(response, verdict.headers), handler: "unknown" };
  }
  const { route, segment } = found;
  if (!route.methods.some((method) => method === request.method)) {
    const headers = { "content-type": "text/plain; charset=utf-8", allow: route.methods.join(", ") };
    return { response: { status: 405, headers, body: "Method Not Allowed\n" }, handler: route.handler };
  }
  const response = await runRoute(route, segment, request, ports);
  return { response: withHeaders(response, verdict.headers), handler: route.handler };
}

async function runRoute(
  route: Route,
  segment: string,
  request: HttpRequest,
  { clock, observations }: RouterPorts,
): Promise<HttpResponse> {
  try {
    return await answerRoute(route, segment, request, clock);
  } catch (error) {
    if (request.signal.aborted) return failureResponse({ errorType: "canceled", message: "the client went away" });
    const { handler } = route;
    observations.log("error", "a request failed because of a bug", { handler, error: stackOf(error) });
    return failureResponse({ errorType: "internal", message: "internal error: the log has the details" });
  }
}

async function answerRoute(
  { answer }: Route,
  segment: string,
  request: HttpRequest,
  clock: RouterPorts["clock"],
): Promise<HttpResponse> {
  if (answer.kind === "text") {
    const { status, contentType, text } = answer.answer();
    return { status, headers: { "content-type": contentType }, body: text };
  }
  if (!acceptsJson(request.headers.get("accept"))) {
    return failureResponse({ errorType: "not_acceptable", message: "the answer is application/json only" });
  }
  const form = readForm(request);
  if (!form.ok) return failureResponse(form.failure);
  const result = await answer.answer({ form: form.value, segment, signal: request.signal });
  if (!result.ok) return failureResponse(result.failure);
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (result.value.partial) headers["cache-control"] = "no-store";
  return { status: 200, headers, body: bodyOf(successText(result.value), clock) };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

type RouteFinder = (path: string) => { readonly route: Route; readonly segment: string } | undefined;

function indexRoutes(routes: readonly Route[]): RouteFinder {
  const whole = new Map<string, Route>();
  const withSegment: Route[] = [];
  for (const route of routes) {
    if (route.path.includes("*")) withSegment.push(route);
    else whole.set(route.path, route);
  }
  return (path) => {
    const route = whole.get(path);
    return route === undefined ? findBySegment(withSegment, path) : { route, segment: "" };
  };
}

function findBySegment(routes: readonly Route[], path: string): ReturnType<RouteFinder> {
  for (const route of routes) {
    const [head = "", tail = ""] = route.path.split("*");
    if (path.length <= head.length + tail.length || !path.startsWith(head) || !path.endsWith(tail)) continue;
    const segment = path.slice(head.length, path.length - tail.length);
    if (segment.includes("/")) continue;
    try {
      return { route, segment: decodeURIComponent(segment) };
    } catch {
      return undefined;
    }
  }
  return undefined;
}

function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === "") return true;
  return accept.split(",").some((offer) => {
    const [type = "", ...parameters] = offer.split(";").map((part) => part.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
    return !refused && (type === "*/*" || type === "application/*" || type === "application/json");
  });
}

function withHeaders(response: HttpResponse, headers: Readonly<Record<string, string>>): HttpResponse {
  return { ...response, headers: { ...headers, ...response.headers } };
}
