/** Aggregations that take one sample after the other: the state of many groups and steps, one slot each. */
import { compensate, unreachable } from "@pleiad/model";
import { quantileOf } from "./quantile.ts";

export interface Accumulator {
  add(slot: number, value: number): void;
  /** Whether the slot has got a sample since the last `clear`. */
  has(slot: number): boolean;
  /** The aggregate of a slot that has one. `parameter` is that of its step, where the aggregation takes one. */
  result(slot: number, parameter: number): number;
  clear(): void;
}

export type AccumulatorKind = "sum" | "avg" | "count" | "min" | "max" | "group" | "stddev" | "stdvar" | "quantile";

export function createAccumulator(kind: AccumulatorKind, slotCount: number): Accumulator {
  switch (kind) {
    case "sum":
      return createSum(slotCount);
    case "avg":
      return createAverage(slotCount);
    case "count":
      return createCount(slotCount);
    case "group":
      return { ...createCount(slotCount), result: () => 1 };
    case "min":
      return createExtreme(slotCount, (value, held) => value < held);
    case "max":
      return createExtreme(slotCount, (value, held) => value > held);
    case "stdvar":
      return createVariance(slotCount, (variance) => variance);
    case "stddev":
      return createVariance(slotCount, Math.sqrt);
    case "quantile":
      return createQuantile(slotCount);
    default:
      return unreachable(kind);
  }
}

function createSum(slotCount: number): Accumulator {
  const sums = new Float64Array(slotCount);
  const compensations = new Float64Array(slotCount);
  const seen = new Uint8Array(slotCount);
  return {
    add(slot, value) {
      if (seen[slot] === 0) {
        // Starting from the value, not from zero, keeps the sign of -0.
        seen[slot] = 1;
        sums[slot] = value;
        compensations[slot] = 0;
        return;
      }
      const sum = sums[slot];
      compensations[slot] = compensate(value, sum, compensations[slot]);
      sums[slot] = sum + value;
    },
    has: (slot) => seen[slot] !== 0,
    result: (slot) => sums[slot] + compensations[slot],
    clear: () => seen.fill(0),
  };
}

function createAverage(slotCount: number): Accumulator {
  const sums = new Float64Array(slotCount); // the running mean of a slot in `incremental`
  const compensations = new Float64Array(slotCount);
  const counts = new Float64Array(slotCount);
  const incremental = new Uint8Array(slotCount);
  return {
    add(slot, value) {
      const count = ++counts[slot];
      if (count === 1) {
        sums[slot] = value;
        compensations[slot] = 0;
        incremental[slot] = 0;
        return;
      }
      if (incremental[slot] === 0) {
        const sum = sums[slot];
        const total = sum + value;
        if (total !== Infinity && total !== -Infinity) {
          compensations[slot] = compensate(value, sum, compensations[slot]);
          sums[slot] = total;
          return;
        }
        // The sum would overflow although the mean does not: a running mean from here on.
        incremental[slot] = 1;
        sums[slot] /= count - 1;
        compensations[slot] /= count - 1;
      }
      const share = (count - 1) / count;
      const before = share * sums[slot];
      compensations[slot] = compensate(value / count, before, share * compensations[slot]);
      sums[slot] = before + value / count;
    },
    has: (slot) => counts[slot] > 0,
    result: (slot) =>
      incremental[slot] === 1
        ? sums[slot] + compensations[slot]
        : sums[slot] / counts[slot] + compensations[slot] / counts[slot],
    clear: () => counts.fill(0),
  };
}

function createCount(slotCount: number): Accumulator {
  const counts = new Float64Array(slotCount);
  return {
    add(slot) {
      counts[slot]++;
    },
    has: (slot) => counts[slot] > 0,
    result: (slot) => counts[slot],
    clear: () => counts.fill(0),
  };
}

function createExtreme(slotCount: number, beats: (value: number, held: number) => boolean): Accumulator {
  const extremes = new Float64Array(slotCount);
  const seen = new Uint8Array(slotCount);
  return {
    add(slot, value) {
      const held = extremes[slot];
      // Any number replaces NaN.
      if (seen[slot] === 0 || beats(value, held) || held !== held) extremes[slot] = value;
      seen[slot] = 1;
    },
    has: (slot) => seen[slot] !== 0,
    result: (slot) => extremes[slot],
    clear: () => seen.fill(0),
  };
}

/** Welford's method. A first value that is not finite makes the result NaN. */
function createVariance(slotCount: number, finish: (variance: number) => number): Accumulator {
  const counts = new Float64Array(slotCount);
  const means = new Float64Array(slotCount);
  const squares = new Float64Array(slotCount);
  return {
    add(slot, value) {
      const count = ++counts[slot];
      if (count === 1) {
        means[slot] = value;
        squares[slot] = Number.isFinite(value) ? 0 : NaN;
        return;
      }
      const delta = value - means[slot];
      means[slot] += delta / count;
      squares[slot] += delta * (value - means[slot]);
    },
    has: (slot) => counts[slot] > 0,
    result: (slot) => finish(squares[slot] / counts[slot]),
    clear: () => counts.fill(0),
  };
}

/** Samples are kept as they come, and put in order of slots when the first result is asked for. */
function createQuantile(slotCount: number): Accumulator {
  const counts = new Uint32Array(slotCount);
  let slots = new Uint32Array(256);
  let values = new Float64Array(256);
  let count = 0;
  let bySlot: Float64Array | undefined;
  const ends = new Uint32Array(slotCount); // in `bySlot`
  const arrange = () => {
    // Each is where its slot begins, until the samples of the slot have moved it to where it ends.
    for (let slot = 0, begin = 0; slot < slotCount; begin += counts[slot++]) ends[slot] = begin;
    const arranged = new Float64Array(count);
    for (let i = 0; i < count; i++) arranged[ends[slots[i]]++] = values[i];
    return arranged;
  };
  return {
    add(slot, value) {
      if (count === values.length) {
        slots = grown(slots, new Uint32Array(2 * count));
        values = grown(values, new Float64Array(2 * count));
      }
      slots[count] = slot;
      values[count++] = value;
      counts[slot]++;
    },
    has: (slot) => counts[slot] > 0,
    result(slot, parameter) {
      bySlot ??= arrange();
      return quantileOf(parameter, bySlot.subarray(ends[slot] - counts[slot], ends[slot]));
    },
    clear() {
      counts.fill(0);
      count = 0;
      bySlot = undefined;
    },
  };
}

function grown<T extends Uint32Array | Float64Array>(held: T, larger: T): T {
  larger.set(held);
  return larger;
}
