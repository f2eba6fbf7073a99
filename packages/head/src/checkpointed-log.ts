/** The write-ahead log of a head, and the checkpoint that stands for its oldest segments. */
import type { FileSystem } from "@pleiad/ports";
import type { SerialQueue } from "./serial-queue.ts";
import { listLog, removeEntries, type WriteAheadLog } from "./write-ahead-log.ts";

export interface CheckpointedLogParts {
  readonly wal: WriteAheadLog;
  readonly directory: string;
  readonly files: FileSystem;
  /** Whatever changes the log takes its turn here. */
  readonly writes: SerialQueue;
  /** Writes all that memory has as the checkpoint for the segments up to `number`; gives its bytes. */
  readonly writeCheckpoint: (number: number) => Promise<number>;
}

export class CheckpointedLog {
  readonly wal: WriteAheadLog;
  readonly #parts: CheckpointedLogParts;
  /** What a failed datasync of the log said, until memory is on disk once more. */
  #unrecovered: string | undefined;
  #checkpointBytes: number;
  /** Bytes of segments behind the checkpoint that an earlier process wrote, or that were cut since. */
  #olderSegmentBytes: number;
  /** Bytes that this process wrote into segments which the checkpoint stands for. */
  #bytesBehind = 0;

  /** `found`: what an earlier process left. */
  constructor(parts: CheckpointedLogParts, found: { readonly checkpointBytes: number; readonly segmentBytes: number }) {
    this.wal = parts.wal;
    this.#parts = parts;
    this.#checkpointBytes = found.checkpointBytes;
    this.#olderSegmentBytes = found.segmentBytes;
  }

  /** With the checkpoint. */
  get sizeBytes(): number {
    return this.#checkpointBytes + this.#segmentBytes;
  }

  /** Why nothing may be written: nobody knows what the disk holds. */
  get sealedBy(): string | undefined {
    return this.#unrecovered ?? this.wal.sealedBy;
  }

  /** Puts a checkpoint in the place of the segments once they have grown; whether it did. Throws FileError. */
  async truncate(checkpointBytesMin: number): Promise<boolean> {
    if (this.#segmentBytes === 0 || this.#segmentBytes < Math.max(checkpointBytesMin, this.#checkpointBytes)) {
      return false;
    }
    await this.#checkpointBehind((await this.#parts.writes.run(async () => await this.wal.cut())) - 1);
    return true;
  }

  /**
   * After a failed datasync of the log: memory has all that was acknowledged, and a checkpoint brings it to disk anew, in
   * files of its own. Until that is done, nothing is taken. What the kernel dropped of the old segment is not asked for
   * again: a second datasync of the same file could say that all is well. Whether there was a need. Throws FileError.
   */
  async recover(): Promise<boolean> {
    const { wal } = this;
    if (wal.sealedBy !== undefined) this.#unrecovered = wal.sealedBy;
    if (this.#unrecovered === undefined) return false;
    await this.#checkpointBehind(await this.#parts.writes.run(async () => await wal.abandon()));
    this.#unrecovered = undefined;
    return true;
  }

  /** Writes a checkpoint that stands for all segments up to `number`, and removes those. */
  async #checkpointBehind(number: number): Promise<void> {
    const { files, directory, writeCheckpoint } = this.#parts;
    const bytesCut = this.wal.bytesWritten;
    this.#checkpointBytes = await writeCheckpoint(number);
    this.#olderSegmentBytes = 0;
    this.#bytesBehind = bytesCut;
    await removeEntries(files, (await listLog(files, directory)).leftovers);
  }

  /** Bytes of the segments that the checkpoint does not stand for. */
  get #segmentBytes(): number {
    return this.#olderSegmentBytes + this.wal.bytesWritten - this.#bytesBehind;
  }
}
