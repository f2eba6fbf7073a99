/**
 * The rows of open transactions: a sample each, in the order in which they came. A head takes a page of every target each
 * interval, so arrays that grew for one transaction are kept for the next: garbage of this size would make the collector
 * walk the whole heap again and again, since memory outside of it is what hurries it most.
 */
import type { MemorySeries } from "./memory-series.ts";

/** What a row holds. */
export const rowFloat = 0;
export const rowOutOfOrder = 1;
export const rowIntegerHistogram = 2;
export const rowFloatHistogram = 3;

const rowsAtFirst = 64;
/** Of arrays that are kept: 25 bytes a row. Longer ones are of a rare transaction, and go. */
const keptRowsMax = 32_768;
const keptMax = 8;

export class AppendRows {
  /** The arrays hold so many rows; what is after them means nothing. */
  count = 0;
  series: (MemorySeries | undefined)[] = [];
  timestampsMs: Float64Array = new Float64Array(rowsAtFirst);
  /** Two a row, the lower one first, signed: most are small numbers then, which take no memory when they are handed on. */
  valueWords: Int32Array = new Int32Array(2 * rowsAtFirst);
  kinds: Uint8Array = new Uint8Array(rowsAtFirst);

  push(series: MemorySeries, timestampMs: number, kind: number, high: number, low: number): void {
    const row = this.count++;
    if (row === this.timestampsMs.length) this.#grow();
    this.series[row] = series;
    this.timestampsMs[row] = timestampMs;
    this.kinds[row] = kind;
    this.valueWords[2 * row] = low;
    this.valueWords[2 * row + 1] = high;
  }

  /** Puts row `from` in the place of row `to`, which is before it or the same; as one of this kind. */
  move(from: number, to: number, kind: number): void {
    this.series[to] = this.series[from];
    this.timestampsMs[to] = this.timestampsMs[from] ?? 0;
    this.kinds[to] = kind;
    this.valueWords[2 * to] = this.valueWords[2 * from] ?? 0;
    this.valueWords[2 * to + 1] = this.valueWords[2 * from + 1] ?? 0;
  }

  /** The last row of a series, -1 where it has none. */
  lastOf(series: MemorySeries): number {
    let row = this.count - 1;
    while (row >= 0 && this.series[row] !== series) row--;
    return row;
  }

  /** Forgets the rows from `count` on, and the series that they name. */
  truncate(count: number): void {
    this.series.fill(undefined, count, this.count);
    this.count = count;
  }

  #grow(): void {
    const rowsMax = this.timestampsMs.length * 2;
    const timestampsMs = new Float64Array(rowsMax);
    timestampsMs.set(this.timestampsMs);
    this.timestampsMs = timestampsMs;
    const valueWords = new Int32Array(rowsMax * 2);
    valueWords.set(this.valueWords);
    this.valueWords = valueWords;
    const kinds = new Uint8Array(rowsMax);
    kinds.set(this.kinds);
    this.kinds = kinds;
  }
}

const kept: AppendRows[] = [];

/** No rows yet; whoever takes them hands them back with `leaveRows`, or just forgets them. */
export function takeRows(): AppendRows {
  return kept.pop() ?? new AppendRows();
}

/** The rows are the next one's: the caller has nothing of them any more. */
export function leaveRows(rows: AppendRows): void {
  rows.truncate(0);
  if (kept.length < keptMax && rows.timestampsMs.length <= keptRowsMax) kept.push(rows);
}
