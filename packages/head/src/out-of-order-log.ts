/** The log of samples that come out of order: segments that go once all of their samples are too old. */
import type { FileSystem } from "@pleiad/ports";
import { removeEntries, type OutOfOrderSegment, type RecordBatch, type WriteAheadLog } from "./write-ahead-log.ts";

export class OutOfOrderLog {
  readonly wal: WriteAheadLog;
  readonly #files: FileSystem;
  /** Those of an earlier process, then those of this one; the one that is being written included. */
  #segments: OutOfOrderSegment[];

  constructor(wal: WriteAheadLog, files: FileSystem, segments: OutOfOrderSegment[]) {
    this.wal = wal;
    this.#files = files;
    this.#segments = segments;
  }

  get sizeBytes(): number {
    return this.#segments.reduce((total, segment) => total + segment.sizeBytes, 0);
  }

  /** `maxTimeMs` is the newest of the samples. Throws FileError. */
  async append(batch: RecordBatch, maxTimeMs: number): Promise<void> {
    if (batch.isEmpty) return;
    const { wal } = this;
    const firstNumber = wal.current?.number ?? -1;
    try {
      await wal.append(batch);
    } finally {
      // Whatever became of it, segments may have it.
      for (const segment of this.#segments) {
        if (segment.number >= firstNumber && firstNumber >= 0)
          segment.maxTimeMs = Math.max(segment.maxTimeMs, maxTimeMs);
      }
      const { current } = wal;
      if (current !== undefined) {
        const known = this.#segments.find(({ number }) => number === current.number);
        if (known === undefined) this.#segments.push({ ...current, maxTimeMs });
        else known.sizeBytes = current.sizeBytes;
      }
    }
  }

  /** Removes the segments that end before a time. Throws FileError. */
  async dropBefore(keptFromMs: number): Promise<void> {
    const expired = this.#segments.filter(({ maxTimeMs }) => maxTimeMs < keptFromMs);
    for (const { number, path } of expired) {
      if (this.wal.current?.number === number) await this.wal.cut();
      await removeEntries(this.#files, [{ kind: "file", path }]);
      this.#segments = this.#segments.filter((other) => other.number !== number);
    }
  }
}
