/** An HTTP listener: takes any request whole, answers whole or streaming, and bounds both. */
import { createServer, STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Server as TlsServer } from "node:tls";
import { promisify } from "node:util";
import { constants as zlibConstants, createGzip, gzip } from "node:zlib";
import {
  HttpError,
  type Clock,
  type HttpRequest,
  type HttpResponse,
  type HttpServerOptions,
  type HttpStreamRequest,
  type Listener,
  type Observations,
  type ServerTls,
} from "@pleiad/ports";
import { bindError, formatAddress } from "./address.ts";
import type { HttpLimits } from "./http-limits.ts";
import { listen } from "./listen.ts";
import { serverTlsOptions, watchHandshakes } from "./tls-files.ts";

export interface HttpServerPorts {
  readonly clock: Clock;
  readonly observations: Pick<Observations, "log">;
}

// Timeouts are looked for this often; each listener has a timer for it.
const timeoutCheckMs = 2_000;
const headerBytesMax = 16_384;
/** Others are refused. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]);
const bodilessMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "TRACE"]);
const noBytes = new Uint8Array(0);
// The first level gains most of what there is in metrics and JSON, at a third of the default's time.
const gzipOptions = { level: 1 };

/**
 * Serves every path and method, bodies whole, answers compressed where that helps. HEAD comes to `handle` as GET, and its body stays here. An error that `handle` throws is
 * logged and answered with 500 without a word of it.
 */
export async function serveHttp(
  address: string,
  handle: (request: HttpRequest) => Promise<HttpResponse>,
  ports: HttpServerPorts,
  limits: HttpLimits,
  options?: HttpServerOptions,
): Promise<Listener> {
  return serveRequests(address, { bodies: "whole", handle }, ports, limits, options);
}

/** Serves every path and method, bodies as they come, answers as they are. */
export async function serveHttpStreams(
  address: string,
  handle: (request: HttpStreamRequest) => Promise<HttpResponse>,
  ports: HttpServerPorts,
  limits: HttpLimits,
): Promise<Listener> {
  return serveRequests(address, { bodies: "streamed", handle }, ports, limits);
}

function tlsOptionsAt(address: string, tls: ServerTls) {
  try {
    return serverTlsOptions(tls, "http/1.1");
  } catch (error) {
    throw bindError(address, error);
  }
}

type RequestHandler =
  | { readonly bodies: "whole"; readonly handle: (request: HttpRequest) => Promise<HttpResponse> }
  | { readonly bodies: "streamed"; readonly handle: (request: HttpStreamRequest) => Promise<HttpResponse> };

async function serveRequests(
  address: string,
  handler: RequestHandler,
  ports: HttpServerPorts,
  limits: HttpLimits,
  { tls }: HttpServerOptions = {},
): Promise<Listener> {
  const { clock, observations } = ports;
  const inStreams = handler.bodies === "streamed";
  let closing = false;
  const serverOptions = {
    headersTimeout: limits.headersTimeoutMs,
    // What is long may take long, as long as it moves.
    requestTimeout: inStreams ? 0 : limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: timeoutCheckMs,
    maxHeaderSize: headerBytesMax,
  };
  const answerRequest = async (request: IncomingMessage, raw: ServerResponse): Promise<void> => {
    const method = request.method ?? "";
    if (!methods.has(method)) return sendError(raw, 405, `method ${method} is not allowed`);
    const target = targetOf(request);
    if (target === undefined) return sendError(raw, 400, "malformed path");
    const gone = new AbortController();
    raw.on("close", () => {
      if (!raw.writableFinished) gone.abort(new DOMException("the client has gone", "AbortError"));
      // An answer that had begun before the close could not ask for the end of its connection.
      if (closing) setImmediate(() => server.closeIdleConnections());
    });
    try {
      if (handler.bodies === "whole") {
        const body = hasBody(request) ? await readBody(request, limits.requestBodyBytesMax) : noBytes;
        if (body === "too-large") {
          return sendError(raw, 413, `request body of more than ${limits.requestBodyBytesMax} bytes`);
        }
        if (body === "broken") return void raw.destroy();
        const response = await handler.handle(toRequest(request, target, body, gone.signal));
        if (closing) raw.setHeader("connection", "close");
        await send(request, raw, response, limits);
      } else {
        const response = await handler.handle(toStreamRequest(request, target, gone.signal));
        if (closing || !isRestBounded(request, limits)) raw.setHeader("connection", "close");
        await sendUnchanged(request, raw, response);
      }
    } catch (error) {
      if (gone.signal.aborted) return;
      if (error instanceof HttpError && error.kind === "canceled") {
        raw.destroy();
        return;
      }
      observations.log("error", "an HTTP handler failed", {
        method,
        path: target.path,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      // Half an answer cannot be taken back: cutting the connection is the only way to say that it is not whole.
      if (raw.headersSent) raw.destroy();
      else sendError(raw, 500, "internal error");
    }
  };
  const listener = (request: IncomingMessage, raw: ServerResponse) => void answerRequest(request, raw);
  const server =
    tls === undefined
      ? createServer(serverOptions, listener)
      : createTlsServer({ ...serverOptions, ...tlsOptionsAt(address, tls) }, listener);
  if (tls !== undefined && server instanceof TlsServer) watchHandshakes(server, tls, address, ports);
  server.maxConnections = limits.connectionsMax;
  server.setTimeout(inStreams ? limits.streamIdleTimeoutMs : 0);
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (socket.writable) socket.end(rawError(error.code));
    else socket.destroy();
  });
  const bound = await listen(server, address);
  return {
    address: formatAddress(bound),
    close: async (graceMs) => {
      closing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const stopTimer = clock.after(graceMs, () => server.closeAllConnections());
      await closed;
      stopTimer();
    },
  };
}

