/**
 * Series from the blocks of a bucket that are one shard's. The list of blocks is read again and again; a question works on
 * the list as it stood when it began, and holds what it reads. See docs/format/bucket.md for what readers rely on.
 */
import {
  compileBlockSelector,
  createBlockLister,
  createSharedCache,
  defaultBlockLister,
  mergeSources,
  type BlockListing,
  type BlockMeta,
  type ReadRuns,
  type SelectorRule,
  type TouchedKind,
} from "@pleiad/blocks";
import {
  compileMatcher,
  fail,
  formatMatcher,
  labelsToRecord,
  labelValue,
  ok,
  type Labels,
  type LabelsAnswer,
  type LabelsRequest,
  type Matcher,
  type Result,
  type SelectRequest,
  type SeriesSource,
  type SourceFailure,
  type ValueTest,
} from "@pleiad/model";
import { withDeadline, type Bucket, type Ports } from "@pleiad/ports";
import {
  blocksOfTime,
  groupBlockSets,
  planReads,
  planSuccessors,
  resolutionOf,
  uncut,
  type BlockSet,
  type PlannedRead,
} from "./block-plan.ts";
import { blockSource, type HeldBlocks, type ReadContext, type Succession } from "./block-read.ts";
import { createBucketReads, orAborted, type BucketReadOptions } from "./bucket-reads.ts";
import { coverageOf, type Coverage } from "./coverage.ts";
import { fetchAhead } from "./fetch-ahead.ts";
import { Gate } from "./gate.ts";
import { HeaderFolder } from "./header-folder.ts";
import { HeldBlock, type HeldBlockOptions } from "./held-block.ts";
import { KeptFiles } from "./kept-files.ts";
import { KeptMetas } from "./kept-metas.ts";
import { boundedWarnings, QuestionCursor, QuestionRun, type QuestionContext } from "./question-cursor.ts";
import { Question, type QuestionLimits } from "./question.ts";
import {
  timeWindowOf,
  viewShard,
  type BlockState,
  type ShardOptions,
  type TimeBound,
  type TimeWindow,
} from "./shard-view.ts";
import { storeMetrics } from "./store-metrics.ts";
import { createTextPool } from "./text-pool.ts";

export interface BucketStoreOptions {
  /** Names the store in failures. */
  readonly name: string;
  /** For index headers and small files of blocks; absolute, for this store alone. */
  readonly directory: string;
  /** Which blocks are this shard's: Thanos's `selector.relabel-config`. */
  readonly rules: readonly SelectorRule[];
  /** Only this time is served, of blocks that reach beyond it too. */
  readonly minTime: TimeBound | undefined;
  readonly maxTime: TimeBound | undefined;
  readonly ignoreDeletionMarksDelayMs: number;
  readonly blocksMax: number; // of the whole bucket
  readonly syncIntervalMs: number;
  readonly syncTimeoutMs: number;
  /** Blocks that rest so long are closed. */
  readonly idleMs: number;
  /** What all blocks keep together: postings, series, chunks. */
  readonly cacheBytesMax: number;
  /** What the tables of open blocks may take beside: over it, those that rest longest are closed. */
  readonly tableBytesMax: number;
  /** What small files of blocks may take on the local disk; 0: none are kept. */
  readonly keptBytesMax: number;
  /** What the files meta.json of all blocks of the bucket may take there; 0: none are kept. */
  readonly metaBytesMax: number;
  /** Files up to this size are fetched as a whole, by one request, and kept. */
  readonly keptFileBytesMax: number;
  /** How many blocks have their small files fetched at once before anybody asks for them; 0: none. */
  readonly aheadAtOnceMax: number;
  readonly questionsAtOnceMax: number;
  readonly opensAtOnceMax: number;
  readonly limits: QuestionLimits;
  readonly reads: BucketReadOptions;
  readonly readRuns: ReadRuns;
  /** For names and values of labels, which blocks of one stream share. */
  readonly textBytesMax: number;
}

const minuteMs = 60_000;
const mebibyte = 1024 * 1024;

