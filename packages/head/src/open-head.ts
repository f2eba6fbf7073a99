/** A head: in memory for readers, in Prometheus's own files against a crash. */
import {
  cursorOf,
  fail,
  formatLabels,
  ok,
  type LabelsAnswer,
  type LabelsRequest,
  type Matcher,
  type Result,
  type SelectRequest,
  type SeriesCursor,
  type SourceFailure,
} from "@pleiad/model";
import { ClosedChunkFiles } from "./closed-chunk-files.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { ExemplarRing, type SeriesExemplars } from "./exemplar-ring.ts";
import { Appender, type CommitStats, type HeadAppender, type RowSink } from "./head-appender.ts";
import { HeadChunkWriter } from "./head-chunk-writer.ts";
import { asHeadFailure, formatHeadFailure, type HeadFailure } from "./head-failure.ts";
import { Importer, type HeadImporter } from "./head-importer.ts";
import { HeadDisk } from "./head-disk.ts";
import { HeadMemory } from "./head-memory.ts";
import { headMetrics, type HeadMetrics } from "./head-metrics.ts";
import type { HeadOptions } from "./head-options.ts";
import { headRange, type HeadRange, type OnUnreadable } from "./head-range.ts";
import {
  findSeries,
  invalidMatcher,
  listLabelNames,
  listLabelValues,
  selectSeries,
  type HeadReader,
} from "./head-select.ts";
import type { Head, HeadPorts, HeadStatistics, MaintenanceStats } from "./head.ts";
import { ImportCommits } from "./import-commits.ts";
import type { MemorySeries } from "./memory-series.ts";
import { OpenTransactions } from "./open-transactions.ts";
import { OutOfOrderLog } from "./out-of-order-log.ts";
import { replayHead, type ReplayReport } from "./replay.ts";
import { SerialQueue } from "./serial-queue.ts";
import type { TimeRange } from "./time-range.ts";
import { listLog, RecordBatch, removeEntries, WriteAheadLog } from "./write-ahead-log.ts";

const pieceMs = 5;

/** Opens the head of a directory, made if it is not there, and replays its files; resolves when all is in memory. */
export async function openHead(options: HeadOptions, ports: HeadPorts): Promise<Result<Head, HeadFailure>> {
  const { files, clock, observations } = ports;
  const startMs = clock.monotonicMs();
  const walDirectory = `${options.directory}/wal`;
  const outOfOrderDirectory = `${options.directory}/wbl`;
  const chunkDirectory = `${options.directory}/chunks_head`;
  try {
    for (const directory of [
      walDirectory,
      chunkDirectory,
      ...(options.outOfOrderWindowMs > 0 ? [outOfOrderDirectory] : []),
    ]) {
      if (!(await files.exists(directory))) await files.makeDirectory(directory);
    }
    const log = await listLog(files, walDirectory);
    const memory = new HeadMemory(options);
    let chunkFileNumber = 0;
    const nextFileNumber = () => ++chunkFileNumber;
    const chunkOptions = {
      directory: chunkDirectory,
      fileBytesMax: options.chunkFileBytesMax,
      nextFileNumber,
    };
    const writer = new HeadChunkWriter(files, {
      ...chunkOptions,
      fileSpanMs: options.chunkRangeMs,
      isDraft: false,
    });
    const lateLog = await listLog(files, outOfOrderDirectory);
    const exemplars = new ExemplarRing(options.exemplarsMax);
    const replayOptions = { chunkDirectory, log, outOfOrderLog: lateLog, repairs: true };
    const report = await replayHead(memory, writer, exemplars, replayOptions, ports);
    chunkFileNumber = report.chunkFiles.at(-1)?.number ?? 0;
    await removeEntries(files, log.leftovers);
    const wal = new WriteAheadLog(files, clock, {
      directory: walDirectory,
      segmentBytes: options.walSegmentBytes,
      syncIntervalMs: options.syncIntervalMs,
      firstSegment: Math.max(log.segments.at(-1)?.number ?? -1, log.checkpoint?.number ?? -1) + 1,
    });
    const outOfOrderWal = new WriteAheadLog(files, clock, {
      directory: outOfOrderDirectory,
      segmentBytes: options.walSegmentBytes,
      syncIntervalMs: options.syncIntervalMs,
      firstSegment: (lateLog.segments.at(-1)?.number ?? -1) + 1,
    });
    const replayMs = clock.monotonicMs() - startMs;
    const newImportWriter = () => new HeadChunkWriter(files, { ...chunkOptions, fileSpanMs: Infinity, isDraft: true });
    observations.log("info", "A head is open.", {
      directory: options.directory,
      series: memory.index.size,
      chunks: memory.chunkCount,
      replayMs: Math.round(replayMs),
      repairedBytes: report.repairedBytes,
      damagedRecords: report.damagedRecords,
      skippedSamples: report.skippedSamples,
      unreadRecords: report.unread,
    });
    const outOfOrderLog = new OutOfOrderLog(outOfOrderWal, files, report.outOfOrderSegments);
    const chunkFiles = new ClosedChunkFiles(writer, files, report.chunkFiles);
    const metrics = headMetrics(observations);
    const writes = new SerialQueue();
    const settle = async () => await writes.run(async () => await chunkFiles.settle());
    const disk = new HeadDisk(
      {
        ...{ directory: options.directory, wal, outOfOrderLog, chunkFiles, newImportWriter, writes },
        ...{ files, metrics, observations },
        writeCheckpoint: async (number) =>
          await writeCheckpoint(memory, exemplars, walDirectory, number, ports, settle),
      },
      report,
    );
    return ok(new OpenHead(options, ports, { memory, exemplars, disk, writes, metrics, report, replayMs }));
  } catch (error) {
    return fail(asHeadFailure(error));
  }
}

