/**
 * One counter out of the chunks of a series, raw or downsampled: it only rises, so that differences of its samples are
 * increases.
 *
 * The counter of a downsampled chunk starts with the first raw value and is added up from there, without falling; its last
 * sample has the time of the one before and the last raw value. The step from there to the first value of the next chunk
 * tells whether the counter was reset between the two.
 */
import { reserveSamples, type SampleColumns } from "./sample-columns.ts";

export class CounterJoin {
  /** The time and the value that was read last, and the sum of all increases: what was given last. */
  #timestampMs = NaN;
  #value = 0;
  #total = 0;

  /** Appends the next chunk's samples to `out`: NaN and what goes back in time left out. Chunks ascend by their first time. */
  append(chunk: SampleColumns, out: SampleColumns): void {
    reserveSamples(out, chunk.count);
    const { timestampsMs, values } = chunk;
    let at = out.count;
    for (let i = 0; i < chunk.count; i++) {
      const timestampMs = timestampsMs[i];
      const value = values[i];
      if (value !== value || timestampMs < this.#timestampMs) continue;
      if (timestampMs === this.#timestampMs) {
        this.#value = value;
        continue;
      }
      // A value below the last one began at zero. The first of all has no time before it to compare with.
      const isFirst = this.#timestampMs !== this.#timestampMs;
      this.#total += isFirst || value < this.#value ? value : value - this.#value;
      this.#timestampMs = timestampMs;
      this.#value = value;
      out.timestampsMs[at] = timestampMs;
      out.values[at] = this.#total;
      at++;
    }
    out.count = at;
  }

  /** The last raw value: what a chunk that is made of the samples so far must end with. */
  get lastValue(): number {
    return this.#value;
  }
}
