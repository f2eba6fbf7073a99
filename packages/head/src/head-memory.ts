/** What a head holds in memory, and the rules by which samples enter and leave it. No I/O. */
import {
  createHistogramAppender,
  createHistogramColumns,
  createSampleColumns,
  decodeChunk,
  decodeHistogramChunk,
  OpenChunkRoom,
  type ChunkFailure,
} from "@pleiad/chunks";
import {
  compareText,
  hashLabels,
  isSortedLabels,
  labelsFromSorted,
  ok,
  withLabels,
  withoutLabels,
  xorEncoding,
  type FloatHistogram,
  type Labels,
  type Result,
} from "@pleiad/model";
import { clipChunks, type TimedChunk } from "./chunk-clip.ts";
import { timedChunk, type ClosedChunk } from "./head-chunk-file.ts";
import type { HeadChunkWriter } from "./head-chunk-writer.ts";
import type { HeadRefusal } from "./head-failure.ts";
import type { HeadLimits, HeadOptions } from "./head-options.ts";
import type { TimeRange } from "./time-range.ts";
import type { HistogramKind } from "./histogram-record.ts";
import { encodeOpen, isOpenHistogram, MemorySeries, type OpenChunk, type SeriesRef } from "./memory-series.ts";
import { OutOfOrderSamples } from "./out-of-order.ts";
import { SeriesIndex } from "./series-index.ts";
import { seriesRefMax } from "./wal-records.ts";

const utf8 = new TextEncoder();

/** A chunk of histograms is closed at this size, as Prometheus does it, but not below this many. */
const histogramBytesUsual = 1024;
const histogramsMin = 10;

/** With fewer samples a chunk, a quarter of them foretells nothing. */
const foretoldSamplesMin = 16;

export class HeadMemory {
  readonly index = new SeriesIndex();
  readonly externalLabels: Labels;
  readonly #options: HeadOptions;
  readonly #externalNames: ReadonlySet<string>;
  /** References under which files know a series besides its own: two records once named the same labels. */
  readonly aliases = new Map<number, MemorySeries>();
  /** Where the open chunks of floats lie. */
  readonly openRoom: OpenChunkRoom = new OpenChunkRoom();
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

