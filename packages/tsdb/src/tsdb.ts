/** A data folder as Prometheus has it: a head for the newest samples, blocks for the rest. */
import {
  createBlockWriter,
  deleteBlockFolder,
  newUlid,
  removeLeftovers,
  type BlockFailure,
  type BlockMeta,
  type BlockWriter,
  type SharedCache,
} from "@pleiad/blocks";
import {
  openHead,
  type Head,
  type HeadOptions,
  type HeadRange,
  type HeadStatistics,
  type TimeRange,
} from "@pleiad/head";
import {
  cursorOf,
  fail,
  ok,
  type LabelsRequest,
  type Result,
  type SelectRequest,
  type SeriesSource,
} from "@pleiad/model";
import { FileError, type FileLock, type Gauge, type Ports } from "@pleiad/ports";
import { listFolder } from "./data-folder.ts";
import { FolderSource } from "./folder-source.ts";
import { LocalBlocks, type LocalBlock } from "./local-blocks.ts";
import { expiredBlocks, type LocalRetention } from "./local-retention.ts";
import { ReaderSet } from "./reader-set.ts";
import { asTsdbFailure, formatTsdbFailure, type TsdbFailure } from "./tsdb-failure.ts";

export type TsdbPorts = Pick<Ports, "files" | "clock" | "random" | "observations">;

export interface TsdbOptions {
  /** Of the head, but for what follows from the folder. */
  readonly head: Omit<HeadOptions, "directory" | "retentionMs" | "minValidTimeMs">;
  readonly retention: LocalRetention;
  /** Whether a block may be removed: it is in the bucket, say. Without it all may. */
  readonly mayRemove?: (ulid: string) => boolean;
  /** How much of index and chunks each block may keep for the next question. */
  readonly cacheBytesMaxPerBlock: number;
  /** A bound on what the blocks of many folders keep together. */
  readonly sharedCache?: SharedCache;
  readonly chunkFileBytesMax: number;
  /** Data passes from the head into a block, or goes, once those who read it have ended; who takes longer fails. */
  readonly drainMs: number;
}

/** All that has a usual value. */
export const defaultTsdb: Omit<TsdbOptions, "head"> = {
  retention: { retentionMs: 15 * 24 * 3_600_000, retentionBytesMax: 0 },
  cacheBytesMaxPerBlock: 4 * 1024 * 1024,
  chunkFileBytesMax: 512 * 1024 * 1024,
  drainMs: 150_000,
};

export interface TsdbStatistics {
  readonly head: HeadStatistics;
  readonly blocks: number;
  readonly blockBytes: number;
  /** Of all samples, in blocks and head; NaN where there is none. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** Blocks that cannot be read: answers of their time tell of it. */
  readonly unreadableBlocks: number;
  /** Blocks past retention that may not go yet. */
  readonly heldBlocks: number;
}

export interface TsdbMaintenance {
  readonly cut: readonly BlockMeta[];
  readonly removed: readonly string[];
}

export interface Tsdb extends SeriesSource {
  /** For samples to come in. It is cut, truncated and closed by the folder alone. */
  readonly head: Pick<Head, "appender" | "importer" | "statistics" | "exemplars">;
  blocks(): readonly BlockMeta[];
  /** Cuts blocks from the head, keeps the head small, applies retention. To be called every minute or so. */
  maintain(nowMs: number): Promise<Result<TsdbMaintenance, TsdbFailure>>;
  statistics(): TsdbStatistics;
  /** Makes all durable and lets go of the folder. It then answers "unavailable" and refuses writes. */
  close(): Promise<Result<void, TsdbFailure>>;
}

