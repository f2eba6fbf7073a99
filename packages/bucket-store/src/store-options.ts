/** What a store of blocks is told once, and what it needs of the outside world. */
import { defaultBlockLister, type ReadRuns, type SelectorRule } from "@pleiad/blocks";
import type { Ports } from "@pleiad/ports";
import type { BucketReadOptions } from "./bucket-reads.ts";
import type { QuestionLimits } from "./question.ts";
import type { TimeBound } from "./shard-view.ts";

export interface BucketStoreOptions {
  /** Names the store in failures. */
  readonly name: string;
  /** For index headers and small files of blocks; absolute, for this store alone. */
  readonly directory: string;
  /** Which blocks are this shard's: Thanos's `selector.relabel-config`. */
  readonly rules: readonly SelectorRule[];
  /** Only this time is served, of blocks that reach beyond it too. */
  readonly minTime: TimeBound | undefined;
  readonly maxTime: TimeBound | undefined;
  readonly ignoreDeletionMarksDelayMs: number;
  readonly blocksMax: number; // of the whole bucket
  readonly syncIntervalMs: number;
  readonly syncTimeoutMs: number;
  /** Blocks that rest so long are closed. */
  readonly idleMs: number;
  /** What all blocks keep together: postings, series, chunks. */
  readonly cacheBytesMax: number;
  /** What the tables of open blocks may take beside: over it, those that rest longest are closed. */
  readonly tableBytesMax: number;
  /** What small files of blocks may take on the local disk; 0: none are kept. */
  readonly keptBytesMax: number;
  /** What the files meta.json of all blocks of the bucket may take there; 0: none are kept. */
  readonly metaBytesMax: number;
  /** Files up to this size are fetched as a whole, by one request, and kept. */
  readonly keptFileBytesMax: number;
  /** How many blocks have their small files fetched at once before anybody asks for them; 0: none. */
  readonly aheadAtOnceMax: number;
  readonly questionsAtOnceMax: number;
  readonly opensAtOnceMax: number;
  readonly limits: QuestionLimits;
  readonly reads: BucketReadOptions;
  readonly readRuns: ReadRuns;
  /** For names and values of labels, which blocks of one stream share. */
  readonly textBytesMax: number;
}

const minuteMs = 60_000;
const mebibyte = 1024 * 1024;

/** Thanos's defaults where it has them; where it has no bound, one that no dashboard comes near. */
export const defaultBucketStore: Omit<BucketStoreOptions, "name" | "directory"> = {
  rules: [],
  minTime: undefined,
  maxTime: undefined,
  ignoreDeletionMarksDelayMs: 24 * 60 * minuteMs,
  blocksMax: defaultBlockLister.blocksMax,
  syncIntervalMs: 3 * minuteMs,
  syncTimeoutMs: 5 * minuteMs,
  idleMs: 5 * minuteMs,
  cacheBytesMax: 512 * mebibyte,
  tableBytesMax: 512 * mebibyte,
  keptBytesMax: 1024 * mebibyte,
  metaBytesMax: 256 * mebibyte,
  // As much as is read for nothing where it spares a request.
  keptFileBytesMax: mebibyte / 2,
  aheadAtOnceMax: 4,
  questionsAtOnceMax: 20,
  opensAtOnceMax: 20,
  limits: { seriesMax: 2_000_000, samplesMax: 2_000_000_000, bytesMax: 8 * 1024 * mebibyte },
  reads: { readsAtOnceMax: 64, readTimeoutMs: minuteMs, readAttemptsMax: 3 },
  readRuns: { windowBytes: 32 * 1024, gapBytesMax: mebibyte / 2, runBytesMax: 16 * mebibyte },
  textBytesMax: 64 * mebibyte,
};

export type BucketStorePorts = Pick<Ports, "clock" | "files" | "observations" | "random">;
