/**
 * The blocks that one shard serves, as the last reading of the list told: found anew again and again, opened by questions,
 * closed when they rest. A question goes on with those of its beginning.
 */
import {
  createBlockLister,
  createSharedCache,
  defaultBlockLister,
  KeptFiles,
  KeptMetas,
  type BlockLister,
  type BlockListing,
  type SharedCache,
  type TouchedKind,
} from "@pleiad/blocks";
import { fail, ok, type Result } from "@pleiad/model";
import { withDeadline, type Bucket } from "@pleiad/ports";
import { groupBlockSets, type BlockSet } from "./block-plan.ts";
import type { HeldBlocks } from "./block-read.ts";
import { createBucketReads, orAborted } from "./bucket-reads.ts";
import { fetchAhead } from "./fetch-ahead.ts";
import { Gate } from "./gate.ts";
import { HeaderFolder } from "./header-folder.ts";
import { HeldBlock, type HeldBlockOptions } from "./held-block.ts";
import type { Question } from "./question.ts";
import { viewShard, type BlockState, type ShardOptions } from "./shard-view.ts";
import type { StoreMetrics } from "./store-metrics.ts";
import type { BucketStoreOptions, BucketStorePorts } from "./store-options.ts";
import { createTextPool } from "./text-pool.ts";

/** The blocks as one reading of the list told. */
export interface StoreView {
  readonly held: HeldBlocks;
  readonly sets: readonly BlockSet[];
  readonly states: ReadonlyMap<BlockState, number>;
  readonly sinceMs: number; // on the monotonic clock
}

export interface ServedBlocksParts {
  readonly bucket: Bucket;
  readonly options: BucketStoreOptions;
  readonly shard: ShardOptions;
  readonly ports: BucketStorePorts;
  readonly metrics: StoreMetrics;
  /** Whose reads carry a signal: they are counted to it. */
  readonly questionOf: (signal: AbortSignal) => Question | undefined;
  /** Ends with the store. */
  readonly signal: AbortSignal;
}

/** In the directory, beside a folder of each block. */
const keptFolder = "kept-files";
const metaFolder = "kept-metas";
/** A list that could not be read so often in a row is told to be old. */
const syncsMissedMax = 3;

export const emptyView: StoreView = { held: new Map(), sets: [], states: new Map(), sinceMs: 0 };

export class ServedBlocks {
  readonly #parts: ServedBlocksParts;
  readonly #lister: BlockLister;
  readonly #headers: HeaderFolder;
  readonly #kept: KeptFiles;
  readonly #metas: KeptMetas;
  readonly #cache: SharedCache;
  readonly #heldOptions: HeldBlockOptions;
  #view = emptyView;
  #lastSyncMs: number | undefined;
  #lastSyncFailure: string | undefined;
  #opening: Promise<void> | undefined; // of the metas that an earlier process left
  #refreshing: Promise<Result<void, string>> | undefined;

