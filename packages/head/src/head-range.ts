/**
 * What a head holds of one range of time, in the shape of a block: series in the order of the labels that they were made
 * with, chunks that lie in the range, ascend and do not overlap.
 */
import { compareLabels, xorEncoding, type Labels } from "@pleiad/model";
import type { Clock } from "@pleiad/ports";
import { clipChunks, type CountedChunk, type TimedChunk } from "./chunk-clip.ts";
import { timedChunk } from "./head-chunk-file.ts";
import type { HeadMemory } from "./head-memory.ts";
import { encodeOpen, type MemorySeries } from "./memory-series.ts";
import type { TimeRange } from "./time-range.ts";

/** One series of a range. */
export interface HeadRangeSeries {
  /** Without the external labels of the head. */
  readonly labels: Labels;
  /** At least one. Their data is the head's own: to be read, not to be kept. */
  readonly chunks: readonly CountedChunk[];
}

/** A range that takes no more samples. */
export interface HeadRange extends TimeRange {
  /** Every label name and value of the head, ascending by UTF-8 bytes, each once: some may not occur in the range. */
  symbols(): readonly string[];
  /** The series that have samples in the range. Read it at once: what passes out of the head is not in it. */
  series(): AsyncIterable<HeadRangeSeries>;
}

/** Samples of the head that are in the range as its files have them, but that no decoder reads: said, and left out. */
export type OnUnreadable = (labels: Labels, reason: string) => void;

const pieceMs = 5;

export function headRange(
  memory: HeadMemory,
  { minTimeMs, maxTimeMs }: TimeRange,
  samplesPerChunk: number,
  clock: Pick<Clock, "monotonicMs" | "yield">,
  onUnreadable: OnUnreadable,
): HeadRange {
  return {
    minTimeMs,
    maxTimeMs,
    symbols: () => memory.symbols(),
    async *series() {
      let pieceStartMs = clock.monotonicMs();
      for (const series of inOwnOrder(memory)) {
        const chunks = chunksOf(series, minTimeMs, maxTimeMs);
        if (chunks.length > 0) {
          const clipped = clipChunks(chunks, minTimeMs, maxTimeMs, samplesPerChunk);
          const labels = memory.ownLabels(series);
          if (!clipped.ok) onUnreadable(labels, clipped.failure.kind);
          else if (clipped.value.length > 0) yield { labels, chunks: clipped.value };
        }
        if (clock.monotonicMs() - pieceStartMs > pieceMs) {
          await clock.yield();
          pieceStartMs = clock.monotonicMs();
        }
      }
    },
  };
}

/** All chunks of a series that reach into [fromMs, toMs), those that came in order first; the open ones as copies. */
function chunksOf({ closed, open, outOfOrder }: MemorySeries, fromMs: number, toMs: number): TimedChunk[] {
  const chunks: TimedChunk[] = [];
  for (const chunk of closed) if (chunk.maxTimeMs >= fromMs && chunk.minTimeMs < toMs) chunks.push(timedChunk(chunk));
  if (open !== undefined && open.count > 0 && open.maxTimeMs >= fromMs && open.minTimeMs < toMs) {
    chunks.push({ minTimeMs: open.minTimeMs, maxTimeMs: open.maxTimeMs, ...encodeOpen(open) });
  }
  if (outOfOrder === undefined) return chunks;
  for (const chunk of outOfOrder.closed) chunks.push(timedChunk(chunk));
  if (outOfOrder.count > 0) {
    const { openMinTimeMs: minTimeMs, openMaxTimeMs: maxTimeMs } = outOfOrder;
    chunks.push({ minTimeMs, maxTimeMs, encoding: xorEncoding, data: outOfOrder.encodeOpen() });
  }
  return chunks;
}

/** The series that readers see, by the labels they were made with. */
function inOwnOrder(memory: HeadMemory): readonly MemorySeries[] {
  const all = memory.index.inOrder();
  // Labels that all series have in common change their order all the same: they come between others.
  if (memory.externalLabels.length === 0) return [...all];
  const keyed = all.map((series) => ({ series, labels: memory.ownLabels(series) }));
  keyed.sort((a, b) => compareLabels(a.labels, b.labels));
  return keyed.map(({ series }) => series);
}
