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
import { FileError } from "@pleiad/ports";
import { CheckpointedLog } from "./checkpointed-log.ts";
import { ClosedChunkFiles } from "./closed-chunk-files.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { ExemplarRing, type SeriesExemplars } from "./exemplar-ring.ts";
import { Appender, type CommitStats, type HeadAppender, type RowSink } from "./head-appender.ts";
import { HeadChunkWriter } from "./head-chunk-writer.ts";
import { asHeadFailure, formatHeadFailure, type HeadFailure } from "./head-failure.ts";
import {
  Importer,
  type HeadImporter,
  type ImportFailure,
  type ImportStats,
  type StagedChunks,
} from "./head-importer.ts";
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
import type { MemorySeries } from "./memory-series.ts";
import { OutOfOrderLog } from "./out-of-order-log.ts";
import { replayHead, type ReplayReport } from "./replay.ts";
import { SerialQueue } from "./serial-queue.ts";
import type { TimeRange } from "./time-range.ts";
import { recordSeries, writeSeries } from "./wal-records.ts";
import { listLog, RecordBatch, removeEntries, WriteAheadLog } from "./write-ahead-log.ts";

const seriesRecordBytes = 256 * 1024;
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
    const parts = { memory, exemplars, wal, outOfOrderLog, chunkFiles, newImportWriter };
    return ok(new OpenHead(options, ports, parts, report, replayMs));
  } catch (error) {
    return fail(asHeadFailure(error));
  }
}

/** What a head is made of. */
interface HeadParts {
  readonly memory: HeadMemory;
  readonly exemplars: ExemplarRing;
  readonly wal: WriteAheadLog;
  readonly outOfOrderLog: OutOfOrderLog;
  readonly chunkFiles: ClosedChunkFiles;
  readonly newImportWriter: () => HeadChunkWriter;
}