/** Opens a folder, made if it is not there, for this process alone; what a crash left half-done is removed. */
export async function openTsdb(
  directory: string,
  options: TsdbOptions,
  ports: TsdbPorts,
): Promise<Result<Tsdb, TsdbFailure>> {
  const { files, observations } = ports;
  let lock: FileLock | undefined;
  try {
    if (!(await files.exists(directory))) await files.makeDirectory(directory);
    lock = await files.lock(`${directory}/lock`);
    for (const name of await removeLeftovers(files, directory)) {
      observations.log("info", "A block that was half written or half removed is gone.", { directory, name });
    }
    const inventory = await listFolder(files, directory);
    const { externalLabels, intern } = options.head;
    const blockOptions = {
      externalLabels,
      intern,
      cacheBytesMax: options.cacheBytesMaxPerBlock,
      ...(options.sharedCache === undefined ? {} : { sharedCache: options.sharedCache }),
    };
    const blocks = new LocalBlocks(directory, blockOptions, ports);
    await blocks.addQuarantined(inventory);
    await blocks.openAll(inventory.blocks);
    await blocks.quarantine();
    const minValidTimeMs = blocks.headFromMs;
    const head = await openHead({ ...options.head, directory, retentionMs: Infinity, minValidTimeMs }, ports);
    if (head.ok) return ok(new OpenTsdb(directory, options, ports, lock, blocks, head.value));
    await blocks.close();
    await lock.release();
    return fail({ kind: "head", failure: head.failure });
  } catch (error) {
    await lock?.release();
    const isTaken = error instanceof FileError && error.operation === "lock" && error.code === "EEXIST";
    return fail(isTaken ? { kind: "locked", directory } : asTsdbFailure(error));
  }
}

class OpenTsdb implements Tsdb {
  readonly head: Head;
  readonly #directory: string;
  readonly #options: TsdbOptions;
  readonly #ports: TsdbPorts;
  readonly #lock: FileLock;
  readonly #blocks: LocalBlocks;
  readonly #readers: ReaderSet;
  readonly #source: FolderSource;
  readonly #figures: FolderFigures;
  #lastMaintenance: Promise<unknown> = Promise.resolve();
  #heldBlocks = 0;
  #isClosed = false;

  constructor(
    directory: string,
    options: TsdbOptions,
    ports: TsdbPorts,
    lock: FileLock,
    blocks: LocalBlocks,
    head: Head,
  ) {
    this.#directory = directory;
    this.#options = options;
    this.#ports = ports;
    this.#lock = lock;
    this.#blocks = blocks;
    this.head = head;
    this.#readers = new ReaderSet(ports.clock);
    this.#source = new FolderSource(directory, blocks, head, this.#readers, () => blocks.headFromMs);
    this.#figures = new FolderFigures(ports);
    this.#figures.show(this.statistics());
  }

  select(request: SelectRequest, signal: AbortSignal) {
    if (this.#isClosed) return cursorOf([], { failure: this.#closedFailure() });
    return this.#source.select(request, signal);
  }

  async labelNames(request: LabelsRequest, signal: AbortSignal) {
    return this.#isClosed ? fail(this.#closedFailure()) : await this.#source.labelNames(request, signal);
  }

  async labelValues(label: string, request: LabelsRequest, signal: AbortSignal) {
    return this.#isClosed ? fail(this.#closedFailure()) : await this.#source.labelValues(label, request, signal);
  }

  blocks(): readonly BlockMeta[] {
    return this.#blocks.all.map(({ meta }) => meta);
  }

  async maintain(nowMs: number): Promise<Result<TsdbMaintenance, TsdbFailure>> {
    return await this.#inTurn(async () => {
      if (this.#isClosed) return fail({ kind: "closed" });
      try {
        return await this.#maintain(nowMs);
      } catch (error) {
        return fail(asTsdbFailure(error));
      } finally {
        this.#figures.show(this.statistics());
      }
    });
  }

  statistics(): TsdbStatistics {
    const head = this.head.statistics();
    const { all, gapCount } = this.#blocks;
    const first = all[0]?.meta.minTimeMs ?? Infinity;
    const minTimeMs = Math.min(first, Number.isNaN(head.minTimeMs) ? Infinity : head.minTimeMs);
    let maxTimeMs = Number.isNaN(head.maxTimeMs) ? -Infinity : head.maxTimeMs;
    for (const { meta } of all) maxTimeMs = Math.max(maxTimeMs, meta.maxTimeMs - 1);
    return {
      head,
      blocks: all.length,
      blockBytes: all.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
      minTimeMs: minTimeMs === Infinity ? NaN : minTimeMs,
      maxTimeMs: maxTimeMs === -Infinity ? NaN : maxTimeMs,
      unreadableBlocks: gapCount,
      heldBlocks: this.#heldBlocks,
    };
  }

