/** One series in memory: its labels, its closed chunks, and the one that takes samples. */
import {
  createHistogramColumns,
  createSampleColumns,
  createXorAppender,
  decodeChunk,
  decodeHistogramChunk,
  isHistogramEncoding,
  type HistogramAppender,
  type OpenChunkRoom,
  type XorAppender,
} from "@pleiad/chunks";
import { histogramsEqual, xorEncoding, type EncodedChunk, type FloatHistogram, type Labels } from "@pleiad/model";
import { timedChunk, type ClosedChunk } from "./head-chunk-file.ts";
import type { OutOfOrderSamples } from "./out-of-order.ts";

/** Names a series of one head, across restarts of its process. */
export type SeriesRef = number & { readonly brand: "SeriesRef" };

/** The chunk that takes samples: floats, or histograms. */
export type OpenChunk = XorAppender | HistogramAppender;

export function isOpenHistogram(open: OpenChunk): open is HistogramAppender {
  return "encoding" in open;
}

/** The samples of an open chunk, encoded: a copy. */
export function encodeOpen(open: OpenChunk): EncodedChunk {
  return { encoding: isOpenHistogram(open) ? open.encoding : xorEncoding, data: open.bytes() };
}

/** What a series has at a time: nothing, a float of just these bits, or something else. */
export type SampleThere = "none" | "same" | "other";

const noChunks: readonly ClosedChunk[] = [];
const lastSamples = createSampleColumns(256);

export class MemorySeries {
  readonly ref: SeriesRef;
  /** With the external labels of the head: what readers see. */
  readonly labels: Labels;
  /** What the series was made with, where external labels hide a part of it. */
  readonly hiddenLabels: Labels | undefined;
  readonly hash: number;
  /** Another series whose labels have the same hash. */
  nextSameHash: MemorySeries | undefined = undefined;
  /** In time order. Replaced, never changed: a reader may hold it. */
  closed: readonly ClosedChunk[] = noChunks;
  /** The chunk that takes samples; empty only before the first one. */
  open: OpenChunk | undefined = undefined;
  outOfOrder: OutOfOrderSamples | undefined = undefined;
  /** No sample from here on comes into the open chunk. */
  cutAtMs = 0;
  /** Place among all series of the head in label order. */
  rank = -1;
  /** Whether the log knows the series: from then on readers see it. */
  isLogged = false;
  isForgotten = false;
  /** While chunks are being imported: the time of their newest sample, beneath which none is appended. */
  floorMs: number | undefined = undefined;
  /** The last appender that used the series, and the last sample that it holds for it. */
  heldBy = 0;
  heldTimeMs = 0;
  heldHigh = 0;
  heldLow = 0;

  constructor(ref: SeriesRef, labels: Labels, hiddenLabels: Labels | undefined, hash: number) {
    this.ref = ref;
    this.labels = labels;
    this.hiddenLabels = hiddenLabels;
    this.hash = hash;
  }

  /** The time of the newest sample; -Infinity where there is none. */
  get newestMs(): number {
    const { open } = this;
    return open !== undefined && open.count > 0 ? open.maxTimeMs : (this.closed.at(-1)?.maxTimeMs ?? -Infinity);
  }

  /** The time that the next sample must be above; -Infinity where any will do. */
  get maxTimeMs(): number {
    const { newestMs, floorMs } = this;
    return floorMs === undefined || newestMs > floorMs ? newestMs : floorMs;
  }

  /** The time of the oldest sample; Infinity where there is none. */
  get minTimeMs(): number {
    const first = this.closed[0];
    const openMs = this.open !== undefined && this.open.count > 0 ? this.open.minTimeMs : Infinity;
    const inOrderMs = first === undefined ? openMs : first.minTimeMs;
    return this.outOfOrder === undefined ? inOrderMs : Math.min(inOrderMs, this.outOfOrder.minTimeMs);
  }

  get isEmpty(): boolean {
    if (this.outOfOrder?.isEmpty === false) return false;
    return this.closed.length === 0 && (this.open === undefined || this.open.count === 0);
  }

  /** Whether the newest sample is a histogram. */
  get hasHistograms(): boolean {
    const { open } = this;
    if (open !== undefined && open.count > 0) return isOpenHistogram(open);
    const newest = this.closed.at(-1);
    return newest !== undefined && isHistogramEncoding(newest.encoding);
  }

  /** Whether the newest sample has these bits. */
  endsWith(high: number, low: number): boolean {
    const { open } = this;
    if (open !== undefined && open.count > 0) {
      return !isOpenHistogram(open) && open.lastHigh === (high | 0) && open.lastLow === (low | 0);
    }
    // Rare: only a series without a sample since a restart or an import has to look into a closed chunk.
    const chunk = this.closed.at(-1);
    if (chunk === undefined) return false;
    lastSamples.count = 0;
    const data = chunk.page.subarray(chunk.offset, chunk.offset + chunk.length);
    if (decodeChunk(chunk.encoding, data, lastSamples) !== undefined || lastSamples.count === 0) return false;
    const last = 2 * (lastSamples.count - 1);
    return lastSamples.valueWords[last] === low >>> 0 && lastSamples.valueWords[last + 1] === high >>> 0;
  }

