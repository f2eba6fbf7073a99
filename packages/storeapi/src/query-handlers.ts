/** A QueryEvaluator as a server of the Query API: handlers for the gRPC transport to serve. */
import {
  isQueryRemark,
  unreachable,
  type EvaluatedSeries,
  type Evaluation,
  type EvaluationFailure,
  type EvaluationRequest,
  type EvaluatorGroup,
  type QueryEvaluator,
  type Result,
} from "@pleiad/model";
import { childAbort, RpcError, type Clock, type RpcHandler, type RpcTogether } from "@pleiad/ports";
import {
  decodeQueryRangeRequest,
  decodeQueryRequest,
  encodeQueryBatch,
  encodeQuerySeries,
  encodeQueryStats,
  encodeQueryWarning,
  formatWireFailure,
  type QueryRangeRequestMessage,
  type QueryRequestMessage,
  type WireFailure,
} from "@pleiad/wire";
import { queryMethod, queryRangeMethod } from "./query-methods.ts";
import { evaluationOfInstant, evaluationOfRange, type QueryDefaults } from "./query-requests.ts";
import { settlesWithin } from "./replica-stream.ts";

export interface QueryHandlerOptions {
  readonly replicaLabels: readonly string[]; // for requests that name none
  readonly requestsMax: number; // at once
  readonly batchSeriesMax: number; // in one message, for clients that ask for batches
  readonly batchSamplesMax: number; // in one message, but for a series that has more
  /** How often a client of our own kind hears that the evaluation goes on. */
  readonly lifeSignMs: number;
}

export const defaultQueryHandlers: QueryHandlerOptions = {
  replicaLabels: [],
  requestsMax: 128,
  batchSeriesMax: 1024,
  batchSamplesMax: 4096,
  lifeSignMs: 1000,
};

type QueryMessage = QueryRequestMessage | QueryRangeRequestMessage;

/** One handler as a member of its group. */
interface Member {
  readonly evaluator: QueryEvaluator;
  readonly ready: () => boolean;
}

const memberOf = new WeakMap<RpcTogether, Member>();

/**
 * Handlers by full method name, to be served beside those of StoreAPI. `ready` is asked before every request. A request to several
 * listeners of the process is answered by the group of their evaluators as one, where it can be.
 */
