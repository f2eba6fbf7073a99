/**
 * Tasks of a query's leaves, in memory that threads share: encoded chunks of many series go in, rows of steps or partial
 * aggregates of groups come out. A task lies in one slab of the memory, numbers only, so that any thread can run it:
 *
 *     header | table of chunks | table of series | bytes of the chunks | output | samples looked at, by step
 *
 * What a task holds depends on the series and nothing else, so neither do its results on who runs it, or when.
 */
import { xorBulkFailure, xorBulkRow, xorBulkRowBytes, xorBulkSlackBytes, type ChunkFailure } from "@pleiad/chunks";
import type { QueryableSamples } from "./queryable-samples.ts";

/** The latest sample at each step, or its time in seconds; or a function over the range before it. */
export type LeafKernel =
  | { readonly kind: "latest"; readonly as: "value" | "time" }
  | { readonly kind: "range"; readonly function: string };

/** What becomes of the rows: kept as they are, or aggregated by group. */
export type LeafFold = "rows" | "sum" | "avg" | "count" | "min" | "max";

/** What a leaf computes of each series. Step i looks at `(atMs ?? startMs + i * stepMs) - offsetMs`. */
export interface LeafShape {
  readonly kernel: LeafKernel;
  readonly fold: LeafFold;
  readonly startMs: number;
  readonly stepMs: number;
  readonly stepCount: number;
  readonly offsetMs: number;
  readonly atMs: number | undefined;
  readonly rangeMs: number; // or lookback
  /** Which share of a series' samples a step goes through: its window's where each window is gone through, else none. */
  readonly windowShare: number;
  /** Whether a task tells how many samples each step looks at. */
  readonly countsSamples: boolean;
}

export const slabBytes = 2 << 20;
/** Bounds of one task, for some two milliseconds of work: samples to decode, and steps and samples of windows to compute. */
export const taskSamplesMax = 1 << 18;
export const taskStepsMax = 1 << 19;
export const taskChunksMax = 8192;
export const taskSeriesMax = 4096;
export const chunkBytesMax = 256 << 10;
/** A row of more steps is not worth a task: few series have room in it. */
export const leafStepsMax = 1 << 15;

/** Bytes that may be left free before a chunk. */
const alignmentSlack = 7;

/** Where the parts of a slab begin, in bytes. */
export const slabLayout = {
  header: 0,
  chunkTable: 128,
  firstChunks: 128 + taskChunksMax * xorBulkRowBytes, // one u32 a series, and one more
  groups: 128 + taskChunksMax * xorBulkRowBytes + (taskSeriesMax + 1) * 4, // of fold, one u32 a series
  found: 128 + taskChunksMax * xorBulkRowBytes + (2 * taskSeriesMax + 1) * 4, // out: 1 where a row has any sample
  data: 128 + taskChunksMax * xorBulkRowBytes + (3 * taskSeriesMax + 2) * 4,
} as const;

/** Words of the header, as indices of a Uint32Array. */
export const headerWord = {
  state: 0, // who has the slab: see `slabState`
  ticket: 1, // tasks are begun in the order of their tickets
  stop: 2, // set where nobody waits for the task any more
  kernel: 3,
  fold: 4,
  seriesCount: 5,
  stepCount: 6,
  groupCount: 7,
  output: 8, // address
  outcome: 9, // out: see `taskOutcome`
  failedChunk: 10, // out
  sampleCount: 11, // out: samples decoded
  counts: 12, // address of the samples looked at, a number a step; 0 where nobody asks
} as const;

/** Numbers of the header, as indices of a Float64Array. */
export const headerNumber = { startMs: 8, stepMs: 9, offsetMs: 10, atMs: 11, rangeMs: 12, untilMs: 13 } as const;

/** From `claimed` on: claimed by thread state - claimed; 0 is the one that asks. */
export const slabState = { idle: 0, queued: 1, done: 2, lost: 3, claimed: 16 } as const;

export const taskOutcome = { whole: 0, damagedChunk: 1, overflow: 2, stopped: 3 } as const;

