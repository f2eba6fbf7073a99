/** Downsampled chunks of floats. What they hold: docs/format/aggregate-chunk.md. */
import type { BlockChunk } from "@pleiad/blocks";
import { CounterJoin, createSampleColumns, reserveSamples, type SampleColumns } from "@pleiad/chunks";
import { isStale, type Aggregate } from "@pleiad/model";
import { AggregateAppenders } from "./aggregate-appenders.ts";
import { eachWindow } from "./downsample-windows.ts";

/** What is made of a window's values. */
interface FloatWindow {
  count: number;
  sum: number;
  min: number;
  max: number;
}

/** How an aggregate of longer windows is made of the same aggregate of shorter ones. */
const combinedBy: Readonly<Record<Exclude<Aggregate, "counter">, keyof FloatWindow>> = {
  count: "sum",
  sum: "sum",
  min: "min",
  max: "max",
};

/** Closes `samples` up over staleness markers and over what goes back in time, from `from` on. */
export function dropUnusable(samples: SampleColumns, from: number): void {
  let kept = from;
  for (let i = from; i < samples.count; i++) {
    if (isStale(samples.valueWords, i)) continue;
    const timestampMs = samples.timestampsMs[i] ?? 0;
    if (kept > 0 && timestampMs < (samples.timestampsMs[kept - 1] ?? 0)) continue;
    samples.timestampsMs[kept] = timestampMs;
    samples.values[kept] = samples.values[i] ?? 0;
    kept++;
  }
  samples.count = kept;
}

/** One chunk with the windows of samples [from, to); none where all are NaN. */
export function downsampleFloats(
  samples: SampleColumns,
  from: number,
  to: number,
  resolutionMs: number,
): BlockChunk | undefined {
  const numbers = withoutNaN(samples, from, to);
  if (numbers.count === 0) return undefined;
  const chunk = new AggregateAppenders();
  eachFloatWindow(numbers, resolutionMs, (window, endMs) => {
    chunk.append("count", endMs, window.count);
    chunk.append("sum", endMs, window.sum);
    chunk.append("min", endMs, window.min);
    chunk.append("max", endMs, window.max);
  });
  appendCounter(chunk, numbers, resolutionMs, numbers.values[numbers.count - 1] ?? 0);
  return chunk.finish();
}

/**
 * One chunk of longer windows. `aggregates` are the samples of each aggregate of the chunks it is made of, without what is
 * unusable; of the counter, they are joined, and `lastValue` is the last raw one.
 */
export function downsampleFloatAggregates(
  aggregates: ReadonlyMap<Aggregate, SampleColumns>,
  lastValue: number,
  resolutionMs: number,
): BlockChunk | undefined {
  const chunk = new AggregateAppenders();
  for (const [aggregate, samples] of aggregates) {
    if (samples.count === 0) continue;
    if (aggregate === "counter") appendCounter(chunk, samples, resolutionMs, lastValue);
    else {
      const by = combinedBy[aggregate];
      eachFloatWindow(samples, resolutionMs, (window, endMs) => chunk.append(aggregate, endMs, window[by]));
    }
  }
  return chunk.finish();
}

function eachFloatWindow(
  { timestampsMs, values, count }: SampleColumns,
  resolutionMs: number,
  visit: (window: FloatWindow, endMs: number) => void,
): void {
  const window: FloatWindow = { count: 0, sum: 0, min: 0, max: 0 };
  eachWindow(timestampsMs, 0, count, resolutionMs, (from, to, endMs) => {
    let sum = 0;
    let min = Infinity;
    let max = -Infinity;
    for (let i = from; i < to; i++) {
      const value = values[i] ?? 0;
      sum += value;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    window.count = to - from;
    window.sum = sum;
    window.min = min;
    window.max = max;
    visit(window, endMs);
  });
}

/** The counter at the end of each window: all increases since the first value, which it starts with. */
function appendCounter(
  chunk: AggregateAppenders,
  { timestampsMs, values, count }: SampleColumns,
  resolutionMs: number,
  lastValue: number,
): void {
  let value = values[0] ?? 0;
  let counter = value;
  chunk.beginCounter(timestampsMs[0] ?? 0, value);
  eachWindow(timestampsMs, 0, count, resolutionMs, (from, to, endMs) => {
    for (let i = Math.max(from, 1); i < to; i++) {
      const next = values[i] ?? 0;
      counter += next < value ? next : next - value;
      value = next;
    }
    chunk.append("counter", endMs, counter);
  });
  chunk.endCounter(lastValue);
}

/** The samples of the counters of chunks as one that only rises, and the last raw value. */
export function joinCounters(counters: readonly SampleColumns[]): {
  readonly joined: SampleColumns;
  readonly lastValue: number;
} {
  const join = new CounterJoin();
  const joined = createSampleColumns(0);
  for (const counter of counters) join.append(counter, joined);
  return { joined, lastValue: join.lastValue };
}

function withoutNaN(samples: SampleColumns, from: number, to: number): SampleColumns {
  const numbers = createSampleColumns(0);
  reserveSamples(numbers, to - from);
  for (let i = from; i < to; i++) {
    const value = samples.values[i] ?? 0;
    if (value !== value) continue;
    numbers.timestampsMs[numbers.count] = samples.timestampsMs[i] ?? 0;
    numbers.values[numbers.count++] = value;
  }
  return numbers;
}
