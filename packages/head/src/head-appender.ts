/** A transaction of new samples: collected first, then written to the log and shown to readers as a whole. */
import { staleHistogram, timestampMsMax } from "@pleiad/chunks";
import {
  histogramsEqual,
  normalNaNHigh,
  normalNaNLow,
  staleHigh,
  staleLow,
  type FloatHistogram,
  type Labels,
  type Result,
} from "@pleiad/model";
import {
  AppendRows,
  leaveRows,
  rowFloat,
  rowFloatHistogram,
  rowIntegerHistogram,
  rowOutOfOrder,
  takeRows,
} from "./append-rows.ts";
import { exemplarLabelCharactersMax, type Exemplar, type ExemplarOutcome, type ExemplarRing } from "./exemplar-ring.ts";
import type { HeadFailure, HeadRefusal } from "./head-failure.ts";
import type { HeadMemory } from "./head-memory.ts";
import { histogramFault, type HistogramKind } from "./histogram-record.ts";
import type { MemorySeries, SeriesRef } from "./memory-series.ts";
import {
  histogramRecordType,
  recordExemplars,
  recordSamples,
  recordSeries,
  writeBase,
  writeExemplar,
  writeHistogramSample,
  writeSample,
  writeSeries,
} from "./wal-records.ts";
import type { RecordBatch } from "./write-ahead-log.ts";

/**
 * What became of a sample.
 * - appended: it is in the transaction, or the series has it already, bit for bit.
 * - duplicate: the series has another value at this time.
 * - out-of-order: the series has a later sample, and the sample is no float within the window of `outOfOrderWindowMs`.
 * - out-of-bounds: too old for this head, too far ahead of the clock, or no time at all.
 * - unknown-series: the head has forgotten the series, or never knew it; ask for it by its labels again.
 */
export type AppendOutcome = "appended" | "duplicate" | "out-of-order" | "out-of-bounds" | "unknown-series";

/** - invalid: the histogram's parts do not fit together. */
export type HistogramOutcome = AppendOutcome | "invalid";

export interface CommitStats {
  readonly samples: number;
  /** Those of them that came out of order. */
  readonly outOfOrder: number;
  /** Samples that were in order when they were appended, and no more when they were committed: another got there first. */
  readonly overtaken: number;
  readonly newSeries: number;
}

/** One use: after `commit` or `rollback` it takes no more. Until then the series that it names are not forgotten. */
export interface HeadAppender {
  /** The series of these labels, made if it is not there. */
  series(labels: Labels): SeriesRef | HeadRefusal;
  /** A NaN is stored as Prometheus's ordinary one, whatever its bits: they are not safe in a number. */
  append(ref: SeriesRef, timestampMs: number, value: number): AppendOutcome;
  /** The staleness marker, as a histogram where the series has those. */
  appendStale(ref: SeriesRef, timestampMs: number): AppendOutcome;
  /** A native histogram; it is kept and must not change. Those whose counts are whole numbers by nature are "integer". */
  appendHistogram(
    ref: SeriesRef,
    timestampMs: number,
    histogram: FloatHistogram,
    kind: HistogramKind,
  ): HistogramOutcome;
  /** Exemplars of a series ascend in time. Only the newest of all series are kept, up to a bound. */
  appendExemplar(ref: SeriesRef, exemplar: Exemplar): ExemplarOutcome | "unknown-series" | "too-long";
  /** Resolves when all is in the log file: it then survives the death of the process. On failure nothing is shown. */
  commit(): Promise<Result<CommitStats, HeadFailure>>;
  rollback(): void;
}

export type PendingCommit = (appender: Appender) => Promise<Result<CommitStats, HeadFailure>>;

const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

/** Of an appender that has ended. */
const noRows = new AppendRows();

const recordBytesUsual = 256 * 1024;

const kindOfRow: Readonly<Record<number, HistogramKind>> = {
  [rowIntegerHistogram]: "integer",
  [rowFloatHistogram]: "float",
};