/** What a head is made of. */
interface HeadParts {
  readonly memory: HeadMemory;
  readonly exemplars: ExemplarRing;
  readonly disk: HeadDisk;
  /** Whatever changes the log, the chunk files or the memory takes its turn here. */
  readonly writes: SerialQueue;
  readonly metrics: HeadMetrics;
  readonly report: ReplayReport;
  readonly replayMs: number;
}

class OpenHead implements Head {
  readonly #options: HeadOptions;
  readonly #ports: HeadPorts;
  readonly #memory: HeadMemory;
  readonly #exemplars: ExemplarRing;
  readonly #disk: HeadDisk;
  readonly #imports: ImportCommits;
  readonly #report: ReplayReport;
  readonly #replayMs: number;
  readonly #metrics: HeadMetrics;
  readonly #reader: HeadReader;
  readonly #writes: SerialQueue;
  readonly #maintenance = new SerialQueue();
  readonly #batch = new RecordBatch();
  readonly #outOfOrderBatch = new RecordBatch();
  readonly #transactions = new OpenTransactions();
  #commitFailure: HeadFailure | undefined;
  #isClosed = false;

  constructor(options: HeadOptions, ports: HeadPorts, parts: HeadParts) {
    const { memory, disk, metrics, report } = parts;
    this.#options = options;
    this.#ports = ports;
    this.#memory = memory;
    this.#exemplars = parts.exemplars;
    this.#disk = disk;
    this.#imports = new ImportCommits(memory, disk, metrics);
    this.#report = report;
    this.#replayMs = parts.replayMs;
    this.#metrics = metrics;
    this.#writes = parts.writes;
    const source = `head${options.externalLabels.length > 0 ? formatLabels(options.externalLabels) : ""}`;
    this.#reader = { memory, source, yield: () => ports.clock.yield() };
    metrics.sealed.set(0);
    metrics.repairedBytes.add(report.repairedBytes);
    metrics.damagedRecords.add(report.damagedRecords);
  }

