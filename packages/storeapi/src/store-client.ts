/** One StoreAPI server, of Pleiad or of Thanos, as a SeriesSource. */
import {
  areSortedChunks,
  compareChunks,
  compareLabels,
  compareText,
  fail,
  formatLabels,
  ok,
  uniteChunks,
  uniteNeighbours,
  withoutLabels,
  type Evaluation,
  type EvaluationRequest,
  type LabelsAnswer,
  type Result,
  type SelectRequest,
  type SeriesCursor,
  type SeriesSource,
  type SourceFailure,
  type SourceSeries,
} from "@pleiad/model";
import { withDeadline, type Ports, type RpcClient, type RpcClientOptions } from "@pleiad/ports";
import {
  createLabelTable,
  createSeriesFrameReader,
  decodeInfoResponse,
  decodeLabelTexts,
  encodeInfoRequest,
  encodeLabelNamesRequest,
  encodeLabelValuesRequest,
  encodeSeriesRequest,
  formatWireFailure,
  type AlertStateNumbers,
  type LabelTable,
  type SeriesFrames,
  type WireFailure,
} from "@pleiad/wire";
import { createMonitoringClient, type MonitoringClient } from "./monitoring-client.ts";
import { callQuery, type QueryCallFailure, type SharedCall } from "./query-client.ts";
import { failureOfCall } from "./rpc-failures.ts";
import { infoMethod, labelNamesMethod, labelValuesMethod, seriesMethod } from "./store-methods.ts";
import { anyTime, noTime, servicesOf, type StoreIdentity } from "./store-identity.ts";
import { messageOfLabels, messageOfSelect } from "./store-requests.ts";
import { createWarningList } from "./warning-list.ts";

export interface StoreClientOptions {
  readonly name: string; // what failures call the peer
  /** How long a request may wait for the peer altogether. Time in which the reader does not ask is not counted. */
  readonly timeoutMs: number;
  readonly messageBytesMax: number;
  readonly responseBytesMax: number; // of one answer
  readonly seriesMax: number; // of one answer
  /** May be shared among clients, so that labels of all peers are the same strings. */
  readonly labelTable?: LabelTable;
  readonly connection?: RpcClientOptions;
  /** How the peer counts the states of alerts; as Thanos has since 0.41 by default. */
  readonly alertStateNumbers?: AlertStateNumbers;
}

export const defaultStoreClient: Omit<StoreClientOptions, "name"> = {
  timeoutMs: 30_000,
  messageBytesMax: 64 << 20,
  responseBytesMax: 512 << 20,
  seriesMax: 500_000,
};

/** A cursor over the answer of a peer. */
export interface StoreCursor extends SeriesCursor {
  readonly receivedBytes: number;
}

export interface StoreClient extends SeriesSource {
  readonly address: string;
  /** Its rules, targets, metadata and exemplars: to be asked for what the peer says that it serves. */
  readonly monitoring: MonitoringClient;
  select(request: SelectRequest, signal: AbortSignal): StoreCursor;
  /** What the peer says of itself. One that serves no StoreAPI now has `ready` false, unless it is a ruler without a store. */
  info(signal: AbortSignal, timeoutMs?: number): Promise<Result<StoreIdentity, SourceFailure>>;
  /** Has the peer evaluate a query, if it announced that it does. `silenceMs`: how long to wait for a sign of life. */
  evaluate(
    request: EvaluationRequest,
    signal: AbortSignal,
    silenceMs?: number,
  ): Promise<Result<Evaluation, QueryCallFailure>>;
  /** How it is asked for an evaluation together with others of its process; undefined where it is asked alone. */
  sharedCall(): SharedCall | undefined;
  close(): Promise<void>;
}

export type StoreClientPorts = Pick<Ports, "clock" | "network" | "observations">;

/** Why what belongs to a stream is aborted at its end. Made once: the stack of each would cost more than the abort. */
const streamEnded = new DOMException("the stream of series has ended", "AbortError");

/** As Thanos does since 0.41. Older servers ignore it and send one series a message. */
const responseBatchSize = 64;

