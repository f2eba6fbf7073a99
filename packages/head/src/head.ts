/** The newest samples of one cluster: in memory for readers, in Prometheus's own files against a crash. */
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
  type SeriesSource,
  type SourceFailure,
} from "@pleiad/model";
import { FileError, type Counter, type Gauge, type Ports } from "@pleiad/ports";
import { writeCheckpoint } from "./checkpoint.ts";
import { ExemplarRing, type SeriesExemplars } from "./exemplar-ring.ts";
import { Appender, type CommitStats, type HeadAppender, type RowSink } from "./head-appender.ts";
import type { HeadChunkFile } from "./head-chunk-file.ts";
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
import type { MemorySeries } from "./memory-series.ts";
import { replayHead, type ReplayReport } from "./replay.ts";
import { SerialQueue } from "./serial-queue.ts";
import type { TimeRange } from "./time-range.ts";
import { recordSeries, writeSeries } from "./wal-records.ts";
import { listLog, RecordBatch, removeEntries, WriteAheadLog, type OutOfOrderSegment } from "./write-ahead-log.ts";

const seriesRecordBytes = 256 * 1024;
const pieceMs = 5;

export type HeadPorts = Pick<Ports, "files" | "clock" | "observations">;

export interface HeadStatistics {
  readonly series: number;
  readonly chunks: number;
  /** Of all samples; NaN where there is none. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** Logs of samples out of order included. */
  readonly walBytes: number;
  readonly exemplars: number;
  readonly chunkFileBytes: number;
  readonly replayMs: number;
  /** Why the last commit failed; undefined if it did not. */
  readonly commitFailure: HeadFailure | undefined;
  /** Bytes at damaged ends of files that the opening cut off, and damaged records elsewhere that it left out. */
  readonly repairedBytes: number;
  readonly damagedRecords: number;
  /** Samples in the log whose series nothing names, and records of kinds that are not read. */
  readonly skippedSamples: number;
  readonly unreadRecords: number;
}

export interface MaintenanceStats {
  readonly droppedChunks: number;
  readonly forgottenSeries: number;
  readonly droppedFiles: number;
  readonly isLogTruncated: boolean;
}

export interface Head extends SeriesSource {
  appender(): HeadAppender;
  importer(): HeadImporter;
  /**
   * Drops what is past retention, forgets series without samples, cuts the log behind a checkpoint once it has grown.
   * To be called every minute or so. Retention counts from `nowMs` or the newest sample, whichever is older: a clock that
   * jumps ahead deletes nothing.
   */
  maintain(nowMs: number): Promise<Result<MaintenanceStats, HeadFailure>>;
  /** The oldest range of whole `chunkRangeMs` that may pass into a block: one and a half of them are there. */
  cuttableRange(): TimeRange | undefined;
  /** Takes no more samples below the end of the range, and gives those in it; they stay until `truncate`. */
  closeRange(range: TimeRange): Promise<Result<HeadRange, HeadFailure>>;
  /**
   * Drops all samples below `beforeMs`: to be called once blocks have them, durably. After a crash before its end an
   * opening with `minValidTimeMs` does the rest.
   */
  truncate(beforeMs: number): Promise<Result<MaintenanceStats, HeadFailure>>;
  /** The exemplars that are kept of the series that fulfil all matchers, from `minTimeMs` to `maxTimeMs`. */
  exemplars(
    matchers: readonly Matcher[],
    minTimeMs: number,
    maxTimeMs: number,
  ): Result<readonly SeriesExemplars[], SourceFailure>;
  statistics(): HeadStatistics;
  /** Makes all durable and lets go of the files. The head then answers "unavailable" and refuses writes. */
  close(): Promise<Result<void, HeadFailure>>;
}

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
    const chunkOptions = { directory: chunkDirectory, fileBytesMax: options.chunkFileBytesMax, nextFileNumber };
    const writer = new HeadChunkWriter(files, {
      ...chunkOptions,
      fileSpanMs: options.chunkRangeMs,
      isDraft: false,
    });
    const outOfOrderLog = await listLog(files, outOfOrderDirectory);
    const exemplars = new ExemplarRing(options.exemplarsMax);
    const replayOptions = { chunkDirectory, log, outOfOrderLog, repairs: true };
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
      firstSegment: (outOfOrderLog.segments.at(-1)?.number ?? -1) + 1,
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
    const parts = { memory, exemplars, wal, outOfOrderWal, writer, newImportWriter };
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
  /** Of samples that come out of order. */
  readonly outOfOrderWal: WriteAheadLog;
  readonly writer: HeadChunkWriter;
  readonly newImportWriter: () => HeadChunkWriter;
}

