/**
 * The compactor of a bucket. A pass reads the list of blocks, marks those that others cover, merges group by group until
 * nothing is left to merge, downsamples, expires, and deletes what was marked long enough ago.
 *
 * No pass relies on the one before: what was begun and not ended is seen in the bucket and done again. A block is marked for
 * deletion only when a block with all its samples was seen whole in the bucket, and deleted only after a delay. So a crash at
 * any moment, or a second compactor, costs work and never samples. docs/format/bucket.md has the whole argument.
 */
import { createBlockLister, defaultBlockLister, KeptMetas, type BlockListing, type BlockMeta } from "@pleiad/blocks";
import { fail, ok, unreachable, type Result } from "@pleiad/model";
import { BucketError, FileError, type Bucket } from "@pleiad/ports";
import { groupBlocks, type BlockGroup } from "./block-group.ts";
import { findExpired, planDownsampling, retentionFault, type ExpiredBlock } from "./block-lifetime.ts";
import { viewBlocks, type BlockView } from "./block-view.ts";
import { clearWorkFolder, makeBlock, type BlockWorkFailure } from "./block-work.ts";
import { BucketCleaning } from "./bucket-cleaning.ts";
import { compactBlocks } from "./compact-blocks.ts";
import { countBacklog, formatPlan, planCompaction, type CompactionPlan } from "./compaction-plan.ts";
import type { Compactor, CompactorOptions, CompactorPorts, CompactorStatus, PassOutcome } from "./compactor.ts";
import { compactorMetrics } from "./compactor-metrics.ts";
import { downsampleBlock } from "./downsample-block.ts";
import { downsamplingOf, overlapMerge, thanosOf, workOf } from "./group-work.ts";
import { HaltedStreams, type PlannedWork, type WorkKind } from "./halted-streams.ts";

/** In the work folder, and no work of a pass. */
const metaFolder = "kept-metas";

/** The failure says what is wrong with the options. */
export function createCompactor(
  bucket: Bucket,
  options: CompactorOptions,
  ports: CompactorPorts,
): Result<Compactor, string> {
  const fault = retentionFault(options.retention, options.isDownsampling);
  if (fault !== undefined) return fail(fault);
  return ok(new BucketCompactor(bucket, options, ports));
}

class BucketCompactor implements Compactor {
  readonly #bucket: Bucket;
  readonly #options: CompactorOptions;
  readonly #ports: CompactorPorts;
  readonly #replicaLabels: ReadonlySet<string>;
  readonly #metas: KeptMetas;
  readonly #lister;
  readonly #metrics;
  readonly #halted;
  readonly #cleaning;
  /** Groups whose plans did not fit on the disk: they are planned with two blocks. */
  readonly #cramped = new Set<string>();
  #running: CompactorStatus["running"];
  #planned: readonly PlannedWork[] = [];
  #todo = { compactions: 0, compactionBlocks: 0, downsampleBlocks: 0, deletionBlocks: 0 };
  #lastPass: CompactorStatus["lastPass"];
  #opening: Promise<void> | undefined; // of the metas that an earlier process left
  #isRunning = false;

