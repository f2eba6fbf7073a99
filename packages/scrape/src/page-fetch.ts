/** The HTTP request of a scrape, and which of its answers are pages of metrics. */
import { fail, ok, type Result } from "@pleiad/model";
import { HttpError, type HttpFetchOptions, type Network } from "@pleiad/ports";
import { leavePageRoom, takePageRoom } from "./page-room.ts";

export interface FetchedPage {
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
  /** Ends the page: its bytes are the next one's. */
  release(): void;
}

export interface PageFetchOptions {
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
  /** Whether a page without a Content-Type is taken for the text format, as Prometheus did before version 3. */
  readonly fallbackToText: boolean;
}

export interface PageFetchFailure {
  readonly kind: "unreachable" | "timeout" | "too-large" | "status" | "canceled";
  readonly message: string;
}

const accept = [
  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5",
  "application/openmetrics-text;version=0.0.1;q=0.4",
  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3",
  "text/plain;version=0.0.4;q=0.2",
  "*/*;q=0.1",
].join(",");

/** Fetches one page, the caller's until it releases it; `signal` ends at the time-out or when the loop stops. */
export async function fetchPage(
  network: Network,
  url: string,
  signal: AbortSignal,
  options: PageFetchOptions,
): Promise<Result<FetchedPage, PageFetchFailure>> {
  let room: Uint8Array | undefined;
  const release = () => {
    if (room !== undefined) leavePageRoom(room);
    room = undefined;
  };
  const request: HttpFetchOptions = {
    headers: {
      accept,
      "user-agent": "Pleiad",
      "x-prometheus-scrape-timeout-seconds": String(options.timeoutMs / 1000),
    },
    signal,
    bodyBytesMax: options.bodyBytesMax,
    bodyRoom: (bytes) => (room = takePageRoom(bytes)),
  };
  try {
    const { status, headers, body } = await network.fetchHttp(url, request);
    if (status !== 200) {
      release();
      return fail({ kind: "status", message: `${url}: expected HTTP status 200, found ${status}` });
    }
    const contentType = headers.get("content-type") ?? (options.fallbackToText ? "text/plain" : undefined);
    return ok({ bytes: body, contentType, release });
  } catch (error) {
    return fail(failureOf(error, url, signal, options));
  }
}

function failureOf(error: unknown, url: string, signal: AbortSignal, options: PageFetchOptions): PageFetchFailure {
  const kind = error instanceof HttpError ? error.kind : signal.aborted ? abortKind(signal) : "unreachable";
  switch (kind) {
    case "timeout":
      return { kind, message: `${url}: no answer within ${options.timeoutMs / 1000} s` };
    case "too-large":
      return { kind, message: `${url}: body of more than ${options.bodyBytesMax} bytes` };
    case "canceled":
      return { kind, message: `${url}: canceled` };
    default:
      return { kind: "unreachable", message: error instanceof Error ? error.message : String(error) };
  }
}

function abortKind(signal: AbortSignal): "timeout" | "canceled" {
  const reason: unknown = signal.reason;
  return reason instanceof Error && reason.name === "TimeoutError" ? "timeout" : "canceled";
}
