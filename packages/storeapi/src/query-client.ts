/** One server of the Query API, of Pleiad or of Thanos: a query's answer as a whole, or none. */
import {
  fail,
  ok,
  type EvaluatedSeries,
  type Evaluation,
  type EvaluationRequest,
  type Result,
  type SourceFailure,
} from "@pleiad/model";
import { childAbort, RpcError, type ChildAbort, type Clock, type RpcClient, type RpcShare } from "@pleiad/ports";
import { decodeQueryResponse, formatWireFailure, type Capabilities } from "@pleiad/wire";
import { exactQuery, wholeSecondsQuery } from "./query-requests.ts";
import { failureOfCall } from "./rpc-failures.ts";
import { createWarningList } from "./warning-list.ts";

export interface QueryClientOptions {
  readonly name: string;
  readonly address: string;
  /** For how long the peer may be silent; one that gives no signs of life may be so for as long as the query may take. */
  readonly silenceMs: number;
  readonly messageBytesMax: number;
  readonly responseBytesMax: number;
  readonly seriesMax: number;
}

export type QueryCallFailure =
  | { readonly kind: "unreachable"; readonly failure: SourceFailure }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "canceled" };

/** Asks for one evaluation, in the way that the peer announced. Never rejects. */
export async function callQuery(
  rpc: RpcClient,
  request: EvaluationRequest,
  dialect: Exclude<Capabilities["query"], "none">,
  signal: AbortSignal,
  options: QueryClientOptions,
  clock: Clock,
  received: (bytes: number) => void,
): Promise<Result<Evaluation, QueryCallFailure>> {
  const encoded = dialect === "exact" ? ok(exactQuery(request)) : wholeSecondsQuery(request);
  if (!encoded.ok) return fail({ kind: "refused", reason: encoded.failure });
  const { name: source, address, silenceMs, messageBytesMax } = options;
  const { timeoutMs } = request;
  const patienceMs = dialect === "exact" ? silenceMs : timeoutMs;
  const call = childAbort(signal);
  const answer = createAnswer(request, options);
  const callOptions = { signal: call.signal, timeoutMs, messageBytesMax };
  const silence = watchSilence(call, signal, patienceMs, clock);
  try {
    for await (const messages of rpc.stream(encoded.value.method, encoded.value.bytes, callOptions)) {
      silence.stop();
      for (const message of messages) {
        received(message.length);
        const refusal = answer.take(message);
        if (refusal !== undefined) return fail({ kind: "refused", reason: refusal });
      }
      silence.wait();
    }
  } catch (error) {
    if (signal.aborted) return fail({ kind: "canceled" });
    if (silence.isTooLong())
      return fail({ kind: "unreachable", failure: { kind: "timeout", source, afterMs: patienceMs } });
    return fail(failureOfAnswer(error, source, signal, timeoutMs));
  } finally {
    silence.stop();
    call.end();
  }
  return ok({ ...answer.evaluation(), answeredBy: `${source} (${address})` });
}

function failureOfAnswer(error: unknown, source: string, signal: AbortSignal, timeoutMs: number): QueryCallFailure {
  // Whoever answers at all can be asked for series instead.
  if (error instanceof RpcError && !unreachableCodes.has(error.code)) return { kind: "refused", reason: error.message };
  return { kind: "unreachable", failure: failureOfCall(error, { source, signal, timeoutMs }) };
}

/** One of several servers that are listeners of one process. */
export interface SharedCall {
  readonly process: string; // the same for those that one call can reach
  readonly listener: string;
  readonly stream: NonNullable<RpcClient["streamEach"]>;
  readonly options: Omit<QueryClientOptions, "silenceMs">;
  received(bytes: number): void;
  /** Is told of the outcome, once. */
  ended(result: Result<Evaluation, QueryCallFailure>): void;
}

/**
 * Asks all for one evaluation each by one call to the first: what each answers, in their order, and undefined for those of whom it
 * told nothing. They give signs of life as in `callQuery`, of "exact". Never rejects.
 */
