/**
 * Speed of the compiled kernels beside those in JavaScript, over columns that are decoded already. Large by name:
 * `node packages/promql-exec/src/leaf-kernels.bench.ts`; small in the tests.
 */
import { pathToFileURL } from "node:url";
import { createSharedMemory, instantiateWasm, memoryPageBytes } from "@pleiad/chunks";
import { leafKernelsWasm } from "./leaf-kernels.wasm.ts";
import { createWindowFinder } from "./range-call.ts";
import { rangeKernels } from "./range-kernels.ts";

export interface LeafKernelsBench {
  readonly compiledStepsPerSecond: number;
  readonly plainStepsPerSecond: number;
  /** The sum of all results, which both kernels agree on: a faster wrong answer shows. */
  readonly checksum: number;
}

const startMs = 1_700_000_000_000;
const scrapeMs = 30_000;
const samplesPerSeries = 240;
const rangeMs = 300_000;
const flagsOfRate = 3;

/** rate over five minutes at each scrape of two hours, series after series. */
export function benchRate(seriesCount: number, nowMs: () => number): LeafKernelsBench {
  let state = 1;
  const chance = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 4_294_967_296;
  const columnsBytes = 8 * samplesPerSeries * seriesCount;
  const row = 2 * columnsBytes;
  const resets = row + 16 * samplesPerSeries;
  const pages = Math.ceil((resets + 4 * samplesPerSeries) / memoryPageBytes);
  const memory = createSharedMemory(pages, pages);
  const numbers = new Float64Array(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);
  const count = samplesPerSeries * seriesCount;
  for (let i = 0, value = 0; i < count; i++) {
    // One in thirty scrapes is late by some milliseconds, one sample in a thousand begins anew.
    numbers[i] = startMs + (i % samplesPerSeries) * scrapeMs + (chance() < 0.03 ? 3 + Math.floor(chance() * 18) : 0);
    value = chance() < 0.001 ? 0 : value + Math.round(chance() * 3000) / 100;
    numbers[count + i] = value;
  }
  const { extrapolated } = instantiateWasm(leafKernelsWasm, memory);
  const stepCount = samplesPerSeries;
  const present = row + 8 * stepCount;
  let compiledSum = 0;
  const compiledStartMs = nowMs();
  for (let series = 0; series < seriesCount; series++) {
    const times = 8 * series * samplesPerSeries;
    extrapolated(
      ...([times, columnsBytes + times, samplesPerSeries, stepCount, startMs, scrapeMs, 0, rangeMs] as const),
      ...([flagsOfRate, resets, row, present] as const),
    );
    for (let step = 0; step < stepCount; step++)
      if (bytes[present + step] === 1) compiledSum += numbers[row / 8 + step];
  }
  const compiledMs = nowMs() - compiledStartMs;

  const grid = { startMs, stepMs: scrapeMs, endMs: startMs + (stepCount - 1) * scrapeMs };
  const windows = { shift: { offsetMs: 0, atMs: undefined }, rangeMs, beforeMs: 0, afterMs: 0 };
  const find = createWindowFinder(windows, grid, []);
  const values = new Float64Array(stepCount);
  const isPresent = new Uint8Array(stepCount);
  let plainSum = 0;
  const plainStartMs = nowMs();
  for (let series = 0; series < seriesCount; series++) {
    const from = series * samplesPerSeries;
    const to = from + samplesPerSeries;
    const columns = {
      timestampsMs: numbers.subarray(from, to),
      values: numbers.subarray(count + from, count + to),
      valueWords: new Uint32Array(0),
      count: samplesPerSeries,
    };
    rangeKernels["rate"](
      find(columns, () => {}),
      values,
      isPresent,
    );
    for (let step = 0; step < stepCount; step++) if (isPresent[step] === 1) plainSum += values[step];
  }
  const plainMs = nowMs() - plainStartMs;
  if (compiledSum !== plainSum) throw new Error(`the kernels differ: ${compiledSum} and ${plainSum}`);
  const steps = seriesCount * stepCount;
  return {
    compiledStepsPerSecond: (steps * 1000) / compiledMs,
    plainStepsPerSecond: (steps * 1000) / plainMs,
    checksum: compiledSum,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (let round = 0; round < 5; round++) {
    const { compiledStepsPerSecond, plainStepsPerSecond, checksum } = benchRate(5_000, () => performance.now());
    const millions = (perSecond: number) => (perSecond / 1e6).toFixed(0);
    console.log(
      `rate: ${millions(compiledStepsPerSecond)} M steps/s compiled, ${millions(plainStepsPerSecond)} in JavaScript, ` +
        `checksum ${checksum}`,
    );
  }
}
