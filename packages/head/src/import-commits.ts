/** Brings imports into a head: to disk, then into memory, all of one or nothing. */
import { fail, ok, type Result } from "@pleiad/model";
import type { HeadChunkWriter } from "./head-chunk-writer.ts";
import type { HeadDisk } from "./head-disk.ts";
import type { ImportFailure, ImportStats, StagedChunks } from "./head-importer.ts";
import type { HeadMemory } from "./head-memory.ts";
import type { HeadMetrics } from "./head-metrics.ts";
import { recordSeries, writeSeries } from "./wal-records.ts";
import { RecordBatch } from "./write-ahead-log.ts";

const seriesRecordBytes = 256 * 1024;

export class ImportCommits {
  readonly #memory: HeadMemory;
  readonly #disk: HeadDisk;
  readonly #metrics: HeadMetrics;
  readonly #batch = new RecordBatch();
  readonly #failed: { readonly staged: readonly StagedChunks[]; readonly writer: HeadChunkWriter }[] = [];

  constructor(memory: HeadMemory, disk: HeadDisk, metrics: HeadMetrics) {
    this.#memory = memory;
    this.#disk = disk;
    this.#metrics = metrics;
  }

  /** Nothing else may write meanwhile. `unwritable` says why the head takes nothing, where that is so. */
  async commit(
    staged: readonly StagedChunks[],
    writer: HeadChunkWriter,
    unwritable: ImportFailure | undefined,
  ): Promise<Result<ImportStats, ImportFailure>> {
    const failure = unwritable ?? (await this.#write(staged, writer));
    if (failure !== undefined) {
      this.#failed.push({ staged, writer });
      await this.discardFailed();
      return fail(failure);
    }
    for (const { series } of staged) series.floorMs = undefined;
    let chunkCount = 0;
    for (const { series, chunks } of staged) {
      this.#memory.attach(series, chunks);
      chunkCount += chunks.length;
    }
    this.#disk.chunkFiles.add(writer.written);
    return ok({ series: staged.length, chunks: chunkCount });
  }

  /**
   * Removes the files of imports that failed. What cannot be removed is tried again at the next maintenance: an opening
   * before that would take it for good, so until then nothing is appended beneath it.
   */
  async discardFailed(): Promise<void> {
    for (let one = this.#failed[0]; one !== undefined; one = this.#failed[0]) {
      try {
        await one.writer.discard();
      } catch (error) {
        return this.#disk.warn("The files of a failed import could not be removed.", error);
      }
      for (const { series } of one.staged) series.floorMs = undefined;
      this.#failed.shift();
    }
  }

  async #write(staged: readonly StagedChunks[], writer: HeadChunkWriter): Promise<ImportFailure | undefined> {
    const memory = this.#memory;
    const disk = this.#disk;
    // A commit that was under way when the chunks were added may have brought samples of their time.
    for (const { series, chunks } of staged) {
      const { minTimeMs = Infinity } = chunks[0] ?? {};
      const isTaken = series.reachesInto(minTimeMs, series.floorMs ?? -Infinity) || minTimeMs < memory.closedBeforeMs;
      if (isTaken) return { kind: "overlap" };
    }
    this.#batch.clear();
    const fresh = staged.map(({ series }) => series).filter((series) => !series.isLogged);
    for (const series of fresh) {
      if (this.#batch.openBytes === 0) this.#batch.writer.u8(recordSeries);
      writeSeries(this.#batch.writer, series.ref, memory.ownLabels(series));
      if (this.#batch.openBytes >= seriesRecordBytes) this.#batch.endRecord();
    }
    this.#batch.endRecord();
    try {
      // The log first: chunks whose series nothing names could be taken for another's.
      await disk.log.wal.append(this.#batch);
      for (const series of fresh) memory.show(series);
      await disk.log.wal.datasync();
      // Files hold the chunks of a series in the order of time, as Prometheus wants them.
      for (const { series, chunks } of staged) {
        if (series.newestMs < (chunks[0]?.minTimeMs ?? 0)) memory.closeChunk(series, disk.chunkFiles.writer);
      }
      await disk.flushChunks();
      disk.chunkFiles.writer.endFile();
      await writer.flush();
      await writer.close();
      await writer.publish();
      return undefined;
    } catch (error) {
      this.#metrics.writeFailures.add(1);
      return disk.failureOf(error);
    }
  }
}
