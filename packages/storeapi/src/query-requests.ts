/** Requests of `QueryEvaluator` as messages of the Query API, and back. */
import { fail, ok, type EvaluationRequest, type Result } from "@pleiad/model";
import {
  emptyQueryRangeRequest,
  emptyQueryRequest,
  encodeQueryRangeRequest,
  encodeQueryRequest,
  type QueryRangeRequestMessage,
  type QueryRequestMessage,
} from "@pleiad/wire";
import { queryMethod, queryRangeMethod } from "./query-methods.ts";

export interface EncodedQuery {
  readonly method: string;
  readonly bytes: Uint8Array;
}

const responseBatchSize = 64;

/** For a peer that takes times to the millisecond, and all options. */
export function exactQuery(request: EvaluationRequest): EncodedQuery {
  const { startMs, endMs, stepMs, lookbackMs, evaluationIntervalMs, maxResolutionMs, timeoutMs } = request;
  const times = { startMs, endMs, stepMs, lookbackMs, evaluationIntervalMs, maxResolutionMs };
  const exact = { ...times, timeoutMs: Math.ceil(timeoutMs), features: request.features ?? [] };
  return encode(request, { exact, enablePartialResponse: request.onFailure === "warn" });
}

/** For a peer as Thanos is. Fails where the query cannot be asked in whole seconds, or means something else there. */
export function wholeSecondsQuery(request: EvaluationRequest): Result<EncodedQuery, string> {
  const { query, startMs, endMs, stepMs, lookbackMs, maxResolutionMs, features = [] } = request;
  if ([startMs, endMs, stepMs, lookbackMs].some((timeMs) => timeMs % 1000 !== 0)) {
    return fail("it is asked in whole seconds");
  }
  // 0 stands for the time of the peer's own clock.
  if (startMs === 0) return fail("it takes the epoch for now");
  if (features.length > 0) return fail(`it may not have ${features.join(", ")}`);
  if (maxResolutionMs > 0) return fail("it chooses the resolution itself");
  if (/:\s*\]/.test(query)) return fail("subqueries without a step have one of its own there");
  // Told that partial answers will do, it would answer a failure with nothing.
  return ok(encode(request, { exact: undefined, enablePartialResponse: false }));
}

function encode(
  { query, startMs, endMs, stepMs, timeoutMs, lookbackMs, withoutLabels, maxResolutionMs }: EvaluationRequest,
  more: Pick<QueryRequestMessage, "exact" | "enablePartialResponse">,
): EncodedQuery {
  const settings = {
    query,
    timeoutSeconds: Math.ceil(timeoutMs / 1000),
    lookbackSeconds: Math.floor(lookbackMs / 1000),
    maxResolutionSeconds: Math.floor(maxResolutionMs / 1000),
    replicaLabels: withoutLabels,
    enableDedup: withoutLabels.length > 0,
    responseBatchSize,
    ...more,
  };
  const seconds = (timeMs: number) => Math.floor(timeMs / 1000);
  if (stepMs === 0) {
    const bytes = encodeQueryRequest({ ...emptyQueryRequest, ...settings, timeSeconds: seconds(startMs) });
    return { method: queryMethod, bytes };
  }
  const times = { startSeconds: seconds(startMs), endSeconds: seconds(endMs), intervalSeconds: seconds(stepMs) };
  const bytes = encodeQueryRangeRequest({ ...emptyQueryRangeRequest, ...settings, ...times });
  return { method: queryRangeMethod, bytes };
}

/** What the server fills in where a request leaves it open. */
export interface QueryDefaults {
  readonly nowMs: number;
  readonly replicaLabels: readonly string[];
  readonly samplesMax: number;
}

export function evaluationOfInstant(message: QueryRequestMessage, defaults: QueryDefaults): EvaluationRequest {
  const startMs = message.timeSeconds === 0 ? defaults.nowMs : message.timeSeconds * 1000;
  return evaluation(message, { startMs, endMs: startMs, stepMs: 0 }, defaults);
}

export function evaluationOfRange(message: QueryRangeRequestMessage, defaults: QueryDefaults): EvaluationRequest {
  const times = {
    startMs: message.startSeconds * 1000,
    endMs: message.endSeconds * 1000,
    stepMs: message.intervalSeconds <= 0 ? defaultStepMs : message.intervalSeconds * 1000,
  };
  return evaluation(message, times, defaults);
}

/** Thanos's, for a range without one. */
const defaultStepMs = 1000;

function evaluation(
  message: QueryRequestMessage | QueryRangeRequestMessage,
  times: Pick<EvaluationRequest, "startMs" | "endMs" | "stepMs">,
  { replicaLabels, samplesMax }: QueryDefaults,
): EvaluationRequest {
  const { query, exact, enableDedup, enablePartialResponse } = message;
  const named = message.replicaLabels.length > 0 ? message.replicaLabels : replicaLabels;
  const { lookbackSeconds, maxResolutionSeconds, timeoutSeconds } = message;
  return {
    query,
    ...times,
    lookbackMs: lookbackSeconds * 1000,
    maxResolutionMs: maxResolutionSeconds * 1000,
    evaluationIntervalMs: 0,
    features: undefined,
    ...exact,
    timeoutMs: (exact?.timeoutMs ?? timeoutSeconds * 1000) || Infinity,
    withoutLabels: enableDedup ? named : [],
    onFailure: enablePartialResponse ? "warn" : "abort",
    samplesMax,
  };
}
