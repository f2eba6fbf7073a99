/**
 * Series from the blocks of a bucket that are one shard's. The list of blocks is read again and again; a question works on
 * the list as it stood when it began, and holds what it reads. See docs/format/bucket.md for what readers rely on.
 */
import { compileBlockSelector, mergeSources, type BlockMeta } from "@pleiad/blocks";
import {
  fail,
  labelsToRecord,
  ok,
  type Labels,
  type LabelsAnswer,
  type LabelsRequest,
  type Result,
  type SeriesSource,
  type SourceFailure,
} from "@pleiad/model";
import type { Bucket } from "@pleiad/ports";
import { planSuccessors, resolutionOf, type PlannedRead } from "./block-plan.ts";
import { blockSource, type ReadContext, type Succession } from "./block-read.ts";
import { orAborted } from "./bucket-reads.ts";
import { coverageOf, type Coverage } from "./coverage.ts";
import { Gate } from "./gate.ts";
import { boundedWarnings, QuestionCursor, QuestionRun, type QuestionContext } from "./question-cursor.ts";
import { planLabels, planSeries, type PlannedOver, type PlannedStreams } from "./question-plan.ts";
import { Question } from "./question.ts";
import { emptyView, ServedBlocks, type StoreView } from "./served-blocks.ts";
import { timeWindowOf, type BlockState, type ShardOptions } from "./shard-view.ts";
import { storeMetrics } from "./store-metrics.ts";
import type { BucketStoreOptions, BucketStorePorts } from "./store-options.ts";

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

const firstRetryMs = 5_000;

