/** What a head holds in memory, and the rules by which samples enter and leave it. No I/O. */
import { createSampleColumns, decodeChunk, type ChunkFailure } from "@pleiad/chunks";
import {
  compareText,
  hashLabels,
  isSortedLabels,
  labelsFromSorted,
  withLabels,
  withoutLabels,
  xorEncoding,
  type Labels,
} from "@pleiad/model";
import { clipChunks } from "./chunk-clip.ts";
import type { ClosedChunk } from "./head-chunk-file.ts";
import type { HeadChunkWriter } from "./head-chunk-writer.ts";
import type { HeadRefusal } from "./head-failure.ts";
import type { HeadLimits, HeadOptions } from "./head-options.ts";
import type { TimeRange } from "./time-range.ts";
import { MemorySeries, type SeriesRef } from "./memory-series.ts";
import { SeriesIndex } from "./series-index.ts";
import { seriesRefMax } from "./wal-records.ts";

const utf8 = new TextEncoder();

export class HeadMemory {
  readonly index = new SeriesIndex();
  readonly externalLabels: Labels;
  readonly #options: HeadOptions;
  readonly #externalNames: ReadonlySet<string>;
  /** References under which files know a series besides its own: two records once named the same labels. */
  readonly aliases = new Map<number, MemorySeries>();
  minTimeMs = Infinity;
  maxTimeMs = -Infinity;
  /** No sample below this is taken: blocks have it, or are about to. */
  closedBeforeMs: number;
  /** No sample below this is kept. */
  truncatedBeforeMs: number;
  chunkCount = 0;
  #refLast = 0;

  constructor(options: HeadOptions) {
    this.#options = options;
    this.externalLabels = options.externalLabels;
    this.closedBeforeMs = options.minValidTimeMs;
    this.truncatedBeforeMs = options.minValidTimeMs;
    const names = new Set<string>();
    for (let i = 0; i < options.externalLabels.length; i += 2) names.add(options.externalLabels[i] ?? "");
    this.#externalNames = names;
  }