/** Thanos's defaults where it has them; where it has no bound, one that no dashboard comes near. */
export const defaultBucketStore: Omit<BucketStoreOptions, "name" | "directory"> = {
  rules: [],
  minTime: undefined,
  maxTime: undefined,
  ignoreDeletionMarksDelayMs: 24 * 60 * minuteMs,
  blocksMax: defaultBlockLister.blocksMax,
  syncIntervalMs: 3 * minuteMs,
  syncTimeoutMs: 5 * minuteMs,
  idleMs: 5 * minuteMs,
  cacheBytesMax: 512 * mebibyte,
  tableBytesMax: 512 * mebibyte,
  keptBytesMax: 1024 * mebibyte,
  metaBytesMax: 256 * mebibyte,
  // As much as is read for nothing where it spares a request.
  keptFileBytesMax: mebibyte / 2,
  aheadAtOnceMax: 4,
  questionsAtOnceMax: 20,
  opensAtOnceMax: 20,
  limits: { seriesMax: 2_000_000, samplesMax: 2_000_000_000, bytesMax: 8 * 1024 * mebibyte },
  reads: { readsAtOnceMax: 64, readTimeoutMs: minuteMs, readAttemptsMax: 3 },
  readRuns: { windowBytes: 32 * 1024, gapBytesMax: mebibyte / 2, runBytesMax: 16 * mebibyte },
  textBytesMax: 64 * mebibyte,
};

export type BucketStorePorts = Pick<Ports, "clock" | "files" | "observations" | "random">;

/** A block that is served, for people. */
export interface ServedBlock {
  readonly ulid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly resolutionMs: number;
  readonly level: number;
  readonly seriesCount: number;
  readonly isOpen: boolean;
}

export interface BucketStoreStatus {
  readonly lastSyncMs: number | undefined; // wall time
  readonly lastSyncFailure: string | undefined;
  readonly blocks: readonly ServedBlock[];
  /** All blocks of the bucket, by what this shard makes of them. */
  readonly states: Readonly<Partial<Record<BlockState, number>>>;
  readonly cacheBytes: number;
  readonly tableBytes: number;
}

export interface BucketStore extends SeriesSource {
  /** Begins to read the list of blocks, now and then for ever. */
  start(): void;
  /** Reads it now; the failure is a reason for people. Calls at the same time share one reading. */
  refresh(): Promise<Result<void, string>>;
  ready(): { readonly ready: boolean; readonly reason?: string };
  coverage(): Coverage;
  status(): BucketStoreStatus;
  stop(): Promise<void>;
}

interface PlannedQuestion {
  readonly source: SeriesSource;
  readonly blockCount: number;
  readonly warnings: readonly string[];
}

/** The blocks as one reading of the list told. */
interface StoreView {
  readonly held: HeldBlocks;
  readonly sets: readonly BlockSet[];
  readonly states: ReadonlyMap<BlockState, number>;
  readonly sinceMs: number; // on the monotonic clock
}

const emptyView: StoreView = { held: new Map(), sets: [], states: new Map(), sinceMs: 0 };
/** In the directory, beside a folder of each block. */
const keptFolder = "kept-files";
const metaFolder = "kept-metas";
const firstRetryMs = 5_000;
/** A list that could not be read so often in a row is told to be old. */
const syncsMissedMax = 3;

