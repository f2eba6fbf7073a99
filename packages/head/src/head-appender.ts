/** A transaction of new samples: collected first, then written to the log and shown to readers as a whole. */
import { timestampMsMax } from "@pleiad/chunks";
import { normalNaNHigh, normalNaNLow, staleHigh, staleLow, type Labels, type Result } from "@pleiad/model";
import type { HeadFailure, HeadRefusal } from "./head-failure.ts";
import type { HeadMemory } from "./head-memory.ts";
import type { MemorySeries, SeriesRef } from "./memory-series.ts";
import { recordSeries, writeSample, writeSamplesBase, writeSeries } from "./wal-records.ts";
import type { RecordBatch } from "./write-ahead-log.ts";

/**
 * What became of a sample.
 * - appended: it is in the transaction, or the series has it already, bit for bit.
 * - duplicate: the series has another value at this time.
 * - out-of-order: the series has a later sample.
 * - out-of-bounds: too old for this head, too far ahead of the clock, or no time at all.
 * - unknown-series: the head has forgotten the series, or never knew it; ask for it by its labels again.
 */
export type AppendOutcome = "appended" | "duplicate" | "out-of-order" | "out-of-bounds" | "unknown-series";

export interface CommitStats {
  readonly samples: number;
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
  appendStale(ref: SeriesRef, timestampMs: number): AppendOutcome;
  /** Resolves when all is in the log file: it then survives the death of the process. On failure nothing is shown. */
  commit(): Promise<Result<CommitStats, HeadFailure>>;
  rollback(): void;
}

export type PendingCommit = (appender: Appender) => Promise<Result<CommitStats, HeadFailure>>;

const scratchValue = new Float64Array(1);
const scratchWords = new Uint32Array(scratchValue.buffer);

const recordBytesUsual = 256 * 1024;

export class Appender implements HeadAppender {
  readonly id: number;
  readonly #memory: HeadMemory;
  readonly #latestMs: number;
  readonly #commit: PendingCommit;
  readonly #end: (id: number) => void;
  #isOpen = true;
  // One row a sample.
  #series: MemorySeries[] = [];
  #timestampsMs = new Float64Array(64);
  #valueWords = new Uint32Array(128);

  /** `latestMs` is the latest time that a sample may have. */
  constructor(id: number, memory: HeadMemory, latestMs: number, commit: PendingCommit, end: (id: number) => void) {
    this.id = id;
    this.#memory = memory;
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
    return this.#append(ref, timestampMs, staleHigh, staleLow);
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
   * Drops the samples that others have overtaken since. Gives how many. `checkId` is greater than that of any appender:
   * the rows are put in order anew, since two open appenders may have hidden each other's samples.
   */
  dropOvertaken(checkId: number): number {
    let kept = 0;
    const count = this.#series.length;
    for (let i = 0; i < count; i++) {
      const series = this.#series[i];
      const timestampMs = this.#timestampsMs[i] ?? 0;
      if (series === undefined || series.isForgotten || timestampMs < this.#memory.closedBeforeMs) continue;
      if (timestampMs <= (series.heldBy === checkId ? series.heldTimeMs : series.maxTimeMs)) continue;
      series.heldBy = checkId;
      series.heldTimeMs = timestampMs;
      this.#series[kept] = series;
      this.#timestampsMs[kept] = timestampMs;
      this.#valueWords[2 * kept] = this.#valueWords[2 * i] ?? 0;
      this.#valueWords[2 * kept + 1] = this.#valueWords[2 * i + 1] ?? 0;
      kept++;
    }
    this.#series.length = kept;
    return count - kept;
  }

  /** Writes the records of all samples, and of the series that the log does not know yet; gives these. */
  writeRecords(batch: RecordBatch): readonly MemorySeries[] {
    const { writer } = batch;
    const fresh = new Set<MemorySeries>();
    for (const series of this.#series) {
      if (series.isLogged || fresh.has(series)) continue;
      fresh.add(series);
      if (batch.openBytes === 0) writer.u8(recordSeries);
      writeSeries(writer, series.ref, this.#memory.ownLabels(series));
      if (batch.openBytes >= recordBytesUsual) batch.endRecord();
    }
    batch.endRecord();
    let baseRef = 0;
    let baseMs = 0;
    for (let i = 0; i < this.#series.length; i++) {
      const ref = this.#series[i]?.ref ?? 0;
      const timestampMs = this.#timestampsMs[i] ?? 0;
      if (batch.openBytes === 0) {
        baseRef = ref;
        baseMs = timestampMs;
        writeSamplesBase(writer, baseRef, baseMs);
      }
      const high = this.#valueWords[2 * i + 1] ?? 0;
      writeSample(writer, ref - baseRef, timestampMs - baseMs, high, this.#valueWords[2 * i] ?? 0);
      if (batch.openBytes >= recordBytesUsual) batch.endRecord();
    }
    batch.endRecord();
    return [...fresh];
  }

  /** Hands over every sample; gives how many. */
  forEach(take: (series: MemorySeries, timestampMs: number, high: number, low: number) => void): number {
    let i = 0;
    for (const series of this.#series) {
      take(series, this.#timestampsMs[i] ?? 0, this.#valueWords[2 * i + 1] ?? 0, this.#valueWords[2 * i] ?? 0);
      i++;
    }
    return i;
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
    if (!Number.isInteger(timestampMs) || Math.abs(timestampMs) > timestampMsMax) return "out-of-bounds";
    if (timestampMs < this.#memory.appendableFromMs || timestampMs > this.#latestMs) return "out-of-bounds";
    if (timestampMs < lastMs) return "out-of-order";

    const row = this.#series.length;
    if (row === this.#timestampsMs.length) this.#grow();
    this.#series.push(series);
    this.#timestampsMs[row] = timestampMs;
    this.#valueWords[2 * row] = low;
    this.#valueWords[2 * row + 1] = high;
    series.heldBy = this.id;
    series.heldTimeMs = timestampMs;
    series.heldHigh = high;
    series.heldLow = low;
    return "appended";
  }

  /** Keeps a series from being forgotten while it has no sample of this transaction yet. */
  #hold(series: MemorySeries): void {
    series.heldBy = this.id;
    series.heldTimeMs = -Infinity;
  }

  #grow(): void {
    const timestampsMs = new Float64Array(this.#timestampsMs.length * 2);
    timestampsMs.set(this.#timestampsMs);
    this.#timestampsMs = timestampsMs;
    const valueWords = new Uint32Array(this.#valueWords.length * 2);
    valueWords.set(this.#valueWords);
    this.#valueWords = valueWords;
  }

  #release(): void {
    this.#series = [];
    this.#timestampsMs = new Float64Array(0);
    this.#valueWords = new Uint32Array(0);
    this.#end(this.id);
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new Error("the appender was committed or rolled back");
  }
}