  constructor(bucket: Bucket, options: CompactorOptions, ports: CompactorPorts) {
    this.#bucket = bucket;
    this.#options = options;
    this.#ports = ports;
    this.#replicaLabels = new Set(options.replicaLabels);
    this.#metas = new KeptMetas(ports.files, ports.clock, {
      directory: `${options.work.directory}/${metaFolder}`,
      bytesMax: options.metaBytesMax,
      onWarning: (message, reason) => ports.observations.log("warn", message, { reason }),
    });
    this.#lister = createBlockLister(bucket, { ...defaultBlockLister, metas: this.#metas });
    this.#metrics = compactorMetrics(ports.observations);
    this.#metrics.deleteDelay.set(options.deleteDelayMs / 1000);
    this.#halted = new HaltedStreams(this.#metrics);
    this.#cleaning = new BucketCleaning(bucket, options, ports, this.#metrics);
  }

  status(): CompactorStatus {
    return {
      running: this.#running,
      planned: this.#planned,
      halted: this.#halted.list(),
      todo: this.#todo,
      lastPass: this.#lastPass,
    };
  }

  async runPass(signal: AbortSignal): Promise<PassOutcome> {
    if (this.#isRunning) throw new Error("a pass is running");
    this.#isRunning = true;
    const startedMs = this.#ports.clock.wallMs();
    const pass = new Pass(signal);
    try {
      await this.#run(pass);
    } catch (error) {
      if (error instanceof BucketError || error instanceof FileError) pass.reasons.push(error.message);
      else if (!signal.aborted) throw error;
    } finally {
      this.#isRunning = false;
      this.#running = undefined;
    }
    const outcome: PassOutcome = signal.aborted
      ? { kind: "canceled" }
      : pass.reasons.length > 0
        ? { kind: "again", reasons: pass.reasons }
        : { kind: "done" };
    if (outcome.kind === "done") this.#metrics.iterations.add(1);
    if (outcome.kind === "again") this.#metrics.retries.add(1);
    this.#lastPass = { startedMs, endedMs: this.#ports.clock.wallMs(), outcome };
    return outcome;
  }

  async close(): Promise<void> {
    await this.#metas.close();
  }

  async #run(pass: Pass): Promise<void> {
    await clearWorkFolder(this.#ports.files, this.#options.work.directory);
    this.#opening ??= this.#metas.open();
    await this.#opening;
    for (;;) {
      const seen = await this.#look(pass);
      if (seen === undefined) return;
      await this.#collectGarbage(seen, pass);
      if (!(await this.#compactGroups(seen, pass))) break;
    }
    if (this.#options.isDownsampling) {
      // Once for each resolution: the second is made of the first.
      for (;;) {
        const seen = await this.#look(pass);
        if (seen === undefined) return;
        if (!(await this.#downsample(seen, pass))) break;
      }
    }
    const seen = await this.#look(pass);
    if (seen === undefined) return;
    const expired = this.#findExpired(seen.view, seen.unmerged);
    if (expired.length === 0 && !this.#cleaning.isNeeded(seen.listing)) return;
    if (!(await this.#cleaning.isClockSound(seen.listing, pass.signal))) return;
    for (const { meta } of expired) await this.#markForDeletion(meta, "outside of retention", "retention", pass);
    pass.reasons.push(...(await this.#cleaning.clean(seen.listing, pass.signal)));
    await this.#look(pass);
  }

  /** The bucket as it is now; undefined if that cannot be told, or the pass is over. */
  async #look(pass: Pass): Promise<Seen | undefined> {
    if (pass.signal.aborted) return undefined;
    const { clock, observations } = this.#ports;
    const startMs = clock.monotonicMs();
    const listed = await this.#lister.refresh(pass.signal);
    this.#metrics.syncs.add(1);
    this.#metrics.syncSeconds.observe((clock.monotonicMs() - startMs) / 1000);
    if (!listed.ok) {
      this.#metrics.syncFailures.add(1);
      pass.reasons.push(listed.failure.message);
      return undefined;
    }
    const listing = listed.value;
    await this.#metas.forgetOthers(listing.blocks);
    if (!pass.hasLooked) {
      for (const { ulid, reason } of listing.malformed.values()) {
        observations.log("warn", "A block of the bucket is left out: it is malformed.", { ulid, reason });
      }
      for (const fault of listing.faults) observations.log("warn", "A mark in the bucket is ignored.", { fault });
    }
    pass.hasLooked = true;
    const view = viewBlocks(listing, clock.wallMs(), this.#options);
    for (const [state, count] of view.states) this.#metrics.synced.set(count, state);
    const groups = groupBlocks(view.blocks, this.#replicaLabels);
    return { listing, view, groups, unmerged: this.#tellTodo(view, groups) };
  }

  /** Gives the blocks of the groups in which there is something to merge. */
  #tellTodo(view: BlockView, groups: readonly BlockGroup[]): ReadonlySet<string> {
    const { plan, isDownsampling } = this.#options;
    const planned: PlannedWork[] = [];
    const unmerged = new Set<string>();
    let compactions = 0;
    let compactionBlocks = 0;
    for (const group of groups) {
      const backlog = countBacklog(group.blocks, view.noCompact, plan);
      compactions += backlog.compactions;
      compactionBlocks += backlog.blocks;
      const next = planCompaction(group.blocks, view.noCompact, plan).plan;
      if (next === undefined) continue;
      planned.push(workOf(group, formatPlan(next)));
      for (const { ulid } of group.blocks) unmerged.add(ulid);
    }
    const downsamplings = isDownsampling ? planDownsampling(view.blocks, view.noDownsample) : [];
    for (const { meta, toMs } of downsamplings) planned.push(downsamplingOf(meta, toMs, this.#replicaLabels));
    const expired = this.#findExpired(view, unmerged);
    this.#planned = planned;
    this.#todo = {
      compactions,
      compactionBlocks,
      downsampleBlocks: downsamplings.length,
      deletionBlocks: expired.length,
    };
    this.#metrics.todoCompactions.set(compactions);
    this.#metrics.todoCompactionBlocks.set(compactionBlocks);
    this.#metrics.todoDownsampleBlocks.set(downsamplings.length);
    this.#metrics.todoDeletionBlocks.set(expired.length);
    return unmerged;
  }

  #findExpired({ blocks, noDownsample }: BlockView, unmerged: ReadonlySet<string>): readonly ExpiredBlock[] {
    const { retention, isDownsampling } = this.#options;
    const downsampling = isDownsampling ? { noDownsample, unmerged } : undefined;
    return findExpired(blocks, this.#ports.clock.wallMs(), retention, downsampling);
  }

  async #collectGarbage({ view }: Seen, pass: Pass): Promise<void> {
    this.#metrics.garbageCollections.add(1);
    for (const { meta, by } of view.covered) {
      await this.#markForDeletion(meta, `all its samples are in block ${by}`, "covered", pass);
      this.#metrics.garbageCollected.add(1);
    }
  }

  /** One plan of each group; whether anything was made, so that there may be more to do. */
  async #compactGroups(seen: Seen, pass: Pass): Promise<boolean> {
    let hasProgress = false;
    const planned = new Set<string>();
    for (const group of seen.groups) {
      if (pass.signal.aborted) return false;
      const { plan, marks } = planCompaction(group.blocks, seen.view.noCompact, this.#options.plan);
      for (const mark of marks) await this.#cleaning.mark({ ...mark, kind: "no-compact" }, mark.reason, pass.signal);
      if (plan === undefined) continue;
      const key = `${group.key} compact`;
      planned.add(key);
      const possible = this.#cramp(group, plan);
      if (pass.skipped.has(key) || this.#halted.isHalted(key, possible.blocks)) continue;
      if (await this.#compactGroup(group, possible, seen, key, pass)) hasProgress = true;
    }
    this.#halted.keepOnly("compact", planned);
    return hasProgress;
  }

  /** Where the whole plan had no room on the disk: its first two blocks, for which there may be. */
  #cramp(group: BlockGroup, plan: CompactionPlan): CompactionPlan {
    if (plan.kind !== "merge" || !this.#cramped.has(group.key)) return plan;
    return { ...plan, blocks: plan.blocks.slice(0, 2) };
  }

  async #compactGroup(
    group: BlockGroup,
    plan: CompactionPlan,
    { listing }: Seen,
    key: string,
    pass: Pass,
  ): Promise<boolean> {
    const { observations, clock, files } = this.#ports;
    const resolution = String(group.resolutionMs);
    const overlap = overlapMerge(plan.blocks, this.#options.replicaMerge);
    const work = workOf(group, formatPlan(plan));
    const started = { ...work, step: "waiting" };
    this.#running = started;
    this.#metrics.runsStarted.add(1, resolution);
    observations.log("info", "Compaction begins.", { ...work });
    const made = await makeBlock(
      {
        recipe: `compact ${group.key} ${overlap}`,
        inputs: plan.blocks,
        listing,
        signal: pass.signal,
        onStep: (step) => (this.#running = { ...work, step }),
        make: (blocks, place) => compactBlocks(blocks, { ...place, overlap, thanos: thanosOf(group) }),
      },
      this.#options.work,
      { files, bucket: this.#bucket, yield: () => clock.yield() },
    );
    this.#running = undefined;
    if (!made.ok) {
      if (made.failure.kind !== "overtaken") this.#metrics.compactionFailures.add(1, resolution);
      // With less to do there may be room at once; that it will be tried is progress enough.
      if (made.failure.kind === "no-room" && plan.kind === "merge" && plan.blocks.length > 2) {
        this.#cramped.add(group.key);
        observations.log("warn", "No room for a compaction: two blocks at a time.", {
          ...work,
          reason: made.failure.reason,
        });
        return true;
      }
      return this.#giveUp("compact", key, work, plan.blocks, made.failure, pass);
    }
    const into = made.value === undefined ? "no sample is left of it" : `source of compacted block ${made.value}`;
    for (const meta of plan.blocks) await this.#markForDeletion(meta, into, "compacted", pass);
    this.#halted.release(key);
    this.#cramped.delete(group.key);
    this.#metrics.runsCompleted.add(1, resolution);
    if (made.value !== undefined) this.#metrics.compactions.add(1, resolution);
    if (plan.kind === "merge-overlapping") this.#metrics.verticalCompactions.add(1, resolution);
    observations.log("info", "Compaction is done.", { ...work, ulid: made.value ?? "" });
    return true;
  }

  /** Downsamples what can be; whether anything was made. */
  async #downsample({ listing, view }: Seen, pass: Pass): Promise<boolean> {
    const { observations, clock, files } = this.#ports;
    const planned = new Set<string>();
    let hasProgress = false;
    for (const { meta, toMs } of planDownsampling(view.blocks, view.noDownsample)) {
      if (pass.signal.aborted) return false;
      const key = `${meta.ulid} downsample`;
      planned.add(key);
      if (pass.skipped.has(key) || this.#halted.isHalted(key, [meta])) continue;
      const work = downsamplingOf(meta, toMs, this.#replicaLabels);
      const made = await makeBlock(
        {
          recipe: `downsample ${toMs}`,
          inputs: [meta],
          listing,
          signal: pass.signal,
          onStep: (step) => (this.#running = { ...work, step: step === "merging" ? "downsampling" : step }),
          make: ([block], place) => {
            if (block === undefined) throw new Error("downsampling without a block");
            return downsampleBlock(block, { ...place, resolutionMs: toMs });
          },
        },
        this.#options.work,
        { files, bucket: this.#bucket, yield: () => clock.yield() },
      );
      this.#running = undefined;
      if (!made.ok) {
        if (made.failure.kind !== "overtaken") this.#metrics.downsampleFailures.add(1, String(toMs));
        this.#giveUp("downsample", key, work, [meta], made.failure, pass);
        continue;
      }
      // Nothing but staleness markers in it: without a mark it would be tried for ever.
      if (made.value === undefined) {
        const mark = { kind: "no-downsample", ulid: meta.ulid, reason: "no-samples" } as const;
        await this.#cleaning.mark({ ...mark, details: "it has no sample to downsample" }, mark.reason, pass.signal);
      }
      this.#halted.release(key);
      this.#metrics.downsamplings.add(1, String(toMs));
      observations.log("info", "A block is downsampled.", { ...work, ulid: made.value ?? "" });
      hasProgress = true;
    }
    this.#halted.keepOnly("downsample", planned);
    return hasProgress;
  }

  /** Notes why work did not succeed; whether looking at the bucket again makes sense in this pass. */
  #giveUp(
    kind: WorkKind,
    key: string,
    work: PlannedWork,
    inputs: readonly BlockMeta[],
    failure: BlockWorkFailure,
    pass: Pass,
  ): boolean {
    const { observations, clock } = this.#ports;
    pass.skipped.add(key);
    switch (failure.kind) {
      case "canceled":
        return false;
      case "overtaken":
        observations.log("info", "Another compactor was faster.", { ...work, reason: failure.reason });
        return true;
      case "broken-off":
      case "no-room":
        observations.log("warn", "Work on the bucket broke off; it will be tried again.", {
          ...work,
          reason: failure.reason,
        });
        pass.reasons.push(`${work.plan}: ${failure.reason}`);
        return false;
      case "bad-data": {
        const reason = this.#halted.halt(kind, key, work, inputs, failure.reason, clock.wallMs());
        observations.log("error", "A stream is halted until someone acts.", { ...work, reason });
        return false;
      }
      default:
        return unreachable(failure);
    }
  }

  async #markForDeletion({ ulid }: BlockMeta, details: string, cause: string, pass: Pass): Promise<void> {
    await this.#cleaning.mark({ kind: "deletion", ulid, details, reason: "" }, cause, pass.signal);
  }
}

/** What one look at the bucket gave. */
interface Seen {
  readonly listing: BlockListing;
  readonly view: BlockView;
  readonly groups: readonly BlockGroup[];
  /** Blocks of groups in which there is something left to merge. */
  readonly unmerged: ReadonlySet<string>;
}

class Pass {
  readonly signal: AbortSignal;
  hasLooked = false;
  /** What was broken off, for the outcome. */
  readonly reasons: string[] = [];
  /** Work that is not tried again in this pass. */
  readonly skipped = new Set<string>();

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }
}