  async close(): Promise<Result<void, TsdbFailure>> {
    return await this.#inTurn(async () => {
      if (this.#isClosed) return ok(undefined);
      this.#isClosed = true;
      await this.#readers.drain(0);
      const closed = await this.head.close();
      try {
        await this.#blocks.close();
      } catch (error) {
        return fail(asTsdbFailure(error));
      } finally {
        await this.#lock.release();
      }
      return closed.ok ? closed : fail({ kind: "head", failure: closed.failure });
    });
  }

  async #maintain(nowMs: number): Promise<Result<TsdbMaintenance, TsdbFailure>> {
    const cut: BlockMeta[] = [];
    const settled = await this.#settleHead(nowMs, cut).catch((error: unknown) => fail(asTsdbFailure(error)));
    // In any case: on a full disk it is what makes room again.
    const removed = await this.#retain();
    return settled.ok ? ok({ cut, removed }) : settled;
  }

  /** Cuts what blocks may take over, which goes to `cut`, and keeps the head small. */
  async #settleHead(nowMs: number, cut: BlockMeta[]): Promise<Result<void, TsdbFailure>> {
    for (let range = this.head.cuttableRange(); range !== undefined; range = this.head.cuttableRange()) {
      const block = await this.#cut(range);
      this.#figures.countCut(block.ok);
      if (!block.ok) {
        const fields = { directory: this.#directory, reason: formatTsdbFailure(block.failure) };
        this.#ports.observations.log("error", "No block could be cut from the head; it stays there.", fields);
        return block;
      }
      if (block.value !== undefined) cut.push(block.value.meta);
      const truncated = await this.head.truncate(range.maxTimeMs);
      if (!truncated.ok) return fail({ kind: "head", failure: truncated.failure });
    }
    const maintained = await this.head.maintain(nowMs);
    return maintained.ok ? ok(undefined) : fail({ kind: "head", failure: maintained.failure });
  }

  /** Writes the block of a range, durably, and shows it. Resolves when nobody reads the range from the head any more. */
  async #cut(range: TimeRange): Promise<Result<LocalBlock | undefined, TsdbFailure>> {
    const { files, clock, random, observations } = this.#ports;
    const startMs = clock.monotonicMs();
    const closed = await this.head.closeRange(range);
    if (!closed.ok) return fail({ kind: "head", failure: closed.failure });
    const ulid = newUlid(clock.wallMs(), random);
    const writer = await createBlockWriter(files, closed.value.symbols(), {
      directory: this.#directory,
      ulid,
      minTimeMs: this.#beginOf(range),
      maxTimeMs: range.maxTimeMs,
      compaction: { level: 1, sources: [ulid], parents: [], isDeletable: false, isFailed: false, hints: [] },
      thanos: undefined,
      chunkFileBytesMax: this.#options.chunkFileBytesMax,
    });
    if (!writer.ok) return fail({ kind: "block", failure: writer.failure });
    const finished = await this.#write(closed.value, writer.value);
    if (!finished.ok) return fail({ kind: "block", failure: finished.failure });
    if (finished.value === undefined) return ok(undefined);
    const opened = await this.#blocks.open(ulid);
    if (!opened.ok) {
      // It would be cut once more, under another name.
      await deleteBlockFolder(files, this.#directory, ulid);
      return fail({ kind: "block", failure: opened.failure });
    }
    observations.log("info", "A block is cut from the head.", {
      directory: this.#directory,
      block: ulid,
      minTimeMs: range.minTimeMs,
      series: finished.value.stats.numSeries,
      samples: finished.value.stats.numSamples,
      tookMs: Math.round(clock.monotonicMs() - startMs),
    });
    await this.#readers.drain(this.#options.drainMs);
    return ok(opened.value);
  }

  /** Whatever ends it, nothing half-written stays. */
  async #write(range: HeadRange, writer: BlockWriter): Promise<Result<BlockMeta | undefined, BlockFailure>> {
    try {
      for await (const { labels, chunks } of range.series()) {
        const added = await writer.add(labels, chunks);
        if (!added.ok) return added;
      }
      return await writer.finish();
    } finally {
      await writer.abort();
    }
  }

  /** As with Prometheus a block goes on where the last one ends, or begins with its first sample: before it nothing is known. */
  #beginOf({ minTimeMs }: TimeRange): number {
    return this.#blocks.headFromMs === minTimeMs ? minTimeMs : Math.max(minTimeMs, this.head.statistics().minTimeMs);
  }

  /** Removes the blocks past retention. Gives their names. */
  async #retain(): Promise<readonly string[]> {
    const { retention, mayRemove = () => true, drainMs } = this.#options;
    const { head } = this.statistics();
    const blocks = this.#blocks.all.map(({ meta: { ulid, maxTimeMs: endMs }, sizeBytes }) => {
      return { ulid, maxTimeMs: endMs, sizeBytes };
    });
    const headBytes = head.walBytes + head.chunkFileBytes;
    const { byTime, bySize, held } = expiredBlocks(blocks, headBytes, retention, mayRemove);
    this.#heldBlocks = held.length;
    if (byTime.length + bySize.length === 0) return [];
    const hidden = this.#blocks.hide(new Set([...byTime, ...bySize]));
    await this.#readers.drain(drainMs);
    for (const block of hidden) await this.#blocks.remove(block);
    this.#figures.countRetentions(byTime.length > 0, bySize.length > 0);
    return hidden.map(({ meta }) => meta.ulid);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastMaintenance.then(work, work);
    this.#lastMaintenance = turn;
    return await turn;
  }

  #closedFailure() {
    return { kind: "unavailable", source: this.#directory, reason: formatTsdbFailure({ kind: "closed" }) } as const;
  }
}