export function createStoreClient(address: string, ports: StoreClientPorts, options: StoreClientOptions): StoreClient {
  const { clock, observations } = ports;
  const { name: source, timeoutMs, messageBytesMax } = options;
  const labelTable = options.labelTable ?? createLabelTable();
  const rpc = ports.network.rpcClient(address, options.connection);
  const requests = observations.counter("pleiad_store_client_requests_total", "Calls to StoreAPI servers.", ["method"]);
  const failures = observations.counter(
    "pleiad_store_client_failures_total",
    "Calls to StoreAPI servers that failed, by kind of failure.",
    ["method", "kind"],
  );
  const received = observations.counter(
    "pleiad_store_client_received_bytes_total",
    "Bytes of messages received from StoreAPI servers.",
  );
  // What the peer announced last; until then it is taken for one that follows the contract.
  let removesReplicaLabels = true;
  let evaluates: StoreIdentity["query"] = "none";
  let hadStore = false;

  async function call<T>(
    method: string,
    request: Uint8Array,
    decode: (bytes: Uint8Array) => Result<T, WireFailure>,
    signal: AbortSignal,
    callTimeoutMs: number,
  ): Promise<Result<T, SourceFailure>> {
    const failed = (failure: SourceFailure) => {
      failures.add(1, method, failure.kind);
      return fail(failure);
    };
    requests.add(1, method);
    if (signal.aborted) return failed({ kind: "canceled", source });
    try {
      const answer = await withDeadline(
        clock,
        callTimeoutMs,
        signal,
        async (deadline) =>
          await rpc.call(method, request, { signal: deadline, timeoutMs: callTimeoutMs, messageBytesMax }),
      );
      received.add(answer.length);
      const decoded = decode(answer);
      return decoded.ok ? decoded : failed({ kind: "corrupt", source, reason: formatWireFailure(decoded.failure) });
    } catch (error) {
      return failed(failureOfCall(error, { source, signal, timeoutMs: callTimeoutMs }));
    }
  }

  async function labels(
    method: string,
    request: Uint8Array,
    signal: AbortSignal,
  ): Promise<Result<LabelsAnswer, SourceFailure>> {
    const answer = await call(method, request, decodeLabelTexts, signal, timeoutMs);
    if (!answer.ok) return answer;
    const warnings = createWarningList();
    for (const warning of answer.value.warnings) warnings.add(warning);
    return ok({ values: sortedTexts(answer.value.texts), warnings: warnings.texts() });
  }

  return {
    address,
    monitoring: createMonitoringClient(rpc, clock, {
      ...options,
      alertStateNumbers: options.alertStateNumbers ?? "since-0.41",
      received: (bytes) => received.add(bytes),
    }),
    select(request, signal) {
      requests.add(1, seriesMethod);
      const stream = openSeriesStream(rpc, request, signal, { ...options, labelTable }, clock, {
        received: (bytes) => received.add(bytes),
        failed: (failure) => failures.add(1, seriesMethod, failure.kind),
      });
      return removesReplicaLabels || request.withoutLabels.length === 0
        ? stream
        : removeReplicaLabels(stream, new Set(request.withoutLabels));
    },
    labelNames: (request, signal) =>
      labels(labelNamesMethod, encodeLabelNamesRequest(messageOfLabels(request)), signal),
    labelValues: (label, request, signal) =>
      labels(labelValuesMethod, encodeLabelValuesRequest({ label, ...messageOfLabels(request) }), signal),
    async info(signal, infoTimeoutMs = timeoutMs) {
      const answer = await call(infoMethod, encodeInfoRequest(), decodeInfoResponse, signal, infoTimeoutMs);
      if (!answer.ok) return answer;
      const { componentType, labelSets, store, capabilities } = answer.value;
      evaluates = capabilities.query;
      const serves = servicesOf(capabilities);
      if (store === undefined) {
        // A ruler that sends its samples away has none itself, and says so from the start. Any other is not ready.
        const tellsOnly = componentType === "rule" && serves.includes("rules") && !hadStore;
        const times = tellsOnly ? noTime : anyTime;
        return ok({ componentType, labelSets, ...times, tsdbInfos: [], ready: tellsOnly, serves });
      }
      hadStore = true;
      removesReplicaLabels = store.supportsWithoutReplicaLabels;
      const { minTimeMs, maxTimeMs, tsdbInfos } = store;
      return ok({ componentType, labelSets, minTimeMs, maxTimeMs, tsdbInfos, ready: true, query: evaluates, serves });
    },
    async evaluate(request, signal, silenceMs = timeoutMs) {
      if (evaluates === undefined || evaluates === "none") {
        return fail({ kind: "refused", reason: "it does not evaluate" });
      }
      const method = "evaluate";
      requests.add(1, method);
      const { responseBytesMax, seriesMax } = options;
      const limits = { name: source, address, silenceMs, messageBytesMax, responseBytesMax, seriesMax };
      const answer = await callQuery(rpc, request, evaluates, signal, limits, clock, (bytes) => received.add(bytes));
      if (!answer.ok) failures.add(1, method, answer.failure.kind);
      return answer;
    },
    sharedCall() {
      const name = evaluates === "exact" && options.connection === undefined ? rpc.listener?.() : undefined;
      if (name === undefined || rpc.streamEach === undefined) return undefined;
      const method = "evaluate";
      const { responseBytesMax, seriesMax } = options;
      return {
        // One that claims to be of a process elsewhere is not asked in its place.
        process: `${address.slice(0, address.lastIndexOf(":"))} ${name.process}`,
        listener: name.listener,
        stream: rpc.streamEach,
        options: { name: source, address, messageBytesMax, responseBytesMax, seriesMax },
        received: (bytes) => received.add(bytes),
        ended(result) {
          requests.add(1, method);
          if (!result.ok) failures.add(1, method, result.failure.kind);
        },
      };
    },
    close: () => rpc.close(),
  };
}

