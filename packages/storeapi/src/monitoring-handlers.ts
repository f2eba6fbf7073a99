/** A MonitoringSource as Thanos's services Rules, Targets, Metadata and Exemplars: handlers for the gRPC transport. */
import {
  type ActiveTarget,
  type DroppedTarget,
  type Matcher,
  type MetricMetadata,
  type MonitoringSource,
  type Result,
  type SourceFailure,
} from "@pleiad/model";
import { RpcError, type RpcHandler } from "@pleiad/ports";
import {
  decodeExemplarsRequest,
  decodeMetadataRequest,
  decodeRulesRequest,
  decodeTargetsRequest,
  encodeAnswerWarning,
  encodeMetadata,
  encodeRuleGroup,
  encodeSeriesExemplars,
  encodeTargets,
  formatWireFailure,
  type WireFailure,
} from "@pleiad/wire";
import { monitoringMethods } from "./monitoring-methods.ts";
import { rpcErrorOf } from "./rpc-failures.ts";

/** What reads PromQL, of which this package knows nothing. Failures are in its words. */
export interface SelectorReader {
  /** The matchers of one selector. */
  selector(text: string): Result<readonly Matcher[], string>;
  /** Those of every selector in a query. */
  selectors(query: string): Result<readonly (readonly Matcher[])[], string>;
}

export interface MonitoringHandlerOptions {
  readonly requestsMax: number; // at once, over all methods
  readonly selectorsMax: number; // in one request
  readonly itemsPerMessageMax: number; // targets and metrics
  readonly messagesPerGroup: number; // handed to the transport together
}

export const defaultMonitoringHandlers: MonitoringHandlerOptions = {
  requestsMax: 32,
  selectorsMax: 1000,
  itemsPerMessageMax: 256,
  messagesPerGroup: 32,
};

/** By full method name, for what the source has; to be served beside those of StoreAPI. `ready` is asked every time. */
export function monitoringHandlers(
  source: MonitoringSource,
  ready: () => boolean,
  reader: SelectorReader,
  options: MonitoringHandlerOptions = defaultMonitoringHandlers,
): ReadonlyMap<string, RpcHandler> {
  let running = 0;
  const handlers = new Map<string, RpcHandler>();

  /** `ask` throws where the request is none. Warnings come first: whoever reads no further has seen them. */
  function serve<Message, Answer extends { readonly warnings: readonly string[] }>(
    method: string,
    decode: (bytes: Uint8Array) => Result<Message, WireFailure>,
    ask: (message: Message, signal: AbortSignal) => Promise<Result<Answer, SourceFailure>>,
    messagesOf: (answer: Answer) => Iterable<Uint8Array>,
  ): void {
    const handle = async function* (bytes: Uint8Array, { signal }: { readonly signal: AbortSignal }) {
      const message = decode(bytes);
      if (!message.ok) throw invalid(`malformed request: ${formatWireFailure(message.failure)}`);
      if (!ready()) throw new RpcError("UNAVAILABLE", "not ready");
      if (running >= options.requestsMax) {
        throw new RpcError("RESOURCE_EXHAUSTED", `more than ${options.requestsMax} requests at once`);
      }
      running++;
      try {
        const answer = await ask(message.value, signal);
        if (!answer.ok) throw rpcErrorOf(answer.failure);
        const { warnings } = answer.value;
        if (warnings.length > 0) yield warnings.map(encodeAnswerWarning);
        yield* inGroups(messagesOf(answer.value), options.messagesPerGroup);
      } finally {
        running--;
      }
    };
    handlers.set(method, { kind: "stream", handle });
  }

  function readSelectors(texts: readonly string[]): readonly (readonly Matcher[])[] {
    checkCount(texts.length, options);
    return texts.map((text) => {
      const matchers = reader.selector(text);
      if (!matchers.ok) throw invalid(`${JSON.stringify(text)}: ${matchers.failure}`);
      return matchers.value;
    });
  }

  const { rules, targets, metadata, exemplars } = source;
  if (rules !== undefined) {
    serve(
      monitoringMethods.rules,
      decodeRulesRequest,
      async ({ partialResponse: onFailure, matchers, ...filter }, signal) =>
        await rules({ ...filter, matcherSets: readSelectors(matchers), withoutLabels: [], onFailure }, signal),
      ({ groups }) => groups.map((group) => encodeRuleGroup(group)),
    );
  }
  if (targets !== undefined) {
    serve(
      monitoringMethods.targets,
      decodeTargetsRequest,
      async ({ state, partialResponse: onFailure }, signal) =>
        await targets({ state, withoutLabels: [], onFailure }, signal),
      ({ active, dropped }) => targetMessages(active, dropped, options.itemsPerMessageMax),
    );
  }
  if (metadata !== undefined) {
    serve(
      monitoringMethods.metadata,
      decodeMetadataRequest,
      async ({ metric, limit, partialResponse: onFailure }, signal) =>
        await metadata({ metric, limit, onFailure }, signal),
      ({ metrics }) => metadataMessages(metrics, options.itemsPerMessageMax),
    );
  }
  if (exemplars !== undefined) {
    serve(
      monitoringMethods.exemplars,
      decodeExemplarsRequest,
      async ({ query, minTimeMs, maxTimeMs, partialResponse: onFailure }, signal) => {
        const selectors = reader.selectors(query);
        if (!selectors.ok) throw invalid(selectors.failure);
        if (selectors.value.length === 0) throw invalid("no matchers specified");
        checkCount(selectors.value.length, options);
        const asked = { selectors: selectors.value, minTimeMs, maxTimeMs, withoutLabels: [], onFailure };
        return await exemplars(asked, signal);
      },
      ({ series }) => series.map(encodeSeriesExemplars),
    );
  }
  return handlers;
}

function invalid(reason: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", reason);
}

function checkCount(count: number, { selectorsMax }: MonitoringHandlerOptions): void {
  if (count > selectorsMax) throw invalid(`${count} selectors, at most ${selectorsMax} are allowed`);
}

function* targetMessages(active: readonly ActiveTarget[], dropped: readonly DroppedTarget[], itemsMax: number) {
  for (const some of slices(active, itemsMax)) yield encodeTargets({ active: some, dropped: [] });
  for (const some of slices(dropped, itemsMax)) yield encodeTargets({ active: [], dropped: some });
}

function* metadataMessages(metrics: readonly MetricMetadata[], itemsMax: number) {
  for (const some of slices(metrics, itemsMax)) yield encodeMetadata(some);
}

function* slices<T>(items: readonly T[], lengthMax: number): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += lengthMax) yield items.slice(from, from + lengthMax);
}

function* inGroups(messages: Iterable<Uint8Array>, lengthMax: number): Generator<readonly Uint8Array[]> {
  let group: Uint8Array[] = [];
  for (const message of messages) {
    group.push(message);
    if (group.length < lengthMax) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