  constructor(parts: ServedBlocksParts) {
    this.#parts = parts;
    const { bucket, options, ports } = parts;
    const { clock, files, observations } = ports;
    const { name, directory } = options;
    const onWarning = (message: string, reason: string) => observations.log("warn", message, { name, reason });
    this.#headers = new HeaderFolder(files, directory);
    this.#kept = new KeptFiles(files, clock, {
      directory: `${directory}/${keptFolder}`,
      bytesMax: options.keptBytesMax,
      fileBytesMax: options.keptFileBytesMax,
      onWarning,
    });
    this.#metas = new KeptMetas(files, clock, {
      directory: `${directory}/${metaFolder}`,
      bytesMax: options.metaBytesMax,
      onWarning,
    });
    const { blocksMax } = options;
    // What others serve may be marked as it likes, and so may what another block covers: that one's marks decide.
    const wantsMarksOf = (listing: BlockListing) => viewShard(listing, clock.wallMs(), parts.shard).blocks.keys();
    this.#lister = createBlockLister(bucket, { ...defaultBlockLister, blocksMax, metas: this.#metas, wantsMarksOf });
    this.#cache = createSharedCache(options.cacheBytesMax);
    this.#heldOptions = this.#optionsOfBlocks();
  }

  get view(): StoreView {
    return this.#view;
  }

  /** Wall time; undefined until the list was read. */
  get lastSyncMs(): number | undefined {
    return this.#lastSyncMs;
  }

  get lastSyncFailure(): string | undefined {
    return this.#lastSyncFailure;
  }

  get cacheBytes(): number {
    return this.#cache.heldBytes;
  }

  /** Reads the list now; the failure is a reason for people. Calls at the same time share one reading. */
  refresh(): Promise<Result<void, string>> {
    this.#refreshing ??= this.#refreshNow().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** What is to be told of every answer, while the list could not be read for long. */
  staleness(): readonly string[] {
    const { options, ports } = this.#parts;
    const ageMs = ports.clock.monotonicMs() - this.#view.sinceMs;
    if (this.#lastSyncFailure === undefined || ageMs <= syncsMissedMax * options.syncIntervalMs) return [];
    return [`${options.name}: the list of blocks is ${Math.round(ageMs / 1000)} s old: ${this.#lastSyncFailure}`];
  }

  /** Brings small files of the blocks to the local disk, as far as there is room. */
  async fetchAhead(): Promise<void> {
    const { options, signal } = this.#parts;
    await fetchAhead(this.#view.held.values(), options.aheadAtOnceMax, signal);
  }

  /** Closes blocks that rest: for long, or because the tables of all take too much room. */
  async closeResting(): Promise<void> {
    const { options, ports, metrics } = this.#parts;
    const blocks = [...this.#view.held.values()];
    const open = blocks.filter(({ isOpen }) => isOpen).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
    let tableBytes = open.reduce((sum, block) => sum + block.tableBytes, 0);
    const restingSinceMs = ports.clock.monotonicMs() - options.idleMs;
    for (const block of open) {
      if (block.lastUsedMs > restingSinceMs && tableBytes <= options.tableBytesMax) break;
      const held = block.tableBytes;
      if (await block.closeIfUnread()) tableBytes -= held;
    }
    metrics.cacheBytes.set(this.#cache.heldBytes);
  }

  /** After the signal: waits for a reading that is under way, and lets go of blocks and files. */
  async close(): Promise<void> {
    await this.#refreshing;
    for (const block of this.#view.held.values()) block.drop();
    await this.#kept.close();
    await this.#metas.close();
  }

  async #refreshNow(): Promise<Result<void, string>> {
    const { options, shard, ports, metrics, signal } = this.#parts;
    const { clock, observations } = ports;
    const { name } = options;
    const startMs = clock.monotonicMs();
    metrics.syncs.add(1);
    this.#opening ??= this.#metas.open();
    await this.#opening;
    const listing = await this.#listBlocks();
    if (!listing.ok) {
      metrics.syncFailures.add(1);
      this.#lastSyncFailure = listing.failure;
      if (!signal.aborted) {
        observations.log("warn", "The list of blocks cannot be read.", { name, reason: listing.failure });
      }
      return listing;
    }
    for (const fault of listing.value.faults) observations.log("warn", "A mark cannot be read.", { name, fault });
    const { blocks, states } = viewShard(listing.value, clock.wallMs(), shard);
    const held = new Map<string, HeldBlock>();
    for (const [ulid, meta] of blocks) {
      const known = this.#view.held.get(ulid);
      if (known === undefined) metrics.blockLoads.add(1);
      held.set(ulid, known ?? new HeldBlock(meta, this.#heldOptions));
    }
    const isFirst = this.#lastSyncMs === undefined;
    // Before anybody sees the blocks, and keeps something of them.
    if (isFirst) await this.#kept.open();
    const dropped = [...this.#view.held].filter(([ulid]) => !held.has(ulid));
    this.#view = { held, sets: groupBlockSets(blocks.values()), states, sinceMs: startMs };
    for (const [ulid, block] of dropped) {
      metrics.blockDrops.add(1);
      block.drop();
      await this.#headers.remove(ulid);
    }
    if (isFirst) await this.#headers.removeOthers(held);
    if (isFirst || dropped.length > 0) await this.#kept.forgetOthers(held);
    await this.#metas.forgetOthers(listing.value.blocks);
    const nowMs = clock.wallMs();
    this.#lastSyncMs = nowMs;
    this.#lastSyncFailure = undefined;
    metrics.blocksLoaded.set(held.size);
    metrics.blocksLastLoaded.set(nowMs / 1000);
    metrics.syncSeconds.observe((clock.monotonicMs() - startMs) / 1000);
    for (const [state, count] of states) metrics.synced.set(count, state);
    return ok(undefined);
  }

  async #listBlocks(): Promise<Result<BlockListing, string>> {
    const { options, ports, signal: stopping } = this.#parts;
    try {
      const listing = await withDeadline(ports.clock, options.syncTimeoutMs, stopping, (signal) =>
        orAborted(this.#lister.refresh(signal), signal),
      );
      return listing.ok ? listing : fail(listing.failure.message);
    } catch (error) {
      // A bucket may throw the reason of a signal.
      if (stopping.aborted) return fail("the store stops");
      if (error instanceof DOMException && error.name === "TimeoutError") {
        return fail(`no list of blocks within ${options.syncTimeoutMs / 1000} s`);
      }
      throw error;
    }
  }

  #optionsOfBlocks(): HeldBlockOptions {
    const { bucket, options, ports, metrics, questionOf, signal: stopping } = this.#parts;
    const { clock, observations } = ports;
    const { name } = options;
    return {
      reads: createBucketReads(bucket, options.reads, ports),
      headers: this.#headers,
      kept: this.#kept,
      opensAtOnce: new Gate(options.opensAtOnceMax),
      open: {
        intern: createTextPool(options.textBytesMax),
        cacheBytesMax: options.cacheBytesMax,
        sharedCache: this.#cache,
        readRuns: options.readRuns,
        watch: {
          touch(kind, count, keptCount, signal) {
            countCache(metrics, kind, count, keptCount);
            if (signal !== undefined) questionOf(signal)?.touch(kind, count, keptCount);
          },
        },
        yield: () => clock.yield(),
      },
      clock,
      metrics,
      onFetch: (byteCount, signal) => {
        if (signal !== undefined) questionOf(signal)?.fetch(byteCount);
      },
      onWarning: (message, ulid, reason) => observations.log("warn", message, { name, ulid, reason }),
      signal: stopping,
    };
  }
}

function countCache(metrics: StoreMetrics, kind: TouchedKind, count: number, keptCount: number): void {
  if (kind === "chunks") {
    metrics.bucketCacheRequests.add(count, "get_range", "chunks");
    metrics.bucketCacheHits.add(keptCount, "get_range", "chunks");
    return;
  }
  const itemType = { selection: "ExpandedPostings", postings: "Postings", series: "Series" }[kind];
  metrics.indexCacheRequests.add(count, itemType);
  metrics.indexCacheHits.add(keptCount, itemType);
}
