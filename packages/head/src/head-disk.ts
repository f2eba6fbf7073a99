/** The files of a head as one: its logs, its closed chunks, and why nothing may be written while nobody knows what they hold. */
import { FileError, type FileSystem } from "@pleiad/ports";
import { CheckpointedLog } from "./checkpointed-log.ts";
import type { ClosedChunkFiles } from "./closed-chunk-files.ts";
import type { HeadChunkWriter } from "./head-chunk-writer.ts";
import { asHeadFailure, formatHeadFailure, type HeadFailure } from "./head-failure.ts";
import type { HeadMetrics } from "./head-metrics.ts";
import type { HeadPorts } from "./head.ts";
import type { OutOfOrderLog } from "./out-of-order-log.ts";
import type { SerialQueue } from "./serial-queue.ts";
import type { RecordBatch, WriteAheadLog } from "./write-ahead-log.ts";

export interface HeadDiskParts {
  readonly directory: string;
  readonly wal: WriteAheadLog;
  readonly outOfOrderLog: OutOfOrderLog;
  readonly chunkFiles: ClosedChunkFiles;
  readonly newImportWriter: () => HeadChunkWriter;
  /** Whatever changes the files takes its turn here. */
  readonly writes: SerialQueue;
  /** Writes all that memory has as the checkpoint for the segments up to `number`; gives its bytes. */
  readonly writeCheckpoint: (number: number) => Promise<number>;
  readonly files: FileSystem;
  readonly metrics: HeadMetrics;
  readonly observations: Pick<HeadPorts["observations"], "log">;
}

export class HeadDisk {
  readonly log: CheckpointedLog;
  readonly outOfOrderLog: OutOfOrderLog;
  readonly chunkFiles: ClosedChunkFiles;
  /** For the chunks of an import, in files of their own. */
  readonly newImportWriter: () => HeadChunkWriter;
  readonly #parts: HeadDiskParts;
  #wasSealed = false;

  /** `found`: what an earlier process left. */
  constructor(parts: HeadDiskParts, found: { readonly checkpointBytes: number; readonly segmentBytes: number }) {
    const { wal, directory, files, writes, writeCheckpoint } = parts;
    this.#parts = parts;
    this.log = new CheckpointedLog({ wal, directory: `${directory}/wal`, files, writes, writeCheckpoint }, found);
    this.outOfOrderLog = parts.outOfOrderLog;
    this.chunkFiles = parts.chunkFiles;
    this.newImportWriter = parts.newImportWriter;
  }

  /** Of both logs. */
  get logBytes(): number {
    return this.log.sizeBytes + this.outOfOrderLog.sizeBytes;
  }

  /** First the log that names the series. Throws FileError. */
  async append(batch: RecordBatch, outOfOrderBatch: RecordBatch, outOfOrderMaxTimeMs: number): Promise<void> {
    await this.log.wal.append(batch);
    await this.outOfOrderLog.append(outOfOrderBatch, outOfOrderMaxTimeMs);
  }

  /** Sends closed chunks to their files. A failure loses nothing: the log has their samples, the next flush goes on. */
  async flushChunks(): Promise<void> {
    try {
      await this.chunkFiles.writer.flush();
    } catch (error) {
      this.warn("Closed chunks could not be written; the next commit tries again.", error);
    }
  }

  /** Brings to disk anew what a failed datasync left in doubt. Throws FileError. */
  async recover(): Promise<void> {
    if (!(await this.log.recover())) return;
    this.tellSeal();
    const { directory, observations } = this.#parts;
    const message = "What a failed datasync left in doubt is on disk: the head takes samples.";
    observations.log("info", message, { directory });
  }

  /** Removes the records of samples out of order that are too old, and makes both logs durable. Throws FileError. */
  async settleLogs(keptFromMs: number): Promise<void> {
    await this.outOfOrderLog.dropBefore(keptFromMs);
    await this.log.wal.datasync();
    await this.outOfOrderLog.wal.datasync();
  }

  /** Why nothing may be written: nobody knows what the disk holds. */
  seal(): HeadFailure | undefined {
    const reason = this.log.sealedBy ?? this.outOfOrderLog.wal.sealedBy ?? this.chunkFiles.writer.sealedBy;
    return reason === undefined ? undefined : { kind: "sealed", reason };
  }

  /** Says it when the head stops taking samples, and when it goes on. */
  tellSeal(): void {
    const seal = this.seal();
    if ((seal !== undefined) === this.#wasSealed) return;
    this.#wasSealed = seal !== undefined;
    const { metrics, observations, directory } = this.#parts;
    metrics.sealed.set(seal === undefined ? 0 : 1);
    if (seal === undefined) return;
    const fields = { directory, reason: formatHeadFailure(seal) };
    observations.log("error", "The head takes no samples: a datasync failed.", fields);
  }

  failureOf(error: unknown): HeadFailure {
    const failure = asHeadFailure(error);
    return this.seal() ?? failure;
  }

  warn(message: string, error: unknown): void {
    if (!(error instanceof FileError)) throw error;
    const { directory, observations } = this.#parts;
    observations.log("warn", message, { directory, reason: error.message });
  }

  /** Lets go of all files, of those too that come behind one that fails. */
  async close(): Promise<HeadFailure | undefined> {
    await this.flushChunks();
    const parts = [this.log.wal, this.outOfOrderLog.wal, this.chunkFiles.writer];
    const closed = await Promise.allSettled(parts.map(async (part) => await part.close()));
    const failed = closed.find((one) => one.status === "rejected");
    return failed === undefined ? undefined : asHeadFailure(failed.reason);
  }
}
