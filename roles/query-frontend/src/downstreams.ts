/**
 * The queriers behind the frontend, which are replicas of each other. A question goes to the next healthy one; where that
 * is not reached, dies in the middle or fails, to another. What a querier refuses (4xx) no other is asked.
 */
import { fail, ok, type Result } from "@pleiad/model";
import { HttpError, type HttpAnswer, type Ports } from "@pleiad/ports";
import type { AnswerRoom, HeldBytes } from "./answer-room.ts";

export interface DownstreamOptions {
  readonly urls: readonly string[]; // without a slash at the end
  readonly triesMax: number; // of one question
  readonly answerBytesMax: number;
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
}

export interface DownstreamRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query: string; // without "?"
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string; // of a POST
}

/** An answer, and its bytes as they are counted: whoever asked holds them, and has to let go of them. */
export interface DownstreamAnswer extends HttpAnswer {
  readonly held: HeldBytes;
}

export interface DownstreamFailure {
  /** `no-room`: not for what was asked, but for what is held of other answers. */
  readonly kind: "unreachable" | "timeout" | "too-large" | "no-room" | "canceled";
  readonly message: string;
}

export interface Downstreams {
  /** An answer of any status: one of 5xx only where every querier that could be asked gave one. Never rejects. */
  ask(request: DownstreamRequest, signal: AbortSignal): Promise<Result<DownstreamAnswer, DownstreamFailure>>;
  /** Whether any querier could be asked at the last look, and why not. */
  ready(): { readonly ready: boolean; readonly reason?: string };
  /** Looks at all of them now, and then again and again until `stop`. */
  start(): void;
  stop(): void;
}

interface Downstream {
  readonly url: string;
  /** Undefined = healthy. */
  fault: string | undefined;
}

const pauseMsMin = 50;

export function createDownstreams(
  options: DownstreamOptions,
  room: AnswerRoom,
  { clock, network, observations }: Pick<Ports, "clock" | "network" | "observations">,
): Downstreams {
  const { urls, triesMax, answerBytesMax } = options;
  const downstreams: readonly Downstream[] = urls.map((url) => ({ url, fault: "it was not asked yet" }));
  const retries = observations.counter(
    "pleiad_query_frontend_retries_total",
    "Questions that were asked again, of another querier.",
  );
  const healthy = observations.gauge("pleiad_query_frontend_downstream_up", "Whether the querier answers.", ["url"]);
  const judge = (downstream: Downstream, fault: string | undefined) => {
    if (fault !== undefined && downstream.fault === undefined) {
      observations.log("warn", "a querier does not answer", { url: downstream.url, reason: fault });
    }
    downstream.fault = fault;
    healthy.set(fault === undefined ? 1 : 0, downstream.url);
  };
  let turn = 0;
  /** All of them in the order in which one question tries them. */
  const inOrder = () => {
    const first = turn++ % downstreams.length;
    const rotated = [...downstreams.slice(first), ...downstreams.slice(0, first)];
    return [
      ...rotated.filter(({ fault }) => fault === undefined),
      ...rotated.filter(({ fault }) => fault !== undefined),
    ];
  };
  /** The failure is what was thrown. */
  const fetchOnce = async (
    { url }: Downstream,
    request: DownstreamRequest,
    signal: AbortSignal,
  ): Promise<Result<DownstreamAnswer, DownstreamFailure>> => {
    const { method, path, query, headers, body } = request;
    const target = `${url}${path}${query === "" ? "" : `?${query}`}`;
    const held = room.open();
    let hadRoom = true;
    try {
      const answer = await network.fetchHttp(target, {
        method,
        headers,
        ...(method === "POST" ? { body } : {}),
        signal,
        bodyBytesMax: answerBytesMax,
        admitBytes: (bytes) => (hadRoom &&= held.take(bytes)),
      });
      return ok({ ...answer, held });
    } catch (error) {
      held.release();
      return fail(hadRoom ? failureOf(error, signal) : noRoom(room));
    }
  };
  const probe = async (downstream: Downstream) => {
    try {
      const { status } = await network.fetchHttp(`${downstream.url}/-/ready`, {
        signal: clock.deadline(options.probeTimeoutMs),
        bodyBytesMax: 65_536,
      });
      judge(downstream, status === 200 ? undefined : `it is not ready: status ${status}`);
    } catch (error) {
      judge(downstream, error instanceof Error ? error.message : String(error));
    }
  };
  const stopping = new AbortController();
  const probeAlways = async () => {
    while (!stopping.signal.aborted) {
      await Promise.all(downstreams.map(probe));
      await clock.sleep(options.probeIntervalMs, stopping.signal).catch(() => {});
    }
  };
  return {
    async ask(request, signal) {
      const candidates = inOrder();
      let lastAnswer: DownstreamAnswer | undefined;
      let lastFault = "";
      for (let tries = 0; tries < triesMax; tries++) {
        const downstream = candidates.shift();
        if (downstream === undefined) break;
        if (tries > 0) retries.add(1);
        if (tries >= downstreams.length) {
          // All were tried. Where one has answered, that is the answer; else they get a moment to come back.
          if (lastAnswer !== undefined) break;
          const waited = await pause(pauseMsMin * 2 ** (tries - downstreams.length), signal);
          if (!waited) break;
        }
        const found = await fetchOnce(downstream, request, signal);
        if (found.ok) {
          lastAnswer?.held.release();
          lastAnswer = found.value;
          if (found.value.status < 500) break;
          // It would fail there again: only others are left.
          continue;
        }
        if (found.failure.kind !== "unreachable") {
          lastAnswer?.held.release();
          return found;
        }
        lastFault = found.failure.message;
        judge(downstream, found.failure.message);
        candidates.push(downstream);
      }
      if (lastAnswer !== undefined) return ok(lastAnswer);
      return fail(failureOf(new Error(`no querier answers: ${lastFault}`), signal));
    },
    ready() {
      if (downstreams.some(({ fault }) => fault === undefined)) return { ready: true };
      return { ready: false, reason: downstreams.map(({ url, fault = "" }) => `${url}: ${fault}`).join("; ") };
    },
    start: () => void probeAlways(),
    stop: () => stopping.abort(),
  };

  async function pause(spanMs: number, signal: AbortSignal): Promise<boolean> {
    return await clock.sleep(spanMs, signal).then(
      () => true,
      () => false,
    );
  }
}

/** What there is no room for is refused: to wait for room while holding some is to wait for each other. */
export function noRoom({ bytesMax }: AnswerRoom): DownstreamFailure {
  const message = `answers of ${bytesMax} bytes are held, and there is no room for more: ask again, or for less`;
  return { kind: "no-room", message };
}

function failureOf(error: unknown, signal: AbortSignal): DownstreamFailure {
  const timedOut = (signal.reason as { name?: unknown } | undefined)?.name === "TimeoutError";
  if (signal.aborted) {
    return timedOut
      ? { kind: "timeout", message: "no querier answered in time" }
      : { kind: "canceled", message: "the client went away" };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { kind: error instanceof HttpError && error.kind === "too-large" ? "too-large" : "unreachable", message };
}