/** Takes the samples of a transaction, in their order. */
export interface RowSink {
  float(series: MemorySeries, timestampMs: number, high: number, low: number): void;
  /** False where the series has a sample of this time by now. */
  outOfOrder(series: MemorySeries, timestampMs: number, high: number, low: number): boolean;
  histogram(series: MemorySeries, timestampMs: number, histogram: FloatHistogram, kind: HistogramKind): void;
}

export class Appender implements HeadAppender {
  readonly id: number;
  readonly #memory: HeadMemory;
  readonly #exemplarRing: ExemplarRing;
  readonly #latestMs: number;
  readonly #commit: PendingCommit;
  readonly #end: (id: number) => void;
  #isOpen = true;
  /** A sample each. */
  #rows: AppendRows = takeRows();
  /** As `dropOvertaken` found it. */
  #outOfOrderCount = 0;
  /** By row. */
  #histograms = new Map<number, FloatHistogram>();
  #exemplars: { readonly series: MemorySeries; readonly exemplar: Exemplar }[] = [];

  /** `latestMs` is the latest time that a sample may have. */
  constructor(
    id: number,
    memory: HeadMemory,
    exemplarRing: ExemplarRing,
    latestMs: number,
    commit: PendingCommit,
    end: (id: number) => void,
  ) {
    this.id = id;
    this.#memory = memory;
    this.#exemplarRing = exemplarRing;
    this.#latestMs = latestMs;
    this.#commit = commit;
    this.#end = end;
  }

  series(labels: Labels): SeriesRef | HeadRefusal {
    this.#assertOpen();
    const series = this.#memory.findOrCreate(labels);
    if ("kind" in series) return series;
    if (series.heldBy < this.id) this.#hold(series);
    return series.ref;
  }

  append(ref: SeriesRef, timestampMs: number, value: number): AppendOutcome {
    if (value !== value) return this.#append(ref, timestampMs, normalNaNHigh, normalNaNLow);
    scratchValue[0] = value;
    return this.#append(ref, timestampMs, (scratchWords[1] ?? 0) | 0, (scratchWords[0] ?? 0) | 0);
  }

  appendStale(ref: SeriesRef, timestampMs: number): AppendOutcome {
    const series = this.#memory.index.byRef(ref);
    if (series?.hasHistograms !== true) return this.#append(ref, timestampMs, staleHigh, staleLow);
    // Of either kind: a marker says nothing about counts.
    const isInteger = series.open !== undefined && "encoding" in series.open && series.open.encoding === 2;
    return this.#appendHistogram(ref, timestampMs, staleHistogram, isInteger ? rowIntegerHistogram : rowFloatHistogram);
  }

  appendHistogram(
    ref: SeriesRef,
    timestampMs: number,
    histogram: FloatHistogram,
    kind: HistogramKind,
  ): HistogramOutcome {
    if (histogramFault(histogram, kind) !== undefined) return "invalid";
    const row = kind === "integer" ? rowIntegerHistogram : rowFloatHistogram;
    return this.#appendHistogram(ref, timestampMs, histogram, row);
  }

  appendExemplar(ref: SeriesRef, exemplar: Exemplar): ExemplarOutcome | "unknown-series" | "too-long" {
    this.#assertOpen();
    const series = this.#memory.index.byRef(ref);
    if (series === undefined) return "unknown-series";
    if (exemplar.labels.join("").length > exemplarLabelCharactersMax) return "too-long";
    if (!Number.isInteger(exemplar.timestampMs) || Math.abs(exemplar.timestampMs) > timestampMsMax)
      return "out-of-order";
    const outcome = this.#exemplarRing.outcomeOf(series, exemplar);
    if (outcome === "appended") this.#exemplars.push({ series, exemplar });
    return outcome;
  }

