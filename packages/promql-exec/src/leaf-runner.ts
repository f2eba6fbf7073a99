/** Runs tasks of leaves: decodes the chunks of a few series at a time, computes their steps, keeps or adds up the rows. */
import {
  createSampleColumns,
  createXorBulkDecoder,
  instantiateWasm,
  reserveSamples,
  xorBulkRow,
  xorBulkRowBytes,
  xorBulkSlackBytes,
  type SampleColumns,
  type SharedMemory,
} from "@pleiad/chunks";
import { unreachable } from "@pleiad/model";
import type { StepGrid } from "@pleiad/promql-plan";
import { leafKernelsWasm } from "./leaf-kernels.wasm.ts";
import {
  chunkBytesMax,
  groupBytes,
  headerNumber,
  headerWord,
  leafFolds,
  leafStepsMax,
  rowBytes,
  slabLayout,
  taskOutcome,
  taskSamplesMax,
  viewsOf,
  type LeafKernel,
} from "./leaf-task.ts";
import { createWindowFinder } from "./range-call.ts";
import { rangeKernels } from "./range-kernels.ts";
import { mergeInto } from "./series-reader.ts";

/** Kernels by number, the same on every thread. Those over ranges take no parameter. */
const compiledKernels: readonly LeafKernel[] = [
  { kind: "latest", as: "value" },
  { kind: "latest", as: "time" },
  { kind: "range", function: "delta" },
  { kind: "range", function: "increase" },
  { kind: "range", function: "rate" },
];
const deltaKernel = 2;
const extrapolationFlags = [0, 1, 3]; // of delta, increase and rate: is a counter (1), is per second (2)

const parametersOf: Readonly<Record<string, number>> = {
  quantile_over_time: 1,
  predict_linear: 1,
  double_exponential_smoothing: 2,
};
const plainFunctions = Object.keys(rangeKernels).filter((name) => parametersOf[name] === undefined);

/** Whether a kernel goes once through the samples of a series, however many steps there are and however long windows are. */
export function isSinglePass(kernel: LeafKernel): boolean {
  return (kernelNumber(kernel) ?? compiledKernels.length) < compiledKernels.length;
}

/** The number of a kernel; undefined for functions that tasks do not know. */
export function kernelNumber(kernel: LeafKernel): number | undefined {
  const compiled = compiledKernels.findIndex((other) =>
    other.kind === "latest"
      ? kernel.kind === "latest" && other.as === kernel.as
      : kernel.kind === "range" && other.function === kernel.function,
  );
  if (compiled >= 0) return compiled;
  const place = kernel.kind === "range" ? plainFunctions.indexOf(kernel.function) : -1;
  return place < 0 ? undefined : compiledKernels.length + place;
}

/** A thread's own room in the memory: what it decodes into before it computes. */
const scratchLayout = (() => {
  const words = 0;
  const timestampsMs = words + chunkBytesMax + xorBulkSlackBytes;
  const values = timestampsMs + 8 * taskSamplesMax;
  const resets = values + 8 * taskSamplesMax;
  const row = resets + 4 * taskSamplesMax;
  const end = row + rowBytes(leafStepsMax);
  return { words, timestampsMs, values, resets, row, end };
})();
export const scratchBytes = scratchLayout.end;

/** Series are decoded until there are so many samples, for the columns to stay in the cache of a core. */
const batchSamples = 4096;

