/** One downsampled chunk in the making: an XOR chunk for each aggregate of floats, whole chunks for those of histograms. */
import type { BlockChunk } from "@pleiad/blocks";
import {
  aggregateEncoding,
  chunkSampleCount,
  createXorAppender,
  encodeAggregateChunk,
  type XorAppender,
} from "@pleiad/chunks";
import type { Aggregate, EncodedChunk } from "@pleiad/model";

export class AggregateAppenders {
  readonly #appenders = new Map<Aggregate, XorAppender>();
  readonly #finished = new Map<Aggregate, EncodedChunk>();
  #minTimeMs = Infinity;
  #maxTimeMs = -Infinity;

  /** Adds a window's value to an aggregate, at its end. */
  append(aggregate: Aggregate, endMs: number, value: number): void {
    const appender = this.#of(aggregate);
    // The counter begins with a raw sample, which may stand where the first window ends.
    if (appender.maxTimeMs === endMs) appender.appendAgain(value);
    else appender.append(endMs, value);
    this.#minTimeMs = Math.min(this.#minTimeMs, endMs);
    this.#maxTimeMs = Math.max(this.#maxTimeMs, endMs);
  }

  /** The first raw value of the counter: before its windows. */
  beginCounter(timestampMs: number, value: number): void {
    this.#of("counter").append(timestampMs, value);
  }

  /** The last raw value of the counter: after its windows, at the time of the last one. */
  endCounter(value: number): void {
    this.#of("counter").appendAgain(value);
  }

  /** Takes an aggregate that is encoded already; its windows must be those of the others. */
  put(aggregate: Aggregate, chunk: EncodedChunk): void {
    this.#finished.set(aggregate, chunk);
  }

  /** The chunk, or undefined where there was no window. */
  finish(): BlockChunk | undefined {
    if (this.#minTimeMs === Infinity) return undefined;
    const of = new Map(this.#finished);
    for (const [aggregate, appender] of this.#appenders) of.set(aggregate, { encoding: 1, data: appender.bytes() });
    const count = of.get("count");
    return {
      minTimeMs: this.#minTimeMs,
      maxTimeMs: this.#maxTimeMs,
      sampleCount: count === undefined ? 0 : chunkSampleCount(count.data),
      encoding: aggregateEncoding,
      data: encodeAggregateChunk(of),
    };
  }

  #of(aggregate: Aggregate): XorAppender {
    const known = this.#appenders.get(aggregate);
    if (known !== undefined) return known;
    const appender = createXorAppender();
    this.#appenders.set(aggregate, appender);
    return appender;
  }
}