class OpenHead implements Head {
  readonly #options: HeadOptions;
  readonly #ports: HeadPorts;
  readonly #memory: HeadMemory;
  readonly #exemplars: ExemplarRing;
  readonly #wal: WriteAheadLog;
  readonly #outOfOrderWal: WriteAheadLog;
  /** Those of an earlier process, then those of this one; the one that is being written included. */
  #outOfOrderSegments: OutOfOrderSegment[];
  readonly #writer: HeadChunkWriter;
  readonly #newImportWriter: () => HeadChunkWriter;
  readonly #report: ReplayReport;
  readonly #replayMs: number;
  readonly #reader: HeadReader;
  /** Files of closed chunks but for the one that is being written. */
  #chunkFiles: HeadChunkFile[];
  /** Whatever changes the log, the chunk files or the memory takes its turn here. */
  readonly #writes = new SerialQueue();
  readonly #maintenance = new SerialQueue();
  readonly #batch = new RecordBatch();
  readonly #outOfOrderBatch = new RecordBatch();
  readonly #openTransactions = new Set<number>();
  readonly #failedImports: { readonly staged: readonly StagedChunks[]; readonly writer: HeadChunkWriter }[] = [];
  #transactionLast = 0;
  #commitFailure: HeadFailure | undefined;
  #isClosed = false;
  /** What a failed datasync of the log said, until memory is on disk once more. */
  #unrecovered: string | undefined;
  #wasSealed = false;
  #checkpointBytes: number;
  /** Bytes of segments behind the checkpoint that an earlier process wrote, or that were cut since. */
  #olderSegmentBytes: number;
  /** Bytes that this process wrote into segments which the checkpoint stands for. */
  #bytesBehind = 0;
  /** Files of closed chunks that an earlier process wrote, perhaps without a datasync. */
  readonly #undurable: Set<string>;
  readonly #appendedCounter: Counter;
  readonly #outOfOrderCounter: Counter;
  readonly #exemplarCounter: Counter;
  readonly #failureCounter: Counter;
  readonly #sealedGauge: Gauge;