  /** What a series was made with. */
  readonly ownLabels = (series: MemorySeries): Labels =>
    series.hiddenLabels ?? withoutLabels(series.labels, this.#externalNames);

  /** No later series takes this reference: some file names it. */
  reserveRef(ref: number): void {
    if (ref > this.#refLast) this.#refLast = ref;
  }

  find(labels: Labels): MemorySeries | undefined {
    return this.index.find(labels, hashLabels(labels) | 0, this.ownLabels);
  }

  /** The series of these labels, made if it is not there. */
  findOrCreate(labels: Labels): MemorySeries | HeadRefusal {
    const hash = hashLabels(labels) | 0;
    const found = this.index.find(labels, hash, this.ownLabels);
    if (found !== undefined) return found;
    const refusal = refusalOf(labels, this.index.size, this.#options.limits);
    if (refusal !== undefined) return refusal;
    if (this.#refLast >= seriesRefMax) return { kind: "limit", of: "series", max: seriesRefMax };
    return this.create(this.#refLast + 1, labels);
  }

  /** Makes a series under a reference that no other has. Labels are in order and unknown to the head. */
  create(ref: number, labels: Labels): MemorySeries {
    this.reserveRef(ref);
    const { intern } = this.#options;
    const own = labelsFromSorted(labels.map(intern));
    const isHidden = withoutLabels(own, this.#externalNames) !== own;
    const series = new MemorySeries(
      ref as SeriesRef,
      exact(withLabels(own, this.externalLabels)),
      isHidden ? own : undefined,
      hashLabels(own) | 0,
    );
    this.index.add(series);
    return series;
  }

  /** Lets readers see a series. */
  show(series: MemorySeries): void {
    if (series.isLogged) return;
    series.isLogged = true;
    this.index.show(series, this.ownLabels(series));
  }

  /** The oldest time that a new sample may have: half a chunk range behind the newest, half the retention at most. */
  get appendableFromMs(): number {
    const { chunkRangeMs, retentionMs } = this.#options;
    return Math.max(this.closedBeforeMs, this.maxTimeMs - Math.min(chunkRangeMs, retentionMs) / 2);
  }

  /**
   * The oldest range that a block may take over, as Prometheus has it: once the head spans one and a half ranges, when no
   * sample of this one is taken any more. undefined until then.
   */
  cuttableRange(): TimeRange | undefined {
    const { chunkRangeMs } = this.#options;
    // What a truncation that failed has left is in a block already.
    const fromMs = Math.max(this.minTimeMs, this.truncatedBeforeMs);
    if (!(this.maxTimeMs - fromMs > 1.5 * chunkRangeMs)) return undefined;
    const startMs = Math.floor(fromMs / chunkRangeMs) * chunkRangeMs;
    return { minTimeMs: startMs, maxTimeMs: startMs + chunkRangeMs };
  }

  /** What ends before this is past retention, which counts from `nowMs` or the newest sample, whichever is older. */
  cutoffMs(nowMs: number): number {
    return Math.min(nowMs, this.maxTimeMs) - this.#options.retentionMs;
  }

  /** Adds a sample behind all others of its series; a full chunk is closed into `writer` first. */
  append(series: MemorySeries, timestampMs: number, high: number, low: number, writer: HeadChunkWriter): void {
    const { open } = series;
    if (open !== undefined && open.count > 0) {
      const { chunkRangeMs, samplesPerChunk, retentionMs } = this.#options;
      const rangeEndMs = (Math.floor(open.minTimeMs / chunkRangeMs) + 1) * chunkRangeMs;
      const isFull = open.count >= samplesPerChunk || timestampMs >= rangeEndMs;
      // Retention drops an open chunk whose series was silent for long. A replay meets its samples once more, and must
      // not put them into one chunk with those that came later: it would keep what was dropped.
      const isResumed = timestampMs - open.maxTimeMs > retentionMs / 2;
      // Chunks that are being imported come between.
      const isParted = series.floorMs > open.maxTimeMs;
      if (isFull || isResumed || isParted) this.closeChunk(series, writer);
    }
    if (series.open === undefined || series.open.count === 0) this.chunkCount++;
    series.append(timestampMs, high, low);
    this.#widen(timestampMs, timestampMs);
  }

  closeChunk(series: MemorySeries, writer: HeadChunkWriter): void {
    const { open } = series;
    if (open === undefined || open.count === 0) return;
    series.insert(writer.addOpen(series.ref, open));
    open.reset();
  }

  /** Adds chunks that were closed elsewhere. */
  attach(series: MemorySeries, chunks: readonly ClosedChunk[]): void {
    const before = series.closed.length;
    for (const chunk of chunks) {
      series.insert(chunk);
      this.#widen(chunk.minTimeMs, chunk.maxTimeMs);
    }
    this.chunkCount += series.closed.length - before;
  }

  /** Drops the chunks of a series that end before `cutoffMs`. */
  expire(series: MemorySeries, cutoffMs: number): void {
    const { closed, open } = series;
    const first = closed[0];
    if (first !== undefined && first.maxTimeMs < cutoffMs) {
      series.closed = closed.filter((chunk) => chunk.maxTimeMs >= cutoffMs);
      this.chunkCount -= closed.length - series.closed.length;
    }
    if (open !== undefined && open.count > 0 && open.maxTimeMs < cutoffMs) {
      series.open = undefined;
      this.chunkCount--;
    }
  }

  /** Every label name and value that readers may see, external labels apart; ascending by UTF-8 bytes. */
  symbols(): readonly string[] {
    const symbols = new Set<string>();
    for (const name of this.index.labelNames()) {
      symbols.add(name);
      for (const value of this.index.labelValues(name)) symbols.add(value);
    }
    return [...symbols].sort(compareText);
  }

  /** Drops the samples of a series below `beforeMs`; a chunk that crosses it is split. Gives a chunk that does not decode. */
  truncate(series: MemorySeries, beforeMs: number): ChunkFailure | undefined {
    this.expire(series, beforeMs);
    const { open } = series;
    const first = series.closed[0];
    if (first !== undefined && first.minTimeMs < beforeMs) {
      const chunks = series.closed.map(({ minTimeMs, maxTimeMs, encoding, page, offset, length }) => ({
        minTimeMs,
        maxTimeMs,
        encoding,
        data: page.subarray(offset, offset + length),
      }));
      const clipped = clipChunks(chunks, beforeMs, Infinity, this.#options.samplesPerChunk);
      if (!clipped.ok) return clipped.failure;
      this.chunkCount += clipped.value.length - series.closed.length;
      series.closed = clipped.value.map(({ minTimeMs, maxTimeMs, encoding, data }) => ({
        minTimeMs,
        maxTimeMs,
        encoding,
        page: data,
        offset: 0,
        length: data.length,
      }));
    }
    if (open !== undefined && open.count > 0 && open.maxTimeMs >= beforeMs && open.minTimeMs < beforeMs) {
      const columns = createSampleColumns(open.count);
      const failure = decodeChunk(xorEncoding, open.bytes(), columns);
      if (failure !== undefined) return failure;
      open.reset();
      const { timestampsMs, valueWords, count } = columns;
      for (let i = 0; i < count; i++) {
        const timestampMs = timestampsMs[i] ?? 0;
        if (timestampMs >= beforeMs) open.appendBits(timestampMs, valueWords[2 * i + 1] ?? 0, valueWords[2 * i] ?? 0);
      }
    }
    return undefined;
  }

  forget(gone: ReadonlySet<MemorySeries>): void {
    for (const series of gone) series.isForgotten = true;
    this.index.removeAll(gone, this.ownLabels);
    for (const [ref, series] of this.aliases) if (gone.has(series)) this.aliases.delete(ref);
  }

  #widen(minTimeMs: number, maxTimeMs: number): void {
    if (minTimeMs < this.minTimeMs) this.minTimeMs = minTimeMs;
    if (maxTimeMs > this.maxTimeMs) this.maxTimeMs = maxTimeMs;
  }
}

/** The same labels without the room that an array keeps for growth: at hundreds of thousands of series it counts. */
function exact(labels: Labels): Labels {
  return labelsFromSorted(labels.slice());
}

function refusalOf(labels: Labels, seriesCount: number, limits: HeadLimits): HeadRefusal | undefined {
  if (labels.length === 0) return { kind: "invalid-labels", reason: "a series has at least one label" };
  if (!isSortedLabels(labels)) {
    return { kind: "invalid-labels", reason: "names must be in order, each once, and no text empty" };
  }
  if (labels.length / 2 > limits.labelsPerSeriesMax) {
    return { kind: "limit", of: "labels-per-series", max: limits.labelsPerSeriesMax };
  }
  for (let i = 0; i < labels.length; i++) {
    const text = labels[i] ?? "";
    if (!text.isWellFormed()) return { kind: "invalid-labels", reason: "a text that is not valid Unicode" };
    const isName = i % 2 === 0;
    const max = isName ? limits.labelNameBytesMax : limits.labelValueBytesMax;
    if (isLongerThan(text, max)) return { kind: "limit", of: isName ? "label-name-bytes" : "label-value-bytes", max };
  }
  if (seriesCount >= limits.seriesMax) return { kind: "limit", of: "series", max: limits.seriesMax };
  return undefined;
}

function isLongerThan(text: string, bytesMax: number): boolean {
  // A UTF-16 unit takes one to three bytes.
  if (text.length > bytesMax) return true;
  return text.length * 3 > bytesMax && utf8.encode(text).length > bytesMax;
}