export const leafFolds: readonly LeafFold[] = ["rows", "sum", "avg", "count", "min", "max"];

/** How far apart rows lie: the values, then whether each is there, to a multiple of 8. */
export function rowBytes(stepCount: number): number {
  return 8 * stepCount + 8 * Math.ceil(stepCount / 8);
}

/** Partial aggregates of one group: sums, compensations and counts of its steps, to a multiple of 8. */
export function groupBytes(stepCount: number): number {
  return 16 * stepCount + 8 * Math.ceil(stepCount / 2);
}

/** Views of a whole memory. */
export interface MemoryViews {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly states: Int32Array; // the same as words, for Atomics
  readonly numbers: Float64Array;
}

export function viewsOf(buffer: SharedArrayBuffer): MemoryViews {
  return {
    bytes: new Uint8Array(buffer),
    words: new Uint32Array(buffer),
    states: new Int32Array(buffer),
    numbers: new Float64Array(buffer),
  };
}

/** A task while it is filled. */
export interface LeafTask {
  readonly slab: number; // address
  readonly seriesCount: number;
  readonly groupCount: number;
  /** Of the chunks. */
  readonly byteLength: number;
  /**
   * Adds a series by the first `count` of `chunks`, each of XOR encoding, ordered by first time. `group` counts among the groups of this task, each
   * new one being the next number; 0 without a fold. False, and nothing is added, where the slab has no room.
   */
  add(chunks: readonly Uint8Array[], count: number, group: number): boolean;
  /** Writes what is left to write. Nothing may be added after it. */
  seal(): void;
}

function countsBytes({ stepCount, countsSamples }: LeafShape): number {
  return countsSamples ? 8 * stepCount : 0;
}

/** Adds what the steps of a task that has run looked at. */
export function addTaskCounts(
  { words, numbers }: MemoryViews,
  slab: number,
  stepCount: number,
  samples: QueryableSamples,
): void {
  const first = words[slab / 4 + headerWord.counts] / 8;
  for (let step = 0; step < stepCount; step++) samples.add(step, numbers[first + step]);
}

/** Whether a task of its own has room for a series. */
export function fitsTask(chunks: readonly Uint8Array[], count: number, shape: LeafShape): boolean {
  const { stepCount } = shape;
  const outputBytes = Math.max(rowBytes(stepCount), groupBytes(stepCount)) + countsBytes(shape);
  let bytes = slabLayout.data + xorBulkSlackBytes + outputBytes + 16;
  let samples = 0;
  for (let i = 0; i < count; i++) {
    if (chunks[i].length > chunkBytesMax) return false;
    bytes += chunks[i].length + alignmentSlack;
    samples += samplesIn(chunks[i]);
  }
  return bytes <= slabBytes && samples <= taskSamplesMax && count <= taskChunksMax && stepCount <= leafStepsMax;
}

