/**
 * The samples of one series that came out of order: a few as they are, the others as closed chunks that may overlap. They
 * are floats: histograms come in order or not at all.
 */
import { encodeXor } from "@pleiad/chunks";
import type { ClosedChunk } from "./head-chunk-file.ts";

/** As many as Prometheus keeps open. */
export const outOfOrderSamplesMax = 32;

const noChunks: readonly ClosedChunk[] = [];

export class OutOfOrderSamples {
  /** In the order of their making. Replaced, never changed: a reader may hold it. */
  closed: readonly ClosedChunk[] = noChunks;
  count = 0;
  /** Ascending. */
  readonly timestampsMs = new Float64Array(outOfOrderSamplesMax);
  readonly values = new Float64Array(outOfOrderSamplesMax);
  readonly valueWords = new Uint32Array(this.values.buffer);

  get isEmpty(): boolean {
    return this.count === 0 && this.closed.length === 0;
  }

  get isFull(): boolean {
    return this.count === outOfOrderSamplesMax;
  }

  /** Of the open samples; NaN where there are none. */
  get openMinTimeMs(): number {
    return this.count > 0 ? (this.timestampsMs[0] ?? NaN) : NaN;
  }

  get openMaxTimeMs(): number {
    return this.count > 0 ? (this.timestampsMs[this.count - 1] ?? NaN) : NaN;
  }

  /** The time of the oldest sample; Infinity where there is none. */
  get minTimeMs(): number {
    let minTimeMs = this.count > 0 ? this.openMinTimeMs : Infinity;
    for (const chunk of this.closed) minTimeMs = Math.min(minTimeMs, chunk.minTimeMs);
    return minTimeMs;
  }

  /** The place of the open sample of this time, or -1. */
  indexOf(timestampMs: number): number {
    const at = this.#placeOf(timestampMs);
    return at < this.count && this.timestampsMs[at] === timestampMs ? at : -1;
  }

  /** Adds an open sample; there must be room, and none of its time. */
  insert(timestampMs: number, high: number, low: number): void {
    const at = this.#placeOf(timestampMs);
    this.timestampsMs.copyWithin(at + 1, at, this.count);
    this.valueWords.copyWithin(2 * at + 2, 2 * at, 2 * this.count);
    this.timestampsMs[at] = timestampMs;
    this.valueWords[2 * at] = low;
    this.valueWords[2 * at + 1] = high;
    this.count++;
  }

  /** The open samples as an XOR chunk. */
  encodeOpen(): Uint8Array {
    return encodeXor(this.timestampsMs, this.values, 0, this.count);
  }

  /** Puts a closed chunk in the place of the open samples. */
  close(chunk: ClosedChunk): void {
    this.closed = [...this.closed, chunk];
    this.count = 0;
  }

  /** Drops what ends before `cutoffMs`, and open samples below it. Gives how many chunks went. */
  expire(cutoffMs: number): number {
    const before = this.closed.length;
    if (this.closed.some((chunk) => chunk.maxTimeMs < cutoffMs)) {
      this.closed = this.closed.filter((chunk) => chunk.maxTimeMs >= cutoffMs);
    }
    const gone = this.#placeOf(cutoffMs);
    if (gone > 0) {
      this.timestampsMs.copyWithin(0, gone, this.count);
      this.valueWords.copyWithin(0, 2 * gone, 2 * this.count);
      this.count -= gone;
    }
    return before - this.closed.length;
  }

  /** The first place whose time is at least `timestampMs`. */
  #placeOf(timestampMs: number): number {
    let at = this.count;
    while (at > 0 && (this.timestampsMs[at - 1] ?? 0) >= timestampMs) at--;
    return at;
  }
}
