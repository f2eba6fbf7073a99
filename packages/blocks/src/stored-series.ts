/** One series of a block in memory: its labels, where its chunks lie, and those chunks that were read. */
import type { Labels, SourceChunk, SourceSeries } from "@pleiad/model";
import type { TimeSpan } from "./tombstones.ts";

/** Numbers a chunk takes in `StoredSeries.chunks`: time of its first sample, of its last, reference. */
export const chunkFields = 3;

export class StoredSeries {
  readonly labels: Labels;
  /** Three numbers a chunk, by time. */
  readonly chunks: readonly number[];
  /** What is deleted of each chunk; undefined where nothing is. */
  readonly deleted: readonly (readonly TimeSpan[])[] | undefined;
  /** Chunks that are in memory, by their number; forgotten when windows are. */
  readonly read: (SourceChunk | undefined)[];
  /** The series with all its chunks, once all are read. */
  whole: SourceSeries | undefined;

  constructor(
    labels: Labels,
    chunks: readonly number[],
    deleted: StoredSeries["deleted"],
    read: (SourceChunk | undefined)[] = [],
  ) {
    this.labels = labels;
    this.chunks = chunks;
    this.deleted = deleted;
    this.read = read;
    this.whole = undefined;
  }

  /** The same series under other labels. */
  renamed(labels: Labels): StoredSeries {
    return labels === this.labels ? this : new StoredSeries(labels, this.chunks, this.deleted, this.read);
  }

  /** About what it takes in memory without its chunks. */
  get heldBytes(): number {
    return 300 + 8 * this.labels.length + 16 * this.chunks.length;
  }
}

/** Series of equal labels as one. */
export function uniteStored(parts: readonly StoredSeries[], labels: Labels): StoredSeries {
  const rows = parts.flatMap((part) =>
    Array.from({ length: part.chunks.length / chunkFields }, (_, k) => ({
      minTimeMs: part.chunks[chunkFields * k] as number,
      maxTimeMs: part.chunks[chunkFields * k + 1] as number,
      ref: part.chunks[chunkFields * k + 2] as number,
      deleted: part.deleted?.[k] ?? [],
    })),
  );
  rows.sort((a, b) => a.minTimeMs - b.minTimeMs || a.maxTimeMs - b.maxTimeMs);
  const chunks = rows.flatMap(({ minTimeMs, maxTimeMs, ref }) => [minTimeMs, maxTimeMs, ref]);
  const hasDeleted = parts.some((part) => part.deleted !== undefined);
  return new StoredSeries(labels, chunks, hasDeleted ? rows.map((row) => row.deleted) : undefined);
}
