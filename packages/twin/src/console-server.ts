/** Serves the console: its built files, the state of the hierarchy, and the query API of a global querier. */
import { readFileSync, readdirSync } from "node:fs";
import { extname, join } from "node:path";
import type { Plan } from "@pleiad/fleet";
import { judgeAccess, loopbackAccess } from "@pleiad/http-api";
import type { Clock, HttpRequest, HttpResponse, Listener, Network } from "@pleiad/ports";
import { askFirst } from "./global-query.ts";
import { gatherConsoleState, type ConsoleHistory, type ConsoleState } from "./console-state.ts";

export interface ConsoleServerOptions {
  readonly address: string;
  readonly plan: Plan;
  readonly apiUrls: readonly string[];
  readonly filesDirectory: string; // of the built console
  renderMetrics(): string;
  /** How far the made-up history is, where there is one. */
  history?(): ConsoleHistory | undefined;
}

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

const stateKeptMs = 2000; // many open pages cost no more than one
const answerBytesMax = 256 << 20;

const json = (status: number, value: unknown): HttpResponse => ({
  status,
  headers: { "content-type": "application/json", "cache-control": "no-store" },
  body: JSON.stringify(value),
});

export async function serveConsole(options: ConsoleServerOptions, network: Network, clock: Clock): Promise<Listener> {
  const files = readFiles(options.filesDirectory);
  let latest: { readonly atMs: number; readonly state: Promise<ConsoleState> } | undefined;

  const state = () => {
    const nowMs = clock.wallMs();
    if (latest === undefined || nowMs - latest.atMs > stateKeptMs) {
      const signal = clock.deadline(15_000);
      const gathered = gatherConsoleState(options.plan, { ...options, nowMs, signal }, network);
      latest = { atMs: nowMs, state: gathered.then((state) => ({ ...state, history: options.history?.() })) };
    }
    return latest.state;
  };

  const handle = async (request: HttpRequest): Promise<HttpResponse> => {
    const verdict = judgeAccess(asSeenByAccess(request), loopbackAccess);
    if (verdict.kind === "answered") return verdict.response;
    if (request.path === "/console/state") return json(200, await state());
    if (request.path === "/console/plan") return json(200, options.plan);
    if (request.path === "/metrics") {
      return { status: 200, headers: { "content-type": "text/plain; version=0.0.4" }, body: options.renderMetrics() };
    }
    if (request.path === "/-/healthy" || request.path === "/-/ready") {
      return { status: 200, headers: { "content-type": "text/plain" }, body: "OK\n" };
    }
    if (request.path.startsWith("/api/v1/")) return await forward(request, options.apiUrls, network);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return {
        status: 405,
        headers: { allow: "GET, HEAD", "content-type": "text/plain" },
        body: "Method Not Allowed\n",
      };
    }
    const file = files.get(request.path === "/" ? "/index.html" : request.path);
    if (file === undefined) return { status: 404, headers: { "content-type": "text/plain" }, body: "Not Found\n" };
    return file;
  };
  return await network.serveHttp(options.address, handle);
}

/** A link on another site may open the page itself, but no foreign page may ask the API as the person who looks at it. */
function asSeenByAccess(request: HttpRequest): HttpRequest {
  if (request.method !== "GET" || request.path !== "/" || request.headers.get("sec-fetch-mode") !== "navigate") {
    return request;
  }
  const headers = new Map(request.headers);
  headers.delete("sec-fetch-site");
  return { ...request, headers };
}

/** The built console is small: it is read once and held. */
function readFiles(directory: string): ReadonlyMap<string, HttpResponse> {
  const files = new Map<string, HttpResponse>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith(".")) continue;
    const path = join(entry.parentPath, entry.name);
    const name = `/${path.slice(directory.length).replaceAll("\\", "/").replace(/^\//, "")}`;
    files.set(name, {
      status: 200,
      headers: {
        "content-type": contentTypes[extname(name)] ?? "application/octet-stream",
        // Names of built assets carry a hash of their content; the page itself does not.
        "cache-control": name.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
        "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
        "x-content-type-options": "nosniff",
      },
      body: new Uint8Array(readFileSync(path)),
    });
  }
  return files;
}

async function forward(request: HttpRequest, apiUrls: readonly string[], network: Network): Promise<HttpResponse> {
  if (request.method !== "GET" && request.method !== "POST") {
    return { status: 405, headers: { allow: "GET, POST", "content-type": "text/plain" }, body: "Method Not Allowed\n" };
  }
  const query = request.query === "" ? "" : `?${request.query}`;
  const options = () => ({
    method: request.method === "POST" ? ("POST" as const) : ("GET" as const),
    headers: { "content-type": request.headers.get("content-type") ?? "application/x-www-form-urlencoded" },
    ...(request.method === "POST" ? { body: request.body } : {}),
    signal: request.signal,
    bodyBytesMax: answerBytesMax,
  });
  const answer = await askFirst(apiUrls, request.path + query, options, network);
  if (typeof answer === "string") return json(503, { status: "error", errorType: "unavailable", error: answer });
  const headers: Record<string, string> = {};
  for (const name of ["content-type", "cache-control", "allow"]) {
    const value = answer.headers.get(name);
    if (value !== undefined) headers[name] = value;
  }
  return { status: answer.status, headers, body: answer.body };
}
