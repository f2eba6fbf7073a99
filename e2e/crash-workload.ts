/**
 * What is done to a data folder and a bucket whose processes are killed again and again. Commits are numbered and their
 * samples follow from the number, so that whoever finds a sample knows whether it was ever written, and by which commit.
 */
import { defaultBlockWork, defaultCompactor, type CompactorOptions } from "@pleiad/compaction";
import { defaultHead } from "@pleiad/head";
import { emptyLabels, labelsFromRecord } from "@pleiad/model";
import { defaultShipper, defaultTsdb, type ShipperOptions, type TsdbOptions } from "@pleiad/tsdb";

const hourMs = 3_600_000;
/** Few samples make long blocks, which are downsampled. */
const stepMs = hourMs;
const blockRangeMs = 20 * stepMs;
const firstMs = 1_699_920_000_000; // a multiple of all ranges

export interface WorkloadSample {
  readonly name: string;
  readonly timestampMs: number;
  readonly value: number;
}

/** The samples of commit `number`, in the order in which they are appended; every third brings one out of order. */
export function samplesOf(number: number): readonly WorkloadSample[] {
  const timestampMs = firstMs + number * stepMs;
  const samples = ["a", "b", "c", `short_${Math.floor(number / 15)}`].map((name, i) => {
    return { name, timestampMs, value: number + i / 8 };
  });
  const late = { name: "a", timestampMs: timestampMs - 1.5 * stepMs, value: -number };
  return number % 3 === 0 ? [...samples, late] : samples;
}

/** The commit that a time belongs to. */
export function numberOf(timestampMs: number): number {
  return Math.ceil((timestampMs - firstMs) / stepMs + (timestampMs % stepMs === 0 ? 0 : 1));
}

export function lineOf({ name, timestampMs, value }: WorkloadSample): string {
  return `${name} ${timestampMs} ${value}`;
}

/** Everything happens often: a block every twenty commits, checkpoints and segments every few. */
export const workloadOptions: TsdbOptions = {
  ...defaultTsdb,
  head: {
    ...defaultHead,
    externalLabels: emptyLabels,
    intern: (text) => text,
    chunkRangeMs: blockRangeMs,
    samplesPerChunk: 7,
    outOfOrderWindowMs: 5 * stepMs,
    walSegmentBytes: 4096,
    checkpointBytesMin: 2048,
    chunkFileBytesMax: 4096,
    syncIntervalMs: 50,
  },
  retention: { retentionMs: 3 * blockRangeMs, retentionBytesMax: 0 },
  drainMs: 1000,
};

export function shipperOptionsOf(directory: string): ShipperOptions {
  return { ...defaultShipper, directory, externalLabels: labelsFromRecord({ cluster: "crash" }) };
}

/**
 * Three blocks become one, which is downsampled to 5 minutes, and four of those one, which is downsampled to an hour. What
 * is marked goes soon. `isAlone`: nobody uploads meanwhile, so that what looks broken off is.
 */
export function compactorOptionsOf(directory: string, isAlone: boolean): CompactorOptions {
  return {
    ...defaultCompactor,
    work: { ...defaultBlockWork, directory, workBytesMax: 2 ** 30 },
    plan: { ...defaultCompactor.plan, rangesMs: [blockRangeMs, 3 * blockRangeMs, 12 * blockRangeMs] },
    consistencyDelayMs: 0,
    deleteDelayMs: 20,
    partialUploadAgeMs: isAlone ? 0 : hourMs,
  };
}
