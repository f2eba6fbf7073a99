/** Where chunks of replicas that should hold the same samples do not. */
import type { TimedColumns } from "@pleiad/chunks";
import type { ChunkMergeFailure, InputChunk } from "./input-chunk.ts";

/** The first time at which two chunks that cover it differ. `columns` are the samples of the replicas. */
export function findConflict<T extends TimedColumns>(
  replicas: readonly (readonly InputChunk[])[],
  columns: readonly T[],
  areSame: (a: T, i: number, b: T, k: number) => boolean,
): ChunkMergeFailure | undefined {
  for (const [first, a] of columns.entries()) {
    for (const [second, b] of columns.entries()) {
      if (second <= first) continue;
      for (const one of replicas[first] ?? []) {
        for (const other of replicas[second] ?? []) {
          const fromMs = Math.max(one.chunk.minTimeMs, other.chunk.minTimeMs);
          const toMs = Math.min(one.chunk.maxTimeMs, other.chunk.maxTimeMs);
          if (fromMs > toMs) continue;
          const timestampMs = firstDifference(a, b, fromMs, toMs, areSame);
          if (timestampMs === undefined) continue;
          const inputs = [one.input, other.input] as const;
          return { kind: "conflict", inputs: inputs[0] < inputs[1] ? inputs : [inputs[1], inputs[0]], timestampMs };
        }
      }
    }
  }
  return undefined;
}

/** Within [fromMs, toMs]. */
function firstDifference<T extends TimedColumns>(
  a: T,
  b: T,
  fromMs: number,
  toMs: number,
  areSame: (a: T, i: number, b: T, k: number) => boolean,
): number | undefined {
  let i = firstFrom(a, fromMs);
  let k = firstFrom(b, fromMs);
  for (; ; i++, k++) {
    const timestampMs = i < a.count ? (a.timestampsMs[i] ?? Infinity) : Infinity;
    const otherMs = k < b.count ? (b.timestampsMs[k] ?? Infinity) : Infinity;
    const nextMs = Math.min(timestampMs, otherMs);
    if (nextMs > toMs) return undefined;
    if (timestampMs !== otherMs || !areSame(a, i, b, k)) return nextMs;
  }
}

/** The number of the first sample that is not before a time. */
function firstFrom({ timestampsMs, count }: TimedColumns, timeMs: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timestampsMs[middle] ?? Infinity) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