/** The failure tells which option is wrong. */
export function createBucketStore(
  bucket: Bucket,
  options: BucketStoreOptions,
  ports: BucketStorePorts,
): Result<BucketStore, string> {
  const { name, rules, minTime, maxTime, ignoreDeletionMarksDelayMs, syncIntervalMs, idleMs } = options;
  const { clock, observations, random } = ports;
  const isSelected = compileBlockSelector({ rules, minTimeMs: undefined, maxTimeMs: undefined });
  if (!isSelected.ok) return isSelected;
  const shard: ShardOptions = { isSelected: isSelected.value, minTime, maxTime, ignoreDeletionMarksDelayMs };
  const servedTime = () => timeWindowOf(shard, clock.wallMs());
  const window = servedTime();
  if (window.minTimeMs > window.maxTimeMs) return fail("the time to serve ends before it begins");

  const metrics = storeMetrics(observations);
  metrics.gateMax.set(options.questionsAtOnceMax);
  const stopping = new AbortController();
  // By the signal that every read of a question carries.
  const questions = new WeakMap<AbortSignal, Question>();
  const questionContext: QuestionContext = { name, gate: new Gate(options.questionsAtOnceMax), clock, metrics };
  const blocks = new ServedBlocks({
    ...{ bucket, options, shard, ports, metrics, signal: stopping.signal },
    questionOf: (signal) => questions.get(signal),
  });
  const loops: Promise<void>[] = [];

  async function keepSynced(): Promise<void> {
    for (let failures = 0; ;) {
      const outcome = await blocks.refresh();
      failures = outcome.ok ? 0 : failures + 1;
      const pauseMs = failures === 0 ? syncIntervalMs : Math.min(syncIntervalMs, firstRetryMs * 2 ** (failures - 1));
      // Up to a tenth more, so that stores that began together do not stay together.
      await clock.sleep(Math.round(pauseMs * (1 + random.float() / 10)), stopping.signal);
    }
  }

  /** After each reading of the list. */
  async function keepFetchingAhead(): Promise<void> {
    for (let seen: StoreView = emptyView; ;) {
      if (blocks.view !== seen) {
        seen = blocks.view;
        await blocks.fetchAhead();
      }
      await clock.sleep(1000, stopping.signal);
    }
  }

  async function keepSwept(): Promise<void> {
    for (;;) {
      await clock.sleep(Math.max(1000, idleMs / 10), stopping.signal);
      await blocks.closeResting();
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

  function readiness(): { readonly ready: boolean; readonly reason?: string } {
    if (stopping.signal.aborted) return { ready: false, reason: "stopping" };
    const { lastSyncMs, lastSyncFailure } = blocks;
    if (lastSyncMs !== undefined) return { ready: true };
    const trouble = lastSyncFailure === undefined ? "" : `: ${lastSyncFailure}`;
    return { ready: false, reason: `the list of blocks was not read yet${trouble}` };
  }

  /** After a block was found gone. Looks at the bucket unless another question did so meanwhile. */
  async function succeed(
    gone: PlannedRead,
    maxResolutionMs: number,
    signal: AbortSignal,
  ): Promise<Succession | undefined> {
    if (blocks.view.held.has(gone.meta.ulid)) await orAborted(blocks.refresh(), signal).catch(() => {});
    const { held } = blocks.view;
    const metas = [...held.values()].map(({ meta }) => meta);
    const reads = planSuccessors(gone, metas, maxResolutionMs);
    return reads === undefined ? undefined : { reads, blocks: held };
  }

  /** The failure is the question's: not ready, or what `plan` says. */
  function planned<R>(
    request: R,
    plan: (request: R, over: PlannedOver) => Result<PlannedStreams, SourceFailure>,
    maxResolutionMs: number,
  ): Result<{ readonly source: SeriesSource; readonly blockCount: number }, SourceFailure> {
    const { ready, reason } = readiness();
    if (!ready) return fail({ kind: "unavailable", source: name, reason: reason ?? "not ready" });
    const { held, sets } = blocks.view;
    const streams = plan(request, { name, sets, served: servedTime() });
    if (!streams.ok) return streams;
    const context: ReadContext = {
      blocks: held,
      metrics,
      succeed: (gone, signal) => succeed(gone, maxResolutionMs, signal),
    };
    // Stream by stream: blocks of one have the same series, and a merge of few compares less than one of thousands.
    const sources = streams.value
      .filter((reads) => reads.length > 0)
      .map((reads) => mergeSources(reads.map((read) => blockSource(read, context))));
    return ok({
      source: mergeSources(sources),
      blockCount: streams.value.reduce((sum, reads) => sum + reads.length, 0),
    });
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
      const plan = planned(request, planLabels, Infinity);
      if (!plan.ok) return plan;
      const staleness = blocks.staleness();
      const answer = await ask(plan.value.source, started.signal);
      if (!answer.ok) return fail(started.failureOf(answer.failure));
      const { values, warnings } = answer.value;
      return ok({ values, warnings: boundedWarnings(name, [...staleness, ...warnings]) });
    } finally {
      started.end();
    }
  }

  return ok({
    start() {
      run(keepSynced);
      run(keepSwept);
      if (options.aheadAtOnceMax > 0) run(keepFetchingAhead);
    },
    refresh: () => blocks.refresh(),
    ready: readiness,
    coverage: () => coverageOf(blocks.view.sets, servedTime()),
    status() {
      const held = [...blocks.view.held.values()];
      return {
        lastSyncMs: blocks.lastSyncMs,
        lastSyncFailure: blocks.lastSyncFailure,
        blocks: held.map(({ meta, labels, isOpen }) => servedBlock(meta, labels, isOpen)),
        states: Object.fromEntries(blocks.view.states),
        cacheBytes: blocks.cacheBytes,
        tableBytes: held.reduce((sum, { tableBytes }) => sum + tableBytes, 0),
      };
    },
    select(request, signal) {
      return new QuestionCursor(begin(signal), questionContext, (own) => {
        const plan = planned(request, planSeries, request.maxResolutionMs);
        if (!plan.ok) return plan;
        const { source, blockCount } = plan.value;
        return ok({ cursor: source.select(request, own), blockCount, warnings: blocks.staleness() });
      });
    },
    labelNames: (request, signal) => askLabels(request, signal, (source, own) => source.labelNames(request, own)),
    labelValues: (label, request, signal) =>
      askLabels(request, signal, (source, own) => source.labelValues(label, request, own)),
    async stop() {
      stopping.abort(new Error("the store stops"));
      await Promise.all(loops);
      await blocks.close();
    },
  });
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
