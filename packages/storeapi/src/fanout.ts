/**
 * Many StoreAPI servers as one SeriesSource. What the inventory expects and what did not answer is named in a warning:
 * an answer is whole, or says that it is not.
 */
import {
  compareText,
  emptyLabels,
  fail,
  labelsKey,
  ok,
  type EvaluatingSource,
  type Labels,
  type LabelsAnswer,
  type LabelsRequest,
  type Matcher,
  type MonitoringSource,
  type Result,
  type SelectRequest,
  type SeriesCursor,
  type SeriesSource,
  type SourceFailure,
} from "@pleiad/model";
import { childAbort, type ChildAbort } from "@pleiad/ports";
import { createLabelTable } from "@pleiad/wire";
import { blocksCover } from "./announced-ranges.ts";
import type { Endpoint, EndpointSpec, EndpointStatus } from "./endpoint.ts";
import { createEndpointSet, type Inventory } from "./endpoint-set.ts";
import { monitoringFanout } from "./monitoring-fanout.ts";
import { createMissingReport, missingClusterCount, type MissingReport } from "./missing-report.ts";
import { compileQuestion, concernsStore, growthMs, type Question } from "./question.ts";
import { partitionFanout } from "./fanout-partition.ts";
import { gatherQueries } from "./query-gathering.ts";
import { concernedClusters, missingClusters, type Assignment, type ReplicaSet } from "./replica-set.ts";
import { openReplicaStream, type ReplicaStream } from "./replica-stream.ts";
import { askAll, type AskedReplicas, type UnaryFanoutParts } from "./unary-fanout.ts";
import { mergeSeries, type SeriesMerge } from "./series-merge.ts";
import { createStoreClient, type StoreClientPorts } from "./store-client.ts";
import { anyTime, type StoreIdentity } from "./store-identity.ts";
import { compileStoreSelection } from "./store-selection.ts";
import { verifiedSets } from "./verified-chunks.ts";
import { createWarningList } from "./warning-list.ts";

export interface FanoutOptions {
  readonly name: string; // what failures call the fan-out as a whole
  readonly endpoints: readonly EndpointSpec[];
  readonly replicaLabels: readonly string[]; // those by which replicas of one cluster differ
  readonly infoIntervalMs: number;
  /** The interval while an endpoint is unhealthy or lacks an expected cluster, so that what comes back is soon seen. */
  readonly infoRetryMs: number;
  readonly infoTimeoutMs: number;
  /**
   * How long one request may wait for one endpoint altogether. A replica that another one can stand in for has half of
   * it for its first series, so a tier needs more than twice the time of the tier below.
   */
  readonly requestTimeoutMs: number;
  /** For how long the labels and times of an endpoint that went away still tell what it would have been asked. */
  readonly unhealthyTimeoutMs: number;
  readonly messageBytesMax: number;
  readonly responseBytesMax: number; // of one request, from all endpoints
  readonly seriesMax: number; // of one request, after the merge
  readonly batchesAheadMax: number; // read from an endpoint before the merge wants them
  readonly endpointsMax: number;
}

export const defaultFanout: Omit<FanoutOptions, "endpoints"> = {
  name: "fan-out",
  replicaLabels: [],
  infoIntervalMs: 5_000,
  infoRetryMs: 1_000,
  infoTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  unhealthyTimeoutMs: 5 * 60_000,
  messageBytesMax: 64 << 20,
  responseBytesMax: 512 << 20,
  seriesMax: 500_000,
  batchesAheadMax: 1,
  endpointsMax: 2_000,
};