export function queryHandlers(
  evaluator: QueryEvaluator,
  ready: () => boolean,
  options: QueryHandlerOptions,
  clock: Clock,
  group?: EvaluatorGroup,
): ReadonlyMap<string, RpcHandler> {
  let running = 0;

  async function* answer(message: QueryMessage, signal: AbortSignal): AsyncGenerator<readonly Uint8Array[]> {
    if (message.storeMatchers.length > 0) throw new RpcError("UNIMPLEMENTED", "store matchers in a query");
    if (!ready()) throw new RpcError("UNAVAILABLE", "not ready");
    yield* evaluate(evaluator, message, requestOf(message), signal, frames);
  }

  function requestOf(message: QueryMessage): EvaluationRequest {
    const { replicaLabels } = options;
    const defaults: QueryDefaults = { nowMs: clock.wallMs(), replicaLabels, samplesMax: Infinity };
    return "startSeconds" in message ? evaluationOfRange(message, defaults) : evaluationOfInstant(message, defaults);
  }

  async function* evaluate(
    by: QueryEvaluator,
    message: QueryMessage,
    request: EvaluationRequest,
    signal: AbortSignal,
    framesOf: typeof frames,
  ): AsyncGenerator<readonly Uint8Array[]> {
    if (running >= options.requestsMax) {
      throw new RpcError("RESOURCE_EXHAUSTED", `more than ${options.requestsMax} evaluations at once`);
    }
    running++;
    const own = childAbort(signal);
    try {
      const evaluating = by.evaluate(request, own.signal);
      if (message.exact !== undefined) {
        // Messages that say nothing: who waits can tell a long evaluation from a dead peer.
        while (!(await settlesWithin(evaluating, options.lifeSignMs, clock, signal))) yield [encodeQueryStats(0, 0)];
      }
      yield* framesOf(await evaluating, message.responseBatchSize);
    } finally {
      own.abort(answered);
      own.end();
      running--;
    }
  }

  /** What a source lacks is to be told of that source: then each is asked by itself. */
  function framesOfAll(result: Result<Evaluation, EvaluationFailure>, batchSize: number) {
    if (result.ok && !result.value.warnings.every(isQueryRemark))
      throw new RpcError("ABORTED", "a source lacks something");
    return frames(result, batchSize);
  }

  function answerTogether(
    message: QueryMessage,
    members: readonly RpcTogether[],
    signal: AbortSignal,
  ): AsyncIterable<readonly Uint8Array[]> | undefined {
    const asked = members.flatMap((one) => memberOf.get(one) ?? []);
    if (asked.length < members.length || message.storeMatchers.length > 0) return undefined;
    if (!asked.every((member) => member.ready())) return undefined;
    const request = requestOf(message);
    const all = group?.together(
      asked.map((member) => member.evaluator),
      request,
    );
    return all === undefined ? undefined : evaluate(all, message, request, signal, framesOfAll);
  }

  function* frames(result: Result<Evaluation, EvaluationFailure>, batchSize: number): Generator<readonly Uint8Array[]> {
    if (!result.ok) throw rpcErrorOfEvaluation(result.failure);
    const { series, warnings, samplesRead, samplesPeak } = result.value;
    // Most answers are small, and go out at once.
    let together = warnings.map(encodeQueryWarning);
    let bytes = 0;
    const isBatching = batchSize > 1;
    const seriesMax = isBatching ? Math.min(batchSize, options.batchSeriesMax) : options.batchSeriesMax;
    for (const batch of batches(series, seriesMax, options.batchSamplesMax)) {
      if (bytes >= togetherBytesMax) {
        yield together;
        together = [];
        bytes = 0;
      }
      for (const message of isBatching ? [encodeQueryBatch(batch)] : batch.map(encodeQuerySeries)) {
        together.push(message);
        bytes += message.length;
      }
    }
    yield [...together, encodeQueryStats(samplesRead, samplesPeak)];
  }

  const handler = (decode: (bytes: Uint8Array) => Result<QueryMessage, WireFailure>): RpcHandler => {
    const together: RpcTogether | undefined = group && {
      group,
      handle(bytes, members, { signal }) {
        const message = decode(bytes);
        return message.ok ? answerTogether(message.value, members, signal) : undefined;
      },
    };
    if (together !== undefined) memberOf.set(together, { evaluator, ready });
    return {
      kind: "stream",
      async *handle(bytes, { signal }) {
        const message = decode(bytes);
        if (!message.ok) {
          throw new RpcError("INVALID_ARGUMENT", `malformed request: ${formatWireFailure(message.failure)}`);
        }
        yield* answer(message.value, signal);
      },
      ...(together === undefined ? {} : { together }),
    };
  };
  return new Map([
    [queryMethod, handler(decodeQueryRequest)],
    [queryRangeMethod, handler(decodeQueryRangeRequest)],
  ]);
}

const togetherBytesMax = 65_536;

/** Why what belongs to an evaluation is aborted at its end. Made once: a stack for each would cost more than the abort. */
const answered = new DOMException("the evaluation has ended", "AbortError");

function rpcErrorOfEvaluation(failure: EvaluationFailure): RpcError {
  switch (failure.kind) {
    case "canceled":
      return new RpcError("CANCELLED", "the evaluation was canceled");
    case "missing":
      return new RpcError("ABORTED", failure.texts.join("; "));
    case "refused":
      return new RpcError("FAILED_PRECONDITION", failure.reason);
    default:
      return unreachable(failure);
  }
}

function* batches(
  series: readonly EvaluatedSeries[],
  seriesMax: number,
  samplesMax: number,
): Generator<readonly EvaluatedSeries[]> {
  let from = 0;
  let samples = 0;
  for (const [i, { values, histograms }] of series.entries()) {
    samples += values.length + histograms.length;
    if (i + 1 - from < seriesMax && samples < samplesMax && i + 1 < series.length) continue;
    yield series.slice(from, i + 1);
    from = i + 1;
    samples = 0;
  }
}