/** Prometheus's metrics of its folder. */
class FolderFigures {
  readonly #gauges: Readonly<Record<"blocks" | "blockBytes" | "minTimeMs" | "unreadableBlocks" | "heldBlocks", Gauge>>;
  readonly #observations: TsdbPorts["observations"];

  constructor({ observations }: TsdbPorts) {
    this.#observations = observations;
    this.#gauges = {
      blocks: observations.gauge("prometheus_tsdb_blocks_loaded", "Blocks of the folder that are open."),
      blockBytes: observations.gauge("prometheus_tsdb_storage_blocks_bytes", "Bytes of the folder's blocks."),
      minTimeMs: observations.gauge("prometheus_tsdb_lowest_timestamp", "Time of the oldest sample, in milliseconds."),
      unreadableBlocks: observations.gauge("pleiad_tsdb_unreadable_blocks", "Blocks that are missing from answers."),
      heldBlocks: observations.gauge("pleiad_tsdb_held_blocks", "Blocks past retention that are not uploaded."),
    };
  }

  show(figures: TsdbStatistics): void {
    this.#gauges.blocks.set(figures.blocks);
    this.#gauges.blockBytes.set(figures.blockBytes);
    this.#gauges.minTimeMs.set(figures.minTimeMs);
    this.#gauges.unreadableBlocks.set(figures.unreadableBlocks);
    this.#gauges.heldBlocks.set(figures.heldBlocks);
  }

  countCut(isDone: boolean): void {
    this.#observations.counter("prometheus_tsdb_compactions_total", "Blocks cut from the head, tries included.").add(1);
    const failed = this.#observations.counter(
      "prometheus_tsdb_compactions_failed_total",
      "Cuts of blocks that failed.",
    );
    failed.add(isDone ? 0 : 1);
  }

  countRetentions(byTime: boolean, bySize: boolean): void {
    const time = this.#observations.counter("prometheus_tsdb_time_retentions_total", "Times that old blocks went.");
    const size = this.#observations.counter("prometheus_tsdb_size_retentions_total", "Times that blocks made room.");
    time.add(byTime ? 1 : 0);
    size.add(bySize ? 1 : 0);
  }
}
