/** Requests of `SeriesSource` as StoreAPI messages, and back. */
import type { LabelsRequest, Matcher, SelectHints, SelectRequest } from "@pleiad/model";
import {
  emptySeriesRequest,
  type LabelNamesRequestMessage,
  type PartialResponse,
  type QueryHintsMessage,
  type SeriesRequestMessage,
} from "@pleiad/wire";

/** StoreAPI refuses a request without matchers; this one says the same. */
const everySeries: Matcher = { type: "=~", name: "__name__", value: ".*" };

export function messageOfSelect(request: SelectRequest, responseBatchSize: number): SeriesRequestMessage {
  return {
    ...emptySeriesRequest,
    minTimeMs: request.minTimeMs,
    maxTimeMs: request.maxTimeMs,
    matchers: request.matchers.length === 0 ? [everySeries] : request.matchers,
    maxResolutionMs: request.maxResolutionMs,
    aggregates: request.maxResolutionMs > 0 ? ["raw", "count", "sum", "min", "max", "counter"] : ["raw"],
    partialResponseDisabled: request.onFailure === "abort",
    partialResponse: request.onFailure,
    skipChunks: request.skipChunks,
    queryHints: messageOfHints(request.hints),
    withoutReplicaLabels: request.withoutLabels,
    limit: request.seriesMax,
    responseBatchSize,
  };
}

export function selectOfMessage(message: SeriesRequestMessage): SelectRequest {
  return {
    minTimeMs: message.minTimeMs,
    maxTimeMs: message.maxTimeMs,
    matchers: message.matchers,
    skipChunks: message.skipChunks,
    withoutLabels: message.withoutReplicaLabels,
    maxResolutionMs: Math.max(0, message.maxResolutionMs),
    onFailure: onFailureOf(message),
    seriesMax: Math.max(0, message.limit),
    hints: message.queryHints === undefined ? {} : hintsOfMessage(message.queryHints),
  };
}

export function messageOfLabels(request: LabelsRequest): LabelNamesRequestMessage {
  return {
    partialResponseDisabled: request.onFailure === "abort",
    partialResponse: request.onFailure,
    minTimeMs: request.minTimeMs,
    maxTimeMs: request.maxTimeMs,
    hints: undefined,
    matchers: request.matchers,
    withoutReplicaLabels: request.withoutLabels,
    limit: request.limit,
  };
}

export function labelsOfMessage(message: LabelNamesRequestMessage): LabelsRequest {
  return {
    minTimeMs: message.minTimeMs,
    maxTimeMs: message.maxTimeMs,
    matchers: message.matchers,
    withoutLabels: message.withoutReplicaLabels,
    onFailure: onFailureOf(message),
    limit: Math.max(0, message.limit),
  };
}

interface Strategy {
  readonly partialResponseDisabled: boolean;
  readonly partialResponse: PartialResponse;
}

/** Old clients set only the flag, new ones may set only the strategy. */
function onFailureOf(message: Strategy): "warn" | "abort" {
  return message.partialResponseDisabled || message.partialResponse === "abort" ? "abort" : "warn";
}

function messageOfHints(hints: SelectHints): QueryHintsMessage | undefined {
  if (Object.keys(hints).length === 0) return undefined;
  return {
    stepMs: hints.stepMs ?? 0,
    function: hints.function ?? "",
    grouping: hints.grouping,
    rangeMs: hints.rangeMs ?? 0,
    projectionLabels: [],
    projectionInclude: false,
  };
}

function hintsOfMessage(message: QueryHintsMessage): SelectHints {
  return {
    ...(message.stepMs > 0 ? { stepMs: message.stepMs } : {}),
    ...(message.rangeMs > 0 ? { rangeMs: message.rangeMs } : {}),
    ...(message.function === "" ? {} : { function: message.function }),
    ...(message.grouping === undefined ? {} : { grouping: message.grouping }),
  };
}
