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
import { childAbort, RpcError, type Clock, type RpcClient } from "@pleiad/ports";
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
  let waitedTooLong = false;
  const wait = () =>
    clock.after(patienceMs, () => {
      waitedTooLong = !signal.aborted;
      call.abort(tooSilent);
    });
  let stopWaiting = wait();
  try {
    for await (const messages of rpc.stream(encoded.value.method, encoded.value.bytes, callOptions)) {
      stopWaiting();
      for (const message of messages) {
        received(message.length);
        const refusal = answer.take(message);
        if (refusal !== undefined) return fail({ kind: "refused", reason: refusal });
      }
      stopWaiting = wait();
    }
  } catch (error) {
    if (signal.aborted) return fail({ kind: "canceled" });
    if (waitedTooLong) return fail({ kind: "unreachable", failure: { kind: "timeout", source, afterMs: patienceMs } });
    const failure = failureOfCall(error, { source, signal, timeoutMs });
    // Whoever answers at all can be asked for series instead.
    if (error instanceof RpcError && !unreachableCodes.has(error.code))
      return fail({ kind: "refused", reason: error.message });
    return fail({ kind: "unreachable", failure });
  } finally {
    stopWaiting();
    call.end();
  }
  return ok({ ...answer.evaluation(), answeredBy: `${source} (${address})` });
}

const tooSilent = new DOMException("the peer gives no signs of life", "TimeoutError");

const unreachableCodes: ReadonlySet<string> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"]);

interface Answer {
  /** Takes a message; why the answer is none that can be used. */
  take(message: Uint8Array): string | undefined;
  evaluation(): Omit<Evaluation, "answeredBy">;
}

function createAnswer({ samplesMax }: EvaluationRequest, { responseBytesMax, seriesMax }: QueryClientOptions): Answer {
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