export interface Fanout extends EvaluatingSource {
  /** Rules, targets, metadata and exemplars of the endpoints that tell of them. */
  readonly monitoring: Required<MonitoringSource>;
  /** Begins to check the endpoints, each on its own, at once and then every `infoIntervalMs`, or sooner. */
  start(): void;
  /** Checks every endpoint once; resolves when all have answered or failed. */
  refresh(): Promise<void>;
  /** Ends the checks and closes the connections. */
  stop(): Promise<void>;
  /**
   * Other endpoints in place of those that were: one that stays the same keeps its connection and what is known of it,
   * new ones count once they have answered or failed, requests under way end undisturbed. The failure is a sentence, and
   * changes nothing.
   */
  setEndpoints(specs: readonly EndpointSpec[]): Promise<Result<undefined, string>>;
  endpoints(): readonly EndpointStatus[];
  inventory(): Inventory;
  /** The same over those endpoints only that at least one of the selectors matches; the failure is a sentence. */
  ofStores(selectors: readonly (readonly Matcher[])[]): Result<EvaluatingSource, string>;
  /** Likewise, of all endpoints where there is no selector: one that sends a damaged chunk fails, and is named. */
  ofVerifiedStores(selectors: readonly (readonly Matcher[])[]): Result<EvaluatingSource, string>;
  /** What a querier over this fan-out says of itself to those above. */
  identity(): StoreIdentity;
}