  async commit(): Promise<Result<CommitStats, HeadFailure>> {
    this.#assertOpen();
    this.#isOpen = false;
    try {
      return await this.#commit(this);
    } finally {
      this.#release();
    }
  }

  rollback(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#release();
  }

  /**
   * Drops the samples that others have overtaken since, or makes them out-of-order ones where those are taken. Gives how
   * many were dropped. `checkId` is greater than that of any appender: the rows are put in order anew, since two open
   * appenders may have hidden each other's samples.
   */
  dropOvertaken(checkId: number): number {
    const { closedBeforeMs, outOfOrderFromMs } = this.#memory;
    const rows = this.#rows;
    let kept = 0;
    this.#outOfOrderCount = 0;
    for (let i = 0; i < rows.count; i++) {
      const series = rows.series[i];
      const timestampMs = rows.timestampsMs[i] ?? 0;
      if (series === undefined || series.isForgotten || timestampMs < closedBeforeMs) continue;
      let kind = rows.kinds[i] ?? rowFloat;
      if (kind !== rowOutOfOrder) {
        if (timestampMs > (series.heldBy === checkId ? series.heldTimeMs : series.maxTimeMs)) {
          series.heldBy = checkId;
          series.heldTimeMs = timestampMs;
        } else if (kind === rowFloat && timestampMs >= outOfOrderFromMs) kind = rowOutOfOrder;
        else continue;
      } else if (timestampMs < outOfOrderFromMs) continue;
      const histogram = this.#histograms.get(i);
      if (histogram !== undefined) this.#histograms.set(kept, histogram);
      if (kind === rowOutOfOrder) this.#outOfOrderCount++;
      rows.move(i, kept, kind);
      kept++;
    }
    const dropped = rows.count - kept;
    rows.truncate(kept);
    return dropped;
  }