  constructor(
    options: HeadOptions,
    ports: HeadPorts,
    { memory, exemplars, wal, outOfOrderWal, writer, newImportWriter }: HeadParts,
    report: ReplayReport,
    replayMs: number,
  ) {
    this.#options = options;
    this.#ports = ports;
    this.#memory = memory;
    this.#exemplars = exemplars;
    this.#wal = wal;
    this.#outOfOrderWal = outOfOrderWal;
    this.#outOfOrderSegments = report.outOfOrderSegments;
    this.#writer = writer;
    this.#newImportWriter = newImportWriter;
    this.#report = report;
    this.#replayMs = replayMs;
    this.#chunkFiles = report.chunkFiles;
    this.#undurable = new Set(report.chunkFiles.map((file) => file.path));
    this.#checkpointBytes = report.checkpointBytes;
    this.#olderSegmentBytes = report.segmentBytes;
    const source = `head${options.externalLabels.length > 0 ? formatLabels(options.externalLabels) : ""}`;
    this.#reader = { memory, source, yield: () => ports.clock.yield() };
    const { observations } = ports;
    this.#appendedCounter = observations.counter("prometheus_tsdb_head_samples_appended_total", "Samples committed.");
    this.#outOfOrderCounter = observations.counter(
      "prometheus_tsdb_head_out_of_order_samples_appended_total",
      "Samples committed that came out of order.",
    );
    this.#exemplarCounter = observations.counter(
      "prometheus_tsdb_exemplar_exemplars_appended_total",
      "Exemplars kept.",
    );
    this.#sealedGauge = observations.gauge("pleiad_head_sealed", "1 while a failed datasync keeps samples out.");
    this.#sealedGauge.set(0);
    this.#failureCounter = observations.counter("pleiad_head_write_failures_total", "Commits that the disk refused.");
    observations
      .counter("pleiad_head_repaired_bytes_total", "Bytes at damaged ends of files that an opening cut off.")
      .add(report.repairedBytes);
    observations
      .counter("prometheus_tsdb_wal_corruptions_total", "Damaged records of the log that an opening left out.")
      .add(report.damagedRecords);
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
      await this.#recoverLog();
      const { droppedChunks, forgottenSeries } = await this.#writes.run(async () => await this.#expire(cutoffMs));
      await this.#writes.run(async () => await this.#discardFailedImports());
      const keptFromMs = Math.max(cutoffMs, this.#memory.truncatedBeforeMs);
      const droppedFiles = await this.#writes.run(async () => await this.#dropChunkFiles(keptFromMs));
      await this.#writes.run(async () => {
        await this.#dropOutOfOrderSegments(keptFromMs);
        await this.#wal.datasync();
        await this.#outOfOrderWal.datasync();
      });
      return ok({ droppedChunks, forgottenSeries, droppedFiles, isLogTruncated: await this.#truncateLog() });
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
    const chunkFiles = [...this.#chunkFiles, ...this.#writer.written];
    const outOfOrderBytes = this.#outOfOrderSegments.reduce((total, segment) => total + segment.sizeBytes, 0);
    return {
      series: index.size,
      chunks: chunkCount,
      minTimeMs: isEmpty ? NaN : minTimeMs,
      maxTimeMs: isEmpty ? NaN : maxTimeMs,
      walBytes: this.#checkpointBytes + this.#segmentBytes + outOfOrderBytes,
      exemplars: this.#exemplars.size,
      chunkFileBytes: chunkFiles.reduce((total, file) => total + file.sizeBytes, 0),
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
          const parts = [this.#wal, this.#outOfOrderWal, this.#writer];
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
      await this.#wal.append(this.#batch);
      await this.#logOutOfOrder(this.#outOfOrderBatch, appender.outOfOrderMaxTimeMs);
    } catch (error) {
      this.#failureCounter.add(1);
      return fail(this.#failureOf(error));
    }
    for (const series of fresh) this.#memory.show(series);
    const { samples, outOfOrder, dropped } = appender.forEach(this.#rowSink);
    this.#appendedCounter.add(samples);
    if (outOfOrder > 0) this.#outOfOrderCounter.add(outOfOrder);
    const exemplars = appender.keepExemplars();
    if (exemplars > 0) this.#exemplarCounter.add(exemplars);
    await this.#flushChunks();
    return ok({ samples, outOfOrder, overtaken: overtaken + dropped, newSeries: fresh.length });
  }

  /** Writes to the log of out-of-order samples; `maxTimeMs` is the newest of them. */
  async #logOutOfOrder(batch: RecordBatch, maxTimeMs: number): Promise<void> {
    if (batch.isEmpty) return;
    const wal = this.#outOfOrderWal;
    const firstNumber = wal.current?.number ?? -1;
    try {
      await wal.append(batch);
    } finally {
      // Whatever became of it, segments may have it.
      for (const segment of this.#outOfOrderSegments) {
        if (segment.number >= firstNumber && firstNumber >= 0)
          segment.maxTimeMs = Math.max(segment.maxTimeMs, maxTimeMs);
      }
      const { current } = wal;
      if (current !== undefined) {
        const known = this.#outOfOrderSegments.find(({ number }) => number === current.number);
        if (known === undefined) this.#outOfOrderSegments.push({ ...current, maxTimeMs });
        else known.sizeBytes = current.sizeBytes;
      }
    }
  }

  /** Removes the segments of out-of-order samples that end before a time. */
  async #dropOutOfOrderSegments(keptFromMs: number): Promise<void> {
    const expired = this.#outOfOrderSegments.filter(({ maxTimeMs }) => maxTimeMs < keptFromMs);
    for (const { number, path } of expired) {
      if (this.#outOfOrderWal.current?.number === number) await this.#outOfOrderWal.cut();
      await removeEntries(this.#ports.files, [{ kind: "file", path }]);
      this.#outOfOrderSegments = this.#outOfOrderSegments.filter((other) => other.number !== number);
    }
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
    this.#chunkFiles.push(...writer.written);
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
      await this.#wal.append(this.#batch);
      for (const series of fresh) memory.show(series);
      await this.#wal.datasync();
      // Files hold the chunks of a series in the order of time, as Prometheus wants them.
      for (const { series, chunks } of staged) {
        if (series.newestMs < (chunks[0]?.minTimeMs ?? 0)) memory.closeChunk(series, this.#writer);
      }
      await this.#flushChunks();
      this.#writer.endFile();
      await writer.flush();
      await writer.close();
      await writer.publish();
      return undefined;
    } catch (error) {
      this.#failureCounter.add(1);
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
    const reason = this.#unrecovered ?? this.#wal.sealedBy ?? this.#outOfOrderWal.sealedBy ?? this.#writer.sealedBy;
    return reason === undefined ? undefined : { kind: "sealed", reason };
  }

  /** Says it when the head stops taking samples, and when it goes on. */
  #tellSeal(): void {
    const seal = this.#seal();
    if ((seal !== undefined) === this.#wasSealed) return;
    this.#wasSealed = seal !== undefined;
    this.#sealedGauge.set(seal === undefined ? 0 : 1);
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
      await this.#writer.flush();
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

  async #dropChunkFiles(cutoffMs: number): Promise<number> {
    // All but the last are complete.
    this.#chunkFiles.push(...this.#writer.written.splice(0, this.#writer.written.length - 1));
    const expired = this.#chunkFiles.filter((file) => file.maxTimeMs < cutoffMs);
    for (const file of expired) {
      await removeEntries(this.#ports.files, [{ kind: "file", path: file.path }]);
      this.#chunkFiles = this.#chunkFiles.filter((other) => other !== file);
      this.#undurable.delete(file.path);
    }
    return expired.length;
  }

  async #truncateLog(): Promise<boolean> {
    const { checkpointBytesMin } = this.#options;
    if (this.#segmentBytes === 0 || this.#segmentBytes < Math.max(checkpointBytesMin, this.#checkpointBytes))
      return false;
    await this.#checkpointBehind((await this.#writes.run(async () => await this.#wal.cut())) - 1);
    return true;
  }

  /**
   * After a failed datasync of the log: memory has all that was acknowledged, and a checkpoint brings it to disk anew, in
   * files of its own. Until that is done, nothing is taken. What the kernel dropped of the old segment is not asked for
   * again: a second datasync of the same file could say that all is well.
   */
  async #recoverLog(): Promise<void> {
    const wal = this.#wal;
    if (wal.sealedBy !== undefined) {
      this.#unrecovered = wal.sealedBy;
    }
    if (this.#unrecovered === undefined) return;
    await this.#checkpointBehind(await this.#writes.run(async () => await wal.abandon()));
    this.#unrecovered = undefined;
    this.#tellSeal();
    const { directory } = this.#options;
    this.#ports.observations.log("info", "What a failed datasync left in doubt is on disk: the head takes samples.", {
      directory,
    });
  }

  /** Writes a checkpoint that stands for all segments up to `number`, and removes those. */
  async #checkpointBehind(number: number): Promise<void> {
    const { files } = this.#ports;
    const bytesCut = this.#wal.bytesWritten;
    const directory = `${this.#options.directory}/wal`;
    this.#checkpointBytes = await writeCheckpoint(
      this.#memory,
      this.#exemplars,
      directory,
      number,
      this.#ports,
      async () => await this.#writes.run(async () => await this.#settleChunks()),
    );
    this.#olderSegmentBytes = 0;
    this.#bytesBehind = bytesCut;
    await removeEntries(files, (await listLog(files, directory)).leftovers);
  }

  /** Makes all closed chunks durable, those of a process that died included: the log is about to forget them. */
  async #settleChunks(): Promise<void> {
    await this.#writer.flush();
    await this.#writer.datasync();
    for (const path of this.#undurable) {
      const file = await this.#ports.files.open(path, "read");
      try {
        await file.datasync();
      } finally {
        await file.close();
      }
      this.#undurable.delete(path);
    }
  }

  /** The latest time that a sample may have. */
  get #latestMs(): number {
    return this.#ports.clock.wallMs() + this.#options.futureMaxMs;
  }

  /** Bytes of the segments that the checkpoint does not stand for. */
  get #segmentBytes(): number {
    return this.#olderSegmentBytes + this.#wal.bytesWritten - this.#bytesBehind;
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
    float: (series, timestampMs, high, low) => this.#memory.append(series, timestampMs, high, low, this.#writer),
    outOfOrder: (series, timestampMs, high, low) =>
      this.#memory.appendOutOfOrder(series, timestampMs, high, low, this.#writer),
    histogram: (series, timestampMs, histogram, kind) =>
      this.#memory.appendHistogram(series, timestampMs, histogram, kind, this.#writer),
  };

  readonly #tellUnreadable: OnUnreadable = (labels, reason) => {
    const fields = { directory: this.#options.directory, series: formatLabels(labels), reason };
    this.#ports.observations.log("error", "A closed chunk does not decode: its samples are lost.", fields);
  };

  #closedFailure(): SourceFailure {
    return { kind: "unavailable", source: this.#reader.source, reason: formatHeadFailure({ kind: "closed" }) };
  }

  #warn(message: string, error: unknown): void {
    if (!(error instanceof FileError)) throw error;
    this.#ports.observations.log("warn", message, { directory: this.#options.directory, reason: error.message });
  }
}