export function createFanout(options: FanoutOptions, ports: StoreClientPorts): Fanout {
  const { clock, observations } = ports;
  const { name: source } = options;
  const labelTable = createLabelTable();
  const set = createEndpointSet(
    options.endpoints,
    {
      ...options,
      connect: ({ address, name: endpointName, connection, alertStateNumbers }) =>
        createStoreClient(address, ports, {
          name: endpointName,
          timeoutMs: options.requestTimeoutMs,
          messageBytesMax: options.messageBytesMax,
          responseBytesMax: options.responseBytesMax,
          seriesMax: options.seriesMax,
          labelTable,
          ...(connection === undefined ? {} : { connection }),
          ...(alertStateNumbers === undefined ? {} : { alertStateNumbers }),
        }),
    },
    ports,
  );
  const queries = gatherQueries(clock);
  let turn = 0;

  const requests = observations.counter("pleiad_fanout_requests_total", "Requests to the fan-out.", ["method"]);
  const partialAnswers = observations.counter(
    "pleiad_fanout_partial_total",
    "Requests whose answer lacked something that was expected.",
    ["method"],
  );
  const failures = observations.counter("pleiad_fanout_failures_total", "Requests without an answer, by kind.", [
    "method",
    "kind",
  ]);
  /** Who is to be asked. The order of replicas turns from request to request, the ones that see most first. */
  function assign(set: ReplicaSet, question: Question, sets: readonly ReplicaSet[]): Assignment {
    const inTime = set.endpoints.some(
      ({ identity }) => identity === undefined || identity.minTimeMs <= question.maxTimeMs,
    );
    if (!inTime) return { kind: "not-concerned" };
    const healthy = set.endpoints.filter((endpoint) => endpoint.healthy);
    if (healthy.length === 0) {
      const clusters = concernedClusters(set, question);
      if (clusters.length === 0 && !set.endpoints.some((endpoint) => wouldBeAsked(endpoint, question))) {
        return { kind: "not-concerned" };
      }
      if (isInBlocks(set, question, sets, clock.wallMs())) return { kind: "not-concerned" };
      return { kind: "missing", clusters, troubles: set.endpoints.map((endpoint) => endpoint.trouble()) };
    }
    const concerned = healthy.filter(
      (endpoint) => isExpectedToKnow(endpoint, question) || announcesSome(endpoint, question),
    );
    const notAnnounced = missingClusters(set, Math.min(question.maxTimeMs, clock.wallMs()))
      .filter(({ labels }) => question.couldMatch(labels))
      .map(({ name }) => name);
    // Where something expected is missing, the replica is asked even if it has nothing: it can say why.
    const replicas = concerned.length === 0 && notAnnounced.length > 0 ? healthy : concerned;
    if (replicas.length === 0) return { kind: "not-concerned" };
    const turned = replicas.map((_, i) => replicas[(i + turn) % replicas.length] as Endpoint);
    turned.sort((a, b) => a.missing.length - b.missing.length);
    return { kind: "ask", replicas: turned, notAnnounced };
  }

  function assignAll(sets: readonly ReplicaSet[], question: Question, report: MissingReport): readonly AskedReplicas[] {
    turn++;
    const asked: AskedReplicas[] = [];
    for (const set of sets) {
      const assignment = assign(set, question, sets);
      if (assignment.kind === "missing") report.missing({ ...set, ...assignment });
      else if (assignment.kind === "ask") asked.push({ set, ...assignment });
    }
    return asked;
  }

  /** Tells of expected clusters that a replica set answered without, unless its own warnings do. */
  function reportNotAnnounced(
    { set, replicas, notAnnounced }: AskedReplicas,
    warnings: readonly string[],
    report: MissingReport,
  ) {
    if (notAnnounced.length === 0 || missingClusterCount(warnings) >= notAnnounced.length) return;
    const troubles = replicas.slice(0, 1).map(({ spec }) => ({ words: "not announced by", address: spec.address }));
    report.missing({ ...set, clusters: notAnnounced, troubles });
  }

  const unary: UnaryFanoutParts = { ...options, clock, assign: assignAll, reportNotAnnounced };

  /** Under "abort": the failure that what is missing amounts to. */
  function missingFailure(report: MissingReport): SourceFailure | undefined {
    const [first] = report.texts();
    return first === undefined ? undefined : { kind: "unavailable", source, reason: first };
  }

  function select(sets: readonly ReplicaSet[], request: SelectRequest, signal: AbortSignal): SeriesCursor {
    const method = "select";
    const report = createMissingReport();
    const warnings = createWarningList();
    let whole: ChildAbort | undefined;
    let streams: readonly ReplicaStream[] = [];
    let asked: readonly AskedReplicas[] = [];
    let question: Question | undefined;
    let merge: SeriesMerge | undefined;
    let seriesLeft = request.seriesMax === 0 ? Infinity : request.seriesMax;
    let failure: SourceFailure | undefined;
    let ended = false;
    requests.add(1, method);

    function end(cause?: SourceFailure): undefined {
      if (ended) return undefined;
      ended = true;
      failure = cause;
      if (cause !== undefined) failures.add(1, method, cause.kind);
      for (const stream of streams) stream.close();
      whole?.abort(selectEnded);
      whole?.end();
      return undefined;
    }

    /** Opens the streams; the failure that keeps the request from beginning. */
    function begin(): SourceFailure | undefined {
      const compiled = compileQuestion(request, source);
      if (!compiled.ok) return compiled.failure;
      question = compiled.value;
      asked = assignAll(sets, question, report);
      if (request.onFailure === "abort") {
        const missing = missingFailure(report);
        if (missing !== undefined) return missing;
      }
      whole = childAbort(signal);
      const { signal: ownSignal } = whole;
      streams = asked.map(({ replicas }) =>
        openReplicaStream(replicas, request, ownSignal, clock, {
          batchesAheadMax: options.batchesAheadMax,
          firstAnswerMs: options.requestTimeoutMs / 2,
        }),
      );
      merge = mergeSeries(streams, {
        source,
        seriesMax: options.seriesMax,
        bytesMax: options.responseBytesMax,
        onFailure: request.onFailure,
      });
      return undefined;
    }

    /** The end, or as much as is wanted: what is missing, in words, and under "abort" as a failure. */
    function conclude(): undefined {
      for (const [i, stream] of streams.entries()) {
        const part = asked[i];
        if (part === undefined) continue;
        for (const warning of stream.warnings) warnings.add(warning);
        if (stream.failure === undefined) reportNotAnnounced(part, stream.warnings, report);
        else reportFailed(part.set, stream);
      }
      const texts = report.texts();
      for (const text of texts) warnings.add(text);
      if (texts.length > 0 && request.onFailure === "warn") partialAnswers.add(1, method);
      return end(request.onFailure === "abort" ? missingFailure(report) : undefined);
    }

    function reportFailed(set: ReplicaSet, stream: ReplicaStream) {
      const clusters = question === undefined ? [] : concernedClusters(set, question);
      const part = { ...set, clusters, troubles: stream.troubles };
      if (stream.gaveSeries) report.incomplete(part);
      else report.missing(part);
    }

    return {
      get failure() {
        return failure;
      },
      get warnings() {
        return warnings.texts();
      },
      async next() {
        if (ended) return undefined;
        if (signal.aborted) return end({ kind: "canceled", source });
        if (merge === undefined) {
          const cause = begin();
          if (cause !== undefined) return end(cause);
        }
        const batch = await merge?.next();
        if (ended) return undefined; // closed while waiting
        if (signal.aborted) return end({ kind: "canceled", source });
        if (merge?.failure !== undefined) return end(merge.failure);
        if (batch === undefined) return conclude();
        if (batch.length < seriesLeft) {
          seriesLeft -= batch.length;
          return batch;
        }
        conclude();
        return batch.slice(0, seriesLeft);
      },
      close() {
        end();
      },
    };
  }

  async function labels(
    sets: readonly ReplicaSet[],
    method: string,
    request: LabelsRequest,
    signal: AbortSignal,
    ask: (endpoint: Endpoint, signal: AbortSignal) => Promise<Result<LabelsAnswer, SourceFailure>>,
  ): Promise<Result<LabelsAnswer, SourceFailure>> {
    requests.add(1, method);
    const failing = (failure: SourceFailure) => {
      failures.add(1, method, failure.kind);
      return fail(failure);
    };
    const question = compileQuestion(request, source);
    if (!question.ok) return failing(question.failure);
    const found = await askAll(unary, { sets, question: question.value, onFailure: request.onFailure, ask }, signal);
    if (!found.ok) return failing(found.failure);
    const { answers, warnings, isPartial } = found.value;
    if (isPartial) partialAnswers.add(1, method);
    const values = new Set<string>();
    for (const answer of answers) for (const value of answer.values) values.add(value);
    const sorted = [...values].sort(compareText);
    return ok({ values: request.limit > 0 ? sorted.slice(0, request.limit) : sorted, warnings });
  }

  const sourceOf = (sets: () => readonly ReplicaSet[]): SeriesSource => ({
    select: (request, signal) => select(sets(), request, signal),
    labelNames: (request, signal) =>
      labels(sets(), "label_names", request, signal, (endpoint, whole) => endpoint.client.labelNames(request, whole)),
    labelValues: (label, request, signal) =>
      labels(sets(), "label_values", request, signal, (endpoint, whole) =>
        endpoint.client.labelValues(label, request, whole),
      ),
  });

  const evaluatingSourceOf = (sets: () => readonly ReplicaSet[]): EvaluatingSource => ({
    ...sourceOf(sets),
    partition: (request) =>
      partitionFanout(
        {
          name: source,
          sets: sets(),
          assign,
          sourceOf: (some) => sourceOf(() => some),
          queries,
          silenceMs: { first: options.requestTimeoutMs / 2, last: options.requestTimeoutMs },
        },
        request,
      ),
  });

  return {
    ...evaluatingSourceOf(() => set.replicaSets),
    ofStores(selectors) {
      const selection = compileStoreSelection(selectors);
      return selection.ok ? ok(evaluatingSourceOf(() => selection.value(set.replicaSets))) : selection;
    },
    ofVerifiedStores(selectors) {
      const selection = selectors.length === 0 ? undefined : compileStoreSelection(selectors);
      if (selection?.ok === false) return selection;
      return ok(evaluatingSourceOf(() => verifiedSets(selection?.value(set.replicaSets) ?? set.replicaSets)));
    },
    monitoring: monitoringFanout({
      ...unary,
      sets: () => set.replicaSets,
      responseBytesMax: options.responseBytesMax,
      observe(service, outcome) {
        requests.add(1, service);
        if (outcome === "partial") partialAnswers.add(1, service);
        else if (outcome !== "whole") failures.add(1, service, outcome);
      },
    }),
    start: () => set.start(),
    refresh: () => set.refresh(),
    stop: () => set.stop(),
    setEndpoints: (specs) => set.replace(specs),
    endpoints: () => set.endpoints.map((endpoint) => endpoint.status()),
    inventory: () => set.inventory(),
    identity: () => identityOf(set.endpoints),
  };
}