  /**
   * Writes the records of all samples, and of the series that the log does not know yet; gives these. Samples out of order
   * go into a log of their own.
   */
  writeRecords(batch: RecordBatch, outOfOrderBatch: RecordBatch): readonly MemorySeries[] {
    const fresh = this.#writeSeries(batch);
    this.#writeFloats(batch, rowFloat);
    if (this.#outOfOrderCount > 0) this.#writeFloats(outOfOrderBatch, rowOutOfOrder);
    this.#writeHistograms(batch);
    this.#writeExemplars(batch);
    return [...fresh];
  }

  /** The newest of the samples out of order; -Infinity where there is none. */
  get outOfOrderMaxTimeMs(): number {
    const rows = this.#rows;
    let maxTimeMs = -Infinity;
    if (this.#outOfOrderCount === 0) return maxTimeMs;
    for (let i = 0; i < rows.count; i++) {
      if (rows.kinds[i] === rowOutOfOrder) maxTimeMs = Math.max(maxTimeMs, rows.timestampsMs[i] ?? 0);
    }
    return maxTimeMs;
  }

  /** Hands over every sample; gives how many were taken, how many of them out of order, and how many were there already. */
  forEach(sink: RowSink): { samples: number; outOfOrder: number; dropped: number } {
    const rows = this.#rows;
    let outOfOrder = 0;
    let dropped = 0;
    for (let i = 0; i < rows.count; i++) {
      const series = rows.series[i];
      if (series === undefined) continue;
      const timestampMs = rows.timestampsMs[i] ?? 0;
      const kind = rows.kinds[i] ?? rowFloat;
      const high = rows.valueWords[2 * i + 1] ?? 0;
      const low = rows.valueWords[2 * i] ?? 0;
      if (kind === rowFloat) sink.float(series, timestampMs, high, low);
      else if (kind === rowOutOfOrder) {
        if (sink.outOfOrder(series, timestampMs, high, low)) outOfOrder++;
        else dropped++;
      } else {
        const histogram = this.#histograms.get(i);
        const histogramKind = kindOfRow[kind];
        if (histogram === undefined || histogramKind === undefined) throw new Error("a row lacks its histogram");
        sink.histogram(series, timestampMs, histogram, histogramKind);
      }
    }
    return { samples: rows.count - dropped, outOfOrder, dropped };
  }

  /** Keeps the exemplars; gives how many. */
  keepExemplars(): number {
    let kept = 0;
    for (const { series, exemplar } of this.#exemplars) {
      if (!series.isForgotten && this.#exemplarRing.add(series, exemplar) === "appended") kept++;
    }
    return kept;
  }

  #writeSeries(batch: RecordBatch): ReadonlySet<MemorySeries> {
    const rows = this.#rows;
    const { writer } = batch;
    const fresh = new Set<MemorySeries>();
    const write = (series: MemorySeries) => {
      if (series.isLogged || fresh.has(series)) return;
      fresh.add(series);
      if (batch.openBytes === 0) writer.u8(recordSeries);
      writeSeries(writer, series.ref, this.#memory.ownLabels(series));
      if (batch.openBytes >= recordBytesUsual) batch.endRecord();
    };
    for (let i = 0; i < rows.count; i++) {
      const series = rows.series[i];
      if (series !== undefined) write(series);
    }
    for (const { series } of this.#exemplars) if (!series.isForgotten) write(series);
    batch.endRecord();
    return fresh;
  }

  #writeFloats(batch: RecordBatch, kind: number): void {
    const rows = this.#rows;
    const { writer } = batch;
    let baseRef = 0;
    let baseMs = 0;
    for (let i = 0; i < rows.count; i++) {
      if (rows.kinds[i] !== kind) continue;
      const ref = rows.series[i]?.ref ?? 0;
      const timestampMs = rows.timestampsMs[i] ?? 0;
      if (batch.openBytes === 0) {
        baseRef = ref;
        baseMs = timestampMs;
        writeBase(writer, recordSamples, baseRef, baseMs);
      }
      const high = rows.valueWords[2 * i + 1] ?? 0;
      writeSample(writer, ref - baseRef, timestampMs - baseMs, high, rows.valueWords[2 * i] ?? 0);
      if (batch.openBytes >= recordBytesUsual) batch.endRecord();
    }
    batch.endRecord();
  }

  #writeHistograms(batch: RecordBatch): void {
    if (this.#histograms.size === 0) return;
    const rows = this.#rows;
    const { writer } = batch;
    let openType = 0;
    let baseRef = 0;
    let baseMs = 0;
    for (let i = 0; i < rows.count; i++) {
      const kind = kindOfRow[rows.kinds[i] ?? rowFloat];
      const histogram = this.#histograms.get(i);
      if (kind === undefined || histogram === undefined) continue;
      const ref = rows.series[i]?.ref ?? 0;
      const timestampMs = rows.timestampsMs[i] ?? 0;
      const type = histogramRecordType(kind, histogram);
      if (type !== openType) batch.endRecord();
      if (batch.openBytes === 0) {
        openType = type;
        baseRef = ref;
        baseMs = timestampMs;
        writeBase(writer, type, baseRef, baseMs);
      }
      writeHistogramSample(writer, ref - baseRef, timestampMs - baseMs, histogram, kind);
      if (batch.openBytes >= recordBytesUsual) batch.endRecord();
    }
    batch.endRecord();
  }

  #writeExemplars(batch: RecordBatch): void {
    const { writer } = batch;
    let baseRef = 0;
    let baseMs = 0;
    for (const { series, exemplar } of this.#exemplars) {
      if (series.isForgotten) continue;
      if (batch.openBytes === 0) {
        baseRef = series.ref;
        baseMs = exemplar.timestampMs;
        writeBase(writer, recordExemplars, baseRef, baseMs);
      }
      writeExemplar(writer, series.ref - baseRef, exemplar, baseMs);
      if (batch.openBytes >= recordBytesUsual) batch.endRecord();
    }
    batch.endRecord();
  }

  #append(ref: SeriesRef, timestampMs: number, high: number, low: number): AppendOutcome {
    this.#assertOpen();
    const series = this.#memory.index.byRef(ref);
    if (series === undefined) return "unknown-series";
    const isHeld = series.heldBy === this.id && series.heldTimeMs > -Infinity;
    const lastMs = isHeld ? series.heldTimeMs : series.maxTimeMs;
    if (timestampMs === lastMs) {
      if (isHeld) return series.heldHigh === high && series.heldLow === low ? "appended" : "duplicate";
      return series.newestMs === timestampMs && series.endsWith(high, low) ? "appended" : "duplicate";
    }
    if (!this.#isTime(timestampMs)) return "out-of-bounds";
    if (timestampMs < lastMs || timestampMs < this.#memory.appendableFromMs) {
      return this.#appendOutOfOrder(series, timestampMs, high, low);
    }
    this.#rows.push(series, timestampMs, rowFloat, high, low);
    series.heldBy = this.id;
    series.heldTimeMs = timestampMs;
    series.heldHigh = high;
    series.heldLow = low;
    return "appended";
  }

  #appendOutOfOrder(series: MemorySeries, timestampMs: number, high: number, low: number): AppendOutcome {
    const { appendableFromMs, outOfOrderFromMs } = this.#memory;
    // Beneath chunks that are being imported nobody can tell yet what the series has.
    if (timestampMs < outOfOrderFromMs || series.floorMs !== undefined) {
      return timestampMs < appendableFromMs ? "out-of-bounds" : "out-of-order";
    }
    const there = series.sampleAt(timestampMs, high, low);
    if (there !== "none") return there === "same" ? "appended" : "duplicate";
    this.#rows.push(series, timestampMs, rowOutOfOrder, high, low);
    return "appended";
  }

  #appendHistogram(ref: SeriesRef, timestampMs: number, histogram: FloatHistogram, kind: number): AppendOutcome {
    this.#assertOpen();
    const series = this.#memory.index.byRef(ref);
    if (series === undefined) return "unknown-series";
    const isHeld = series.heldBy === this.id && series.heldTimeMs > -Infinity;
    const lastMs = isHeld ? series.heldTimeMs : series.maxTimeMs;
    if (timestampMs === lastMs) return this.#hasHistogram(series, isHeld, histogram) ? "appended" : "duplicate";
    if (!this.#isTime(timestampMs) || timestampMs < this.#memory.appendableFromMs) return "out-of-bounds";
    if (timestampMs < lastMs) return "out-of-order";
    this.#histograms.set(this.#rows.count, histogram);
    this.#rows.push(series, timestampMs, kind, 0, 0);
    series.heldBy = this.id;
    series.heldTimeMs = timestampMs;
    // No float has these bits and passes for one: a NaN that is neither ordinary nor a staleness marker.
    series.heldHigh = -1;
    series.heldLow = -1;
    return "appended";
  }

  /** Whether the newest sample of a series, of this transaction if it has one, is this histogram. */
  #hasHistogram(series: MemorySeries, isHeld: boolean, histogram: FloatHistogram): boolean {
    if (!isHeld) return series.endsWithHistogram(histogram);
    const row = this.#rows.lastOf(series);
    const held = this.#histograms.get(row);
    return held !== undefined && (held === histogram || histogramsEqual(held, histogram));
  }

  #isTime(timestampMs: number): boolean {
    if (!Number.isInteger(timestampMs) || Math.abs(timestampMs) > timestampMsMax) return false;
    return timestampMs <= this.#latestMs;
  }

  /** Keeps a series from being forgotten while it has no sample of this transaction yet. */
  #hold(series: MemorySeries): void {
    series.heldBy = this.id;
    series.heldTimeMs = -Infinity;
  }

  #release(): void {
    leaveRows(this.#rows);
    this.#rows = noRows;
    this.#histograms.clear();
    this.#exemplars = [];
    this.#end(this.id);
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new Error("the appender was committed or rolled back");
  }
}