type Target = Pick<HttpRequest, "path" | "query">;

/** Path and query of the request line, which may name the whole URL; undefined where the path is no text. */
function targetOf({ url = "/" }: IncomingMessage): Target | undefined {
  const text = url.startsWith("/") ? url : originForm(url);
  const queryAt = text.indexOf("?");
  const path = queryAt < 0 ? text : text.slice(0, queryAt);
  if (path.includes("%") && !isDecodable(path)) return undefined;
  return { path, query: queryAt < 0 ? "" : text.slice(queryAt + 1) };
}

function originForm(url: string): string {
  const rest = /^https?:\/\/[^/?]*(.*)$/i.exec(url)?.[1] ?? url;
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

function toRequest(raw: IncomingMessage, { path, query }: Target, body: Uint8Array, signal: AbortSignal): HttpRequest {
  const method = raw.method === "HEAD" ? "GET" : (raw.method ?? "GET");
  return { method, path, query, headers: headerMap(raw.headers), body, signal };
}

function toStreamRequest(raw: IncomingMessage, { path, query }: Target, signal: AbortSignal): HttpStreamRequest {
  const method = raw.method ?? "GET";
  return { method, path, query, headers: headerMap(raw.headers), body: bodyParts(raw), signal };
}

/** Whether there is a body that means something: that of a GET is thrown away after the answer. */
function hasBody({ method = "GET", headers }: IncomingMessage): boolean {
  if (bodilessMethods.has(method)) return false;
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

async function readBody(raw: IncomingMessage, bytesMax: number): Promise<Uint8Array | "too-large" | "broken"> {
  if (Number(raw.headers["content-length"]) > bytesMax) return "too-large";
  return await new Promise((resolve) => {
    const parts: Buffer[] = [];
    let byteCount = 0;
    raw.on("data", (part: Buffer) => {
      byteCount += part.length;
      if (byteCount <= bytesMax) parts.push(part);
      else resolve("too-large");
    });
    raw.on("end", () => {
      const whole = Buffer.concat(parts);
      resolve(new Uint8Array(whole.buffer, whole.byteOffset, whole.length));
    });
    // Whose client has gone ends without having been read to its end.
    raw.on("error", () => resolve("broken"));
    raw.on("close", () => resolve("broken"));
  });
}

async function* bodyParts(raw: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  let idle = false;
  const onTimeout = () => {
    idle = true;
  };
  raw.socket.once("timeout", onTimeout);
  try {
    // Left open when the reader leaves early: an answer is still to be sent on the connection.
    for await (const part of raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      yield new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    }
  } catch {
    if (idle) throw new HttpError("timeout", "the request's body did not go on in time");
    throw new HttpError("canceled", "the client went away before the end of the request's body");
  } finally {
    raw.socket.off("timeout", onTimeout);
  }
}

/** Whether what was not read of a request is little enough to be read and thrown away after the answer. */
function isRestBounded(raw: IncomingMessage, limits: HttpLimits): boolean {
  if (raw.complete) return true;
  const announced = raw.headers["content-length"];
  return announced !== undefined && Number(announced) <= limits.unreadBodyBytesMax;
}

/** Node's headers as one text a name. */
export function headerMap(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name, typeof value === "string" ? value : value.join(", "));
  }
  return map;
}

async function send(
  request: IncomingMessage,
  raw: ServerResponse,
  { status, headers, body }: HttpResponse,
  limits: HttpLimits,
): Promise<void> {
  if (raw.destroyed) return;
  const isWhole = typeof body === "string" || body instanceof Uint8Array;
  const byteCount = isWhole ? Buffer.byteLength(body) : Infinity;
  const isVaried = isCompressible(headers["content-type"]);
  const compress =
    isVaried &&
    byteCount >= limits.gzipBytesMin &&
    headers["content-encoding"] === undefined &&
    acceptsGzip(request.headers["accept-encoding"]);
  const sent: Record<string, string | number> = { ...headers };
  if (isVaried)
    sent["vary"] = headers["vary"] === undefined ? "Accept-Encoding" : `${headers["vary"]}, Accept-Encoding`;
  if (compress) sent["content-encoding"] = "gzip";
  if (isWhole) {
    const content = compress ? await gzipBytes(typeof body === "string" ? Buffer.from(body) : body, gzipOptions) : body;
    sent["content-length"] = compress ? content.length : byteCount;
    raw.writeHead(status, sent).end(request.method === "HEAD" ? undefined : content);
    return;
  }
  raw.writeHead(status, sent);
  if (request.method === "HEAD") {
    raw.end();
    return;
  }
  if (compress) {
    const parts = Readable.from(body, { objectMode: true, highWaterMark: 1 });
    // Flushed part by part: a stream's reader waits for each.
    await pipeline(parts, createGzip({ ...gzipOptions, flush: zlibConstants.Z_SYNC_FLUSH }), raw);
  } else {
    await writeParts(raw, body[Symbol.asyncIterator]());
  }
}