export function createLeafTask(
  { bytes, words, numbers }: MemoryViews,
  slab: number,
  shape: LeafShape,
  kernel: number,
  untilMs: number,
): LeafTask {
  const header = slab / 4;
  const headerNumbers = slab / 8;
  const chunkTable = (slab + slabLayout.chunkTable) / 4;
  const firstChunks = (slab + slabLayout.firstChunks) / 4;
  const groups = (slab + slabLayout.groups) / 4;
  const isFolding = shape.fold !== "rows";
  const outputBytes = isFolding ? groupBytes(shape.stepCount) : rowBytes(shape.stepCount);
  const counts = slab + slabBytes - countsBytes(shape);
  const end = counts - xorBulkSlackBytes - 8;
  let seriesCount = 0;
  let groupCount = 0;
  let chunkCount = 0;
  let sampleCount = 0;
  let stepsOfAll = 0;
  let byteLength = 0;
  let dataEnd = slab + slabLayout.data;
  let reservedEnd = dataEnd; // of the longest that the data can be

  const task = {
    slab,
    seriesCount: 0,
    groupCount: 0,
    byteLength: 0,
    add(chunks: readonly Uint8Array[], count: number, group: number): boolean {
      // By index: an iterator for each series is much of the garbage of a large query.
      let length = 0;
      let samples = 0;
      for (let i = 0; i < count; i++) {
        if (chunks[i].length > chunkBytesMax) return false;
        length += chunks[i].length + alignmentSlack;
        samples += samplesIn(chunks[i]);
      }
      const steps = shape.stepCount * (1 + shape.windowShare * samples);
      const outputs = isFolding ? Math.max(groupCount, group + 1) : seriesCount + 1;
      if (
        shape.stepCount > leafStepsMax ||
        seriesCount === taskSeriesMax ||
        chunkCount + count > taskChunksMax ||
        sampleCount + samples > taskSamplesMax ||
        (seriesCount > 0 && stepsOfAll + steps > taskStepsMax) ||
        reservedEnd + length + outputs * outputBytes > end
      ) {
        return false;
      }
      words[firstChunks + seriesCount] = chunkCount;
      words[groups + seriesCount] = group;
      for (let i = 0; i < count; i++) {
        const chunk = chunks[i];
        const row = chunkTable + chunkCount * 4;
        // Between places that lie alike within a word, copies into shared memory go word by word, else byte by byte.
        dataEnd += (chunk.byteOffset - dataEnd) & alignmentSlack;
        words[row + xorBulkRow.offset] = dataEnd;
        words[row + xorBulkRow.length] = chunk.length;
        bytes.set(chunk, dataEnd);
        dataEnd += chunk.length;
        byteLength += chunk.length;
        chunkCount++;
      }
      // Where the chunks lay must not decide what else the task has room for.
      reservedEnd += length;
      sampleCount += samples;
      stepsOfAll += steps;
      if (isFolding) groupCount = outputs;
      seriesCount++;
      task.seriesCount = seriesCount;
      task.groupCount = groupCount;
      task.byteLength = byteLength;
      return true;
    },
    seal() {
      words[firstChunks + seriesCount] = chunkCount;
      words[header + headerWord.stop] = 0;
      words[header + headerWord.kernel] = kernel;
      words[header + headerWord.fold] = leafFolds.indexOf(shape.fold);
      words[header + headerWord.seriesCount] = seriesCount;
      words[header + headerWord.stepCount] = shape.stepCount;
      words[header + headerWord.groupCount] = groupCount;
      words[header + headerWord.output] = Math.ceil((dataEnd + xorBulkSlackBytes) / 8) * 8;
      words[header + headerWord.outcome] = taskOutcome.whole;
      words[header + headerWord.sampleCount] = 0;
      words[header + headerWord.counts] = shape.countsSamples ? counts : 0;
      numbers.fill(0, counts / 8, (slab + slabBytes) / 8);
      numbers[headerNumbers + headerNumber.startMs] = shape.startMs;
      numbers[headerNumbers + headerNumber.stepMs] = shape.stepMs;
      numbers[headerNumbers + headerNumber.offsetMs] = shape.offsetMs;
      numbers[headerNumbers + headerNumber.atMs] = shape.atMs ?? NaN;
      numbers[headerNumbers + headerNumber.rangeMs] = shape.rangeMs;
      numbers[headerNumbers + headerNumber.untilMs] = untilMs;
    },
  };
  return task;
}

/** Why the chunk that a task failed at gave no samples. */
export function damageOf({ bytes, words }: MemoryViews, slab: number): ChunkFailure | undefined {
  const chunk = words[slab / 4 + headerWord.failedChunk];
  const row = (slab + slabLayout.chunkTable) / 4 + chunk * 4;
  const offset = words[row + xorBulkRow.offset];
  const length = words[row + xorBulkRow.length];
  return xorBulkFailure(words[row + xorBulkRow.failure], length, samplesIn(bytes.subarray(offset, offset + length)));
}

function samplesIn(chunk: Uint8Array): number {
  return chunk.length < 2 ? 0 : (chunk[0] << 8) | chunk[1];
}
