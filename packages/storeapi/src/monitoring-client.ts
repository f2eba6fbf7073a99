/** One server of Thanos's services Rules, Targets, Metadata and Exemplars. Answers come as the server gives them. */
import {
  fail,
  formatMatchers,
  ok,
  type ActiveTarget,
  type DroppedTarget,
  type ExemplarsRequest,
  type MetadataRequest,
  type MetricMetadata,
  type Result,
  type RuleGroup,
  type RulesRequest,
  type SeriesExemplars,
  type SourceFailure,
  type TargetsRequest,
} from "@pleiad/model";
import { withDeadline, type Clock, type RpcClient } from "@pleiad/ports";
import {
  decodeExemplarsResponse,
  decodeMetadataResponse,
  decodeRulesResponse,
  decodeTargetsResponse,
  encodeExemplarsRequest,
  encodeMetadataRequest,
  encodeRulesRequest,
  encodeTargetsRequest,
  formatWireFailure,
  type AlertStateNumbers,
  type AnswerFrame,
  type WireFailure,
} from "@pleiad/wire";
import { monitoringMethods } from "./monitoring-methods.ts";
import { failureOfCall } from "./rpc-failures.ts";
import { createWarningList } from "./warning-list.ts";

export interface MonitoringClientOptions {
  readonly name: string; // what failures call the peer
  readonly timeoutMs: number; // of a whole answer
  readonly messageBytesMax: number;
  readonly responseBytesMax: number;
  /** How it counts the states of alerts. */
  readonly alertStateNumbers: AlertStateNumbers;
  /** Called with the bytes of messages as they come. */
  readonly received: (bytes: number) => void;
}

/** What one answer, and others that are asked for at the same time, may still take. */
export interface ByteBudget {
  left: number;
}

/** Labels are not taken away: that is done once, over the answers of all. Never rejects but for a bug. */
export interface MonitoringClient {
  rules(request: RulesRequest, budget: ByteBudget, signal: AbortSignal): Answering<RuleGroup>;
  targets(request: TargetsRequest, budget: ByteBudget, signal: AbortSignal): Answering<ActiveTarget | DroppedTarget>;
  metadata(request: MetadataRequest, budget: ByteBudget, signal: AbortSignal): Answering<MetricMetadata>;
  exemplars(request: ExemplarsRequest, budget: ByteBudget, signal: AbortSignal): Answering<SeriesExemplars>;
}

type Answering<Item> = Promise<Result<MonitoringAnswer<Item>, SourceFailure>>;

export interface MonitoringAnswer<Item> {
  readonly items: readonly Item[];
  readonly warnings: readonly string[];
}

export function createMonitoringClient(
  rpc: RpcClient,
  clock: Clock,
  options: MonitoringClientOptions,
): MonitoringClient {
  const { name: source, timeoutMs, messageBytesMax, responseBytesMax } = options;

  async function collect<Part, Item>(
    method: string,
    request: Uint8Array,
    decode: (bytes: Uint8Array) => Result<AnswerFrame<Part>, WireFailure>,
    itemsOf: (part: Part) => readonly Item[],
    budget: ByteBudget,
    signal: AbortSignal,
  ): Answering<Item> {
    if (signal.aborted) return fail({ kind: "canceled", source });
    const items: Item[] = [];
    const warnings = createWarningList();
    let ownBytes = 0;

    /** The failure that a message is. */
    function take(message: Uint8Array): SourceFailure | undefined {
      options.received(message.length);
      ownBytes += message.length;
      budget.left -= message.length;
      if (ownBytes > responseBytesMax || budget.left < 0) {
        return { kind: "limit", source, of: "bytes", max: responseBytesMax };
      }
      const frame = decode(message);
      if (!frame.ok) return { kind: "corrupt", source, reason: formatWireFailure(frame.failure) };
      if (frame.value.kind === "warning") warnings.add(frame.value.text);
      else if (frame.value.kind === "part") for (const item of itemsOf(frame.value.part)) items.push(item);
      return undefined;
    }

    return await withDeadline(clock, timeoutMs, signal, async (deadline) => {
      try {
        const stream = rpc.stream(method, request, { signal: deadline, timeoutMs, messageBytesMax });
        for await (const messages of stream) {
          for (const message of messages) {
            const failure = take(message);
            if (failure !== undefined) return fail(failure);
          }
        }
      } catch (error) {
        if (deadline.aborted && !signal.aborted) return fail({ kind: "timeout", source, afterMs: timeoutMs });
        return fail(failureOfCall(error, { source, signal, timeoutMs }));
      }
      return ok({ items, warnings: warnings.texts() });
    });
  }

  return {
    rules: async ({ onFailure: partialResponse, matcherSets, type, ruleNames, groupNames, files }, budget, signal) => {
      // Prometheus takes several selectors for alternatives, Thanos wants all of them to hold: then nobody is told of any.
      const matchers = matcherSets.length === 1 ? matcherSets.map(formatMatchers) : [];
      const request = encodeRulesRequest({ type, partialResponse, matchers, ruleNames, groupNames, files });
      const decode = (bytes: Uint8Array) => decodeRulesResponse(bytes, options.alertStateNumbers);
      return await collect(monitoringMethods.rules, request, decode, (group) => [group], budget, signal);
    },
    targets: async ({ state, onFailure: partialResponse }, budget, signal) =>
      await collect(
        monitoringMethods.targets,
        encodeTargetsRequest({ state, partialResponse }),
        decodeTargetsResponse,
        ({ active, dropped }) => [...active, ...dropped],
        budget,
        signal,
      ),
    metadata: async ({ metric, limit, onFailure: partialResponse }, budget, signal) =>
      await collect(
        monitoringMethods.metadata,
        encodeMetadataRequest({ metric, limit, partialResponse }),
        decodeMetadataResponse,
        (metrics) => metrics,
        budget,
        signal,
      ),
    exemplars: async ({ selectors, minTimeMs, maxTimeMs, onFailure: partialResponse }, budget, signal) =>
      await collect(
        monitoringMethods.exemplars,
        encodeExemplarsRequest({
          // As Thanos does: of the query only the selectors count.
          query: selectors.map(formatMatchers).join(" + "),
          minTimeMs,
          maxTimeMs,
          partialResponse,
        }),
        decodeExemplarsResponse,
        (series) => [series],
        budget,
        signal,
      ),
  };
}
