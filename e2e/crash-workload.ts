/**
 * What is written to a data folder that is killed again and again: numbered commits whose samples follow from the number,
 * so that whoever finds a sample knows whether it was ever written, and by which commit.
 */
import { defaultHead } from "@pleiad/head";
import { emptyLabels, labelsFromRecord } from "@pleiad/model";
import { defaultShipper, defaultTsdb, type ShipperOptions, type TsdbOptions } from "@pleiad/tsdb";

const firstMs = 1_700_000_000_000;
const stepMs = 1000;

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
    chunkRangeMs: 20 * stepMs,
    samplesPerChunk: 7,
    outOfOrderWindowMs: 5 * stepMs,
    walSegmentBytes: 4096,
    checkpointBytesMin: 2048,
    chunkFileBytesMax: 4096,
    syncIntervalMs: 50,
  },
  retention: { retentionMs: 60 * stepMs, retentionBytesMax: 0 },
  drainMs: 1000,
};

export function shipperOptionsOf(directory: string): ShipperOptions {
  return { ...defaultShipper, directory, externalLabels: labelsFromRecord({ cluster: "crash" }) };
}