class OpenHead implements Head {
  readonly #options: HeadOptions;
  readonly #ports: HeadPorts;
  readonly #memory: HeadMemory;
  readonly #exemplars: ExemplarRing;
  readonly #log: CheckpointedLog;
  readonly #outOfOrderLog: OutOfOrderLog;
  readonly #chunkFiles: ClosedChunkFiles;
  readonly #newImportWriter: () => HeadChunkWriter;
  readonly #report: ReplayReport;
  readonly #replayMs: number;
  readonly #reader: HeadReader;
  /** Whatever changes the log, the chunk files or the memory takes its turn here. */
  readonly #writes = new SerialQueue();
  readonly #maintenance = new SerialQueue();
  readonly #batch = new RecordBatch();
  readonly #outOfOrderBatch = new RecordBatch();
  readonly #openTransactions = new Set<number>();
  readonly #failedImports: {
    readonly staged: readonly StagedChunks[];
    readonly writer: HeadChunkWriter;
  }[] = [];
  #transactionLast = 0;
  #commitFailure: HeadFailure | undefined;
  #isClosed = false;
  #wasSealed = false;
  readonly #metrics: HeadMetrics;

  constructor(
    options: HeadOptions,
    ports: HeadPorts,
    { memory, exemplars, wal, outOfOrderLog, chunkFiles, newImportWriter }: HeadParts,
    report: ReplayReport,
    replayMs: number,
  ) {
    this.#options = options;
    this.#ports = ports;
    this.#memory = memory;
    this.#exemplars = exemplars;
    this.#outOfOrderLog = outOfOrderLog;
    this.#chunkFiles = chunkFiles;
    this.#newImportWriter = newImportWriter;
    this.#report = report;
    this.#replayMs = replayMs;
    const directory = `${options.directory}/wal`;
    const settle = async () => await this.#writes.run(async () => await chunkFiles.settle());
    const parts = {
      ...{ wal, directory, files: ports.files, writes: this.#writes },
      writeCheckpoint: async (number: number) =>
        await writeCheckpoint(memory, exemplars, directory, number, ports, settle),
    };
    this.#log = new CheckpointedLog(parts, report);
    const source = `head${options.externalLabels.length > 0 ? formatLabels(options.externalLabels) : ""}`;
    this.#reader = { memory, source, yield: () => ports.clock.yield() };
    this.#metrics = headMetrics(ports.observations);
    this.#metrics.sealed.set(0);
    this.#metrics.repairedBytes.add(report.repairedBytes);
    this.#metrics.damagedRecords.add(report.damagedRecords);
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
    const id = this.#beginTransaction();
    return new Appender(
      id,
      this.#memory,
      this.#exemplars,
      this.#latestMs,
      async (appender) => {
        const committed = await this.#writes.run(async () => await this.#commit(appender));
        this.#commitFailure = committed.ok ? undefined : committed.failure;
        this.#tellSeal();
        return committed;
      },
      this.#endTransaction,
    );
  }

  importer(): HeadImporter {
    const id = this.#beginTransaction();
    return new Importer(
      id,
      this.#memory,
      this.#latestMs,
      this.#newImportWriter(),
      async (staged, writer) => await this.#writes.run(async () => await this.#import(staged, writer)),
      this.#endTransaction,
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
      if (await this.#log.recover()) {
        this.#tellSeal();
        const { directory } = this.#options;
        const message = "What a failed datasync left in doubt is on disk: the head takes samples.";
        this.#ports.observations.log("info", message, { directory });
      }
      const { droppedChunks, forgottenSeries } = await this.#writes.run(async () => await this.#expire(cutoffMs));
      await this.#writes.run(async () => await this.#discardFailedImports());
      const keptFromMs = Math.max(cutoffMs, this.#memory.truncatedBeforeMs);
      const droppedFiles = await this.#writes.run(async () => await this.#chunkFiles.dropBefore(keptFromMs));
      await this.#writes.run(async () => {
        await this.#outOfOrderLog.dropBefore(keptFromMs);
        await this.#log.wal.datasync();
        await this.#outOfOrderLog.wal.datasync();
      });
      return ok({
        droppedChunks,
        forgottenSeries,
        droppedFiles,
        isLogTruncated: await this.#log.truncate(this.#options.checkpointBytesMin),
      });
    } catch (error) {
      return fail(this.#failureOf(error));
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
      walBytes: this.#log.sizeBytes + this.#outOfOrderLog.sizeBytes,
      exemplars: this.#exemplars.size,
      chunkFileBytes: this.#chunkFiles.sizeBytes,
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
          await this.#flushChunks();
          // Both let go of their files even where the other fails.
          const parts = [this.#log.wal, this.#outOfOrderLog.wal, this.#chunkFiles.writer];
          const closed = await Promise.allSettled(parts.map(async (part) => await part.close()));
          const failed = closed.find((one) => one.status === "rejected");
          return failed === undefined ? ok(undefined) : fail(asHeadFailure(failed.reason));
        }),
    );
  }

  async #commit(appender: Appender): Promise<Result<CommitStats, HeadFailure>> {
    const unwritable = this.#unwritable();
    if (unwritable !== undefined) return fail(unwritable);
    const overtaken = appender.dropOvertaken(++this.#transactionLast);
    this.#batch.clear();
    this.#outOfOrderBatch.clear();
    const fresh = appender.writeRecords(this.#batch, this.#outOfOrderBatch);
    try {
      // First the log that names the series.
      await this.#log.wal.append(this.#batch);
      await this.#outOfOrderLog.append(this.#outOfOrderBatch, appender.outOfOrderMaxTimeMs);
    } catch (error) {
      this.#metrics.writeFailures.add(1);
      return fail(this.#failureOf(error));
    }
    for (const series of fresh) this.#memory.show(series);
    const { samples, outOfOrder, dropped } = appender.forEach(this.#rowSink);
    this.#metrics.appended.add(samples);
    if (outOfOrder > 0) this.#metrics.outOfOrder.add(outOfOrder);
    const exemplars = appender.keepExemplars();
    if (exemplars > 0) this.#metrics.exemplars.add(exemplars);
    await this.#flushChunks();
    return ok({ samples, outOfOrder, overtaken: overtaken + dropped, newSeries: fresh.length });
  }

  async #import(staged: readonly StagedChunks[], writer: HeadChunkWriter): Promise<Result<ImportStats, ImportFailure>> {
    const failure = this.#unwritable() ?? (await this.#writeImport(staged, writer));
    if (failure !== undefined) {
      this.#failedImports.push({ staged, writer });
      await this.#discardFailedImports();
      return fail(failure);
    }
    for (const { series } of staged) series.floorMs = undefined;
    let chunkCount = 0;
    for (const { series, chunks } of staged) {
      this.#memory.attach(series, chunks);
      chunkCount += chunks.length;
    }
    this.#chunkFiles.add(writer.written);
    return ok({ series: staged.length, chunks: chunkCount });
  }

  async #writeImport(staged: readonly StagedChunks[], writer: HeadChunkWriter): Promise<ImportFailure | undefined> {
    const memory = this.#memory;
    // A commit that was under way when the chunks were added may have brought samples of their time.
    for (const { series, chunks } of staged) {
      const { minTimeMs = Infinity } = chunks[0] ?? {};
      const isTaken = series.reachesInto(minTimeMs, series.floorMs ?? -Infinity) || minTimeMs < memory.closedBeforeMs;
      if (isTaken) return { kind: "overlap" };
    }
    this.#batch.clear();
    const fresh = staged.map(({ series }) => series).filter((series) => !series.isLogged);
    for (const series of fresh) {
      if (this.#batch.openBytes === 0) this.#batch.writer.u8(recordSeries);
      writeSeries(this.#batch.writer, series.ref, memory.ownLabels(series));
      if (this.#batch.openBytes >= seriesRecordBytes) this.#batch.endRecord();
    }
    this.#batch.endRecord();
    try {
      // The log first: chunks whose series nothing names could be taken for another's.
      await this.#log.wal.append(this.#batch);
      for (const series of fresh) memory.show(series);
      await this.#log.wal.datasync();
      // Files hold the chunks of a series in the order of time, as Prometheus wants them.
      for (const { series, chunks } of staged) {
        if (series.newestMs < (chunks[0]?.minTimeMs ?? 0)) memory.closeChunk(series, this.#chunkFiles.writer);
      }
      await this.#flushChunks();
      this.#chunkFiles.writer.endFile();
      await writer.flush();
      await writer.close();
      await writer.publish();
      return undefined;
    } catch (error) {
      this.#metrics.writeFailures.add(1);
      return this.#failureOf(error);
    }
  }

  /**
   * Removes the files of imports that failed. What cannot be removed is tried again at the next maintenance: an opening
   * before that would take it for good, so until then nothing is appended beneath it.
   */
  async #discardFailedImports(): Promise<void> {
    for (let one = this.#failedImports[0]; one !== undefined; one = this.#failedImports[0]) {
      try {
        await one.writer.discard();
      } catch (error) {
        return this.#warn("The files of a failed import could not be removed.", error);
      }
      for (const { series } of one.staged) series.floorMs = undefined;
      this.#failedImports.shift();
    }
  }

  /** Why the head takes nothing: it is closed, or nobody knows what the disk holds. */
  #unwritable(): HeadFailure | undefined {
    return this.#isClosed ? { kind: "closed" } : this.#seal();
  }

  #seal(): HeadFailure | undefined {
    const reason = this.#log.sealedBy ?? this.#outOfOrderLog.wal.sealedBy ?? this.#chunkFiles.writer.sealedBy;
    return reason === undefined ? undefined : { kind: "sealed", reason };
  }

  /** Says it when the head stops taking samples, and when it goes on. */
  #tellSeal(): void {
    const seal = this.#seal();
    if ((seal !== undefined) === this.#wasSealed) return;
    this.#wasSealed = seal !== undefined;
    this.#metrics.sealed.set(seal === undefined ? 0 : 1);
    if (seal === undefined) return;
    const fields = { directory: this.#options.directory, reason: formatHeadFailure(seal) };
    this.#ports.observations.log("error", "The head takes no samples: a datasync failed.", fields);
  }

  #failureOf(error: unknown): HeadFailure {
    const failure = asHeadFailure(error);
    return this.#seal() ?? failure;
  }

  /** Sends closed chunks to their files. A failure loses nothing: the log has their samples, the next flush goes on. */
  async #flushChunks(): Promise<void> {
    try {
      await this.#chunkFiles.writer.flush();
    } catch (error) {
      this.#warn("Closed chunks could not be written; the next commit tries again.", error);
    }
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
    const oldestTransaction = Math.min(...this.#openTransactions, Infinity);
    for (const series of gone) if (series.heldBy >= oldestTransaction) gone.delete(series);
    memory.forget(gone);
    return { droppedChunks: chunksBefore - memory.chunkCount, forgottenSeries: gone.size };
  }

  /** The latest time that a sample may have. */
  get #latestMs(): number {
    return this.#ports.clock.wallMs() + this.#options.futureMaxMs;
  }

  #beginTransaction(): number {
    const id = ++this.#transactionLast;
    this.#openTransactions.add(id);
    return id;
  }

  readonly #endTransaction = (id: number): void => {
    this.#openTransactions.delete(id);
  };

  readonly #rowSink: RowSink = {
    float: (series, timestampMs, high, low) =>
      this.#memory.append(series, timestampMs, high, low, this.#chunkFiles.writer),
    outOfOrder: (series, timestampMs, high, low) =>
      this.#memory.appendOutOfOrder(series, timestampMs, high, low, this.#chunkFiles.writer),
    histogram: (series, timestampMs, histogram, kind) =>
      this.#memory.appendHistogram(series, timestampMs, histogram, kind, this.#chunkFiles.writer),
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

  #warn(message: string, error: unknown): void {
    if (!(error instanceof FileError)) throw error;
    this.#ports.observations.log("warn", message, {
      directory: this.#options.directory,
      reason: error.message,
    });
  }
}