  /** The series of these labels, made if it is not there. */
  findOrCreate(labels: Labels): MemorySeries | HeadRefusal {
    const hash = hashLabels(labels) | 0;
    const found = this.index.find(labels, hash, this.ownLabels);
    if (found !== undefined) return found;
    const refusal = refusalOf(labels, this.index.size, this.#options.limits);
    if (refusal !== undefined) return refusal;
    if (this.#refLast >= seriesRefMax) return { kind: "limit", of: "series", max: seriesRefMax };
    return this.#create(this.#refLast + 1, labels, hash);
  }

  /** The series of these labels, which are in order; if it is not there it is made under `ref`, which no other has. */
  findOrCreateAs(ref: number, labels: Labels): MemorySeries {
    const hash = hashLabels(labels) | 0;
    return this.index.find(labels, hash, this.ownLabels) ?? this.#create(ref, labels, hash);
  }

  #create(ref: number, labels: Labels, hash: number): MemorySeries {
    this.reserveRef(ref);
    const { intern } = this.#options;
    const own = labelsFromSorted(labels.map(intern));
    const isHidden = withoutLabels(own, this.#externalNames) !== own;
    const series = new MemorySeries(
      ref as SeriesRef,
      exact(withLabels(own, this.externalLabels)),
      isHidden ? own : undefined,
      hash,
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
    const { chunkRangeMs, outOfOrderWindowMs } = this.#options;
    // What a truncation that failed has left is in a block already.
    const fromMs = Math.max(this.minTimeMs, this.truncatedBeforeMs);
    if (!(this.maxTimeMs - fromMs > 1.5 * chunkRangeMs)) return undefined;
    const startMs = Math.floor(fromMs / chunkRangeMs) * chunkRangeMs;
    const endMs = startMs + chunkRangeMs;
    // Samples of it may still come.
    if (this.maxTimeMs - outOfOrderWindowMs < endMs) return undefined;
    return { minTimeMs: startMs, maxTimeMs: endMs };
  }

  /** What ends before this is past retention, which counts from `nowMs` or the newest sample, whichever is older. */
  cutoffMs(nowMs: number): number {
    return Math.min(nowMs, this.maxTimeMs) - this.#options.retentionMs;
  }

  /** The oldest time of a sample that may come out of order; Infinity where none may. */
  get outOfOrderFromMs(): number {
    const { outOfOrderWindowMs } = this.#options;
    return outOfOrderWindowMs > 0 ? Math.max(this.closedBeforeMs, this.maxTimeMs - outOfOrderWindowMs) : Infinity;
  }

  /** Adds a sample behind all others of its series; a full chunk is closed into `writer` first. */
  append(series: MemorySeries, timestampMs: number, high: number, low: number, writer: HeadChunkWriter): void {
    const { open } = series;
    if (open !== undefined && open.count > 0) {
      if (isOpenHistogram(open) || this.#isFull(series, open) || this.#isParted(series, open, timestampMs)) {
        this.closeChunk(series, writer);
      }
    }
    if (series.open === undefined || series.open.count === 0) {
      this.chunkCount++;
      series.cutAtMs = this.#rangeEndMs(timestampMs);
    }
    series.append(timestampMs, high, low, this.openRoom);
    this.#widen(timestampMs, timestampMs);
  }

  /** As `append`, for a histogram that `histogramFault` finds nothing wrong with. */
  appendHistogram(
    series: MemorySeries,
    timestampMs: number,
    histogram: FloatHistogram,
    kind: HistogramKind,
    writer: HeadChunkWriter,
  ): void {
    const encoding = kind === "integer" ? 2 : 3;
    const { open } = series;
    if (open !== undefined && open.count > 0) {
      const isOther = !isOpenHistogram(open) || open.encoding !== encoding;
      const isFull = !isOther && open.byteLength >= histogramBytesUsual && open.count >= histogramsMin;
      if (isOther || isFull || this.#isParted(series, open, timestampMs)) this.closeChunk(series, writer);
    }
    let taking = series.open;
    if (taking === undefined || !isOpenHistogram(taking) || taking.encoding !== encoding) {
      series.open = taking = createHistogramAppender(encoding);
    }
    if (taking.count === 0) {
      this.chunkCount++;
      series.cutAtMs = this.#rangeEndMs(timestampMs);
    }
    if (!taking.append(timestampMs, histogram)) {
      this.closeChunk(series, writer);
      this.chunkCount++;
      series.cutAtMs = this.#rangeEndMs(timestampMs);
      taking.append(timestampMs, histogram);
    }
    this.#widen(timestampMs, timestampMs);
  }

  /** Adds a float among those of its series that came out of order. False where the series has one of this time. */
  appendOutOfOrder(
    series: MemorySeries,
    timestampMs: number,
    high: number,
    low: number,
    writer: HeadChunkWriter,
  ): boolean {
    if (series.sampleAt(timestampMs, high, low) !== "none") return false;
    series.outOfOrder ??= new OutOfOrderSamples();
    const { outOfOrder } = series;
    if (outOfOrder.isFull) {
      const { openMinTimeMs: minTimeMs, openMaxTimeMs: maxTimeMs } = outOfOrder;
      const chunk: TimedChunk = { minTimeMs, maxTimeMs, encoding: xorEncoding, data: outOfOrder.encodeOpen() };
      outOfOrder.close(writer.addEncoded(series.ref, chunk, true));
      this.chunkCount++;
    }
    outOfOrder.insert(timestampMs, high, low);
    this.#widen(timestampMs, timestampMs);
    return true;
  }

  /** Adds a closed chunk of samples that came out of order. */
  attachOutOfOrder(series: MemorySeries, chunks: readonly ClosedChunk[]): void {
    series.outOfOrder ??= new OutOfOrderSamples();
    series.outOfOrder.closed = [...series.outOfOrder.closed, ...chunks];
    this.chunkCount += chunks.length;
    for (const { minTimeMs, maxTimeMs } of chunks) this.#widen(minTimeMs, maxTimeMs);
  }

  closeChunk(series: MemorySeries, writer: HeadChunkWriter): void {
    const { open } = series;
    if (open === undefined || open.count === 0) return;
    series.insert(writer.addOpen(series.ref, open));
    // The next chunk of histograms says how it goes on after this one.
    if (isOpenHistogram(open)) open.cut();
    else open.reset();
  }

  /**
   * Whether an open chunk takes no more floats. As in Prometheus its end is foretold once a quarter of the samples is
   * there, so that the chunks of a range come out equally long; then it may hold up to twice as many.
   */
  #isFull(series: MemorySeries, { count, minTimeMs, maxTimeMs }: OpenChunk): boolean {
    const { samplesPerChunk } = this.#options;
    if (samplesPerChunk < foretoldSamplesMin) return count >= samplesPerChunk;
    if (count === samplesPerChunk >> 2) {
      const rangeEndMs = this.#rangeEndMs(minTimeMs);
      const chunkCount = Math.floor((rangeEndMs - minTimeMs) / ((maxTimeMs - minTimeMs + 1) * 4));
      if (chunkCount > 1) series.cutAtMs = minTimeMs + Math.floor((rangeEndMs - minTimeMs) / chunkCount);
    }
    return count >= 2 * samplesPerChunk;
  }

  #rangeEndMs(timestampMs: number): number {
    const { chunkRangeMs } = this.#options;
    return (Math.floor(timestampMs / chunkRangeMs) + 1) * chunkRangeMs;
  }

  /** Whether a sample must not come into one chunk with the open ones. */
  #isParted(series: MemorySeries, open: OpenChunk, timestampMs: number): boolean {
    const { retentionMs } = this.#options;
    if (timestampMs >= series.cutAtMs) return true;
    // Retention drops an open chunk whose series was silent for long. A replay meets its samples once more, and must
    // not put them into one chunk with those that came later: it would keep what was dropped.
    if (timestampMs - open.maxTimeMs > retentionMs / 2) return true;
    // Chunks that are being imported come between.
    return series.floorMs !== undefined && series.floorMs > open.maxTimeMs;
  }

  /** Adds chunks that were closed elsewhere. */
  attach(series: MemorySeries, chunks: readonly ClosedChunk[]): void {
    const before = series.closed.length;
    series.insertAll(chunks);
    for (const { minTimeMs, maxTimeMs } of chunks) this.#widen(minTimeMs, maxTimeMs);
    this.chunkCount += series.closed.length - before;
  }

  /** Drops the chunks of a series that end before `cutoffMs`; those out of order may have another. */
  expire(series: MemorySeries, cutoffMs: number, outOfOrderCutoffMs = cutoffMs): void {
    const { closed, open } = series;
    const first = closed[0];
    if (first !== undefined && first.maxTimeMs < cutoffMs) {
      series.closed = closed.filter((chunk) => chunk.maxTimeMs >= cutoffMs);
      this.chunkCount -= closed.length - series.closed.length;
    }
    if (open !== undefined && open.count > 0 && open.maxTimeMs < cutoffMs) {
      // Its room goes to others.
      open.reset();
      series.open = undefined;
      this.chunkCount--;
    }
    if (series.outOfOrder !== undefined) {
      this.chunkCount -= series.outOfOrder.expire(outOfOrderCutoffMs);
      if (series.outOfOrder.isEmpty) series.outOfOrder = undefined;
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
  truncate(series: MemorySeries, beforeMs: number, outOfOrderBeforeMs = beforeMs): ChunkFailure | undefined {
    this.expire(series, beforeMs, outOfOrderBeforeMs);
    const { open, outOfOrder } = series;
    const closed = this.#truncated(series.closed, beforeMs);
    if (!closed.ok) return closed.failure;
    series.closed = closed.value;
    if (outOfOrder !== undefined) {
      // Each by itself: made one, they would be no longer what the files have.
      const parts: ClosedChunk[] = [];
      for (const chunk of outOfOrder.closed) {
        const part = this.#truncated([chunk], outOfOrderBeforeMs);
        if (!part.ok) return part.failure;
        parts.push(...part.value);
      }
      outOfOrder.closed = parts;
    }
    if (open === undefined || open.count === 0 || open.minTimeMs >= beforeMs) return undefined;
    return truncateOpen(open, beforeMs);
  }

  #truncated(chunks: readonly ClosedChunk[], beforeMs: number): Result<readonly ClosedChunk[], ChunkFailure> {
    if (chunks.every((chunk) => chunk.minTimeMs >= beforeMs)) return ok(chunks);
    const timed = chunks.map(timedChunk);
    const clipped = clipChunks(timed, beforeMs, Infinity, this.#options.samplesPerChunk);
    if (!clipped.ok) return clipped;
    this.chunkCount += clipped.value.length - chunks.length;
    return ok(
      clipped.value.map(({ minTimeMs, maxTimeMs, encoding, data }) => {
        return { minTimeMs, maxTimeMs, encoding, page: data, offset: 0, length: data.length };
      }),
    );
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

/** Makes an open chunk anew without its samples below `beforeMs`. */
function truncateOpen(open: OpenChunk, beforeMs: number): ChunkFailure | undefined {
  const { encoding, data } = encodeOpen(open);
  if (isOpenHistogram(open)) {
    const columns = createHistogramColumns(open.count);
    const failure = decodeHistogramChunk(encoding, data, columns);
    if (failure !== undefined) return failure;
    open.reset();
    for (let i = 0; i < columns.count; i++) {
      const timestampMs = columns.timestampsMs[i] ?? 0;
      const histogram = columns.histograms[i];
      // What went on in one chunk goes on in a part of it.
      if (timestampMs >= beforeMs && histogram !== undefined) open.append(timestampMs, histogram);
    }
    return undefined;
  }
  const columns = createSampleColumns(open.count);
  const failure = decodeChunk(encoding, data, columns);
  if (failure !== undefined) return failure;
  open.reset();
  const { timestampsMs, valueWords, count } = columns;
  for (let i = 0; i < count; i++) {
    const timestampMs = timestampsMs[i] ?? 0;
    if (timestampMs >= beforeMs) open.appendBits(timestampMs, valueWords[2 * i + 1] ?? 0, valueWords[2 * i] ?? 0);
  }
  return undefined;
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