/**
 * Series that are decoded at once, where messages hold fewer. A merge waits for the slowest of many streams: what the
 * others gave is better kept as the bytes of messages than as objects that every collection copies.
 */
const batchSeriesMin = 64;
const noMessages: readonly Uint8Array[] = [];

interface StreamObserver {
  received(bytes: number): void;
  failed(failure: SourceFailure): void;
}

/**
 * The frames of one Series call as a cursor. A series is given when the next one has begun: until then more of its
 * chunks may come, and a stream that dies must not leave half a series that looks whole.
 */
function openSeriesStream(
  rpc: RpcClient,
  request: SelectRequest,
  signal: AbortSignal,
  options: StoreClientOptions & { readonly labelTable: LabelTable },
  clock: Ports["clock"],
  observer: StreamObserver,
): StoreCursor {
  const { name: source, timeoutMs, messageBytesMax, responseBytesMax, seriesMax } = options;
  const reader = createSeriesFrameReader(options.labelTable);
  const warnings = createWarningList();
  const ending = new AbortController();
  const follow = () => ending.abort(signal.reason);
  const waits = createWaitBudget(clock, timeoutMs, ending);
  let iterator: AsyncIterator<readonly Uint8Array[]> | undefined;
  let unread: readonly Uint8Array[] = noMessages; // messages that came and that nobody has asked for yet
  let unreadAt = 0;
  let pending: SourceSeries | undefined; // the last series read, to which more chunks may come
  let failure: SourceFailure | undefined;
  let ended = false;
  let receivedBytes = 0;
  let seriesCount = 0;

  function end(cause?: SourceFailure): undefined {
    if (ended) return undefined;
    ended = true;
    failure = cause;
    if (cause !== undefined) observer.failed(cause);
    pending = undefined;
    unread = noMessages;
    waits.end();
    signal.removeEventListener("abort", follow);
    ending.abort(streamEnded);
    // Leaving the iteration frees what the transport holds for the call; a call that was cut may refuse it.
    iterator?.return?.().then(undefined, () => undefined);
    return undefined;
  }

  function start(): AsyncIterator<readonly Uint8Array[]> {
    const message = encodeSeriesRequest(messageOfSelect(request, responseBatchSize));
    if (signal.aborted) follow();
    else signal.addEventListener("abort", follow, { once: true });
    const callOptions = {
      signal: ending.signal,
      // The peer's own limit counts the pauses too in which nothing is read from it.
      timeoutMs: 2 * timeoutMs,
      messageBytesMax,
    };
    return rpc.stream(seriesMethod, message, callOptions)[Symbol.asyncIterator]();
  }

  /** Messages that came together; undefined at the end of the stream, and after a failure, which ends the cursor. */
  async function pull(): Promise<readonly Uint8Array[] | undefined> {
    waits.begin();
    try {
      iterator ??= start();
      const step = await iterator.next();
      return step.done === true ? undefined : step.value;
    } catch (error) {
      if (waits.exceeded) return end({ kind: "timeout", source, afterMs: timeoutMs });
      return end(failureOfCall(error, { source, signal, timeoutMs: 2 * timeoutMs }));
    } finally {
      waits.pause();
    }
  }

  /** Takes messages that came together; the failure that their size is. */
  function receive(messages: readonly Uint8Array[]): SourceFailure | undefined {
    let bytes = 0;
    for (const message of messages) bytes += message.length;
    receivedBytes += bytes;
    observer.received(bytes);
    unread = messages;
    unreadAt = 0;
    return receivedBytes > responseBytesMax ? { kind: "limit", source, of: "bytes", max: responseBytesMax } : undefined;
  }

  /** Reads about as many series as are wanted at once; the failure that a message is. */
  function read(frames: SeriesFrames): SourceFailure | undefined {
    while (unreadAt < unread.length && frames.series.length < batchSeriesMin) {
      const malformed = reader.read(unread[unreadAt++] as Uint8Array, frames);
      if (malformed !== undefined) return { kind: "corrupt", source, reason: formatWireFailure(malformed) };
    }
    if (unreadAt === unread.length) unread = noMessages;
    return undefined;
  }

  /** Moves all series that are complete to `complete`; the failure that their order is. */
  function arrange(frames: SeriesFrames, complete: SourceSeries[]): SourceFailure | undefined {
    for (const next of frames.series) {
      const one = areSortedChunks(next.chunks) ? next : { ...next, chunks: [...next.chunks].sort(compareChunks) };
      if (pending === undefined) pending = one;
      else {
        const order = compareLabels(pending.labels, one.labels);
        if (order < 0) {
          complete.push(pending);
          pending = one;
        } else if (order === 0) {
          pending = { labels: pending.labels, chunks: uniteChunks(pending.chunks, one.chunks) };
          continue;
        } else {
          // Merging such a stream would give some series twice, each with a part of its samples.
          const reason = `series out of order: ${formatLabels(one.labels)} after ${formatLabels(pending.labels)}`;
          return { kind: "corrupt", source, reason };
        }
      }
      if (++seriesCount > seriesMax) return { kind: "limit", source, of: "series", max: seriesMax };
    }
    return undefined;
  }

  return {
    get failure() {
      return failure;
    },
    get warnings() {
      return warnings.texts();
    },
    get receivedBytes() {
      return receivedBytes;
    },
    async next() {
      while (!ended) {
        if (signal.aborted) return end({ kind: "canceled", source });
        if (unread.length === 0) {
          const messages = await pull();
          if (ended) return undefined; // by a failure, or closed while waiting
          if (messages === undefined) {
            const last = pending;
            end();
            return last === undefined ? undefined : [last];
          }
          const tooMuch = receive(messages);
          if (tooMuch !== undefined) return end(tooMuch);
        }
        const frames: SeriesFrames = { series: [], warnings: [], hints: [] };
        const complete: SourceSeries[] = [];
        const cause = read(frames) ?? arrange(frames, complete);
        for (const warning of frames.warnings) warnings.add(warning);
        if (cause !== undefined) return end(cause);
        if (complete.length > 0) return complete;
      }
      return undefined;
    },
    close() {
      end();
    },
  };
}

