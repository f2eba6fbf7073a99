/** One Prometheus over HTTP: every request has a deadline, a bound on its answer, and a failure that names it. */
import { fail, ok, type Result, type SourceFailure } from "@pleiad/model";
import { HttpError, withDeadline, type HttpAnswer, type HttpFetchOptions, type Ports } from "@pleiad/ports";

export interface PrometheusClientOptions {
  /** Without a slash at its end; may have a path of its own. */
  readonly url: string;
  /** What it is called in warnings. */
  readonly name: string;
  readonly timeoutMs: number;
}

export interface PrometheusClient {
  readonly name: string;
  /** An answer of a status below 300. A path begins with a slash. */
  ask(
    path: string,
    options: Omit<HttpFetchOptions, "signal">,
    signal: AbortSignal,
  ): Promise<Result<HttpAnswer, SourceFailure>>;
}

/** A reason in an answer is shown up to this length. */
const reasonCharactersMax = 300;

export function createPrometheusClient(
  { url, name, timeoutMs }: PrometheusClientOptions,
  { network, clock }: Pick<Ports, "network" | "clock">,
): PrometheusClient {
  async function fetchOnce(path: string, options: Omit<HttpFetchOptions, "signal">, signal: AbortSignal) {
    return await withDeadline(clock, timeoutMs, signal, async (deadline) => {
      return await network.fetchHttp(`${url}${path}`, { ...options, signal: deadline });
    });
  }

  function failureOf(error: unknown, bodyBytesMax: number): SourceFailure {
    if (!(error instanceof HttpError)) throw error;
    switch (error.kind) {
      case "canceled":
        return { kind: "canceled", source: name };
      case "timeout":
        return { kind: "timeout", source: name, afterMs: timeoutMs };
      case "too-large":
        return { kind: "limit", source: name, of: "bytes", max: bodyBytesMax };
      default:
        return { kind: "unavailable", source: name, reason: error.message };
    }
  }

  return {
    name,
    async ask(path, options, signal) {
      for (let attempt = 1; ; attempt++) {
        try {
          const answer = await fetchOnce(path, options, signal);
          return answer.status < 300 ? ok(answer) : fail(refusalOf(answer, name));
        } catch (error) {
          // Questions change nothing. The first one after a restart of Prometheus may find a connection of before it.
          const isWorthAnother = error instanceof HttpError && error.kind === "unreachable" && attempt === 1;
          if (!isWorthAnother) return fail(failureOf(error, options.bodyBytesMax));
        }
      }
    },
  };
}

/** What an answer says of itself: a question that is wrong stays wrong, all else may pass. */
function refusalOf({ status, body }: HttpAnswer, source: string): SourceFailure {
  const text = new TextDecoder().decode(body.subarray(0, 4 * reasonCharactersMax));
  const told = /"error":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text.trim();
  const reason = `HTTP ${status}: ${told.slice(0, reasonCharactersMax)}`;
  return { kind: status === 400 || status === 422 ? "invalid" : "unavailable", source, reason };
}