export async function callQueryOfEach(
  calls: readonly SharedCall[],
  request: EvaluationRequest,
  signal: AbortSignal,
  silenceMs: number,
  clock: Clock,
): Promise<readonly (Result<Evaluation, QueryCallFailure> | undefined)[]> {
  const [first] = calls;
  const results: (Result<Evaluation, QueryCallFailure> | undefined)[] = calls.map(() => undefined);
  if (first === undefined) return results;
  const { timeoutMs } = request;
  const call = childAbort(signal);
  const answers = calls.map(({ options }) => createAnswer(request, options));
  /** Why answers are none that can be used; how they end is seen when the call ends. */
  const refusals = new Map<number, string>();
  const end = (index: number, result: Result<Evaluation, QueryCallFailure>) => {
    if (results[index] !== undefined) return;
    results[index] = result;
    calls[index]?.ended(result);
  };
  /** What is in another's answer is lost with it: then each is to be asked by itself, for its own answer. */
  const endWithin = (index: number, leader: number) => {
    const whole = results[leader];
    if (whole?.ok === true) end(index, ok({ ...nothingMore, answeredBy: `${whole.value.answeredBy}, with its own` }));
    else refusals.delete(leader);
  };
  const endOthers = (failureOf: (source: string) => QueryCallFailure) =>
    calls.forEach(({ options }, index) => end(index, fail(failureOf(options.name))));
  const take = (share: RpcShare) => {
    const { index } = share;
    const [asked, answer] = [calls[index], answers[index]];
    if (asked === undefined || answer === undefined || share.kind === "absent") return;
    if (share.kind === "within") return endWithin(index, share.leader);
    if (results[index] !== undefined || refusals.has(index)) return;
    const { name, address } = asked.options;
    if (share.kind === "message") {
      asked.received(share.message.length);
      const refusal = answer.take(share.message);
      if (refusal !== undefined) refusals.set(index, refusal);
    } else if (share.failure !== undefined) {
      end(index, fail(failureOfAnswer(share.failure, name, signal, timeoutMs)));
    } else end(index, ok({ ...answer.evaluation(), answeredBy: `${name} (${address})` }));
  };
  const { method, bytes } = exactQuery(request);
  const listeners = calls.map(({ listener }) => listener);
  const callOptions = { signal: call.signal, timeoutMs, messageBytesMax: first.options.messageBytesMax };
  const silence = watchSilence(call, signal, silenceMs, clock);
  try {
    for await (const shares of first.stream(method, bytes, listeners, callOptions)) {
      silence.stop();
      shares.forEach(take);
      silence.wait();
    }
    for (const [index, reason] of refusals) end(index, fail({ kind: "refused", reason }));
  } catch {
    if (signal.aborted) endOthers(() => ({ kind: "canceled" }));
    else if (silence.isTooLong()) {
      endOthers((source) => ({ kind: "unreachable", failure: { kind: "timeout", source, afterMs: silenceMs } }));
    }
  } finally {
    silence.stop();
    call.end();
  }
  return results;
}

/** Of one whose answer is within another's. */
const nothingMore = { series: [], warnings: [], samplesRead: 0, samplesPeak: 0, receivedBytes: 0 } as const;

interface SilenceWatch {
  stop(): void;
  wait(): void;
  isTooLong(): boolean;
}

/** Aborts a call whose peer gives no sign of life for `silenceMs` while it is waited for, as it is from now on. */
function watchSilence(call: ChildAbort, signal: AbortSignal, silenceMs: number, clock: Clock): SilenceWatch {
  let isTooLong = false;
  const wait = () =>
    clock.after(silenceMs, () => {
      isTooLong = !signal.aborted;
      call.abort(tooSilent);
    });
  let stop = wait();
  return {
    stop: () => stop(),
    wait: () => {
      stop = wait();
    },
    isTooLong: () => isTooLong,
  };
}

const tooSilent = new DOMException("the peer gives no signs of life", "TimeoutError");

const unreachableCodes: ReadonlySet<string> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"]);

interface Answer {
  /** Takes a message; why the answer is none that can be used. */
  take(message: Uint8Array): string | undefined;
  evaluation(): Omit<Evaluation, "answeredBy">;
}

function createAnswer(
  { samplesMax }: EvaluationRequest,
  { responseBytesMax, seriesMax }: Omit<QueryClientOptions, "silenceMs">,
): Answer {
  const series: EvaluatedSeries[] = [];
  const warnings = createWarningList();
  let [samples, samplesRead, samplesPeak, receivedBytes] = [0, 0, 0, 0];
  return {
    take(bytes) {
      receivedBytes += bytes.length;
      if (receivedBytes > responseBytesMax) return `an answer of more than ${responseBytesMax} bytes`;
      const decoded = decodeQueryResponse(bytes);
      if (!decoded.ok) return `corrupt data: ${formatWireFailure(decoded.failure)}`;
      const message = decoded.value;
      if (message.kind === "warning") warnings.add(message.text);
      else if (message.kind === "stats") {
        samplesRead += message.samplesTotal;
        samplesPeak = Math.max(samplesPeak, message.samplesPeak);
      } else if (message.kind === "series") {
        for (const one of message.series) {
          samples += one.values.length + one.histograms.length;
          series.push(one);
        }
      }
      if (samples > samplesMax) return `an answer of more than ${samplesMax} samples`;
      return series.length > seriesMax ? `an answer of more than ${seriesMax} series` : undefined;
    },
    evaluation: () => ({ series, warnings: warnings.texts(), samplesRead, samplesPeak, receivedBytes }),
  };
}
