/** What a failure of a source is to the client. */
import { formatSourceFailure, type SourceFailure } from "@pleiad/model";
import type { ApiFailure } from "./envelope.ts";

/** `signal` is that of the request with its deadline. */
export function failureOfSource(failure: SourceFailure, signal: AbortSignal): ApiFailure {
  const message = formatSourceFailure(failure);
  const timedOut = (signal.reason as { name?: unknown } | undefined)?.name === "TimeoutError";
  if (failure.kind === "canceled") return { errorType: timedOut ? "timeout" : "canceled", message };
  return { errorType: failure.kind === "timeout" ? "timeout" : "execution", message };
}