  /** Whether the newest sample is this histogram. */
  endsWithHistogram(histogram: FloatHistogram): boolean {
    const { open } = this;
    const newest = this.closed.at(-1);
    const chunk = open !== undefined && open.count > 0 ? encodeOpen(open) : newest && timedChunk(newest);
    if (chunk === undefined || !isHistogramEncoding(chunk.encoding)) return false;
    const columns = createHistogramColumns();
    if (decodeHistogramChunk(chunk.encoding, chunk.data, columns) !== undefined) return false;
    const last = columns.histograms[columns.count - 1];
    return last !== undefined && (last === histogram || histogramsEqual(last, histogram));
  }

  /** Adds a float behind all others; an open chunk of histograms must be empty. A chunk that begins takes its place in `room`. */
  append(timestampMs: number, high: number, low: number, room: OpenChunkRoom): void {
    let { open } = this;
    if (open === undefined || isOpenHistogram(open)) this.open = open = createXorAppender(room);
    open.appendBits(timestampMs, high, low);
  }

  /** What the series has at a time, in or out of order. Decodes what spans it. */
  sampleAt(timestampMs: number, high: number, low: number): SampleThere {
    const { open, closed, outOfOrder } = this;
    if (outOfOrder !== undefined) {
      const at = outOfOrder.indexOf(timestampMs);
      if (at >= 0) {
        const { valueWords } = outOfOrder;
        return valueWords[2 * at] === low >>> 0 && valueWords[2 * at + 1] === high >>> 0 ? "same" : "other";
      }
    }
    if (open !== undefined && open.count > 0 && open.minTimeMs <= timestampMs && open.maxTimeMs >= timestampMs) {
      const found = findSample(encodeOpen(open), timestampMs, high, low);
      if (found !== "none") return found;
    }
    for (const chunks of [closed, outOfOrder?.closed ?? noChunks]) {
      for (const { minTimeMs, maxTimeMs, encoding, page, offset, length } of chunks) {
        if (minTimeMs > timestampMs || maxTimeMs < timestampMs) continue;
        const data = page.subarray(offset, offset + length);
        const found = findSample({ encoding, data }, timestampMs, high, low);
        if (found !== "none") return found;
      }
    }
    return "none";
  }

  /** Puts a closed chunk in its place; one of the same times that is there already stays. */
  insert(chunk: ClosedChunk): void {
    const { closed } = this;
    let at = closed.length;
    while (at > 0 && startsAfter(closed[at - 1], chunk)) at--;
    const before = closed[at - 1];
    if (before !== undefined && before.minTimeMs === chunk.minTimeMs && before.maxTimeMs === chunk.maxTimeMs) return;
    // No push and no spread: those keep room for a dozen chunks more, which most series never have.
    this.closed = closed.slice(0, at).concat([chunk], closed.slice(at));
  }

  /** As `insert` for each. Those of a file mostly come in order, behind what is there. */
  insertAll(chunks: readonly ClosedChunk[]): void {
    let last = this.closed.at(-1);
    for (const chunk of chunks) {
      if (last !== undefined && chunk.minTimeMs <= last.minTimeMs) {
        for (const one of chunks) this.insert(one);
        return;
      }
      last = chunk;
    }
    this.closed = this.closed.concat(chunks);
  }

  /** Whether a closed chunk spans this time. */
  covers(timestampMs: number): boolean {
    const { closed } = this;
    for (let i = closed.length - 1; i >= 0; i--) {
      const chunk = closed[i];
      if (chunk === undefined || chunk.maxTimeMs < timestampMs) continue;
      if (chunk.minTimeMs <= timestampMs) return true;
    }
    return false;
  }

  /** Whether any chunk, the open one included, reaches into [minTimeMs, maxTimeMs]. */
  reachesInto(minTimeMs: number, maxTimeMs: number): boolean {
    const { open, closed } = this;
    if (open !== undefined && open.count > 0 && open.minTimeMs <= maxTimeMs && open.maxTimeMs >= minTimeMs) return true;
    if (closed.some((chunk) => chunk.minTimeMs <= maxTimeMs && chunk.maxTimeMs >= minTimeMs)) return true;
    const { outOfOrder } = this;
    if (outOfOrder === undefined) return false;
    if (outOfOrder.openMinTimeMs <= maxTimeMs && outOfOrder.openMaxTimeMs >= minTimeMs) return true;
    return outOfOrder.closed.some((chunk) => chunk.minTimeMs <= maxTimeMs && chunk.maxTimeMs >= minTimeMs);
  }
}

function findSample({ encoding, data }: EncodedChunk, timestampMs: number, high: number, low: number): SampleThere {
  if (isHistogramEncoding(encoding)) {
    const columns = createHistogramColumns();
    const failure = decodeHistogramChunk(encoding, data, columns);
    return failure === undefined && columns.timestampsMs.subarray(0, columns.count).includes(timestampMs)
      ? "other"
      : "none";
  }
  lastSamples.count = 0;
  if (decodeChunk(encoding, data, lastSamples) !== undefined) return "none";
  const at = lastSamples.timestampsMs.subarray(0, lastSamples.count).indexOf(timestampMs);
  if (at < 0) return "none";
  const { valueWords } = lastSamples;
  return valueWords[2 * at] === low >>> 0 && valueWords[2 * at + 1] === high >>> 0 ? "same" : "other";
}

function startsAfter(chunk: ClosedChunk | undefined, other: ClosedChunk): boolean {
  if (chunk === undefined) return false;
  return (
    chunk.minTimeMs > other.minTimeMs || (chunk.minTimeMs === other.minTimeMs && chunk.maxTimeMs > other.maxTimeMs)
  );
}
