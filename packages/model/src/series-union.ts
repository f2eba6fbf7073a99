/** What two sources have of the same series, as one. */
import { labelsEqual } from "./labels.ts";
import type { EncodedChunk, SourceChunk, SourceSeries } from "./series-source.ts";

/** By start, then by end: the order that StoreAPI has within a series. */
export function compareChunks(a: SourceChunk, b: SourceChunk): number {
  return a.minTimeMs - b.minTimeMs || a.maxTimeMs - b.maxTimeMs;
}

export function areSortedChunks(chunks: readonly SourceChunk[]): boolean {
  for (let i = 1; i < chunks.length; i++) {
    if (compareChunks(chunks[i - 1] as SourceChunk, chunks[i] as SourceChunk) > 0) return false;
  }
  return true;
}

/**
 * The chunks of one series from two sources, sorted; one that both have byte for byte is there once. Each list must be
 * sorted. Chunks that overlap but differ all stay: which sample wins is for the reader to say.
 */
export function uniteChunks(a: readonly SourceChunk[], b: readonly SourceChunk[]): readonly SourceChunk[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const united: SourceChunk[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = a[i];
    const y = b[j];
    if (x !== undefined && (y === undefined || compareChunks(x, y) <= 0)) {
      united.push(x);
      i++;
    } else if (y !== undefined) {
      if (!endsWith(united, y)) united.push(y);
      j++;
    }
  }
  return united;
}

/** Sorted series with those of equal labels made one. */
export function uniteNeighbours(sorted: readonly SourceSeries[]): readonly SourceSeries[] {
  const united: SourceSeries[] = [];
  for (const one of sorted) {
    const last = united.at(-1);
    if (last === undefined || !labelsEqual(last.labels, one.labels)) united.push(one);
    else united[united.length - 1] = { labels: last.labels, chunks: uniteChunks(last.chunks, one.chunks) };
  }
  return united;
}

/** Whether `chunk` is among the last of `chunks`, those of its own time range: the ones it can be equal to. */
function endsWith(chunks: readonly SourceChunk[], chunk: SourceChunk): boolean {
  for (let i = chunks.length - 1; i >= 0; i--) {
    const other = chunks[i] as SourceChunk;
    if (compareChunks(other, chunk) !== 0) return false;
    if (sameContent(other, chunk)) return true;
  }
  return false;
}

function sameContent({ content: a }: SourceChunk, { content: b }: SourceChunk): boolean {
  if (a.kind === "raw") return b.kind === "raw" && sameBytes(a, b);
  if (b.kind === "raw" || a.of.size !== b.of.size) return false;
  for (const [aggregate, chunk] of a.of) {
    const other = b.of.get(aggregate);
    if (other === undefined || !sameBytes(chunk, other)) return false;
  }
  return true;
}

function sameBytes(a: EncodedChunk, b: EncodedChunk): boolean {
  const { length } = a.data;
  if (a.encoding !== b.encoding || b.data.length !== length) return false;
  // From the end: chunks of two replicas begin with the same header more often than they end alike.
  for (let i = length - 1; i >= 0; i--) if (a.data[i] !== b.data[i]) return false;
  return true;
}