/** One part is on its way to the client while the next is made. */
const partsUnwrittenMax = 2;

/** Writes what `parts` gives and ends the answer. Each part goes back to its maker, by `next`, once it is written. */
async function writeParts(
  raw: ServerResponse,
  parts: AsyncIterator<Uint8Array, unknown, Uint8Array | undefined>,
): Promise<void> {
  const spent: Uint8Array[] = [];
  let unwritten = 0;
  let wake = () => {};
  const onClose = () => wake();
  raw.once("close", onClose);
  // A failure closes the connection, which is what is looked at.
  raw.on("error", onClose);
  const changed = async () => await new Promise<void>((resolve) => (wake = resolve));
  try {
    for (;;) {
      while (unwritten >= partsUnwrittenMax && !raw.destroyed) await changed();
      if (raw.destroyed) throw new HttpError("canceled", "the client went away before the end of the answer");
      const { done, value } = await parts.next(spent.pop());
      if (done === true) break;
      unwritten++;
      raw.write(value, () => {
        unwritten--;
        spent.push(value);
        wake();
      });
    }
    raw.end(() => wake());
    while (!raw.writableFinished && !raw.destroyed) await changed();
  } finally {
    raw.off("close", onClose);
    raw.off("error", onClose);
    await parts.return?.();
  }
}

async function sendUnchanged(
  request: IncomingMessage,
  raw: ServerResponse,
  { status, headers, body }: HttpResponse,
): Promise<void> {
  if (raw.destroyed) return;
  for (const [name, value] of Object.entries(headers)) raw.setHeader(name, value);
  raw.statusCode = status;
  const whole = typeof body === "string" ? Buffer.from(body) : body instanceof Uint8Array ? body : undefined;
  if (whole !== undefined && !raw.hasHeader("content-length") && status !== 204 && status !== 304) {
    raw.setHeader("content-length", whole.length);
  }
  if (request.method === "HEAD") raw.end();
  else if (whole !== undefined) raw.end(whole);
  else {
    const announced = raw.getHeader("content-length");
    const parts = body as AsyncIterable<Uint8Array>;
    const source = announced === undefined ? parts : ofLength(parts, Number(announced));
    await pipeline(Readable.from(source, { objectMode: true, highWaterMark: 1 }), raw);
  }
}

/** The parts, failing when they are more or less than was said: a client must not wait for a rest that never comes. */
async function* ofLength(parts: AsyncIterable<Uint8Array>, byteCount: number): AsyncGenerator<Uint8Array> {
  let left = byteCount;
  for await (const part of parts) {
    left -= part.length;
    if (left < 0) throw new Error(`an answer of more than the ${byteCount} bytes that it announced`);
    yield part;
  }
  if (left > 0) throw new Error(`an answer of ${left} bytes less than the ${byteCount} that it announced`);
}

const gzipBytes = promisify<Uint8Array, { level: number }, Buffer>(gzip);

function isCompressible(contentType: unknown): boolean {
  return (
    typeof contentType !== "string" || /^(text\/|application\/(?!(octet-stream|gzip|zip)\b))|\bxml\b/.test(contentType)
  );
}

function acceptsGzip(header: unknown): boolean {
  if (typeof header !== "string") return false;
  for (const entry of header.split(",")) {
    const [coding = "", ...parameters] = entry.split(";").map((text) => text.trim().toLowerCase());
    if (coding === "gzip" || coding === "*") return !parameters.some((text) => /^q=0(\.0*)?$/.test(text));
  }
  return false;
}

/** An error in the form that Prometheus's API gives its own. */
function errorBody(status: number, message: string): string {
  const errorType =
    status === 404 ? "not_found" : status === 503 ? "unavailable" : status >= 500 ? "internal" : "bad_data";
  return JSON.stringify({ status: "error", errorType, error: message });
}

function sendError(raw: ServerResponse, status: number, message: string): void {
  if (raw.destroyed || raw.headersSent) return;
  const body = errorBody(status, message);
  // The rest of a request that was refused unread would be taken for the next request.
  raw.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  raw.end(body);
}

/** The answer to what is not HTTP, or comes too slowly. */
function rawError(code: string | undefined): string {
  const [status, message] = (code === undefined ? undefined : clientErrors[code]) ?? [400, "malformed HTTP request"];
  const body = errorBody(status, message);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}

const clientErrors: Readonly<Record<string, readonly [number, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request did not come in time"],
  HPE_HEADER_OVERFLOW: [431, `request headers of more than ${headerBytesMax} bytes`],
};