/** The time that a reader has waited, as opposed to the time since it began. Past the budget the call is aborted. */
interface WaitBudget {
  begin(): void;
  pause(): void;
  readonly exceeded: boolean;
  end(): void;
}

function createWaitBudget(clock: Ports["clock"], budgetMs: number, call: AbortController): WaitBudget {
  const ending = new AbortController();
  let waitedMs = 0;
  let waitingSinceMs: number | undefined;
  let watching = false;
  let exceeded = false;
  const leftMs = () => budgetMs - waitedMs - (waitingSinceMs === undefined ? 0 : clock.monotonicMs() - waitingSinceMs);

  async function watch() {
    // One timer for many waits: it wakes when the budget could be used up, and mostly finds that it is not.
    for (let left = leftMs(); left > 0; left = leftMs()) {
      try {
        await clock.sleep(Math.max(1, left), ending.signal);
      } catch {
        return; // ended
      }
    }
    exceeded = true;
    call.abort(new DOMException("the peer took too long", "TimeoutError"));
  }

  return {
    get exceeded() {
      return exceeded;
    },
    begin() {
      waitingSinceMs = clock.monotonicMs();
      if (watching) return;
      watching = true;
      void watch();
    },
    pause() {
      if (waitingSinceMs !== undefined) waitedMs += clock.monotonicMs() - waitingSinceMs;
      waitingSinceMs = undefined;
    },
    end() {
      ending.abort(streamEnded);
    },
  };
}

/** For a peer that cannot do it itself: the whole answer is collected, stripped and sorted anew. */
function removeReplicaLabels(cursor: StoreCursor, names: ReadonlySet<string>): StoreCursor {
  let collected = false;
  return {
    get failure() {
      return cursor.failure;
    },
    get warnings() {
      return cursor.warnings;
    },
    get receivedBytes() {
      return cursor.receivedBytes;
    },
    async next() {
      if (collected) return undefined;
      collected = true;
      const all: SourceSeries[] = [];
      for (let batch = await cursor.next(); batch !== undefined; batch = await cursor.next()) {
        for (const { labels, chunks } of batch) all.push({ labels: withoutLabels(labels, names), chunks });
      }
      if (cursor.failure !== undefined || all.length === 0) return undefined;
      all.sort((a, b) => compareLabels(a.labels, b.labels));
      return uniteNeighbours(all);
    },
    close: () => cursor.close(),
  };
}

/** Sorted, each once: most peers send them so, but a wrong order costs nothing to repair here. */
function sortedTexts(texts: readonly string[]): readonly string[] {
  for (let i = 1; i < texts.length; i++) {
    if (compareText(texts[i - 1] as string, texts[i] as string) >= 0) return [...new Set(texts)].sort(compareText);
  }
  return texts;
}