  select(request: SelectRequest, signal: AbortSignal): SeriesCursor {
    if (this.#isClosed) return cursorOf([], { failure: this.#closedFailure() });
    return selectSeries(this.#reader, request, signal);
  }

  async labelNames(request: LabelsRequest, signal: AbortSignal): Promise<Result<LabelsAnswer, SourceFailure>> {
    return this.#isClosed ? fail(this.#closedFailure()) : listLabelNames(this.#reader, request, signal);
  }

  async labelValues(
    label: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<Result<LabelsAnswer, SourceFailure>> {
    return this.#isClosed ? fail(this.#closedFailure()) : listLabelValues(this.#reader, label, request, signal);
  }

  appender(): HeadAppender {
    const id = this.#transactions.begin();
    return new Appender(
      id,
      this.#memory,
      this.#exemplars,
      this.#latestMs,
      async (appender) => {
        const committed = await this.#writes.run(async () => await this.#commit(appender));
        this.#commitFailure = committed.ok ? undefined : committed.failure;
        this.#disk.tellSeal();
        return committed;
      },
      this.#transactions.end,
    );
  }

  importer(): HeadImporter {
    const id = this.#transactions.begin();
    return new Importer(
      id,
      this.#memory,
      this.#latestMs,
      this.#disk.newImportWriter(),
      async (staged, writer) =>
        await this.#writes.run(async () => await this.#imports.commit(staged, writer, this.#unwritable())),
      this.#transactions.end,
    );
  }

  async maintain(nowMs: number): Promise<Result<MaintenanceStats, HeadFailure>> {
    return await this.#maintenance.run(async () => await this.#maintain(this.#memory.cutoffMs(nowMs)));
  }

  cuttableRange(): TimeRange | undefined {
    return this.#memory.cuttableRange();
  }

  async closeRange(range: TimeRange): Promise<Result<HeadRange, HeadFailure>> {
    const memory = this.#memory;
    return await this.#writes.run(async () => {
      if (this.#isClosed) return fail({ kind: "closed" });
      memory.closedBeforeMs = Math.max(memory.closedBeforeMs, range.maxTimeMs);
      return ok(headRange(memory, range, this.#options.samplesPerChunk, this.#ports.clock, this.#tellUnreadable));
    });
  }

  async truncate(beforeMs: number): Promise<Result<MaintenanceStats, HeadFailure>> {
    const memory = this.#memory;
    return await this.#maintenance.run(async () => {
      memory.closedBeforeMs = Math.max(memory.closedBeforeMs, beforeMs);
      memory.truncatedBeforeMs = Math.max(memory.truncatedBeforeMs, beforeMs);
      return await this.#maintain(-Infinity);
    });
  }

  /** Drops what ends before `cutoffMs`, and what is truncated. */
  async #maintain(cutoffMs: number): Promise<Result<MaintenanceStats, HeadFailure>> {
    if (this.#isClosed) return fail({ kind: "closed" });
    try {
      await this.#disk.recover();
      const { droppedChunks, forgottenSeries } = await this.#writes.run(async () => await this.#expire(cutoffMs));
      await this.#writes.run(async () => await this.#imports.discardFailed());
      const keptFromMs = Math.max(cutoffMs, this.#memory.truncatedBeforeMs);
      const droppedFiles = await this.#writes.run(async () => await this.#disk.chunkFiles.dropBefore(keptFromMs));
      await this.#writes.run(async () => await this.#disk.settleLogs(keptFromMs));
      return ok({
        droppedChunks,
        forgottenSeries,
        droppedFiles,
        isLogTruncated: await this.#disk.log.truncate(this.#options.checkpointBytesMin),
      });
    } catch (error) {
      return fail(this.#disk.failureOf(error));
    }
  }

  exemplars(
    matchers: readonly Matcher[],
    minTimeMs: number,
    maxTimeMs: number,
  ): Result<readonly SeriesExemplars[], SourceFailure> {
    if (this.#isClosed) return fail(this.#closedFailure());
    const found = findSeries(this.#memory, matchers);
    if (!found.ok) return fail(invalidMatcher(this.#reader.source, found.failure));
    return ok(this.#exemplars.select(found.value, minTimeMs, maxTimeMs));
  }

  statistics(): HeadStatistics {
    const { minTimeMs, maxTimeMs, chunkCount, index } = this.#memory;
    const isEmpty = maxTimeMs < minTimeMs;
    return {
      series: index.size,
      chunks: chunkCount,
      minTimeMs: isEmpty ? NaN : minTimeMs,
      maxTimeMs: isEmpty ? NaN : maxTimeMs,
      walBytes: this.#disk.logBytes,
      exemplars: this.#exemplars.size,
      chunkFileBytes: this.#disk.chunkFiles.sizeBytes,
      replayMs: this.#replayMs,
      commitFailure: this.#commitFailure,
      repairedBytes: this.#report.repairedBytes,
      damagedRecords: this.#report.damagedRecords,
      skippedSamples: this.#report.skippedSamples,
      unreadRecords: this.#report.unread,
    };
  }

  async close(): Promise<Result<void, HeadFailure>> {
    return await this.#maintenance.run(
      async () =>
        await this.#writes.run(async () => {
          if (this.#isClosed) return ok(undefined);
          this.#isClosed = true;
          const failure = await this.#disk.close();
          return failure === undefined ? ok(undefined) : fail(failure);
        }),
    );
  }

  async #commit(appender: Appender): Promise<Result<CommitStats, HeadFailure>> {
    const unwritable = this.#unwritable();
    if (unwritable !== undefined) return fail(unwritable);
    const overtaken = appender.dropOvertaken(this.#transactions.next());
    this.#batch.clear();
    this.#outOfOrderBatch.clear();
    const fresh = appender.writeRecords(this.#batch, this.#outOfOrderBatch);
    try {
      await this.#disk.append(this.#batch, this.#outOfOrderBatch, appender.outOfOrderMaxTimeMs);
    } catch (error) {
      this.#metrics.writeFailures.add(1);
      return fail(this.#disk.failureOf(error));
    }
    for (const series of fresh) this.#memory.show(series);
    const { samples, outOfOrder, dropped } = appender.forEach(this.#rowSink);
    this.#metrics.appended.add(samples);
    if (outOfOrder > 0) this.#metrics.outOfOrder.add(outOfOrder);
    const exemplars = appender.keepExemplars();
    if (exemplars > 0) this.#metrics.exemplars.add(exemplars);
    await this.#disk.flushChunks();
    return ok({ samples, outOfOrder, overtaken: overtaken + dropped, newSeries: fresh.length });
  }

  /** Why the head takes nothing: it is closed, or nobody knows what the disk holds. */
  #unwritable(): HeadFailure | undefined {
    return this.#isClosed ? { kind: "closed" } : this.#disk.seal();
  }

  async #expire(cutoffMs: number): Promise<{ droppedChunks: number; forgottenSeries: number }> {
    const { clock } = this.#ports;
    const memory = this.#memory;
    const chunksBefore = memory.chunkCount;
    const gone = new Set<MemorySeries>();
    let minTimeMs = Infinity;
    let pieceStartMs = clock.monotonicMs();
    for (const series of memory.index.all()) {
      memory.expire(series, cutoffMs);
      const undecoded = memory.truncate(series, memory.truncatedBeforeMs);
      if (undecoded !== undefined) this.#tellUnreadable(series.labels, undecoded.kind);
      if (series.isEmpty) gone.add(series);
      minTimeMs = Math.min(minTimeMs, series.minTimeMs);
      if (clock.monotonicMs() - pieceStartMs > pieceMs) {
        await clock.yield();
        pieceStartMs = clock.monotonicMs();
      }
    }
    memory.minTimeMs = minTimeMs;
    // Looked at now and not above: transactions go on while the loop lets others run.
    const oldestTransaction = this.#transactions.oldest;
    for (const series of gone) if (series.heldBy >= oldestTransaction) gone.delete(series);
    memory.forget(gone);
    return { droppedChunks: chunksBefore - memory.chunkCount, forgottenSeries: gone.size };
  }

  /** The latest time that a sample may have. */
  get #latestMs(): number {
    return this.#ports.clock.wallMs() + this.#options.futureMaxMs;
  }

  readonly #rowSink: RowSink = {
    float: (series, timestampMs, high, low) =>
      this.#memory.append(series, timestampMs, high, low, this.#disk.chunkFiles.writer),
    outOfOrder: (series, timestampMs, high, low) =>
      this.#memory.appendOutOfOrder(series, timestampMs, high, low, this.#disk.chunkFiles.writer),
    histogram: (series, timestampMs, histogram, kind) =>
      this.#memory.appendHistogram(series, timestampMs, histogram, kind, this.#disk.chunkFiles.writer),
  };

  readonly #tellUnreadable: OnUnreadable = (labels, reason) => {
    const fields = { directory: this.#options.directory, series: formatLabels(labels), reason };
    this.#ports.observations.log("error", "A closed chunk does not decode: its samples are lost.", fields);
  };

  #closedFailure(): SourceFailure {
    return {
      kind: "unavailable",
      source: this.#reader.source,
      reason: formatHeadFailure({ kind: "closed" }),
    };
  }
}