/** Why streams are aborted at the end of a select. Made once: the stack of each would cost more than the abort. */
const selectEnded = new DOMException("the select has ended", "AbortError");

/**
 * Whether a cluster that the question is about is expected through the endpoint. It is asked then, whatever times it announces: where
 * the cluster's agent is away and only its blocks in the bucket are announced, it says that the newer samples are missing.
 */
function isExpectedToKnow({ identity, spec }: Endpoint, question: Question): boolean {
  if (identity === undefined || identity.minTimeMs > question.maxTimeMs) return false;
  return spec.expects.some(({ labels }) => question.couldMatch(labels));
}

function announcesSome({ identity, identityAgeMs }: Endpoint, question: Question): boolean {
  return identity !== undefined && concernsStore(question, identity, identityAgeMs);
}

/**
 * Whether healthy endpoints announce blocks of all that replicas that are away could have, as of old samples. They are asked, and what
 * they do not answer is missing for their own sake.
 */
function isInBlocks(away: ReplicaSet, question: Question, sets: readonly ReplicaSet[], nowMs: number): boolean {
  if (question.maxTimeMs + growthMs >= nowMs) return false; // there are none yet
  const others = sets.flatMap(({ endpoints }) => endpoints.filter(({ healthy }) => healthy));
  const identities = others.flatMap(({ identity }) => identity ?? []);
  return away.endpoints.every(({ identity, expectsReplicas }) => {
    const minTimeMs = Math.max(question.minTimeMs, identity?.minTimeMs ?? -Infinity);
    const held = [...expectsReplicas.map(({ labels }) => labels), ...(identity?.labelSets ?? [])];
    const concerned = held.filter((labels) => question.couldMatch(labels));
    return (
      concerned.length > 0 &&
      concerned.every((labels) => blocksCover(identities, labels, { ...question, minTimeMs }, nowMs))
    );
  });
}

