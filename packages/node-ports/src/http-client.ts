/** HTTP requests of Pleiad: kept connections, one deadline, bounded answers, no redirects. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { createGunzip } from "node:zlib";
import { HttpError, joinBytes, type HttpAnswer, type HttpFetchOptions } from "@pleiad/ports";
import { reasonOf } from "./address.ts";
import type { HttpLimits } from "./http-limits.ts";
import { headerMap } from "./http-server.ts";

export type HttpFetch = (url: string, options: HttpFetchOptions) => Promise<HttpAnswer>;

/** A function that fetches, with a pool of connections of its own. Idle connections keep no process alive. */
export function createHttpFetch(limits: HttpLimits): HttpFetch {
  const agentOptions = {
    keepAlive: true,
    maxSockets: limits.clientConnectionsPerHostMax,
    maxTotalSockets: limits.clientConnectionsMax,
    maxFreeSockets: 2, // per host: a scrape needs one
  };
  const httpAgent = new HttpAgent(agentOptions);
  const httpsAgent = new HttpsAgent(agentOptions);

  return async (url, options) => {
    const target = parseUrl(url);
    const agent = target.protocol === "https:" ? httpsAgent : httpAgent;
    for (let attempt = 1; ; attempt++) {
      const outcome = await fetchOnce(target, agent, options);
      // A kept connection may have been closed by the peer in the moment of its reuse: that says nothing about the peer.
      if (outcome.kind === "stale" && attempt === 1) continue;
      if (outcome.kind === "answer") return outcome.answer;
      throw outcome.error;
    }
  };
}

type Outcome =
  | { readonly kind: "answer"; readonly answer: HttpAnswer }
  | { readonly kind: "failed" | "stale"; readonly error: HttpError };

function parseUrl(url: string): URL {
  const target = URL.parse(url);
  if (target === null || (target.protocol !== "http:" && target.protocol !== "https:")) {
    throw new HttpError("protocol", `${url}: expected an http or https URL`);
  }
  return target;
}

function fetchOnce(target: URL, agent: HttpAgent, options: HttpFetchOptions): Promise<Outcome> {
  const { signal, body } = options;
  const method = options.method ?? "GET";
  const shown = `${target.origin}${target.pathname}`; // a query may hold a secret
  return new Promise((resolve) => {
    const fail = (kind: HttpError["kind"], reason: string) => {
      resolve({ kind: "failed", error: new HttpError(kind, `${shown}: ${reason}`) });
    };
    if (signal.aborted) return fail(...abortKind(signal));
    const start = target.protocol === "https:" ? httpsRequest : httpRequest;
    const request = start(target, {
      method,
      agent,
      headers: {
        "accept-encoding": "gzip",
        ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
        ...options.headers,
      },
    });
    const onAbort = () => {
      fail(...abortKind(signal));
      request.destroy();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    request.on("close", () => signal.removeEventListener("abort", onAbort));
    request.on("error", (error: NodeJS.ErrnoException) => {
      const isProtocol = error.code?.startsWith("HPE_") === true;
      const kind = isProtocol ? "protocol" : "unreachable";
      const reason = isProtocol ? `malformed HTTP answer (${error.message})` : reasonOf(error);
      const isStale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      resolve({
        kind: isStale && method === "GET" ? "stale" : "failed",
        error: new HttpError(kind, `${shown}: ${reason}`),
      });
    });
    request.on("response", (response) => {
      // Who names encodings itself also reads them.
      const asSent = options.headers?.["accept-encoding"] !== undefined;
      readBody(response, options, asSent).then(
        (bytes) => {
          const answer = { status: response.statusCode ?? 0, headers: headerMap(response.headers), body: bytes };
          resolve({ kind: "answer", answer });
        },
        (error: unknown) => {
          request.destroy();
          if (error instanceof HttpError) fail(error.kind, error.message);
          else fail("protocol", `answer broke off: ${reasonOf(error)}`);
        },
      );
    });
    request.end(body);
  });
}

function abortKind(signal: AbortSignal): [HttpError["kind"], string] {
  const reason = signal.reason as { readonly name?: unknown } | undefined;
  return reason?.name === "TimeoutError" ? ["timeout", "no answer in time"] : ["canceled", "canceled"];
}

/** The body, decompressed unless it is wanted as sent, as one array. Rejects with HttpError for what this side decides. */
async function readBody(
  response: IncomingMessage,
  { bodyBytesMax: bytesMax, admitBytes, bodyRoom }: HttpFetchOptions,
  asSent: boolean,
): Promise<Uint8Array> {
  const encoding = asSent ? "identity" : (response.headers["content-encoding"] ?? "identity");
  if (encoding !== "identity" && encoding !== "gzip" && encoding !== "x-gzip") {
    throw new HttpError("protocol", `answer in content encoding ${encoding}, expected gzip or none`);
  }
  const source = encoding === "identity" ? response : response.pipe(createGunzip());
  // A pipe does not pass its source's failure on.
  if (source !== response) response.on("error", (error) => source.destroy(error));
  const parts: Uint8Array[] = [];
  let byteCount = 0;
  try {
    for await (const part of source as AsyncIterable<Uint8Array>) {
      byteCount += part.length;
      if (byteCount > bytesMax) throw new HttpError("too-large", `body of more than ${bytesMax} bytes`);
      if (admitBytes?.(part.length) === false) {
        throw new HttpError("too-large", `no room for more than ${byteCount - part.length} bytes of the body`);
      }
      parts.push(part);
    }
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith("Z_") === true) {
      throw new HttpError("protocol", "body is not valid gzip");
    }
    throw error;
  }
  return joinBytes(parts, bodyRoom);
}
