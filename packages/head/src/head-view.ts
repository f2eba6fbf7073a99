/**
 * The files of a head, read once and never written: whatever a Prometheus or a Pleiad left there, or is writing now. A
 * torn end is passed over.
 */
import { fail, formatLabels, ok, type Result, type SeriesSource } from "@pleiad/model";
import { ExemplarRing } from "./exemplar-ring.ts";
import { HeadChunkWriter } from "./head-chunk-writer.ts";
import { asHeadFailure, type HeadFailure } from "./head-failure.ts";
import { HeadMemory } from "./head-memory.ts";
import type { HeadOptions } from "./head-options.ts";
import { listLabelNames, listLabelValues, selectSeries, type HeadReader } from "./head-select.ts";
import type { HeadPorts } from "./head.ts";
import { replayHead } from "./replay.ts";
import { listLog } from "./write-ahead-log.ts";

export interface HeadView extends SeriesSource {
  readonly series: number;
  readonly chunks: number;
  /** Of all samples; NaN where there is none. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** Bytes at torn or damaged ends, and damaged records before them. */
  readonly damagedBytes: number;
  readonly damagedRecords: number;
  /** Samples whose series nothing names, and records of kinds that are not read. */
  readonly skippedSamples: number;
  readonly unreadRecords: number;
  /** Every label name and value, ascending by UTF-8 bytes. */
  symbols(): readonly string[];
}

/** Folders that are not there are empty. Resolves when all is in memory. */
export async function viewHead(options: HeadOptions, ports: HeadPorts): Promise<Result<HeadView, HeadFailure>> {
  const { files, clock } = ports;
  const memory = new HeadMemory(options);
  // Lays out chunks that a replay closes; they stay in memory.
  const writer = new HeadChunkWriter(files, {
    directory: options.directory,
    fileBytesMax: options.chunkFileBytesMax,
    fileSpanMs: Infinity,
    nextFileNumber: () => 0,
    isDraft: true,
  });
  const chunkDirectory = `${options.directory}/chunks_head`;
  try {
    const log = await listLog(files, `${options.directory}/wal`);
    const outOfOrderLog = await listLog(files, `${options.directory}/wbl`);
    const exemplars = new ExemplarRing(options.exemplarsMax);
    const replayOptions = { chunkDirectory, log, outOfOrderLog, repairs: false };
    const report = await replayHead(memory, writer, exemplars, replayOptions, ports);
    const source = `head${options.externalLabels.length > 0 ? formatLabels(options.externalLabels) : ""}`;
    const reader: HeadReader = { memory, source, yield: () => clock.yield() };
    const isEmpty = memory.maxTimeMs < memory.minTimeMs;
    return ok({
      series: memory.index.size,
      chunks: memory.chunkCount,
      minTimeMs: isEmpty ? NaN : memory.minTimeMs,
      maxTimeMs: isEmpty ? NaN : memory.maxTimeMs,
      damagedBytes: report.repairedBytes,
      damagedRecords: report.damagedRecords,
      skippedSamples: report.skippedSamples,
      unreadRecords: report.unread,
      symbols: () => memory.symbols(),
      select: (request, signal) => selectSeries(reader, request, signal),
      labelNames: async (request, signal) => listLabelNames(reader, request, signal),
      labelValues: async (label, request, signal) => listLabelValues(reader, label, request, signal),
    });
  } catch (error) {
    return fail(asHeadFailure(error));
  }
}