/** Whether an endpoint that is away would have been asked for more than the clusters that are expected through it. */
function wouldBeAsked({ identity, spec }: Endpoint, question: Question): boolean {
  if (identity === undefined || (identity.labelSets.length === 0 && identity.tsdbInfos.length === 0)) {
    return spec.expects.length === 0;
  }
  // Its newest sample is not known any more: only its oldest one tells.
  const { maxTimeMs } = anyTime;
  const tsdbInfos = identity.tsdbInfos.map((one) => ({ ...one, maxTimeMs }));
  return concernsStore(question, { ...identity, maxTimeMs, tsdbInfos }, 0);
}

/**
 * A cluster whose newest samples lie with its agent and whose older ones in the bucket is one database to those above: all of
 * it is read here. Told apart, a querier of Thanos that evaluates at its leaves would take the later beginning for that of
 * all the cluster's samples, and not ask for the older ones.
 */
function inOneRange(one: TsdbInfo, other: TsdbInfo): TsdbInfo {
  const minTimeMs = Math.min(one.minTimeMs, other.minTimeMs);
  return { ...one, minTimeMs, maxTimeMs: Math.max(one.maxTimeMs, other.maxTimeMs) };
}

type TsdbInfo = StoreIdentity["tsdbInfos"][number];

function identityOf(endpoints: readonly Endpoint[]): StoreIdentity {
  const healthy = endpoints.filter((endpoint) => endpoint.healthy).flatMap(({ identity }) => identity ?? []);
  const labelSets = new Map<string, Labels>();
  const tsdbInfos = new Map<string, TsdbInfo>();
  // A store without a block, say, holds nothing: it announces no labels, and a range of time that is empty.
  const holding = healthy.filter(({ minTimeMs, maxTimeMs }) => minTimeMs <= maxTimeMs);
  for (const identity of holding) {
    // One that announces nothing may hold anything: the empty set keeps those above from passing us over.
    const sets = identity.labelSets.length === 0 ? [emptyLabels] : identity.labelSets;
    for (const labels of sets) labelSets.set(labelsKey(labels), labels);
    for (const one of identity.tsdbInfos) {
      const key = labelsKey(one.labels);
      const known = tsdbInfos.get(key);
      tsdbInfos.set(key, known === undefined ? one : inOneRange(known, one));
    }
  }
  const times =
    healthy.length === 0
      ? anyTime
      : {
          minTimeMs: healthy.reduce((least, { minTimeMs }) => Math.min(least, minTimeMs), Infinity),
          maxTimeMs: healthy.reduce((most, { maxTimeMs }) => Math.max(most, maxTimeMs), -Infinity),
        };
  // Those above judge by the databases where there are any: all of them are told, or none.
  const allTell = holding.every((identity) => identity.tsdbInfos.length > 0);
  return {
    componentType: "query",
    labelSets: [...labelSets.values()],
    ...times,
    tsdbInfos: allTell ? [...tsdbInfos.values()] : [],
  };
}
