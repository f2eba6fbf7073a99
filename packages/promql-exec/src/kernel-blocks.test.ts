import { expect, it } from "vitest";
import { needsBlocks, runInBlocks } from "./kernel-blocks.ts";
import { rangeKernels, type SampleWindows } from "./range-kernels.ts";

/** Windows of `length` samples at each of `stepCount` steps, one further each time. */
function slidingWindows(stepCount: number, length: number): SampleWindows {
  const samples = Float64Array.from({ length: stepCount + length }, (_, i) => Math.sin(i) * 100 + (i % 17));
  return {
    timestampsMs: samples.map((_, i) => i * 15_000),
    values: samples,
    startTimestampsMs: undefined,
    weights: undefined,
    starts: Uint32Array.from({ length: stepCount }, (_, step) => step),
    ends: Uint32Array.from({ length: stepCount }, (_, step) => step + length),
    referencesMs: Float64Array.from({ length: stepCount }, (_, step) => (step + length - 1) * 15_000),
    rangeMs: length * 15_000,
    stepTimesMs: Float64Array.from({ length: stepCount }, (_, step) => (step + length - 1) * 15_000),
    parameters: [new Float64Array(stepCount).fill(0.3), new Float64Array(stepCount).fill(0.6)],
    remark: () => undefined,
  };
}

/** Counts rests; one is always due. */
function restlessPace() {
  let rests = 0;
  const rest = async () => {
    rests++;
  };
  return { due: () => true, rest, check: () => undefined, rests: () => rests };
}

it("short windows need no blocks, long and many do", () => {
  expect(needsBlocks(slidingWindows(240, 20))).toBe(false);
  expect(needsBlocks(slidingWindows(11_000, 240))).toBe(true);
});

it.each(Object.keys(rangeKernels))("%s gives in blocks what it gives at once, and rests between them", async (name) => {
  const windows = slidingWindows(1000, 900);
  const atOnce = new Float64Array(1000);
  const inBlocks = new Float64Array(1000);
  const present = new Uint8Array(1000);
  const pace = restlessPace();
  const isFound = rangeKernels[name](windows, atOnce, present);
  expect(await runInBlocks(rangeKernels[name], windows, inBlocks, present, pace)).toBe(isFound);
  expect(inBlocks).toEqual(atOnce);
  expect(pace.rests()).toBe(5);
});