/** A function that runs the task of a slab. `scratch` is where the thread has `scratchBytes` for itself. */
export function createLeafRunner(memory: SharedMemory, scratch: number): (slab: number) => void {
  const decoder = createXorBulkDecoder(memory);
  const kernels = instantiateWasm(leafKernelsWasm, memory);
  const { bytes, words, states, numbers } = viewsOf(memory.buffer);
  const timestampsAt = scratch + scratchLayout.timestampsMs;
  const valuesAt = scratch + scratchLayout.values;
  const resetsAt = scratch + scratchLayout.resets;
  const scratchRow = scratch + scratchLayout.row;
  const merged = createSampleColumns(0);
  const later = createSampleColumns(0);

  /** Makes one run, each time once, of the chunks [from, to), whose samples lie from `at` on; gives how many there are. */
  function mergeChunks(chunkRows: number, from: number, to: number, at: number): number {
    merged.count = 0;
    let next = at;
    for (let chunk = from; chunk < to; chunk++) {
      const count = words[chunkRows + 4 * chunk + xorBulkRow.sampleCount];
      later.count = 0;
      appendTo(later, next, count);
      const overlaps = merged.count > 0 && count > 0 && later.timestampsMs[0] <= merged.timestampsMs[merged.count - 1];
      if (overlaps) mergeInto(merged, later);
      else appendTo(merged, next, count);
      next += count;
    }
    numbers.set(merged.timestampsMs.subarray(0, merged.count), timestampsAt / 8 + at);
    words.set(merged.valueWords.subarray(0, 2 * merged.count), valuesAt / 4 + 2 * at);
    return merged.count;
  }

  function appendTo(columns: SampleColumns, at: number, count: number): void {
    reserveSamples(columns, count);
    const from = timestampsAt / 8 + at;
    columns.timestampsMs.set(numbers.subarray(from, from + count), columns.count);
    const wordsFrom = valuesAt / 4 + 2 * at;
    columns.valueWords.set(words.subarray(wordsFrom, wordsFrom + 2 * count), 2 * columns.count);
    columns.count += count;
  }

  /** A kernel that is written in JavaScript, over views of the scratch. */
  function createPlainKernel(name: string, slab: number, stepCount: number) {
    const at = slab / 8;
    const startMs = numbers[at + headerNumber.startMs];
    const stepMs = numbers[at + headerNumber.stepMs];
    const atMs = numbers[at + headerNumber.atMs];
    const grid: StepGrid = { startMs, stepMs, endMs: startMs + (stepCount - 1) * stepMs };
    const shift = { offsetMs: numbers[at + headerNumber.offsetMs], atMs: atMs !== atMs ? undefined : atMs };
    const windows = { shift, rangeMs: numbers[at + headerNumber.rangeMs], beforeMs: 0, afterMs: 0 };
    const find = createWindowFinder(windows, grid, []);
    const kernel = rangeKernels[name];
    return (sample: number, count: number, row: number): number => {
      const columns = {
        timestampsMs: numbers.subarray(timestampsAt / 8 + sample, timestampsAt / 8 + sample + count),
        values: numbers.subarray(valuesAt / 8 + sample, valuesAt / 8 + sample + count),
        valueWords: words.subarray(valuesAt / 4 + 2 * sample, valuesAt / 4 + 2 * (sample + count)),
        count,
      };
      const values = numbers.subarray(row / 8, row / 8 + stepCount);
      const present = bytes.subarray(row + 8 * stepCount, row + 9 * stepCount);
      return kernel(find(columns, ignoreRemark), values, present) ? 1 : 0;
    };
  }

  return (slab) => {
    const header = slab / 4;
    const seriesCount = words[header + headerWord.seriesCount];
    const stepCount = words[header + headerWord.stepCount];
    const groupCount = words[header + headerWord.groupCount];
    const kernel = words[header + headerWord.kernel];
    const fold = leafFolds[words[header + headerWord.fold]];
    const output = words[header + headerWord.output];
    const startMs = numbers[slab / 8 + headerNumber.startMs];
    const atMs = numbers[slab / 8 + headerNumber.atMs];
    const firstMs = atMs !== atMs ? startMs : atMs;
    const stepMs = atMs !== atMs ? numbers[slab / 8 + headerNumber.stepMs] : 0;
    const offsetMs = numbers[slab / 8 + headerNumber.offsetMs];
    const rangeMs = numbers[slab / 8 + headerNumber.rangeMs];
    const untilMs = numbers[slab / 8 + headerNumber.untilMs];
    const chunkRows = (slab + slabLayout.chunkTable) / 4;
    const firstChunks = (slab + slabLayout.firstChunks) / 4;
    const groups = (slab + slabLayout.groups) / 4;
    const found = (slab + slabLayout.found) / 4;
    const isRange = kernel >= deltaKernel;
    const plain =
      kernel < compiledKernels.length
        ? undefined
        : createPlainKernel(plainFunctions[kernel - compiledKernels.length], slab, stepCount);
    const lookedAt = words[header + headerWord.counts] / 8;
    const sums = output;
    const compensations = sums + 8 * groupCount * stepCount;
    const counts = compensations + 8 * groupCount * stepCount;
    if (fold !== "rows") bytes.fill(0, counts, output + groupCount * groupBytes(stepCount));
    let sampleCount = 0;

    const compute = (sample: number, count: number, row: number): number => {
      const timestamps = timestampsAt + 8 * sample;
      const values = valuesAt + 8 * sample;
      const present = row + 8 * stepCount;
      if (!isRange) {
        const asTime = kernel;
        return kernels.latest(
          timestamps,
          values,
          count,
          stepCount,
          firstMs,
          stepMs,
          offsetMs,
          rangeMs,
          asTime,
          row,
          present,
        );
      }
      const left = kernels.dropStale(timestamps, values, count);
      if (left === 0) return 0;
      if (lookedAt !== 0) countWindows(sample, left);
      if (plain !== undefined) return plain(sample, left, row);
      const flags = extrapolationFlags[kernel - deltaKernel];
      return kernels.extrapolated(
        timestamps,
        values,
        left,
        stepCount,
        firstMs,
        stepMs,
        offsetMs,
        rangeMs,
        flags,
        resetsAt,
        row,
        present,
      );
    };

    /** Counts the samples in the window of each step, of those from `sample` on. */
    const countWindows = (sample: number, count: number) => {
      const at = timestampsAt / 8 + sample;
      let start = 0;
      let end = 0;
      for (let step = 0; step < stepCount; step++) {
        const endMs = firstMs + step * stepMs - offsetMs;
        while (start < count && numbers[at + start] <= endMs - rangeMs) start++;
        while (end < count && numbers[at + end] <= endMs) end++;
        numbers[lookedAt + step] += Math.max(0, end - start);
      }
    };

    /** Counts the sample at each step of a row that has one. */
    const countLatest = (row: number) => {
      const present = row + 8 * stepCount;
      for (let step = 0; step < stepCount; step++) numbers[lookedAt + step] += bytes[present + step];
    };

    /** Adds a row to its group; gives whether a mean overflows. */
    const add = (row: number, group: number): boolean => {
      const present = row + 8 * stepCount;
      const sum = sums + 8 * group * stepCount;
      const compensation = compensations + 8 * group * stepCount;
      const count = counts + 4 * group * stepCount;
      switch (fold) {
        case "sum":
          kernels.addSum(row, present, stepCount, sum, compensation, count);
          return false;
        case "avg":
          return kernels.addMean(row, present, stepCount, sum, compensation, count) !== 0;
        case "count":
          kernels.addCount(present, stepCount, count);
          return false;
        case "min":
          kernels.addMinimum(row, present, stepCount, sum, count);
          return false;
        case "max":
          kernels.addMaximum(row, present, stepCount, sum, count);
          return false;
        case "rows":
          return false;
        default:
          return unreachable(fold);
      }
    };

    const end = (outcome: number) => {
      words[header + headerWord.outcome] = outcome;
      words[header + headerWord.sampleCount] = sampleCount;
    };

    for (let series = 0; series < seriesCount;) {
      if (Atomics.load(states, header + headerWord.stop) !== 0) return end(taskOutcome.stopped);
      const firstChunk = words[firstChunks + series];
      let batchEnd = series;
      let expected = 0;
      do {
        batchEnd++;
        const last = words[firstChunks + batchEnd];
        expected = last - firstChunk;
      } while (batchEnd < seriesCount && expected * samplesOfChunk < batchSamples);
      const lastChunk = words[firstChunks + batchEnd];
      sampleCount += decoder.decode({
        table: 4 * chunkRows + firstChunk * xorBulkRowBytes,
        chunkCount: lastChunk - firstChunk,
        words: scratch + scratchLayout.words,
        wordsLength: chunkBytesMax + xorBulkSlackBytes,
        timestampsMs: timestampsAt,
        values: valuesAt,
        capacity: taskSamplesMax,
        untilMs,
      });

      let sample = 0;
      for (; series < batchEnd; series++) {
        const from = words[firstChunks + series];
        const to = words[firstChunks + series + 1];
        let count = 0;
        let overlaps = false;
        for (let chunk = from; chunk < to; chunk++) {
          const row = chunkRows + 4 * chunk;
          if (words[row + xorBulkRow.failure] !== 0) {
            words[header + headerWord.failedChunk] = chunk;
            return end(taskOutcome.damagedChunk);
          }
          const more = words[row + xorBulkRow.sampleCount];
          const at = timestampsAt / 8 + sample + count;
          if (more > 0 && count > 0 && numbers[at] <= numbers[at - 1]) overlaps = true;
          count += more;
        }
        const kept = overlaps ? mergeChunks(chunkRows, from, to, sample) : count;
        const row = fold === "rows" ? output + series * rowBytes(stepCount) : scratchRow;
        const isFound = kept > 0 && compute(sample, kept, row) > 0;
        words[found + series] = isFound ? 1 : 0;
        if (lookedAt !== 0 && isFound && !isRange) countLatest(row);
        if (isFound && add(row, words[groups + series])) return end(taskOutcome.overflow);
        sample += count;
      }
    }
    end(taskOutcome.whole);
  };
}

/** What a chunk mostly has. */
const samplesOfChunk = 120;

function ignoreRemark(): void {
  // Start timestamps, which remarks are about, are not in chunks of this encoding.
}