/** The failure tells which option is wrong. */
export function createBucketStore(
  bucket: Bucket,
  options: BucketStoreOptions,
  ports: BucketStorePorts,
): Result<BucketStore, string> {
  const { name, rules, minTime, maxTime, ignoreDeletionMarksDelayMs, syncIntervalMs, idleMs } = options;
  const { clock, files, observations, random } = ports;
  const isSelected = compileBlockSelector({ rules, minTimeMs: undefined, maxTimeMs: undefined });
  if (!isSelected.ok) return isSelected;
  const shard: ShardOptions = { isSelected: isSelected.value, minTime, maxTime, ignoreDeletionMarksDelayMs };
  const window = timeWindowOf(shard, clock.wallMs());
  if (window.minTimeMs > window.maxTimeMs) return fail("the time to serve ends before it begins");

  const metrics = storeMetrics(observations);
  metrics.gateMax.set(options.questionsAtOnceMax);
  const stopping = new AbortController();
  const metas = new KeptMetas(files, clock, {
    directory: `${options.directory}/${metaFolder}`,
    bytesMax: options.metaBytesMax,
    onWarning: (message, reason) => observations.log("warn", message, { name, reason }),
  });
  const lister = createBlockLister(bucket, { ...defaultBlockLister, blocksMax: options.blocksMax, metas });
  const headers = new HeaderFolder(files, options.directory);
  const kept = new KeptFiles(files, clock, {
    directory: `${options.directory}/${keptFolder}`,
    bytesMax: options.keptBytesMax,
    fileBytesMax: options.keptFileBytesMax,
    onWarning: (message, reason) => observations.log("warn", message, { name, reason }),
  });
  const cache = createSharedCache(options.cacheBytesMax);
  // By the signal that every read of a question carries.
  const questions = new WeakMap<AbortSignal, Question>();
  const questionContext: QuestionContext = { name, gate: new Gate(options.questionsAtOnceMax), clock, metrics };
  const heldOptions: HeldBlockOptions = {
    reads: createBucketReads(bucket, options.reads, ports),
    headers,
    kept,
    opensAtOnce: new Gate(options.opensAtOnceMax),
    open: {
      intern: createTextPool(options.textBytesMax),
      cacheBytesMax: options.cacheBytesMax,
      sharedCache: cache,
      readRuns: options.readRuns,
      watch: {
        touch(kind, count, keptCount, signal) {
          countCache(kind, count, keptCount);
          if (signal !== undefined) questions.get(signal)?.touch(kind, count, keptCount);
        },
      },
      yield: () => clock.yield(),
    },
    clock,
    metrics,
    onFetch: (byteCount, signal) => {
      if (signal !== undefined) questions.get(signal)?.fetch(byteCount);
    },
    onWarning: (message, ulid, reason) => observations.log("warn", message, { name, ulid, reason }),
    signal: stopping.signal,
  };
  let view = emptyView;
  let lastSyncMs: number | undefined;
  let lastSyncFailure: string | undefined;
  let opening: Promise<void> | undefined; // of what an earlier process left
  let refreshing: Promise<Result<void, string>> | undefined;
  const loops: Promise<void>[] = [];

  function countCache(kind: TouchedKind, count: number, keptCount: number): void {
    if (kind === "chunks") {
      metrics.bucketCacheRequests.add(count, "get_range", "chunks");
      metrics.bucketCacheHits.add(keptCount, "get_range", "chunks");
      return;
    }
    const itemType = { selection: "ExpandedPostings", postings: "Postings", series: "Series" }[kind];
    metrics.indexCacheRequests.add(count, itemType);
    metrics.indexCacheHits.add(keptCount, itemType);
  }

  async function listBlocks(): Promise<Result<BlockListing, string>> {
    try {
      const listing = await withDeadline(clock, options.syncTimeoutMs, stopping.signal, (signal) =>
        orAborted(lister.refresh(signal), signal),
      );
      return listing.ok ? listing : fail(listing.failure.message);
    } catch (error) {
      // A bucket may throw the reason of a signal.
      if (stopping.signal.aborted) return fail("the store stops");
      if (error instanceof DOMException && error.name === "TimeoutError") {
        return fail(`no list of blocks within ${options.syncTimeoutMs / 1000} s`);
      }
      throw error;
    }
  }

  async function refreshNow(): Promise<Result<void, string>> {
    const startMs = clock.monotonicMs();
    metrics.syncs.add(1);
    opening ??= metas.open();
    await opening;
    const listing = await listBlocks();
    if (!listing.ok) {
      metrics.syncFailures.add(1);
      lastSyncFailure = listing.failure;
      if (!stopping.signal.aborted) {
        observations.log("warn", "The list of blocks cannot be read.", { name, reason: listing.failure });
      }
      return listing;
    }
    for (const fault of listing.value.faults) observations.log("warn", "A mark cannot be read.", { name, fault });
    const { blocks, states } = viewShard(listing.value, clock.wallMs(), shard);
    const held = new Map<string, HeldBlock>();
    for (const [ulid, meta] of blocks) {
      const known = view.held.get(ulid);
      if (known === undefined) metrics.blockLoads.add(1);
      held.set(ulid, known ?? new HeldBlock(meta, heldOptions));
    }
    // Before anybody sees the blocks, and keeps something of them.
    if (lastSyncMs === undefined) await kept.open();
    const dropped = [...view.held].filter(([ulid]) => !held.has(ulid));
    view = { held, sets: groupBlockSets(blocks.values()), states, sinceMs: startMs };
    for (const [ulid, block] of dropped) {
      metrics.blockDrops.add(1);
      block.drop();
      await headers.remove(ulid);
    }
    if (lastSyncMs === undefined) await headers.removeOthers(held);
    if (lastSyncMs === undefined || dropped.length > 0) await kept.forgetOthers(held);
    await metas.forgetOthers(listing.value.blocks);
    lastSyncMs = clock.wallMs();
    lastSyncFailure = undefined;
    metrics.blocksLoaded.set(held.size);
    metrics.blocksLastLoaded.set(lastSyncMs / 1000);
    metrics.syncSeconds.observe((clock.monotonicMs() - startMs) / 1000);
    for (const [state, count] of states) metrics.synced.set(count, state);
    return ok(undefined);
  }

  function refresh(): Promise<Result<void, string>> {
    refreshing ??= refreshNow().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  async function keepSynced(): Promise<void> {
    for (let failures = 0; ;) {
      const outcome = await refresh();
      failures = outcome.ok ? 0 : failures + 1;
      const pauseMs = failures === 0 ? syncIntervalMs : Math.min(syncIntervalMs, firstRetryMs * 2 ** (failures - 1));
      // Up to a tenth more, so that stores that began together do not stay together.
      await clock.sleep(Math.round(pauseMs * (1 + random.float() / 10)), stopping.signal);
    }
  }

  /** After each reading of the list. */
  async function keepFetchingAhead(): Promise<void> {
    for (let seen: StoreView = emptyView; ;) {
      if (view !== seen) {
        seen = view;
        await fetchAhead(view.held.values(), options.aheadAtOnceMax, stopping.signal);
      }
      await clock.sleep(1000, stopping.signal);
    }
  }

  /** Closes blocks that rest: for long, or because the tables of all take too much room. */
  async function closeResting(): Promise<void> {
    const open = [...view.held.values()].filter(({ isOpen }) => isOpen).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
    let tableBytes = open.reduce((sum, block) => sum + block.tableBytes, 0);
    const restingSinceMs = clock.monotonicMs() - idleMs;
    for (const block of open) {
      if (block.lastUsedMs > restingSinceMs && tableBytes <= options.tableBytesMax) break;
      const held = block.tableBytes;
      if (await block.closeIfUnread()) tableBytes -= held;
    }
    metrics.cacheBytes.set(cache.heldBytes);
  }

  async function keepSwept(): Promise<void> {
    for (;;) {
      await clock.sleep(Math.max(1000, idleMs / 10), stopping.signal);
      await closeResting();
    }
  }

  function run(loop: () => Promise<void>): void {
    loops.push(
      loop().catch((error: unknown) => {
        if (stopping.signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        observations.log("error", "A loop of the store ended by a bug.", { name, reason });
      }),
    );
  }

  /** After a block was found gone. Looks at the bucket unless another question did so meanwhile. */
  async function succeed(
    gone: PlannedRead,
    maxResolutionMs: number,
    signal: AbortSignal,
  ): Promise<Succession | undefined> {
    if (view.held.has(gone.meta.ulid)) await orAborted(refresh(), signal).catch(() => {});
    const { held } = view;
    const reads = planSuccessors(
      gone,
      [...held.values()].map(({ meta }) => meta),
      maxResolutionMs,
    );
    return reads === undefined ? undefined : { reads, blocks: held };
  }

  const contextOf = ({ held }: StoreView, maxResolutionMs: number): ReadContext => ({
    blocks: held,
    metrics,
    succeed: (gone, signal) => succeed(gone, maxResolutionMs, signal),
  });

  function staleness(): readonly string[] {
    const ageMs = clock.monotonicMs() - view.sinceMs;
    if (lastSyncFailure === undefined || ageMs <= syncsMissedMax * syncIntervalMs) return [];
    return [`${name}: the list of blocks is ${Math.round(ageMs / 1000)} s old: ${lastSyncFailure}`];
  }

  /** The failure is the question's: not ready, or a matcher that is none. */
  function matchingSets(matchers: readonly Matcher[]): Result<readonly BlockSet[], SourceFailure> {
    const { ready, reason } = readiness();
    if (!ready) return fail({ kind: "unavailable", source: name, reason: reason ?? "not ready" });
    const tests: { readonly label: string; readonly test: ValueTest }[] = [];
    for (const matcher of matchers) {
      const compiled = compileMatcher(matcher);
      if (!compiled.ok) {
        const reason = `${formatMatcher(matcher)}: ${compiled.failure.reason}`;
        return fail({ kind: "invalid", source: name, reason });
      }
      tests.push({ label: matcher.name, test: compiled.value });
    }
    return ok(view.sets.filter(({ labels }) => tests.every(({ label, test }) => mayMatch(labels, label, test))));
  }

  /** The blocks as they are now, for a time that this shard serves. */
  function planSeries(request: SelectRequest): Result<PlannedQuestion, SourceFailure> {
    const sets = matchingSets(request.matchers);
    if (!sets.ok) return sets;
    const range = { ...clampedRange(request), maxResolutionMs: request.maxResolutionMs };
    const reads = sets.value.flatMap((set) => planReads(set, range));
    return ok(plannedOf(reads, request.maxResolutionMs));
  }

  function planLabels(request: LabelsRequest): Result<PlannedQuestion, SourceFailure> {
    const sets = matchingSets(request.matchers);
    if (!sets.ok) return sets;
    const { minTimeMs, maxTimeMs } = clampedRange(request);
    const reads = sets.value.flatMap((set) =>
      blocksOfTime(set, minTimeMs, maxTimeMs).map((meta) => ({ meta, minTimeMs, maxTimeMs, ...uncut })),
    );
    return ok(plannedOf(reads, Infinity));
  }

  function plannedOf(reads: readonly PlannedRead[], maxResolutionMs: number): PlannedQuestion {
    const context = contextOf(view, maxResolutionMs);
    return {
      source: mergeSources(reads.map((read) => blockSource(read, context))),
      blockCount: reads.length,
      warnings: staleness(),
    };
  }

  function clampedRange(request: TimeWindow): TimeWindow {
    const served = timeWindowOf(shard, clock.wallMs());
    return {
      minTimeMs: Math.max(request.minTimeMs, served.minTimeMs),
      maxTimeMs: Math.min(request.maxTimeMs, served.maxTimeMs),
    };
  }

  function begin(signal: AbortSignal): QuestionRun {
    const question = new Question(options.limits);
    const started = new QuestionRun(question, questionContext, signal);
    questions.set(started.signal, question);
    return started;
  }

  async function askLabels(
    request: LabelsRequest,
    signal: AbortSignal,
    ask: (source: SeriesSource, signal: AbortSignal) => Promise<Result<LabelsAnswer, SourceFailure>>,
  ): Promise<Result<LabelsAnswer, SourceFailure>> {
    const started = begin(signal);
    try {
      if (!(await started.begin())) return fail(started.canceled);
      const planned = planLabels(request);
      if (!planned.ok) return planned;
      const answer = await ask(planned.value.source, started.signal);
      if (!answer.ok) return fail(started.failureOf(answer.failure));
      const { values, warnings } = answer.value;
      return ok({ values, warnings: boundedWarnings(name, [...planned.value.warnings, ...warnings]) });
    } finally {
      started.end();
    }
  }

  function readiness(): { readonly ready: boolean; readonly reason?: string } {
    if (stopping.signal.aborted) return { ready: false, reason: "stopping" };
    if (lastSyncMs !== undefined) return { ready: true };
    const trouble = lastSyncFailure === undefined ? "" : `: ${lastSyncFailure}`;
    return { ready: false, reason: `the list of blocks was not read yet${trouble}` };
  }

  return ok({
    start() {
      run(keepSynced);
      run(keepSwept);
      if (options.aheadAtOnceMax > 0) run(keepFetchingAhead);
    },
    refresh,
    ready: readiness,
    coverage: () => coverageOf(view.sets, timeWindowOf(shard, clock.wallMs())),
    status: () => ({
      lastSyncMs,
      lastSyncFailure,
      blocks: [...view.held.values()].map(({ meta, labels, isOpen }) => servedBlock(meta, labels, isOpen)),
      states: Object.fromEntries(view.states),
      cacheBytes: cache.heldBytes,
      tableBytes: [...view.held.values()].reduce((sum, { tableBytes }) => sum + tableBytes, 0),
    }),
    select(request, signal) {
      return new QuestionCursor(begin(signal), questionContext, (own) => {
        const planned = planSeries(request);
        if (!planned.ok) return planned;
        const { source, blockCount, warnings } = planned.value;
        return ok({ cursor: source.select(request, own), blockCount, warnings });
      });
    },
    labelNames: (request, signal) => askLabels(request, signal, (source, own) => source.labelNames(request, own)),
    labelValues: (label, request, signal) =>
      askLabels(request, signal, (source, own) => source.labelValues(label, request, own)),
    async stop() {
      stopping.abort(new Error("the store stops"));
      await Promise.all(loops);
      await refreshing;
      for (const block of view.held.values()) block.drop();
      await kept.close();
      await metas.close();
    },
  });
}

/** Whether series under these external labels may match: a label that they lack is the series' own affair. */
function mayMatch(labels: Labels, name: string, test: ValueTest): boolean {
  const value = labelValue(labels, name);
  return value === "" || test(value);
}

function servedBlock(meta: BlockMeta, labels: Labels, isOpen: boolean): ServedBlock {
  const { ulid, minTimeMs, maxTimeMs, compaction, stats } = meta;
  return {
    ulid,
    labels: labelsToRecord(labels),
    minTimeMs,
    maxTimeMs,
    resolutionMs: resolutionOf(meta),
    level: compaction.level,
    seriesCount: stats.numSeries,
    isOpen,
  };
}
